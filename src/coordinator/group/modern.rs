//! What those kinds of groups have in common whose members the coordinator assigns their work to:
//! consumer groups (KIP-848), streams groups (KIP-1071) and share groups (KIP-932). Kafka calls it
//! ModernGroup.
//!
//! Three things follow each other, and each is a record: what the members want moves the *group
//! epoch*; for an epoch the assignor makes a *target assignment*; and each member's *current
//! assignment* goes there in steps that it confirms by its heartbeats, so that nothing has two
//! owners.
//!
//! ```text
//!  admission   who speaks: someone known, someone new, or a static member that is back
//!  target      when a target assignment is due, and how it is written down
//!  session     how long members may be silent, and how long they may take to give something back
//!  offsets     who may commit and fetch offsets
//!  member      one member: its epochs, what it has, what it has to give back
//!  counts      how many members name a topic
//! ```
//!
//! A kind is a type that implements [`Kind`]: what a group and a member of it have of their own,
//! what is assigned, and how that looks in the log.

mod admission;
mod counts;
mod member;
mod offsets;
mod session;
mod target;

pub use admission::{Admission, check_speaker};
pub use counts::Counts;
pub use member::{Member, MemberState, with_epochs};

use super::record::Record;
use super::{GroupId, MemberId};
use crate::error::{Error, Result};
use crate::types::{Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// The member epoch of a heartbeat by which a member joins, or joins again.
pub const JOIN_EPOCH: i32 = 0;
/// The member epoch of a heartbeat by which a member leaves.
pub const LEAVE_EPOCH: i32 = -1;
/// The member epoch of a static member that leaves and will come back before its session ends.
pub const LEAVE_STATIC_EPOCH: i32 = -2;
/// The epoch of a group that has just been made.
const FIRST_EPOCH: i32 = 1;

/// A kind of group, and what a group of this kind has of its own.
pub trait Kind: Clone + Debug + Default + PartialEq {
    /// What error messages call the kind: `consumer`.
    const NAME: &'static str;
    /// What its members are given, for people: `partitions`.
    const GIVEN: &'static str;
    /// The group setting that says how long a member may be silent.
    const SESSION_TIMEOUT: &'static str;
    /// The group setting that says how long a target assignment stands at least.
    const ASSIGNMENT_INTERVAL: &'static str;

    /// What a member has of its own.
    type Member: Clone + Debug + Default + PartialEq;
    /// What the assignor gives a member, and what a member says that it owns.
    type Target: Clone + Debug + Default + PartialEq;
    /// What a member has been given, with the epochs at which it was.
    type Assigned: Clone + Debug + Default + PartialEq;

    /// Counts a member that came, or what it has become.
    fn count(&mut self, member: &Member<Self>);

    /// Undoes what `count` did for a member that goes or changes.
    fn discount(&mut self, member: &Member<Self>);

    /// Whether `assigned` contains all of `owned`, which is what a member says it owns.
    fn covers(assigned: &Self::Assigned, owned: &Self::Target) -> bool;

    /// Forgets at which epochs something was assigned: it counts as given at epoch 0.
    fn forget_epochs(assigned: &mut Self::Assigned);

    /// Whether a member speaks the classic protocol.
    fn speaks_classic(_member: &Member<Self>) -> bool {
        false
    }

    /// The record of what a member says of itself; a tombstone for None, as with those below.
    fn member_record(group: &str, id: &str, member: Option<&Member<Self>>) -> Record;

    /// The record of what a member is to have.
    fn target_record(group: &str, id: &str, target: Option<&Self::Target>) -> Record;

    /// The record of the epoch that the target assignment is for, and of when it was made.
    fn target_epoch_record(group: &str, epoch: Option<(i32, Timestamp)>) -> Record;

    /// The record of where a member is and what it has.
    fn current_record(group: &str, id: &str, member: Option<&Member<Self>>) -> Record;
}

/// A group, as its records say.
#[derive(Clone, Debug)]
pub struct Modern<K: Kind> {
    /// `group.id`.
    pub id: GroupId,
    /// Moves whenever a new target assignment is called for.
    pub epoch: i32,
    /// A hash over the topics that the group needs, as they were at that epoch.
    pub metadata_hash: i64,
    /// The epoch that the target assignment was made for.
    pub assignment_epoch: i32,
    /// When the target assignment was made; 0 if that is not known.
    pub assignment_timestamp: Timestamp,
    /// Offset of the last image whose topics were found to be as `metadata_hash` says. It is not in
    /// the log.
    pub checked_at: Option<Offset>,
    /// What only this kind has.
    pub own: K,
    members: BTreeMap<MemberId, Arc<Member<K>>>,
    /// The members' ids by `group.instance.id`.
    instances: BTreeMap<Arc<str>, MemberId>,
    targets: BTreeMap<MemberId, Arc<K::Target>>,
}

/// Where a group is in its life, as it is listed and described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModernState {
    /// It has no members; perhaps offsets.
    Empty,
    /// Its topics are not as it needs them; only a streams group may be here.
    NotReady,
    /// The target assignment is behind the group's epoch.
    Assigning,
    /// Some members are on their way to their targets.
    Reconciling,
    /// Every member has what it is to have.
    Stable,
}

