//! Invalid settings in the metadata log, such as an older Kafka may have left there: they are left
//! out and reported, and the other settings apply.

use super::dynamic::{base_name, broker_setting, check_dynamic_value};
use super::topic::topic_setting;
use super::{Config, TopicConfig, Values};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names and values of one resource's settings.
type Configs = BTreeMap<String, String>;

impl Config {
    /// The configuration with the settings of the metadata log added: `broker` for this broker,
    /// `cluster` for all. The sentences say which of these settings were left out, and why.
    pub fn with_dynamic(&self, cluster: &Configs, broker: &Configs) -> (Config, Vec<String>) {
        let layer = |is_own, configs: &Configs| {
            let named = configs.iter().map(|(name, value)| ((is_own, name.clone()), value.clone()));
            named.collect::<Vec<_>>()
        };
        let all = layer(false, cluster).into_iter().chain(layer(true, broker)).collect();
        what_fits(
            all,
            |(is_own, name)| name_of(name, *is_own),
            |(is_own, name), value| check_dynamic_value(name, value, *is_own),
            |kept| self.with_layers(kept),
        )
        .unwrap_or_else(|error| (self.clone(), vec![error.to_string()]))
    }

    /// Refuses dynamic settings that are invalid together or that the broker cannot change to.
    pub fn check_together(&self, cluster: &Configs, broker: &Configs) -> Result<()> {
        let layer = |is_own, configs: &Configs| {
            let valid = configs
                .iter()
                .filter(|(name, value)| check_dynamic_value(name, value, is_own).is_ok())
                .map(|(name, value)| ((is_own, name.clone()), value.clone()));
            valid.collect::<Vec<_>>()
        };
        let all = layer(false, cluster).into_iter().chain(layer(true, broker)).collect();
        self.check_change(&self.with_layers(&all)?)
    }

    /// A topic's effective settings, as from [`Config::topic`], with a sentence for each setting
    /// that was left out.
    pub fn topic_in_effect(&self, overrides: &Configs) -> Result<(Arc<TopicConfig>, Vec<String>)> {
        what_fits(
            overrides.clone(),
            String::clone,
            |name, value| check_topic_value(name, value),
            |kept| self.topic(kept),
        )
    }

    /// Whether a resource of this type (ConfigResource.Type) may have the setting, regardless of
    /// its other settings.
    pub fn is_valid_alone(&self, resource_type: i8, name: &str, value: &str) -> bool {
        match resource_type {
            super::TOPIC_CONFIG => check_topic_value(name, value).is_ok(),
            super::BROKER_CONFIG => {
                broker_setting(base_name(name)).is_none_or(|s| s.validate(value).is_ok())
            }
            _ => true,
        }
    }

    fn with_layers(&self, layers: &BTreeMap<(bool, String), String>) -> Result<Config> {
        let mut values = Values { fixed: self.values.fixed.clone(), ..Values::default() };
        for ((is_own, name), value) in layers {
            let layer = if *is_own { &mut values.broker } else { &mut values.cluster };
            layer.insert(name.clone(), value.clone());
        }
        Config::from_values(values)
    }
}

fn check_topic_value(name: &str, value: &str) -> Result<()> {
    let unknown = || Error::Config(format!("Unknown topic config name: {name}"));
    topic_setting(name).ok_or_else(unknown)?.validate(value)
}

fn name_of(name: &str, is_own: bool) -> String {
    format!("{name} of {}", if is_own { "this broker" } else { "all brokers" })
}

/// Calls `make` with `all`, except the settings that are invalid alone and those that make the
/// others invalid. Returns the result and a sentence for each setting that was left out.
fn what_fits<K: Ord + Clone, T>(
    all: BTreeMap<K, String>,
    describe: impl Fn(&K) -> String,
    check_alone: impl Fn(&K, &str) -> Result<()>,
    make: impl Fn(&BTreeMap<K, String>) -> Result<T>,
) -> Result<(T, Vec<String>)> {
    let mut told = Vec::new();
    let mut tell = |key: &K, error: &Error| told.push(format!("{}: {error}", describe(key)));
    let mut kept = all;
    kept.retain(|key, value| check_alone(key, value).inspect_err(|error| tell(key, error)).is_ok());
    loop {
        let error = match make(&kept) {
            Ok(made) => return Ok((made, told)),
            Err(error) => error,
        };
        let mends = |key: &&K| {
            let mut others = kept.clone();
            others.remove(key);
            make(&others).is_ok()
        };
        let culprit = kept.keys().find(mends).or(kept.keys().next_back()).cloned();
        let Some(culprit) = culprit else { return Err(error) };
        kept.remove(&culprit);
        told.push(format!("{}: {error}", describe(&culprit)));
    }
}
