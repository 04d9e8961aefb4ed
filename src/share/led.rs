//! A share partition that is led here: its state is read once, each change is written in order, and
//! the fetches that wait for it are called.

use super::dead_letters::{DeadLetters, Origin};
use super::locks::Locks;
use super::partition::{
    Acknowledgement, AcquireRequest, Acquired, GivenUp, ReadBatches, SharePartition, StateWrite,
};
use super::settings::GroupSettings;
use crate::clock::Clock;
use crate::config::OffsetReset;
use crate::coordinator::Persister;
use crate::coordinator::share::SharePartitionKey;
use crate::error::{Error, Result};
use crate::replica::partition::{OffsetSpec, Partition};
use crate::replica::purgatory::{Line, Watch, WatchId};
use crate::sync::lock;
use crate::types::{Isolation, LeaderEpoch, NO_EPOCH, Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::mem;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Waker};
use tokio::sync::oneshot;

/// What all share partitions use.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) clock: Clock,
    pub(super) persister: Arc<Persister>,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) locks: Locks<Led>,
    /// Those that were dropped and may still be in the map.
    pub(super) dropped: Mutex<Vec<SharePartitionKey>>,
}

/// A share partition that this broker leads (SharePartition, DelayedShareFetchGroupKey).
#[derive(Debug)]
pub(super) struct Led {
    this: Weak<Led>,
    tools: Arc<Tools>,
    key: SharePartitionKey,
    pub(super) log: Arc<Partition>,
    leader_epoch: LeaderEpoch,
    line: Arc<Line>,
    watch: Mutex<Option<WatchId>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Changes that have not been written, and who wants to know how that ends.
    unwritten: Unwritten,
    is_writing: bool,
    /// The number of tasks that send records to the dead letters.
    senders: usize,
    /// Nobody needs it any more. It is dropped once everything is written, and no sooner: whoever
    /// opened it again would send the same records once more.
    is_leaving: bool,
    /// When `Locks` calls next.
    alarm: Option<Timestamp>,
}

#[derive(Debug)]
enum Phase {
    /// Its state is being read.
    Opening,
    Open(SharePartition),
    /// Its state could not be read.
    Failed(Error),
    /// It has become useless; whoever needs it opens it anew.
    Dropped,
}

type Unwritten = Vec<(StateWrite, oneshot::Sender<Result<()>>)>;

/// How the write of an acknowledgement ends.
pub(super) type Written = oneshot::Receiver<Result<()>>;

/// A share partition that has something to deliver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    /// Where to read.
    pub(super) from: Offset,
    /// No batch after the one with this offset is needed.
    pub(super) until: Offset,
    /// The most records there may be.
    pub(super) records: i64,
}

/// The place of a fetch in the line of those that wait for a share partition. The next one is called
/// when it leaves.
#[derive(Debug)]
pub(super) struct Place {
    led: Arc<Led>,
    number: u64,
    settings: GroupSettings,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.led.line.leave(self.number);
        self.led.offer(&self.settings);
    }
}

impl Led {
    /// A share partition whose state is not known until `open` is called.
    pub(super) fn new(tools: &Arc<Tools>, key: SharePartitionKey, log: Arc<Partition>) -> Arc<Led> {
        let line = Arc::new(Line::default());
        let watch = Mutex::new(Some(log.watch_for(&line)));
        let state = Mutex::new(State {
            phase: Phase::Opening,
            unwritten: Vec::new(),
            is_writing: false,
            senders: 0,
            is_leaving: false,
            alarm: None,
        });
        Arc::new_cyclic(|this| Led {
            this: Weak::clone(this),
            tools: Arc::clone(tools),
            key,
            leader_epoch: log.leader_epoch(),
            log,
            line,
            watch,
            state,
        })
    }

    /// Begins to read the state.
    pub(super) fn open(self: &Arc<Led>, settings: GroupSettings) {
        carry_out(Arc::clone(self).load(settings));
    }

