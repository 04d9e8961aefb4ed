//! The partitions that this broker leads and those that it follows: leader epochs, high watermarks,
//! ISRs, and the requests that wait for them. Async ends here: everything below is synchronous.

pub mod append;
mod apply;
mod assignment;
mod compaction;
pub mod fetch_session;
mod fetcher;
mod isr;
pub mod moves;
mod opening;
pub mod partition;
pub mod producer_ids;
pub mod purgatory;
pub mod quota;
pub mod read;
mod room;

use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::error::{Error, Result};
use crate::log::manager::{LogDir, LogManager};
use crate::metadata::Image;
use crate::sync::parallel::in_parallel;
use crate::sync::{lock, read, write};
use crate::types::{LeaderEpoch, TopicIdPartition};
use fetch_session::FetchSessions;
use fetcher::Fetchers;
use kafka_protocol::error::ResponseError;
use moves::Moves;
use partition::{Common, Partition};
use producer_ids::ProducerIds;
use quota::{Quota, Side};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// All partitions that this broker hosts (ReplicaManager).
#[derive(Debug)]
pub struct Replicas {
    config: LiveConfig,
    clock: Clock,
    logs: LogManager,
    common: Arc<Common>,
    hosted: RwLock<HashMap<TopicIdPartition, Hosted>>,
    /// Whether the first image was applied. Stray logs are looked for only then.
    is_loaded: AtomicBool,
    /// Partitions whose log directory the controller does not know yet.
    unassigned: Mutex<HashMap<TopicIdPartition, Uuid>>,
    /// Held while logs are opened; true once they are closed for good.
    applying: Mutex<bool>,
    /// Held while checkpoints are written; true once the last ones are.
    checkpointing: Mutex<bool>,
    moves: Moves,
    fetchers: Fetchers,
    leader_quota: Quota,
    follower_quota: Arc<Quota>,
    /// The broker is leaving the cluster (controlled shutdown).
    is_leaving: AtomicBool,
    sessions: FetchSessions,
    /// When this broker last began to lead a partition that has followers.
    began_to_lead: watch::Sender<Option<Instant>>,
    producer_ids: ProducerIds,
}

/// A partition that the metadata log assigns to this broker (HostedPartition).
#[derive(Clone, Debug)]
enum Hosted {
    Online(Arc<Partition>),
    /// Its log could not be opened.
    Offline,
    /// Its log could not be opened because the disk was full; it is opened when there is room.
    NoRoom,
}

impl Replicas {
    /// A broker without partitions; the first `apply` adds them.
    pub fn new(config: LiveConfig, clock: Clock, logs: LogManager) -> Arc<Replicas> {
        let sessions = config.get().max_incremental_fetch_session_cache_slots.max(0) as usize;
        Arc::new(Replicas {
            leader_quota: Quota::new(Side::Leaders, config.clone()),
            follower_quota: Arc::new(Quota::new(Side::Followers, config.clone())),
            common: Common::new(config.clone()),
            config,
            clock,
            logs,
            hosted: RwLock::default(),
            is_loaded: AtomicBool::new(false),
            unassigned: Mutex::default(),
            applying: Mutex::default(),
            checkpointing: Mutex::default(),
            moves: Moves::default(),
            fetchers: Fetchers::default(),
            is_leaving: AtomicBool::new(false),
            sessions: FetchSessions::new(sessions),
            began_to_lead: watch::Sender::new(None),
            producer_ids: ProducerIds::default(),
        })
    }

    /// Finds an open partition. KAFKA_STORAGE_ERROR if it is offline; NOT_LEADER_OR_FOLLOWER if
    /// this broker does not host it, which is the right error only for a partition in the image.
    pub fn partition(&self, id: TopicIdPartition) -> Result<Arc<Partition>> {
        match self.hosted().get(&id) {
            Some(Hosted::Online(partition)) => {
                partition.dir().check()?;
                Ok(Arc::clone(partition))
            }
            Some(Hosted::Offline | Hosted::NoRoom) => {
                Err(Error::Code(ResponseError::KafkaStorageError))
            }
            None => Err(Error::Code(ResponseError::NotLeaderOrFollower)),
        }
    }

    /// Finds a partition that this broker leads in `epoch` (-1: any epoch). Otherwise
    /// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH or KAFKA_STORAGE_ERROR.
    pub fn leader(&self, id: TopicIdPartition, epoch: LeaderEpoch) -> Result<Arc<Partition>> {
        let partition = self.partition(id)?;
        partition.check_leader(epoch)?;
        Ok(partition)
    }

