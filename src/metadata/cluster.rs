//! Registered brokers.

use super::topics::{LOST_DIRECTORY, MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY};
use crate::codec::schema::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use crate::codec::schema::metadata::{BrokerRegistrationChangeRecord, RegisterBrokerRecord};
use crate::error::{Error, Result};
use crate::types::BrokerId;
use uuid::Uuid;

/// A registered broker (BrokerRegistration).
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// `node.id`.
    pub id: BrokerId,
    /// Assigned at registration; each registration gets a higher one.
    pub epoch: i64,
    /// Random id of the process that registered.
    pub incarnation_id: Uuid,
    /// (listener name, host, port, security protocol).
    pub listeners: Vec<(String, String, u16, i16)>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// A fenced broker leads nothing, and clients are not told of it.
    pub fenced: bool,
    /// It asked to shut down and leads nothing any more.
    pub in_controlled_shutdown: bool,
    /// Ids of its online log directories.
    pub log_dirs: Vec<Uuid>,
    /// Ids of the log directories that take no new partitions (KIP-1066).
    pub cordoned_log_dirs: Vec<Uuid>,
    /// (feature, lowest level, highest level) of each supported feature, sorted by name.
    pub features: Vec<(String, i16, i16)>,
}

impl Broker {
    /// The broker that a registration record describes.
    pub fn from_record(record: &RegisterBrokerRecord) -> Broker {
        let listener = |point: &BrokerEndpoint| {
            (point.name.clone(), point.host.clone(), point.port, point.security_protocol)
        };
        let feature = |feature: &BrokerFeature| {
            let levels = (feature.min_supported_version, feature.max_supported_version);
            (feature.name.clone(), levels.0, levels.1)
        };
        // Kafka writes the features in no particular order.
        let mut features: Vec<_> = record.features.iter().map(feature).collect();
        features.sort();
        Broker {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            listeners: record.end_points.iter().map(listener).collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
            cordoned_log_dirs: record.cordoned_log_dirs.clone().unwrap_or_default(),
            features,
        }
    }

    /// The record that would repeat this registration, for registering and for snapshots.
    pub fn to_record(&self) -> RegisterBrokerRecord {
        let endpoint = |(name, host, port, protocol): &(String, String, u16, i16)| BrokerEndpoint {
            name: name.clone(),
            host: host.clone(),
            port: *port,
            security_protocol: *protocol,
        };
        let feature = |(name, least, greatest): &(String, i16, i16)| BrokerFeature {
            name: name.clone(),
            min_supported_version: *least,
            max_supported_version: *greatest,
        };
        let cordoned = &self.cordoned_log_dirs;
        RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: false,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.listeners.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.log_dirs.clone(),
            cordoned_log_dirs: (!cordoned.is_empty()).then(|| cordoned.clone()),
        }
    }

    /// This registration with `change` applied.
    pub(super) fn merge(&self, change: &BrokerRegistrationChangeRecord) -> Result<Broker> {
        let mut broker = self.clone();
        match change.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            0 => {}
            other => return Err(Error::corrupt(format!("metadata log: fenced is {other}"))),
        }
        match change.in_controlled_shutdown {
            1 => broker.in_controlled_shutdown = true,
            0 => {}
            other => {
                return Err(Error::corrupt(format!("metadata log: in shutdown is {other}")));
            }
        }
        if !change.log_dirs.is_empty() {
            broker.log_dirs.clone_from(&change.log_dirs);
        }
        if let Some(cordoned) = &change.cordoned_log_dirs {
            broker.cordoned_log_dirs.clone_from(cordoned);
        }
        Ok(broker)
    }

    /// Whether it may lead: it is neither fenced nor shutting down.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// Whether a replica in `directory` of this broker can be read (DirectoryId.isOnline).
    pub fn has_online_dir(&self, directory: Uuid) -> bool {
        match directory {
            UNASSIGNED_DIRECTORY | MIGRATING_DIRECTORY => true,
            LOST_DIRECTORY => false,
            _ => self.log_dirs.is_empty() || self.log_dirs.contains(&directory),
        }
    }

    /// Whether it has a log directory that takes new partitions.
    pub fn takes_partitions(&self) -> bool {
        self.log_dirs.is_empty()
            || self.log_dirs.iter().any(|directory| !self.cordoned_log_dirs.contains(directory))
    }

    /// The directory that the controller enters for a new replica here. It knows it only if the
    /// broker has exactly one.
    pub fn default_dir(&self) -> Uuid {
        match self.log_dirs[..] {
            [] => MIGRATING_DIRECTORY,
            [only] => only,
            _ => UNASSIGNED_DIRECTORY,
        }
    }
}
