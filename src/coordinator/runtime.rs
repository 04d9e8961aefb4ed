//! Runs a state machine on its partition: loads it from the log, appends what its operations write,
//! and releases answers when the high watermark has passed the records that they depend on
//! (CoordinatorRuntime).
//!
//! An operation, the append of its records and the change of state are one step under the state
//! machine's lock, so the records in the log are in the order of the changes. The state may
//! therefore be ahead of the high watermark. Nobody notices, because every answer, including that
//! of a read, waits for all that was written before it. That holds after a load, too: what the last
//! leader appended and did not see replicated is waited for like records of our own. When
//! leadership is lost, the state machine is thrown away.

use super::state_machine::{Completion, Outcome, StateMachine};
use super::{Marker, Ticket, Writer, loader};
use crate::clock::Clock;
use crate::config::Compression;
use crate::error::{Error, Result};
use crate::log::{Appended, Origin};
use crate::metadata::Image;
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::replica::partition::{Append, Partition};
use crate::sync::lock;
use crate::types::{LeaderEpoch, Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, oneshot};

/// A partition of a coordinator's topic that this broker leads.
#[derive(Debug)]
pub struct Slot<M: StateMachine> {
    settings: Settings,
    clock: Clock,
    led: Led,
    state: Mutex<ShardState<M>>,
    /// The newest image. A machine that is still loading gets it when it is loaded.
    image: Mutex<Option<Arc<Image>>>,
    /// Notified when an earlier deadline was set, or the slot was closed.
    wake: Notify,
    /// Notified when the machine has work for others, or the slot was closed.
    work: Notify,
}

/// The settings in which the coordinators differ.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many bytes are read at a time while a log is loaded.
    pub load_buffer_size: usize,
    /// How many milliseconds the replicas have to take what is written.
    pub commit_timeout_ms: i32,
    /// -1 if nothing is appended while the ISR is below `min.insync.replicas`; 1 if the answers
    /// only wait until it is not.
    pub required_acks: i16,
}

/// The partition of a slot, in the uninterrupted time in which this broker leads it.
#[derive(Debug)]
struct Led {
    log: Arc<Partition>,
    /// The epoch in which this broker led it last, as far as the slot was told.
    epoch: AtomicI32,
    required_acks: i16,
}

impl Led {
    /// Whether this broker led in the slot's epoch and leads in `next` without that another broker
    /// can have led in between.
    fn continues_in(&self, next: LeaderEpoch) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        next == epoch || next == epoch.saturating_add(1)
    }

    /// NOT_COORDINATOR if another broker may have led since the slot was loaded. The partition is
    /// told of a new epoch a little earlier than the slot.
    fn check(&self) -> Result<LeaderEpoch> {
        let epoch = self.log.leader_epoch();
        if !self.continues_in(epoch) {
            return Err(ResponseError::NotCoordinator.into());
        }
        Ok(epoch)
    }

    fn append(&self, append: Append, now: Timestamp) -> Result<Appended> {
        self.log.append_verified(append, self.check()?, self.required_acks, now)
    }
}

#[derive(Debug)]
enum ShardState<M: StateMachine> {
    Loading,
    Active(Box<Active<M>>),
    /// The log could not be read, or an operation panicked.
    Failed,
    Closed,
}

#[derive(Debug)]
struct Active<M: StateMachine> {
    machine: M,
    /// The offset after the last record that the state depends on.
    written: Offset,
    parked: HashMap<Ticket, oneshot::Sender<(M::Parked, Offset)>>,
    next_ticket: Ticket,
}

