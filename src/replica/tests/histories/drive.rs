//! What drives a broker: its start and its end, its timers, the requests that it sends and serves.
//! In production threads and tasks do this; here one event does one step of them.

use super::TOPIC;
use super::broker::Asking;
use super::network::CONTROLLERS;
use super::truth::hash_of;
use super::world::{Event, Outcome, Reply, Request, Timer, Waits, World};
use crate::controller::Heartbeat;
use crate::error::Error;
use crate::log::Verification;
use crate::record::Batch;
use crate::replica::fetcher::{Answer, Ask};
use crate::replica::tests::carry;
use crate::sync::lock;
use crate::types::{BrokerId, TopicIdPartition};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use uuid::Uuid;

/// The version of Produce.
const PRODUCE: i16 = 13;
/// How long acks=all waits.
const PRODUCE_WAIT_MS: i32 = 2_000;

impl World {
    /// Starts a process of a broker. If that fails, it is tried again.
    pub fn start(&mut self, id: BrokerId) {
        let incarnation = Uuid::from_u128(self.random.u128(..));
        let index = id as usize - 1;
        if self.brokers[index].alive.is_some() {
            return;
        }
        let started = {
            let (steps, sender) = (self.controllers.steps(), &self.outcomes.0);
            self.brokers[index].start(steps, incarnation, sender)
        };
        if started.is_err() {
            self.kill(id, false);
            return self.at(1_000, Event::Start { broker: id });
        }
        self.timer_in(id, 0, Timer::Register);
        self.timer_in(id, 1, Timer::Heartbeat);
        self.timer_in(id, 1, Timer::Metadata);
        self.timer_in(id, 100, Timer::Assign);
    }

    fn timer_in(&mut self, broker: BrokerId, delay: i64, timer: Timer) {
        let life = self.broker(broker).life;
        self.at(delay, Event::Timer { broker, life, timer });
    }

    /// Ends a process as `kill -9` or a loss of power does, and starts another one some time later.
    pub fn kill(&mut self, id: BrokerId, is_power_loss: bool) {
        self.faults.stopped(id, is_power_loss);
        let delay = self.random.i64(0..6_000);
        let broker = self.broker(id);
        let was_alive = broker.alive.is_some();
        tracing::debug!("broker {id} ends; it loses power: {is_power_loss}");
        broker.stop(is_power_loss);
        broker.paused_until = 0;
        if was_alive {
            self.at(delay, Event::Start { broker: id });
        }
        self.settle();
    }

    pub fn timer(&mut self, id: BrokerId, life: u32, timer: Timer) {
        let broker = self.broker(id);
        let Some(alive) = broker.alive.as_mut().filter(|_| broker.life == life) else { return };
        let replicas = Arc::clone(&alive.replicas);
        let again = match timer {
            Timer::Register => {
                self.register(id);
                None
            }
            Timer::Heartbeat => {
                self.beat(id);
                Some(500)
            }
            Timer::Metadata => {
                self.follow_metadata(id);
                let is_slow = self.random.u8(0..30) == 0;
                Some(self.random.i64(5..if is_slow { 3_000 } else { 100 }))
            }
            Timer::Assign => {
                self.assign(id);
                Some(100)
            }
            Timer::Fetchers => None,
            Timer::IsrAgain => {
                alive.asking.remove(&Asking::Isr);
                None
            }
            Timer::Shrink => {
                replicas.shrink_isrs();
                Some(1_000)
            }
            Timer::Settle => {
                replicas.settle();
                Some(5_000)
            }
            Timer::Checkpoint => {
                replicas.checkpoint();
                Some(10_000)
            }
            Timer::Room => {
                replicas.watch_room(&alive.images.load());
                Some(500)
            }
            Timer::CleanUp => {
                replicas.clean_up();
                replicas.run_deletes();
                Some(7_000)
            }
        };
        if let Some(delay) = again {
            self.timer_in(id, delay, timer);
        }
    }

    fn register(&mut self, id: BrokerId) {
        let Some(alive) = &self.broker(id).alive else { return };
        let request = Request::Register(Box::new(alive.registration.clone()));
        self.ask_once(id, Asking::Registration, CONTROLLERS, Waits::Registration, request);
    }

