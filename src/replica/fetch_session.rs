//! Incremental fetch sessions (KIP-227): requests and responses contain only the partitions that
//! changed. A session watches its partitions, so a poll costs as many as have changed, not all.

use super::partition::{Offsets, Partition, PartitionFetch};
use super::purgatory::{Watch, WatchId};
use crate::sync::lock;
use crate::types::{Isolation, Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use uuid::Uuid;

/// A partition as a fetcher names it: by topic id from version 13 on, before that by topic name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchKey {
    /// Its topic, as the fetcher names it.
    pub topic: TopicKey,
    /// Index of the partition.
    pub partition: i32,
}

/// A topic by id or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// From Fetch version 13 on.
    Id(Uuid),
    /// Before version 13.
    Name(HashedName),
}

/// A topic name with its hash, computed once because the name may be long and is looked up for each
/// partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedName {
    name: Arc<str>,
    hash: u64,
}

impl From<&str> for HashedName {
    fn from(name: &str) -> HashedName {
        static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        HashedName { name: Arc::from(name), hash: HASHES.hash_one(name) }
    }
}

impl Deref for HashedName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Hash for HashedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// What one fetcher asks for, from poll to poll. A fetch without a session uses one that is dropped
/// after the response.
#[derive(Debug)]
pub struct FetchSession {
    /// 0 until it is in the cache.
    pub(super) id: i32,
    /// The epoch expected in the next request.
    pub(super) epoch: i32,
    pub(super) by_topic_id: bool,
    /// Indexed by the slot numbers that `watch` marks.
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    by_key: HashMap<FetchKey, usize>,
    /// Slots to look at, by position: new, changed, or with more to read. All others were answered
    /// in full and have not changed since.
    pending: BTreeMap<u64, usize>,
    next_position: u64,
    isolation: Isolation,
    /// When partitions without news were last looked at for a follower, and when all of them were.
    looked_at: (Timestamp, Timestamp),
    watch: Arc<Watch>,
}

/// One partition of a session (CachedPartition).
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: FetchKey,
    pub(super) asked: PartitionFetch,
    /// The topic's name, once the key was resolved.
    pub(super) topic: Option<Arc<str>>,
    /// Place in the rotation: a partition that returned records goes to the end.
    position: u64,
    /// Whether the fetcher is a follower that was in the ISR when the partition was last looked at.
    pub(super) is_in_sync: bool,
    /// What the fetcher was told last; -1 initially, after an error, and once it was sent elsewhere.
    high_watermark: Offset,
    log_start: Offset,
    watched: Option<Watched>,
}

/// A registration with a partition, which ends when this is dropped.
#[derive(Debug)]
struct Watched {
    partition: Arc<Partition>,
    id: Option<WatchId>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.partition.unwatch(id);
        }
    }
}

/// How often, in milliseconds, a follower's fetches look at the partitions that it may join the ISR
/// of.
const LOOK_MS: i64 = 200;
/// The same for all its partitions: a follower is taken to be that much later than it is, at most,
/// which has to be little beside `replica.lag.time.max.ms`.
const LOOK_AT_ALL_MS: i64 = 2_000;

impl FetchSession {
    /// A session that is not in the cache yet.
    pub fn new(by_topic_id: bool) -> FetchSession {
        FetchSession {
            id: 0,
            epoch: 0,
            by_topic_id,
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            pending: BTreeMap::new(),
            next_position: 0,
            isolation: Isolation::HighWatermark,
            looked_at: (0, 0),
            watch: Arc::default(),
        }
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether it has no partitions.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Adds, updates and forgets partitions as a request says (FetchSession.update).
    pub fn update(&mut self, asked: Vec<(FetchKey, PartitionFetch)>, forgotten: &[FetchKey]) {
        for (key, asked) in asked {
            let slot = match self.by_key.get(&key) {
                Some(slot) => *slot,
                None => self.add(key, asked),
            };
            self.slot_mut(slot).asked = asked;
            self.set_pending(slot);
        }
        for key in forgotten {
            if let Some(slot) = self.by_key.remove(key) {
                let position = self.slot(slot).position;
                self.pending.remove(&position);
                self.slots[slot] = None;
                self.free.push(slot);
            }
        }
    }

    /// Sets how much the fetcher may see. After a change all partitions are looked at again.
    pub(super) fn set_isolation(&mut self, isolation: Isolation) {
        if self.isolation != isolation {
            self.isolation = isolation;
            for slot in 0..self.slots.len() {
                self.set_pending(slot);
            }
        }
    }

    /// Lets a follower's fetch look at partitions without news, if that was not done just before. A
    /// follower that waits for records is up to date in all of them, and the leader has to know that.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        let (looked, looked_at_all) = self.looked_at;
        if now - looked < LOOK_MS {
            return;
        }
        let is_all = now - looked_at_all >= LOOK_AT_ALL_MS;
        self.looked_at = (now, if is_all { now } else { looked_at_all });
        for slot in 0..self.slots.len() {
            if self.slots[slot].as_ref().is_some_and(|entry| is_all || !entry.is_in_sync) {
                self.set_pending(slot);
            }
        }
    }

