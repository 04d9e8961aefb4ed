//! Producers and a reader.

use super::network::CLIENTS;
use super::truth::hash_of;
use super::world::{Event, Request, Waits, World};
use crate::config::Compression;
use crate::record::builder::BatchBuilder;
use crate::replica::partition::OffsetSpec;
use crate::types::{Isolation, NO_EPOCH, NO_PRODUCER_ID, Offset, ProducerId, TopicIdPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;

/// A producer of one partition, which has one batch under way at a time.
pub struct Producer {
    partition: TopicIdPartition,
    /// An idempotent one sends with acks=all, and again until it is acknowledged; the others send
    /// with acks=1 and forget.
    id: Option<ProducerId>,
    sequence: i32,
    /// The batch that is under way, and how many records it has.
    batch: Option<(Bytes, i32)>,
    sent: u64,
}

impl Producer {
    pub fn new(partition: TopicIdPartition, id: Option<ProducerId>) -> Producer {
        Producer { partition, id, sequence: 0, batch: None, sent: 0 }
    }

    /// Whether it waits for nothing.
    pub fn is_done(&self) -> bool {
        self.batch.is_none()
    }
}

impl World {
    /// A producer sends its batch, the next or the same again, to whom it takes for the leader.
    pub fn produce(&mut self, index: usize) {
        let (wall, count) = (self.wall(), self.random.i32(1..4));
        let size = self.random.usize(1..200);
        let producer = &mut self.producers[index];
        if producer.batch.is_none() {
            if self.faults.are_over {
                return;
            }
            let mut builder = BatchBuilder::new(0, Compression::Uncompressed).producer(
                producer.id.unwrap_or(NO_PRODUCER_ID),
                if producer.id.is_some() { 0 } else { -1 },
                if producer.id.is_some() { producer.sequence } else { -1 },
                false,
            );
            for _ in 0..count {
                producer.sent += 1;
                let value = format!("{index}: {:0>size$}", producer.sent);
                builder.append(wall, None, Some(value.as_bytes()), &[]);
            }
            producer.batch = Some((builder.build().to_bytes(), count));
        }
        let Some((records, _)) = producer.batch.clone() else { return };
        let (id, acks) = (producer.partition, if producer.id.is_some() { -1 } else { 1 });
        let known = self.controllers.image().topics.partition(id.topic_id, id.partition);
        let leader = known.map_or(-1, |partition| partition.leader);
        let is_wrong = leader < 1 || self.random.u8(0..10) == 0;
        let to = if is_wrong { self.random.i32(1..=self.profile.brokers) } else { leader };
        let request = Request::Produce { id, records, acks };
        self.ask(CLIENTS, to, Waits::Producer(index), request);
    }

    /// A producer has its answer.
    pub fn produced(&mut self, index: usize, produced: Result<Offset, ResponseError>) {
        tracing::debug!("producer {index}: {produced:?}");
        let producer = &mut self.producers[index];
        if produced.is_ok() || producer.id.is_none() {
            let count = producer.batch.take().map_or(0, |(_, count)| count);
            producer.sequence += count;
        }
        let delay = self.random.i64(5..self.profile.pace);
        self.at(delay, Event::Produce { producer: index });
    }

    /// A reader asks whoever leads where the committed records end.
    pub fn read(&mut self) {
        let id = self.profile.partition(self.random.usize(..));
        let broker = self.random.usize(0..self.brokers.len());
        let now = self.now;
        let broker = &self.brokers[broker];
        let running = broker.alive.as_ref().filter(|one| one.is_running && !broker.is_paused(now));
        if let Some(alive) = running
            && let Ok(partition) = alive.replicas.leader(id, NO_EPOCH)
        {
            let epoch = partition.leader_epoch();
            let end = partition.offset_for(OffsetSpec::Latest, Isolation::HighWatermark, epoch);
            if let Ok(Some(end)) = end {
                let committed = self.truth.committed_end(&partition, end.offset);
                self.truth.told(id, epoch, end.offset, committed);
                self.noted(hash_of(&end.offset.to_be_bytes()));
            }
        }
        if !self.faults.are_over {
            self.at(100, Event::Read);
        }
    }
}
