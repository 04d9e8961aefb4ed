//! Committed offsets, and those that belong to open transactions.

use super::GroupId;
use crate::codec::schema::group::OffsetCommitValue;
use crate::types::{LeaderEpoch, Offset, ProducerId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// A committed offset (OffsetAndMetadata).
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// The offset of its record in `__consumer_offsets`.
    pub record_offset: Offset,
    /// The next offset to consume.
    pub offset: Offset,
    /// The leader epoch of the last consumed record; -1 if the consumer did not say.
    pub leader_epoch: LeaderEpoch,
    /// A text that the consumer wants to keep with it.
    pub metadata: String,
    /// When it was committed.
    pub commit_timestamp: Timestamp,
    /// When it expires, if the consumer said so (OffsetCommit up to version 4).
    pub expire_timestamp: Option<Timestamp>,
    /// The topic's id; nil if the record is an old one.
    pub topic_id: Uuid,
}

impl Committed {
    /// The offset in the record at `record_offset`.
    pub fn from_record(record_offset: Offset, value: &OffsetCommitValue) -> Committed {
        Committed {
            record_offset,
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.clone(),
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
            topic_id: value.topic_id,
        }
    }
}

/// Offsets by topic and partition.
pub type TopicOffsets = BTreeMap<Arc<str>, BTreeMap<i32, Committed>>;

/// A partition, for a group.
pub type Key = (GroupId, Arc<str>, i32);

/// All offsets of a shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offsets {
    committed: HashMap<GroupId, TopicOffsets>,
    /// Offsets committed in transactions that are still open.
    pending: HashMap<ProducerId, BTreeMap<Key, Committed>>,
    /// The open transactions that hold an offset of a partition.
    open: BTreeMap<Key, BTreeSet<ProducerId>>,
}

impl Offsets {
    /// The offsets of a group.
    pub fn of(&self, group: &str) -> Option<&TopicOffsets> {
        self.committed.get(group)
    }

    /// The groups that have offsets.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupId, &TopicOffsets)> {
        self.committed.iter()
    }

    /// The offset of a partition.
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.committed.get(group)?.get(topic)?.get(&partition)
    }

    /// Whether an open transaction may still change the offset of a partition.
    pub fn is_pending(&self, group: &GroupId, topic: &Arc<str>, partition: i32) -> bool {
        self.open.contains_key(&(group.clone(), topic.clone(), partition))
    }

    /// The partitions of `group` for which open transactions hold offsets.
    pub fn pending_of<'a>(
        &'a self,
        group: &'a GroupId,
    ) -> impl Iterator<Item = (&'a Arc<str>, i32)> + 'a {
        let first = (group.clone(), Arc::from(""), i32::MIN);
        let keys = self.open.range(first..).map(|(key, _)| key);
        keys.take_while(move |key| key.0 == *group).map(|key| (&key.1, key.2))
    }

    /// The offsets that open transactions hold.
    pub fn pending(&self) -> impl Iterator<Item = (&Key, &Committed)> {
        self.pending.values().flatten()
    }

    /// Sets an offset.
    pub fn put(&mut self, group: GroupId, topic: Arc<str>, partition: i32, committed: Committed) {
        let topics = self.committed.entry(group).or_default();
        topics.entry(topic).or_default().insert(partition, committed);
    }

    /// Sets an offset that takes effect when the transaction of `producer` commits.
    pub fn put_pending(&mut self, producer: ProducerId, key: Key, committed: Committed) {
        self.open.entry(key.clone()).or_default().insert(producer);
        self.pending.entry(producer).or_default().insert(key, committed);
    }

    /// Removes an offset, including those that open transactions hold.
    pub fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        if let Some(topics) = self.committed.get_mut(group) {
            if let Some(partitions) = topics.get_mut(topic) {
                partitions.remove(&partition);
                if partitions.is_empty() {
                    topics.remove(topic);
                }
            }
            if topics.is_empty() {
                self.committed.remove(group);
            }
        }
        let key = (GroupId::from(group), Arc::from(topic), partition);
        for producer in self.open.remove(&key).unwrap_or_default() {
            if let Some(offsets) = self.pending.get_mut(&producer) {
                offsets.remove(&key);
            }
        }
    }

    /// Ends the transaction of `producer`.
    pub fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        for (key, offset) in self.pending.remove(&producer).unwrap_or_default() {
            if let Some(producers) = self.open.get_mut(&key) {
                producers.remove(&producer);
                if producers.is_empty() {
                    self.open.remove(&key);
                }
            }
            // A commit outside of the transaction may have come after this one.
            let (group, topic, partition) = key;
            let newest = self.get(&group, &topic, partition).map_or(-1, |c| c.record_offset);
            if committed && offset.record_offset > newest {
                self.put(group, topic, partition, offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(record_offset: Offset, offset: Offset) -> Committed {
        let value = OffsetCommitValue { offset, ..OffsetCommitValue::default() };
        Committed::from_record(record_offset, &value)
    }

    #[test]
    fn a_transaction_shows_when_it_commits_and_the_later_commit_wins() {
        let key = |topic: &str| (GroupId::from("g"), Arc::from(topic), 0);
        let mut offsets = Offsets::default();
        offsets.put("g".into(), "plain".into(), 0, at(1, 10));
        offsets.put_pending(7, key("plain"), at(2, 20));
        offsets.put_pending(7, key("other"), at(3, 30));
        offsets.put_pending(8, key("other"), at(4, 40));
        offsets.put("g".into(), "other".into(), 0, at(5, 50));
        assert_eq!(offsets.pending_of(&"g".into()).count(), 2);
        assert_eq!(offsets.get("g", "plain", 0).unwrap().offset, 10);

        offsets.end_transaction(7, true);
        assert_eq!(offsets.get("g", "plain", 0).unwrap().offset, 20);
        assert_eq!(offsets.get("g", "other", 0).unwrap().offset, 50);
        assert!(offsets.is_pending(&"g".into(), &"other".into(), 0), "8 is still open");

        offsets.end_transaction(8, false);
        assert_eq!(offsets.pending_of(&"g".into()).count(), 0);
    }

    #[test]
    fn a_tombstone_takes_what_is_pending_with_it() {
        let mut offsets = Offsets::default();
        offsets.put("g".into(), "t".into(), 0, at(1, 10));
        offsets.put_pending(7, ("g".into(), "t".into(), 0), at(2, 20));
        offsets.remove("g", "t", 0);
        offsets.end_transaction(7, true);
        assert_eq!(offsets, Offsets::default());
    }
}
