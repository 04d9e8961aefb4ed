//! Fetches from many partitions, at once or when enough bytes have arrived
//! (ReplicaManager.fetchMessages, DelayedFetch).

use super::Replicas;
use super::fetch_session::{FetchKey, FetchSession, Reported, SharedSession, Slot, TopicKey};
use super::partition::{
    Fetched, FetchingReplica, Location, Offsets, Partition, PartitionFetch, Reader,
};
use super::purgatory::Watch;
use crate::disk::{Access, FileRange, files_per_answer};
use crate::error::Error;
use crate::log::Read;
use crate::metadata::{Image, Topic};
use crate::sync::lock;
use crate::types::{Isolation, TopicIdPartition};
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A Fetch request, independent of its wire format.
#[derive(Debug)]
pub struct Fetch {
    /// How far the fetcher may read.
    pub isolation: Isolation,
    /// The broker that replicates with this fetch; None for a consumer.
    pub follower: Option<FetchingReplica>,
    /// Whether only the leader may answer.
    pub only_leader: bool,
    /// Where a consumer is that wants to read from the nearest replica.
    pub location: Option<Location>,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// The number of bytes that ends the wait early.
    pub min_bytes: usize,
    /// The most bytes of records; a larger first batch is still returned.
    pub max_bytes: usize,
    /// The session id; 0 for none.
    pub session_id: i32,
    /// The epoch of the request in its session; 0 begins a new session, -1 uses none.
    pub session_epoch: i32,
    /// Whether topics are named by id, as from version 13 on.
    pub by_topic_id: bool,
    /// The partitions to fetch; in a session, only those that changed.
    pub partitions: Vec<(FetchKey, PartitionFetch)>,
    /// The partitions that the session shall forget.
    pub forgotten: Vec<FetchKey>,
}

/// The response to a [`Fetch`].
#[derive(Debug, Default)]
pub struct FetchAnswer {
    /// Why the whole request was refused.
    pub error: Option<ResponseError>,
    /// The session to continue; 0 if there is none.
    pub session_id: i32,
    /// The partitions; in a session, only those with news.
    pub partitions: Vec<FetchedPartition>,
}

/// One partition of the response.
#[derive(Debug)]
pub struct FetchedPartition {
    /// As the fetcher named it.
    pub key: FetchKey,
    /// The topic's name, if the topic is known.
    pub topic: Option<Arc<str>>,
    /// The records, or why there are none.
    pub outcome: Result<Fetched, ResponseError>,
}

/// How the request relates to a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It has no session.
    Once,
    /// It begins a session; the response is complete.
    New,
    /// It continues a session and the response has only news. Once the session's epoch is no longer
    /// this, another request has superseded it.
    Incremental { epoch: i32 },
}

/// How many times a fetch brings missing data into memory before it reads; after that it waits for
/// the disk itself.
const MISSES_MAX: usize = 8;
/// How long followers may take to learn that this broker leads more partitions than before.
const HAND_OVER: Duration = Duration::from_millis(500);
/// How long a follower's fetch waits in that time.
const HAND_OVER_WAIT: Duration = Duration::from_millis(10);

/// How an attempt to answer proceeds.
#[derive(Clone, Copy)]
struct Manner {
    /// It is the first attempt, in which the place of a follower is noted.
    is_first: bool,
    /// Register with the partitions that are looked at.
    watches: bool,
    /// Answer with whatever there is.
    is_last: bool,
    access: Access,
}

/// The result of an attempt to answer.
enum Attempt {
    Answer(FetchAnswer),
    /// There is not enough to answer yet.
    Early,
    /// These ranges must be brought into memory first.
    Missed(Vec<FileRange>),
}

/// The result of reading all partitions that may have something.
#[derive(Default)]
struct Look {
    /// What must be in memory before some of them can be read.
    missed: Vec<FileRange>,
    found: Vec<(usize, FetchedPartition)>,
    /// Partitions that do not exist. They are reported, but are no reason to answer early.
    unknown: Vec<(usize, FetchedPartition)>,
    bytes: usize,
    /// The number of partitions with records; each keeps a file open.
    files: usize,
    /// Something that the fetcher must learn now.
    is_urgent: bool,
}