    fn beat(&mut self, id: BrokerId) {
        let Some(alive) = self.broker(id).alive.as_ref().filter(|one| one.epoch >= 0) else {
            return;
        };
        // A start does not wait for room (background.rs).
        let hands_over = alive.is_running
            && !alive.is_leaving
            && alive.replicas.should_hand_over(&alive.images.load());
        let beat = Heartbeat {
            broker_id: id,
            broker_epoch: alive.epoch,
            applied: alive.images.load().offset,
            want_fence: !alive.is_caught_up() || hands_over,
            want_shut_down: alive.is_leaving,
            offline: alive.replicas.failed_directories(),
            cordoned: None,
        };
        let request = Request::Heartbeat(beat);
        self.ask_once(id, Asking::Heartbeat, CONTROLLERS, Waits::Heartbeat, request);
    }

    fn follow_metadata(&mut self, id: BrokerId) {
        let reaches = !self.network.is_cut(id, CONTROLLERS, self.now)
            && !self.network.is_cut(CONTROLLERS, id, self.now);
        let end = self.controllers.steps().len();
        let index = id as usize - 1;
        let Some(alive) = self.brokers[index].alive.as_mut().filter(|one| one.epoch >= 0) else {
            return;
        };
        let end = self.random.usize(alive.applied..=end).max(end.saturating_sub(5));
        if reaches && alive.follow(self.controllers.steps(), end.max(alive.applied)).is_err() {
            // The broker cannot contradict the metadata log, so it ends.
            self.kill(id, false);
        }
    }

    fn assign(&mut self, id: BrokerId) {
        if self.is_asking(id, Asking::Assignment) {
            return;
        }
        let Some(alive) = self.broker(id).alive.as_ref().filter(|one| one.epoch >= 0) else {
            return;
        };
        let version = alive.images.load().metadata_version();
        let Some(request) = alive.replicas.next_assignments(alive.epoch, version) else { return };
        let (waits, request) = (Waits::Assignment(request.clone()), Request::Assign(request));
        self.ask_once(id, Asking::Assignment, CONTROLLERS, waits, request);
    }

    /// Asks unless the last question of the kind is under way.
    fn ask_once(
        &mut self,
        id: BrokerId,
        what: Asking,
        to: BrokerId,
        waits: Waits,
        request: Request,
    ) {
        if self.is_asking(id, what) {
            return;
        }
        let call = self.ask(id, to, waits, request);
        if let Some(alive) = &mut self.broker(id).alive {
            alive.asking.insert(what, call);
        }
    }

    /// An answer has come to a broker; None if there is none.
    pub fn answered(&mut self, id: BrokerId, waits: Waits, reply: Option<Reply>) {
        let instant = self.instant();
        let (mut timer, mut has_left) = (None, false);
        let Some(alive) = &mut self.broker(id).alive else { return };
        let lost = || Error::Code(ResponseError::NetworkException);
        match (waits, reply) {
            (Waits::Fetcher(fetcher, leader), reply) => {
                alive.asking.remove(&Asking::Fetch(leader));
                let is_current = alive
                    .replicas
                    .fetcher_of(leader)
                    .is_some_and(|one| Arc::ptr_eq(&one, &fetcher));
                if is_current {
                    let answer = match reply {
                        Some(Reply::Fetched(answer)) => Ok(answer),
                        _ => Err(lost()),
                    };
                    fetcher.take_in(answer, instant, &Arc::downgrade(&alive.replicas));
                }
            }
            (Waits::Isr(asked), reply) => {
                let answer = match reply {
                    Some(Reply::Isr(answer)) => answer,
                    _ => Err(lost()),
                };
                let again = alive.replicas.conclude(asked, answer);
                if again.is_empty() {
                    alive.asking.remove(&Asking::Isr);
                } else {
                    alive.replicas.ask_again(again);
                    timer = Some((50, Timer::IsrAgain));
                }
            }
            (Waits::Heartbeat, reply) => {
                alive.asking.remove(&Asking::Heartbeat);
                if let Some(Reply::Heartbeat(Ok(status))) = reply {
                    has_left = status.should_shut_down;
                    if !status.fenced && !alive.is_running {
                        alive.is_running = true;
                        timer = Some((0, Timer::Shrink));
                    }
                }
            }
            (Waits::Registration, reply) => {
                alive.asking.remove(&Asking::Registration);
                match reply {
                    Some(Reply::Registered(Ok(epoch))) => {
                        if alive.registered(epoch).is_err() {
                            return self.kill(id, false);
                        }
                    }
                    _ => timer = Some((500, Timer::Register)),
                }
            }
            (Waits::Assignment(request), reply) => {
                alive.asking.remove(&Asking::Assignment);
                if !matches!(reply, Some(Reply::Assigned(Ok(())))) {
                    alive.replicas.note_again(request);
                }
            }
            (Waits::Producer(_), _) => {}
        }
        if has_left {
            return self.close(id);
        }
        if let Some((delay, timer)) = timer {
            self.timer_in(id, delay, timer);
            if timer == Timer::Shrink {
                self.begin_upkeep(id);
            }
        }
    }