    async fn load(self: Arc<Led>, settings: GroupSettings) {
        let opened = self.read(settings).await;
        let mut given_up = Vec::new();
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Opening) {
            state.phase = match opened {
                Ok(partition) => {
                    given_up = partition.archiving();
                    Phase::Open(partition)
                }
                Err(error) => {
                    tracing::debug!(key = ?self.key, %error, "cannot read the state");
                    Phase::Failed(error)
                }
            };
        }
        drop(state);
        self.give_up(given_up);
        self.line.call_all();
    }

    async fn read(&self, settings: GroupSettings) -> Result<SharePartition> {
        let read = self.tools.persister.read(&self.key, self.leader_epoch).await;
        let mut read = read.map_err(as_leader)?;
        if read.start_offset < 0 {
            read.start_offset = self.first_offset(settings.reset)?;
        }
        SharePartition::open(&read, self.leader_epoch, settings.records)
    }

    /// Where a group begins that has not begun.
    fn first_offset(&self, reset: OffsetReset) -> Result<Offset> {
        let find = |spec| self.log.offset_for(spec, Isolation::HighWatermark, self.leader_epoch);
        let found = match reset {
            OffsetReset::Earliest => find(OffsetSpec::Earliest)?,
            OffsetReset::Latest => None,
            OffsetReset::ByDuration(ms) => find(OffsetSpec::At(self.tools.clock.now() - ms))?,
        };
        let found = match found {
            None => find(OffsetSpec::Latest)?,
            found => found,
        };
        found.map(|found| found.offset).ok_or(ResponseError::OffsetNotAvailable.into())
    }

    /// Whether this broker still leads the partition.
    pub(super) fn is_led(&self) -> bool {
        self.log.check_leader(NO_EPOCH).and_then(|()| self.log.offsets()).is_ok()
    }

    /// Whether it can still be used, in which case it stays.
    pub(super) fn is_usable(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_leaving = false;
        !matches!(state.phase, Phase::Dropped | Phase::Failed(_)) && self.is_led()
    }

    /// Whether it has to be opened anew.
    pub(super) fn is_dropped(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Dropped)
    }

    /// Whether something can be delivered now. An error if its state could not be read, or if this
    /// broker does not lead it any more.
    pub(super) fn ready(
        &self,
        settings: &GroupSettings,
        max_records: i32,
    ) -> Result<Option<Ready>> {
        let mut state = lock(&self.state);
        let partition = match &mut state.phase {
            Phase::Open(partition) => partition,
            Phase::Failed(error) => return Err(again(error)),
            Phase::Opening | Phase::Dropped => return Ok(None),
        };
        self.log.check_leader(NO_EPOCH)?;
        let offsets = self.log.offsets()?;
        partition.settings = settings.records;
        partition.log_start_moved(offsets.log_start);
        let (from, end) = (partition.next_fetch_offset(), offsets.end(settings.isolation));
        let until = partition.end_offset().max(from) + i64::from(max_records) - 1;
        let is_ready = partition.can_acquire() && from < end;
        Ok(is_ready.then_some(Ready { from, until, records: end - from }))
    }

    /// Lends records that were read to a member. Also returns whether there is something else to be
    /// read now.
    pub(super) fn acquire(
        &self,
        asked: &AcquireRequest,
        seen: &ReadBatches,
    ) -> (Vec<Acquired>, bool) {
        let mut state = lock(&self.state);
        let Phase::Open(partition) = &mut state.phase else { return (Vec::new(), false) };
        let acquired = partition.acquire(asked, seen, self.tools.clock.now());
        let has_moved = partition.next_fetch_offset() != seen.from;
        self.set_alarm(&mut state);
        (acquired, has_moved)
    }

    /// Carries out what a member says about its records; `flush` has it written. Nothing is written
    /// if it only renews locks.
    pub(super) fn acknowledge(
        &self,
        settings: &GroupSettings,
        member: &str,
        batches: &[Acknowledgement],
    ) -> Result<Option<Written>> {
        let now = self.tools.clock.now();
        self.change(|partition| {
            partition.settings = settings.records;
            partition.acknowledge(member, batches, now)
        })
    }

    /// Gives back what a member has.
    pub(super) fn release(&self, member: &str) {
        let _ = self.change(|partition| Ok(partition.release(member)));
        self.flush();
    }

    /// Ends the locks that are due.
    pub(super) fn expire(&self, now: Timestamp) {
        lock(&self.state).alarm = None;
        let _ = self.change(|partition| Ok(partition.expire(now)));
        self.flush();
        // They are available at once.
        self.line.call();
    }

    /// Sends records to the dead letters.
    fn give_up(&self, given_up: Vec<GivenUp>) {
        if let Some(this) = self.this.upgrade().filter(|_| !given_up.is_empty()) {
            lock(&self.state).senders += 1;
            carry_out(this.send(given_up));
        }
    }

    async fn send(self: Arc<Led>, given_up: Vec<GivenUp>) {
        let group = Arc::from(self.key.group());
        let origin = Origin { group, topic: Arc::clone(self.log.topic()), id: self.log.id() };
        // At a stop they stay on their way; the next start sends them again.
        if self.tools.dead_letters.write(origin, given_up.clone()).await.is_ok() {
            let _ = self.change(|partition| Ok(partition.archived(&given_up)));
            self.flush();
        }
        let mut state = lock(&self.state);
        state.senders -= 1;
        self.drop_if_leaving(&mut state);
    }

    /// Drops it as soon as everything is written, unless it is needed again before.
    pub(super) fn leave(&self) {
        let mut state = lock(&self.state);
        state.is_leaving = true;
        self.drop_if_leaving(&mut state);
    }

    fn drop_if_leaving(&self, state: &mut State) {
        let is_busy = state.is_writing || state.senders > 0 || !state.unwritten.is_empty();
        if state.is_leaving && !is_busy {
            self.drop_state(state);
        }
    }

    /// Drops it now.
    pub(super) fn drop_now(&self) {
        self.drop_state(&mut lock(&self.state));
    }

    fn drop_state(&self, state: &mut State) {
        state.phase = Phase::Dropped;
        if let Some(watch) = lock(&self.watch).take() {
            self.log.unwatch(watch);
            lock(&self.tools.dropped).push(self.key.clone());
        }
        self.line.call_all();
    }

    /// Lets a fetch wait in line.
    pub(super) fn join(
        self: &Arc<Led>,
        watch: &Arc<Watch>,
        slot: usize,
        settings: &GroupSettings,
    ) -> Place {
        let number = self.line.join(watch, slot);
        Place { led: Arc::clone(self), number, settings: *settings }
    }

    /// Calls the one behind `place`, who may be content with less.
    pub(super) fn pass_on(&self, place: &Place) {
        self.line.call_behind(place.number);
    }

    /// Calls the first in line if there is something to deliver.
    fn offer(&self, settings: &GroupSettings) {
        if self.ready(settings, 1).is_ok_and(|ready| ready.is_some()) {
            self.line.call();
        }
    }

    /// Changes the state. `flush` has the change written.
    fn change(
        &self,
        change: impl FnOnce(&mut SharePartition) -> Result<Option<StateWrite>>,
    ) -> Result<Option<Written>> {
        let mut state = lock(&self.state);
        let partition = match &mut state.phase {
            Phase::Open(partition) => partition,
            Phase::Opening => return Err(ResponseError::InvalidRecordState.into()),
            Phase::Failed(_) | Phase::Dropped => {
                return Err(ResponseError::UnknownTopicOrPartition.into());
            }
        };
        let write = change(partition)?;
        self.set_alarm(&mut state);
        let Some(write) = write else { return Ok(None) };
        let (told, written) = oneshot::channel();
        state.unwritten.push((write, told));
        Ok(Some(written))
    }

    /// Has all changes written, if that is not under way.
    pub(super) fn flush(&self) {
        let mut state = lock(&self.state);
        if state.unwritten.is_empty() || mem::replace(&mut state.is_writing, true) {
            return;
        }
        drop(state);
        if let Some(this) = self.this.upgrade() {
            carry_out(this.write());
        }
    }

    fn set_alarm(&self, state: &mut State) {
        let Phase::Open(partition) = &state.phase else { return };
        if let Some(due) = partition.next_deadline()
            && state.alarm.is_none_or(|alarm| due < alarm)
        {
            state.alarm = Some(due);
            self.tools.locks.set(due, Weak::clone(&self.this));
        }
    }

    /// Writes all changes. Those that wait at the same time are written together.
    async fn write(self: Arc<Led>) {
        while let Some(unwritten) = self.take_unwritten() {
            let mut changes = unwritten.iter().map(|(write, _)| write.change.clone());
            let Some(mut joined) = changes.next() else { return };
            changes.for_each(|change| joined.join(change));
            let written = self.tools.persister.write(&self.key, joined).await.map_err(as_leader);
            self.written(unwritten, written);
        }
    }

    /// None if everything is written.
    fn take_unwritten(&self) -> Option<Unwritten> {
        let mut state = lock(&self.state);
        if state.unwritten.is_empty() {
            state.is_writing = false;
            self.drop_if_leaving(&mut state);
            return None;
        }
        Some(mem::take(&mut state.unwritten))
    }

    fn written(&self, unwritten: Unwritten, written: Result<()>) {
        let mut given_up = Vec::new();
        let mut state = lock(&self.state);
        for (write, told) in unwritten {
            if let Phase::Open(partition) = &mut state.phase {
                given_up.extend(partition.written(write, written.is_ok()));
                given_up.retain(|run| partition.is_archiving(run));
            }
            // Whoever asked may be gone.
            let _ = told.send(written.as_ref().copied().map_err(again));
        }
        self.set_alarm(&mut state);
        if written.as_ref().is_err_and(is_fenced) {
            self.drop_state(&mut state);
        }
        drop(state);
        self.give_up(given_up);
        self.line.call();
    }
}