impl Replicas {
    /// Answers a fetch once it has `min_bytes`, after an error, or after `max_wait_ms`.
    pub async fn fetch(&self, images: &ArcSwap<Image>, mut fetch: Fetch) -> FetchAnswer {
        let (session, mode) = match self.begin_fetch(&mut fetch) {
            Ok(begun) => begun,
            Err(error) => return FetchAnswer { error: Some(error), ..FetchAnswer::default() },
        };
        let watch = lock(&session).watch();
        let deadline = Instant::now() + Duration::from_millis(fetch.max_wait_ms.max(0) as u64);
        let is_last = fetch.max_wait_ms <= 0;
        // A fetch without a session registers only once it has to wait.
        let watches = mode != Mode::Once;
        let access = Access::Cached;
        let mut manner = Manner { is_first: true, watches, is_last, access };
        let mut misses = 0;
        loop {
            let image = images.load_full();
            let attempt = self.try_answer(&image, &session, mode, &fetch, manner);
            manner.is_first = false;
            match attempt {
                Attempt::Answer(answer) => return answer,
                Attempt::Missed(ranges) => {
                    bring_in(ranges).await;
                    misses += 1;
                    if misses == MISSES_MAX {
                        manner.access = Access::Waiting;
                    }
                }
                Attempt::Early if manner.watches && fetch.follower.is_some() => {
                    manner.is_last = self.wait_as_follower(&watch, deadline).await;
                }
                Attempt::Early if manner.watches => {
                    manner.is_last = timeout_at(deadline, watch.marked()).await.is_err();
                }
                Attempt::Early => manner.watches = true,
            }
        }
    }

    /// Waits for a change of what a follower copies; returns whether it has to be answered anyway.
    /// A follower can ask for one more partition only after its answer. Producers to a partition
    /// whose leader has changed would wait that long, so the followers do not.
    async fn wait_as_follower(&self, watch: &Watch, deadline: Instant) -> bool {
        let mut began = self.began_to_lead.subscribe();
        let now = Instant::now();
        let is_recent = began.borrow_and_update().is_some_and(|at| now - at < HAND_OVER);
        let deadline = if is_recent { deadline.min(now + HAND_OVER_WAIT) } else { deadline };
        tokio::select! {
            biased;
            _ = began.changed() => true,
            marked = timeout_at(deadline, watch.marked()) => marked.is_err(),
        }
    }

    /// Lets followers that wait ask again, as there is one more partition to copy.
    pub(super) fn begin_to_lead(&self) {
        self.began_to_lead.send_replace(Some(Instant::now()));
    }

