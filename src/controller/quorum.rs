//! The metadata log as its only voter keeps it: `__cluster_metadata-0` with segments, snapshots and
//! `quorum-state` (KafkaRaftLog, FileQuorumStateStore).

use crate::codec::schema::metadata::FeatureLevelRecord;
use crate::config::{Compression, TopicConfig};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::{Log, OpenOptions, Origin};
use crate::metadata::Loader;
use crate::metadata::control::ControlRecord;
use crate::metadata::features::{FORMATTED, METADATA_VERSION_4_3};
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{BrokerId, Isolation, LeaderEpoch, Offset, Timestamp};
use bytes::BytesMut;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Name of the metadata log's directory.
pub const DIR_NAME: &str = "__cluster_metadata-0";
/// The topic whose only partition is the metadata log.
pub const TOPIC_NAME: &str = "__cluster_metadata";
/// The metadata log's topic id (Uuid.METADATA_TOPIC_ID).
pub const TOPIC_ID: Uuid = Uuid::from_u128(1);

const QUORUM_STATE: &str = "quorum-state";
pub(super) const LEGACY_BOOTSTRAP: &str = "bootstrap.checkpoint";
/// The `kraft.version` of a directory whose voters are in the log.
const DYNAMIC_VOTERS: i16 = 1;
const READ_BYTES: usize = 1024 * 1024;

/// Identity of this voter and settings of its log.
#[derive(Clone, Debug)]
pub struct Options {
    /// `node.id`.
    pub node_id: BrokerId,
    /// `cluster.id` in `meta.properties`.
    pub cluster_id: String,
    /// `directory.id` in the metadata directory's `meta.properties`.
    pub directory_id: Uuid,
    /// `controller.quorum.voters`; empty if the voters are in the log.
    pub static_voters: Vec<BrokerId>,
    /// This controller's listeners: (name, host, port).
    pub listeners: Vec<(String, String, u16)>,
    /// Segment sizes and other settings of the metadata log.
    pub log: Arc<TopicConfig>,
    /// `metadata.max.retention.bytes`; -1 means no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`; -1 means no limit.
    pub retention_ms: i64,
}

/// The open metadata log, led by us.
#[derive(Debug)]
pub(super) struct Quorum {
    disk: Disk,
    dir: PathBuf,
    options: Options,
    log: Log,
    epoch: LeaderEpoch,
    snapshots: BTreeSet<SnapshotId>,
    voters: Option<ControlRecord>,
    kraft_version: i16,
}

/// What was found in the directory when it was opened.
pub(super) struct Opened {
    pub quorum: Quorum,
    pub loader: Loader,
    /// Records that formatting left to begin the log with; used only while the log is empty.
    pub bootstrap: Vec<MetadataRecord>,
}

impl Quorum {
    /// Opens the log in `metadata_dir` and replays it. A directory without one is formatted first.
    pub fn open(
        disk: Disk,
        metadata_dir: &Path,
        options: Options,
        now: Timestamp,
    ) -> Result<Opened> {
        let dir = metadata_dir.join(DIR_NAME);
        if disk.file_len(&dir)?.is_none() {
            disk.create_dir(&dir)?;
        }
        let mut snapshots = snapshots_in(&disk, &dir)?;
        let legacy = snapshot::read(&disk, &metadata_dir.join(LEGACY_BOOTSTRAP))?;
        let formatted = !snapshots.is_empty() || legacy.is_some() || is_logged(&disk, &dir)?;
        if !formatted {
            format(&disk, &dir, &options, now)?;
            snapshots.insert(SnapshotId::BOOTSTRAP);
        }
        let mut loader = Loader::new(&options.cluster_id);
        let mut bootstrap = legacy.map(|contents| contents.records).unwrap_or_default();
        if let Some(&id) = snapshots.last() {
            let contents = snapshot::read(&disk, &dir.join(id.file_name()))?;
            let mut contents = contents
                .ok_or_else(|| Error::corrupt(format!("snapshot {}: no file", id.file_name())))?;
            if id == SnapshotId::BOOTSTRAP && !contents.records.is_empty() {
                bootstrap = std::mem::take(&mut contents.records);
            }
            contents.records.retain(|_| id != SnapshotId::BOOTSTRAP);
            snapshot::load(&mut loader, id, &contents)?;
        }
        let mut log = open_log(&disk, &dir, &options, &loader, now)?;
        replay_log(&mut log, &mut loader)?;
        let quorum = Quorum {
            epoch: last_epoch(&disk, &dir)?.max(log.latest_epoch()).max(0),
            voters: loader.voters.clone().map(ControlRecord::Voters),
            kraft_version: loader.image.kraft_version,
            disk,
            dir,
            options,
            log,
            snapshots,
        };
        quorum.check_voters(&loader)?;
        Ok(Opened { quorum, loader, bootstrap })
    }