/// The error of the share coordinator as the member is told it (fetchPersisterError).
fn as_leader(error: Error) -> Error {
    use ResponseError as E;
    let code = match error.code() {
        E::NotCoordinator | E::CoordinatorNotAvailable | E::CoordinatorLoadInProgress => {
            E::CoordinatorNotAvailable
        }
        code @ (E::GroupIdNotFound | E::UnknownTopicOrPartition) => code,
        E::FencedLeaderEpoch | E::FencedStateEpoch => E::NotLeaderOrFollower,
        _ => E::UnknownServerError,
    };
    match error.message() {
        Some(message) => Error::Explained(code, message),
        None => Error::Code(code),
    }
}

/// Whether the state has another owner, or is gone.
fn is_fenced(error: &Error) -> bool {
    use ResponseError as E;
    matches!(error.code(), E::NotLeaderOrFollower | E::GroupIdNotFound | E::UnknownTopicOrPartition)
}

/// The same error for somebody else.
fn again(error: &Error) -> Error {
    match error.message() {
        Some(message) => Error::Explained(error.code(), message),
        None => Error::Code(error.code()),
    }
}

/// Carries out a task to its end, whoever waits for it. Mostly the first poll is enough, because the
/// share coordinator's log is in this broker.
fn carry_out(task: impl Future<Output = ()> + Send + 'static) {
    let mut task = Box::pin(task);
    if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(task);
    }
}
