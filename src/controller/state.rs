//! The controller's state, owned by its thread: it validates, appends and replays, and writes
//! snapshots when they are due.

use super::brokers::{BrokerStatus, Heartbeat};
use super::describe::QuorumState;
use super::envelope::Requester;
use super::journal;
use super::quorum::{Opened, Quorum, bootstrap_records};
use super::snapshots::Snapshots;
use super::view::{ControllerResult, View};
use crate::clock::Clock;
use crate::codec::messages::BrokerRegistrationRequest;
use crate::codec::schema::metadata::register_controller_record::{
    ControllerEndpoint, ControllerFeature,
};
use crate::codec::schema::metadata::*;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::Loader;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{BROKER_CONFIG, Published, features};
use crate::types::{BrokerId, Offset, Timestamp};
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use tokio::sync::watch;
use tracing::{error, info, warn};
use uuid::Uuid;

/// The security protocol of our listeners; there are no others yet.
const PLAINTEXT: i16 = 0;
/// Producer ids per block, as in QuorumController.
const PRODUCER_ID_BLOCK_SIZE: i32 = 1000;
/// Records per batch, for changes that need not be atomic.
const RECORDS_PER_BATCH_MAX: usize = 10_000;

/// Everything that the controller's thread owns.
pub(super) struct ControllerState {
    clock: Clock,
    /// The settings in the file, overridden by those in the metadata log, committed or not: a
    /// request is checked against those before it. `LiveConfig` has the ones in effect.
    pub config: Config,
    quorum: Quorum,
    loader: Loader,
    /// Offset of the RegisterBrokerRecord of each broker that has registered since we became
    /// leader.
    registered_at: HashMap<BrokerId, Offset>,
    /// Whether something was appended that is not durable yet.
    dirty: bool,
    last_append: Timestamp,
    snapshots: Snapshots,
    /// Who requested the change in progress, in the form that `journal::tell` takes.
    by: String,
    /// Why nothing is accepted any more, once the disk has failed. Closed when the thread has ended.
    pub failed: watch::Sender<Option<String>>,
}

impl ControllerState {
    /// Becomes the leader of a new epoch in the opened log: writes the first records of a new
    /// cluster, fences our previous incarnation and registers the controller. All of this is
    /// durable on return. Also returns the whole state, to be published.
    pub fn lead(
        clock: Clock,
        config: Config,
        opened: Opened,
    ) -> Result<(ControllerState, Published)> {
        let now = clock.now();
        let mut state = ControllerState {
            clock,
            snapshots: Snapshots::new(&config, now),
            config,
            quorum: opened.quorum,
            loader: opened.loader,
            registered_at: HashMap::new(),
            dirty: true,
            last_append: now,
            by: String::new(),
            failed: watch::channel(None).0,
        };
        state.update_config();
        state.quorum.become_leader(now)?;
        state.loader.image.offset = state.quorum.end_offset() - 1;
        state.loader.image.epoch = state.quorum.epoch();
        state.loader.timestamp = now;
        state.begin(opened.bootstrap)?;
        state.fence_former_self()?;
        state.register_controller()?;
        let first = state.flush()?.expect("becoming leader appends");
        info!(
            epoch = state.quorum.epoch(),
            offset = state.loader.image.offset,
            topics = state.loader.image.topics.len(),
            "leading the metadata log"
        );
        Ok((state, first))
    }

