//! Follows the metadata log: which partitions this broker hosts, in which role and with which
//! settings (ReplicaManager.applyDelta; stray detection of LogManager).

use super::opening::Opening;
use super::partition::Partition;
use super::{Hosted, Replicas};
use crate::config::{Config, TopicConfig};
use crate::error::{Error, Result};
use crate::log::manager::Placement;
use crate::metadata::topics::UNASSIGNED_DIRECTORY;
use crate::metadata::{self, BROKER_CONFIG, Delta, Image, TOPIC_CONFIG, Topic};
use crate::sync::lock;
use crate::sync::parallel::in_parallel;
use crate::types::{Timestamp, TopicIdPartition, TopicPartition, uuid_to_text};
use arc_swap::Guard;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// From this number on, new logs are made durable together.
const MANY: usize = 64;

/// A partition that is assigned to this broker.
struct Assigned<'a> {
    topic: &'a Topic,
    index: i32,
    registration: &'a metadata::Partition,
    config: Arc<TopicConfig>,
}

/// The circumstances in which a partition is opened.
#[derive(Clone, Copy)]
struct Circumstances {
    /// It existed before this start.
    is_first: bool,
    /// It is one of many that are created together.
    one_of_many: bool,
}

impl Replicas {
    /// Brings this broker in line with `image`: opens and creates logs (in parallel), becomes
    /// leader in the epochs of the image, deletes logs and applies changed topic configs. Blocks;
    /// must be called in order. What a failed log directory prevents is logged, and the partition
    /// goes offline; an error is one that the broker cannot survive.
    pub fn apply(&self, image: &Image, delta: &Delta) -> Result<()> {
        let is_closed = lock(&self.applying);
        if *is_closed {
            return Ok(());
        }
        let is_first = self.is_first_image();
        let are_brokers_new = self.common.take_brokers(image);
        if !is_first && *delta == Delta::default() {
            // Mostly the controller's NoOp record, twice a second.
            if are_brokers_new {
                self.reconsider();
            }
            return Ok(());
        }
        if is_first {
            self.run_deletes();
            self.mark_strays(image)?;
        }
        let futures = if is_first { self.promote_futures(image)? } else { Vec::new() };
        for topic in &delta.deleted_topics {
            (0..topic.partitions.len()).for_each(|index| self.delete(topic, index));
        }
        let changed: Vec<&Arc<Topic>> = if is_first {
            image.topics.iter().collect()
        } else {
            delta.changed_topics.iter().filter_map(|id| image.topics.by_id(*id)).collect()
        };
        let mut assigned = Vec::new();
        let configs = TopicConfigs::new(self, image)?;
        for topic in changed {
            let config = configs.of(&topic.name)?;
            if is_first {
                configs.tell_left_out(&topic.name);
            }
            for (index, registration) in topic.partitions.iter().enumerate() {
                if registration.replicas.contains(&self.config.get().node_id) {
                    let (index, config) = (index as i32, config.clone());
                    assigned.push(Assigned { topic, index, registration, config });
                } else {
                    self.delete(topic, index);
                }
            }
        }
        let are_many = !is_first && assigned.len() >= MANY;
        let how = Circumstances { is_first, one_of_many: are_many };
        let opening = is_first.then(|| Opening::begin(&self.clock, &self.logs, assigned.len()));
        in_parallel(self.logs.threads(), &assigned, |assigned| {
            self.host(assigned, how);
            opening.as_ref().inspect(|opening| opening.one_more());
        });
        if is_first {
            opening.inspect(Opening::end);
            self.resume_moves(futures);
            if let Err(error) = self.logs.observe(self.logs.note_recovered()) {
                tracing::warn!(%error, "the next start will have more to recover");
            }
        } else {
            self.apply_topic_configs(image, delta);
        }
        self.tidy_fetchers();
        if are_brokers_new {
            self.reconsider();
        }
        Ok(())
    }

    /// Lets all leaders look again at followers of which the metadata says something new.
    fn reconsider(&self) {
        let now = self.clock.now();
        for partition in self.all() {
            // An error means that the partition is offline.
            let _ = partition.reconsider(now);
        }
    }