impl<M: StateMachine> Slot<M> {
    /// Makes a slot that begins to load `machine`, which is empty, from a partition that this broker
    /// leads in `epoch`. It has to be called in a tokio runtime. At most as many slots load at the
    /// same time as `permits` has.
    pub fn load(
        machine: M,
        settings: Settings,
        clock: Clock,
        (log, epoch): (Arc<Partition>, LeaderEpoch),
        permits: Arc<Semaphore>,
    ) -> Arc<Slot<M>> {
        let led = Led { log, epoch: AtomicI32::new(epoch), required_acks: settings.required_acks };
        let state = Mutex::new(ShardState::Loading);
        let image = Mutex::default();
        let slot = Arc::new(Slot {
            settings,
            clock,
            led,
            state,
            image,
            wake: Notify::new(),
            work: Notify::new(),
        });
        let loading = slot.clone();
        tokio::spawn(async move {
            let permit = permits.acquire().await;
            let blocking = loading.clone();
            let loaded = tokio::task::spawn_blocking(move || blocking.read_log(machine)).await;
            drop(permit);
            if loaded.is_ok_and(|active| active) {
                loading.keep_time().await;
            }
        });
        slot
    }

    /// Tells the slot that this broker leads in `epoch`. Returns whether the state can stay: it has
    /// to be loaded anew if another broker may have led meanwhile, and a failed slot gets another
    /// chance in each epoch.
    pub fn lead_on(&self, epoch: LeaderEpoch) -> bool {
        if epoch == self.leader_epoch() {
            return true;
        }
        if !self.led.continues_in(epoch) || matches!(*self.state(), ShardState::Failed) {
            return false;
        }
        self.led.epoch.store(epoch, Ordering::Release);
        true
    }

