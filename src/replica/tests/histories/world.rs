//! The cluster, its events in the order of simulated time, and the requests between its members.

use super::broker::{Asking, Broker};
use super::clients::Producer;
use super::faults::Faults;
use super::network::{CONTROLLERS, Network, Place};
use super::truth::Truth;
use super::{CLUSTER, NOW, Profile, Time};
use crate::codec::messages::{
    AlterPartitionRequest, AlterPartitionResponse, AssignReplicasToDirsRequest,
    BrokerRegistrationRequest, FetchRequest, ListOffsetsRequest,
};
use crate::controller::model::Controllers;
use crate::controller::{BrokerStatus, Heartbeat};
use crate::disk::sim::Sim;
use crate::error::Result;
use crate::replica::fetcher::{Answer, SharedFetcher};
use crate::replica::partition::Asked;
use crate::types::{BrokerId, Offset, TopicIdPartition};
use bytes::Bytes;
use fastrand::Rng;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long a request may take before its sender gives up.
const TIMEOUT: Time = 3_000;
/// A broker that is not heard of for so long is fenced.
const SESSION: Time = 3_000;

/// A whole cluster.
pub struct World {
    pub random: Rng,
    pub profile: Profile,
    pub now: Time,
    /// The moment that is time 0.
    began: Instant,
    pub runtime: Runtime,
    events: BTreeMap<(Time, u64), Event>,
    next_event: u64,
    calls: BTreeMap<u64, Call>,
    pub network: Network,
    pub controllers: Controllers,
    pub brokers: Vec<Broker>,
    pub producers: Vec<Producer>,
    pub faults: Faults,
    pub truth: Truth,
    pub outcomes: (mpsc::Sender<Outcome>, mpsc::Receiver<Outcome>),
    digest: DefaultHasher,
}

/// What happens at a moment.
pub enum Event {
    Request {
        call: u64,
        from: Place,
        to: Place,
        request: Request,
    },
    Reply {
        call: u64,
        reply: Reply,
    },
    /// Whoever has asked gives up, because of a timeout or a connection that was reset.
    Lost {
        call: u64,
    },
    /// What a paused broker has found out, but not yet sent.
    Done(Outcome),
    Timer {
        broker: BrokerId,
        life: u32,
        timer: Timer,
    },
    Start {
        broker: BrokerId,
    },
    Produce {
        producer: usize,
    },
    Read,
    Fault,
    Controllers,
}

/// What a broker does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    Register,
    Heartbeat,
    Metadata,
    Assign,
    Fetchers,
    IsrAgain,
    Shrink,
    Settle,
    Checkpoint,
    Room,
    CleanUp,
}

/// A request on its way.
pub enum Request {
    Fetch(Box<FetchRequest>),
    Offsets(Box<ListOffsetsRequest>),
    AlterIsr(AlterPartitionRequest),
    Heartbeat(Heartbeat),
    Register(Box<BrokerRegistrationRequest>),
    Assign(AssignReplicasToDirsRequest),
    Produce { id: TopicIdPartition, records: Bytes, acks: i16 },
}

/// An answer on its way.
pub enum Reply {
    Fetched(Answer),
    Isr(Result<AlterPartitionResponse>),
    Heartbeat(Result<BrokerStatus>),
    Registered(Result<i64>),
    Assigned(Result<()>),
    Produced(Result<Offset, ResponseError>),
}

/// A request that is waited for.
struct Call {
    from: Place,
    life: u32,
    waits: Waits,
}

/// Who waits for an answer.
pub enum Waits {
    Fetcher(Arc<SharedFetcher>, BrokerId),
    Isr(Vec<Asked>),
    Heartbeat,
    Registration,
    Assignment(AssignReplicasToDirsRequest),
    Producer(usize),
}