    /// Finds the partition that a request names. UNKNOWN_TOPIC_OR_PARTITION if it is not in the
    /// image; otherwise as `partition`.
    pub fn by_name(&self, image: &Image, topic: &str, index: i32) -> Result<Arc<Partition>> {
        let topic = image.topics.by_name(topic);
        match topic.filter(|topic| topic.partition(index).is_some()) {
            Some(topic) => {
                self.partition(TopicIdPartition { topic_id: topic.id, partition: index })
            }
            None => Err(Error::Code(ResponseError::UnknownTopicOrPartition)),
        }
    }

    /// All partitions whose logs are open, in an order that is the same in every process.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        let online = |hosted: &Hosted| match hosted {
            Hosted::Online(partition) => Some(Arc::clone(partition)),
            Hosted::Offline | Hosted::NoRoom => None,
        };
        let mut all: Vec<_> = self.hosted().values().filter_map(online).collect();
        all.sort_unstable_by_key(|partition| partition.id());
        all
    }

    /// Ids of the log directories that take no new partitions, sorted.
    pub fn cordoned_dirs(&self) -> Vec<Uuid> {
        let config = self.config.get();
        let cordoned = self.logs.dirs().iter().filter(|dir| config.is_cordoned(&dir.path));
        let mut ids: Vec<Uuid> = cordoned.filter_map(|dir| dir.id()).collect();
        ids.sort_unstable();
        ids
    }

    /// The logs of all directories.
    pub fn logs(&self) -> &LogManager {
        &self.logs
    }

    /// What has taken the log directories offline, if all of them are. Kafka then ends the process.
    pub fn failure(&self) -> Option<String> {
        let failures: Option<Vec<_>> = self.logs.dirs().iter().map(|dir| dir.failure()).collect();
        Some(failures?.join("; "))
    }

    /// Fails the requests that wait for a partition when its log directory goes offline, and copies
    /// it no more: its leader would take a replica that goes on asking back into the ISR. One task
    /// runs this.
    pub async fn tell_of_failures(&self) {
        loop {
            self.logs.failures().notified().await;
            for partition in self.all().iter().filter(|partition| partition.dir().is_offline()) {
                partition.fail_waiters(ResponseError::KafkaStorageError);
                self.unfollow(partition.id());
            }
        }
    }

    /// The source of new producer ids.
    pub fn producer_ids(&self) -> &ProducerIds {
        &self.producer_ids
    }

    /// Applies retention and rolls segments by age. Called about every
    /// `log.retention.check.interval.ms`.
    pub fn clean_up(&self) {
        let now = self.clock.now();
        for partition in self.all() {
            if let Err(error) = partition.clean_up(now) {
                tracing::warn!(partition = %partition.topic_partition(), %error, "clean-up failed");
            }
        }
    }

    /// Removes logs that were deleted `file.delete.delay.ms` ago. Called about every second.
    pub fn run_deletes(&self) {
        if let Err(error) = self.logs.observe(self.logs.run_deletes(self.clock.now())) {
            tracing::warn!(%error, "removing deleted logs failed");
        }
    }

    /// Forgets producers that were idle for `producer.id.expiration.ms`. Called about every
    /// `producer.id.expiration.check.interval.ms`.
    pub fn expire_producers(&self) {
        let now = self.clock.now();
        for partition in self.all() {
            // An error means that the partition is offline. It stays so, or is loaded without these
            // producers.
            let _ = partition.expire_producers(now);
        }
    }

    /// Flushes logs that have not been flushed for `flush.ms`. Called about every
    /// `log.flush.scheduler.interval.ms`.
    pub fn flush_due(&self) {
        for partition in self.all() {
            if let Err(error) = partition.flush_if_late(self.clock.now()) {
                tracing::warn!(partition = %partition.topic_partition(), %error, "flush failed");
            }
        }
    }

    /// Writes the checkpoints of recovery points, log start offsets and high watermarks. Called
    /// about every `log.flush.offset.checkpoint.interval.ms`.
    pub fn checkpoint(&self) {
        let is_closed = lock(&self.checkpointing);
        if *is_closed {
            return;
        }
        if let Err(error) = self.write_checkpoints() {
            tracing::warn!(%error, "writing the checkpoints failed");
        }
    }

    /// For the partitions that have changed, writes the high watermarks and the state that makes a
    /// start after a kill quick. Called about every
    /// `replica.high.watermark.checkpoint.interval.ms`.
    pub fn settle(&self) {
        let is_closed = lock(&self.checkpointing);
        if *is_closed {
            return;
        }
        let mut moved = self.take_unsettled();
        moved.retain(|partition| !partition.dir().is_offline());
        for partition in &moved {
            match partition.settle() {
                // The partition was deleted in the meantime.
                Ok(()) | Err(Error::Code(ResponseError::NotLeaderOrFollower)) => {}
                Err(error) => {
                    tracing::warn!(log = %partition.topic_partition(), %error, "not settled");
                }
            }
        }
        for dir in self.logs.online_dirs() {
            if moved.iter().any(|partition| Arc::ptr_eq(&partition.dir(), dir))
                && let Err(error) = dir.observe(self.write_high_watermarks(dir))
            {
                tracing::warn!(%error, "writing the high watermarks failed");
            }
        }
    }

    /// Takes the partitions that were appended to, moved or opened since the last call.
    fn take_unsettled(&self) -> Vec<Arc<Partition>> {
        let mut unsettled = lock(&self.common.unsettled);
        std::mem::take(&mut *unsettled).iter().filter_map(Weak::upgrade).collect()
    }

    fn write_high_watermarks(&self, dir: &Arc<LogDir>) -> Result<()> {
        let partitions = self.all();
        let here = partitions.iter().filter(|partition| Arc::ptr_eq(&partition.dir(), dir));
        let high_watermark =
            |partition: &Arc<Partition>| Some(partition.log().ok()?.high_watermark());
        let high_watermarks: Vec<_> =
            here.filter_map(|p| Some((p.topic_partition(), high_watermark(p)?))).collect();
        self.logs.checkpoint_high_watermarks(&dir.path, &high_watermarks)
    }

    /// This broker leaves the cluster. Partitions without a leader, or whose ISR it has left, are not
    /// copied from now on, so that it does not join the ISR again.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Fails all waiters, closes all logs and writes the checkpoints and `.kafka_cleanshutdown`. A
    /// log directory in which that fails, or that has failed before, gets no such file, so it is
    /// recovered at the next start; the error gives the reason.
    pub fn close(&self, broker_epoch: i64) -> Result<()> {
        // Later changes in the metadata log are left to the next start.
        *lock(&self.applying) = true;
        *lock(&self.checkpointing) = true;
        self.close_fetchers();
        self.close_moves();
        let partitions = self.all();
        let closed = in_parallel(self.logs.threads(), &partitions, |partition| partition.close());
        let mut unclean = HashMap::new();
        for (partition, error) in
            partitions.iter().zip(closed).filter_map(|(p, closed)| Some((p, closed.err()?)))
        {
            tracing::error!(log = %partition.topic_partition(), %error, "closing failed");
            unclean.insert(partition.dir().path.clone(), error.to_string());
        }
        match self.write_checkpoints() {
            Err(error) if error.is_disk_full() => return Err(no_clean_stop(&error.to_string())),
            written => self.logs.survive(written)?,
        }
        self.logs.mark_clean_shutdown(broker_epoch, |dir| !unclean.contains_key(dir))?;
        let reason = |dir: &Arc<LogDir>| {
            dir.failure().or(unclean.get(&dir.path).map(String::as_str)).map(str::to_owned)
        };
        // What could not be used from the start on is as it was.
        let used = self.logs.dirs().iter().filter(|dir| dir.meta().is_some());
        let reasons: Vec<String> = used.filter_map(reason).collect();
        if reasons.is_empty() { Ok(()) } else { Err(no_clean_stop(&reasons.join("; "))) }
    }

    /// Makes logs durable that were created in bulk.
    pub fn sync_new_logs(&self) {
        if let Err(error) = self.logs.observe(self.logs.sync_dirs()) {
            tracing::warn!(%error, "new logs are not durable");
        }
    }

    fn write_checkpoints(&self) -> Result<()> {
        let logs = self
            .all()
            .into_iter()
            .filter(|partition| !partition.dir().is_offline())
            .map(|partition| (partition.topic_partition().clone(), partition.shared_log()))
            .collect();
        self.logs.observe(self.logs.checkpoint(&logs))
    }

    fn is_first_image(&self) -> bool {
        !self.is_loaded.swap(true, Ordering::AcqRel)
    }

    // Each change of the map is a single call, so a panic cannot leave it half done.
    fn hosted(&self) -> RwLockReadGuard<'_, HashMap<TopicIdPartition, Hosted>> {
        read(&self.hosted)
    }

    fn hosted_mut(&self) -> RwLockWriteGuard<'_, HashMap<TopicIdPartition, Hosted>> {
        write(&self.hosted)
    }
}

fn no_clean_stop(reason: &str) -> Error {
    Error::Config(format!("no clean stop, so the next start recovers the logs: {reason}"))
}

#[cfg(test)]
pub(crate) mod tests;