    /// Renames logs that the metadata log does not assign to this broker, so that a topic created
    /// again under the same name does not get the old one's records.
    fn mark_strays(&self, image: &Image) -> Result<()> {
        let mut has_strays = false;
        for found in self.logs.scan()? {
            let is_ours =
                found.topic_id.and_then(|id| image.topics.by_id(id)).is_some_and(|topic| {
                    let registration = topic.partition(found.partition.partition);
                    *topic.name == *found.partition.topic
                        && registration
                            .is_some_and(|r| r.replicas.contains(&self.config.get().node_id))
                });
            let is_made = image.topics.by_name(&found.partition.topic).is_some();
            if !is_ours && is_made && self.logs.is_unfinished(&found)? {
                self.logs.survive(self.logs.remove_unfinished(&found))?;
            } else if !is_ours {
                tracing::warn!(log = %found.partition, "the cluster does not know this log: stray");
                self.logs.survive(self.logs.mark_stray(&found))?;
                has_strays = true;
            }
        }
        // Another directory may have the right log of the same name.
        if has_strays { self.logs.scan().map(drop) } else { Ok(()) }
    }

    /// Brings one partition in line with its registration, opening its log if it is not open yet.
    fn host(&self, assigned: &Assigned<'_>, how: Circumstances) {
        let Assigned { topic, index, registration, .. } = assigned;
        let id = TopicIdPartition { topic_id: topic.id, partition: *index };
        let hosted = self.hosted().get(&id).cloned();
        let now = self.clock.now();
        let outcome = match &hosted {
            Some(Hosted::Online(partition)) => self.take_role(partition, registration, now),
            Some(Hosted::Offline) => return,
            None | Some(Hosted::NoRoom) => self.open(assigned, how).and_then(|partition| {
                self.take_role(&partition, registration, now)?;
                let assigned = registration.directory_of(self.config.get().node_id);
                if let Some(directory) = partition.dir().id().filter(|&d| assigned != Some(d)) {
                    self.note_assignment(id, directory);
                }
                self.hosted_mut().insert(id, Hosted::Online(partition));
                Ok(())
            }),
        };
        if let Err(error) = self.logs.observe(outcome) {
            tracing::error!(topic = %topic.name, index, %error, "partition goes offline");
            let is_open = matches!(hosted, Some(Hosted::Online(_)));
            let failed =
                if error.is_disk_full() && !is_open { Hosted::NoRoom } else { Hosted::Offline };
            if let Some(Hosted::Online(partition)) = self.hosted_mut().insert(id, failed) {
                partition.fail_waiters(error.code());
            }
        }
    }

    /// Gives a partition its role. It is copied from its leader anew whenever the leader epoch
    /// changes, even if the leader is the same; a leader copies nothing.
    fn take_role(
        &self,
        partition: &Arc<Partition>,
        registration: &metadata::Partition,
        now: Timestamp,
    ) -> Result<()> {
        let is_led_anew = registration.leader_epoch != partition.leader_epoch();
        if is_led_anew {
            self.unfollow(partition.id());
        }
        partition.apply(registration, now)?;
        let us = self.config.get().node_id;
        let (leader, epoch) = partition.leader();
        if is_led_anew && leader == Some(us) && registration.replicas.len() > 1 {
            self.begin_to_lead();
        }
        let is_leaving = self.is_leaving.load(Ordering::Relaxed);
        match leader {
            Some(leader) if leader != us && (!is_leaving || registration.isr.contains(&us)) => {
                self.follow(partition, leader, epoch)
            }
            _ => {
                self.unfollow(partition.id());
                Ok(())
            }
        }
    }

    /// Opens the logs for which there was no room.
    pub(super) fn open_missed(&self, image: &Image) {
        let _applying = lock(&self.applying);
        let missed: Vec<TopicIdPartition> = self
            .hosted()
            .iter()
            .filter_map(|(id, hosted)| matches!(hosted, Hosted::NoRoom).then_some(*id))
            .collect();
        let Ok(configs) = TopicConfigs::new(self, image) else { return };
        for id in missed {
            // The image may still have a topic whose deletion has just removed the entry.
            if let Some(topic) = image.topics.by_id(id.topic_id)
                && let Some(registration) = topic.partition(id.partition)
            {
                let Ok(config) = configs.of(&topic.name) else { continue };
                let (index, how) =
                    (id.partition, Circumstances { is_first: false, one_of_many: false });
                self.host(&Assigned { topic, index, registration, config }, how);
            }
        }
    }