/// What a task of a broker has found out: the answer to a request.
pub struct Outcome {
    pub broker: BrokerId,
    pub life: u32,
    pub call: u64,
    pub reply: Reply,
    /// What is acknowledged with it: the partition, the offset, and a hash of the records.
    pub acknowledges: Option<(TopicIdPartition, Offset, u64)>,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut random = Rng::with_seed(seed);
        let profile = Profile::new(&mut random);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let brokers =
            (1..=profile.brokers).map(|id| Broker::new(id, Sim::new(random.u64(..)))).collect();
        let mut world = World {
            network: Network::new(&mut random),
            controllers: Controllers::new(CLUSTER, SESSION),
            producers: Vec::new(),
            faults: Faults::default(),
            truth: Truth::default(),
            random,
            profile,
            now: 0,
            began: Instant::now(),
            runtime,
            events: BTreeMap::new(),
            next_event: 0,
            calls: BTreeMap::new(),
            brokers,
            outcomes: mpsc::channel(),
            digest: DefaultHasher::new(),
        };
        for id in 1..=world.profile.brokers {
            world.at(0, Event::Start { broker: id });
        }
        world.at(0, Event::Controllers);
        world
    }

    /// A digest of all that has happened between brokers, clients and controllers. Calls of a disk
    /// are left out, because a broker that starts makes them in several threads.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// The moment as fetchers see it.
    pub fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now.unsigned_abs())
    }

    pub fn wall(&self) -> Time {
        NOW + self.now
    }

    pub fn broker(&mut self, id: BrokerId) -> &mut Broker {
        &mut self.brokers[id as usize - 1]
    }

    /// Lets something happen after `delay`.
    pub fn at(&mut self, delay: Time, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now + delay.max(0), self.next_event), event);
    }

    /// Lets `duration` pass.
    pub fn run(&mut self, duration: Time) {
        let end = self.now + duration;
        while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), event) = entry.remove_entry();
            self.advance(at);
            self.handle(event);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Time) {
        let passed = Duration::from_millis((to - self.now).unsigned_abs());
        self.now = to;
        self.brokers.iter().for_each(|broker| broker.set_clock(to));
        if !passed.is_zero() {
            self.runtime.block_on(tokio::time::advance(passed));
            self.settle();
        }
    }

    /// Lets all tasks go on until they wait, and takes in what they have found out.
    pub fn settle(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        });
        // In which order tasks are woken by the same change is up to hash maps.
        let mut outcomes: Vec<Outcome> = self.outcomes.1.try_iter().collect();
        outcomes.sort_by_key(|outcome| outcome.call);
        outcomes.into_iter().for_each(|outcome| self.concluded(outcome));
    }

    fn handle(&mut self, event: Event) {
        let broker = self.broker_of(&event);
        let _span = tracing::info_span!("at", ms = self.now, broker).entered();
        if let Some(id) = broker {
            let (now, one) = (self.now, self.broker(id));
            if one.is_paused(now) {
                let left = one.paused_until - now;
                return self.at(left, event);
            }
        }
        self.note(&event);
        match event {
            Event::Request { call, from, to, request } => self.arrived(call, from, to, request),
            Event::Reply { call, reply } => self.complete(call, Some(reply)),
            Event::Lost { call } => self.complete(call, None),
            Event::Done(outcome) => self.concluded(outcome),
            Event::Timer { broker, life, timer } => self.timer(broker, life, timer),
            Event::Start { broker } => self.start(broker),
            Event::Produce { producer } => self.produce(producer),
            Event::Read => self.read(),
            Event::Fault => self.fault(),
            Event::Controllers => self.tick_controllers(),
        }
        self.settle();
        if let Some(id) = broker {
            self.look_after(id);
        }
    }

    /// The broker that has to do something.
    fn broker_of(&self, event: &Event) -> Option<BrokerId> {
        let of_call = |call: &u64| self.calls.get(call).map(|call| call.from);
        let place = match event {
            Event::Request { to, .. } => Some(*to),
            Event::Reply { call, .. } | Event::Lost { call } => of_call(call),
            Event::Done(outcome) => Some(outcome.broker),
            Event::Timer { broker, .. } | Event::Start { broker } => Some(*broker),
            Event::Produce { .. } | Event::Read | Event::Fault | Event::Controllers => None,
        };
        place.filter(|place| *place > CONTROLLERS)
    }

    fn note(&mut self, event: &Event) {
        let what = match event {
            Event::Request { call, to, .. } => (0, *call, i64::from(*to)),
            Event::Reply { call, .. } => (1, *call, 0),
            Event::Lost { call } => (2, *call, 0),
            Event::Done(outcome) => (3, outcome.call, 0),
            Event::Timer { broker, timer, .. } => (4, *timer as u64, i64::from(*broker)),
            Event::Start { broker } => (5, 0, i64::from(*broker)),
            Event::Produce { producer } => (6, *producer as u64, 0),
            Event::Read => (7, 0, 0),
            Event::Fault => (8, 0, 0),
            Event::Controllers => (9, 0, 0),
        };
        (self.now, what).hash(&mut self.digest);
    }

    /// Notes an offset or the like in the digest.
    pub fn noted(&mut self, what: impl Hash) {
        what.hash(&mut self.digest);
    }

    /// Sends a request. Whoever sends it gives up after a while, or at once if the connection is
    /// reset; it may arrive all the same.
    pub fn ask(&mut self, from: Place, to: Place, waits: Waits, request: Request) -> u64 {
        self.next_event += 1;
        let call = self.next_event;
        let life = if from > CONTROLLERS { self.broker(from).life } else { 0 };
        self.calls.insert(call, Call { from, life, waits });
        let is_reset = self.random.u32(0..300) == 0;
        let patience = if is_reset { self.random.i64(0..100) } else { TIMEOUT };
        self.at(patience, Event::Lost { call });
        if !self.network.is_cut(from, to, self.now)
            && let Some(delay) = self.network.send(&mut self.random)
        {
            self.at(delay, Event::Request { call, from, to, request });
        }
        call
    }

    /// Sends an answer from `from` to whoever has asked.
    pub fn answer(&mut self, from: Place, call: u64, reply: Reply) {
        let Some(to) = self.calls.get(&call).map(|call| call.from) else { return };
        if !self.network.is_cut(from, to, self.now)
            && let Some(delay) = self.network.send(&mut self.random)
        {
            self.at(delay, Event::Reply { call, reply });
        }
    }

    fn arrived(&mut self, call: u64, from: Place, to: Place, request: Request) {
        if self.network.is_cut(from, to, self.now) {
            return;
        }
        if to == CONTROLLERS {
            if let Some(reply) = self.decide(request) {
                self.answer(CONTROLLERS, call, reply);
            }
            return;
        }
        self.serve(to, call, request);
    }

    /// What the active controller answers.
    fn decide(&mut self, request: Request) -> Option<Reply> {
        let (controllers, now) = (&mut self.controllers, NOW + self.now);
        Some(match request {
            Request::AlterIsr(request) => Reply::Isr(controllers.alter_partition(&request, now)),
            Request::Heartbeat(beat) => Reply::Heartbeat(controllers.heartbeat(&beat, now)),
            Request::Register(request) => Reply::Registered(controllers.register(&request, now)),
            Request::Assign(request) => Reply::Assigned(controllers.assign(&request, now)),
            Request::Fetch(_) | Request::Offsets(_) | Request::Produce { .. } => return None,
        })
    }

    fn tick_controllers(&mut self) {
        self.controllers.fence_stale(NOW + self.now);
        self.at(100, Event::Controllers);
    }

    /// Gives an answer, or the news that there is none, to whoever waits for it.
    fn complete(&mut self, call: u64, reply: Option<Reply>) {
        let Some(Call { from, life, waits }) = self.calls.remove(&call) else { return };
        if let Waits::Producer(producer) = waits {
            let produced = match reply {
                Some(Reply::Produced(produced)) => produced,
                _ => Err(ResponseError::RequestTimedOut),
            };
            return self.produced(producer, produced);
        }
        let broker = self.broker(from);
        if broker.life == life && broker.alive.is_some() {
            self.answered(from, waits, reply);
        }
    }

    /// A task of a broker has an answer.
    fn concluded(&mut self, outcome: Outcome) {
        let (now, broker) = (self.now, self.broker(outcome.broker));
        if broker.life != outcome.life || broker.alive.is_none() || broker.disk.is_dead() {
            return;
        }
        if broker.is_paused(now) {
            let left = broker.paused_until - now;
            return self.at(left, Event::Done(outcome));
        }
        if let Some((id, base, body)) = outcome.acknowledges {
            self.check(outcome.broker);
            self.truth.acknowledge(id, base, body);
            self.noted((id.partition, base));
        }
        self.answer(outcome.broker, outcome.call, outcome.reply);
    }

    /// Compares the logs of a broker with the truth. One that does not run yet may believe what was
    /// true before it stopped, but nobody hears of it.
    pub fn check(&mut self, id: BrokerId) {
        let alive = self.brokers[id as usize - 1].alive.as_mut();
        if let Some(alive) = alive.filter(|alive| alive.is_running) {
            self.truth.check(id, alive);
        }
    }

    /// Whether anybody still waits for an answer.
    pub fn is_awaited(&self, call: u64) -> bool {
        self.calls.contains_key(&call)
    }

    /// Whether a question of a broker is under way.
    pub fn is_asking(&mut self, id: BrokerId, what: Asking) -> bool {
        self.broker(id).alive.as_ref().is_some_and(|alive| alive.asking.contains_key(&what))
    }
}
