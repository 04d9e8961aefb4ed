//! Reads a metadata log before anything is changed: whether we understand all of it, and which
//! partitions it has, so that a start that would treat their logs as strays can be refused.

use super::election::Election;
use super::metadata_log::DIR_NAME;
use super::quorum::LEGACY_BOOTSTRAP;
use crate::codec::schema::metadata::AbortTransactionRecord;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::log::{ScanEnd, Stopped, producer_snapshot_offset, scan_log};
use crate::metadata::Image;
use crate::metadata::record::MetadataRecord;
use crate::metadata::snapshot::{self, SnapshotId};
use crate::metadata::{Loader, decode_batch};
use crate::record::Batch;
use crate::types::{BrokerId, Offset};
use std::collections::BTreeSet;
use std::path::Path;
use uuid::Uuid;

/// The contents of a metadata log.
#[derive(Debug)]
pub struct Preview {
    /// The image of everything committed.
    pub image: Image,
    /// Topics deleted since the snapshot; logs that remain of them are strays.
    pub deleted_topics: BTreeSet<Uuid>,
    /// Where the valid records end, if the files go on beyond that; the rest will be cut off.
    pub cut: Option<ScanEnd>,
    /// The log ends at the first offset, and the file shows that it had reached the second.
    pub lost: Option<(Offset, Offset, String)>,
    /// Whether the log holds more than what formatting wrote.
    pub is_begun: bool,
    /// Who last led the quorum.
    pub leader: Option<BrokerId>,
    /// The voters in the log; empty if they come from the settings.
    pub voters: Vec<BrokerId>,
}

/// Reads what `Quorum::open` will read, without changing anything; None if there is no metadata
/// log. A file or record that we do not understand is an error that says what to do
/// (`Error::Config`).
pub fn preview(disk: &Disk, metadata_dir: &Path, stopped: Stopped) -> Result<Option<Preview>> {
    let dir = metadata_dir.join(DIR_NAME);
    let names = match disk.file_len(&dir)? {
        Some(_) => disk.list_files(&dir, |name| SnapshotId::parse(name).is_some())?,
        None => Vec::new(),
    };
    let is_logged = names.iter().any(|name| name.ends_with(".log"));
    let snapshot = names.iter().filter_map(|name| SnapshotId::parse(name)).max();
    let is_formatted =
        snapshot.is_some() || disk.file_len(&metadata_dir.join(LEGACY_BOOTSTRAP))?.is_some();
    if !is_logged && !is_formatted {
        return Ok(None);
    }
    let leader = Election::read(disk, &dir)?.leader;
    let mut reader = Reader { loader: Loader::new(""), deleted_topics: BTreeSet::new() };
    if let Some(id) = snapshot {
        reader.load_snapshot(disk, &dir, id)?;
    }
    let start = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).min();
    let (end, cut) = match start {
        Some(start) => reader.load_log(disk, &dir, start)?,
        None => (0, None),
    };
    let lost = reached(&names, stopped).filter(|(reached, _)| *reached > end);
    let lost = lost.map(|(reached, name)| (end, reached, name.to_owned()));
    if reader.loader.in_transaction() {
        // The next leader will abort this transaction.
        reader
            .loader
            .replay(&MetadataRecord::AbortTransaction(AbortTransactionRecord::default()))?;
    }
    let Reader { loader, deleted_topics } = reader;
    let is_begun = is_logged || loader.image.offset >= 0;
    let voters = loader.voters.iter().flat_map(|record| &record.voters);
    let voters = voters.map(|voter| voter.voter_id).collect();
    let image = loader.image;
    Ok(Some(Preview { image, deleted_topics, cut, lost, is_begun, leader, voters }))
}

struct Reader {
    loader: Loader,
    deleted_topics: BTreeSet<Uuid>,
}

impl Reader {
    fn load_snapshot(&mut self, disk: &Disk, dir: &Path, id: SnapshotId) -> Result<()> {
        let path = dir.join(id.file_name());
        let refused = |error| refused(&path, error);
        let contents = snapshot::read(disk, &path).map_err(refused)?;
        let Some(mut contents) = contents else { return Ok(()) };
        // Records written by formatting only seed an empty log.
        contents.records.retain(|_| id != SnapshotId::BOOTSTRAP);
        snapshot::load(&mut self.loader, id, &contents).map_err(refused)
    }

    /// Returns the offset and, if the files go on beyond that, the place where the valid records
    /// end.
    fn load_log(
        &mut self,
        disk: &Disk,
        dir: &Path,
        start: Offset,
    ) -> Result<(Offset, Option<ScanEnd>)> {
        let mut next = self.loader.image.offset + 1;
        if start > next {
            return Err(Error::Config(format!(
                "{}: the metadata log starts at {start}, but no snapshot reaches there (the newest \
                 ends at {next}). Nothing was changed: put the missing files back.",
                dir.display()
            )));
        }
        let mut hole = None;
        let (end, cut) = scan_log(disk, dir, next, |path, position, batch| {
            if hole.is_some() || batch.last_offset() < next {
                return Ok(());
            }
            if batch.base_offset() > next {
                hole = Some(ScanEnd { path: path.to_owned(), position });
                return Ok(());
            }
            next = batch.next_offset();
            self.load_batch(batch).map_err(|error| refused(path, error))
        })?;
        Ok(match hole {
            Some(hole) => (next, Some(hole)),
            None => (end, cut),
        })
    }

    fn load_batch(&mut self, batch: &Batch) -> Result<()> {
        if !batch.is_control() {
            for record in decode_batch(batch)? {
                if let MetadataRecord::RemoveTopic(removed) = record {
                    self.deleted_topics.insert(removed.topic_id);
                }
            }
        }
        self.loader.load_batch(batch)
    }
}

/// How far the log had come according to its snapshots, and the name of that file. Records are
/// durable before a metadata snapshot has them; a producer snapshot may come first, which only
/// matters if the power was lost.
fn reached(names: &[String], stopped: Stopped) -> Option<(Offset, &str)> {
    let reached = |name: &str| {
        let snapshot = SnapshotId::parse(name).map(|id| id.offset);
        snapshot.or_else(|| producer_snapshot_offset(name).filter(|_| stopped != Stopped::Unknown))
    };
    names.iter().filter_map(|name| Some((reached(name)?, &**name))).max()
}

fn refused(path: &Path, error: Error) -> Error {
    match error {
        Error::Corrupt { what } => Error::newer(path, what),
        error => error,
    }
}
