//! A broker: its disk, its clock, and while it is alive its partitions, with what drives them in
//! place of threads and tasks.

use super::truth::Mark;
use super::world::Outcome;
use super::{CLUSTER, NOW, Time};
use crate::clock::Clock;
use crate::codec::messages::BrokerRegistrationRequest;
use crate::config::{Config, LiveConfig};
use crate::controller::model;
use crate::disk::Disk;
use crate::disk::sim::Sim;
use crate::error::Result;
use crate::log::manager::LogManager;
use crate::metadata::{Image, Published};
use crate::replica::Replicas;
use crate::types::{BrokerId, TopicIdPartition};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::task::JoinSet;
use uuid::Uuid;

/// The settings of every broker.
const SETTINGS: [(&str, &str); 8] = [
    ("log.dirs", "/data"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("replica.lag.time.max.ms", "2000"),
    ("replica.fetch.wait.max.ms", "500"),
    ("replica.fetch.backoff.ms", "200"),
    ("replica.fetch.max.bytes", "2000"),
    ("default.replication.factor", "3"),
    ("producer.id.expiration.ms", "86400000"),
];

/// A broker, dead or alive.
pub struct Broker {
    pub id: BrokerId,
    pub disk: Sim,
    clock: Arc<AtomicI64>,
    /// How far its clock is from the true time.
    pub clock_error: Time,
    /// How often it was started.
    pub life: u32,
    /// It does nothing until then.
    pub paused_until: Time,
    /// It is stopped uncleanly at the next call to the disk that the seed has chosen.
    pub is_doomed: bool,
    pub alive: Option<Alive>,
}

/// What a process has in memory.
pub struct Alive {
    pub replicas: Arc<Replicas>,
    pub images: Arc<ArcSwap<Image>>,
    /// What the metadata log said last when it started.
    first: Published,
    /// How many steps of the metadata log it has applied.
    pub applied: usize,
    pub registration: BrokerRegistrationRequest,
    /// The epoch of its registration, -1 before.
    pub epoch: i64,
    /// It was unfenced, and serves clients and other brokers.
    pub is_running: bool,
    /// It wants to stop.
    pub is_leaving: bool,
    /// When its fetchers are looked after next.
    pub wakes_at: Time,
    /// Whether each of these questions is under way: the fetch of a leader, ISRs, and so on.
    pub asking: BTreeMap<Asking, u64>,
    /// What waits for records or for the high watermark.
    pub tasks: JoinSet<()>,
    pub outcomes: std::sync::mpsc::Sender<Outcome>,
    pub marks: BTreeMap<TopicIdPartition, Mark>,
}

/// A question that is asked once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asking {
    Fetch(BrokerId),
    Isr,
    Heartbeat,
    Registration,
    Assignment,
}

impl Broker {
    pub fn new(id: BrokerId, disk: Sim) -> Broker {
        let clock = Arc::new(AtomicI64::new(NOW));
        let (clock_error, life, paused_until, is_doomed) = (0, 0, 0, false);
        Broker { id, disk, clock, clock_error, life, paused_until, is_doomed, alive: None }
    }

    /// Whether it does anything now.
    pub fn is_paused(&self, now: Time) -> bool {
        now < self.paused_until
    }

    pub fn set_clock(&self, now: Time) {
        self.clock.store(NOW + now + self.clock_error, Ordering::Relaxed);
    }

    /// Starts a process, up to where it has to register (Broker::start).
    pub fn start(
        &mut self,
        steps: &[Published],
        incarnation: Uuid,
        outcomes: &std::sync::mpsc::Sender<Outcome>,
    ) -> Result<()> {
        let mut properties: BTreeMap<String, String> =
            SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        properties.insert("node.id".to_owned(), self.id.to_string());
        let config = LiveConfig::from(Config::new(properties)?);
        let mut logs = LogManager::open(Disk::Sim(self.disk.clone()), &config)?;
        logs.claim()?;
        logs.format(CLUSTER, self.id)?;
        let previous_epoch = logs.dirs()[0].clean_shutdown.unwrap_or(-1);
        logs.unmark()?;
        let directories = logs.dirs().iter().filter_map(|dir| dir.id()).collect();
        let registration =
            model::registration(self.id, incarnation, directories, previous_epoch, CLUSTER);
        let first = steps.last().map(|step| Published {
            image: Arc::clone(&step.image),
            delta: Arc::clone(&step.delta),
        });
        self.life += 1;
        self.alive = Some(Alive {
            replicas: Replicas::new(config, Clock::Manual(Arc::clone(&self.clock)), logs),
            images: Arc::default(),
            first: first.unwrap(),
            applied: steps.len(),
            registration,
            epoch: -1,
            is_running: false,
            is_leaving: false,
            wakes_at: -1,
            asking: BTreeMap::new(),
            tasks: JoinSet::new(),
            outcomes: outcomes.clone(),
            marks: BTreeMap::new(),
        });
        Ok(())
    }

    /// The process ends. After a loss of power, so does what was not synced.
    pub fn stop(&mut self, is_power_loss: bool) {
        self.alive = None;
        self.is_doomed = false;
        self.disk.fail(None);
        if is_power_loss {
            self.disk.lose_power();
        }
    }
}

impl Alive {
    /// The registration was answered: what was known before is applied, and then what came since.
    pub fn registered(&mut self, epoch: i64) -> Result<()> {
        self.epoch = epoch;
        self.replicas.apply(&self.first.image, &self.first.delta)?;
        self.images.store(Arc::clone(&self.first.image));
        Ok(())
    }

    /// Applies the metadata log up to `end`.
    pub fn follow(&mut self, steps: &[Published], end: usize) -> Result<()> {
        for step in &steps[self.applied..end] {
            self.replicas.apply(&step.image, &step.delta)?;
            self.images.store(Arc::clone(&step.image));
            self.applied += 1;
        }
        Ok(())
    }

    /// Whether it has applied its own registration.
    pub fn is_caught_up(&self) -> bool {
        self.epoch >= 0 && self.images.load().offset >= self.epoch
    }

    /// The epoch that its fetches carry (Peers::own_epoch).
    pub fn own_epoch(&self, id: BrokerId) -> i64 {
        self.images.load().brokers.get(&id).map_or(-1, |broker| broker.epoch)
    }
}
