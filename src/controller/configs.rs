//! Validates changes of configs and writes their records (ConfigurationControlManager,
//! ControllerConfigurationValidator).

use super::view::{ControllerResult, View, explained, text};
use crate::codec::messages::create_topics_request::CreatableTopicConfig;
use crate::codec::messages::create_topics_response::CreatableTopicConfigs;
use crate::codec::schema::metadata::{ClearElrRecord, ConfigRecord};
use crate::error::Result;
use crate::metadata::features;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::reason_invalid;
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, TOPIC_CONFIG,
};
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, HashMap, HashSet};

/// (type, name) of a resource that has configs.
pub(super) type Resource = (i8, String);

/// The change to one config (AlterConfigOp).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Set(String),
    Delete,
    Append(String),
    Subtract(String),
}

/// The change to a resource's configs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Changes only the configs named (IncrementalAlterConfigs).
    Some(BTreeMap<String, Operation>),
    /// Replaces all configs; those not named are removed (AlterConfigs).
    All(BTreeMap<String, Option<String>>),
}

const MIN_ISR: &str = "min.insync.replicas";
const VALUE_LENGTH_MAX: usize = i16::MAX as usize;

/// Whether this is a resource type that Kafka knows.
pub(super) fn is_known_type(resource_type: i8) -> bool {
    matches!(
        resource_type,
        TOPIC_CONFIG | BROKER_CONFIG | BROKER_LOGGER_CONFIG | CLIENT_METRICS_CONFIG | GROUP_CONFIG
    )
}

