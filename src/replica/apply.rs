//! Following the metadata log: which partitions are here, in which role, with which settings
//! (ReplicaManager.applyDelta, LogManager's stray detection).

use super::partition::Partition;
use super::{Hosted, Replicas};
use crate::config::TopicConfig;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::metadata::{self, BROKER_CONFIG, Delta, Image, TOPIC_CONFIG, Topic};
use crate::types::{TopicIdPartition, TopicPartition};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A partition that is assigned to this broker.
struct Assigned<'a> {
    topic: &'a Topic,
    index: i32,
    registration: &'a metadata::Partition,
}

impl Replicas {
    /// Makes it so: opens and makes logs (in parallel at start), becomes leader with the epochs of
    /// `image`, deletes, applies changed topic configs. Blocking; called in order. What a broken
    /// log directory prevents is logged, and the partition is offline.
    pub fn apply(&self, image: &Image, delta: &Delta) -> Result<()> {
        let _applying = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = self.is_first_image();
        if is_first {
            self.mark_strays(image)?;
        }
        let are_defaults_new =
            is_first || delta.changed_configs.iter().any(|(kind, _)| *kind == BROKER_CONFIG);
        if are_defaults_new {
            self.apply_broker_configs(image);
        }
        for topic in &delta.deleted_topics {
            (0..topic.partitions.len()).for_each(|index| self.delete(topic, index));
        }
        let changed: Vec<&Arc<Topic>> = if is_first {
            image.topics.iter().collect()
        } else {
            delta.changed_topics.iter().filter_map(|id| image.topics.by_id(*id)).collect()
        };
        let mut assigned = Vec::new();
        for topic in changed {
            for (index, registration) in topic.partitions.iter().enumerate() {
                if registration.replicas.contains(&self.config.node_id) {
                    assigned.push(Assigned { topic, index: index as i32, registration });
                } else {
                    self.delete(topic, index);
                }
            }
        }
        in_parallel(&assigned, |assigned| self.host(image, assigned));
        if !is_first {
            self.apply_topic_configs(image, delta, are_defaults_new);
        }
        Ok(())
    }

    /// Renames the logs that the metadata log does not assign to this broker, so that a topic made
    /// anew under the same name does not find the old one's records.
    fn mark_strays(&self, image: &Image) -> Result<()> {
        for found in self.logs.scan()? {
            let is_ours =
                found.topic_id.and_then(|id| image.topics.by_id(id)).is_some_and(|topic| {
                    let registration = topic.partitions.get(found.partition.partition as usize);
                    *topic.name == *found.partition.topic
                        && registration.is_some_and(|r| r.replicas.contains(&self.config.node_id))
                });
            if !is_ours {
                tracing::warn!(log = %found.partition, "the cluster does not know this log: stray");
                self.logs.mark_stray(&found)?;
            }
        }
        Ok(())
    }

    /// Brings one partition to what its registration says, opening its log if it is new here.
    fn host(&self, image: &Image, assigned: &Assigned<'_>) {
        let Assigned { topic, index, registration } = assigned;
        let id = TopicIdPartition { topic_id: topic.id, partition: *index };
        let hosted = self.hosted().get(&id).cloned();
        let outcome = match &hosted {
            Some(Hosted::Online(partition)) => partition.apply(registration),
            Some(Hosted::Offline) => return,
            None | Some(Hosted::NoRoom) => self.open(image, topic, *index).and_then(|partition| {
                partition.apply(registration)?;
                self.hosted_mut().insert(id, Hosted::Online(partition));
                Ok(())
            }),
        };
        if let Err(error) = self.observe(outcome) {
            tracing::error!(topic = %topic.name, index, %error, "partition goes offline");
            let is_open = matches!(hosted, Some(Hosted::Online(_)));
            let failed =
                if error.is_disk_full() && !is_open { Hosted::NoRoom } else { Hosted::Offline };
            if let Some(Hosted::Online(partition)) = self.hosted_mut().insert(id, failed) {
                partition.fail_waiters(error.code());
            }
        }
    }

