//! What the requests about states of share partitions (83 to 87) have in common: they name a group,
//! topics by id, and partitions.

use crate::codec::messages::StrBytes;
use crate::coordinator::share::SharePartitionKey;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use uuid::Uuid;

/// Does what is asked of each partition, one after the other, and returns the answers by topic. If a
/// partition is named again, `join` adds that to what was asked before. If the request lacks
/// something, nothing is done, as in Kafka.
pub(super) async fn answer_each<P, A, F: Future<Output = A>>(
    group: &str,
    topics: impl Iterator<Item = (Uuid, Vec<(i32, P)>)>,
    join: impl Fn(&mut P, P),
    answer: impl Fn(SharePartitionKey, P) -> F,
) -> Vec<(Uuid, Vec<A>)> {
    let mut asked: BTreeMap<Uuid, BTreeMap<i32, P>> = BTreeMap::new();
    for (topic_id, partitions) in topics {
        if group.is_empty() || partitions.is_empty() {
            return Vec::new();
        }
        let known = asked.entry(topic_id).or_default();
        for (partition, this) in partitions {
            match known.entry(partition) {
                Entry::Occupied(mut earlier) => join(earlier.get_mut(), this),
                Entry::Vacant(first) => drop(first.insert(this)),
            }
        }
    }
    let of_group = SharePartitionKey::new(group, Uuid::nil(), 0);
    let mut all = Vec::with_capacity(asked.len());
    for (topic_id, partitions) in asked {
        let mut answers = Vec::with_capacity(partitions.len());
        for (partition, this) in partitions {
            answers.push(answer(of_group.with_partition(topic_id, partition), this).await);
        }
        all.push((topic_id, answers));
    }
    all
}

/// What is asked last counts.
pub(super) fn last<P>(earlier: &mut P, later: P) {
    *earlier = later;
}

/// The code and the message of an error.
pub(super) fn failure(error: &Error) -> (i16, Option<StrBytes>) {
    (error.code().code(), error.message().map(StrBytes::from_string))
}

/// The code and the message that say how it went.
pub(super) fn status(result: &Result<()>) -> (i16, Option<StrBytes>) {
    result.as_ref().err().map_or((0, None), failure)
}
