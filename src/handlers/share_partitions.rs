//! What the requests about states of share partitions (83 to 87) have in common: they name a group,
//! topics by id, and partitions.

use crate::codec::messages::StrBytes;
use crate::coordinator::share::SharePartitionKey;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use uuid::Uuid;

/// Does what is asked of each partition, one after the other, and returns the answers by topic. A
/// partition that is named twice gets its last answer. If the request lacks something, nothing is
/// done, as in Kafka.
pub(super) async fn answer_each<P, A, F: Future<Output = A>>(
    group: &str,
    topics: impl Iterator<Item = (Uuid, Vec<P>)>,
    index: impl Fn(&P) -> i32,
    answer: impl Fn(SharePartitionKey, P) -> F,
) -> Vec<(Uuid, Vec<A>)> {
    let topics: Vec<(Uuid, Vec<P>)> = topics.collect();
    if group.is_empty() || topics.iter().any(|(_, partitions)| partitions.is_empty()) {
        return Vec::new();
    }
    let group: Arc<str> = group.into();
    let mut answers: BTreeMap<Uuid, BTreeMap<i32, A>> = BTreeMap::new();
    for (topic_id, partitions) in topics {
        for asked in partitions {
            let partition = index(&asked);
            let key = SharePartitionKey { group: group.clone(), topic_id, partition };
            let answer = answer(key, asked).await;
            answers.entry(topic_id).or_default().insert(partition, answer);
        }
    }
    let answers = answers.into_iter();
    answers.map(|(topic_id, answers)| (topic_id, answers.into_values().collect())).collect()
}

/// The code and the message of an error.
pub(super) fn failure(error: &Error) -> (i16, Option<StrBytes>) {
    (error.code().code(), error.message().map(StrBytes::from_string))
}

/// The code and the message that say how it went.
pub(super) fn status(result: &Result<()>) -> (i16, Option<StrBytes>) {
    result.as_ref().err().map_or((0, None), failure)
}
