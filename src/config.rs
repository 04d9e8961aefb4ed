//! All settings, each declared once: Kafka's name, type, default and documentation, and whether it
//! may change while the broker runs (KafkaConfig and its parts, LogConfig).
//!
//! Settings are named only in the tables in `table.rs`, `topic.rs` and `group.rs`. Each row makes
//! the typed field of [`Config`], its default and its parser, the answer of DescribeConfigs, what
//! IncrementalAlterConfigs accepts, and the text of `klamm --help-config`. All of Kafka's settings
//! are here, including those that have no effect yet, so that every `server.properties` is
//! understood.
//!
//! These defaults differ from Kafka's: `listeners` and `log.dir`, so that a broker without settings
//! can be reached only from its own machine and writes into the directory in which it was started;
//! and `process.roles`, `node.id`, `broker.id` and `controller.listener.names`, which Kafka
//! requires to be set.

mod definition;
mod describe;
mod dynamic;
mod effect;
mod group;
mod leftover;
mod listeners;
mod live;
pub mod properties;
mod providers;
mod quorum;
mod syntax;
mod table;
mod topic;
mod validate;

#[cfg(test)]
mod tests;

pub use definition::{Check, ClassName, ConfigType, OffsetReset, Password, Setting, UpdateMode};
pub use describe::{ConfigSource, Row, Synonym, is_sensitive};
pub use dynamic::MOVE_RATE;
pub use effect::Effect;
pub use group::{CLIENT_METRICS_SETTINGS, DeadLetterConfig, GROUP_SETTINGS};
pub use listeners::{Listener, SecurityProtocol};
pub use live::LiveConfig;
pub use quorum::QuorumVoter;
pub use table::{Config, SETTINGS};
pub use topic::{Compression, TOPIC_SETTINGS, TopicConfig};

use crate::error::Result;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The default in a row: `null` or a text.
macro_rules! default_text {
    (null) => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}
use default_text;

/// Each row is `/// documentation`, then `"name": type = default, the broker's name or null, check
/// => effect;`.
macro_rules! resource_settings {
    (
        $(#[doc = $table_doc:literal])* $table:ident
        $(
            $(#[doc = $doc:literal])*
            $name:literal: $type:ty = $default:tt, $synonym:tt
                $(, $check:expr)? $(=> $effect:expr)?;
        )*
    ) => {
        $(#[doc = $table_doc])*
        pub static $table: &[Setting] = &[$(Setting {
            name: $name,
            kind: <$type as Value>::KIND,
            default: super::default_text!($default),
            update_mode: super::UpdateMode::Resource,
            synonym: super::default_text!($synonym),
            check: [$($check,)? Any][0],
            effect: [$($effect,)? super::Effect::Served][0],
            doc: &[$($doc),*],
        },)*];
    };
}
use resource_settings;

/// The texts of all settings that are not left at their defaults.
#[derive(Clone, Default, PartialEq, Eq)]
struct Values {
    /// From the file, the environment and the command line.
    fixed: BTreeMap<String, String>,
    /// From the metadata log, for all brokers.
    cluster: BTreeMap<String, String>,
    /// From the metadata log, for this broker.
    broker: BTreeMap<String, String>,
}

/// Shows only names, as some values are secrets.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers().into_iter().flat_map(BTreeMap::keys)).finish()
    }
}

impl Values {
    /// All that is set, with what takes precedence first.
    fn layers(&self) -> [&BTreeMap<String, String>; 3] {
        [&self.broker, &self.cluster, &self.fixed]
    }

    /// The value in effect, which may be the default.
    fn get(&self, name: &str) -> Option<&str> {
        let set = self.layers().into_iter().find_map(|layer| layer.get(name));
        set.map(String::as_str).or_else(|| setting(name)?.default)
    }
}

/// The broker setting with this name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    static BY_NAME: LazyLock<HashMap<&str, &Setting>> =
        LazyLock::new(|| SETTINGS.iter().map(|setting| (setting.name, setting)).collect());
    BY_NAME.get(name).copied()
}

/// Resource type of topic configs.
pub const TOPIC_CONFIG: i8 = 2;
/// Resource type of broker configs.
pub const BROKER_CONFIG: i8 = 4;
/// Resource type of a broker's log levels, which are not kept as records.
pub const BROKER_LOGGER_CONFIG: i8 = 8;
/// Resource type of client metrics subscriptions.
pub const CLIENT_METRICS_CONFIG: i8 = 16;
/// Resource type of group configs.
pub const GROUP_CONFIG: i8 = 32;

