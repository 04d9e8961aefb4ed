//! Share fetches: answered at once, or when there is something to acquire (DelayedShareFetch).

use super::led::{Led, Place, Ready};
use super::partition::{AcquireMode, AcquireRequest, Acquired, ReadBatches};
use super::reading::{Batches, Scan};
use super::session::SessionKey;
use super::settings::GroupSettings;
use super::{SharePartitions, of_group};
use crate::disk::{Access, FileRange, files_per_answer};
use crate::error::{Error, Result};
use crate::log::Read;
use crate::replica::partition::{PartitionFetch, Reader};
use crate::replica::purgatory::Watch;
use crate::replica::read::bring_in;
use crate::types::{NO_EPOCH, TopicIdPartition};
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What is delivered of share partitions, by their index in the fetch.
type Deliveries = Vec<(usize, Delivered)>;

/// How many times a fetch brings missing data into memory before it reads; after that it waits for
/// the disk itself.
const MISSES_MAX: usize = 8;

/// A ShareFetch request, as far as it fetches.
#[derive(Debug)]
pub struct ShareFetch {
    /// Who fetches.
    pub key: SessionKey,
    /// The settings of its group.
    pub settings: GroupSettings,
    /// What it fetches from, in the order in which it is served.
    pub partitions: Vec<TopicIdPartition>,
    /// How `max_records` is meant.
    pub mode: AcquireMode,
    /// How many records it wants.
    pub max_records: i32,
    /// How many records it would like in one range.
    pub batch_size: i32,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// The number of bytes that ends the wait early.
    pub min_bytes: usize,
    /// The most bytes of records; a larger first batch is still returned.
    pub max_bytes: usize,
}

/// What a member gets of one partition.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Whole batches, in which there may be records that are not for the member.
    pub records: Option<FileRange>,
    /// The records that are.
    pub acquired: Vec<Acquired>,
}

/// A share fetch that is under way.
struct Fetching<'a> {
    share: &'a SharePartitions,
    fetch: &'a ShareFetch,
    settings: GroupSettings,
    watch: Arc<Watch>,
    slots: Vec<Slot>,
    access: Access,
    is_last: bool,
}

/// One partition of it.
struct Slot {
    id: TopicIdPartition,
    led: Result<Arc<Led>>,
    /// While it waits.
    place: Option<Place>,
}

/// How an attempt to answer ends.
enum Attempt {
    Answer(Deliveries),
    /// There is not enough to answer yet.
    Early,
    /// Something has become known, so another attempt may succeed.
    Again,
    /// These ranges must be brought into memory first.
    Missed(Vec<FileRange>),
}

impl SharePartitions {
    /// Answers a share fetch once it has `min_bytes`, or after `max_wait_ms`.
    pub async fn fetch(&self, fetch: &ShareFetch) -> Vec<(TopicIdPartition, Result<Delivered>)> {
        if fetch.partitions.is_empty() || fetch.max_records <= 0 || fetch.max_bytes == 0 {
            return Vec::new();
        }
        let mut fetching = self.begin(fetch);
        let deadline = Instant::now() + Duration::from_millis(fetch.max_wait_ms.max(0) as u64);
        let mut misses = 0;
        loop {
            match fetching.attempt() {
                Attempt::Answer(delivered) => return fetching.answer(delivered),
                Attempt::Missed(ranges) => {
                    bring_in(ranges).await;
                    misses += 1;
                    if misses == MISSES_MAX {
                        fetching.access = Access::Waiting;
                    }
                }
                Attempt::Again => tokio::task::yield_now().await,
                Attempt::Early if fetching.wait_in_line() => {
                    let marked = fetching.watch.marked();
                    fetching.is_last = timeout_at(deadline, marked).await.is_err();
                    fetching.reopen();
                }
                // What has come before it stood in line did not call it.
                Attempt::Early => {}
            }
        }
    }

    fn begin<'a>(&'a self, fetch: &'a ShareFetch) -> Fetching<'a> {
        let of_group = of_group(&fetch.key.group);
        let slot = |id: &TopicIdPartition| {
            let led = self.led(&of_group, *id, &fetch.settings);
            Slot { id: *id, led, place: None }
        };
        Fetching {
            share: self,
            fetch,
            settings: fetch.settings,
            watch: Arc::default(),
            slots: fetch.partitions.iter().map(slot).collect(),
            access: Access::Cached,
            is_last: fetch.max_wait_ms <= 0 || fetch.min_bytes == 0,
        }
    }
}

