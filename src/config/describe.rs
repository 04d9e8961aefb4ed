//! Settings as DescribeConfigs shows them (ConfigHelper).

use super::dynamic::{base_name, broker_setting};
use super::group::{client_metrics_setting, group_setting};
use super::topic::{TopicValues, topic_setting};
use super::{BROKER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, TOPIC_CONFIG};
use super::{CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, SETTINGS, TOPIC_SETTINGS};
use super::{Config, ConfigType, Setting, UpdateMode, setting};
use std::collections::{BTreeMap, BTreeSet};

/// Where a value comes from. The numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// The topic.
    Topic = 1,
    /// The metadata log, for this broker.
    DynamicBroker = 2,
    /// The metadata log, for all brokers.
    DynamicDefaultBroker = 3,
    /// The file, the environment or the command line.
    StaticBroker = 4,
    /// The default.
    Default = 5,
    /// The client metrics subscription.
    ClientMetrics = 7,
    /// The group.
    Group = 8,
}

/// A setting as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Kafka's name.
    pub name: String,
    /// The value in effect; None if it is null or a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// The type of the value; None if the setting is unknown.
    pub kind: Option<ConfigType>,
    /// Whether a change needs a restart.
    pub read_only: bool,
    /// Whether the value is a secret, which is not shown.
    pub sensitive: bool,
    /// The documentation; None if the setting is unknown.
    pub documentation: Option<String>,
    /// All places where the setting has a value, the one in effect first.
    pub synonyms: Vec<Synonym>,
}

/// One of the places where a setting has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The name under which it is set there.
    pub name: String,
    /// The value; None if it is a secret.
    pub value: Option<String>,
    /// The kind of place.
    pub source: ConfigSource,
}

