//! All members subscribe to the same topics. Each gets the same number of partitions, give or take
//! one, and keeps what it has as far as possible (UniformHomogeneousAssignmentBuilder).

use super::{Owned, PartitionCounts, PartitionId, Partitions, Subscriber, assignment};
use crate::coordinator::group::MemberId;
use std::collections::BTreeMap;

/// `members` are in order of their ids.
pub(super) fn assign(
    members: &[Subscriber<'_>],
    counts: &PartitionCounts,
) -> BTreeMap<MemberId, Partitions> {
    let Some(first) = members.first() else { return BTreeMap::new() };
    let Owned { by_member: mut owned, mut free } = Owned::of(members, first.topics, counts);
    let wanted = level(&mut owned, &mut free);
    let mut free = free.into_iter();
    for (owned, wanted) in owned.iter_mut().zip(wanted) {
        owned.extend(free.by_ref().take(wanted));
    }
    assert_eq!(free.len(), 0, "the quotas add up to all partitions");
    assignment(members, owned)
}

/// Takes from each member what exceeds its share, and returns how many partitions each still has to
/// get. If the numbers are not even, one more goes to members that already own one more, and then
/// to the last ones.
fn level(owned: &mut [Vec<PartitionId>], free: &mut Vec<PartitionId>) -> Vec<usize> {
    let members = owned.len();
    let total = free.len() + owned.iter().map(Vec::len).sum::<usize>();
    let (share, mut extra) = (total / members, total % members);
    let mut wanted = Vec::with_capacity(members);
    for (index, owned) in owned.iter_mut().enumerate() {
        let has_more = extra > 0 && owned.len() > share;
        let must_have_more = members - index <= extra;
        let quota = share + usize::from(has_more || must_have_more);
        extra -= quota - share;
        free.extend(owned.drain(quota.min(owned.len())..));
        wanted.push(quota - owned.len());
    }
    wanted
}
