//! A map from keys to their last offsets, in a fixed amount of memory (SkimpyOffsetMap).

use crate::types::Offset;
use std::hash::{BuildHasher, RandomState};

/// Bytes per key: 16 for the hash and 8 for the offset, so that as many keys fit as in Kafka.
const SLOT_BYTES: usize = 24;
/// Kafka's limit for the map of one thread.
const BYTES_MAX: usize = i32::MAX as usize;

/// Knows keys only by a 128-bit hash. The hashes never reach the disk, so they need not be Kafka's
/// MD5: two SipHashes with random keys are used, for which nobody can construct colliding keys.
#[derive(Debug)]
pub(super) struct OffsetMap {
    /// Hash, and offset + 1; all zeros in a free slot. Open addressing with linear probing. The
    /// system allocates a page when it is first touched, so a map with few keys takes little
    /// memory.
    slots: Vec<[u64; 3]>,
    entries: usize,
    entries_max: usize,
    hashers: [RandomState; 2],
    latest: Offset,
}

impl OffsetMap {
    /// An empty map of `bytes` bytes that can be filled up to `load_factor` (0 to 1).
    pub fn new(bytes: usize, load_factor: f64) -> OffsetMap {
        let slots = (bytes.min(BYTES_MAX) / SLOT_BYTES).max(2);
        let entries_max = (slots as f64 * load_factor) as usize;
        OffsetMap {
            slots: vec![[0; 3]; slots],
            entries: 0,
            // A search ends at a free slot, so one must remain.
            entries_max: entries_max.clamp(1, slots - 1),
            hashers: [RandomState::new(), RandomState::new()],
            latest: -1,
        }
    }

    /// The slot of `key`, or the free one that it would take.
    fn find(&self, key: &[u8]) -> (usize, [u64; 2]) {
        let hash = [self.hashers[0].hash_one(key), self.hashers[1].hash_one(key)];
        let mut at = (hash[0] % self.slots.len() as u64) as usize;
        loop {
            let [first, second, offset] = self.slots[at];
            if offset == 0 || [first, second] == hash {
                return (at, hash);
            }
            at = (at + 1) % self.slots.len();
        }
    }

    /// The last offset of `key`; None if it is not in the map.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let (at, _) = self.find(key);
        self.slots[at][2].checked_sub(1).map(|offset| offset as Offset)
    }

    /// Sets the last offset of `key`. Returns false without effect if the map is full.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.entries == self.entries_max {
            return false;
        }
        let (at, [first, second]) = self.find(key);
        self.entries += usize::from(self.slots[at][2] == 0);
        self.slots[at] = [first, second, offset as u64 + 1];
        self.latest = offset;
        true
    }

    /// Declares that every record up to `offset` is in the map.
    pub fn set_latest(&mut self, offset: Offset) {
        self.latest = offset;
    }

    /// The offset up to which the map covers the log; -1 if it is empty.
    pub fn latest(&self) -> Offset {
        self.latest
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_map_is_a_map_until_it_is_full() {
        let mut map = OffsetMap::new(1000 * SLOT_BYTES, 0.9);
        let mut model = HashMap::new();
        let mut random = fastrand::Rng::with_seed(7);
        for offset in 0.. {
            let key = random.u32(0..2000).to_be_bytes();
            if !map.put(&key, offset) {
                break;
            }
            model.insert(key, offset);
            assert_eq!((map.latest(), map.len()), (offset, model.len()));
        }
        assert_eq!(map.len(), 900);
        for key in (0..2000u32).map(u32::to_be_bytes) {
            assert_eq!(map.get(&key), model.get(&key).copied());
        }
        assert_eq!(map.get(b""), None);
        // However little memory there is, one key fits and a search ends.
        let mut map = OffsetMap::new(0, 2.0);
        assert!(map.put(b"a", 0) && !map.put(b"b", 1));
        assert_eq!((map.get(b"a"), map.get(b"b")), (Some(0), None));
    }
}
