//! The partitions of a coordinator's topic that this broker leads, and the partition that a key
//! belongs to.

use super::internal_topics::CoordinatorTopic;
use super::runtime::{Settings, Slot};
use super::state_machine::StateMachine;
use crate::clock::Clock;
use crate::error::Result;
use crate::metadata::Image;
use crate::replica::Replicas;
use crate::sync::lock;
use crate::types::{BrokerId, LeaderEpoch, TopicIdPartition, java_hash, partition_of_hash};
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How many logs are loaded at the same time. Each is read into a buffer of `load_buffer_size`.
const PARALLEL_LOADS: usize = 4;

/// The partitions of a coordinator's topic that this broker leads.
#[derive(Debug)]
pub struct Slots<M: StateMachine> {
    topic: CoordinatorTopic,
    settings: Settings,
    node_id: BrokerId,
    clock: Clock,
    replicas: Arc<Replicas>,
    loads: Arc<Semaphore>,
    /// The topic's number of partitions when it was first seen.
    partitions: OnceLock<i32>,
    led: Mutex<Led<M>>,
}

/// The slots by partition, and the id of their topic. If the topic is created again it has another
/// id, and all slots are closed.
#[derive(Debug)]
struct Led<M: StateMachine> {
    topic_id: Uuid,
    slots: HashMap<i32, Arc<Slot<M>>>,
}

impl<M: StateMachine> Slots<M> {
    /// No slots yet; `apply` brings them.
    pub fn new(
        topic: CoordinatorTopic,
        settings: Settings,
        node_id: BrokerId,
        clock: Clock,
        replicas: Arc<Replicas>,
    ) -> Slots<M> {
        Slots {
            topic,
            settings,
            node_id,
            clock,
            replicas,
            loads: Arc::new(Semaphore::new(PARALLEL_LOADS)),
            partitions: OnceLock::new(),
            led: Mutex::new(Led { topic_id: Uuid::nil(), slots: HashMap::new() }),
        }
    }

    /// Begins to load the partitions that this broker has come to lead, into machines that `new`
    /// makes, and unloads the others. What another broker may have led since is loaded anew. All
    /// slots get the image. Returns the new slots. Call it after `Replicas::apply`, in a tokio
    /// runtime.
    pub fn apply(&self, image: &Arc<Image>, new: impl Fn() -> M) -> Vec<Arc<Slot<M>>> {
        let (topic_id, wanted) = self.led_partitions(image);
        let mut begun = Vec::new();
        let mut led = self.led();
        let is_same_topic = led.topic_id == topic_id;
        led.topic_id = topic_id;
        led.slots.retain(|partition, slot| {
            let goes_on = |epoch: &LeaderEpoch| slot.lead_on(*epoch);
            let stays = is_same_topic && wanted.get(partition).is_some_and(goes_on);
            if !stays {
                slot.close();
            }
            stays
        });
        for (partition, epoch) in wanted {
            if led.slots.contains_key(&partition) {
                continue;
            }
            match self.replicas.leader(TopicIdPartition { topic_id, partition }, epoch) {
                Ok(log) => {
                    let (clock, loads) = (self.clock.clone(), self.loads.clone());
                    let slot = Slot::load(new(), self.settings, clock, (log, epoch), loads);
                    begun.push(slot.clone());
                    led.slots.insert(partition, slot);
                }
                Err(error) => {
                    let topic = self.topic.name;
                    tracing::error!(topic, partition, %error, "the coordinator cannot load this partition");
                }
            }
        }
        let all: Vec<Arc<Slot<M>>> = led.slots.values().cloned().collect();
        drop(led);
        for slot in &all {
            slot.apply(image);
        }
        begun
    }

    /// The topic's id, and those of its partitions that this broker leads, with the leader epochs.
    fn led_partitions(&self, image: &Image) -> (Uuid, HashMap<i32, LeaderEpoch>) {
        let Some(topic) = image.topics.by_name(self.topic.name) else {
            return (Uuid::nil(), HashMap::new());
        };
        let count = i32::try_from(topic.partitions.len()).expect("Kafka counts partitions in i32");
        // The partition of a key must not change while the broker runs, so the first number stays.
        self.partitions.get_or_init(|| count);
        let led = (0..).zip(&topic.partitions).filter(|(_, p)| p.leader == self.node_id);
        (topic.id, led.map(|(partition, known)| (partition, known.leader_epoch)).collect())
    }

    /// Stops all coordinators. Whoever waits for an answer gets NOT_COORDINATOR.
    pub fn close(&self) {
        for (_, slot) in self.led().slots.drain() {
            slot.close();
        }
    }

    /// The partition of the topic that `key` belongs to.
    pub fn partition_for(&self, key: &str) -> i32 {
        self.partition_of_hash(java_hash(key))
    }

    /// As `partition_for`, for a key of this hash.
    pub fn partition_of_hash(&self, hash: i32) -> i32 {
        partition_of_hash(hash, *self.partitions.get().unwrap_or(&self.topic.partitions))
    }

    /// The slot that `key` belongs to; NOT_COORDINATOR if this broker does not lead it.
    pub fn of(&self, key: &str) -> Result<Arc<Slot<M>>> {
        self.at(self.partition_for(key))
    }

    /// The slot of a partition; NOT_COORDINATOR if this broker does not lead it.
    pub fn at(&self, partition: i32) -> Result<Arc<Slot<M>>> {
        Ok(self.led().slots.get(&partition).cloned().ok_or(ResponseError::NotCoordinator)?)
    }

    pub fn all(&self) -> Vec<Arc<Slot<M>>> {
        self.led().slots.values().cloned().collect()
    }

    fn led(&self) -> MutexGuard<'_, Led<M>> {
        lock(&self.led)
    }
}
