//! Reports from brokers about their replicas: AlterPartition (KIP-497) and AssignReplicasToDirs
//! (KIP-858).

use super::view::{ControllerResult, View};
use crate::codec::messages::BrokerId as WireBrokerId;
use crate::codec::messages::alter_partition_request::{AlterPartitionRequest, PartitionData};
use crate::codec::messages::alter_partition_response::{
    AlterPartitionResponse, PartitionData as Altered, TopicData as AlteredTopic,
};
use crate::codec::messages::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest;
use crate::codec::messages::assign_replicas_to_dirs_response::{
    AssignReplicasToDirsResponse, DirectoryData, PartitionData as Assigned,
    TopicData as AssignedTopic,
};
use crate::error::Result;
use crate::metadata::Broker;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{Partition, RECOVERING, Topic};
use crate::types::BrokerId;
use kafka_protocol::ResponseError;
use uuid::Uuid;

impl View<'_> {
    /// Changes ISRs at their leader's request; each partition succeeds or fails on its own.
    pub fn alter_partition(
        self,
        request: &AlterPartitionRequest,
        version: i16,
    ) -> Result<ControllerResult<AlterPartitionResponse>> {
        let leader = self.check_broker_epoch(request.broker_id.0, request.broker_epoch)?;
        let (mut records, mut topics) = (Vec::new(), Vec::new());
        for asked in &request.topics {
            let topic = self.image.topics.by_id(asked.topic_id);
            let altered = asked.partitions.iter().map(|partition| {
                let altered = topic
                    .ok_or(ResponseError::UnknownTopicId)
                    .and_then(|topic| self.alter_isr(leader, topic, partition, version));
                let (altered, record) = altered
                    .unwrap_or_else(|code| (Altered::default().with_error_code(code.code()), None));
                records.extend(record);
                altered.with_partition_index(partition.partition_index)
            });
            let altered = altered.collect();
            topics.push(
                AlteredTopic::default().with_topic_id(asked.topic_id).with_partitions(altered),
            );
        }
        let response = AlterPartitionResponse::default().with_topics(topics);
        Ok(ControllerResult { records, response })
    }

    fn alter_isr(
        self,
        leader: &Broker,
        topic: &Topic,
        asked: &PartitionData,
        version: i16,
    ) -> Result<(Altered, Option<MetadataRecord>), ResponseError> {
        let index = asked.partition_index;
        let partition = self.image.topics.partition(topic.id, index);
        let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
        let isr: Vec<(BrokerId, i64)> = if version >= 3 {
            asked.new_isr_with_epochs.iter().map(|s| (s.broker_id.0, s.broker_epoch)).collect()
        } else {
            asked.new_isr.iter().map(|id| (id.0, -1)).collect()
        };
        self.check_isr(leader, partition, asked, &isr)?;
        let may_lead = |id| self.is_active(id);
        let ids = isr.into_iter().map(|(id, _)| id).collect();
        let record = self.change_partition(topic, index, partition, &may_lead, |change| {
            change.isr(ids).recovery_state(asked.leader_recovery_state)
        });
        let Some(MetadataRecord::PartitionChange(change)) = record else {
            return Ok((altered(partition), None));
        };
        let next = partition.merge(&change);
        let elected_another = next.leader != leader.id;
        let response = if elected_another {
            Altered::default().with_error_code(ResponseError::NewLeaderElected.code())
        } else {
            altered(&next)
        };
        Ok((response, Some(MetadataRecord::PartitionChange(change))))
    }

    /// Checks a leader's request (ReplicationControlManager.validateAlterPartitionData).
    fn check_isr(
        self,
        leader: &Broker,
        partition: &Partition,
        asked: &PartitionData,
        isr: &[(BrokerId, i64)],
    ) -> Result<(), ResponseError> {
        // If the leader knows later epochs than we do, it is asking the wrong controller.
        if asked.leader_epoch > partition.leader_epoch
            || asked.partition_epoch > partition.partition_epoch
        {
            return Err(ResponseError::NotController);
        }
        if asked.leader_epoch < partition.leader_epoch {
            return Err(ResponseError::FencedLeaderEpoch);
        }
        if leader.id != partition.leader {
            return Err(ResponseError::InvalidRequest);
        }
        if asked.partition_epoch < partition.partition_epoch {
            return Err(ResponseError::InvalidUpdateVersion);
        }
        let distinct = |index: usize| isr[..index].iter().all(|(id, _)| *id != isr[index].0);
        let held = isr.iter().all(|(id, _)| partition.replicas.contains(id));
        let leads = isr.iter().any(|(id, _)| *id == partition.leader);
        let recovering = asked.leader_recovery_state == RECOVERING;
        let was_recovering = partition.leader_recovery_state == RECOVERING;
        if isr.is_empty()
            || !(0..isr.len()).all(distinct)
            || !held
            || !leads
            || (recovering && (isr.len() > 1 || !was_recovering))
        {
            return Err(ResponseError::InvalidRequest);
        }
        let eligible = |&(id, epoch): &(BrokerId, i64)| {
            self.broker(id)
                .is_some_and(|broker| broker.is_active() && (epoch == -1 || epoch == broker.epoch))
        };
        if isr.iter().all(eligible) { Ok(()) } else { Err(ResponseError::IneligibleReplica) }
    }

    /// Records in which log directories a broker has placed its replicas.
    pub fn assign_replicas(
        self,
        request: &AssignReplicasToDirsRequest,
    ) -> Result<ControllerResult<AssignReplicasToDirsResponse>> {
        let broker = self.check_broker_epoch(request.broker_id.0, request.broker_epoch)?;
        let mut records = Vec::new();
        let mut directories = Vec::new();
        for asked in &request.directories {
            let topics = asked.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    let index = partition.partition_index;
                    let assigned = self.assign_replica(broker, topic.topic_id, index, asked.id);
                    let code = assigned.as_ref().map_or_else(ResponseError::code, |_| 0);
                    records.extend(assigned.ok().flatten());
                    Assigned::default().with_partition_index(index).with_error_code(code)
                });
                let partitions = partitions.collect();
                AssignedTopic::default().with_topic_id(topic.topic_id).with_partitions(partitions)
            });
            let topics = topics.collect();
            directories.push(DirectoryData::default().with_id(asked.id).with_topics(topics));
        }
        let response = AssignReplicasToDirsResponse::default().with_directories(directories);
        Ok(ControllerResult { records, response })
    }

    fn assign_replica(
        self,
        broker: &Broker,
        topic_id: Uuid,
        index: i32,
        directory: Uuid,
    ) -> Result<Option<MetadataRecord>, ResponseError> {
        let topic = self.image.topics.by_id(topic_id).ok_or(ResponseError::UnknownTopicId)?;
        let partition = self.image.topics.partition(topic_id, index);
        let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
        if !partition.replicas.contains(&broker.id) {
            return Err(ResponseError::NotLeaderOrFollower);
        }
        let may_lead = |id| self.is_active(id);
        Ok(self.change_partition(topic, index, partition, &may_lead, |change| {
            change
                .election(super::partition_change::Election::Online)
                .directory(broker.id, directory)
        }))
    }
}

fn altered(partition: &Partition) -> Altered {
    Altered::default()
        .with_leader_id(WireBrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_isr(partition.isr.iter().map(|&id| WireBrokerId(id)).collect())
        .with_leader_recovery_state(partition.leader_recovery_state)
        .with_partition_epoch(partition.partition_epoch)
}