    /// The epoch in which this broker leads the partition, or led it before the slot was closed.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.led.epoch.load(Ordering::Acquire)
    }

    /// Tells the machine of a new image.
    pub fn apply(&self, image: &Arc<Image>) {
        *lock(&self.image) = Some(image.clone());
        if let ShardState::Active(active) = &mut *self.state() {
            active.machine.apply(image);
        }
    }

    fn state(&self) -> MutexGuard<'_, ShardState<M>> {
        // A panic in an operation leaves the state in doubt, so the state is given up; the lock can
        // be used again.
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = PoisonError::into_inner(poisoned);
            *state = ShardState::Failed;
            self.state.clear_poison();
            state
        })
    }

    /// Loads the log; returns whether the slot is active now.
    fn read_log(&self, mut machine: M) -> bool {
        let is_wanted = || matches!(*self.state(), ShardState::Loading);
        let buffer_size = self.settings.load_buffer_size;
        let loaded = loader::load(&self.led.log, &mut machine, buffer_size, is_wanted);
        let partition = self.led.log.index();
        let mut state = self.state();
        if !matches!(*state, ShardState::Loading) {
            return false;
        }
        match loaded {
            Ok(written) => {
                if let Some(image) = &*lock(&self.image) {
                    machine.apply(image);
                }
                machine.loaded(self.clock.now());
                let parked = HashMap::new();
                let active = Active { machine, written, parked, next_ticket: 0 };
                *state = ShardState::Active(Box::new(active));
                self.work.notify_one();
                tracing::debug!(partition, "the {} has loaded its partition", M::NAME);
                true
            }
            Err(error) => {
                tracing::error!(partition, %error, "the {} cannot load its partition", M::NAME);
                *state = ShardState::Failed;
                false
            }
        }
    }

    /// Closes the slot. Whoever waits for an answer gets NOT_COORDINATOR.
    pub fn close(&self) {
        *self.state() = ShardState::Closed;
        self.wake.notify_one();
        self.work.notify_one();
    }

    /// Fires the machine's timers until the slot is closed.
    async fn keep_time(&self) {
        loop {
            let deadline = match &*self.state() {
                ShardState::Active(active) => active.machine.next_deadline(),
                _ => return,
            };
            let wait_ms = deadline.map_or(i64::MAX, |deadline| deadline - self.clock.now());
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
            tokio::select! {
                () = tokio::time::sleep(wait) => self.expire(),
                () = self.wake.notified() => {}
            }
        }
    }

    fn expire(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        let ShardState::Active(active) = &mut *state else { return };
        while let Some(outcome) = active.machine.expire(now) {
            if let Err(error) = active.write(&self.led, now, outcome, &Writer::Coordinator) {
                let partition = self.led.log.index();
                tracing::warn!(partition, %error, "cannot write what a timer calls for");
            }
        }
        self.tell_of_work(active);
    }

    fn tell_of_work(&self, active: &Active<M>) {
        if active.machine.has_work() {
            self.work.notify_one();
        }
    }

    /// Waits until the machine has work for the caller. Returns false once the slot is closed or
    /// has failed.
    pub async fn wait_for_work(&self) -> bool {
        loop {
            self.work.notified().await;
            match &*self.state() {
                ShardState::Active(active) if active.machine.has_work() => return true,
                ShardState::Active(_) | ShardState::Loading => {}
                ShardState::Failed | ShardState::Closed => return false,
            }
        }
    }

    /// Wakes the worker again, for work that it has not done.
    pub fn remind(&self) {
        self.work.notify_one();
    }

    /// The partition that holds the machine's records.
    pub fn log(&self) -> &Arc<Partition> {
        &self.led.log
    }

    /// Runs an operation and writes its records. The inner result is that of the append. The answer
    /// may be sent when the high watermark has reached the offset that comes with it.
    fn operate<A>(
        &self,
        writer: &Writer,
        operation: impl FnOnce(&mut Active<M>, Timestamp) -> Result<Outcome<M::Record, M::Then, A>>,
    ) -> Result<(Result<A>, Offset)> {
        let now = self.clock.now();
        let mut state = self.state();
        let active = state.active()?;
        let deadline = active.machine.next_deadline();
        let outcome = operation(active, now)?;
        let answer = active.write(&self.led, now, outcome, writer);
        let next = active.machine.next_deadline();
        if next.is_some_and(|next| deadline.is_none_or(|deadline| next < deadline)) {
            self.wake.notify_one();
        }
        self.tell_of_work(active);
        Ok((answer, active.written))
    }

    /// Runs an operation that is answered at once.
    pub async fn run<A>(
        &self,
        operation: impl FnOnce(&mut M, Timestamp) -> Result<Outcome<M::Record, M::Then, A>>,
    ) -> Result<A> {
        self.run_as(&Writer::Coordinator, operation).await
    }

    /// Like `run`, for records that belong to a producer's transaction.
    pub async fn run_as<A>(
        &self,
        writer: &Writer,
        operation: impl FnOnce(&mut M, Timestamp) -> Result<Outcome<M::Record, M::Then, A>>,
    ) -> Result<A> {
        let (answer, written) =
            self.operate(writer, |active, now| operation(&mut active.machine, now))?;
        let answer = answer.map_err(coordinator_error)?;
        self.committed(written).await?;
        Ok(answer)
    }

    /// Runs an operation whose answer may have to wait for other members.
    pub async fn run_parked(
        &self,
        operation: impl FnOnce(&mut M, Timestamp, Ticket) -> Outcome<M::Record, M::Then>,
    ) -> Result<M::Parked> {
        let (sender, receiver) = oneshot::channel();
        // If the append fails, the answer to the ticket says so.
        let _ = self.operate(&Writer::Coordinator, |active, now| {
            let ticket = active.next_ticket;
            active.next_ticket += 1;
            active.parked.insert(ticket, sender);
            Ok(operation(&mut active.machine, now, ticket))
        })?;
        let (answer, written) = receiver.await.map_err(|_| ResponseError::NotCoordinator)?;
        self.committed(written).await?;
        Ok(answer)
    }

    /// Ends a transaction in this log: writes its marker and changes the state.
    pub async fn end_transaction(&self, marker: &Marker) -> Result<()> {
        let now = self.clock.now();
        let written = self.state().active()?.end_transaction(&self.led, now, marker)?;
        self.committed(written).await
    }

    async fn committed(&self, written: Offset) -> Result<()> {
        let timeout_ms = self.settings.commit_timeout_ms;
        let waited = self.led.log.wait_for_high_watermark(written, timeout_ms).await;
        // Another leader may have put other records in the place of ours.
        self.led.check()?;
        match waited {
            // The high watermark has been reached. That replicas have fallen behind since does not
            // matter.
            Err(error) if error.code() == ResponseError::NotEnoughReplicasAfterAppend => Ok(()),
            other => other.map_err(coordinator_error),
        }
    }
}

