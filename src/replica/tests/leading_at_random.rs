//! A leader, its followers and a controller that do everything in any order. What the leader says
//! is committed must be on every member of the ISR, whoever is asked to lead next.

use super::cluster::{Cluster, NOW, batch};
use crate::codec::schema::metadata::PartitionChangeRecord;
use crate::log::Origin;
use crate::metadata::record::MetadataRecord;
use crate::replica::partition::{
    FetchingReplica, IsrChange, IsrCommitted, Partition, PartitionFetch,
};
use crate::types::{BrokerId, LeaderEpoch, NO_EPOCH, Offset};
use fastrand::Rng;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// A follower as it is, whatever the leader believes.
#[derive(Debug)]
struct Truth {
    id: BrokerId,
    broker_epoch: i64,
    log_end: Offset,
    is_fenced: bool,
}

struct World {
    random: Rng,
    cluster: Cluster,
    topic: Uuid,
    partition: Arc<Partition>,
    now: i64,
    followers: Vec<Truth>,
    /// What the controller has committed, of which the leader may not have heard.
    isr: Vec<BrokerId>,
    partition_epoch: i32,
    leader_epoch: LeaderEpoch,
    /// The leader epoch that the leader knows.
    known_epoch: LeaderEpoch,
    high_watermark: Offset,
    next_broker_epoch: i64,
    /// How often the ISR has grown and shrunk, so that the test cannot be idle unnoticed.
    changes: (usize, usize),
}

impl World {
    fn new(seed: u64) -> World {
        let mut cluster = Cluster::new();
        let followers: Vec<Truth> = (2..=4)
            .map(|id| Truth { id, broker_epoch: id.into(), log_end: 0, is_fenced: false })
            .collect();
        for follower in &followers {
            cluster.register(follower.id, follower.broker_epoch, false);
        }
        let topic = cluster.create_topic("t", 1);
        cluster.configure("t", "min.insync.replicas", "2");
        let isr = vec![1, 2, 3, 4];
        cluster.change(topic, 0, |change| {
            change.replicas = Some(isr.clone());
            change.isr = Some(isr.clone());
        });
        let partition = cluster.partition(topic, 0);
        World {
            random: Rng::with_seed(seed),
            cluster,
            topic,
            partition,
            now: NOW,
            followers,
            isr,
            partition_epoch: 1,
            leader_epoch: 0,
            known_epoch: 0,
            high_watermark: 0,
            next_broker_epoch: 10,
            changes: (0, 0),
        }
    }

    fn step(&mut self) {
        match self.random.u8(0..24) {
            0..=3 => self.append(),
            4..=12 => self.fetch(),
            13..=14 => self.let_time_pass(),
            15 => self.partition.shrink_isr(self.now).unwrap(),
            16..=18 => self.decide(),
            19..=20 => self.tell(),
            21 => self.elect(),
            22 => self.restart_a_follower(),
            _ => self.let_a_follower_run(),
        }
        self.check();
    }

    fn append(&mut self) {
        let records = vec![batch(self.random.usize(1..4))];
        self.partition.append(records, NO_EPOCH, Origin::Client, 1, self.now).unwrap();
    }

    /// The request arrives, and the response perhaps in part or not at all.
    fn fetch(&mut self) {
        let leader_end = self.partition.offsets().unwrap().log_end;
        let index = self.random.usize(0..self.followers.len());
        let follower = &mut self.followers[index];
        let asked = PartitionFetch {
            fetch_offset: follower.log_end,
            max_bytes: 1 << 20,
            current_leader_epoch: self.known_epoch,
            last_fetched_epoch: NO_EPOCH,
            log_start: 0,
        };
        self.partition.check_follower(follower.id, &asked).unwrap();
        let by = FetchingReplica { id: follower.id, broker_epoch: follower.broker_epoch };
        if self.partition.followed(by, &asked, leader_end, self.now).is_ok()
            && self.random.u8(0..4) > 0
        {
            follower.log_end = self.random.i64(follower.log_end..=leader_end);
        }
    }

    fn let_time_pass(&mut self) {
        self.now += self.random.i64(0..20_000);
        self.cluster.clock.store(self.now, Ordering::Relaxed);
    }