impl Fetching<'_> {
    /// Answers if there is enough to answer.
    fn attempt(&mut self) -> Attempt {
        let ready = self.look();
        if self.slots.iter().all(|slot| slot.led.is_err()) {
            return Attempt::Answer(Vec::new());
        }
        let (reads, missed) = self.read(&ready);
        if !missed.is_empty() {
            return Attempt::Missed(missed);
        }
        let bytes: usize = reads.iter().map(|(_, _, read)| read.bytes).sum();
        let has_failed = ready.len() > reads.len();
        if !(self.is_last || has_failed || bytes >= self.fetch.min_bytes) {
            self.pass_on(&ready);
            return Attempt::Early;
        }
        match self.acquire(&reads) {
            Ok((delivered, has_moved)) => match delivered.is_empty() && !self.is_last {
                true if has_moved || has_failed => Attempt::Again,
                true => Attempt::Early,
                false => Attempt::Answer(delivered),
            },
            Err(missed) => Attempt::Missed(missed),
        }
    }

    /// The partitions that have something, as many as are needed.
    fn look(&mut self) -> Vec<(usize, Ready)> {
        let mut ready = Vec::new();
        let mut wanted = i64::from(self.fetch.max_records);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if wanted <= 0 || ready.len() == files_per_answer() {
                break;
            }
            let Ok(led) = &slot.led else { continue };
            match led.ready(&self.settings, self.fetch.max_records) {
                Ok(Some(found)) => {
                    wanted -= found.records;
                    ready.push((index, found));
                }
                Ok(None) => {}
                Err(error) => slot.fail(error),
            }
        }
        ready
    }

    /// Reads them; each may take the same part of the bytes.
    fn read(&mut self, ready: &[(usize, Ready)]) -> (Vec<(usize, Ready, Read)>, Vec<FileRange>) {
        let (mut reads, mut missed, mut bytes) = (Vec::new(), Vec::new(), 0);
        let each = self.fetch.max_bytes / ready.len().max(1);
        for (index, found) in ready {
            let slot = &mut self.slots[*index];
            let Ok(led) = &slot.led else { continue };
            let asked = PartitionFetch {
                fetch_offset: found.from,
                max_bytes: each,
                current_leader_epoch: NO_EPOCH,
                last_fetched_epoch: NO_EPOCH,
                log_start: -1,
            };
            let (access, isolation) = (self.access, self.settings.isolation);
            let reader = Reader { access, isolation, only_leader: true, location: None };
            match led.log.fetch(reader, &asked, each, bytes == 0) {
                Ok(fetched) => {
                    bytes += fetched.read.bytes;
                    missed.extend(fetched.read.missed.clone());
                    reads.push((*index, *found, fetched.read));
                }
                // The log's start has just moved.
                Err(error) if error.code() == ResponseError::OffsetOutOfRange => {}
                Err(error) => slot.fail(error),
            }
        }
        (reads, missed)
    }

    /// Acquires what was read. Also returns whether something has changed although nothing was
    /// acquired.
    fn acquire(
        &mut self,
        reads: &[(usize, Ready, Read)],
    ) -> Result<(Deliveries, bool), Vec<FileRange>> {
        let mut scans = Vec::new();
        let mut missed = Vec::new();
        for (index, found, read) in reads {
            match Batches::scan(read, found.from, found.until, self.access) {
                Ok(Scan::Found(batches)) => scans.push((*index, found.from, batches)),
                Ok(Scan::Missed(range)) => missed.push(range),
                Err(error) => self.slots[*index].fail(error),
            }
        }
        if !missed.is_empty() {
            return Err(missed);
        }
        let (mut delivered, mut has_moved, mut left) = (Vec::new(), false, self.fetch.max_records);
        for (index, from, batches) in scans {
            let Ok(led) = &self.slots[index].led else { continue };
            let ShareFetch { batch_size, mode, .. } = *self.fetch;
            let member = &self.fetch.key.member;
            let asked = AcquireRequest { member, max_records: left, batch_size, mode };
            let seen = ReadBatches { from, batches: &batches.offsets, aborted: &batches.aborted };
            let (acquired, moved) = led.acquire(&asked, &seen);
            has_moved |= moved;
            let count: i64 = acquired.iter().map(|range| range.last - range.first + 1).sum();
            left = left.saturating_sub(i32::try_from(count).unwrap_or(i32::MAX));
            if let Some(part) = batches.part(&acquired) {
                delivered.push((index, Delivered { records: Some(part), acquired }));
            }
        }
        Ok((delivered, has_moved))
    }

    /// Stands in line at all partitions; returns whether it did so before.
    fn wait_in_line(&mut self) -> bool {
        let mut has_waited = true;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let (Ok(led), None) = (&slot.led, &slot.place) {
                slot.place = Some(led.join(&self.watch, index, &self.settings));
                has_waited = false;
            }
        }
        has_waited
    }

    /// Lets others have what is too little for this one.
    fn pass_on(&self, ready: &[(usize, Ready)]) {
        for slot in ready.iter().filter_map(|(index, _)| self.slots.get(*index)) {
            if let (Ok(led), Some(place)) = (&slot.led, &slot.place) {
                led.pass_on(place);
            }
        }
    }

    /// Opens what was dropped while it waited, and learns of changed settings.
    fn reopen(&mut self) {
        let group = &self.fetch.key.group;
        self.settings = self.share.settings(group);
        self.watch.take();
        for slot in &mut self.slots {
            if slot.led.as_ref().is_ok_and(|led| led.is_dropped()) {
                slot.place = None;
                slot.led = self.share.led(&of_group(group), slot.id, &self.settings);
            }
        }
    }

    fn answer(self, delivered: Deliveries) -> Vec<(TopicIdPartition, Result<Delivered>)> {
        let mut delivered = delivered.into_iter().peekable();
        let mut answer = Vec::with_capacity(self.slots.len());
        for (index, slot) in self.slots.into_iter().enumerate() {
            let here = delivered.next_if(|(at, _)| *at == index).map(|(_, here)| here);
            let result = slot.led.map(|_| here.unwrap_or_default());
            answer.push((slot.id, result));
        }
        answer
    }
}

impl Slot {
    fn fail(&mut self, error: Error) {
        self.place = None;
        self.led = Err(error);
    }
}
