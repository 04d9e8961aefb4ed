//! What has to hold, whatever happens: the committed records of each partition, who has written in
//! which epoch, and what was acknowledged.

use super::broker::Alive;
use crate::record::Batch;
use crate::replica::partition::Partition;
use crate::types::{BrokerId, Isolation, LeaderEpoch, Offset, TopicIdPartition};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

/// A batch below the high watermark.
#[derive(Debug, PartialEq, Eq)]
struct Committed {
    base: Offset,
    next: Offset,
    epoch: LeaderEpoch,
    /// A hash of the records as the producer sent them.
    body: u64,
    /// A hash of all its bytes.
    bytes: u64,
}

/// The history of a partition, as far as anybody may rely on it.
#[derive(Debug, Default)]
struct History {
    committed: Vec<Committed>,
    /// The broker that has written in an epoch, and in which of its lives.
    writers: BTreeMap<LeaderEpoch, (BrokerId, u32)>,
    /// The last epoch and end of the log that a reader was told by a leader.
    told: (LeaderEpoch, Offset),
}

/// How far a log was compared, and what it said then.
#[derive(Debug)]
pub struct Mark {
    partition: Weak<Partition>,
    compared: Offset,
    /// The epoch in which this broker led, and its high watermark.
    led: Option<(LeaderEpoch, Offset)>,
    epoch: LeaderEpoch,
}

/// The histories of all partitions.
#[derive(Debug, Default)]
pub struct Truth {
    histories: BTreeMap<TopicIdPartition, History>,
    /// How many batches were acknowledged.
    pub acknowledged: usize,
    /// Only what is on disk counts as committed (`flush.messages=1`, while everybody may lose power
    /// at once). As in Kafka, readers may see it before.
    pub is_durable: bool,
}

/// A hash of what a producer sends.
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Truth {
    /// Compares all logs of a broker with what is committed, as far as they have moved.
    pub fn check(&mut self, id: BrokerId, alive: &mut Alive) {
        let partitions = alive.replicas.all();
        alive
            .marks
            .retain(|id, mark| partitions.iter().any(|one| one.id() == *id && mark.is_of(one)));
        for partition in partitions {
            let Ok(offsets) = partition.offsets() else { continue };
            let mark = alive.marks.entry(partition.id()).or_insert_with(|| Mark {
                partition: Arc::downgrade(&partition),
                compared: offsets.log_start,
                led: None,
                epoch: -1,
            });
            let name = || format!("{} on broker {id}", partition.topic_partition());
            let (leader, epoch) = partition.leader();
            // What a power loss took is copied again once there is a leader, with all that follows.
            let has_lost = partition.log().is_ok_and(|log| log.lost_from().is_some());
            if has_lost && leader != Some(id) {
                continue;
            }
            assert!(epoch >= mark.epoch, "{}: epoch {epoch} after {}", name(), mark.epoch);
            mark.epoch = epoch;
            let high_watermark = self.committed_end(&partition, offsets.high_watermark);
            if let Some((led, before)) = mark.led.filter(|(led, _)| *led == epoch) {
                let went_back = high_watermark < before;
                assert!(!went_back, "{}: {high_watermark} < {before} in epoch {led}", name());
            }
            mark.led = (leader == Some(id)).then_some((epoch, high_watermark));
            assert!(
                offsets.log_end >= mark.compared,
                "{} was cut at {}: {} is committed",
                name(),
                offsets.log_end,
                mark.compared
            );
            if high_watermark > mark.compared {
                let history = self.histories.entry(partition.id()).or_default();
                history.compare(&partition, mark.compared, high_watermark, &name);
                mark.compared = high_watermark;
            }
        }
    }

    /// How much below a high watermark counts as committed.
    pub fn committed_end(&self, partition: &Partition, high_watermark: Offset) -> Offset {
        match partition.log() {
            Ok(log) if self.is_durable => high_watermark.min(log.recovery_point()),
            _ => high_watermark,
        }
    }

    /// A leader has appended a client's batch.
    pub fn took_write(&mut self, partition: &Partition, id: BrokerId, life: u32) {
        let history = self.histories.entry(partition.id()).or_default();
        let epoch = partition.leader_epoch();
        let writer = *history.writers.entry(epoch).or_insert((id, life));
        assert_eq!(writer, (id, life), "two leaders in epoch {epoch} of {:?}", partition.id());
    }

    /// A batch was acknowledged: it is committed, under this offset.
    pub fn acknowledge(&mut self, id: TopicIdPartition, base: Offset, body: u64) {
        let history = self.histories.entry(id).or_default();
        let found = history.committed.binary_search_by_key(&base, |batch| batch.base);
        let found = found.ok().map(|index| &history.committed[index]);
        assert!(
            found.is_some_and(|batch| batch.body == body),
            "{id:?}: acknowledged at {base}, where there is {found:?}"
        );
        self.acknowledged += 1;
    }

    /// A reader was told by a leader that the records end at `end`, of which those below `committed`
    /// count. It does not listen to leaders of past epochs.
    pub fn told(
        &mut self,
        id: TopicIdPartition,
        epoch: LeaderEpoch,
        end: Offset,
        committed: Offset,
    ) {
        let history = self.histories.entry(id).or_default();
        let (last_epoch, last_end) = history.told;
        if epoch >= last_epoch {
            assert!(end >= last_end, "{id:?}: ends at {end} in {epoch}, before at {last_end}");
            history.told = (epoch, committed.max(last_end));
        }
    }

    /// Where the committed records of a partition end.
    pub fn end(&self, id: TopicIdPartition) -> Offset {
        let last = self.histories.get(&id).and_then(|history| history.committed.last());
        last.map_or(0, |batch| batch.next)
    }

    /// No two committed batches are the same, because each was sent by an idempotent producer or
    /// once.
    pub fn check_once(&self) {
        for (id, history) in &self.histories {
            let mut seen = BTreeMap::new();
            for batch in &history.committed {
                let twice = seen.insert(batch.body, batch.base);
                assert_eq!(twice, None, "{id:?}: {batch:?} is there twice");
            }
        }
    }
}

