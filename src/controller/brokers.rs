//! The life of a broker: registration, heartbeats, fencing, controlled shutdown and removal
//! (ClusterControlManager, BrokerHeartbeatManager, ReplicationControlManager).

use super::view::{ControllerResult, View, all_partitions, explained};
use crate::codec::messages::BrokerRegistrationRequest;
use crate::codec::schema::metadata::{BrokerRegistrationChangeRecord, UnregisterBrokerRecord};
use crate::error::Result;
use crate::metadata::cluster::Broker;
use crate::metadata::features::{self, METADATA_VERSION};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{
    LOST_DIRECTORY, MIGRATING_DIRECTORY, NO_LEADER, UNASSIGNED_DIRECTORY,
};
use crate::types::{BrokerId, Offset};
use kafka_protocol::ResponseError;
use uuid::Uuid;

const FENCE: i8 = 1;
const UNFENCE: i8 = -1;

/// What a broker reports and requests with a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// `node.id`.
    pub broker_id: BrokerId,
    /// The epoch of the registration.
    pub broker_epoch: i64,
    /// Offset up to which the broker has applied the metadata log.
    pub applied: Offset,
    /// Whether the broker is not ready to lead or follow.
    pub want_fence: bool,
    /// Whether it wants to hand over what it leads, and stop.
    pub want_shut_down: bool,
    /// Ids of the log directories that have failed since the broker's start.
    pub offline: Vec<Uuid>,
    /// Ids of the log directories that take no new partitions; None while that is not known.
    pub cordoned: Option<Vec<Uuid>>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Whether the broker may neither lead nor follow.
    pub fenced: bool,
    /// Whether nothing is left that it would have to hand over.
    pub should_shut_down: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

