//! Settings of a group (GroupConfig) and of a client metrics subscription (ClientMetricsConfigs).

use super::definition::Check::*;
use super::definition::{ConfigType, Value, split_list};
use super::effect::Effect::NoEffect;
use super::effect::*;
use super::{Config, Setting, resource_settings, setting};
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

/// Where the dead letters of a share group go (KIP-1191).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// The topic's name.
    pub topic: String,
    /// Whether they contain the records.
    pub copies_records: bool,
}

impl Config {
    /// Where the dead letters of a group go, if it wants any.
    pub fn dead_letters(&self, group: &BTreeMap<String, String>) -> Option<DeadLetterConfig> {
        let topic = self.group_text("errors.deadletterqueue.topic.name", group);
        let copies = self.group_text("errors.deadletterqueue.copy.record.enable", group);
        let copies_records = copies == "true";
        (!topic.is_empty()).then_some(DeadLetterConfig { topic, copies_records })
    }

    /// Checks the settings of a group.
    pub fn check_group(&self, configs: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in configs {
            let unknown = || Error::Config(format!("{name}: groups have no such setting"));
            group_setting(name).ok_or_else(unknown)?.validate(value)?;
        }
        for setting in GROUP_SETTINGS {
            self.check_group_bounds(setting, configs)?;
        }
        for kind in ["consumer", "share", "streams"] {
            let session = format!("{kind}.session.timeout.ms");
            let heartbeat = format!("{kind}.heartbeat.interval.ms");
            if self.group_number(&heartbeat, configs) >= self.group_number(&session, configs) {
                let message = format!("{heartbeat} must be shorter than {session}");
                return Err(Error::Config(message));
            }
        }
        Ok(())
    }

    /// Checks the settings of a client metrics subscription (KIP-714).
    pub fn check_client_metrics(
        &self,
        name: &str,
        configs: &BTreeMap<String, String>,
    ) -> Result<()> {
        let refuse = |message| Err(Error::Explained(ResponseError::InvalidRequest, message));
        if name.is_empty() {
            return refuse("The subscription has no name".to_owned());
        }
        for (name, value) in configs {
            let Some(setting) = client_metrics_setting(name) else {
                return refuse(format!(
                    "{name}: client metrics subscriptions have no such setting"
                ));
            };
            setting.validate(value)?;
            let value = value.trim();
            let is_in_range = |ms: i32| (100..=3_600_000).contains(&ms);
            if name == "interval.ms" && !value.parse().is_ok_and(is_in_range) {
                return refuse(format!(
                    "interval.ms={value}: clients can report every 100 to 3600000 ms (an hour)"
                ));
            }
            let mut patterns = split_list(if name == "match" { value } else { "" }).into_iter();
            if let Some(bad) = patterns.find(|pattern| !is_match(pattern)) {
                let message = format!("match: write {bad} as name=pattern, as client_id=app-.*");
                return Err(Error::Config(message));
            }
        }
        Ok(())
    }

    /// The text in effect of a setting of a group or a client metrics subscription.
    pub(super) fn resource_value(
        &self,
        setting: &Setting,
        configs: &BTreeMap<String, String>,
    ) -> Option<String> {
        let of_broker = || setting.synonym.and_then(|name| self.values.get(name));
        let set = configs.get(setting.name).map(String::as_str).or_else(of_broker);
        set.or(setting.default).map(str::to_owned)
    }

    /// Checks a group's setting against the broker's `group.<kind>.min.<setting>` and
    /// `.max.<setting>`.
    fn check_group_bounds(
        &self,
        of_group: &Setting,
        configs: &BTreeMap<String, String>,
    ) -> Result<()> {
        if of_group.synonym.is_none() || !configs.contains_key(of_group.name) {
            return Ok(());
        }
        let name = of_group.name;
        // Only numbers have bounds.
        let value = || self.group_number(name, configs);
        match (self.group_bound(of_group, "min"), self.group_bound(of_group, "max")) {
            (Some((min, of)), _) if value() < min => {
                Err(Error::Config(format!("{name} is below the brokers' {of}={min}")))
            }
            (_, Some((max, of))) if value() > max => {
                Err(Error::Config(format!("{name} is above the brokers' {of}={max}")))
            }
            _ => Ok(()),
        }
    }

