//! What goes wrong.

use super::Time;
use super::network::CONTROLLERS;
use super::world::{Event, World};
use crate::disk::sim::Fault;
use crate::types::BrokerId;
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// A kind of fault; the seed decides which a history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Kill,
    /// A kill in the middle of what the broker writes.
    Doom,
    PowerLoss,
    Leave,
    Pause,
    Cut,
    /// A broker is cut from all others, or from the controllers, in one direction or in both.
    Isolate,
    Clock,
    FullDisk,
    FailOver,
    Prefer,
    Reassign,
}

pub const KINDS: [Kind; 12] = [
    Kind::Kill,
    Kind::Doom,
    Kind::PowerLoss,
    Kind::Leave,
    Kind::Pause,
    Kind::Cut,
    Kind::Isolate,
    Kind::Clock,
    Kind::FullDisk,
    Kind::FailOver,
    Kind::Prefer,
    Kind::Reassign,
];

/// How many brokers may lose what they had not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Losses {
    /// None: one of them may have been the only one that had acknowledged records.
    #[default]
    None,
    /// One at a time. While it has lost power, no other may be killed, until all ISRs are whole
    /// again: KRaft cannot tell a killed broker from one that has lost records.
    One,
    /// Any, because nothing is acknowledged before it is synced.
    Any,
}

/// Which faults have left something behind.
#[derive(Debug, Default)]
pub struct Faults {
    unclean: BTreeSet<BrokerId>,
    lost_power: Option<BrokerId>,
    has_full_disk: bool,
    /// There will be no more of them.
    pub are_over: bool,
    /// How many brokers may lose power.
    pub losses: Losses,
}

impl Faults {
    /// A process was killed.
    pub fn stopped(&mut self, id: BrokerId, is_power_loss: bool) {
        self.unclean.insert(id);
        if is_power_loss {
            self.lost_power = Some(id);
        }
    }

    /// All ISRs are whole.
    fn all_well(&mut self) {
        self.unclean.clear();
        self.lost_power = None;
    }

    /// Whether the broker may lose power.
    fn may_lose_power(&self, id: BrokerId) -> bool {
        match self.losses {
            Losses::None => false,
            Losses::One => {
                let is_only = self.unclean.iter().all(|one| *one == id);
                is_only && !self.has_full_disk && self.may_be_killed(id)
            }
            Losses::Any => true,
        }
    }

    /// Whether the broker may be killed.
    pub fn may_be_killed(&self, id: BrokerId) -> bool {
        self.losses != Losses::One || self.lost_power.is_none_or(|one| one == id)
    }
}

impl World {
    /// Something goes wrong, if the history has such a fault.
    pub fn fault(&mut self) {
        if self.faults.are_over {
            return;
        }
        // Until a broker that lost power is there again, the controllers may still take it for in sync.
        let is_any_doomed = self.brokers.iter().any(|broker| broker.is_doomed);
        if self.are_isrs_whole() && self.are_all_running() && !is_any_doomed {
            self.faults.all_well();
        }
        let kind = self.profile.faults[self.random.usize(0..self.profile.faults.len())];
        let id = self.random.i32(1..=self.profile.brokers);
        let length = self.random.i64(100..8_000);
        if self.profile.is_told {
            println!("{:>6} {kind:?} broker {id} for {length}", self.now);
        }
        match kind {
            Kind::Kill if self.faults.may_be_killed(id) => self.kill(id, false),
            Kind::Doom if self.faults.may_be_killed(id) => self.doom(id),
            Kind::PowerLoss if self.may_lose_power(id) => self.kill(id, true),
            Kind::Leave => self.leave(id),
            Kind::Pause => {
                let until = self.now + length;
                self.broker(id).paused_until = until;
            }
            Kind::Cut => {
                let (from, to) = (self.random.i32(0..=self.profile.brokers), id);
                self.network.cut(from, to, self.now + length);
            }
            Kind::Isolate => self.isolate(id, length),
            Kind::Clock => {
                let step = self.random.i64(-20_000..20_000);
                self.broker(id).clock_error = step;
            }
            Kind::FullDisk if self.faults.may_be_killed(-1) => {
                self.faults.has_full_disk = true;
                let bytes = self.random.u64(0..20_000);
                self.broker(id).disk.leave_free(bytes);
            }
            Kind::FailOver => {
                let until = self.wall() + length;
                self.controllers.fail_over(until);
            }
            Kind::Prefer => self.controllers.prefer(),
            Kind::Reassign => self.reassign(),
            _ => {}
        }
        if self.random.u8(0..3) == 0 {
            self.free_disks();
        }
        let delay = self.random.i64(0..self.profile.calm);
        self.at(delay, Event::Fault);
    }

