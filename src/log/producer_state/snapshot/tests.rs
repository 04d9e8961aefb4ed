//! Kafka's order of producers in a snapshot.
#![allow(clippy::unwrap_used)]

use super::*;

fn order(ids: impl IntoIterator<Item = ProducerId>) -> Vec<ProducerId> {
    let entries = ids.into_iter().map(|id| (id, ProducerEntry::default())).collect();
    decode(&encode(&entries)).unwrap().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn producers_lie_in_the_order_of_javas_hash_map() {
    assert_eq!(order([1003, 5, 2016, 17, 1]), [2016, 1, 17, 5, 1003], "16 buckets");
    let many: Vec<ProducerId> = (0..12).map(|n| 3 * n).chain([16 + 32]).collect();
    assert_eq!(order(many), [0, 33, 3, 6, 9, 12, 15, 48, 18, 21, 24, 27, 30], "32 buckets");
    let high = 1 << 32;
    assert_eq!(order([high, 3 * high, 0, 2]), [0, high, 2, 3 * high], "both halves count");
}