    fn group_bound(&self, of_group: &Setting, bound: &str) -> Option<(i64, String)> {
        let (kind, rest) = of_group.synonym?.strip_prefix("group.")?.split_once('.')?;
        let rest = rest.strip_prefix("num.").unwrap_or(rest);
        let name = format!("group.{kind}.{bound}.{rest}");
        setting(&name)?;
        Some((self.values.get(&name)?.trim().parse().ok()?, name))
    }

    /// The value of a numeric group setting (GroupConfigManager): the group's own, kept within the
    /// broker's bounds, else the broker's.
    pub fn group_i32(&self, name: &str, group: &BTreeMap<String, String>) -> i32 {
        if !group.contains_key(name) {
            return self.group_numbers[name];
        }
        let setting = group_setting(name).expect("a name of the table below");
        let number = self.group_number(name, group);
        let least = self.group_bound(setting, "min").map_or(i64::MIN, |(bound, _)| bound);
        let most = self.group_bound(setting, "max").map_or(i64::MAX, |(bound, _)| bound);
        i32::try_from(number.min(most).max(least)).unwrap_or(i32::MAX)
    }

    /// The text in effect of a group's setting; `name` is one of `GROUP_SETTINGS`.
    pub fn group_text(&self, name: &str, group: &BTreeMap<String, String>) -> String {
        let setting = group_setting(name);
        let text = setting.and_then(|one| Some(one.canonical(&self.resource_value(one, group)?)));
        text.unwrap_or_default()
    }

    /// The numbers in effect for groups that set nothing themselves, by the names of the settings.
    pub(super) fn numbers_of_groups(&self) -> BTreeMap<&'static str, i32> {
        let numbers = GROUP_SETTINGS.iter().filter(|setting| setting.kind == ConfigType::Int);
        numbers
            .filter_map(|setting| {
                let text = self.resource_value(setting, &BTreeMap::new())?;
                Some((setting.name, text.trim().parse().ok()?))
            })
            .collect()
    }

    /// A number in effect for a group; `name` is one of `GROUP_SETTINGS`.
    pub fn group_number(&self, name: &str, configs: &BTreeMap<String, String>) -> i64 {
        let setting = group_setting(name).expect("a name of the table below");
        let text = self.resource_value(setting, configs);
        text.and_then(|text| text.trim().parse().ok()).expect("validated before")
    }
}

/// The group setting with this name.
pub(super) fn group_setting(name: &str) -> Option<&'static Setting> {
    GROUP_SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting of client metrics subscriptions with this name.
pub(super) fn client_metrics_setting(name: &str) -> Option<&'static Setting> {
    CLIENT_METRICS_SETTINGS.iter().find(|setting| setting.name == name)
}

/// Whether `pattern` is `name=pattern` with one of the names of KIP-714.
fn is_match(pattern: &str) -> bool {
    const NAMES: [&str; 6] = [
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    ];
    let pair = pattern.split_once('=');
    pair.is_some_and(|(name, value)| NAMES.contains(&name.trim()) && !value.trim().is_empty())
}

resource_settings! {
    /// All settings of a client metrics subscription.
    CLIENT_METRICS_SETTINGS
    /// Prefixes of the metrics that matching clients send to the broker (KIP-714); empty means
    /// none. Not supported yet.
    "metrics": Vec<String> = "", null, List => NoEffect(METRICS);
    /// How often, in milliseconds, matching clients report their metrics, from 100 to an hour. Not
    /// supported yet.
    "interval.ms": i32 = "300000", null => NoEffect(METRICS);
    /// Which clients send metrics, as `name=pattern` pairs that must all match, such as
    /// `client_id=app-.*`; empty means every client. Not supported yet.
    "match": Vec<String> = "", null, List => NoEffect(METRICS);
}