    /// The watch whose marks tell which partitions have changed.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// The slots to look at, in rotation order.
    pub(super) fn pending(&mut self) -> Vec<usize> {
        for slot in self.watch.take() {
            self.set_pending(slot);
        }
        self.pending.values().copied().collect()
    }

    pub(super) fn slot(&self, slot: usize) -> &Slot {
        self.slots[slot].as_ref().expect("by_key, pending and callers name only slots in use")
    }

    pub(super) fn slot_mut(&mut self, slot: usize) -> &mut Slot {
        self.slots[slot].as_mut().expect("by_key, pending and callers name only slots in use")
    }

    /// Lets every change of `partition` mark `slot` from now on.
    pub(super) fn watch_partition(&mut self, slot: usize, partition: &Arc<Partition>) {
        if self.is_watched(slot, partition) {
            return;
        }
        let id = partition.watch(&self.watch, slot);
        let watched = Watched { partition: Arc::clone(partition), id: Some(id) };
        self.slot_mut(slot).watched = Some(watched);
    }

    /// Ends the registration of a slot whose partition is gone; returns whether there was one.
    pub(super) fn unwatch(&mut self, slot: usize) -> bool {
        self.slot_mut(slot).watched.take().is_some()
    }

    fn is_watched(&self, slot: usize, partition: &Arc<Partition>) -> bool {
        let watched = self.slot(slot).watched.as_ref();
        watched.is_some_and(|watched| Arc::ptr_eq(&watched.partition, partition))
    }

    /// Records what the response says about `slot`; returns whether an incremental response must
    /// include it (CachedPartition.maybeUpdateResponseData).
    pub(super) fn answered(&mut self, slot: usize, told: &Reported) -> bool {
        let entry = self.slot_mut(slot);
        let is_news = told.has_records
            || told.has_error
            || told.sends_elsewhere
            || entry.high_watermark != told.offsets.high_watermark
            || entry.log_start != told.offsets.log_start;
        // After an error the partition is included again once the error is gone. A follower that
        // is to truncate does not take the high watermark in with that answer.
        let is_taken_in = !told.has_error && !told.sends_elsewhere;
        entry.high_watermark = if is_taken_in { told.offsets.high_watermark } else { -1 };
        entry.log_start = told.offsets.log_start;
        let position = entry.position;
        let at_end = entry.asked.fetch_offset >= told.offsets.end(self.isolation);
        let is_settled = at_end && !told.has_error && self.slot(slot).watched.is_some();
        if is_settled {
            self.pending.remove(&position);
        } else if told.has_records {
            self.pending.remove(&position);
            self.slot_mut(slot).position = self.next_position;
            self.pending.insert(self.next_position, slot);
            self.next_position += 1;
        }
        is_news
    }

    fn add(&mut self, key: FetchKey, asked: PartitionFetch) -> usize {
        let entry = Slot {
            key: key.clone(),
            asked,
            topic: None,
            position: self.next_position,
            is_in_sync: false,
            high_watermark: -1,
            log_start: -1,
            watched: None,
        };
        self.next_position += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(entry);
        self.by_key.insert(key, slot);
        slot
    }

    /// The mark may come from a partition that was forgotten at the same moment.
    fn set_pending(&mut self, slot: usize) {
        if let Some(entry) = &self.slots[slot] {
            self.pending.insert(entry.position, slot);
        }
    }
}

/// What a response says about a partition, as far as the session remembers it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported {
    pub(super) offsets: Offsets,
    pub(super) has_records: bool,
    pub(super) has_error: bool,
    /// The fetcher is to truncate, or to read from another replica.
    pub(super) sends_elsewhere: bool,
}

/// A session, shared by its cache and the requests that use it. A panic under its lock at worst
/// makes a partition be reported once more.
pub type SharedSession = Arc<Mutex<FetchSession>>;
/// All fetch sessions of the broker, at most `max.incremental.fetch.session.cache.slots`
/// (FetchSessionCache).
#[derive(Debug)]
pub struct FetchSessions {
    max: usize,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<i32, CachedSession>,
    by_use: BTreeSet<(Timestamp, i32)>,
    /// Sessions that any other session may replace, least valuable first.
    evictable: BTreeSet<Worth>,
    /// Sessions that a follower's session may replace, least valuable first.
    evictable_by_followers: BTreeSet<Worth>,
    /// The number of partitions in all sessions.
    partitions: usize,
}

/// The value of a session: (is a follower's, number of partitions, id). A follower's session is
/// worth more than a consumer's, a large one more than a small one (EvictableKey).
type Worth = (bool, usize, i32);