    /// Begins what a broker does from time to time.
    fn begin_upkeep(&mut self, id: BrokerId) {
        self.timer_in(id, 5_000, Timer::Settle);
        self.timer_in(id, 10_000, Timer::Checkpoint);
        self.timer_in(id, 500, Timer::Room);
        self.timer_in(id, 7_000, Timer::CleanUp);
    }

    /// Begins a controlled shutdown.
    pub fn leave(&mut self, id: BrokerId) {
        if let Some(alive) = self.broker(id).alive.as_mut().filter(|one| one.is_running) {
            alive.replicas.leave();
            alive.is_leaving = true;
        }
    }

    /// Ends a controlled shutdown.
    fn close(&mut self, id: BrokerId) {
        let broker = self.broker(id);
        let Some(alive) = &broker.alive else { return };
        let is_clean = alive.replicas.close(alive.epoch).is_ok();
        if !is_clean || self.broker(id).disk.is_dead() {
            return self.kill(id, false);
        }
        self.broker(id).stop(false);
        let delay = self.random.i64(0..3_000);
        self.at(delay, Event::Start { broker: id });
    }

    /// A broker serves a request.
    pub fn serve(&mut self, id: BrokerId, call: u64, request: Request) {
        let wall = self.wall();
        let runtime = self.runtime.handle().clone();
        let broker = self.broker(id);
        let (life, wall) = (broker.life, wall + broker.clock_error);
        let Some(alive) = broker.alive.as_mut().filter(|one| one.is_running) else { return };
        let (replicas, images) = (Arc::clone(&alive.replicas), Arc::clone(&alive.images));
        let sender = alive.outcomes.clone();
        let outcome =
            move |reply, acknowledges| Outcome { broker: id, life, call, reply, acknowledges };
        match request {
            Request::Fetch(request) => {
                let fetch = async move {
                    let wait_ms = request.max_wait_ms;
                    let answer = carry::serve(&replicas, &images, *request, wait_ms).await;
                    let reply = Reply::Fetched(Answer::Fetch(Box::new(answer)));
                    let _ = sender.send(outcome(reply, None));
                };
                alive.tasks.spawn_on(fetch, &runtime);
            }
            Request::Offsets(request) => {
                let answer = carry::tell(&replicas, &images.load(), &request);
                let reply = Reply::Fetched(Answer::Offsets(Box::new(answer)));
                let _ = sender.send(outcome(reply, None));
            }
            Request::Produce { id: partition, records, acks } => {
                self.append(id, call, (partition, records, acks), wall, outcome);
            }
            _ => {}
        }
    }

    fn append(
        &mut self,
        id: BrokerId,
        call: u64,
        (partition, records, acks): (TopicIdPartition, Bytes, i16),
        wall: i64,
        outcome: impl FnOnce(Reply, Option<(TopicIdPartition, i64, u64)>) -> Outcome + Send + 'static,
    ) {
        let (runtime, is_durable) = (self.runtime.handle().clone(), self.profile.is_durable);
        let broker = self.broker(id);
        let life = broker.life;
        let Some(alive) = &mut broker.alive else { return };
        let (replicas, sender) = (Arc::clone(&alive.replicas), alive.outcomes.clone());
        let end = || replicas.partition(partition).and_then(|one| one.offsets()).ok();
        let before = end().map(|offsets| offsets.log_end);
        let mut sent = records.clone();
        let body = hash_of(Batch::split_from(&mut sent).unwrap().body());
        let (produced, awaited) =
            replicas.produce(partition, records, acks, PRODUCE, Verification::NotNeeded, wall);
        let has_written = end().map(|offsets| offsets.log_end) != before;
        let base = produced.base_offset;
        match (produced.error, awaited) {
            (None, Some(awaited)) if acks == -1 => {
                let partition_here = Arc::clone(&awaited.partition);
                // The wait would do it in a thread, in a time of its own.
                let is_flushed = !is_durable || partition_here.flush().is_ok();
                let wait = async move {
                    let waited =
                        awaited.partition.wait_for_high_watermark(awaited.offset, PRODUCE_WAIT_MS);
                    let (reply, acknowledged) = match waited.await {
                        Ok(()) => (Ok(base), Some((partition, base, body))),
                        Err(error) => (Err(error.code()), None),
                    };
                    let _ = sender.send(outcome(Reply::Produced(reply), acknowledged));
                };
                if is_flushed {
                    alive.tasks.spawn_on(wait, &runtime);
                }
                if has_written {
                    self.truth.took_write(&partition_here, id, life);
                }
            }
            (error, awaited) => {
                if is_durable && let Some(awaited) = &awaited {
                    let _ = awaited.partition.flush();
                }
                self.check_refusal(id, partition, call, error);
                let reply = error.map_or(Ok(base), Err);
                let _ = sender.send(outcome(Reply::Produced(reply), None));
                if let Some(awaited) = awaited.filter(|_| has_written) {
                    self.truth.took_write(&awaited.partition, id, life);
                }
            }
        }
    }