    /// Finds or creates the session (FetchManager.newContext).
    fn begin_fetch(&self, fetch: &mut Fetch) -> Result<(SharedSession, Mode), ResponseError> {
        let partitions = std::mem::take(&mut fetch.partitions);
        if fetch.session_epoch == 0 || fetch.session_epoch == -1 {
            self.sessions.remove(fetch.session_id);
            let mut session = FetchSession::new(fetch.by_topic_id);
            session.set_isolation(fetch.isolation);
            session.update(partitions, &[]);
            let mode = if fetch.session_epoch == 0 { Mode::New } else { Mode::Once };
            return Ok((Arc::new(Mutex::new(session)), mode));
        }
        let shared = self.sessions.get(fetch.session_id)?;
        let mut session = lock(&shared);
        if session.epoch != fetch.session_epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        if session.by_topic_id != fetch.by_topic_id {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        session.set_isolation(fetch.isolation);
        session.update(partitions, &fetch.forgotten);
        if fetch.follower.is_some() {
            session.look_again(self.clock.now());
        }
        if session.is_empty() {
            drop(session);
            self.sessions.remove(fetch.session_id);
            return Ok((shared, Mode::Once));
        }
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        let mode = Mode::Incremental { epoch: session.epoch };
        // A request still waiting in this session is superseded; waking it lets it notice.
        session.watch().wake_all();
        let size = session.len();
        drop(session);
        self.sessions.touch(fetch.session_id, size, self.clock.now());
        Ok((shared, mode))
    }

    /// Answers if there is enough to answer.
    fn try_answer(
        &self,
        image: &Image,
        shared: &SharedSession,
        mode: Mode,
        fetch: &Fetch,
        manner: Manner,
    ) -> Attempt {
        let mut session = lock(shared);
        if let Mode::Incremental { epoch } = mode
            && session.epoch != epoch
        {
            let error = Some(ResponseError::InvalidFetchSessionEpoch);
            let answer = FetchAnswer { error, session_id: session.id, partitions: Vec::new() };
            return Attempt::Answer(answer);
        }
        let look = self.look(image, &mut session, fetch, manner);
        if !look.missed.is_empty() {
            return Attempt::Missed(look.missed);
        }
        let is_hopeless = look.unknown.len() == session.len();
        if !(manner.is_last || look.is_urgent || look.bytes >= fetch.min_bytes || is_hopeless) {
            return Attempt::Early;
        }
        let mut partitions = Vec::with_capacity(look.found.len() + look.unknown.len());
        for (slot, found) in look.found.into_iter().chain(look.unknown) {
            let is_news = session.answered(slot, &told(&found.outcome));
            if is_news || !matches!(mode, Mode::Incremental { .. }) {
                partitions.push(found);
            }
        }
        let mut session_id = session.id;
        drop(session);
        self.record_throttled(&partitions);
        match mode {
            Mode::Once => session_id = 0,
            Mode::Incremental { .. } => {}
            Mode::New => {
                let now = self.clock.now();
                session_id = self.sessions.insert(shared, fetch.follower.is_some(), now);
            }
        }
        Attempt::Answer(FetchAnswer { error: None, session_id, partitions })
    }

    /// Reads all partitions that may have something (ReplicaManager.readFromLog).
    fn look(
        &self,
        image: &Image,
        session: &mut FetchSession,
        fetch: &Fetch,
        manner: Manner,
    ) -> Look {
        let mut look = Look::default();
        for slot in session.pending() {
            let resolved = self.resolve(image, session.slot_mut(slot));
            let outcome = match resolved {
                Ok(partition) => {
                    if manner.watches {
                        session.watch_partition(slot, &partition);
                    }
                    let asked = &session.slot(slot).asked;
                    let outcome = self.read_one(&partition, asked, fetch, manner, &look);
                    if let Some(follower) = fetch.follower {
                        session.slot_mut(slot).is_in_sync = partition.is_in_sync(follower.id);
                    }
                    outcome
                }
                Err(error) => {
                    // Only a partition that has just gone away is a reason to answer early.
                    look.is_urgent |= session.unwatch(slot);
                    Err(error)
                }
            };
            look.add(slot, session.slot(slot), outcome);
        }
        look
    }

    /// Reads one partition, within the bytes and open files left for the response. The first batch
    /// of a response is returned whole.
    fn read_one(
        &self,
        partition: &Partition,
        asked: &PartitionFetch,
        fetch: &Fetch,
        manner: Manner,
        before: &Look,
    ) -> Result<Fetched, ResponseError> {
        let has_files = before.files < files_per_answer();
        let left = if has_files { fetch.max_bytes.saturating_sub(before.bytes) } else { 0 };
        let Fetch { isolation, only_leader, .. } = *fetch;
        let (access, location) = (manner.access, fetch.location.as_ref());
        let reader = Reader { access, isolation, only_leader, location };
        let read = || {
            if let Some(follower) = fetch.follower {
                partition.check_follower(follower.id, asked)?;
            }
            let mut fetched = partition.fetch(reader, asked, left, before.bytes == 0)?;
            if let Some(follower) = fetch.follower
                && manner.is_first
                && fetched.diverging.is_none()
            {
                partition.followed(follower, asked, fetched.offsets.log_end, self.clock.now())?;
            }
            if let Some(follower) = fetch.follower
                && self.leader_quota.has_limit()
                && self.leader_quota.is_for(partition)
            {
                self.throttle(partition, follower, &mut fetched);
            }
            Ok(fetched)
        };
        read().map_err(|error: Error| error.code())
    }

    /// Holds back the records of a follower outside of the ISR while the quota is exceeded
    /// (ReplicaManager.shouldLeaderThrottle).
    fn throttle(&self, partition: &Partition, follower: FetchingReplica, fetched: &mut Fetched) {
        let is_exceeded = self.leader_quota.is_exceeded(Instant::now().into_std());
        if is_exceeded && !partition.is_in_sync(follower.id) {
            fetched.read = Read::default();
        }
        fetched.is_throttled = true;
    }

    /// Counts what an answer has of throttled partitions.
    fn record_throttled(&self, partitions: &[FetchedPartition]) {
        let throttled = partitions.iter().filter_map(|one| one.outcome.as_ref().ok());
        let throttled = throttled.filter(|fetched| fetched.is_throttled);
        let bytes: usize = throttled.map(|fetched| fetched.read.bytes).sum();
        if bytes > 0 {
            self.leader_quota.record(bytes, Instant::now().into_std());
        }
    }

    fn resolve(&self, image: &Image, slot: &mut Slot) -> Result<Arc<Partition>, ResponseError> {
        let topic = find_topic(image, slot)?;
        if topic.partition(slot.key.partition).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        let id = TopicIdPartition { topic_id: topic.id, partition: slot.key.partition };
        self.partition(id).map_err(|error| error.code())
    }
}

impl Look {
    fn add(&mut self, slot: usize, entry: &Slot, outcome: Result<Fetched, ResponseError>) {
        let is_unknown = matches!(
            outcome,
            Err(ResponseError::UnknownTopicId | ResponseError::UnknownTopicOrPartition)
        );
        match &outcome {
            Ok(fetched) => {
                self.missed.extend(fetched.read.missed.clone());
                self.bytes += fetched.read.bytes;
                self.files += usize::from(fetched.read.bytes > 0);
                // As in Kafka, a fetcher that is a whole segment behind never waits (DelayedFetch,
                // case F).
                self.is_urgent |= fetched.diverging.is_some()
                    || fetched.preferred.is_some()
                    || fetched.read.goes_on;
            }
            Err(_) => self.is_urgent |= !is_unknown,
        }
        let (key, topic) = (entry.key.clone(), entry.topic.clone());
        let found = (slot, FetchedPartition { key, topic, outcome });
        if is_unknown { self.unknown.push(found) } else { self.found.push(found) }
    }
}

/// Reads the missing ranges in threads that may wait for the disk.
pub async fn bring_in(ranges: Vec<FileRange>) {
    let read = move || ranges.iter().try_for_each(FileRange::bring_in);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(read).await {
        tracing::debug!(%error, "not brought into memory");
    }
}

/// Finds the topic that the fetcher means. The error for a deleted topic that was known by its id
/// is that of Kafka's session cache, which keeps the name.
fn find_topic<'a>(image: &'a Image, slot: &mut Slot) -> Result<&'a Arc<Topic>, ResponseError> {
    let found = match &slot.key.topic {
        TopicKey::Id(id) => image.topics.by_id(*id),
        TopicKey::Name(name) => image.topics.by_name(name),
    };
    if let Some(topic) = found {
        if slot.topic.is_none() {
            slot.topic = Some(Arc::clone(&topic.name));
        }
        return Ok(topic);
    }
    Err(match (&slot.key.topic, &slot.topic) {
        (TopicKey::Id(_), None) => ResponseError::UnknownTopicId,
        (TopicKey::Id(_), Some(name)) if image.topics.by_name(name).is_some() => {
            ResponseError::InconsistentTopicId
        }
        _ => ResponseError::UnknownTopicOrPartition,
    })
}

fn told(outcome: &Result<Fetched, ResponseError>) -> Reported {
    match outcome {
        Ok(fetched) => Reported {
            offsets: fetched.offsets,
            has_records: fetched.read.bytes > 0,
            has_error: false,
            sends_elsewhere: fetched.diverging.is_some() || fetched.preferred.is_some(),
        },
        Err(_) => {
            let offsets =
                Offsets { log_start: -1, log_end: -1, high_watermark: -1, last_stable: -1 };
            Reported { offsets, has_error: true, ..Reported::default() }
        }
    }
}