impl Mark {
    fn is_of(&self, partition: &Arc<Partition>) -> bool {
        self.partition.ptr_eq(&Arc::downgrade(partition))
    }
}

impl History {
    /// Compares a log with what is committed, or adds to it.
    fn compare(
        &mut self,
        partition: &Partition,
        from: Offset,
        to: Offset,
        name: &dyn Fn() -> String,
    ) {
        let mut at = None;
        for batch in batches(partition, from, to) {
            let is_next = at.is_none_or(|at| at == batch.base_offset());
            assert!(is_next, "{}: {at:?} is followed by {}", name(), batch.base_offset());
            at = Some(batch.next_offset());
            let bytes = hash_of(&batch.to_bytes());
            let (base, next) = (batch.base_offset(), batch.next_offset());
            let (epoch, body) = (batch.leader_epoch(), hash_of(batch.body()));
            let here = Committed { base, next, epoch, body, bytes };
            let found = self.committed.binary_search_by_key(&base, |batch| batch.base);
            match found {
                Ok(index) => {
                    assert_eq!(here, self.committed[index], "{} has another batch", name());
                }
                Err(_) => {
                    let (end, last_epoch) =
                        self.committed.last().map_or((0, 0), |last| (last.next, last.epoch));
                    assert_eq!(base, end, "{} has batches of its own", name());
                    assert!(epoch >= last_epoch, "{}: epochs go back at {base}", name());
                    self.committed.push(here);
                }
            }
        }
    }
}

/// The batches between two offsets of a log.
fn batches(partition: &Partition, from: Offset, to: Offset) -> Vec<Batch> {
    let (mut batches, mut at) = (Vec::new(), from);
    while at < to {
        let (read, _) = partition.read(at, 1 << 20, Isolation::LogEnd, true).unwrap();
        let mut bytes = BytesMut::new();
        read.ranges.iter().for_each(|range| bytes.extend_from_slice(&range.read().unwrap()));
        let mut bytes = bytes.freeze();
        assert!(!bytes.is_empty(), "nothing can be read at {at}, below {to}");
        at = take_below(&mut bytes, to, &mut batches).max(at + 1);
    }
    batches
}

fn take_below(bytes: &mut Bytes, to: Offset, batches: &mut Vec<Batch>) -> Offset {
    let mut next = 0;
    while Batch::next_size(bytes).unwrap().is_some() {
        let batch = Batch::split_from(bytes).unwrap();
        next = batch.next_offset();
        if batch.base_offset() < to {
            assert!(batch.checksum_holds(), "a wrong checksum at {}", batch.base_offset());
            batches.push(batch);
        }
    }
    next
}
