//! `.txnindex`: the aborted transactions that end in a segment (TransactionIndex). The file is
//! created by the first of them.
//!
//! ```text
//! 0 version i16 = 0 | 2 producer id i64 | 10 first offset i64 | 18 last offset i64
//! 26 last stable offset when it was written i64                                  (34 bytes)
//! ```

use super::{file_name, put_off};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{Offset, ProducerId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Size of an entry in bytes.
const ENTRY_SIZE: usize = 34;
/// Suffix of the file's name.
pub(super) const SUFFIX: &str = ".txnindex";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AbortedTransaction {
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its marker.
    pub last_offset: Offset,
    /// The last stable offset when it was written. A reader below this needs no later entries.
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    fn is_sound(&self, base_offset: Offset) -> bool {
        let first = 0..self.last_offset;
        self.producer_id >= 0
            && first.contains(&self.first_offset)
            && self.last_offset >= base_offset
            && (0..=self.last_offset.saturating_add(1)).contains(&self.last_stable_offset)
    }
}

#[derive(Debug)]
pub(super) struct TransactionIndex {
    disk: Disk,
    dir: Arc<Path>,
    base_offset: Offset,
    suffix: &'static str,
    /// The number of entries in the file.
    entries: usize,
    /// Entries that follow those, which a full disk did not take.
    unwritten: Vec<AbortedTransaction>,
}

impl TransactionIndex {
    /// Opens the index on disk. An incomplete file, or entries that are impossible in a segment
    /// that begins at `base_offset`, are an error (Corrupt).
    pub fn open(disk: &Disk, dir: &Arc<Path>, base_offset: Offset) -> Result<TransactionIndex> {
        let mut index = TransactionIndex::create(disk, dir, base_offset, SUFFIX);
        let len = disk.file_len(&index.path())?.unwrap_or(0) as usize;
        index.entries = len / ENTRY_SIZE;
        let all = index.all()?;
        let are_sound = all.iter().all(|aborted| aborted.is_sound(base_offset));
        if !len.is_multiple_of(ENTRY_SIZE)
            || !are_sound
            || !all.is_sorted_by_key(|aborted| aborted.last_offset)
        {
            return Err(Error::corrupt(format!("transaction index {}", index.path().display())));
        }
        Ok(index)
    }

    /// Whether all transactions end below `limit`, where the next segment begins.
    pub fn ends_before(&self, limit: Offset) -> Result<bool> {
        let has_entries = self.entries > 0;
        Ok(!has_entries || self.all()?.last().is_none_or(|last| last.last_offset < limit))
    }

    /// An empty index in a file with this suffix.
    pub fn create(
        disk: &Disk,
        dir: &Arc<Path>,
        base_offset: Offset,
        suffix: &'static str,
    ) -> TransactionIndex {
        let (disk, dir) = (disk.clone(), dir.clone());
        TransactionIndex { disk, dir, base_offset, suffix, entries: 0, unwritten: Vec::new() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join(file_name(self.base_offset, self.suffix))
    }

    /// Appends an entry. The batches are already written, so this must not fail for lack of space:
    /// an entry that a full disk does not take stays in memory, and sealing the segment reports the
    /// error.
    pub fn append(&mut self, aborted: AbortedTransaction) -> Result<()> {
        self.unwritten.push(aborted);
        put_off(self.flush())
    }

    /// Writes the entries that are only in memory.
    pub fn flush(&mut self) -> Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = self.unwritten.iter().flat_map(encode).collect();
        let position = (self.entries * ENTRY_SIZE) as u64;
        self.disk.open(&self.path())?.write_at(&bytes, position)?;
        self.entries += self.unwritten.len();
        self.unwritten.clear();
        Ok(())
    }

    /// All entries, in the order of their markers.
    pub fn all(&self) -> Result<Vec<AbortedTransaction>> {
        if self.entries == 0 {
            return Ok(self.unwritten.clone());
        }
        let mut bytes = vec![0; self.entries * ENTRY_SIZE];
        self.disk.open(&self.path())?.read_exact_at(&mut bytes, 0)?;
        let stored = bytes.chunks_exact(ENTRY_SIZE).map(|entry| self.decode(entry));
        stored.chain(self.unwritten.iter().map(|aborted| Ok(*aborted))).collect()
    }

    fn decode(&self, entry: &[u8]) -> Result<AbortedTransaction> {
        let (version, fields) = entry.split_at(2);
        if version != [0, 0] {
            return Err(Error::corrupt(format!("version in {}", self.path().display())));
        }
        let field =
            |n: usize| i64::from_be_bytes(fields[n * 8..n * 8 + 8].try_into().expect("8 bytes"));
        Ok(AbortedTransaction {
            producer_id: field(0),
            first_offset: field(1),
            last_offset: field(2),
            last_stable_offset: field(3),
        })
    }

    /// Adds to `found` the transactions that a reader of offsets `from..upper` must skip. Returns
    /// whether later segments cannot have any more.
    pub fn collect(
        &self,
        from: Offset,
        upper: Offset,
        found: &mut Vec<(ProducerId, Offset)>,
    ) -> Result<bool> {
        for aborted in self.all()? {
            if aborted.last_offset >= from && aborted.first_offset < upper {
                found.push((aborted.producer_id, aborted.first_offset));
            }
            if aborted.last_stable_offset >= upper {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps the transactions whose marker is below `offset`.
    pub fn truncate_to(&mut self, offset: Offset) -> Result<()> {
        let keep = self.all()?.partition_point(|aborted| aborted.last_offset < offset);
        self.unwritten.truncate(keep.saturating_sub(self.entries));
        if keep < self.entries {
            self.entries = keep;
            self.disk.open(&self.path())?.truncate((keep * ENTRY_SIZE) as u64)?;
        }
        Ok(())
    }

    /// Removes all entries, even if they cannot be read. An existing file stays.
    pub fn reset(&mut self) -> Result<()> {
        self.entries = 0;
        self.unwritten.clear();
        match self.disk.file_len(&self.path())? {
            None | Some(0) => Ok(()),
            Some(_) => self.disk.open(&self.path())?.truncate(0),
        }
    }
}

fn encode(aborted: &AbortedTransaction) -> [u8; ENTRY_SIZE] {
    let mut entry = [0; ENTRY_SIZE];
    let fields = [
        aborted.producer_id,
        aborted.first_offset,
        aborted.last_offset,
        aborted.last_stable_offset,
    ];
    for (to, field) in entry[2..].chunks_exact_mut(8).zip(fields) {
        to.copy_from_slice(&field.to_be_bytes());
    }
    entry
}
