//! `__cluster_metadata-0`: the log of the metadata with its snapshots, as a controller leads it and
//! a broker follows it (KafkaRaftLog).

use crate::config::{Config, TopicConfig};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::{Log, OpenOptions};
use crate::metadata::Loader;
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, SnapshotId};
use crate::record::Batch;
use crate::types::{Isolation, Offset, Timestamp};
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Name of the metadata log's directory.
pub const DIR_NAME: &str = "__cluster_metadata-0";
/// The topic whose only partition is the metadata log.
pub const TOPIC_NAME: &str = "__cluster_metadata";
/// The metadata log's topic id (Uuid.METADATA_TOPIC_ID).
pub const TOPIC_ID: Uuid = Uuid::from_u128(1);

const READ_BYTES: usize = 1024 * 1024;

/// The settings of the metadata log.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Segment sizes and so on.
    pub log: Arc<TopicConfig>,
    /// `metadata.max.retention.bytes`; -1 means no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`; -1 means no limit.
    pub retention_ms: i64,
}

impl LogOptions {
    /// The settings that `config` has.
    pub fn new(config: &Config) -> Result<LogOptions> {
        let log = [
            ("segment.bytes", config.metadata_log_segment_bytes.to_string()),
            ("segment.ms", config.metadata_log_segment_ms.to_string()),
            ("segment.jitter.ms", "0".to_owned()),
            ("retention.bytes", "-1".to_owned()),
            ("retention.ms", "-1".to_owned()),
            ("cleanup.policy", "delete".to_owned()),
            ("max.message.bytes", i32::MAX.to_string()),
            ("compression.type", "producer".to_owned()),
            ("message.timestamp.type", "CreateTime".to_owned()),
        ];
        let log: BTreeMap<String, String> =
            log.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(LogOptions {
            log: config.topic(&log)?,
            retention_bytes: config.metadata_max_retention_bytes,
            retention_ms: config.metadata_max_retention_ms,
        })
    }
}

/// The open metadata log.
#[derive(Debug)]
pub(super) struct MetadataLog {
    disk: Disk,
    dir: PathBuf,
    options: LogOptions,
    /// The records.
    pub log: Log,
    snapshots: BTreeSet<SnapshotId>,
}

impl MetadataLog {
    /// Opens the log in `dir`, whose newest snapshot reaches up to `snapshot_end`.
    pub fn open(
        disk: Disk,
        dir: PathBuf,
        options: LogOptions,
        snapshots: BTreeSet<SnapshotId>,
        snapshot_end: Offset,
        now: Timestamp,
    ) -> Result<MetadataLog> {
        let open = OpenOptions {
            config: options.log.clone(),
            log_start_offset: 0,
            recovery_point: 0,
            cleaned_below: 0,
            // As in Kafka, the metadata log is always checked from its start, which also finds its
            // epochs.
            stopped: crate::log::Stopped::Unknown,
            leader_epochs: Some(Vec::new()),
            now,
        };
        let mut log = Log::open(&disk, &dir, open)?;
        log.set_topic_id(TOPIC_ID)?;
        if log.log_start_offset() > snapshot_end {
            let start = log.log_start_offset();
            return Err(Error::corrupt(format!(
                "metadata log: it starts at {start}, but no snapshot reaches there (the newest ends \
                 at {snapshot_end})"
            )));
        }
        Ok(MetadataLog { disk, dir, options, log, snapshots })
    }

    /// Replays the log into `loader` from where that is up to `end`. Records after a gap were never
    /// committed: a power loss took the end of one segment and left the next. They are cut off.
    pub fn replay(&mut self, loader: &mut Loader, end: Offset) -> Result<()> {
        let mut next = loader.image.offset.saturating_add(1);
        while next < end.min(self.log.log_end_offset()) {
            let read = self.log.read(next, READ_BYTES, Isolation::LogEnd, true)?;
            let mut bytes = BytesMut::new();
            for range in &read.ranges {
                bytes.extend_from_slice(&range.read()?);
            }
            let mut bytes = bytes.freeze();
            let mut is_hole = bytes.is_empty();
            while !bytes.is_empty() && !is_hole && next < end {
                let batch = Batch::split_from(&mut bytes)?;
                is_hole = batch.base_offset() > next;
                if batch.last_offset() >= next && !is_hole {
                    loader.load_batch(&batch)?;
                    next = batch.next_offset();
                }
            }
            if is_hole {
                tracing::warn!(offset = next, "cut the metadata log where its records end");
                self.log.truncate_to(next)?;
            }
        }
        Ok(())
    }

