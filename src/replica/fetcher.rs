//! Copies the partitions that other brokers lead (ReplicaFetcherManager).
//!
//! ```text
//!  fetcher     which partition is copied by which fetcher; they start and end as needed
//!  copying     a fetcher: what to ask its leader next, and what an answer does
//!  offsets     what to do if the leader does not have the offset asked for
//!  session     our side of the fetch session
//!  thread      carries requests and answers
//! ```

mod copying;
mod offsets;
mod session;
mod thread;

use super::Replicas;
use super::partition::Partition;
use crate::error::Result;
use crate::peers::Peers;
use crate::sync::lock;
use crate::types::{BrokerId, LeaderEpoch, TopicIdPartition, java_hash};
use copying::Fetcher;
#[cfg(test)]
pub(super) use copying::{Answer, Ask};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use thread::Shared;
#[cfg(test)]
pub(super) use thread::Shared as SharedFetcher;

/// A fetcher: its leader, and its number among those of this leader.
type FetcherId = (BrokerId, i32);

/// The fetchers of this broker.
#[derive(Debug, Default)]
pub(super) struct Fetchers {
    running: Mutex<Running>,
    /// What the threads of the fetchers need; without it there are none.
    outside: OnceLock<(Weak<Replicas>, Arc<Peers>)>,
}

#[derive(Debug, Default)]
struct Running {
    fetchers: HashMap<FetcherId, Arc<Shared>>,
    /// Which fetcher a partition was given to.
    homes: HashMap<TopicIdPartition, FetcherId>,
    /// `num.replica.fetchers` when they were given out.
    per_leader: i32,
    is_closed: bool,
}

impl Replicas {
    /// Copies from other brokers from now on. Called once, before the first image is applied.
    pub fn copy_through(self: &Arc<Self>, peers: Arc<Peers>) {
        let _ = self.fetchers.outside.set((Arc::downgrade(self), peers));
    }

    /// Copies a partition from `leader`, which leads it in `epoch`.
    pub(super) fn follow(
        &self,
        partition: &Arc<Partition>,
        leader: BrokerId,
        epoch: LeaderEpoch,
    ) -> Result<()> {
        partition.begin_to_follow(epoch)?;
        let mut running = lock(&self.fetchers.running);
        if running.per_leader == 0 {
            running.per_leader = self.config.get().num_replica_fetchers;
        }
        self.give_out(&mut running, partition, leader, epoch);
        Ok(())
    }

    fn give_out(
        &self,
        running: &mut Running,
        partition: &Arc<Partition>,
        leader: BrokerId,
        epoch: LeaderEpoch,
    ) {
        if running.is_closed {
            return;
        }
        let home = (leader, fetcher_number(partition, running.per_leader));
        if let Some(other) = running.homes.insert(partition.id(), home).filter(|old| *old != home)
            && let Some(other) = running.fetchers.get(&other)
        {
            lock(&other.fetcher).unfollow(partition.id());
        }
        let fetcher = running.fetchers.entry(home).or_insert_with(|| {
            let (config, clock) = (self.config.clone(), self.clock.clone());
            let fetcher = Fetcher::new(leader, config, clock, Arc::clone(&self.follower_quota));
            let shared = Shared::new(fetcher, home.1);
            if let Some((replicas, peers)) = self.fetchers.outside.get() {
                shared.start(Weak::clone(replicas), Arc::clone(peers));
            }
            shared
        });
        lock(&fetcher.fetcher).follow(Arc::clone(partition), epoch);
        fetcher.wake();
    }

    /// Copies a partition no more.
    pub(super) fn unfollow(&self, id: TopicIdPartition) {
        let mut running = lock(&self.fetchers.running);
        if let Some(home) = running.homes.remove(&id)
            && let Some(fetcher) = running.fetchers.get(&home)
        {
            lock(&fetcher.fetcher).unfollow(id);
        }
    }

    /// Ends the fetchers that have nothing to copy, and gives the partitions out again if
    /// `num.replica.fetchers` has changed.
    pub(super) fn tidy_fetchers(&self) {
        let mut running = lock(&self.fetchers.running);
        let per_leader = self.config.get().num_replica_fetchers;
        if running.per_leader != per_leader && !running.homes.is_empty() {
            running.per_leader = per_leader;
            let fetchers = running.fetchers.values();
            let all: Vec<_> = fetchers
                .flat_map(|one| {
                    let mut fetcher = lock(&one.fetcher);
                    let leader = fetcher.leader;
                    fetcher.take_all().into_iter().map(move |(one, epoch)| (one, leader, epoch))
                })
                .collect();
            for (partition, leader, epoch) in all {
                self.give_out(&mut running, &partition, leader, epoch);
            }
        }
        running.fetchers.retain(|_, one| {
            let is_idle = lock(&one.fetcher).is_empty();
            if is_idle {
                one.stop();
            }
            !is_idle
        });
    }

    /// Ends all fetchers, and waits until none of them appends any more.
    pub(super) fn close_fetchers(&self) {
        let fetchers: Vec<Arc<Shared>> = {
            let mut running = lock(&self.fetchers.running);
            running.is_closed = true;
            running.homes.clear();
            running.fetchers.drain().map(|(_, one)| one).collect()
        };
        fetchers.iter().for_each(|one| one.stop());
        fetchers.iter().for_each(|one| one.join());
    }

    /// The fetcher of a leader, for tests that carry its requests themselves.
    #[cfg(test)]
    pub(super) fn fetcher_of(&self, leader: BrokerId) -> Option<Arc<Shared>> {
        lock(&self.fetchers.running).fetchers.get(&(leader, 0)).cloned()
    }
}

/// Which of the fetchers of its leader copies a partition (getFetcherId).
fn fetcher_number(partition: &Partition, per_leader: i32) -> i32 {
    let hash = java_hash(partition.topic()).wrapping_mul(31).wrapping_add(partition.index());
    // Kafka makes the hash positive by dropping its sign, and i32::MIN becomes 0.
    hash.checked_abs().unwrap_or(0) % per_leader.max(1)
}
