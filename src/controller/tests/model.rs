//! A quorum of controllers, for simulations of brokers: the rules of KRaft's controller, which the
//! embedded one has as well, and the sessions of brokers on other nodes.
//!
//! Every change is committed at once. A controller that fails before it has committed a change, or
//! before its answer arrives, looks to the brokers like a lost request or a lost answer, and those
//! are the network's.

use super::support::config;
use crate::codec::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use crate::codec::messages::{
    AlterPartitionRequest, AlterPartitionResponse, AssignReplicasToDirsRequest,
    BrokerId as WireBrokerId, BrokerRegistrationRequest, ElectLeadersRequest,
};
use crate::config::Config;
use crate::controller::quorum::bootstrap_records;
use crate::controller::view::{ControllerResult, View};
use crate::controller::{BrokerStatus, Heartbeat};
use crate::error::Result;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{Image, Loader, Published};
use crate::types::{BrokerId, Offset, Timestamp};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The version of AlterPartition with the members' broker epochs.
const ALTER_PARTITION: i16 = 3;

/// The controllers, and the metadata log that they have committed.
pub struct Controllers {
    config: Config,
    loader: Loader,
    steps: Vec<Published>,
    session_ms: i64,
    /// When a broker was last heard of, in which epoch.
    contacts: BTreeMap<BrokerId, (i64, Timestamp)>,
    /// Offset of the RegisterBrokerRecord of each broker.
    registered_at: BTreeMap<BrokerId, Offset>,
    /// There is no active controller until then.
    away_until: Timestamp,
}

impl Controllers {
    /// A new cluster. A broker that is not heard of for `session_ms` is fenced.
    pub fn new(cluster_id: &str, session_ms: i64) -> Controllers {
        let mut controllers = Controllers {
            config: config(&[]),
            loader: Loader::new(cluster_id),
            steps: Vec::new(),
            session_ms,
            contacts: BTreeMap::new(),
            registered_at: BTreeMap::new(),
            away_until: 0,
        };
        controllers.write(bootstrap_records());
        controllers
    }

    /// What is committed.
    pub fn image(&self) -> &Image {
        &self.loader.image
    }

    /// The steps of the metadata log, one for each change.
    pub fn steps(&self) -> &[Published] {
        &self.steps
    }

    /// Commits records.
    pub fn write(&mut self, records: Vec<MetadataRecord>) {
        if records.is_empty() {
            return;
        }
        for record in &records {
            tracing::debug!("{record:?}");
            self.loader.replay(record).expect("the controller writes what it can replay");
        }
        self.loader.image.offset += records.len() as Offset;
        self.steps.push(self.loader.take());
    }

