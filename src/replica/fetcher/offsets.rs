//! What a fetcher does when the leader does not have the offset that it asked for: it asks where
//! the leader's log ends and begins (fetchOffsetAndTruncate).

use super::copying::{Fetcher, Phase};
use crate::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::codec::messages::{ListOffsetsRequest, ListOffsetsResponse, StrBytes, TopicName};
use crate::types::{Offset, TopicIdPartition};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// Asks for the end of the leader's log.
const LATEST: i64 = -1;
/// Asks for its start.
const EARLIEST: i64 = -2;

impl Fetcher {
    /// The question about the partitions that are astray; None if there are none. The ends come
    /// first, as only those that end behind ours need the start, too.
    pub(super) fn ask_offsets(&self) -> Option<ListOffsetsRequest> {
        let phase = self.phase_to_ask()?;
        let timestamp = if phase == Phase::Latest { LATEST } else { EARLIEST };
        let mut topics: BTreeMap<Arc<str>, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for copied in self.astray.iter().filter_map(|id| self.partitions.get(id)) {
            if copied.phase == phase {
                let asked = ListOffsetsPartition::default()
                    .with_partition_index(copied.partition.index())
                    .with_current_leader_epoch(copied.epoch)
                    .with_timestamp(timestamp);
                topics.entry(Arc::clone(copied.partition.topic())).or_default().push(asked);
            }
        }
        let named = |(name, partitions): (Arc<str>, _)| {
            let name = TopicName(StrBytes::from_string(name.to_string()));
            ListOffsetsTopic::default().with_name(name).with_partitions(partitions)
        };
        let request = ListOffsetsRequest::default()
            .with_replica_id(self.node_id().into())
            .with_topics(topics.into_iter().map(named).collect());
        Some(request)
    }

    fn phase_to_ask(&self) -> Option<Phase> {
        let mut phases = self.astray.iter().filter_map(|id| Some(self.partitions.get(id)?.phase));
        let first = phases.next()?;
        Some(if phases.any(|phase| phase == Phase::Latest) { Phase::Latest } else { first })
    }

    /// Takes in the answer to `ask_offsets`.
    pub(super) fn told_offsets(&mut self, response: ListOffsetsResponse, now: Instant) {
        self.was_answered();
        let Some(phase) = self.phase_to_ask() else { return };
        let mut told = HashMap::new();
        for topic in &response.topics {
            for partition in &topic.partitions {
                let error = ResponseError::try_from_code(partition.error_code);
                let offset = error.map_or(Ok(partition.offset), Err);
                told.insert((topic.name.as_str(), partition.partition_index), offset);
            }
        }
        let astray: Vec<TopicIdPartition> = self.astray.iter().copied().collect();
        for id in astray {
            let Some(copied) = self.partitions.get(&id).filter(|copied| copied.phase == phase)
            else {
                continue;
            };
            let name = (&**copied.partition.topic(), copied.partition.index());
            match told.get(&name).copied() {
                Some(Ok(offset)) => self.told_offset(id, offset, now),
                Some(Err(error)) => {
                    self.return_to_fetching(id);
                    self.refused(id, error, now);
                }
                None => {
                    self.return_to_fetching(id);
                    self.delay(id, now);
                }
            }
        }
    }

    fn told_offset(&mut self, id: TopicIdPartition, leaders: Offset, now: Instant) {
        let Some(copied) = self.partitions.get_mut(&id) else { return };
        let (partition, epoch) = (Arc::clone(&copied.partition), copied.epoch);
        let Ok(ours) = partition.position() else {
            self.return_to_fetching(id);
            return;
        };
        if copied.phase == Phase::Latest && leaders >= ours.offset {
            copied.phase = Phase::Earliest;
            return;
        }
        let done = match copied.phase {
            Phase::Latest => partition.truncate_to_end(epoch, leaders),
            _ if leaders > ours.offset => partition.restart_at(epoch, leaders),
            // Our end is in the leader's log after all, so the next fetch may succeed.
            _ => {
                self.return_to_fetching(id);
                self.delay(id, now);
                return;
            }
        };
        self.return_to_fetching(id);
        self.done(id, ours, done, now);
    }

    fn return_to_fetching(&mut self, id: TopicIdPartition) {
        self.astray.remove(&id);
        self.changed.insert(id);
        if let Some(copied) = self.partitions.get_mut(&id) {
            copied.phase = Phase::Fetching;
        }
    }
}
