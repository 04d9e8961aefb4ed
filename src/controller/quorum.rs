//! The metadata log as its only voter keeps it: `__cluster_metadata-0` with segments, snapshots and
//! `quorum-state` (KafkaRaftLog, FileQuorumStateStore).

use super::election::{DYNAMIC_VOTERS, Election};
use super::metadata_log::{DIR_NAME, LogOptions, MetadataLog, load_snapshot, snapshots_in};
use crate::codec::schema::metadata::FeatureLevelRecord;
use crate::config::Compression;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::Origin;
use crate::metadata::Loader;
use crate::metadata::control::ControlRecord;
use crate::metadata::features::{FORMATTED, METADATA_VERSION_4_3};
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{BrokerId, LeaderEpoch, Offset, Timestamp};
use std::path::Path;
use uuid::Uuid;

pub(super) const LEGACY_BOOTSTRAP: &str = "bootstrap.checkpoint";

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
    /// The settings of the metadata log.
    pub log: LogOptions,
}

/// The open metadata log, led by us.
#[derive(Debug)]
pub(super) struct Quorum {
    options: Options,
    log: MetadataLog,
    epoch: LeaderEpoch,
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
        let election = Election::read(&disk, &dir)?;
        let mut loader = Loader::new(&options.cluster_id);
        let mut bootstrap = legacy.map(|contents| contents.records).unwrap_or_default();
        if let Some(&id) = snapshots.last() {
            let seed = load_snapshot(&disk, &dir, id, &mut loader)?;
            if !seed.is_empty() {
                bootstrap = seed;
            }
        }
        let snapshot_end = loader.image.offset.saturating_add(1);
        let mut log =
            MetadataLog::open(disk, dir, options.log.clone(), snapshots, snapshot_end, now)?;
        log.replay(&mut loader, Offset::MAX)?;
        let quorum = Quorum {
            epoch: election.epoch.max(log.log.latest_epoch()).max(0),
            voters: loader.voters.clone().map(ControlRecord::Voters),
            kraft_version: loader.image.kraft_version,
            options,
            log,
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
                self.log.dir().display(),
                self.epoch
            ))
        })?;
        self.write_quorum_state()?;
        self.log.log.assign_epoch_start(self.epoch)?;
        let mut records =
            vec![ControlRecord::leader_change(self.options.node_id, &[self.options.node_id])];
        // The log's first batch repeats the voters from the snapshot 0-0; later ones repeat them
        // only if our listeners have changed.
        let us = self.us();
        let is_news = self.end_offset() == 0 || self.voters.as_ref() != Some(&us);
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
        let us = self.options.node_id;
        let election = Election { leader: Some(us), epoch: self.epoch };
        election.write(self.log.disk(), self.log.dir(), self.kraft_version, &[us])
    }

    fn append_control(&mut self, records: &[ControlRecord], now: Timestamp) -> Result<Batch> {
        let end = self.end_offset();
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
        let (epoch, log) = (self.epoch, &mut self.log.log);
        let appended = log.append(vec![batch.clone()], epoch, Origin::RaftLeader, now);
        let appended = match (appended, self.log.dir().parent()) {
            (Err(error), Some(parent)) if error.is_disk_full() => {
                self.log.disk().release_reserve(parent)?;
                self.log.log.append(vec![batch], epoch, Origin::RaftLeader, now)
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
        let end = self.end_offset();
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
        self.log.log.check_active_file()
    }

    /// Makes everything appended durable and thereby committed.
    pub fn flush(&mut self) -> Result<()> {
        let log = &mut self.log.log;
        log.flush()?;
        log.set_high_watermark(log.log_end_offset());
        Ok(())
    }

    /// The offset after the last record.
    pub fn end_offset(&self) -> Offset {
        self.log.log.log_end_offset()
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

    /// The log and its snapshots.
    pub fn log(&mut self) -> &mut MetadataLog {
        &mut self.log
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

    /// Closes the log.
    pub fn close(&mut self) -> Result<()> {
        self.log.close()
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

fn is_logged(disk: &Disk, dir: &Path) -> Result<bool> {
    Ok(disk.list(dir)?.iter().any(|name| name.ends_with(".log")))
}