resource_settings! {
    /// All settings of a group.
    GROUP_SETTINGS
    /// How many milliseconds without a heartbeat before a member is removed from this consumer
    /// group, between `group.consumer.min.session.timeout.ms` and
    /// `group.consumer.max.session.timeout.ms`. Raise it for poor networks.
    "consumer.session.timeout.ms": i32 = "45000", "group.consumer.session.timeout.ms", AtLeast(1);
    /// How often, in milliseconds, members of this consumer group send heartbeats; within the
    /// broker's bounds and less than the session timeout. Lower it for faster rebalances.
    "consumer.heartbeat.interval.ms": i32 =
        "5000", "group.consumer.heartbeat.interval.ms", AtLeast(1);
    /// Least time in milliseconds between two assignments of this consumer group; 0 reassigns at
    /// every change. Raise it if the group is large and members come and go often.
    "consumer.assignment.interval.ms": i32 =
        "1000", "group.consumer.assignment.interval.ms", AtLeast(0);
    /// How many milliseconds without a heartbeat before a member is removed from this share group,
    /// between `group.share.min.session.timeout.ms` and `group.share.max.session.timeout.ms`. Raise
    /// it for poor networks.
    "share.session.timeout.ms": i32 = "45000", "group.share.session.timeout.ms", AtLeast(1);
    /// How often, in milliseconds, members of this share group send heartbeats; within the broker's
    /// bounds and less than the session timeout. Lower it for faster rebalances.
    "share.heartbeat.interval.ms": i32 = "5000", "group.share.heartbeat.interval.ms", AtLeast(1);
    /// How many milliseconds a member of this share group may hold a record before another one gets
    /// it.
    "share.record.lock.duration.ms": i32 =
        "30000", "group.share.record.lock.duration.ms", AtLeast(1000);
    /// How often a record is delivered to this share group before it counts as unprocessable.
    "share.delivery.count.limit": i32 = "5", "group.share.delivery.count.limit", AtLeast(2);
    /// How many records of one partition members of this share group may hold unacknowledged.
    "share.partition.max.record.locks": i32 =
        "2000", "group.share.partition.max.record.locks", AtLeast(100);
    /// Where this share group starts in a partition that is new to it: `earliest`, `latest`, or
    /// `by_duration:` and an ISO 8601 duration to go back, such as `PT1H`.
    "share.auto.offset.reset": String = "latest", null, OffsetReset;
    /// Whether this share group also sees records of open and aborted transactions
    /// (`read_uncommitted`) or only committed ones (`read_committed`).
    "share.isolation.level": String =
        "read_uncommitted", null, OneOf(&["read_committed", "read_uncommitted"]);
    /// Whether members of this share group may ask for more time for a record they hold.
    "share.renew.acknowledge.enable": bool = "true", null;
    /// Least time in milliseconds between two assignments of this share group; 0 reassigns at every
    /// change. Raise it if the group is large and members come and go often.
    "share.assignment.interval.ms": i32 = "1000", "group.share.assignment.interval.ms", AtLeast(0);
    /// The topic for the dead letters of this share group: what it has rejected, or got as often as
    /// `share.delivery.count.limit` allows. Empty means that they are only dropped. The topic needs
    /// `errors.deadletterqueue.group.enable=true` and the cluster `share.version` 2.
    "errors.deadletterqueue.topic.name": String = "", null, DeadLetterTopic;
    /// Whether dead letters contain the keys and values of the records, or only say in their headers
    /// where these are.
    "errors.deadletterqueue.copy.record.enable": bool = "false", null;
    /// How many milliseconds without a heartbeat before a member is removed from this streams
    /// group, between `group.streams.min.session.timeout.ms` and
    /// `group.streams.max.session.timeout.ms`. Raise it for poor networks.
    "streams.session.timeout.ms": i32 = "45000", "group.streams.session.timeout.ms", AtLeast(1);
    /// How often, in milliseconds, members of this streams group send heartbeats; within the
    /// broker's bounds and less than the session timeout. Lower it for faster rebalances.
    "streams.heartbeat.interval.ms": i32 =
        "5000", "group.streams.heartbeat.interval.ms", AtLeast(1);
    /// How many other members of this streams group keep a copy of each task's state, to take over
    /// quickly; at most `group.streams.max.standby.replicas`. Raise it if restoring state takes too
    /// long after a failure.
    "streams.num.standby.replicas": i32 = "0", "group.streams.num.standby.replicas", AtLeast(0);
    /// How many milliseconds this streams group, when empty, waits for more members before it
    /// assigns tasks. Raise it if its instances start slowly one after another.
    "streams.initial.rebalance.delay.ms": i32 =
        "3000", "group.streams.initial.rebalance.delay.ms", AtLeast(0);
    /// Least time in milliseconds between two assignments of this streams group; 0 reassigns at
    /// every change. Raise it if the group is large and members come and go often.
    "streams.assignment.interval.ms": i32 =
        "1000", "group.streams.assignment.interval.ms", AtLeast(0);
}
