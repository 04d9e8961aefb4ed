//! Snapshots of the metadata: when one is due, it is written in a thread of its own
//! (SnapshotGenerator).

use super::metadata_log::MetadataLog;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::types::Timestamp;
use std::thread::JoinHandle;
use tracing::{error, info};

/// When the next snapshot is due, and the one that is being written.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    bytes_max: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 means no limit.
    interval_ms: i64,
    /// The bytes of records since the last one.
    bytes: u64,
    last: Timestamp,
    writing: Option<(SnapshotId, JoinHandle<Result<()>>)>,
}

impl Snapshots {
    pub fn new(config: &Config, now: Timestamp) -> Snapshots {
        Snapshots {
            bytes_max: config.metadata_log_max_record_bytes_between_snapshots.max(1) as u64,
            interval_ms: config.metadata_log_max_snapshot_interval_ms,
            bytes: 0,
            last: now,
            writing: None,
        }
    }

    /// Notes that this many bytes of records came.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Whether a snapshot should begin now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let is_late = self.interval_ms > 0 && now - self.last >= self.interval_ms;
        self.writing.is_none() && (self.bytes >= self.bytes_max || is_late)
    }

    /// Writes a snapshot in a thread of its own, which gets a cheap clone of the image.
    pub fn begin(
        &mut self,
        log: &MetadataLog,
        image: &Image,
        head: Head,
        now: Timestamp,
    ) -> Result<()> {
        self.last = now;
        self.bytes = 0;
        let id = SnapshotId { offset: image.offset + 1, epoch: image.epoch };
        if log.latest_snapshot() == Some(id) {
            return Ok(());
        }
        let (disk, dir, image) = (log.disk().clone(), log.dir().to_owned(), image.clone());
        let thread = std::thread::Builder::new()
            .name("metadata-snapshot".to_owned())
            .spawn(move || snapshot::write(&disk, &dir, id, &head, image.to_records(), now))
            .map_err(|source| Error::disk(log.dir(), source))?;
        self.writing = Some((id, thread));
        Ok(())
    }

    /// Registers a snapshot that has been written meanwhile.
    pub fn collect(&mut self, log: &mut MetadataLog, now: Timestamp) -> Result<()> {
        let is_written = self.writing.as_ref().is_some_and(|(_, thread)| thread.is_finished());
        if is_written { self.finish(log, now) } else { Ok(()) }
    }

    /// Waits for the snapshot that is being written.
    pub fn finish(&mut self, log: &mut MetadataLog, now: Timestamp) -> Result<()> {
        let Some((id, thread)) = self.writing.take() else { return Ok(()) };
        match thread.join().unwrap_or(Err(Error::Closed)) {
            Ok(()) => {
                info!(offset = id.offset, epoch = id.epoch, "wrote a metadata snapshot");
                log.snapshot_written(id, now)
            }
            // Nothing is lost: the log has every record, and the next snapshot may succeed.
            Err(error) => {
                error!(%error, offset = id.offset, "could not write a metadata snapshot");
                Ok(())
            }
        }
    }
}