    /// Refuses a log that has voters other than us.
    fn check_voters(&self, loader: &Loader) -> Result<()> {
        let node_id = self.options.node_id;
        let voters: Vec<BrokerId> = match &loader.voters {
            Some(record) => record.voters.iter().map(|voter| voter.voter_id).collect(),
            None => self.options.static_voters.clone(),
        };
        if voters.iter().any(|&voter| voter != node_id) {
            return Err(Error::Config(format!(
                "the voters of the metadata quorum are {voters:?}; klamm, with node.id={node_id}, \
                 can only be the one voter of its own metadata log"
            )));
        }
        Ok(())
    }

    /// Starts a new epoch with us as its leader and records that: in `quorum-state`, as a line of
    /// `leader-epoch-checkpoint` and as a LEADER_CHANGE record.
    pub fn become_leader(&mut self, now: Timestamp) -> Result<()> {
        self.epoch = self.epoch.checked_add(1).ok_or_else(|| {
            Error::Config(format!(
                "{}: the metadata log has records of epoch {}, and no epoch follows that one: \
                 restore the directory from a copy",
                self.dir.display(),
                self.epoch
            ))
        })?;
        self.write_quorum_state()?;
        self.log.assign_epoch_start(self.epoch)?;
        let mut records =
            vec![ControlRecord::leader_change(self.options.node_id, &[self.options.node_id])];
        // The log's first batch repeats the voters from the snapshot 0-0; later ones repeat them
        // only if our listeners have changed.
        let us = self.us();
        let is_news = self.log.log_end_offset() == 0 || self.voters.as_ref() != Some(&us);
        if self.kraft_version >= DYNAMIC_VOTERS && is_news {
            records.extend([ControlRecord::KRaftVersion(self.kraft_version), us.clone()]);
            self.voters = Some(us);
        }
        self.append_control(&records, now).map(drop)
    }

    /// Records a higher `kraft.version` together with the voters, which until now came from the
    /// settings.
    pub fn raise_kraft_version(&mut self, level: i16, now: Timestamp) -> Result<Batch> {
        let us = self.us();
        let batch = self.append_control(&[ControlRecord::KRaftVersion(level), us.clone()], now)?;
        self.kraft_version = level;
        self.voters = Some(us);
        Ok(batch)
    }

    /// A voter set that contains only us.
    fn us(&self) -> ControlRecord {
        let (id, directory) = (self.options.node_id, self.options.directory_id);
        ControlRecord::single_voter(id, directory, &self.options.listeners)
    }