impl<M: StateMachine> ShardState<M> {
    fn active(&mut self) -> Result<&mut Active<M>> {
        match self {
            ShardState::Active(active) => Ok(active),
            ShardState::Loading => Err(ResponseError::CoordinatorLoadInProgress.into()),
            ShardState::Failed | ShardState::Closed => Err(ResponseError::NotCoordinator.into()),
        }
    }
}

impl<M: StateMachine> Active<M> {
    fn end_transaction(&mut self, led: &Led, now: Timestamp, marker: &Marker) -> Result<Offset> {
        self.written = led.append(marker.append(now), now)?.last_offset + 1;
        self.machine.replay_end_transaction(marker.producer_id, marker.committed);
        Ok(self.written)
    }

    /// Appends an outcome's records, changes the state, and sends the answers that are ready.
    fn write<A>(
        &mut self,
        led: &Led,
        now: Timestamp,
        outcome: Outcome<M::Record, M::Then, A>,
        writer: &Writer,
    ) -> Result<A> {
        let Outcome { records, then, answer } = outcome;
        let written = match then {
            _ if records.is_empty() => Ok(()),
            Completion::ReplayInParts => self.write_in_parts(led, now, &records, writer),
            then => self.append(led, now, then, &records, writer),
        };
        for (ticket, answer) in self.machine.take_answers() {
            if let Some(sender) = self.parked.remove(&ticket) {
                // An error here means that the connection is gone.
                drop(sender.send((answer, self.written)));
            }
        }
        written.map(|()| answer)
    }

    fn write_in_parts(
        &mut self,
        led: &Led,
        now: Timestamp,
        records: &[M::Record],
        writer: &Writer,
    ) -> Result<()> {
        const PART: usize = 500;
        let mut parts = records.chunks(PART);
        parts.try_for_each(|part| self.append(led, now, Completion::Replay, part, writer))
    }

    fn append(
        &mut self,
        led: &Led,
        now: Timestamp,
        then: Completion<M::Then>,
        records: &[M::Record],
        writer: &Writer,
    ) -> Result<()> {
        let compression = self.machine.compression();
        let appended = batch_of::<M>(records, now, compression, writer).and_then(|batch| {
            if batch.size()
                > usize::try_from(led.log.log()?.config().max_message_bytes).unwrap_or(0)
            {
                return Err(ResponseError::RecordListTooLarge.into());
            }
            let verification = writer.verification();
            led.append(
                Append { batches: vec![batch], origin: Origin::Coordinator, verification },
                now,
            )
        });
        if let Ok(appended) = &appended {
            self.written = appended.last_offset + 1;
        }
        let result = match &appended {
            Ok(appended) => Ok(appended.base_offset),
            Err(error) => Err(error_code(error)),
        };
        then.follow(&mut self.machine, now, writer.producer_id(), records, result);
        appended.map(drop)
    }
}

fn batch_of<M: StateMachine>(
    records: &[M::Record],
    now: Timestamp,
    compression: Compression,
    writer: &Writer,
) -> Result<Batch> {
    let mut batch = BatchBuilder::new(0, compression);
    if let Writer::Transaction { producer_id, producer_epoch, .. } = writer {
        batch = batch.producer(*producer_id, *producer_epoch, 0, true);
    }
    for record in records {
        let (key, value) = M::encode(record)?;
        batch.append(now, Some(&key), value.as_deref(), &[]);
    }
    Ok(batch.build())
}

/// The error code that the coordinators' clients understand (CoordinatorOperationExceptionHelper).
fn error_code(error: &Error) -> ResponseError {
    use ResponseError as E;
    match error.code() {
        E::UnknownTopicOrPartition | E::NotEnoughReplicas | E::RequestTimedOut => {
            E::CoordinatorNotAvailable
        }
        E::NotLeaderOrFollower
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::KafkaStorageError => E::NotCoordinator,
        E::MessageTooLarge | E::RecordListTooLarge | E::InvalidFetchSize => E::UnknownServerError,
        other => other,
    }
}

fn coordinator_error(error: Error) -> Error {
    match error_code(&error) {
        code if code == error.code() => error,
        code => code.into(),
    }
}
