//! Groups segments to be merged into one (Cleaner.groupSegmentsBySize).

use crate::config::TopicConfig;
use crate::error::Result;
use crate::log::segment::Segment;
use crate::log::{offset_index, time_index};
use crate::types::{Offset, Timestamp};

/// A segment as a pass found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub base_offset: Offset,
    /// The base offset of the next segment.
    pub end: Offset,
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
    index_bytes: usize,
    time_index_bytes: usize,
}

impl Piece {
    /// Describes `segment`; the next one begins at `end`.
    pub fn of(segment: &Segment, end: Offset) -> Result<Piece> {
        Ok(Piece {
            base_offset: segment.base_offset(),
            end,
            size: segment.size(),
            modified: segment.modified()?,
            index_bytes: segment.offset_index.len()? * offset_index::ENTRY_SIZE,
            time_index_bytes: segment.time_index.len()? * time_index::ENTRY_SIZE,
        })
    }
}

/// Groups neighbours that would fit into one segment even if all their records stayed.
pub(super) fn group(pieces: &[Piece], config: &TopicConfig) -> Vec<Vec<Piece>> {
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    for &piece in pieces {
        match groups.last_mut().filter(|group| fits(group, &piece, config)) {
            Some(group) => group.push(piece),
            None => groups.push(vec![piece]),
        }
    }
    groups
}

fn fits(group: &[Piece], piece: &Piece, config: &TopicConfig) -> bool {
    let sum = |of: fn(&Piece) -> u64| group.iter().map(of).sum::<u64>() + of(piece);
    let index_bytes_max = config.segment_index_bytes as u64;
    let offsets = piece.end - 1 - group[0].base_offset;
    sum(|p| p.size) <= config.segment_bytes as u64
        && sum(|p| p.index_bytes as u64) <= index_bytes_max
        && sum(|p| p.time_index_bytes as u64) <= index_bytes_max
        // An empty segment has no offset that an index could not hold.
        && (piece.size == 0 || offsets <= Offset::from(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::config;

    fn check(config: &TopicConfig, sizes: &[(u64, usize)], ends: &[Offset], groups: &[usize]) {
        let piece = |(n, &(size, index_bytes)): (usize, &(u64, usize))| Piece {
            base_offset: if n == 0 { 0 } else { ends[n - 1] },
            end: ends[n],
            size,
            modified: 0,
            index_bytes,
            time_index_bytes: index_bytes,
        };
        let pieces: Vec<Piece> = sizes.iter().enumerate().map(piece).collect();
        let grouped = group(&pieces, config);
        assert_eq!(grouped.iter().map(Vec::len).collect::<Vec<_>>(), groups, "{sizes:?}");
        assert_eq!(grouped.concat(), pieces);
    }

    #[test]
    fn groups_fit_into_one_segment() {
        let config = TopicConfig { segment_bytes: 100, segment_index_bytes: 48, ..config() };
        const FAR: Offset = i32::MAX as Offset;
        check(&config, &[], &[], &[]);
        check(&config, &[(30, 0), (70, 0), (1, 0)], &[1, 2, 3], &[2, 1]);
        check(&config, &[(500, 0), (1, 0), (0, 0)], &[1, 2, 3], &[1, 2]);
        check(&config, &[(1, 24), (1, 24), (1, 1)], &[1, 2, 3], &[2, 1]);
        check(&config, &[(1, 0), (1, 0), (1, 0)], &[1, FAR + 1, FAR + 2], &[2, 1]);
        check(&config, &[(1, 0), (1, 0), (0, 0)], &[1, FAR + 1, FAR + 2], &[3]);
    }
}