    fn view(&self) -> View<'_> {
        View { image: &self.loader.image, config: &self.config }
    }

    fn conclude<T>(&mut self, outcome: ControllerResult<T>) -> T {
        self.write(outcome.records);
        outcome.response
    }

    /// Another controller becomes the active one; until then there is none. It does not know when
    /// the others were last heard of, so all sessions begin again.
    pub fn fail_over(&mut self, until: Timestamp) {
        self.away_until = until;
        for (_, at) in self.contacts.values_mut() {
            *at = until;
        }
    }

    fn check_active(&self, now: Timestamp) -> Result<()> {
        if now < self.away_until { Err(ResponseError::NotController.into()) } else { Ok(()) }
    }

    fn has_session(&self, id: BrokerId, epoch: i64, now: Timestamp) -> bool {
        let contact = self.contacts.get(&id).filter(|(known, _)| *known == epoch);
        contact.is_some_and(|(_, at)| now - at < self.session_ms)
    }

    /// Registers a broker; another process has to wait until the session of the last one has ended.
    pub fn register(&mut self, request: &BrokerRegistrationRequest, now: Timestamp) -> Result<i64> {
        self.check_active(now)?;
        let id = request.broker_id.0;
        if let Some(known) = self.view().broker(id)
            && known.incarnation_id != request.incarnation_id
            && self.has_session(id, known.epoch, now)
        {
            return Err(ResponseError::DuplicateBrokerRegistration.into());
        }
        let outcome = self.view().register_broker(request, self.loader.image.offset + 1)?;
        let epoch = self.conclude(outcome);
        self.registered_at.insert(id, self.loader.image.offset);
        self.contacts.insert(id, (epoch, now));
        Ok(epoch)
    }

    /// Handles a heartbeat.
    pub fn heartbeat(&mut self, heartbeat: &Heartbeat, now: Timestamp) -> Result<BrokerStatus> {
        self.check_active(now)?;
        let (id, epoch) = (heartbeat.broker_id, heartbeat.broker_epoch);
        self.view().check_broker_epoch(id, epoch)?;
        self.contacts.insert(id, (epoch, now));
        if !heartbeat.offline.is_empty() {
            let outcome = self.view().lose_directories(id, epoch, &heartbeat.offline)?;
            self.conclude(outcome);
        }
        let registered_at = self.registered_at.get(&id).copied().unwrap_or(epoch);
        let outcome = self.view().heartbeat(heartbeat, registered_at)?;
        let status = self.conclude(outcome);
        if status.should_shut_down {
            // A broker that has left has no session to wait for.
            self.contacts.remove(&id);
        }
        Ok(status)
    }

    /// Fences the brokers that were not heard of for too long.
    pub fn fence_stale(&mut self, now: Timestamp) {
        if self.check_active(now).is_err() {
            return;
        }
        let running = self.image().brokers.values().filter(|broker| !broker.fenced);
        let stale: Vec<_> = running
            .filter(|broker| !self.has_session(broker.id, broker.epoch, now))
            .map(Arc::clone)
            .collect();
        for broker in stale {
            let records = self.view().fence(&broker);
            self.write(records);
        }
    }

    /// Changes ISRs as their leader asks.
    pub fn alter_partition(
        &mut self,
        request: &AlterPartitionRequest,
        now: Timestamp,
    ) -> Result<AlterPartitionResponse> {
        self.check_active(now)?;
        let outcome = self.view().alter_partition(request, ALTER_PARTITION)?;
        Ok(self.conclude(outcome))
    }

    /// Notes in which log directories a broker has its replicas.
    pub fn assign(&mut self, request: &AssignReplicasToDirsRequest, now: Timestamp) -> Result<()> {
        self.check_active(now)?;
        let outcome = self.view().assign_replicas(request)?;
        self.conclude(outcome);
        Ok(())
    }

    /// Lets preferred leaders lead again.
    pub fn prefer(&mut self) {
        let request = ElectLeadersRequest::default().with_topic_partitions(None);
        let outcome = self.view().elect_leaders(&request);
        self.conclude(outcome);
    }

    /// Moves a partition to other brokers, or cancels its move.
    pub fn reassign(&mut self, topic_id: Uuid, index: i32, replicas: Option<&[BrokerId]>) {
        let Some(topic) = self.image().topics.by_id(topic_id) else { return };
        let to_wire = |ids: &[BrokerId]| ids.iter().map(|id| WireBrokerId(*id)).collect();
        let partition = ReassignablePartition::default()
            .with_partition_index(index)
            .with_replicas(replicas.map(to_wire));
        let topic = ReassignableTopic::default()
            .with_name(super::support::name(&topic.name))
            .with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default()
            .with_allow_replication_factor_change(true)
            .with_topics(vec![topic]);
        let outcome = self.view().alter_reassignments(&request);
        self.conclude(outcome);
    }
}

/// What a broker registers with.
pub fn registration(
    id: BrokerId,
    incarnation: Uuid,
    directories: Vec<Uuid>,
    previous_epoch: i64,
    cluster_id: &str,
) -> BrokerRegistrationRequest {
    super::support::registration(previous_epoch)
        .with_broker_id(WireBrokerId(id))
        .with_cluster_id(super::support::text(cluster_id))
        .with_incarnation_id(incarnation)
        .with_log_dirs(directories)
}
