//! The states of share partitions (KIP-932), as leaders of share partitions and group coordinators
//! of other brokers would keep them here.

use super::{Peer, call, create, name, text, wait_for};
use crate::support::Broker;
use klamm::codec::messages::delete_topics_request::DeleteTopicState;
use klamm::codec::messages::describe_configs_request::DescribeConfigsResource;
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::*;
use klamm::codec::messages::{
    delete_share_group_state_request as delete, initialize_share_group_state_request as initialize,
    read_share_group_state_request as read, read_share_group_state_summary_request as summary,
    write_share_group_state_request as write,
};
use klamm::types::uuid_to_text;
use uuid::Uuid;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const INVALID_REQUEST: i16 = 42;
const FENCED_LEADER_EPOCH: i16 = 74;
const FENCED_STATE_EPOCH: i16 = 124;
const TOPIC: &str = "__share_group_state";

/// First and last offset, state and count.
type Batches = Vec<(i64, i64, i8, i16)>;

/// Finds the coordinator of a key; answers the error code and the port.
fn find(peer: &Peer, version: i16, key: &str) -> (i16, i32) {
    let request =
        FindCoordinatorRequest::default().with_key_type(2).with_coordinator_keys(vec![text(key)]);
    let found = call(peer, version, &request).coordinators.remove(0);
    (found.error_code, found.port)
}

/// An InitializeShareGroupState of one partition for the group "g".
pub fn to_initialize(
    topic_id: Uuid,
    partition: i32,
    epoch: i32,
    start: i64,
) -> InitializeShareGroupStateRequest {
    let asked = initialize::PartitionData::default()
        .with_partition(partition)
        .with_state_epoch(epoch)
        .with_start_offset(start);
    let topic = initialize::InitializeStateData::default()
        .with_topic_id(topic_id)
        .with_partitions(vec![asked]);
    InitializeShareGroupStateRequest::default().with_group_id(text("g")).with_topics(vec![topic])
}

/// The group "g" with partitions of the topic.
struct Group {
    peer: Peer,
    topic_id: Uuid,
}

impl Group {
    /// The coordinator's topic is there and loaded.
    fn new(broker: &Broker) -> Group {
        let peer = Peer::connect(broker.port);
        let topic_id = create(&peer, "t", 2, &[]);
        let group = Group { peer, topic_id };
        group.await_coordinator();
        group
    }

    fn await_coordinator(&self) {
        let key = format!("g:{}:0", uuid_to_text(self.topic_id));
        wait_for("the coordinator", || find(&self.peer, 6, &key).0 == 0);
        let loading = [COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE];
        for partition in [0, 1] {
            wait_for("the coordinator is loaded", || !loading.contains(&self.summary(partition).0));
        }
    }

    /// The same group after the broker was started again.
    fn again(self, broker: &Broker) -> Group {
        let group = Group { peer: Peer::connect(broker.port), ..self };
        group.await_coordinator();
        group
    }

    fn initialize(&self, partition: i32, epoch: i32, start: i64) -> i16 {
        let request = to_initialize(self.topic_id, partition, epoch, start);
        let answer = call(&self.peer, 0, &request).results.remove(0).partitions.remove(0);
        assert_eq!(answer.partition, partition);
        answer.error_code
    }