    /// Writes the first records of an empty log, or aborts a transaction that a crash interrupted
    /// (ActivationRecordsGenerator).
    fn begin(&mut self, bootstrap: Vec<MetadataRecord>) -> Result<()> {
        let mut records = Vec::new();
        if self.loader.in_transaction() {
            let reason = Some("Controller failover".to_owned());
            records.push(MetadataRecord::AbortTransaction(AbortTransactionRecord { reason }));
        }
        if self.committed_metadata_version() == 0 {
            let bootstrap = if bootstrap.is_empty() { bootstrap_records() } else { bootstrap };
            let name = Some("Bootstrap records".to_owned());
            records.push(MetadataRecord::BeginTransaction(BeginTransactionRecord { name }));
            records.extend(bootstrap);
            if records.iter().any(finalizes_elr) {
                records.push(MetadataRecord::Config(ConfigRecord {
                    resource_type: BROKER_CONFIG,
                    resource_name: String::new(),
                    name: "min.insync.replicas".to_owned(),
                    value: Some(self.config.min_insync_replicas.to_string()),
                }));
            }
            records.push(MetadataRecord::EndTransaction(EndTransactionRecord {}));
        }
        self.commit(&records)?;
        let level = self.loader.image.metadata_version();
        if level < features::OLDEST_METADATA_VERSION {
            return Err(Error::Config(format!(
                "the metadata log has metadata.version {level}; klamm needs at least {} ({})",
                features::OLDEST_METADATA_VERSION,
                features::metadata_version_name(features::OLDEST_METADATA_VERSION),
            )));
        }
        if level < features::DIRECTORIES && self.config.log_dirs.len() > 1 {
            warn!(
                "metadata.version {} knows one log directory of a broker, and log.dirs names {}: \
                 when one fails, partitions may begin anew in another. Upgrade with kafka-features",
                features::metadata_version_name(level),
                self.config.log_dirs.len(),
            );
        }
        Ok(())
    }

    /// The finalized level, ignoring a transaction that is about to be aborted.
    fn committed_metadata_version(&self) -> i16 {
        if self.loader.in_transaction() {
            let mut loader = self.loader.clone();
            let abort = MetadataRecord::AbortTransaction(AbortTransactionRecord::default());
            return match loader.replay(&abort) {
                Ok(()) => loader.image.metadata_version(),
                Err(_) => 0,
            };
        }
        self.loader.image.metadata_version()
    }

    /// Fences the broker of our previous process as Kafka does when a session expires. That process
    /// held the log, so it is gone and there is no session to wait for.
    fn fence_former_self(&mut self) -> Result<()> {
        let view = self.view();
        let former = view.broker(self.config.node_id).filter(|broker| !broker.fenced);
        let records = former.map(|broker| view.fence(broker)).unwrap_or_default();
        self.commit_in_batches(&records)?;
        Ok(())
    }

    fn register_controller(&mut self) -> Result<()> {
        let options = self.quorum.options();
        let point = |(name, host, port): &(String, String, u16)| ControllerEndpoint {
            name: name.clone(),
            host: host.clone(),
            port: *port,
            security_protocol: PLAINTEXT,
        };
        let feature = |&(name, least, greatest): &(&str, i16, i16)| ControllerFeature {
            name: name.to_owned(),
            min_supported_version: least,
            max_supported_version: greatest,
        };
        let record = RegisterControllerRecord {
            controller_id: options.node_id,
            incarnation_id: Uuid::new_v4(),
            zk_migration_ready: false,
            end_points: options.listeners.iter().map(point).collect(),
            features: features::SUPPORTED.iter().map(feature).collect(),
        };
        self.commit(&[MetadataRecord::RegisterController(record)])?;
        Ok(())
    }

