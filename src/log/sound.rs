//! Searches damaged files for batches that can still be read.

use crate::disk::File;
use crate::error::{Error, Result};
use crate::record::{Batch, LOG_OVERHEAD, MAGIC, MAGIC_AT};
use crate::types::Offset;
use bytes::Bytes;

/// Bytes searched at a time.
const WINDOW: usize = 1 << 20;
/// The most bytes whose checksums are computed, in addition to twice the bytes searched.
const MOST_CHECKED: u64 = 64 << 20;

/// A valid batch where none was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub position: u64,
    /// The batch's first offset; -1 if the search was given up, because it would have taken too
    /// long.
    pub base_offset: Offset,
}

/// The first valid batch that begins between two positions of a file, at any byte.
pub(super) fn find_sound(file: &File, position: u64, end: u64) -> Result<Option<Sound>> {
    let mut budget = MOST_CHECKED.saturating_add(2 * end.saturating_sub(position));
    let mut at = position;
    while end.saturating_sub(at) > MAGIC_AT as u64 {
        let mut window = vec![0; (end - at).min(WINDOW as u64) as usize];
        let read = file.read_at(&mut window, at)?;
        let Some(starts) = read.checked_sub(MAGIC_AT).filter(|starts| *starts > 0) else { break };
        for start in 0..starts {
            let position = at + start as u64;
            let Some(size) = claimed_size(&window[start..read], end - position) else { continue };
            let sound = |base_offset| Ok(Some(Sound { position, base_offset }));
            let Some(left) = budget.checked_sub(size) else { return sound(-1) };
            budget = left;
            if let Some(base_offset) = sound_batch(file, position, size)? {
                return sound(base_offset);
            }
        }
        at += starts as u64;
    }
    Ok(None)
}

/// The size of a batch that would begin with `bytes`, if it fits into the `left` bytes of the file.
fn claimed_size(bytes: &[u8], left: u64) -> Option<u64> {
    if !(0..=MAGIC).contains(&(bytes[MAGIC_AT] as i8)) {
        return None;
    }
    // `next_size` cannot tell whether the file has all of it.
    Batch::next_size(bytes).ok()?;
    let length = i32::from_be_bytes(*bytes[8..].first_chunk()?);
    let size = u64::try_from(length).ok()? + LOG_OVERHEAD as u64;
    (size <= left).then_some(size)
}

fn sound_batch(file: &File, position: u64, size: u64) -> Result<Option<Offset>> {
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, position)?;
    let base_offset = i64::from_be_bytes(*bytes.first_chunk().expect("a batch has a header"));
    match Batch::split_stored(&mut Bytes::from(bytes)) {
        Ok(batch) => Ok(batch.checksum_holds().then_some(base_offset)),
        // It is valid, but this version cannot decode it.
        Err(Error::Config(_)) => Ok(Some(base_offset)),
        Err(_) => Ok(None),
    }
}