impl View<'_> {
    /// Registers a broker and returns its epoch, which for a new incarnation is `next_offset`.
    pub fn register_broker(
        self,
        request: &BrokerRegistrationRequest,
        next_offset: Offset,
    ) -> Result<ControllerResult<i64>> {
        self.check_registration(request)?;
        let id = request.broker_id.0;
        let existing = self.broker(id);
        let amended = existing.filter(|broker| broker.incarnation_id == request.incarnation_id);
        let mut broker = registered(request, next_offset);
        let mut records = Vec::new();
        if let Some(amended) = amended {
            broker.epoch = amended.epoch;
            broker.fenced = amended.fenced;
            broker.in_controlled_shutdown = amended.in_controlled_shutdown;
        } else {
            let epoch = existing.map_or(-2, |broker| broker.epoch);
            self.previous_incarnation(id, epoch == request.previous_broker_epoch, &mut records);
        }
        let epoch = broker.epoch;
        records.push(MetadataRecord::RegisterBroker(broker.to_record()));
        Ok(ControllerResult { records, response: epoch })
    }

    fn check_registration(self, request: &BrokerRegistrationRequest) -> Result<()> {
        let (expected, given) = (&*self.image.cluster_id, request.cluster_id.as_str());
        if expected != given {
            return Err(explained(
                ResponseError::InconsistentClusterId,
                format!("This is cluster {expected}; the broker belongs to {given}"),
            ));
        }
        if request.is_migrating_zk_broker {
            return Err(explained(
                ResponseError::BrokerIdNotRegistered,
                "Brokers that use ZooKeeper cannot join this cluster",
            ));
        }
        self.check_log_dirs(request)?;
        self.check_features(request)
    }

    fn check_log_dirs(self, request: &BrokerRegistrationRequest) -> Result<()> {
        let invalid = |message: String| Err(explained(ResponseError::InvalidRegistration, message));
        let reserved = [MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY, LOST_DIRECTORY];
        if request.log_dirs.is_empty() {
            return invalid("No directories specified in request".to_owned());
        }
        if request.log_dirs.iter().any(|directory| reserved.contains(directory)) {
            return invalid("Reserved directory ID in request".to_owned());
        }
        for (index, directory) in request.log_dirs.iter().enumerate() {
            if request.log_dirs[..index].contains(directory) {
                return invalid("Duplicate directory ID in request".to_owned());
            }
            let owner = self.image.brokers.values().find(|broker| {
                broker.id != request.broker_id.0 && broker.log_dirs.contains(directory)
            });
            if let Some(owner) = owner {
                let directory = crate::types::uuid_to_text(*directory);
                return invalid(format!("Directory {directory} belongs to broker {}", owner.id));
            }
        }
        Ok(())
    }

    /// Each finalized feature must lie in the broker's range; the range of a feature that the
    /// broker does not name is 0 to 0.
    fn check_features(self, request: &BrokerRegistrationRequest) -> Result<()> {
        let named = request.features.iter().map(|feature| feature.name.as_str());
        for name in named.clone() {
            self.check_feature(request, name)?;
        }
        if !named.clone().any(|name| name == METADATA_VERSION) {
            return Err(explained(
                ResponseError::InvalidRegistration,
                format!("Request features do not contain '{METADATA_VERSION}'"),
            ));
        }
        self.image.features.keys().try_for_each(|name| self.check_feature(request, name))
    }

    fn check_feature(self, request: &BrokerRegistrationRequest, name: &str) -> Result<()> {
        let level = match name {
            features::KRAFT_VERSION => self.image.kraft_version,
            name => self.image.feature(name),
        };
        let range = request.features.iter().find(|feature| feature.name.as_str() == name);
        let (least, greatest) = range.map_or((0, 0), |feature| {
            (feature.min_supported_version, feature.max_supported_version)
        });
        if (least..=greatest).contains(&level) {
            return Ok(());
        }
        Err(explained(
            ResponseError::UnsupportedVersion,
            format!(
                "The cluster has {name} at level {level}; the broker supports {least} to {greatest}"
            ),
        ))
    }

    /// Removes the broker's previous incarnation from leadership and ISRs. After an unclean stop it
    /// is also no longer an eligible leader (handleBrokerShutdown).
    fn previous_incarnation(self, id: BrokerId, clean: bool, records: &mut Vec<MetadataRecord>) {
        if !self.image.elr_enabled() || clean {
            self.leave(id, records);
            return;
        }
        let may_lead = |other| other != id && self.is_active(other);
        for (topic, index, partition) in all_partitions(self.image) {
            if partition.isr.contains(&id) || partition.elr.contains(&id) {
                let isr = without(&partition.isr, id);
                records.extend(self.change_partition(
                    topic,
                    index,
                    partition,
                    &may_lead,
                    |change| change.lost_records(id).isr(isr),
                ));
            }
        }
    }

    /// Removes a broker from every ISR and elects other leaders where it led.
    fn leave(self, id: BrokerId, records: &mut Vec<MetadataRecord>) {
        let may_lead = |other| other != id && self.is_active(other);
        for (topic, index, partition) in all_partitions(self.image) {
            if partition.isr.contains(&id) || partition.leader == id {
                let isr = without(&partition.isr, id);
                records.extend(
                    self.change_partition(topic, index, partition, &may_lead, |c| c.isr(isr)),
                );
            }
        }
    }

    /// Fences a broker whose session has expired (handleBrokerFenced).
    pub fn fence(self, broker: &Broker) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        self.leave(broker.id, &mut records);
        records.push(fencing(broker, FENCE));
        records
    }

    /// Unfences a broker that has caught up, and lets it lead partitions without a leader
    /// (handleBrokerUnfenced).
    fn unfence(self, broker: &Broker) -> Vec<MetadataRecord> {
        let mut records = vec![fencing(broker, UNFENCE)];
        let may_lead = |other| other == broker.id || self.is_active(other);
        for (topic, index, partition) in all_partitions(self.image) {
            if partition.leader == NO_LEADER {
                records.extend(self.change_partition(topic, index, partition, &may_lead, |c| c));
            }
        }
        records
    }

    /// Moves leadership away from a broker that wants to shut down
    /// (handleBrokerInControlledShutdown).
    fn begin_controlled_shutdown(self, broker: &Broker) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        if !broker.in_controlled_shutdown {
            records.push(registration_change(BrokerRegistrationChangeRecord {
                in_controlled_shutdown: 1,
                ..change_of(broker)
            }));
        }
        self.leave(broker.id, &mut records);
        records
    }

    /// The outcome of a heartbeat (calculateNextBrokerState). `registered_at` is the offset of the
    /// broker's RegisterBrokerRecord.
    pub fn heartbeat(
        self,
        heartbeat: &Heartbeat,
        registered_at: Offset,
    ) -> Result<ControllerResult<BrokerStatus>> {
        let broker = self.check_broker_epoch(heartbeat.broker_id, heartbeat.broker_epoch)?;
        let current = if broker.fenced {
            BrokerState::Fenced
        } else if broker.in_controlled_shutdown {
            BrokerState::ControlledShutdown
        } else {
            BrokerState::Unfenced
        };
        let next = self.next_state(current, heartbeat, registered_at);
        let records = match next {
            next if next == current => Vec::new(),
            BrokerState::Fenced | BrokerState::ShutdownNow => self.fence(broker),
            BrokerState::Unfenced => self.unfence(broker),
            BrokerState::ControlledShutdown => self.begin_controlled_shutdown(broker),
        };
        let status = BrokerStatus {
            fenced: matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow),
            should_shut_down: next == BrokerState::ShutdownNow,
        };
        Ok(ControllerResult { records, response: status })
    }

    fn next_state(
        self,
        current: BrokerState,
        heartbeat: &Heartbeat,
        registered_at: Offset,
    ) -> BrokerState {
        let leads = || {
            let id = heartbeat.broker_id;
            all_partitions(self.image).any(|(.., partition)| partition.leader == id)
        };
        match current {
            BrokerState::Fenced if heartbeat.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Fenced if !heartbeat.want_fence && heartbeat.applied >= registered_at => {
                BrokerState::Unfenced
            }
            BrokerState::Unfenced if heartbeat.want_shut_down => {
                if !heartbeat.want_fence && leads() {
                    BrokerState::ControlledShutdown
                } else {
                    BrokerState::ShutdownNow
                }
            }
            BrokerState::Unfenced if heartbeat.want_fence => BrokerState::Fenced,
            BrokerState::ControlledShutdown if !leads() => BrokerState::ShutdownNow,
            unchanged => unchanged,
        }
    }

    /// Handles failed log directories of a broker, which can no longer lead the partitions in them
    /// (handleDirectoriesOffline).
    pub fn lose_directories(
        self,
        id: BrokerId,
        epoch: i64,
        failed: &[Uuid],
    ) -> Result<ControllerResult<()>> {
        let broker = self.check_broker_epoch(id, epoch)?;
        let is_lost = |directory: &Uuid| failed.contains(directory);
        let mut records = Vec::new();
        if !broker.log_dirs.iter().any(is_lost) {
            return Ok(ControllerResult { records, response: () });
        }
        let may_lead = |other| other != id && self.is_active(other);
        for (topic, index, partition) in all_partitions(self.image) {
            if partition.directory_of(id).as_ref().is_some_and(is_lost) {
                let isr = without(&partition.isr, id);
                records.extend(
                    self.change_partition(topic, index, partition, &may_lead, |c| c.isr(isr)),
                );
            }
        }
        records.push(registration_change(BrokerRegistrationChangeRecord {
            log_dirs: broker.log_dirs.iter().copied().filter(|dir| !is_lost(dir)).collect(),
            ..change_of(broker)
        }));
        Ok(ControllerResult { records, response: () })
    }

    /// Records which log directories of a broker take no new partitions
    /// (handleDirectoriesCordoned).
    pub fn cordon_directories(
        self,
        id: BrokerId,
        epoch: i64,
        cordoned: &[Uuid],
    ) -> Result<ControllerResult<()>> {
        let broker = self.check_broker_epoch(id, epoch)?;
        let is_known = self.image.metadata_version() >= features::CORDONED_LOG_DIRS;
        let mut records = Vec::new();
        if is_known && broker.cordoned_log_dirs != cordoned {
            records.push(registration_change(BrokerRegistrationChangeRecord {
                cordoned_log_dirs: Some(cordoned.to_vec()),
                ..change_of(broker)
            }));
        }
        Ok(ControllerResult { records, response: () })
    }

    /// Removes a broker's registration for good (UnregisterBroker). Unlike Kafka, we refuse this
    /// for a running broker, which would stay unknown until its next start.
    pub fn unregister_broker(self, id: BrokerId) -> Result<ControllerResult<()>> {
        let broker = self.broker(id).ok_or_else(|| {
            explained(ResponseError::BrokerIdNotRegistered, format!("No broker {id} is registered"))
        })?;
        if !broker.fenced {
            return Err(explained(
                ResponseError::InvalidRequest,
                format!("Broker {id} is running. Stop it before it is unregistered."),
            ));
        }
        let mut records = Vec::new();
        let may_lead = |other| other != id && self.is_active(other);
        for (topic, index, partition) in all_partitions(self.image) {
            if partition.isr.contains(&id) || partition.elr.contains(&id) {
                let isr = without(&partition.isr, id);
                records.extend(
                    self.change_partition(topic, index, partition, &may_lead, |c| c.isr(isr)),
                );
            }
        }
        records.push(MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
            broker_id: id,
            broker_epoch: broker.epoch,
        }));
        Ok(ControllerResult { records, response: () })
    }
}

