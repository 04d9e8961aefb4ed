//! One partition's next state: who is in sync, who is eligible, who leads
//! (PartitionChangeBuilder; KIP-966 for the eligible leader replicas).

use crate::codec::schema::metadata::PartitionChangeRecord;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{NO_LEADER, NO_LEADER_CHANGE, Partition, RECOVERING};
use crate::types::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How far an election may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Election {
    /// The first replica if it is in sync.
    Preferred,
    /// The leader stays if it can; otherwise a replica in sync.
    Online,
    /// In the end any replica that is there, which may lose records.
    Unclean,
}

/// What of the cluster an election depends on.
pub(super) struct Surroundings<'a> {
    /// Whether a replica of the partition on this broker may lead.
    pub acceptable: &'a dyn Fn(BrokerId) -> bool,
    /// The directory of a replica that is new on this broker.
    pub default_dir: &'a dyn Fn(BrokerId) -> Uuid,
    /// `min.insync.replicas`, at most the number of replicas.
    pub min_isr: usize,
    /// Whether eligible leader replicas are kept.
    pub elr_enabled: bool,
    /// Whether the leader has a new epoch when the ISR shrinks, as before metadata.version 3.6.
    pub shrinking_makes_epoch: bool,
}

/// A change under way: set what is wanted, then `build`.
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
    /// No change yet; `build` elects a leader if there is none.
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

    /// How far the election may go.
    pub fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    /// Who is to be in sync.
    pub fn isr(mut self, isr: Vec<BrokerId>) -> Self {
        self.isr = isr;
        self
    }

    /// Who is to hold the partition, and who of them comes and goes.
    pub fn replicas(
        mut self,
        replicas: Vec<BrokerId>,
        removing: Vec<BrokerId>,
        adding: Vec<BrokerId>,
    ) -> Self {
        (self.replicas, self.removing, self.adding) = (replicas, removing, adding);
        self
    }

    /// Whether the leader has recovered from an unclean election.
    pub fn recovery_state(mut self, state: i8) -> Self {
        self.recovery_state = state;
        self
    }

    /// This broker stopped uncleanly and may lack records: it is not eligible any more.
    pub fn lost_records(mut self, broker: BrokerId) -> Self {
        self.lost_records = Some(broker);
        self
    }

    /// The directory that a broker put its replica in.
    pub fn directory(mut self, broker: BrokerId, directory: Uuid) -> Self {
        self.directories.insert(broker, directory);
        self
    }

    /// The record, None if nothing changes.
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
            // A new epoch fences the replica that is no more.
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

    /// Ends a reassignment when all that it adds are in sync
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

    /// Who left the ISR while it was too small stays eligible, because it has all that was
    /// acknowledged.
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

    /// The leader, and whether its election may lose records.
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
                (self.around.acceptable)(leader).then_some(leader)
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