#[derive(Debug)]
struct CachedSession {
    session: SharedSession,
    created: Timestamp,
    last_used: Timestamp,
    worth: Worth,
}

impl CachedSession {
    /// Whether any other session may replace it.
    fn is_old(&self) -> bool {
        self.last_used - self.created > EVICTION_MS
    }
}

/// In milliseconds: a session unused for longer gives way to any other, and one younger than this
/// is not replaced because of its size (MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
const EVICTION_MS: i64 = 120_000;

/// The most partitions in all sessions together. Kafka has no such limit, but without it a few
/// clients that name partitions that do not exist could fill the memory.
pub const PARTITIONS_MAX: usize = 5_000_000;

impl FetchSessions {
    /// A cache for at most `max` sessions.
    pub fn new(max: usize) -> FetchSessions {
        FetchSessions { max, cache: Mutex::default() }
    }

    /// Caches `session` under a new id if there is room or a less valuable session to replace.
    /// Returns the id, otherwise 0.
    pub fn insert(&self, session: &SharedSession, from_follower: bool, now: Timestamp) -> i32 {
        let size = lock(session).len();
        let mut cache = self.lock();
        if cache.partitions + size > PARTITIONS_MAX {
            return 0;
        }
        let mut evicted = None;
        if cache.sessions.len() >= self.max {
            match cache.evictable_for(from_follower, size, now) {
                Some(id) => evicted = cache.remove(id),
                None => return 0,
            }
        }
        let id = cache.new_id();
        let worth = (from_follower, size, id);
        let entry =
            CachedSession { session: Arc::clone(session), created: now, last_used: now, worth };
        cache.partitions += size;
        cache.by_use.insert((now, id));
        cache.rank(worth, entry.is_old());
        cache.sessions.insert(id, entry);
        drop(cache);
        let mut session = lock(session);
        session.id = id;
        session.epoch = 1;
        drop(session);
        // Dropping it ends its registrations, which takes other locks.
        drop(evicted);
        id
    }

    /// Finds a session; FETCH_SESSION_ID_NOT_FOUND if it is not cached.
    pub fn get(&self, id: i32) -> Result<SharedSession, ResponseError> {
        let cache = self.lock();
        let entry = cache.sessions.get(&id).ok_or(ResponseError::FetchSessionIdNotFound)?;
        Ok(Arc::clone(&entry.session))
    }

    /// Ends a session whose client is done with it.
    pub fn remove(&self, id: i32) {
        let removed = self.lock().remove(id);
        drop(removed);
    }

    /// Records that the session was used and has `size` partitions now. If the total got too large,
    /// the session is removed.
    pub fn touch(&self, id: i32, size: usize, now: Timestamp) {
        let mut cache = self.lock();
        cache.touch(id, size, now);
        let ended = if cache.partitions > PARTITIONS_MAX { cache.remove(id) } else { None };
        drop(cache);
        drop(ended);
    }

    /// Whether there are no sessions.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lock().sessions.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }
}

impl Cache {
    fn new_id(&self) -> i32 {
        loop {
            let id = fastrand::i32(1..);
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    /// The session that a new one may replace: the one unused longest if that is long enough,
    /// otherwise the least valuable one if the new one is worth at least as much
    /// (FetchSessionCacheShard.tryEvict).
    fn evictable_for(&self, from_follower: bool, size: usize, now: Timestamp) -> Option<i32> {
        let (last_used, id) = *self.by_use.first()?;
        if now - last_used > EVICTION_MS {
            return Some(id);
        }
        let candidates = if from_follower { &self.evictable_by_followers } else { &self.evictable };
        let least = candidates.first()?;
        ((from_follower, size, 0) >= *least).then_some(least.2)
    }

    fn remove(&mut self, id: i32) -> Option<SharedSession> {
        let entry = self.sessions.remove(&id)?;
        self.partitions -= entry.worth.1;
        self.by_use.remove(&(entry.last_used, id));
        self.evictable.remove(&entry.worth);
        self.evictable_by_followers.remove(&entry.worth);
        Some(entry.session)
    }

    fn touch(&mut self, id: i32, size: usize, now: Timestamp) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        let (worth, was_old) = (entry.worth, entry.is_old());
        let last_used = std::mem::replace(&mut entry.last_used, now);
        entry.worth.1 = size;
        let (new_worth, is_old) = (entry.worth, entry.is_old());
        self.by_use.remove(&(last_used, id));
        self.by_use.insert((now, id));
        if (worth, was_old) != (new_worth, is_old) {
            self.evictable.remove(&worth);
            self.evictable_by_followers.remove(&worth);
            self.partitions = self.partitions - worth.1 + size;
            self.rank(new_worth, is_old);
        }
    }

    fn rank(&mut self, worth: Worth, is_old: bool) {
        if is_old {
            self.evictable.insert(worth);
        }
        if is_old || !worth.0 {
            self.evictable_by_followers.insert(worth);
        }
    }
}

#[cfg(test)]
mod tests;