    /// Writes one batch of state 2, delivered once.
    fn write(&self, version: i16, epochs: (i32, i32), start: i64, offsets: (i64, i64)) -> i16 {
        let batch = write::StateBatch::default()
            .with_first_offset(offsets.0)
            .with_last_offset(offsets.1)
            .with_delivery_state(2)
            .with_delivery_count(1);
        let asked = write::PartitionData::default()
            .with_state_epoch(epochs.0)
            .with_leader_epoch(epochs.1)
            .with_start_offset(start)
            .with_delivery_complete_count(if version > 0 { 3 } else { -1 })
            .with_state_batches(vec![batch]);
        let topic = write::WriteStateData::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![asked]);
        let request = WriteShareGroupStateRequest::default()
            .with_group_id(text("g"))
            .with_topics(vec![topic]);
        call(&self.peer, version, &request).results[0].partitions[0].error_code
    }

    /// The error code, the state epoch, the start offset and the batches.
    fn read(&self, partition: i32, epoch: i32) -> (i16, i32, i64, Batches) {
        let asked =
            read::PartitionData::default().with_partition(partition).with_leader_epoch(epoch);
        let topic = read::ReadStateData::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![asked]);
        let request =
            ReadShareGroupStateRequest::default().with_group_id(text("g")).with_topics(vec![topic]);
        let told = call(&self.peer, 0, &request).results.remove(0).partitions.remove(0);
        let batches = told.state_batches.into_iter();
        let batches = batches
            .map(|it| (it.first_offset, it.last_offset, it.delivery_state, it.delivery_count));
        (told.error_code, told.state_epoch, told.start_offset, batches.collect())
    }

    fn summary(&self, partition: i32) -> (i16, i32, i32, i64, i32) {
        self.summary_of(1, partition)
    }

    /// The error code, the state epoch, the leader epoch, the start offset and the count.
    fn summary_of(&self, version: i16, partition: i32) -> (i16, i32, i32, i64, i32) {
        let asked = summary::PartitionData::default().with_partition(partition);
        let topic = summary::ReadStateSummaryData::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![asked]);
        let request = ReadShareGroupStateSummaryRequest::default()
            .with_group_id(text("g"))
            .with_topics(vec![topic]);
        let answer = call(&self.peer, version, &request);
        let told = &answer.results[0].partitions[0];
        (
            told.error_code,
            told.state_epoch,
            told.leader_epoch,
            told.start_offset,
            told.delivery_complete_count,
        )
    }

    fn delete(&self, partition: i32) -> i16 {
        let asked = delete::PartitionData::default().with_partition(partition);
        let topic = delete::DeleteStateData::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![asked]);
        let request = DeleteShareGroupStateRequest::default()
            .with_group_id(text("g"))
            .with_topics(vec![topic]);
        call(&self.peer, 0, &request).results[0].partitions[0].error_code
    }
}

/// The first offset (-2) or the end (-1) of the only partition of `__share_group_state`.
fn offset(peer: &Peer, timestamp: i64) -> i64 {
    let asked = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
    call(peer, 7, &request.with_topics(vec![topic])).topics[0].partitions[0].offset
}