    /// Opens the logs for which there was no room.
    pub(super) fn open_missed(&self, image: &Image) {
        let _applying = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let missed: Vec<TopicIdPartition> = self
            .hosted()
            .iter()
            .filter_map(|(id, hosted)| matches!(hosted, Hosted::NoRoom).then_some(*id))
            .collect();
        for id in missed {
            // A topic that is deleted meanwhile loses its entry before the image knows.
            if let Some(topic) = image.topics.by_id(id.topic_id)
                && let Some(registration) = topic.partitions.get(id.partition as usize)
            {
                self.host(image, &Assigned { topic, index: id.partition, registration });
            }
        }
    }

    fn open(&self, image: &Image, topic: &Topic, index: i32) -> Result<Arc<Partition>> {
        let name = TopicPartition::new(Arc::clone(&topic.name), index);
        let config = self.topic_config(image, &topic.name)?;
        let mut log = self.logs.open_log(&name, topic.id, config, self.clock.now())?;
        let high_watermark = self.logs.checkpointed_high_watermark(&name);
        log.set_high_watermark(high_watermark.max(log.log_start_offset()));
        let dir = self.dir_of(&log)?;
        Ok(Partition::new(name, topic.id, self.config.node_id, log, dir))
    }

    fn dir_of(&self, log: &Log) -> Result<Arc<super::log_dirs::DirHealth>> {
        let parent = log.dir().parent().unwrap_or(Path::new(""));
        let dir = self.dirs.iter().find(|dir| dir.path() == parent);
        dir.cloned().ok_or_else(|| Error::Config(format!("no log directory {}", parent.display())))
    }

    /// Forgets a partition that is no longer ours and takes its log away, if it is here.
    fn delete(&self, topic: &Topic, index: usize) {
        let id = TopicIdPartition { topic_id: topic.id, partition: index as i32 };
        let removed = self.hosted_mut().remove(&id);
        if let Some(Hosted::Online(partition)) = removed
            && let Err(error) = partition.delete(&self.logs, self.clock.now())
        {
            tracing::error!(log = %partition.topic_partition(), %error, "deleting failed");
        }
    }

    /// A broker's dynamic settings: of all brokers under the empty name, then its own.
    fn apply_broker_configs(&self, image: &Image) {
        let cluster = image.configs_of(BROKER_CONFIG, "");
        let own = image.configs_of(BROKER_CONFIG, &self.config.node_id.to_string());
        match self.config.with_dynamic(&cluster, &own) {
            Ok(config) => {
                self.logs.cleaner().reconfigure(&config);
                self.dynamic.store(Arc::new(config));
            }
            Err(error) => tracing::error!(%error, "dynamic broker settings not applied"),
        }
    }

    /// Gives the open logs the settings that changed.
    fn apply_topic_configs(&self, image: &Image, delta: &Delta, are_defaults_new: bool) {
        let changed: HashSet<&str> = delta
            .changed_configs
            .iter()
            .filter(|(kind, _)| *kind == TOPIC_CONFIG)
            .map(|(_, name)| name.as_str())
            .collect();
        if changed.is_empty() && !are_defaults_new {
            return;
        }
        for partition in self.all() {
            if !are_defaults_new && !changed.contains(&**partition.topic()) {
                continue;
            }
            let config = self.topic_config(image, partition.topic());
            if let Err(error) = config.and_then(|config| partition.set_config(config)) {
                tracing::error!(log = %partition.topic_partition(), %error, "settings not applied");
            }
        }
    }

    fn topic_config(&self, image: &Image, topic: &str) -> Result<Arc<TopicConfig>> {
        self.dynamic.load().topic(&image.configs_of(TOPIC_CONFIG, topic))
    }
}

/// Does `work` for all `items` on as many threads as there are processors; the order of the
/// results is that of the items.
pub(super) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
