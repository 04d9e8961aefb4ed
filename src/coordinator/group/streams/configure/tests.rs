//! Cases that no scenario covers.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::codec::schema::group::StreamsGroupTopologyValue;

fn topology(subtopologies: Vec<Subtopology>) -> Topology {
    Topology::from_record(&StreamsGroupTopologyValue { epoch: 0, subtopologies })
}

#[test]
fn an_index_that_names_no_topic_is_refused() {
    let group = |source_topics| CopartitionGroup { source_topics, ..CopartitionGroup::default() };
    for index in [0, 1, -1] {
        let of = Subtopology {
            subtopology_id: "0".to_owned(),
            repartition_source_topics: vec![TopicInfo {
                name: "r".to_owned(),
                partitions: 2,
                ..TopicInfo::default()
            }],
            copartition_groups: vec![group(vec![index])],
            ..Subtopology::default()
        };
        let configured = configure(&topology(vec![of]), &Image::default());
        assert_eq!(configured.unwrap_err().code(), ResponseError::UnknownServerError);
    }
}

#[test]
fn counts_that_no_topic_can_have_are_refused() {
    for partitions in [-1, i32::MIN] {
        let of = Subtopology {
            subtopology_id: "0".to_owned(),
            repartition_source_topics: vec![TopicInfo {
                name: "r".to_owned(),
                partitions,
                ..TopicInfo::default()
            }],
            ..Subtopology::default()
        };
        let configured = configure(&topology(vec![of]), &Image::default());
        assert_eq!(configured.unwrap_err().code(), ResponseError::UnknownServerError);
    }
}

#[test]
fn many_topics_are_summed_up() {
    let names: Vec<String> =
        ["a", "b", "c", "d", "e"].iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(summary(names.iter()), "a, b, c and 2 additional topics");
    assert_eq!(summary(names[..3].iter()), "a, b, c");
}

#[test]
fn the_broker_s_replication_factor_stands_for_none() {
    let topic = InternalTopic {
        partitions: 3,
        replication_factor: 0,
        configs: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
    };
    let creatable = topic.creatable("c");
    assert_eq!((creatable.num_partitions, creatable.replication_factor), (3, -1));
    assert_eq!(creatable.configs.len(), 1);
    let creatable = InternalTopic { replication_factor: 2, ..topic }.creatable("c");
    assert_eq!(creatable.replication_factor, 2);
}