    fn write_quorum_state(&self) -> Result<()> {
        let (id, epoch) = (self.options.node_id, self.epoch);
        let leader = format!(r#""leaderId":{id},"leaderEpoch":{epoch},"votedId":-1"#);
        let state = if self.kraft_version >= DYNAMIC_VOTERS {
            let nobody = crate::types::uuid_to_text(Uuid::nil());
            format!(r#"{{{leader},"votedDirectoryId":"{nobody}","data_version":1}}"#)
        } else {
            let voters = format!(r#""currentVoters":[{{"voterId":{id}}}]"#);
            format!(r#"{{"clusterId":"",{leader},"appliedOffset":0,{voters},"data_version":0}}"#)
        };
        let path = self.dir.join(QUORUM_STATE);
        match self.disk.replace_file(&path, state.as_bytes()) {
            // The file fits into one disk sector, so overwriting it in place is atomic too.
            Err(error) if error.is_disk_full() => {
                let file = self.disk.open(&path)?;
                file.write_at(state.as_bytes(), 0)?;
                file.truncate(state.len() as u64)?;
                file.sync_data()
            }
            replaced => replaced,
        }
    }

    fn append_control(&mut self, records: &[ControlRecord], now: Timestamp) -> Result<Batch> {
        let end = self.log.log_end_offset();
        let mut batch = BatchBuilder::new(end, Compression::Uncompressed).control();
        for record in records {
            batch.append(now, Some(&record.key()), Some(&record.value()), &[]);
        }
        let mut batch = batch.build();
        batch.set_leader_epoch(self.epoch);
        self.put(batch.clone(), now)?;
        Ok(batch)
    }

    /// Appends a batch. If the disk is full, releases the log directory's reserve and tries again.
    fn put(&mut self, batch: Batch, now: Timestamp) -> Result<Offset> {
        let appended = self.log.append(vec![batch.clone()], self.epoch, Origin::RaftLeader, now);
        let appended = match (appended, self.dir.parent()) {
            (Err(error), Some(parent)) if error.is_disk_full() => {
                self.disk.release_reserve(parent)?;
                self.log.append(vec![batch], self.epoch, Origin::RaftLeader, now)
            }
            (appended, _) => appended,
        };
        Ok(appended?.last_offset)
    }

    /// Appends records as one batch; returns the offset of the last record and the bytes written.
    /// They are committed once `flush` has returned.
    pub fn append(
        &mut self,
        records: &[MetadataRecord],
        metadata_version: i16,
        now: Timestamp,
    ) -> Result<(Offset, usize)> {
        let end = self.log.log_end_offset();
        let mut batch = BatchBuilder::new(end, Compression::Uncompressed);
        for record in records {
            batch.append(now, None, Some(&record.encode(metadata_version)), &[]);
        }
        let batch = batch.build();
        let size = batch.size();
        Ok((self.put(batch, now)?, size))
    }

    /// Fails if the log's last file is no longer where we opened it, or lacks what we appended.
    pub fn check_file(&self) -> Result<()> {
        self.log.check_active_file()
    }

    /// Makes everything appended durable and thereby committed.
    pub fn flush(&mut self) -> Result<()> {
        self.log.flush()?;
        self.log.set_high_watermark(self.log.log_end_offset());
        Ok(())
    }

    /// The offset after the last record.
    pub fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// The epoch in which we lead.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The finalized level of `kraft.version`.
    pub fn kraft_version(&self) -> i16 {
        self.kraft_version
    }

    /// Identity and settings of this voter.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The newest snapshot, if there is one.
    pub fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.last().copied()
    }

    /// The head of a snapshot taken now.
    pub fn snapshot_head(&self, timestamp: Timestamp, metadata_version: i16) -> Head {
        Head {
            last_contained_timestamp: timestamp,
            kraft_version: self.kraft_version,
            voters: self.voters.clone(),
            metadata_version,
        }
    }

    /// The directory of the log and its snapshots.
    pub fn dir(&self) -> &Path {
        &self.dir
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
            self.disk.remove_file(&self.dir.join(oldest.file_name()))?;
            self.snapshots.remove(&oldest);
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

/// Writes the snapshot 0-0 of a new directory, as `kafka-storage format` of Kafka 4.4 does. It
/// contains the voters unless they come from the settings.
fn format(disk: &Disk, dir: &Path, options: &Options, now: Timestamp) -> Result<()> {
    let dynamic = options.static_voters.is_empty();
    let head = Head {
        last_contained_timestamp: now,
        kraft_version: if dynamic { DYNAMIC_VOTERS } else { 0 },
        voters: dynamic.then(|| {
            ControlRecord::single_voter(options.node_id, options.directory_id, &options.listeners)
        }),
        metadata_version: METADATA_VERSION_4_3,
    };
    let records = bootstrap_records().into_iter();
    snapshot::write(disk, dir, SnapshotId::BOOTSTRAP, &head, records, now)
}

/// The first records of a new cluster.
pub(super) fn bootstrap_records() -> Vec<MetadataRecord> {
    let level = |&(name, feature_level): &(&str, i16)| {
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name: name.to_owned(), feature_level })
    };
    FORMATTED.iter().map(level).collect()
}

fn snapshots_in(disk: &Disk, dir: &Path) -> Result<BTreeSet<SnapshotId>> {
    let names = disk.list(dir)?;
    for name in names.iter().filter(|name| snapshot::is_left_over(name)) {
        disk.remove_file(&dir.join(name))?;
    }
    Ok(names.iter().filter_map(|name| SnapshotId::parse(name)).collect())
}

fn is_logged(disk: &Disk, dir: &Path) -> Result<bool> {
    Ok(disk.list(dir)?.iter().any(|name| name.ends_with(".log")))
}

fn open_log(
    disk: &Disk,
    dir: &Path,
    options: &Options,
    loader: &Loader,
    now: Timestamp,
) -> Result<Log> {
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
    let mut log = Log::open(disk, dir, open)?;
    log.set_topic_id(TOPIC_ID)?;
    let snapshot_end = loader.image.offset.saturating_add(1);
    if log.log_start_offset() > snapshot_end {
        let start = log.log_start_offset();
        return Err(Error::corrupt(format!(
            "metadata log: it starts at {start}, but no snapshot reaches there (the newest ends \
             at {snapshot_end})"
        )));
    }
    Ok(log)
}

/// Replays the log from the end of the snapshot. Records after a gap were never committed: a power
/// loss took the end of one segment and left the next. They are cut off.
fn replay_log(log: &mut Log, loader: &mut Loader) -> Result<()> {
    let mut next = loader.image.offset.saturating_add(1);
    while next < log.log_end_offset() {
        let read = log.read(next, READ_BYTES, Isolation::LogEnd, true)?;
        let mut bytes = BytesMut::new();
        for range in &read.ranges {
            bytes.extend_from_slice(&range.read()?);
        }
        let mut bytes = bytes.freeze();
        let mut is_hole = bytes.is_empty();
        while !bytes.is_empty() && !is_hole {
            let batch = Batch::split_from(&mut bytes)?;
            is_hole = batch.base_offset() > next;
            if batch.last_offset() >= next && !is_hole {
                loader.load_batch(&batch)?;
                next = batch.next_offset();
            }
        }
        if is_hole {
            tracing::warn!(offset = next, "cut the metadata log where its records end");
            log.truncate_to(next)?;
        }
    }
    Ok(())
}

/// The epoch in `quorum-state`, 0 if there is no such file. A torn file (power was lost while it
/// was overwritten on a full disk) and an impossible epoch count as 0 too, because the records in
/// the log carry their epochs.
pub(super) fn last_epoch(disk: &Disk, dir: &Path) -> Result<LeaderEpoch> {
    let path = dir.join(QUORUM_STATE);
    let Some(content) = disk.read_file(&path)? else { return Ok(0) };
    let state: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    match state["data_version"].as_i64() {
        Some(0 | 1) => {}
        Some(version) => return Err(Error::unknown_version(&path, version, "0 and 1")),
        None => {
            tracing::warn!(path = %path.display(), "ignored a broken file");
            return Ok(0);
        }
    }
    let epoch = state["leaderEpoch"].as_i64().and_then(|epoch| i32::try_from(epoch).ok());
    // Each start uses up one epoch, so no real quorum gets that far.
    Ok(epoch.filter(|epoch| (0..=LeaderEpoch::MAX / 2).contains(epoch)).unwrap_or_else(|| {
        let epoch = &state["leaderEpoch"];
        tracing::warn!(path = %path.display(), %epoch, "ignored an epoch that cannot be");
        0
    }))
}