    /// The offset after the last record.
    pub fn end(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// The directory of the log and its snapshots.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The disk that has it.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The newest snapshot, if there is one.
    pub fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.last().copied()
    }

    /// Begins the log anew behind the newest snapshot, which reaches beyond it. Older snapshots are
    /// deleted.
    pub fn begin_at(&mut self, id: SnapshotId) -> Result<()> {
        self.log.truncate_fully(id.offset)?;
        self.snapshots.insert(id);
        let older: Vec<SnapshotId> = self.snapshots.range(..id).copied().collect();
        for older in older {
            self.forget(older)?;
        }
        Ok(())
    }

    fn forget(&mut self, id: SnapshotId) -> Result<()> {
        self.disk.remove_file(&self.dir.join(id.file_name()))?;
        self.snapshots.remove(&id);
        Ok(())
    }

    /// Registers a new snapshot and deletes what the retention settings no longer require.
    pub fn snapshot_written(&mut self, id: SnapshotId, now: Timestamp) -> Result<()> {
        self.snapshots.insert(id);
        self.clean_up(now)
    }

    /// While log and snapshots exceed `metadata.max.retention.bytes` or
    /// `metadata.max.retention.ms`, deletes the oldest snapshot and the log below the next one. At
    /// least one snapshot always stays (KafkaRaftLog.maybeClean).
    pub fn clean_up(&mut self, now: Timestamp) -> Result<()> {
        while let [oldest, next] = self.snapshots.iter().take(2).copied().collect::<Vec<_>>()[..] {
            if !self.is_over_size()? && !self.is_over_age(oldest, now)? {
                break;
            }
            self.log.advance_log_start(next.offset)?;
            self.forget(oldest)?;
        }
        self.log.clean_up(now)?;
        Ok(())
    }

    fn is_over_size(&self) -> Result<bool> {
        let mut size = self.log.size();
        for id in &self.snapshots {
            size += self.disk.file_len(&self.dir.join(id.file_name()))?.unwrap_or(0);
        }
        Ok(self.options.retention_bytes >= 0 && size > self.options.retention_bytes as u64)
    }

    fn is_over_age(&self, id: SnapshotId, now: Timestamp) -> Result<bool> {
        let contents = snapshot::read(&self.disk, &self.dir.join(id.file_name()))?;
        let mut loader = Loader::new("");
        for batch in contents.iter().flat_map(|contents| &contents.control) {
            loader.load_control_batch(batch)?;
        }
        let age_ms = now.saturating_sub(loader.timestamp);
        Ok(self.options.retention_ms >= 0 && age_ms > self.options.retention_ms)
    }

    /// Closes the log. A full disk does no harm here, because a start always checks the whole log.
    pub fn close(&mut self) -> Result<()> {
        match self.log.close() {
            Err(error) if error.is_disk_full() => Ok(()),
            closed => closed,
        }
    }
}

/// The finished snapshots in a metadata log's directory. What unfinished ones left is removed.
pub(super) fn snapshots_in(disk: &Disk, dir: &Path) -> Result<BTreeSet<SnapshotId>> {
    let names = disk.list(dir)?;
    for name in names.iter().filter(|name| snapshot::is_left_over(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    Ok(names.iter().filter_map(|name| SnapshotId::parse(name)).collect())
}

/// Loads a snapshot into a fresh loader. Returns the records that formatting left in it to begin an
/// empty log with; they are not loaded.
pub(super) fn load_snapshot(
    disk: &Disk,
    dir: &Path,
    id: SnapshotId,
    loader: &mut Loader,
) -> Result<Vec<MetadataRecord>> {
    let contents = snapshot::read(disk, &dir.join(id.file_name()))?;
    let mut contents =
        contents.ok_or_else(|| Error::corrupt(format!("snapshot {}: no file", id.file_name())))?;
    let is_seed = id == SnapshotId::BOOTSTRAP;
    let seed = if is_seed { std::mem::take(&mut contents.records) } else { Vec::new() };
    snapshot::load(loader, id, &contents)?;
    Ok(seed)
}
