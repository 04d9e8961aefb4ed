//! Logs changes to the metadata: what changed and who requested it. A change of many partitions
//! takes one line.

use crate::codec::schema::metadata::*;
use crate::config;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{NO_LEADER, NO_LEADER_CHANGE};
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, Image, TOPIC_CONFIG,
};
use crate::types::{Sample, uuid_to_text};
use std::collections::{BTreeMap, HashMap};
use tracing::info;
use uuid::Uuid;

/// Shown in place of a secret value.
const HIDDEN: &str = "[hidden]";

/// Logs what `records` change in `image`, to which they have not been applied yet. `by` ends the
/// sentences: ` by User:ANONYMOUS at /127.0.0.1`, or nothing if the controller acts on its own.
pub(super) fn tell(image: &Image, records: &[MetadataRecord], by: &str) {
    let made = Made::of(records);
    let mut grown: BTreeMap<Uuid, usize> = BTreeMap::new();
    let mut features = Sample::default();
    for record in records {
        match record {
            MetadataRecord::Topic(topic) => made.tell_of(topic, by),
            MetadataRecord::Partition(partition) if !made.has(partition.topic_id) => {
                *grown.entry(partition.topic_id).or_default() += 1;
            }
            MetadataRecord::RemoveTopic(gone) => {
                let name = name_of(image, gone.topic_id);
                info!("deleted topic {name} (id {}){by}", uuid_to_text(gone.topic_id));
            }
            MetadataRecord::Config(config) if !made.has_setting(config) => {
                tell_of_setting(image, config, by);
            }
            MetadataRecord::FeatureLevel(feature) => {
                let before = image.features.get(&feature.name).copied().unwrap_or(0);
                let (name, after) = (&feature.name, feature.feature_level);
                features.add(|| format!("{name} from level {before} to {after}"));
            }
            MetadataRecord::BrokerRegistrationChange(change) => tell_of_broker(change),
            MetadataRecord::UnregisterBroker(gone) => {
                info!("broker {} is no longer registered{by}", gone.broker_id);
            }
            _ => {}
        }
    }
    if features.count() > 0 {
        info!("changed features: {features}{by}");
    }
    for (id, added) in grown {
        let before = image.topics.by_id(id).map_or(0, |topic| topic.partitions.len());
        let (name, now) = (name_of(image, id), before + added);
        info!("added {added} partitions to topic {name}, which has {now} now{by}");
    }
    tell_of_partitions(image, records, by);
}

/// Topics that the records create, with their partitions and settings.
#[derive(Default)]
struct Made<'a> {
    /// Topic id -> (number of partitions, number of replicas of each).
    partitions: HashMap<Uuid, (usize, usize)>,
    settings: HashMap<&'a str, String>,
}