    /// The controller decides on what it is asked; the answer may get lost or stay behind the
    /// metadata log.
    fn decide(&mut self) {
        let Some(change) = self.partition.isr_change() else { return };
        let answer = self.judge(&change);
        if let Ok(committed) = &answer {
            let (grown, shrunk) = &mut self.changes;
            *if committed.isr.len() > self.isr.len() { grown } else { shrunk } += 1;
            self.commit(committed.isr.clone(), false);
        }
        match self.random.u8(0..4) {
            0 => {}
            1 => {
                self.tell();
                self.partition.conclude_isr_change(&change, answer, self.now).unwrap();
            }
            _ => {
                self.partition.conclude_isr_change(&change, answer, self.now).unwrap();
            }
        }
    }

    /// What Kafka's controller checks (ReplicationControlManager.validateAlterPartitionData).
    fn judge(&mut self, change: &IsrChange) -> Result<IsrCommitted, ResponseError> {
        assert!(change.leader_epoch <= self.leader_epoch && change.isr.contains(&(1, -1)));
        assert!(change.partition_epoch <= self.partition_epoch);
        if change.leader_epoch < self.leader_epoch {
            return Err(ResponseError::FencedLeaderEpoch);
        }
        if change.partition_epoch < self.partition_epoch {
            return Err(ResponseError::InvalidUpdateVersion);
        }
        let is_eligible = |(id, broker_epoch): &(BrokerId, i64)| {
            let Some(follower) = self.followers.iter().find(|one| one.id == *id) else {
                return true;
            };
            !follower.is_fenced && (*broker_epoch == -1 || *broker_epoch == follower.broker_epoch)
        };
        if !change.isr.iter().all(is_eligible) {
            return Err(ResponseError::IneligibleReplica);
        }
        if self.random.u8(0..8) == 0 {
            return Err(ResponseError::NotController);
        }
        Ok(IsrCommitted {
            isr: change.isr.iter().map(|(id, _)| *id).collect(),
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch + 1,
        })
    }

    fn commit(&mut self, isr: Vec<BrokerId>, elects: bool) {
        self.isr = isr;
        self.partition_epoch += 1;
        self.leader_epoch += i32::from(elects);
        let mut record = PartitionChangeRecord {
            topic_id: self.topic,
            partition_id: 0,
            isr: Some(self.isr.clone()),
            ..PartitionChangeRecord::default()
        };
        if elects {
            record.leader = 1;
        }
        self.cluster.write(MetadataRecord::PartitionChange(record));
    }

    /// The leader hears of all that was committed.
    fn tell(&mut self) {
        self.cluster.publish();
        self.known_epoch = self.leader_epoch;
    }

    fn elect(&mut self) {
        self.commit(self.isr.clone(), true);
    }

    /// A follower comes back, perhaps without its last records. The controller hears of it first.
    fn restart_a_follower(&mut self) {
        let index = self.random.usize(0..self.followers.len());
        let follower = &mut self.followers[index];
        follower.log_end = self.random.i64(0..=follower.log_end);
        follower.broker_epoch = self.next_broker_epoch;
        follower.is_fenced = true;
        self.next_broker_epoch += 1;
        let (id, broker_epoch) = (follower.id, follower.broker_epoch);
        self.cluster.register(id, broker_epoch, true);
        if self.isr.contains(&id) {
            let isr = self.isr.iter().copied().filter(|member| *member != id).collect();
            self.commit(isr, false);
        }
    }

    fn let_a_follower_run(&mut self) {
        if let Some(follower) = self.followers.iter_mut().find(|follower| follower.is_fenced) {
            follower.is_fenced = false;
            self.cluster.change_broker(follower.id, follower.broker_epoch, -1, 0);
        }
    }

    fn check(&mut self) {
        let high_watermark = self.partition.offsets().unwrap().high_watermark;
        assert!(high_watermark >= self.high_watermark, "the high watermark went back");
        self.high_watermark = high_watermark;
        for follower in self.followers.iter().filter(|one| self.isr.contains(&one.id)) {
            assert!(
                follower.log_end >= high_watermark,
                "{high_watermark} is committed, but {follower:?} is in the ISR"
            );
        }
    }
}

#[test]
fn what_is_committed_is_on_every_member_of_the_isr() {
    let (mut grown, mut shrunk, mut committed) = (0, 0, 0);
    for seed in 0..8 {
        let mut world = World::new(seed);
        for _ in 0..1_000 {
            world.step();
        }
        grown += world.changes.0;
        shrunk += world.changes.1;
        committed += world.high_watermark;
    }
    assert!(grown > 30 && shrunk > 5 && committed > 30, "{grown} {shrunk} {committed}");
}