impl fmt::Display for ModernState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

impl<K: Kind> Modern<K> {
    pub fn new(id: GroupId) -> Modern<K> {
        Modern {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            assignment_epoch: FIRST_EPOCH,
            assignment_timestamp: 0,
            checked_at: None,
            own: K::default(),
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }

    /// Where it is in its life, as far as members and epochs tell.
    pub fn progress(&self) -> ModernState {
        if self.is_empty() {
            ModernState::Empty
        } else if self.epoch > self.assignment_epoch {
            ModernState::Assigning
        } else if self.members().any(|member| !member.is_reconciled_to(self.assignment_epoch)) {
            ModernState::Reconciling
        } else {
            ModernState::Stable
        }
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member<K>>> {
        self.members.values()
    }

    pub fn member(&self, id: &str) -> Option<&Arc<Member<K>>> {
        self.members.get(id)
    }

    /// The present member of a static instance.
    pub fn static_member(&self, instance: &str) -> Option<&Arc<Member<K>>> {
        self.member(self.instances.get(instance)?)
    }

    /// What a member is to have.
    pub fn target(&self, member: &str) -> Arc<K::Target> {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    /// Adds a member, or puts it in the place of the one of its id.
    pub fn put(&mut self, member: impl Into<Arc<Member<K>>>) {
        let member = member.into();
        self.forget(&member.id);
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.own.count(&member);
        self.members.insert(member.id.clone(), member);
    }

    /// Changes a member, or a new one if it is not there.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Member<K>)) {
        let mut member = self.known_or_new(id);
        change(Arc::make_mut(&mut member));
        self.put(member);
    }

    /// Takes from a member, if it is there, all that it has: it is about to be forgotten.
    pub fn dismiss(&mut self, id: &str) {
        if self.members.contains_key(id) {
            self.change(id, |member| {
                (member.epoch, member.previous_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
                member.assigned = Arc::default();
                member.pending_revocation = Arc::default();
            });
        }
    }

    /// Takes a member out.
    pub fn forget(&mut self, id: &str) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance_id
            && self.instances.get(instance) == Some(&member.id)
        {
            self.instances.remove(instance);
        }
        self.own.discount(&member);
    }

    /// Sets or forgets what a member is to have.
    pub fn set_target(&mut self, member: &str, target: Option<K::Target>) {
        match target {
            Some(target) => self.targets.insert(MemberId::from(member), Arc::new(target)),
            None => self.targets.remove(member),
        };
    }

    /// Sets or forgets the epoch that the target assignment is for, and when it was made.
    pub fn set_target_epoch(&mut self, made: Option<(i32, Timestamp)>) {
        (self.assignment_epoch, self.assignment_timestamp) = made.unwrap_or((LEAVE_EPOCH, 0));
    }

    fn known_or_new(&self, id: &str) -> Arc<Member<K>> {
        self.member(id).map_or_else(|| Arc::new(Member::new(MemberId::from(id))), Arc::clone)
    }
}

/// Two groups are alike if their records are.
impl<K: Kind> PartialEq for Modern<K> {
    fn eq(&self, other: &Modern<K>) -> bool {
        let epochs = |group: &Modern<K>| {
            (group.epoch, group.metadata_hash, group.assignment_epoch, group.assignment_timestamp)
        };
        epochs(self) == epochs(other)
            && self.id == other.id
            && self.own == other.own
            && self.members == other.members
            && self.instances == other.instances
            && self.targets == other.targets
    }
}

/// Refuses the request if it is wrong in this way.
pub fn refuse_if(is_wrong: bool, message: &str) -> Result<()> {
    if is_wrong { refuse(ResponseError::InvalidRequest, message.to_owned()) } else { Ok(()) }
}

/// Kafka's error, with a sentence for the person who asked.
pub fn refuse<T>(error: ResponseError, message: String) -> Result<T> {
    Err(Error::Explained(error, message))
}