impl<'a> Made<'a> {
    fn of(records: &'a [MetadataRecord]) -> Made<'a> {
        let mut made = Made::default();
        for record in records {
            if let MetadataRecord::Topic(topic) = record {
                made.partitions.insert(topic.topic_id, (0, 0));
                made.settings.insert(&topic.name, String::new());
            }
        }
        for record in records {
            match record {
                MetadataRecord::Partition(partition) => {
                    if let Some((count, replicas)) = made.partitions.get_mut(&partition.topic_id) {
                        (*count, *replicas) = (*count + 1, partition.replicas.len());
                    }
                }
                MetadataRecord::Config(config) if made.has_setting(config) => {
                    if let Some(settings) = made.settings.get_mut(config.resource_name.as_str()) {
                        let value = config.value.as_deref().unwrap_or_default();
                        settings.push_str(&format!(", {}={value}", config.name));
                    }
                }
                _ => {}
            }
        }
        made
    }

    fn has(&self, topic: Uuid) -> bool {
        self.partitions.contains_key(&topic)
    }

    /// Whether the setting belongs to a topic that these records create.
    fn has_setting(&self, config: &ConfigRecord) -> bool {
        config.resource_type == TOPIC_CONFIG
            && self.settings.contains_key(config.resource_name.as_str())
    }

    fn tell_of(&self, topic: &TopicRecord, by: &str) {
        let (name, id) = (&topic.name, uuid_to_text(topic.topic_id));
        let (count, replicas) = self.partitions.get(&topic.topic_id).copied().unwrap_or_default();
        let settings = self.settings.get(name.as_str()).map_or("", String::as_str);
        info!(
            "created topic {name} (id {id}) with {count} partitions, replication factor \
             {replicas}{settings}{by}"
        );
    }
}

fn name_of(image: &Image, topic: Uuid) -> String {
    let known = image.topics.by_id(topic).map(|topic| topic.name.to_string());
    known.unwrap_or_else(|| uuid_to_text(topic))
}

fn tell_of_setting(image: &Image, record: &ConfigRecord, by: &str) {
    let ConfigRecord { resource_type, resource_name, name, value } = record;
    let of = match (*resource_type, resource_name.as_str()) {
        (TOPIC_CONFIG, topic) => format!("topic {topic}"),
        (BROKER_CONFIG, "") => "all brokers".to_owned(),
        (BROKER_CONFIG, id) => format!("broker {id}"),
        (BROKER_LOGGER_CONFIG, id) => format!("the loggers of broker {id}"),
        (CLIENT_METRICS_CONFIG, subscription) => format!("client metrics {subscription}"),
        (GROUP_CONFIG, group) => format!("group {group}"),
        (other, name) => format!("resource {name} of type {other}"),
    };
    let before = image.configs_of(*resource_type, resource_name).get(name).cloned();
    let is_secret = config::is_sensitive(*resource_type, name);
    let shown = |value: Option<&String>| match value {
        None => "its default".to_owned(),
        Some(_) if is_secret => HIDDEN.to_owned(),
        Some(value) => format!("\"{value}\""),
    };
    let (before, after) = (shown(before.as_ref()), shown(value.as_ref()));
    info!("changed setting {name} of {of} from {before} to {after}{by}");
}

fn tell_of_broker(change: &BrokerRegistrationChangeRecord) {
    let id = change.broker_id;
    match change.fenced {
        1 => info!("broker {id} is fenced: it leads no partition"),
        -1 => info!("broker {id} is unfenced: it may lead partitions"),
        _ => {}
    }
    if change.in_controlled_shutdown == 1 {
        info!("broker {id} is about to stop: it gives its partitions up");
    }
    if !change.log_dirs.is_empty() {
        let dirs: Vec<String> = change.log_dirs.iter().map(|id| uuid_to_text(*id)).collect();
        info!("the log directories of broker {id} that are online are now {}", dirs.join(", "));
    }
}

/// Logs changed leaders in one line and changed replicas in another, for all partitions.
fn tell_of_partitions(image: &Image, records: &[MetadataRecord], by: &str) {
    let (mut led, mut moved) = (Sample::default(), Sample::default());
    for record in records {
        let MetadataRecord::PartitionChange(change) = record else { continue };
        let topic = image.topics.by_id(change.topic_id);
        let before = topic.and_then(|topic| topic.partition(change.partition_id));
        let Some((topic, before)) = topic.zip(before) else { continue };
        let after = before.merge(change);
        let partition = format!("{}-{}", topic.name, change.partition_id);
        if change.leader != NO_LEADER_CHANGE && before.leader != after.leader {
            let leader = |id| match id {
                NO_LEADER => "nobody".to_owned(),
                id => format!("broker {id}"),
            };
            led.add(|| {
                let (from, to) = (leader(before.leader), leader(after.leader));
                format!("{partition} from {from} to {to} in epoch {}", after.leader_epoch)
            });
        }
        if before.replicas != after.replicas {
            moved.add(|| {
                format!("{partition} from brokers {:?} to {:?}", before.replicas, after.replicas)
            });
        }
    }
    if led.count() > 0 {
        info!("the leader of {} partitions changed: {led}{by}", led.count());
    }
    if moved.count() > 0 {
        info!("the replicas of {} partitions changed: {moved}{by}", moved.count());
    }
}