    /// The state against which requests are validated.
    pub fn view(&self) -> View<'_> {
        View { image: &self.loader.image, config: &self.config }
    }

    /// Appends records as one atomic batch and replays them. Returns the offset of the last one, -1
    /// if there are none. They are committed once `flush` has returned.
    pub fn commit(&mut self, records: &[MetadataRecord]) -> Result<Offset> {
        self.check()?;
        if records.is_empty() {
            return Ok(-1);
        }
        let now = self.clock.now();
        let metadata_version = match self.loader.image.metadata_version() {
            0 => finalized_by(records),
            level => level,
        };
        let records: Vec<MetadataRecord> =
            records.iter().filter_map(|record| record.clone().at(metadata_version)).collect();
        if records.is_empty() {
            return Ok(-1);
        }
        let appended = self.quorum.append(&records, metadata_version, now);
        let (offset, size) = appended.map_err(|error| self.fail(error))?;
        journal::tell(&self.loader.image, &records, &self.by);
        for record in &records {
            self.loader.replay(record).map_err(|error| self.fail(error))?;
        }
        if records.iter().any(is_broker_config) {
            self.update_config();
        }
        self.loader.image.offset = offset;
        self.loader.image.epoch = self.quorum.epoch();
        self.loader.timestamp = now;
        self.snapshots.add(size);
        self.last_append = now;
        self.dirty = true;
        Ok(offset)
    }

    /// Applies the brokers' settings in the metadata log on top of the file's.
    fn update_config(&mut self) {
        // The broker logs which values were left out.
        self.config = self.loader.image.broker_config(&self.config).0;
    }

    /// As `commit`, for records that need not be atomic.
    fn commit_in_batches(&mut self, records: &[MetadataRecord]) -> Result<Offset> {
        let mut last = -1;
        for batch in records.chunks(RECORDS_PER_BATCH_MAX) {
            last = self.commit(batch)?;
        }
        Ok(last)
    }

    /// Runs `change`, which `by` has requested.
    pub fn in_name_of<T>(
        &mut self,
        by: Requester,
        change: impl FnOnce(&mut ControllerState) -> T,
    ) -> T {
        self.by = format!(" by {} at {}", by.principal, by.client_host);
        let outcome = change(self);
        self.by.clear();
        outcome
    }

    /// Runs a request against the current state and commits its outcome.
    pub fn change<T>(
        &mut self,
        request: impl FnOnce(View<'_>) -> ControllerResult<T>,
    ) -> Result<(T, Offset)> {
        let outcome = request(self.view());
        self.conclude(outcome)
    }

    /// Commits the outcome of a request.
    pub fn conclude<T>(&mut self, outcome: ControllerResult<T>) -> Result<(T, Offset)> {
        let offset = self.commit(&outcome.records)?;
        Ok((outcome.response, offset))
    }

    /// Makes everything appended durable; returns the step to publish, if there is one. Fails also
    /// if somebody has removed the metadata log.
    pub fn flush(&mut self) -> Result<Option<Published>> {
        self.check()?;
        self.quorum.check_file().map_err(|error| self.fail(error))?;
        if !std::mem::take(&mut self.dirty) {
            return Ok(None);
        }
        self.quorum.flush().map_err(|error| self.fail(error))?;
        Ok(Some(self.loader.take()))
    }

    /// Fails once nothing is accepted any more.
    pub fn check(&self) -> Result<()> {
        let is_failed = self.failed.borrow().is_some();
        if is_failed { Err(ResponseError::KafkaStorageError.into()) } else { Ok(()) }
    }

    /// Accepts nothing any more, unless the disk is full: then nothing was written or is broken.
    fn fail(&mut self, error: Error) -> Error {
        if !error.is_disk_full() {
            error!(%error, "the metadata log failed; nothing is accepted any more");
            self.failed.send_replace(Some(error.to_string()));
        }
        error
    }

    /// Registers a broker and returns its epoch.
    pub fn register_broker(&mut self, request: &BrokerRegistrationRequest) -> Result<i64> {
        let outcome = self.view().register_broker(request, self.quorum.end_offset())?;
        let offset = self.commit_in_batches(&outcome.records)?;
        self.registered_at.insert(request.broker_id.0, offset);
        info!(broker = request.broker_id.0, epoch = outcome.response, "registered the broker");
        Ok(outcome.response)
    }

    /// Handles a heartbeat.
    pub fn heartbeat(&mut self, heartbeat: &Heartbeat) -> Result<BrokerStatus> {
        let (id, epoch) = (heartbeat.broker_id, heartbeat.broker_epoch);
        if !heartbeat.offline.is_empty() {
            self.lose_directories(id, epoch, &heartbeat.offline)?;
        }
        if let Some(cordoned) = &heartbeat.cordoned {
            self.cordon_directories(id, epoch, cordoned)?;
        }
        let known = self.registered_at.get(&heartbeat.broker_id);
        let registered_at = known.copied().unwrap_or(heartbeat.broker_epoch);
        let outcome = self.view().heartbeat(heartbeat, registered_at)?;
        self.commit_in_batches(&outcome.records)?;
        Ok(outcome.response)
    }

    /// Sets which log directories of a broker take no new partitions.
    fn cordon_directories(&mut self, id: BrokerId, epoch: i64, dirs: &[Uuid]) -> Result<()> {
        let outcome = self.view().cordon_directories(id, epoch, dirs)?;
        self.conclude(outcome).map(drop)
    }

    /// Records that log directories of a broker have failed.
    fn lose_directories(&mut self, id: BrokerId, epoch: i64, failed: &[Uuid]) -> Result<()> {
        let outcome = self.view().lose_directories(id, epoch, failed)?;
        self.commit_in_batches(&outcome.records).map(drop)
    }

    /// Allocates a block of producer ids; returns (first id, number of ids).
    pub fn allocate_producer_ids(&mut self, id: BrokerId, epoch: i64) -> Result<(i64, i32)> {
        self.view().check_broker_epoch(id, epoch)?;
        let first = self.loader.image.next_producer_id;
        let next = first.checked_add(i64::from(PRODUCER_ID_BLOCK_SIZE));
        let next_producer_id = next.ok_or(ResponseError::UnknownServerError)?;
        let record = ProducerIdsRecord { broker_id: id, broker_epoch: epoch, next_producer_id };
        self.commit(&[MetadataRecord::ProducerIds(record)])?;
        Ok((first, PRODUCER_ID_BLOCK_SIZE))
    }

    /// The finalized level of `kraft.version`.
    pub fn kraft_version(&self) -> i16 {
        self.quorum.kraft_version()
    }

    /// Moves the voters from the settings into the log; returns the offset of that record.
    pub fn raise_kraft_version(&mut self, level: i16) -> Result<Offset> {
        self.check()?;
        let now = self.clock.now();
        let raised = self.quorum.raise_kraft_version(level, now);
        let batch = raised.map_err(|error| self.fail(error))?;
        self.loader.load_batch(&batch).map_err(|error| self.fail(error))?;
        info!(level, "raised kraft.version: the voters are in the metadata log now");
        self.last_append = now;
        self.dirty = true;
        Ok(self.loader.image.offset)
    }

    /// The current state of the quorum.
    pub fn quorum_state(&self) -> QuorumState {
        let options = self.quorum.options();
        let dynamic = self.quorum.kraft_version() > 0;
        QuorumState {
            leader: options.node_id,
            epoch: self.quorum.epoch(),
            high_watermark: self.quorum.end_offset(),
            directory_id: if dynamic { options.directory_id } else { Uuid::nil() },
            listeners: options.listeners.clone(),
            now: self.clock.now(),
        }
    }

    /// Does what is due: finishes or starts a snapshot, and appends a NoOp record after idle time.
    pub fn tick(&mut self) -> Result<()> {
        let now = self.clock.now();
        self.snapshots.collect(self.quorum.log(), now)?;
        // A snapshot may contain only what is durable.
        if self.snapshots.is_due(now) && !self.dirty {
            let image = &self.loader.image;
            let head = self.quorum.snapshot_head(self.loader.timestamp, image.metadata_version());
            self.snapshots.begin(self.quorum.log(), image, head, now)?;
        }
        let idle = i64::from(self.config.metadata_max_idle_interval_ms);
        if idle > 0 && now - self.last_append >= idle {
            match self.commit(&[MetadataRecord::NoOp(NoOpRecord {})]) {
                Err(error) if error.is_disk_full() => self.last_append = now,
                committed => drop(committed?),
            }
        }
        Ok(())
    }

    /// Waits for a snapshot in progress, then closes the log.
    pub fn close(&mut self) -> Result<()> {
        self.snapshots.finish(self.quorum.log(), self.clock.now())?;
        self.quorum.close()
    }
}

/// The `metadata.version` that the first records of a log finalize.
fn finalized_by(records: &[MetadataRecord]) -> i16 {
    let level = records.iter().find_map(|record| match record {
        MetadataRecord::FeatureLevel(feature) if feature.name == features::METADATA_VERSION => {
            Some(feature.feature_level)
        }
        _ => None,
    });
    level.unwrap_or(features::METADATA_VERSION_4_3)
}

fn finalizes_elr(record: &MetadataRecord) -> bool {
    matches!(record, MetadataRecord::FeatureLevel(feature)
        if feature.name == features::ELIGIBLE_LEADER_REPLICAS && feature.feature_level > 0)
}

fn is_broker_config(record: &MetadataRecord) -> bool {
    matches!(record, MetadataRecord::Config(config) if config.resource_type == BROKER_CONFIG)
}