impl Config {
    /// The configuration with `properties` (name -> value). Unknown names are kept and have no
    /// effect. An invalid value is an `Error::Config` with Kafka's message.
    pub fn new(mut properties: BTreeMap<String, String>) -> Result<Config> {
        // The two names are synonyms (KafkaConfig.populateSynonyms).
        for (from, to) in [("broker.id", "node.id"), ("node.id", "broker.id")] {
            if let (Some(id), None) = (properties.get(from).cloned(), properties.get(to)) {
                properties.insert(to.to_owned(), id);
            }
        }
        Config::from_values(Values { fixed: properties, ..Values::default() })
    }

    fn from_values(values: Values) -> Result<Config> {
        for (name, value) in values.layers().into_iter().flatten() {
            if let Some(setting) = setting(name) {
                setting.validate(value)?;
            }
        }
        let mut config = Config::read(values);
        if config.log_dirs.is_empty() {
            config.log_dirs = config.log_dir.clone();
        }
        config.group_numbers = config.numbers_of_groups();
        config.validate()?;
        Ok(config)
    }

    /// Whether the setting has been set, so that its default does not apply.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.layers().into_iter().any(|layer| layer.contains_key(name))
    }

    /// A sentence for each setting that has been changed from its default and has no effect here.
    pub fn without_effect(&self) -> Vec<String> {
        let told = SETTINGS.iter().filter_map(|setting| {
            let Effect::NoEffect(why) = setting.effect else { return None };
            let text = self.values.get(setting.name)?;
            let is_news = self.is_set(setting.name) && !setting.is_default(text);
            is_news.then(|| format!("{} has no effect here: {why}", setting.name))
        });
        told.collect()
    }

    /// The replication factor or `min.isr` of an internal topic: the `value` of the setting `name`.
    /// If the setting has not been set, it is at most the number of brokers, so that a single
    /// broker works without configuration.
    pub fn capped(&self, name: &str, value: i16, brokers: usize) -> i16 {
        if self.is_set(name) {
            value
        } else {
            value.min(i16::try_from(brokers).unwrap_or(i16::MAX))
        }
    }

    /// `log.roll.ms`, else `log.roll.hours`, in milliseconds.
    pub fn roll_ms(&self) -> i64 {
        self.log_roll_ms.unwrap_or(i64::from(self.log_roll_hours) * HOUR_MS)
    }

    /// `log.roll.jitter.ms`, else `log.roll.jitter.hours`, in milliseconds.
    pub fn roll_jitter_ms(&self) -> i64 {
        self.log_roll_jitter_ms.unwrap_or(i64::from(self.log_roll_jitter_hours) * HOUR_MS)
    }

    /// `log.retention.ms`, else `.minutes`, else `.hours`, in milliseconds; -1 means no limit.
    pub fn retention_ms(&self) -> i64 {
        let minutes = self.log_retention_minutes.map(|minutes| i64::from(minutes) * MINUTE_MS);
        let hours = i64::from(self.log_retention_hours) * HOUR_MS;
        self.log_retention_ms.or(minutes).unwrap_or(hours).max(-1)
    }

    /// `log.flush.interval.ms`, else `log.flush.scheduler.interval.ms`.
    pub fn flush_ms(&self) -> i64 {
        self.log_flush_interval_ms.unwrap_or(self.log_flush_scheduler_interval_ms)
    }

    /// Whether `dir`, one of `log.dirs`, gets no new partitions (KIP-1066).
    pub fn is_cordoned(&self, dir: &Path) -> bool {
        let is_meant = |one: &String| one == "*" || absolute(one) == absolute(dir);
        self.cordoned_log_dirs.iter().any(is_meant)
    }

    /// `metadata.log.dir`; if that is unset or empty, the first of `log.dirs`.
    pub fn metadata_dir(&self) -> &str {
        let own = self.metadata_log_dir.as_deref().filter(|dir| !dir.is_empty());
        own.unwrap_or(&self.log_dirs[0])
    }
}

/// The absolute path of a log directory in the settings. Clients see and name it by this path, as
/// they do not know where the broker was started.
pub fn absolute(dir: impl AsRef<Path>) -> PathBuf {
    std::path::absolute(&dir).unwrap_or(dir.as_ref().to_owned())
}

impl Default for Config {
    fn default() -> Config {
        Config::new(BTreeMap::new()).expect("the defaults are right")
    }
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