    /// Whether the broker may lose power now, and no other is about to be killed.
    pub fn may_lose_power(&self, id: BrokerId) -> bool {
        let is_other_doomed = self.brokers.iter().any(|broker| broker.is_doomed && broker.id != id);
        let is_harmless = || !is_other_doomed && !self.is_last(id);
        self.faults.may_lose_power(id) && (self.faults.losses == Losses::Any || is_harmless())
    }

    /// Whether a partition has no other replica that is eligible to lead. A reassignment that is
    /// cancelled may leave it so, below `min.insync.replicas`.
    fn is_last(&self, id: BrokerId) -> bool {
        let topics = self.controllers.image().topics.iter();
        topics.flat_map(|topic| topic.partitions.iter()).any(|partition| {
            let eligible = || partition.isr.iter().chain(&partition.elr);
            eligible().any(|one| *one == id) && eligible().all(|one| *one == id)
        })
    }

    fn doom(&mut self, id: BrokerId) {
        let after = self.random.u64(0..60);
        let (kind, sync_only, is_end) = (ErrorKind::Other, self.random.u8(0..4) == 0, true);
        let broker = self.broker(id);
        if broker.alive.is_some() {
            broker.is_doomed = true;
            broker.disk.fail(Some(Fault { after, kind, sync_only, is_end }));
        }
    }

    fn isolate(&mut self, id: BrokerId, length: Time) {
        let until = self.now + length;
        let first = if self.random.bool() { CONTROLLERS } else { 1 };
        let last = if self.random.bool() { CONTROLLERS } else { self.profile.brokers };
        let way = self.random.u8(0..3);
        for other in first..=last {
            if way != 1 {
                self.network.cut(id, other, until);
            }
            if way != 2 {
                self.network.cut(other, id, until);
            }
        }
    }

    fn free_disks(&mut self) {
        self.faults.has_full_disk = false;
        self.brokers.iter().for_each(|broker| broker.disk.leave_free(8 << 20));
    }

    fn reassign(&mut self) {
        let id = self.profile.partition(self.random.usize(..));
        let mut replicas: Vec<BrokerId> = (1..=self.profile.brokers).collect();
        self.random.shuffle(&mut replicas);
        replicas.truncate(3);
        // Another move in the middle of one may never end, as in Kafka: a broker can be in both lists.
        let known = self.controllers.image().topics.partition(id.topic_id, id.partition);
        let is_moving = known.is_some_and(|partition| partition.is_reassigning());
        let target = (!is_moving).then_some(&*replicas);
        self.controllers.reassign(id.topic_id, id.partition, target);
    }

    /// Whether every replica of every partition is in sync, as far as the controllers know.
    pub fn are_isrs_whole(&self) -> bool {
        let topics = self.controllers.image().topics.iter();
        let mut partitions = topics.flat_map(|topic| topic.partitions.iter());
        partitions.all(|partition| {
            partition.leader > 0
                && partition.isr.len() == partition.replicas.len()
                && !partition.is_reassigning()
        })
    }

    /// From now on nothing goes wrong any more.
    pub fn heal(&mut self) {
        self.faults.are_over = true;
        self.network.heal();
        self.free_disks();
        let now = self.now;
        for broker in &mut self.brokers {
            broker.paused_until = now;
            // One that has died of it is found dead at its next step.
            if !broker.disk.is_dead() {
                broker.disk.fail(None);
                broker.is_doomed = false;
            }
        }
    }
}
