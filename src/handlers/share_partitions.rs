//! What the requests about states of share partitions (83 to 87) have in common: they name a group,
//! topics by id, and partitions.

use crate::codec::messages::StrBytes;
use crate::coordinator::share::SharePartitionKey;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Answers by topic and partition. A partition that is named twice gets its last answer.
pub(super) type Answers<A> = BTreeMap<Uuid, BTreeMap<i32, A>>;

/// Puts the answers into the response's type for a topic.
pub(super) fn by_topic<A, T>(answers: Answers<A>, topic: impl Fn(Uuid, Vec<A>) -> T) -> Vec<T> {
    let all = answers.into_iter();
    all.map(|(topic_id, answers)| topic(topic_id, answers.into_values().collect())).collect()
}

/// The group of a request whose topics have so many partitions; None if the request lacks something.
/// Kafka answers such a request with an empty response.
pub(super) fn group(id: &str, partitions: impl IntoIterator<Item = usize>) -> Option<Arc<str>> {
    let counts: Vec<usize> = partitions.into_iter().collect();
    let is_complete = !id.is_empty() && !counts.is_empty() && !counts.contains(&0);
    is_complete.then(|| id.into())
}

pub(super) fn key(group: &Arc<str>, topic_id: Uuid, partition: i32) -> SharePartitionKey {
    SharePartitionKey { group: group.clone(), topic_id, partition }
}

/// The code and the message of an error.
pub(super) fn failure(error: &Error) -> (i16, Option<StrBytes>) {
    (error.code().code(), error.message().map(StrBytes::from_string))
}

/// The code and the message that say how it went.
pub(super) fn status(result: &Result<()>) -> (i16, Option<StrBytes>) {
    result.as_ref().err().map_or((0, None), failure)
}
