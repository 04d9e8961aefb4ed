//! The target assignment of a group's epoch (TargetAssignmentBuilder).

use super::{Kind, Modern};
use crate::coordinator::group::MemberId;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::turn::Turn;
use std::collections::BTreeMap;

impl<K: Kind> Modern<K> {
    /// Whether the last target assignment is old enough to be followed by another.
    pub fn may_assign(&self, turn: &Turn<'_>) -> bool {
        let interval_ms = turn.group_setting(&self.id, K::ASSIGNMENT_INTERVAL);
        let last = self.assignment_timestamp;
        last == 0 || interval_ms == 0 || turn.now >= last + i64::from(interval_ms)
    }

    /// Writes down the target assignment of `epoch`: what is other than before, and the epoch.
    pub fn write_targets(
        &self,
        turn: &Turn<'_>,
        epoch: i32,
        made: &BTreeMap<MemberId, K::Target>,
        records: &mut Vec<Record>,
    ) {
        for (id, target) in made {
            if self.targets.get(id).is_none_or(|before| **before != *target) {
                records.push(K::target_record(&self.id, id, Some(target)));
            }
        }
        records.push(K::target_epoch_record(&self.id, Some((epoch, turn.now))));
    }
}
