//! Tells the controller in which log directories the partitions are (AssignmentsManager), and which
//! directories have failed, so that it elects no leaders there, now or after a restart.

use super::Replicas;
use crate::codec::messages::AssignReplicasToDirsRequest;
use crate::codec::messages::assign_replicas_to_dirs_request::{
    DirectoryData, PartitionData, TopicData,
};
use crate::metadata::features;
use crate::sync::lock;
use crate::types::TopicIdPartition;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most partitions in one request (AssignReplicasToDirsRequest.MAX_ASSIGNMENTS_PER_REQUEST).
const MAX_ASSIGNMENTS: usize = 2250;

impl Replicas {
    /// Notes that the partition's log is in `directory`, which the metadata log does not know yet.
    /// There is at most one note for each partition.
    pub(super) fn note_assignment(&self, id: TopicIdPartition, directory: Uuid) {
        lock(&self.unassigned).insert(id, directory);
    }

    /// The next assignments to report; None if there are none. Below the `metadata.version` that has
    /// log directories they wait.
    pub fn next_assignments(
        &self,
        epoch: i64,
        metadata_version: i16,
    ) -> Option<AssignReplicasToDirsRequest> {
        if metadata_version < features::DIRECTORIES {
            return None;
        }
        let mut unassigned = lock(&self.unassigned);
        let next: Vec<_> = unassigned.keys().take(MAX_ASSIGNMENTS).copied().collect();
        if next.is_empty() {
            return None;
        }
        let mut topics: BTreeMap<(Uuid, Uuid), Vec<PartitionData>> = BTreeMap::new();
        for (id, directory) in next.iter().filter_map(|id| unassigned.remove_entry(id)) {
            let partition = PartitionData::default().with_partition_index(id.partition);
            topics.entry((directory, id.topic_id)).or_default().push(partition);
        }
        let mut directories: Vec<DirectoryData> = Vec::new();
        for ((directory, topic_id), partitions) in topics {
            if directories.last().is_none_or(|last| last.id != directory) {
                directories.push(DirectoryData::default().with_id(directory));
            }
            if let Some(last) = directories.last_mut() {
                last.topics
                    .push(TopicData::default().with_topic_id(topic_id).with_partitions(partitions));
            }
        }
        let request = AssignReplicasToDirsRequest::default()
            .with_broker_id(self.config.get().node_id.into())
            .with_broker_epoch(epoch)
            .with_directories(directories);
        Some(request)
    }

    /// Notes again what the controller has not heard, except where something newer is noted.
    pub fn note_again(&self, request: AssignReplicasToDirsRequest) {
        let mut unassigned = lock(&self.unassigned);
        for directory in request.directories {
            for topic in directory.topics {
                for partition in topic.partitions {
                    let partition = partition.partition_index;
                    let id = TopicIdPartition { topic_id: topic.topic_id, partition };
                    unassigned.entry(id).or_insert(directory.id);
                }
            }
        }
    }

    /// Ids of the directories that have failed since the start.
    pub fn failed_directories(&self) -> Vec<Uuid> {
        self.logs.dirs().iter().filter(|dir| dir.is_offline()).filter_map(|dir| dir.id()).collect()
    }
}
