//! The network between brokers, controllers and clients. Each message takes a time of its own, so
//! those of different connections overtake each other. Some are lost, and whole directions may be.

use super::Time;
use crate::types::BrokerId;
use fastrand::Rng;
use std::collections::BTreeMap;

/// Who sends and receives: a broker by its id, or one of these.
pub type Place = BrokerId;
/// The active controller, wherever it is.
pub const CONTROLLERS: Place = 0;
/// Where all clients are. Nothing is ever cut there.
pub const CLIENTS: Place = -1;

/// What becomes of a message that is sent.
pub struct Network {
    /// Directions in which nothing arrives, and until when.
    cuts: BTreeMap<(Place, Place), Time>,
    /// How many of a thousand messages are lost.
    loss: u32,
    /// Most messages take at most this long.
    delay: Time,
}

impl Network {
    /// A network of the kind that the seed decides.
    pub fn new(random: &mut Rng) -> Network {
        let (loss, delay) = (random.u32(0..20), random.i64(2..40));
        Network { cuts: BTreeMap::new(), loss, delay }
    }

    /// Lets nothing through from one place to another for a time.
    pub fn cut(&mut self, from: Place, to: Place, until: Time) {
        self.cuts.insert((from, to), until);
    }

    /// Everything arrives again.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.loss = 0;
    }

    /// Whether a message that would arrive now does not.
    pub fn is_cut(&self, from: Place, to: Place, now: Time) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|until| now < *until)
    }

    /// How long a message takes; None if it is lost.
    pub fn send(&self, random: &mut Rng) -> Option<Time> {
        if random.u32(0..1000) < self.loss {
            return None;
        }
        let slow = if random.u8(0..40) == 0 { 1000 } else { 0 };
        Some(random.i64(0..=self.delay + slow))
    }
}
