//! Computes a partition's next state: its ISR, its eligible leader replicas and its leader
//! (PartitionChangeBuilder; KIP-966).

use crate::codec::schema::metadata::PartitionChangeRecord;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{NO_LEADER, NO_LEADER_CHANGE, Partition, RECOVERING};
use crate::types::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which replicas an election may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Election {
    /// The first replica, if it is in sync; otherwise as `Online`.
    Preferred,
    /// The current leader if it can stay; otherwise an in-sync or eligible replica, or the last
    /// known leader.
    Online,
    /// As a last resort any available replica, which may lose records.
    Unclean,
}

/// What an election depends on besides the partition itself.
pub(super) struct Surroundings<'a> {
    /// Whether the replica on this broker may lead.
    pub acceptable: &'a dyn Fn(BrokerId) -> bool,
    /// The log directory for a new replica on this broker.
    pub default_dir: &'a dyn Fn(BrokerId) -> Uuid,
    /// `min.insync.replicas`, capped at the number of replicas.
    pub min_isr: usize,
    /// Whether eligible leader replicas are tracked.
    pub elr_enabled: bool,
    /// Whether the leader epoch rises when the ISR shrinks, as before `metadata.version` 3.6-IV0.
    pub shrinking_makes_epoch: bool,
}

/// Builder of a change: set what should change, then call `build`.
pub(super) struct PartitionChange<'a> {
    partition: &'a Partition,
    around: &'a Surroundings<'a>,
    topic_id: Uuid,
    partition_id: i32,
    election: Election,
    isr: Vec<BrokerId>,
    replicas: Vec<BrokerId>,
    removing: Vec<BrokerId>,
    adding: Vec<BrokerId>,
    elr: Vec<BrokerId>,
    recovery_state: i8,
    lost_records: Option<BrokerId>,
    directories: BTreeMap<BrokerId, Uuid>,
}