#[test]
fn the_first_request_for_a_coordinator_makes_the_topic_with_kafkas_settings() {
    let broker = Broker::start();
    let peer = &Peer::connect(broker.port);
    let id = uuid_to_text(Uuid::from_u128(1));
    assert_eq!(find(peer, 5, &format!("g:{id}:0")).0, INVALID_REQUEST);
    for key in ["g", "g:0", "g:x:0", &format!(":{id}:0"), &format!("g:{id}:x")] {
        assert_eq!(find(peer, 6, key).0, INVALID_REQUEST, "{key}");
    }
    let topics = call(peer, 12, &MetadataRequest::default().with_topics(None)).topics;
    assert!(topics.is_empty(), "nothing is made for who asks wrongly");
    let here = (0, i32::from(broker.port));
    assert_eq!(find(peer, 6, &format!("g:with:colons:{id}:0")), here);

    let topic = MetadataRequestTopic::default().with_name(Some(name(TOPIC)));
    let answer = call(peer, 12, &MetadataRequest::default().with_topics(Some(vec![topic])));
    assert_eq!((answer.topics[0].partitions.len(), answer.topics[0].is_internal), (50, true));
    let resource =
        DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(TOPIC));
    let resource = resource.with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let configs = call(peer, 4, &request).results.remove(0).configs;
    let mut set: Vec<(String, String)> = configs
        .into_iter()
        .filter(|config| config.config_source == 1)
        .map(|config| (config.name.to_string(), config.value.unwrap().to_string()))
        .collect();
    set.sort();
    let expected = [
        ("cleanup.policy", "delete"),
        ("compression.type", "producer"),
        ("min.insync.replicas", "2"),
        ("retention.ms", "-1"),
        ("segment.bytes", "104857600"),
    ];
    assert_eq!(set, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn states_outlive_a_crash_and_old_epochs_are_fenced() {
    let mut broker = Broker::start();
    let group = Group::new(&broker);
    assert_eq!(group.summary(0), (0, 0, 0, -1, -1));
    assert_eq!(group.read(0, 1).0, INVALID_REQUEST);
    assert_eq!(group.write(1, (1, 1), 0, (0, 0)), INVALID_REQUEST);
    assert_eq!(group.initialize(0, 3, -1), 0);
    assert_eq!(group.initialize(1, 3, 100), 0);
    assert_eq!(group.initialize(2, 3, 0), UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(group.initialize(0, 2, 0), FENCED_STATE_EPOCH);
    assert_eq!(group.read(0, 5), (0, 3, -1, vec![]));
    assert_eq!(group.write(1, (3, 5), 10, (12, 14)), 0);
    assert_eq!(group.write(0, (3, 5), 10, (15, 16)), 0);
    assert_eq!(group.write(1, (3, 4), 50, (50, 50)), FENCED_LEADER_EPOCH);
    assert_eq!(group.write(1, (2, 5), 50, (50, 50)), FENCED_STATE_EPOCH);
    assert_eq!(group.write(1, (3, 5), 50, (60, 59)), INVALID_REQUEST);

    broker.kill();
    broker.launch();
    let group = group.again(&broker);
    assert_eq!(group.read(0, 4).0, FENCED_LEADER_EPOCH);
    assert_eq!(group.read(0, 5), (0, 3, 10, vec![(12, 16, 2, 1)]));
    assert_eq!(group.summary(0), (0, 3, 5, 10, 3));
    assert_eq!(group.summary_of(0, 0), (0, 3, 5, 10, -1), "the old version has no count");
    assert_eq!(group.summary(1), (0, 3, 0, 100, 0));
    assert_eq!(group.delete(0), 0);
    assert_eq!(group.delete(0), 0);
    assert_eq!(group.delete(2), UNKNOWN_TOPIC_OR_PARTITION);

    broker.kill();
    broker.launch();
    let group = group.again(&broker);
    assert_eq!(group.summary(0), (0, 0, 0, -1, -1));
    assert_eq!(group.read(1, 0), (0, 3, 100, vec![]));
}

#[test]
fn a_request_that_lacks_something_gets_an_empty_answer() {
    let broker = Broker::start();
    let group = Group::new(&broker);
    let whole = read::ReadStateData::default()
        .with_topic_id(group.topic_id)
        .with_partitions(vec![read::PartitionData::default(); 3]);
    let request = |name, topics: &[&read::ReadStateData]| {
        let topics = topics.iter().map(|topic| (*topic).clone()).collect();
        ReadShareGroupStateRequest::default().with_group_id(text(name)).with_topics(topics)
    };
    let results = |request: ReadShareGroupStateRequest| call(&group.peer, 0, &request).results;
    assert_eq!(results(request("", &[&whole])), []);
    assert_eq!(results(request("g", &[])), []);
    let empty = read::ReadStateData::default();
    assert_eq!(results(request("g", &[&whole, &empty])), []);
    let told = results(request("g", &[&whole, &whole]));
    assert_eq!((told.len(), told[0].partitions.len()), (1, 1), "each once");
}

#[test]
fn records_that_nobody_needs_are_deleted() {
    let interval = "share.coordinator.cold.partition.snapshot.interval.ms";
    let mut broker = Broker::start_with(&[
        ("share.coordinator.state.topic.num.partitions", "1"),
        ("share.coordinator.snapshot.update.records.per.snapshot", "4"),
        ("share.coordinator.state.topic.prune.interval.ms", "100"),
        (interval, "100"),
    ]);
    let group = Group::new(&broker);
    assert_eq!((group.initialize(0, 0, 0), group.initialize(1, 0, 7)), (0, 0));
    for at in 1..=30 {
        assert_eq!(group.write(1, (0, 0), at, (at + 2, at + 2)), 0);
    }
    // The idle partition's first record is in the way until its state is written again.
    wait_for("only the last snapshots", || offset(&group.peer, -2) > 30);
    broker.kill();
    broker.launch();
    // Where the log starts was not kept yet; the old records change nothing and are deleted again.
    let group = group.again(&broker);
    assert_eq!(group.read(0, 0), (0, 0, 30, vec![(30, 32, 2, 1)]));
    assert_eq!(group.read(1, 0), (0, 0, 7, vec![]));
    wait_for("only the last snapshots", || offset(&group.peer, -2) > 30);
}

#[test]
fn a_deleted_topic_takes_its_states_along() {
    let settings = [("share.coordinator.state.topic.num.partitions", "1")];
    let broker = Broker::start_with(&settings);
    let group = Group::new(&broker);
    assert_eq!((group.initialize(0, 0, 0), group.initialize(1, 0, 0)), (0, 0));
    assert_eq!(offset(&group.peer, -1), 2);
    let topic = DeleteTopicState::default().with_name(Some(name("t")));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(&group.peer, 6, &request).responses[0].error_code, 0);
    wait_for("two tombstones", || offset(&group.peer, -1) == 4);
    assert_eq!(group.read(0, 0).0, INVALID_REQUEST);
    assert_eq!(group.summary(0).0, UNKNOWN_TOPIC_OR_PARTITION);
}
