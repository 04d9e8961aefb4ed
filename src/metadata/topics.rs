//! Topics and their partitions, by name and by id.

use crate::codec::schema::metadata::{PartitionChangeRecord, PartitionRecord};
use crate::error::{Error, Result};
use crate::types::{BrokerId, LeaderEpoch};
use imbl::ordmap::DiffItem;
use std::sync::Arc;
use uuid::Uuid;

/// No broker leads the partition.
pub const NO_LEADER: BrokerId = -1;
/// In a PartitionChangeRecord: the leader and its epoch stay the same.
pub const NO_LEADER_CHANGE: BrokerId = -2;
/// In a PartitionChangeRecord: the recovery state stays the same.
pub const NO_RECOVERY_CHANGE: i8 = -1;
/// The leader was elected uncleanly and has not yet reported its recovery.
pub const RECOVERING: i8 = 1;

/// DirectoryId.MIGRATING: the replica dates from before partitions named their directories.
pub const MIGRATING_DIRECTORY: Uuid = Uuid::from_u128(0);
/// DirectoryId.UNASSIGNED: the broker has not yet chosen a directory.
pub const UNASSIGNED_DIRECTORY: Uuid = Uuid::from_u128(1);
/// DirectoryId.LOST: the directory that held the replica failed.
pub const LOST_DIRECTORY: Uuid = Uuid::from_u128(2);

/// One partition (PartitionRegistration).
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// Brokers that hold a replica; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// For each of `replicas`, the id of its log directory.
    pub directories: Vec<Uuid>,
    /// Replicas in sync with the leader.
    pub isr: Vec<BrokerId>,
    /// Replicas that the current reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas that the current reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Eligible leader replicas: they left the ISR while it was below `min.insync.replicas`
    /// (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last known leader, while there is none.
    pub last_known_elr: Vec<BrokerId>,
    /// The leader's broker id, -1 if there is none.
    pub leader: BrokerId,
    /// 0: recovered; 1: recovering from an unclean election.
    pub leader_recovery_state: i8,
    /// Grows with each election.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change.
    pub partition_epoch: i32,
}