    /// A leader of the newest epoch has all that was acknowledged, so what follows that is in order.
    /// An old one may lack it, and a batch that comes late may have been forgotten.
    fn check_refusal(
        &self,
        id: BrokerId,
        partition: TopicIdPartition,
        call: u64,
        error: Option<ResponseError>,
    ) {
        let is_disordered = matches!(
            error,
            Some(
                ResponseError::OutOfOrderSequenceNumber
                    | ResponseError::UnknownProducerId
                    | ResponseError::InvalidProducerEpoch
                    | ResponseError::DuplicateSequenceNumber
            )
        );
        let known = self.controllers.image().topics.partition(TOPIC, partition.partition);
        let alive = self.brokers[id as usize - 1].alive.as_ref();
        let here = alive.and_then(|one| one.replicas.partition(partition).ok());
        let epoch = here.map(|partition| partition.leader_epoch());
        let is_newest =
            known.is_some_and(|one| one.leader == id && Some(one.leader_epoch) == epoch);
        assert!(
            !(is_disordered && is_newest && self.is_awaited(call)),
            "{partition:?} on broker {id}: what follows the acknowledged sequence is {error:?}"
        );
    }

    /// Looks after a broker's fetchers in a while, unless that is due before.
    fn wake_fetchers(&mut self, id: BrokerId, left: i64) {
        let now = self.now;
        let Some(alive) = &mut self.broker(id).alive else { return };
        if alive.wakes_at <= now || alive.wakes_at > now + left {
            alive.wakes_at = now + left;
            self.timer_in(id, left, Timer::Fetchers);
        }
    }

    /// After something has happened to a broker: its process may have died of it, and otherwise it
    /// has new questions to ask.
    pub fn look_after(&mut self, id: BrokerId) {
        if self.broker(id).disk.is_dead() {
            let is_power_loss = self.may_lose_power(id) && self.random.bool();
            return self.kill(id, is_power_loss);
        }
        self.check(id);
        let instant = self.instant();
        for leader in 1..=self.profile.brokers {
            if leader == id || self.is_asking(id, Asking::Fetch(leader)) {
                continue;
            }
            let Some(alive) = &self.broker(id).alive else { return };
            let Some(fetcher) = alive.replicas.fetcher_of(leader) else { continue };
            let next = lock(&fetcher.fetcher).next(instant, alive.own_epoch(id));
            let request = match next {
                Ask::Fetch(request) => Request::Fetch(request),
                Ask::Offsets(request) => Request::Offsets(request),
                Ask::Nothing(until) => {
                    if let Some(until) = until {
                        let left = until.saturating_duration_since(instant).as_millis() as i64;
                        self.wake_fetchers(id, left.max(1));
                    }
                    continue;
                }
            };
            let waits = Waits::Fetcher(fetcher, leader);
            self.ask_once(id, Asking::Fetch(leader), leader, waits, request);
        }
        if self.is_asking(id, Asking::Isr) {
            return;
        }
        let Some(alive) = self.broker(id).alive.as_ref().filter(|one| one.is_running) else {
            return;
        };
        if let Some((asked, request)) = alive.replicas.next_isr_request(alive.epoch) {
            let (waits, request) = (Waits::Isr(asked), Request::AlterIsr(request));
            self.ask_once(id, Asking::Isr, CONTROLLERS, waits, request);
        }
    }
}