    fn open(&self, assigned: &Assigned<'_>, how: Circumstances) -> Result<Arc<Partition>> {
        let Assigned { topic, index, registration, config } = assigned;
        let name = TopicPartition::new(Arc::clone(&topic.name), *index);
        let config = config.clone();
        let assigned = registration.directory_of(self.config.get().node_id).unwrap_or_default();
        let wanted = self.logs.online_dir(assigned).map(|_| assigned);
        // The log may be in a directory that is offline (Partition.createLogIfNotExists). One
        // created by the last process may be even if the metadata log was never told its directory.
        let may_lie_elsewhere = wanted.is_none()
            && (how.is_first || assigned != UNASSIGNED_DIRECTORY)
            && self.logs.has_offline_dir();
        if may_lie_elsewhere && !self.logs.has_log(&name) {
            return Err(Error::Explained(
                ResponseError::KafkaStorageError,
                match assigned {
                    UNASSIGNED_DIRECTORY => "its log directory may be offline".to_owned(),
                    assigned => format!("log directory {} is offline", uuid_to_text(assigned)),
                },
            ));
        }
        let (now, placement) =
            (self.clock.now(), Placement { dir: wanted, one_of_many: how.one_of_many });
        let mut log = self.logs.open_log_in(placement, &name, topic.id, config, now)?;
        let high_watermark = self.logs.checkpointed_high_watermark(&name);
        log.set_high_watermark(high_watermark.max(log.log_start_offset()));
        let dir = self.logs.dir_of(log.dir()).cloned();
        let dir = dir.ok_or_else(|| Error::Config(format!("no log directory of {name}")))?;
        Ok(Partition::new(name, topic.id, log, dir, &self.common))
    }

    /// Stops hosting a partition and deletes its log, if there is one.
    fn delete(&self, topic: &Topic, index: usize) {
        let id = TopicIdPartition { topic_id: topic.id, partition: index as i32 };
        self.cancel_move(id);
        self.unfollow(id);
        let removed = self.hosted_mut().remove(&id);
        if let Some(Hosted::Online(partition)) = removed
            && let Err(error) = partition.delete(&self.logs, self.clock.now())
        {
            tracing::error!(log = %partition.topic_partition(), %error, "deleting failed");
        }
    }

    /// Gives changed settings to the open logs.
    fn apply_topic_configs(&self, image: &Image, delta: &Delta) {
        let are_defaults_new = delta.configs_of(BROKER_CONFIG).next().is_some();
        let changed: HashSet<&str> = delta.configs_of(TOPIC_CONFIG).collect();
        if changed.is_empty() && !are_defaults_new {
            return;
        }
        let Ok(configs) = TopicConfigs::new(self, image) else { return };
        let mut partitions = self.all();
        partitions.retain(|p| are_defaults_new || changed.contains(&**p.topic()));
        partitions.sort_by(|one, other| one.topic().cmp(other.topic()));
        for partitions in partitions.chunk_by(|one, other| one.topic() == other.topic()) {
            let topic = partitions[0].topic();
            let Ok(config) = configs.of(topic) else { continue };
            if changed.contains(&**topic) {
                configs.tell_left_out(topic);
            }
            for partition in partitions {
                if let Err(error) = partition.set_config(Arc::clone(&config)) {
                    let log = partition.topic_partition();
                    tracing::error!(%log, %error, "settings not applied");
                }
            }
        }
    }
}

/// The settings of topics. Topics without overrides share the defaults.
struct TopicConfigs<'a> {
    image: &'a Image,
    broker: Guard<Arc<Config>>,
    defaults: Arc<TopicConfig>,
}

impl<'a> TopicConfigs<'a> {
    fn new(replicas: &Replicas, image: &'a Image) -> Result<TopicConfigs<'a>> {
        let broker = replicas.config.get();
        let defaults = broker.topic(&BTreeMap::new())?;
        Ok(TopicConfigs { image, broker, defaults })
    }

    /// The settings of a topic, without invalid overrides.
    fn of(&self, topic: &str) -> Result<Arc<TopicConfig>> {
        let overrides = self.image.configs_of(TOPIC_CONFIG, topic);
        if overrides.is_empty() {
            return Ok(Arc::clone(&self.defaults));
        }
        self.broker.topic_in_effect(&overrides).map(|(config, _)| config)
    }

    /// Warns of a topic's invalid overrides.
    fn tell_left_out(&self, topic: &str) {
        let overrides = self.image.configs_of(TOPIC_CONFIG, topic);
        let Ok((_, left_out)) = self.broker.topic_in_effect(&overrides) else { return };
        for setting in left_out {
            tracing::warn!(
                "A setting of topic {topic} is ignored; delete it with kafka-configs: {setting}"
            );
        }
    }
}