impl Partition {
    /// The partition that a creation record describes.
    pub fn from_record(record: &PartitionRecord) -> Partition {
        Partition {
            directories: directories(record.directories.clone(), record.replicas.len()),
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_recovery_state: record.leader_recovery_state,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    /// The record that would create this partition again, for creation and for snapshots.
    pub fn to_record(&self, topic_id: Uuid, partition_id: i32) -> PartitionRecord {
        let non_empty = |list: &Vec<BrokerId>| (!list.is_empty()).then(|| list.clone());
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: non_empty(&self.elr),
            last_known_elr: non_empty(&self.last_known_elr),
        }
    }

    /// This partition with `change` applied (PartitionRegistration.merge).
    pub fn merge(&self, change: &PartitionChangeRecord) -> Partition {
        let pick = |new: &Option<Vec<BrokerId>>, old: &Vec<BrokerId>| {
            new.clone().unwrap_or_else(|| old.clone())
        };
        let replicas = pick(&change.replicas, &self.replicas);
        let new_directories = change.directories.clone().unwrap_or(self.directories.clone());
        let elected = change.leader != NO_LEADER_CHANGE;
        let recovery = change.leader_recovery_state;
        Partition {
            directories: directories(new_directories, replicas.len()),
            replicas,
            isr: pick(&change.isr, &self.isr),
            removing_replicas: pick(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: pick(&change.adding_replicas, &self.adding_replicas),
            elr: pick(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: pick(&change.last_known_elr, &self.last_known_elr),
            leader: if elected { change.leader } else { self.leader },
            leader_recovery_state: if recovery == NO_RECOVERY_CHANGE {
                self.leader_recovery_state
            } else {
                recovery
            },
            leader_epoch: self.leader_epoch + i32::from(elected),
            partition_epoch: self.partition_epoch + 1,
        }
    }

    /// The log directory of `broker`'s replica; None if it has no replica here.
    pub fn directory_of(&self, broker: BrokerId) -> Option<Uuid> {
        let index = self.replicas.iter().position(|&replica| replica == broker)?;
        self.directories.get(index).copied()
    }

    /// Whether a reassignment is in progress.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }
}

fn directories(named: Vec<Uuid>, replicas: usize) -> Vec<Uuid> {
    if named.iter().all(|&directory| directory == MIGRATING_DIRECTORY) {
        return vec![MIGRATING_DIRECTORY; replicas];
    }
    named
}

/// One topic; cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// An id that no other topic ever gets.
    pub id: Uuid,
    /// Unique while the topic exists.
    pub name: Arc<str>,
    /// The partitions, by index.
    pub partitions: imbl::Vector<Arc<Partition>>,
}

impl Topic {
    /// The partition of this index, if there is one.
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// Topics by name and by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topics {
    by_name: imbl::OrdMap<Arc<str>, Arc<Topic>>,
    by_id: imbl::HashMap<Uuid, Arc<Topic>>,
    /// Names that contain `.` or `_`, by the name with both written as `_`: metrics cannot tell
    /// such names apart.
    by_metric_name: imbl::OrdMap<String, imbl::OrdSet<Arc<str>>>,
}

impl Topics {
    /// Finds a topic by name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// Finds a topic by id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// The partition, if it exists.
    pub fn partition(&self, topic_id: Uuid, partition: i32) -> Option<&Arc<Partition>> {
        self.by_id(topic_id)?.partition(partition)
    }

    /// All topics, ordered by name.
    pub fn iter(&self) -> Box<dyn Iterator<Item = &Arc<Topic>> + '_> {
        Box::new(self.by_name.values())
    }

    /// Whether a topic was created since `before`.
    pub fn has_new_since(&self, before: &Topics) -> bool {
        let mut differences = before.by_name.diff(&self.by_name);
        differences.any(|difference| match difference {
            DiffItem::Add(..) => true,
            DiffItem::Update { old: (_, old), new: (_, new) } => old.id != new.id,
            DiffItem::Remove(..) => false,
        })
    }

    /// The number of topics.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// A topic whose metric name is the same as that of `name`.
    pub fn colliding_with(&self, name: &str) -> Option<&Arc<str>> {
        self.by_metric_name.get(&metric_name(name)?)?.iter().next()
    }

    pub(super) fn add(&mut self, name: &str, id: Uuid) -> Result<()> {
        if self.by_name.contains_key(name) || self.by_id.contains_key(&id) {
            return Err(Error::corrupt(format!("metadata log: topic {name} ({id}) made twice")));
        }
        let name: Arc<str> = Arc::from(name);
        if let Some(metric_name) = metric_name(&name) {
            self.by_metric_name.entry(metric_name).or_default().insert(name.clone());
        }
        self.put(Topic { id, name, partitions: imbl::Vector::new() });
        Ok(())
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Result<Arc<Topic>> {
        let topic = self.by_id.remove(&id).ok_or_else(|| unknown_topic(id))?;
        self.by_name.remove(&topic.name);
        if let Some(metric_name) = metric_name(&topic.name)
            && let Some(names) = self.by_metric_name.get_mut(&metric_name)
        {
            names.remove(&topic.name);
            if names.is_empty() {
                self.by_metric_name.remove(&metric_name);
            }
        }
        Ok(topic)
    }

    pub(super) fn add_partition(&mut self, record: &PartitionRecord) -> Result<()> {
        let mut topic = self.owned(record.topic_id)?;
        let partition = Arc::new(Partition::from_record(record));
        match usize::try_from(record.partition_id) {
            Ok(index) if index == topic.partitions.len() => topic.partitions.push_back(partition),
            Ok(index) if index < topic.partitions.len() => {
                topic.partitions.set(index, partition);
            }
            _ => {
                let (name, id) = (&topic.name, record.partition_id);
                return Err(Error::corrupt(format!("metadata log: {name}-{id} before others")));
            }
        }
        self.put(topic);
        Ok(())
    }

    pub(super) fn change_partition(&mut self, change: &PartitionChangeRecord) -> Result<()> {
        let current = self.partition(change.topic_id, change.partition_id);
        let merged = current.map(|partition| Arc::new(partition.merge(change)));
        let merged = merged.ok_or_else(|| unknown_topic(change.topic_id))?;
        let mut topic = self.owned(change.topic_id)?;
        topic.partitions.set(change.partition_id as usize, merged);
        self.put(topic);
        Ok(())
    }

    /// Clears the eligible leader replicas of a topic; returns whether there were any.
    pub(super) fn clear_elr(&mut self, id: Uuid) -> Result<bool> {
        let mut topic = self.owned(id)?;
        let mut changed = false;
        for index in 0..topic.partitions.len() {
            let partition = &topic.partitions[index];
            if partition.elr.is_empty() && partition.last_known_elr.is_empty() {
                continue;
            }
            let mut cleared = Partition::clone(partition);
            cleared.elr.clear();
            cleared.last_known_elr.clear();
            cleared.partition_epoch += 1;
            topic.partitions.set(index, Arc::new(cleared));
            changed = true;
        }
        self.put(topic);
        Ok(changed)
    }

    fn owned(&self, id: Uuid) -> Result<Topic> {
        self.by_id(id).map(|topic| Topic::clone(topic)).ok_or_else(|| unknown_topic(id))
    }

    fn put(&mut self, topic: Topic) {
        let topic = Arc::new(topic);
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic);
    }
}

fn unknown_topic(id: Uuid) -> Error {
    Error::corrupt(format!("metadata log: a record about topic {id}, which does not exist"))
}

/// The topic's name in metrics, if it differs or could collide (Topic.unifyCollisionChars).
fn metric_name(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

/// Why `name` is not a valid topic name (Topic.detectInvalidTopic).
pub fn reason_invalid(name: &str) -> Option<String> {
    const MAX_NAME_LENGTH: usize = 249;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some("it is empty".to_owned())
    } else if name == "." || name == ".." {
        Some(format!("'{name}' is not allowed"))
    } else if name.encode_utf16().count() > MAX_NAME_LENGTH {
        Some(format!("'{name}' has more than {MAX_NAME_LENGTH} characters"))
    } else if !name.chars().all(allowed) {
        Some(format!("'{name}' may have only ASCII letters and digits, '.', '_' and '-'"))
    } else {
        None
    }
}