fn without(list: &[BrokerId], id: BrokerId) -> Vec<BrokerId> {
    list.iter().copied().filter(|&other| other != id).collect()
}

/// The registration that a request asks for: fenced, with the given epoch.
fn registered(request: &BrokerRegistrationRequest, epoch: i64) -> Broker {
    let mut log_dirs: Vec<Uuid> = request.log_dirs.clone();
    log_dirs.sort_unstable();
    Broker {
        id: request.broker_id.0,
        epoch,
        incarnation_id: request.incarnation_id,
        listeners: request
            .listeners
            .iter()
            .map(|listener| {
                let (name, host) = (listener.name.to_string(), listener.host.to_string());
                (name, host, listener.port, listener.security_protocol)
            })
            .collect(),
        rack: request.rack.as_ref().map(ToString::to_string),
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs,
        cordoned_log_dirs: Vec::new(),
        features: request
            .features
            .iter()
            .map(|feature| {
                let (least, greatest) =
                    (feature.min_supported_version, feature.max_supported_version);
                (feature.name.to_string(), least, greatest)
            })
            .collect(),
    }
}

fn change_of(broker: &Broker) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        ..Default::default()
    }
}

fn fencing(broker: &Broker, fenced: i8) -> MetadataRecord {
    registration_change(BrokerRegistrationChangeRecord { fenced, ..change_of(broker) })
}

fn registration_change(record: BrokerRegistrationChangeRecord) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(record)
}