impl<'a> PartitionChange<'a> {
    /// A builder with no changes; `build` still elects a leader if there is none.
    pub fn new(
        topic_id: Uuid,
        partition_id: i32,
        partition: &'a Partition,
        around: &'a Surroundings<'a>,
    ) -> PartitionChange<'a> {
        let replicas = partition.replicas.iter().copied();
        PartitionChange {
            partition,
            around,
            topic_id,
            partition_id,
            election: Election::Online,
            isr: partition.isr.clone(),
            replicas: partition.replicas.clone(),
            removing: partition.removing_replicas.clone(),
            adding: partition.adding_replicas.clone(),
            elr: partition.elr.clone(),
            recovery_state: partition.leader_recovery_state,
            lost_records: None,
            directories: replicas.zip(partition.directories.iter().copied()).collect(),
        }
    }

    /// Sets which replicas the election may choose.
    pub fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    /// Sets the wanted ISR.
    pub fn isr(mut self, isr: Vec<BrokerId>) -> Self {
        self.isr = isr;
        self
    }

    /// Sets the replicas, and which of them are being removed and added.
    pub fn replicas(
        mut self,
        replicas: Vec<BrokerId>,
        removing: Vec<BrokerId>,
        adding: Vec<BrokerId>,
    ) -> Self {
        (self.replicas, self.removing, self.adding) = (replicas, removing, adding);
        self
    }

    /// Sets whether the leader has recovered from an unclean election.
    pub fn recovery_state(mut self, state: i8) -> Self {
        self.recovery_state = state;
        self
    }

    /// Marks a broker that stopped uncleanly: it may lack records, so it is no longer eligible.
    pub fn lost_records(mut self, broker: BrokerId) -> Self {
        self.lost_records = Some(broker);
        self
    }

    /// Sets the log directory that a broker chose for its replica.
    pub fn directory(mut self, broker: BrokerId, directory: Uuid) -> Self {
        self.directories.insert(broker, directory);
        self
    }

    /// The record of the change; None if nothing changes.
    pub fn build(mut self) -> Option<MetadataRecord> {
        let mut record = PartitionChangeRecord {
            topic_id: self.topic_id,
            partition_id: self.partition_id,
            ..Default::default()
        };
        let unchanged = record.clone();
        self.complete_reassignment();
        self.find_eligible();
        self.elect(&mut record);
        let lost_replica = self.partition.replicas.iter().any(|id| !self.replicas.contains(id));
        if record.leader == NO_LEADER_CHANGE && lost_replica {
            // A new epoch fences the removed replica.
            record.leader = self.partition.leader;
        }
        self.set_isr_and_elr(&mut record);
        if record.leader == NO_LEADER_CHANGE && self.around.shrinking_makes_epoch {
            let shrinks =
                |isr: &Vec<BrokerId>| self.partition.isr.iter().any(|id| !isr.contains(id));
            if record.isr.as_ref().is_some_and(shrinks) {
                record.leader = self.partition.leader;
            }
        }
        self.set_assignment(&mut record);
        if self.recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.recovery_state;
        }
        (record != unchanged).then_some(MetadataRecord::PartitionChange(record))
    }

    /// Completes the reassignment once all added replicas are in sync
    /// (PartitionReassignmentReplicas.maybeCompleteReassignment).
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let staying = |list: &[BrokerId]| -> Vec<BrokerId> {
            list.iter().copied().filter(|id| !self.removing.contains(id)).collect()
        };
        let (isr, replicas) = (staying(&self.isr), staying(&self.replicas));
        let in_sync = |wanted: &[BrokerId]| wanted.iter().all(|id| isr.contains(id));
        let shrinks = self.adding.len() < self.removing.len();
        let emptied = !self.removing.is_empty() && (isr.is_empty() || replicas.is_empty());
        if emptied || !in_sync(&self.adding) || (shrinks && !in_sync(&replicas)) {
            return;
        }
        (self.isr, self.replicas) = (isr, replicas);
        self.removing.clear();
        self.adding.clear();
    }

    /// A replica that leaves the ISR while it is below `min.insync.replicas` stays eligible because
    /// it has every acknowledged record. One that is removed is not eligible any more: it deletes its
    /// log, and would lead with an empty one if it was added again. Kafka's 4.3.1 forgets that.
    fn find_eligible(&mut self) {
        if !self.around.elr_enabled {
            return;
        }
        if self.isr.len() >= self.around.min_isr {
            self.elr.clear();
            return;
        }
        let candidates: BTreeSet<BrokerId> =
            self.elr.iter().chain(&self.partition.isr).copied().collect();
        self.elr = candidates
            .into_iter()
            .filter(|id| !self.isr.contains(id) && self.lost_records != Some(*id))
            .filter(|id| self.replicas.contains(id))
            .collect();
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let (leader, unclean) = self.elected();
        if leader == self.partition.leader {
            return;
        }
        if self.elr.contains(&leader) {
            self.isr = vec![leader];
            self.elr.retain(|&id| id != leader);
        }
        record.leader = leader;
        if unclean {
            record.isr = Some(vec![leader]);
            if self.partition.leader_recovery_state != RECOVERING {
                record.leader_recovery_state = RECOVERING;
            }
        }
    }

    /// The elected leader, and whether the election was unclean.
    fn elected(&self) -> (BrokerId, bool) {
        let valid = |id: &BrokerId| {
            let known = self.isr.contains(id) || (self.isr.is_empty() && self.elr.contains(id));
            known && (self.around.acceptable)(*id)
        };
        let current = [self.partition.leader];
        let preferred = &self.replicas[..self.replicas.len().min(1)];
        let first = if self.election == Election::Preferred { preferred } else { &[] };
        if let Some(&leader) =
            first.iter().chain(&current).chain(&self.replicas).find(|id| valid(id))
        {
            return (leader, false);
        }
        if let Some(leader) = self.last_known_leader() {
            return (leader, true);
        }
        let any = self.replicas.iter().find(|id| (self.around.acceptable)(**id));
        match any {
            Some(&leader) if self.election == Election::Unclean => (leader, true),
            _ => (NO_LEADER, false),
        }
    }

    fn last_known_leader(&self) -> Option<BrokerId> {
        let nobody_is_eligible = self.elr.is_empty() && self.isr.is_empty();
        match self.partition.last_known_elr[..] {
            [leader] if self.around.elr_enabled && nobody_is_eligible => {
                let may_lead = self.replicas.contains(&leader) && (self.around.acceptable)(leader);
                may_lead.then_some(leader)
            }
            _ => None,
        }
    }

    fn set_isr_and_elr(&mut self, record: &mut PartitionChangeRecord) {
        let unclean = record.isr.is_some();
        if unclean || !self.around.elr_enabled {
            self.elr.clear();
        }
        if self.elr != self.partition.elr {
            record.eligible_leader_replicas = Some(self.elr.clone());
        }
        let may_be_set = !self.isr.is_empty() || self.around.elr_enabled;
        if !unclean && may_be_set && self.isr != self.partition.isr {
            record.isr = Some(self.isr.clone());
        }
        if !self.around.elr_enabled {
            return;
        }
        if record.leader == NO_LEADER && self.partition.last_known_elr.is_empty() {
            record.last_known_elr = Some(vec![self.partition.leader]);
        } else if record.leader >= 0 && !self.partition.last_known_elr.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    fn set_assignment(&self, record: &mut PartitionChangeRecord) {
        let changed = |new: &Vec<BrokerId>, old: &Vec<BrokerId>| (new != old).then(|| new.clone());
        if !self.replicas.is_empty() {
            let directory = |&id: &BrokerId| {
                let known = self.directories.get(&id).copied();
                known.unwrap_or_else(|| (self.around.default_dir)(id))
            };
            let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
            if directories != self.partition.directories {
                record.directories = Some(directories);
            }
            record.replicas = changed(&self.replicas, &self.partition.replicas);
        }
        record.removing_replicas = changed(&self.removing, &self.partition.removing_replicas);
        record.adding_replicas = changed(&self.adding, &self.partition.adding_replicas);
    }
}