impl View<'_> {
    /// Changes each resource by its `change`; each succeeds or fails as a whole.
    pub fn alter_configs(
        self,
        changes: Vec<(Resource, Result<Change>)>,
    ) -> ControllerResult<Vec<(Resource, Result<()>)>> {
        let (mut records, mut response) = (Vec::new(), Vec::new());
        for (resource, change) in changes {
            let altered = change.and_then(|change| match change {
                Change::Some(operations) => self.alter_resource(&resource, &operations, false),
                Change::All(configs) => self.replace_resource(&resource, &configs),
            });
            response.push((resource, altered.map(|made| records.extend(made))));
        }
        records.extend(self.clear_elr_records(&records));
        ControllerResult { records, response }
    }

    /// The records that change one resource. `is_new`: the resource is a topic that is being
    /// created.
    pub fn alter_resource(
        self,
        resource: &Resource,
        operations: &BTreeMap<String, Operation>,
        is_new: bool,
    ) -> Result<Vec<MetadataRecord>> {
        let current = self.image.configs_of(resource.0, &resource.1);
        let mut altered = BTreeMap::new();
        for (key, operation) in operations {
            let before = current.get(key);
            let after = match operation {
                Operation::Set(value) => Some(value.clone()),
                Operation::Delete => None,
                Operation::Append(items) => {
                    let mut list = self.list_value(resource.0, key, before, "APPEND")?;
                    let mut known: HashSet<String> = list.iter().cloned().collect();
                    let new = items.split(',').filter(|item| known.insert((*item).to_owned()));
                    list.extend(new.map(str::to_owned));
                    Some(list.join(","))
                }
                Operation::Subtract(items) => {
                    let mut list = self.list_value(resource.0, key, before, "SUBTRACT")?;
                    let mut times: HashMap<&str, usize> = HashMap::new();
                    items.split(',').for_each(|item| *times.entry(item).or_default() += 1);
                    // Each mention of an item removes its first remaining occurrence.
                    list.retain(|item| match times.get_mut(item.as_str()) {
                        Some(left) if *left > 0 => {
                            *left -= 1;
                            false
                        }
                        _ => true,
                    });
                    Some(list.join(","))
                }
            };
            altered.insert(key.clone(), after);
        }
        self.altered_records(resource, &altered, is_new)
    }

    fn replace_resource(
        self,
        resource: &Resource,
        configs: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<MetadataRecord>> {
        let mut altered = configs.clone();
        for key in self.image.configs_of(resource.0, &resource.1).keys() {
            altered.entry(key.clone()).or_default();
        }
        self.altered_records(resource, &altered, false)
    }

    fn list_value(
        self,
        resource_type: i8,
        key: &str,
        current: Option<&String>,
        operation: &str,
    ) -> Result<Vec<String>> {
        if !self.config.is_list(resource_type, key) {
            return Err(explained(
                ResponseError::InvalidConfig,
                // Kafka's own tests compare this sentence.
                format!("Can't {operation} to key {key} because its type is not LIST."),
            ));
        }
        let default = || self.config.default_of(resource_type, key);
        let value = current.cloned().or_else(default).unwrap_or_default();
        Ok(value.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn altered_records(
        self,
        resource: &Resource,
        altered: &BTreeMap<String, Option<String>>,
        is_new: bool,
    ) -> Result<Vec<MetadataRecord>> {
        let current = self.image.configs_of(resource.0, &resource.1);
        let mut all = (*current).clone();
        let mut changed = Vec::new();
        for (key, value) in altered {
            match value {
                Some(value) => all.insert(key.clone(), value.clone()),
                None => all.remove(key),
            };
            // A broker reloads every value it is sent, changed or not (KAFKA-14136).
            if current.get(key) != value.as_ref() || resource.0 == BROKER_CONFIG {
                changed.push((key, value));
            }
        }
        // An invalid value left by an older Kafka does not make this change invalid.
        let is_right = |key: &str, value: &str| {
            altered.contains_key(key) || self.config.is_valid_alone(resource.0, key, value)
        };
        all.retain(|key, value| is_right(key, value));
        self.check_resource(resource, &all)?;
        let mut each = altered.iter();
        each.try_for_each(|(key, value)| self.check_value(resource, key, value.as_deref()))?;
        if !is_new {
            self.check_exists(resource)?;
        }
        // Each record repeats the resource's name, so they are built only once everything is valid.
        let record = |(name, value): (&String, &Option<String>)| {
            MetadataRecord::Config(ConfigRecord {
                resource_type: resource.0,
                resource_name: resource.1.clone(),
                name: name.clone(),
                value: value.clone(),
            })
        };
        Ok(changed.into_iter().map(record).collect())
    }

    fn check_value(self, resource: &Resource, key: &str, value: Option<&str>) -> Result<()> {
        let invalid = |message: String| Err(explained(ResponseError::InvalidConfig, message));
        if key == MIN_ISR && resource.0 == BROKER_CONFIG && self.image.elr_enabled() {
            if !resource.1.is_empty() {
                return invalid(format!(
                    "With eligible leader replicas, {MIN_ISR} is the same on all brokers; set it \
                     for the cluster or a topic"
                ));
            }
            if value.is_none() {
                return invalid(format!(
                    "Eligible leader replicas need {MIN_ISR} for the cluster; give it another \
                     value instead"
                ));
            }
        }
        let needed = features::CORDONED_LOG_DIRS;
        if key == "cordoned.log.dirs"
            && resource.0 == BROKER_CONFIG
            && self.image.metadata_version() < needed
        {
            return invalid(format!(
                "cordoned.log.dirs needs metadata.version {}. Upgrade with kafka-features first.",
                features::metadata_version_name(needed)
            ));
        }
        if value.is_some_and(|value| value.encode_utf16().count() > VALUE_LENGTH_MAX) {
            return invalid(format!("{key} has more than {VALUE_LENGTH_MAX} characters"));
        }
        Ok(())
    }

    /// Whether the resource can have these configs (ControllerConfigurationValidator.validate).
    fn check_resource(self, resource: &Resource, configs: &BTreeMap<String, String>) -> Result<()> {
        let (resource_type, name) = (resource.0, resource.1.as_str());
        let bad_request = |message: &str| Err(explained(ResponseError::InvalidRequest, message));
        match resource_type {
            TOPIC_CONFIG if name.is_empty() => {
                bad_request("The name of the topic is empty; topics have no shared settings")
            }
            TOPIC_CONFIG => match reason_invalid(name) {
                Some(reason) => Err(explained(
                    ResponseError::InvalidTopicException,
                    format!("Topic name is invalid: {reason}"),
                )),
                None => self.config.topic(configs).map(drop),
            },
            BROKER_CONFIG => self.check_broker_configs(name, configs),
            CLIENT_METRICS_CONFIG => self.config.check_client_metrics(name, configs),
            GROUP_CONFIG if name.is_empty() => {
                bad_request("The name of the group is empty; groups have no shared settings")
            }
            GROUP_CONFIG => self.config.check_group(configs),
            _ => bad_request("Unknown resource type BROKER_LOGGER"),
        }
    }

    /// Whether a running broker accepts these configs
    /// (ConfigAdminManager.validateBrokerConfigChange).
    fn check_broker_configs(self, name: &str, configs: &BTreeMap<String, String>) -> Result<()> {
        let refuse = |message: String| Err(explained(ResponseError::InvalidRequest, message));
        if !name.is_empty() {
            let Ok(id) = name.parse::<i32>() else {
                return refuse(format!("{name} is no broker id, which is a number"));
            };
            let expected = self.config.node_id;
            if id != expected {
                return refuse(format!("The broker's id is {expected}, not {name}"));
            }
        }
        let of_all = self.image.configs_of(BROKER_CONFIG, "");
        let own = self.image.configs_of(BROKER_CONFIG, &self.config.node_id.to_string());
        let is_wrong_already = self.config.check_together(&of_all, &own).is_err();
        let (of_all, own) = if name.is_empty() { (configs, &*own) } else { (&*of_all, configs) };
        let checked = self.config.check_dynamic(configs, !name.is_empty());
        // A value that is valid alone may contradict the others.
        let together = || self.config.check_together(of_all, own);
        let checked = checked.and_then(|()| if is_wrong_already { Ok(()) } else { together() });
        checked.or_else(|error| refuse(error.message().unwrap_or_default()))
    }

    /// Refuses a topic that does not exist. Of brokers, only this one's id gets so far; the other
    /// resources begin with their settings.
    fn check_exists(self, resource: &Resource) -> Result<()> {
        let name = resource.1.as_str();
        if resource.0 == TOPIC_CONFIG && self.image.topics.by_name(name).is_none() {
            let message = format!("The topic '{name}' does not exist.");
            return Err(explained(ResponseError::UnknownTopicOrPartition, message));
        }
        Ok(())
    }

    /// The records that clear eligible leader replicas chosen under an old `min.insync.replicas`.
    pub fn clear_elr_records(self, records: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let clears = |record: &MetadataRecord| match record {
            MetadataRecord::Config(config) if config.name == MIN_ISR => {
                let topic = config.resource_type == TOPIC_CONFIG;
                let topic_name = if topic { config.resource_name.clone() } else { String::new() };
                Some(MetadataRecord::ClearElr(ClearElrRecord { topic_name }))
            }
            _ => None,
        };
        if !self.image.elr_enabled() {
            return Vec::new();
        }
        records.iter().filter_map(clears).collect()
    }
}

/// All configs of a topic that is being created, as the CreateTopics response lists them (KIP-525).
pub(super) fn created_topic_configs(
    view: View<'_>,
    overrides: &[CreatableTopicConfig],
) -> Vec<CreatableTopicConfigs> {
    let overrides: BTreeMap<String, String> = overrides
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    let mut rows = view.config.topic_rows(&overrides);
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let rows = rows.into_iter().map(|row| {
        CreatableTopicConfigs::default()
            .with_name(text(row.name))
            .with_value(row.value.map(text))
            .with_read_only(row.read_only)
            .with_config_source(row.source as i8)
            .with_is_sensitive(row.sensitive)
    });
    rows.collect()
}