/// Settings that mean the same in different units; those on the left take precedence.
const SYNONYMS: [&[&str]; 3] = [
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

impl Config {
    /// All settings of this broker.
    pub fn broker_rows(&self) -> Vec<Row> {
        let fixed = &self.values.fixed;
        let shown =
            |s: &&Setting| s.update_mode != UpdateMode::Internal || fixed.contains_key(s.name);
        let known = SETTINGS.iter().filter(shown).map(|s| self.broker_row(s.name, false));
        let set: BTreeSet<_> = self.values.layers().into_iter().flat_map(BTreeMap::keys).collect();
        let unknown = set.into_iter().filter(|name| setting(name).is_none());
        known.chain(unknown.map(|name| self.broker_row(name, false))).collect()
    }

    /// The settings that the metadata log has for all brokers.
    pub fn cluster_rows(&self) -> Vec<Row> {
        self.values.cluster.keys().map(|name| self.broker_row(name, true)).collect()
    }

    /// All settings of a topic that sets `overrides`.
    pub fn topic_rows(&self, overrides: &BTreeMap<String, String>) -> Vec<Row> {
        let values = TopicValues { config: self, overrides };
        let is_shown =
            |s: &&Setting| !s.name.starts_with("internal.") || overrides.contains_key(s.name);
        let shown = TOPIC_SETTINGS.iter().filter(is_shown);
        shown.map(|s| self.resource_row(s, values.get(s), overrides, ConfigSource::Topic)).collect()
    }

    /// All settings of a group that sets `overrides`.
    pub fn group_rows(&self, overrides: &BTreeMap<String, String>) -> Vec<Row> {
        self.resource_rows(GROUP_SETTINGS, overrides, ConfigSource::Group)
    }

    /// All settings of a client metrics subscription that sets `configs`.
    pub fn client_metrics_rows(&self, configs: &BTreeMap<String, String>) -> Vec<Row> {
        self.resource_rows(CLIENT_METRICS_SETTINGS, configs, ConfigSource::ClientMetrics)
    }

    fn resource_rows(
        &self,
        table: &[Setting],
        set: &BTreeMap<String, String>,
        source: ConfigSource,
    ) -> Vec<Row> {
        let row = |s| self.resource_row(s, self.resource_value(s, set), set, source);
        table.iter().map(row).collect()
    }

    fn resource_row(
        &self,
        setting: &Setting,
        value: Option<String>,
        overrides: &BTreeMap<String, String>,
        source: ConfigSource,
    ) -> Row {
        let value = value.map(|text| setting.canonical(&text));
        let mut synonyms = match setting.synonym {
            Some(name) => self.synonyms(name, false),
            // Only of groups does Kafka name such a default.
            None if source == ConfigSource::Group => {
                let (name, value) = (setting.name.to_owned(), setting.default.map(str::to_owned));
                vec![Synonym { name, value, source: ConfigSource::Default }]
            }
            None => Vec::new(),
        };
        if overrides.contains_key(setting.name) {
            let (name, value) = (setting.name.to_owned(), value.clone());
            synonyms.insert(0, Synonym { name, value, source });
        }
        Row::new(setting.name, Some(setting), value, false, synonyms)
    }

    fn broker_row(&self, name: &str, cluster_only: bool) -> Row {
        let known = broker_setting(base_name(name));
        let text = if cluster_only {
            self.values.cluster.get(name).map(String::as_str)
        } else {
            self.values.get(name)
        };
        let value = text.map(|text| known.map_or(text.to_owned(), |s| s.canonical(text)));
        let mut synonyms = self.synonyms(name, may_be_secret(known));
        if cluster_only {
            synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
        }
        let read_only = !known.is_some_and(Setting::is_dynamic);
        Row::new(name, known, value, read_only, synonyms)
    }

    /// All places where `name` has a value. For some settings these include, as in Kafka, settings
    /// that mean the same in another unit.
    fn synonyms(&self, name: &str, sensitive: bool) -> Vec<Synonym> {
        let alone = [name];
        let flush = ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
        let family = SYNONYMS.into_iter().find(|family| family.contains(&name));
        let names = match name {
            "log.flush.interval.ms" => &flush[..],
            _ => family.unwrap_or(&alone),
        };
        let sources = [
            ConfigSource::DynamicBroker,
            ConfigSource::DynamicDefaultBroker,
            ConfigSource::StaticBroker,
        ];
        let of = |name: &str, value: &str, source| Synonym {
            name: name.to_owned(),
            value: (!sensitive).then(|| value.to_owned()),
            source,
        };
        let mut found = Vec::new();
        for (layer, source) in self.values.layers().into_iter().zip(sources) {
            let here = names.iter().filter_map(|name| Some(of(name, layer.get(*name)?, source)));
            found.extend(here);
        }
        let default = |name: &&str| Some(of(name, setting(name)?.default?, ConfigSource::Default));
        found.extend(names.iter().filter_map(default));
        // As in Kafka, values in other units that come before the first one of this name are left
        // out.
        let own = found.iter().position(|synonym| synonym.name == name);
        found.split_off(own.unwrap_or(found.len()))
    }

    /// Whether a setting of this resource type is a list, to which APPEND and SUBTRACT apply.
    pub fn is_list(&self, resource_type: i8, name: &str) -> bool {
        definition(resource_type, name).is_some_and(|setting| setting.kind == ConfigType::List)
    }

    /// The default of a setting of this resource type; None if it is null or the setting is
    /// unknown.
    pub fn default_of(&self, resource_type: i8, name: &str) -> Option<String> {
        definition(resource_type, name)?.default.map(str::to_owned)
    }
}

/// Whether the value of a setting of this resource type is a secret. An unknown broker setting may
/// be one.
pub fn is_sensitive(resource_type: i8, name: &str) -> bool {
    match (resource_type, definition(resource_type, base_name(name))) {
        (BROKER_CONFIG, setting) => may_be_secret(setting),
        (_, setting) => setting.is_some_and(Setting::is_sensitive),
    }
}

/// An unknown setting may be a secret.
fn may_be_secret(setting: Option<&Setting>) -> bool {
    setting.is_none_or(Setting::is_sensitive)
}

/// The setting of a resource, whose type is Kafka's number (ConfigResource.Type).
fn definition(resource_type: i8, name: &str) -> Option<&'static Setting> {
    match resource_type {
        TOPIC_CONFIG => topic_setting(name),
        BROKER_CONFIG => broker_setting(name),
        CLIENT_METRICS_CONFIG => client_metrics_setting(name),
        GROUP_CONFIG => group_setting(name),
        _ => None,
    }
}

impl Row {
    fn new(
        name: &str,
        setting: Option<&Setting>,
        value: Option<String>,
        read_only: bool,
        synonyms: Vec<Synonym>,
    ) -> Row {
        let sensitive = may_be_secret(setting);
        Row {
            name: name.to_owned(),
            value: value.filter(|_| !sensitive),
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            kind: setting.map(|setting| setting.kind),
            read_only,
            sensitive,
            documentation: setting.map(Setting::documentation),
            synonyms,
        }
    }
}
