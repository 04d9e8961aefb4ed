//! Snapshots: an image in a file, written as batches like those of a log (Snapshots,
//! RecordsSnapshotWriter).
//!
//! ```text
//! <offset, 20 digits>-<epoch, 10 digits>.checkpoint     offset: one past the last record contained
//! control batch: SNAPSHOT_HEADER [KRAFT_VERSION [KRAFT_VOTERS]]
//! data batches:  the records that make the image
//! control batch: SNAPSHOT_FOOTER
//! ```

use super::control::ControlRecord;
use super::loader::{Loader, decode_batch};
use super::record::MetadataRecord;
use crate::config::Compression;
use crate::disk::{Disk, File};
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::types::{LeaderEpoch, Offset, Timestamp};
use bytes::Bytes;
use std::path::Path;

const SUFFIX: &str = ".checkpoint";
const PART: &str = ".part";
/// Kafka's limit (KafkaRaftClient.MAX_BATCH_SIZE_BYTES).
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Identifies a snapshot, which contains every record below `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    pub offset: Offset,
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The snapshot that formatting writes.
    pub const BOOTSTRAP: SnapshotId = SnapshotId { offset: 0, epoch: 0 };

    /// The name of its file.
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.offset, self.epoch)
    }

    /// Parses a file name; None unless it names a finished snapshot.
    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        Some(SnapshotId { offset: offset.parse().ok()?, epoch: epoch.parse().ok()? })
    }
}

/// The name of the file while it is not complete.
pub fn part_name(id: SnapshotId) -> String {
    format!("{}{PART}", id.file_name())
}

/// Whether the file is an unfinished snapshot or one that is to be deleted.
pub fn is_left_over(name: &str) -> bool {
    name.ends_with(".checkpoint.part") || name.ends_with(".checkpoint.deleted")
}

/// The parts of a snapshot other than its records.
#[derive(Clone, Debug)]
pub struct Head {
    /// When the last record contained was written.
    pub last_contained_timestamp: Timestamp,
    pub kraft_version: i16,
    /// A `ControlRecord::Voters`, from `kraft.version` 1 on.
    pub voters: Option<ControlRecord>,
    pub metadata_version: i16,
}

/// Writes a snapshot so that it appears as a whole or not at all.
pub fn write(
    disk: &Disk,
    dir: &Path,
    id: SnapshotId,
    head: &Head,
    records: impl Iterator<Item = MetadataRecord>,
    now: Timestamp,
) -> Result<()> {
    let path = dir.join(id.file_name());
    let part = dir.join(part_name(id));
    disk.remove_file(&part)?;
    let file = disk.open(&part)?;
    let written = write_to(file, id, head, records, now);
    // A partial file is useless, and after a full disk its space is needed.
    written.inspect_err(|_| drop(disk.remove_file(&part)))?;
    disk.rename(&part, &path)
}

fn write_to(
    file: File,
    id: SnapshotId,
    head: &Head,
    records: impl Iterator<Item = MetadataRecord>,
    now: Timestamp,
) -> Result<()> {
    let mut writer = Writer { file, size: 0, epoch: id.epoch, next_offset: 0, now };
    let mut first = vec![ControlRecord::snapshot_header(head.last_contained_timestamp)];
    if head.kraft_version > 0 {
        first.push(ControlRecord::KRaftVersion(head.kraft_version));
        first.extend(head.voters.clone());
    }
    writer.control(&first)?;
    writer.data(records, head.metadata_version)?;
    writer.control(&[ControlRecord::SnapshotFooter])?;
    writer.file.sync_data()
}

struct Writer {
    file: File,
    size: u64,
    epoch: LeaderEpoch,
    next_offset: Offset,
    now: Timestamp,
}

impl Writer {
    fn control(&mut self, records: &[ControlRecord]) -> Result<()> {
        let mut batch = BatchBuilder::new(self.next_offset, Compression::Uncompressed).control();
        for record in records {
            batch.append(self.now, Some(&record.key()), Some(&record.value()), &[]);
        }
        self.put(batch)
    }

    fn data(
        &mut self,
        records: impl Iterator<Item = MetadataRecord>,
        metadata_version: i16,
    ) -> Result<()> {
        let mut batch = BatchBuilder::new(self.next_offset, Compression::Uncompressed);
        for record in records.filter_map(|record| record.at(metadata_version)) {
            batch.append(self.now, None, Some(&record.encode(metadata_version)), &[]);
            if batch.uncompressed_bytes() >= BATCH_BYTES_MAX {
                self.put(batch)?;
                batch = BatchBuilder::new(self.next_offset, Compression::Uncompressed);
            }
        }
        if batch.is_empty() { Ok(()) } else { self.put(batch) }
    }

    fn put(&mut self, batch: BatchBuilder) -> Result<()> {
        let mut batch = batch.build();
        batch.set_leader_epoch(self.epoch);
        self.file.write_at(&batch.to_bytes(), self.size)?;
        self.size += batch.size() as u64;
        self.next_offset = batch.next_offset();
        Ok(())
    }
}

/// The contents of a snapshot file.
#[derive(Debug)]
pub struct Contents {
    pub control: Vec<Batch>,
    pub records: Vec<MetadataRecord>,
}

/// Reads a snapshot file; None if there is none. A damaged or incomplete one is an error
/// (`Error::Config`): whatever it lacks would look as if the cluster never had it.
pub fn read(disk: &Disk, path: &Path) -> Result<Option<Contents>> {
    let Some(bytes) = disk.read_file(path)? else { return Ok(None) };
    let mut bytes = Bytes::from(bytes);
    let mut contents = Contents { control: Vec::new(), records: Vec::new() };
    let mut is_whole = false;
    while !bytes.is_empty() {
        let batch = match Batch::split_from(&mut bytes) {
            Ok(batch) if batch.checksum_holds() => batch,
            _ => return Err(damaged(path)),
        };
        is_whole = batch.is_control() && ends_snapshot(&batch)?;
        if batch.is_control() {
            contents.control.push(batch);
        } else {
            contents.records.extend(decode_batch(&batch)?);
        }
    }
    if is_whole { Ok(Some(contents)) } else { Err(damaged(path)) }
}

fn ends_snapshot(batch: &Batch) -> Result<bool> {
    let records = batch.records(i32::MAX as usize)?;
    let last = records.last().map(ControlRecord::decode).transpose()?;
    Ok(matches!(last, Some(ControlRecord::SnapshotFooter)))
}

fn damaged(path: &Path) -> Error {
    Error::Config(format!(
        "{}: this snapshot of the metadata is damaged or not whole. Nothing was changed: restore the \
         file from a copy, or, if an older snapshot and the whole log behind that one are there, \
         move it away.",
        path.display()
    ))
}

/// Loads a snapshot into a fresh loader.
pub fn load(loader: &mut Loader, id: SnapshotId, contents: &Contents) -> Result<()> {
    for batch in &contents.control {
        loader.load_control_batch(batch)?;
    }
    for record in &contents.records {
        loader.replay(record)?;
    }
    loader.image.offset = id.offset - 1;
    loader.image.epoch = id.epoch;
    Ok(())
}
