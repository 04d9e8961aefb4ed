//! What may change while the broker runs (DynamicBrokerConfig).

use super::definition::Check::*;
use super::definition::Value;
use super::validate::require;
use super::{Config, SETTINGS, Setting, UpdateMode, resource_settings, setting};
use crate::error::Result;
use std::collections::BTreeMap;

/// The setting that limits the rate of all moves between log directories together.
pub const MOVE_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

resource_settings! {
    /// Settings of a broker that only the metadata log can have; a file has none of these names.
    DYNAMIC_SETTINGS
    /// Bytes per second that leaders on this broker send to followers, for the replicas in
    /// `leader.replication.throttled.replicas`.
    "leader.replication.throttled.rate": i64 = null, null, AtLeast(0);
    /// Bytes per second that followers on this broker fetch, for the replicas in
    /// `follower.replication.throttled.replicas`.
    "follower.replication.throttled.rate": i64 = null, null, AtLeast(0);
    /// Most bytes per second that moves between this broker's log directories copy; unset means as
    /// fast as the disks.
    "replica.alter.log.dirs.io.max.bytes.per.second": i64 = null, null, AtLeast(0);
}

/// Limits of connections, for all listeners or for one.
const CONNECTIONS: [&str; 2] = ["max.connections", "max.connection.creation.rate"];

/// The setting of this name that a broker has in a file or in the metadata log.
pub(super) fn broker_setting(name: &str) -> Option<&'static Setting> {
    setting(name).or_else(|| DYNAMIC_SETTINGS.iter().find(|setting| setting.name == name))
}

/// The `x` of `listener.name.<listener>.x`, which overrides `x` for one listener.
pub(super) fn base_name(name: &str) -> &str {
    let listener = name.strip_prefix("listener.name.");
    listener.and_then(|rest| rest.split_once('.')).map_or(name, |(_, base)| base)
}

/// Refuses a value that a running broker cannot take, for itself (`is_own`) or for all brokers.
/// Unknown names are accepted, as they may belong to an operator's own plugins.
pub(super) fn check_dynamic_value(name: &str, value: &str, is_own: bool) -> Result<()> {
    let (base, refused) = (base_name(name), |what: &str| format!("{what}: [{name}]"));
    let setting = broker_setting(base);
    let is_of_listener = base != name;
    require(is_of_listener || setting.is_none_or(Setting::is_dynamic), || {
        // Kafka's own tests compare this sentence.
        refused("Cannot update these configs dynamically")
    })?;
    let is_reloaded = |start| name.starts_with(start);
    require(
        !["ssl.keystore.", "ssl.truststore.", "ssl.key."].into_iter().any(is_reloaded),
        || {
            refused(
                "A running broker takes new TLS keys for one listener at a time; put \
             listener.name.<name>. before",
            )
        },
    )?;
    setting.map_or(Ok(()), |setting| setting.validate(value))?;
    let is_per_broker = match is_of_listener {
        true => !CONNECTIONS.contains(&base) && base != "num.network.threads",
        false => setting.is_some_and(|setting| setting.update_mode == UpdateMode::PerBroker),
    };
    require(is_own || !is_per_broker, || {
        refused(
            "These settings differ from broker to broker; set them for a broker id, not for the \
             whole cluster",
        )
    })
}

impl Config {
    /// A number that only the metadata log can set, for this broker or else for all brokers.
    pub fn dynamic_number(&self, name: &str) -> Option<i64> {
        let value = self.values.broker.get(name).or_else(|| self.values.cluster.get(name));
        value?.trim().parse().ok()
    }

    /// Refuses `configs` that IncrementalAlterConfigs must not set, for this broker or for all.
    pub fn check_dynamic(&self, configs: &BTreeMap<String, String>, is_own: bool) -> Result<()> {
        configs.iter().try_for_each(|(name, value)| check_dynamic_value(name, value, is_own))?;
        let listeners = configs.get("listeners");
        require(listeners.is_none() || listeners == self.values.fixed.get("listeners"), || {
            "klamm binds its listeners when it starts: change them in its properties and start it \
             again: [listeners]"
                .to_owned()
        })
    }

    /// Refuses to go from these settings to `next` while the broker runs, though `next` is valid.
    pub(super) fn check_change(&self, next: &Config) -> Result<()> {
        next.check_local_retention()?;
        let is_pool = |name: &str| name.contains("thread") || name == "num.replica.fetchers";
        for pool in SETTINGS.iter().filter(|one| one.is_dynamic() && is_pool(one.name)) {
            let (name, before, after) = (pool.name, self.number(pool.name), next.number(pool.name));
            require((before / 2..=before * 2).contains(&after), || {
                format!("{name}={after}: go from {before} to its half or its double at most")
            })?;
        }
        for (listener, name) in
            self.listeners().iter().flat_map(|one| CONNECTIONS.map(|n| (one, n)))
        {
            let limit = |config: &Config| {
                config.of_listener(&listener.name, name).unwrap_or_else(|| config.number(name))
            };
            require(limit(next) > 0 || limit(next) == limit(self), || {
                format!("{name}=0 would keep everybody out of the listener {}", listener.name)
            })?;
        }
        Ok(())
    }

    /// Local retention must not exceed total retention. Kafka does not check this at a start.
    fn check_local_retention(&self) -> Result<()> {
        for (unit, local, all) in [
            ("ms", self.log_local_retention_ms, self.retention_ms()),
            ("bytes", self.log_local_retention_bytes, self.log_retention_bytes),
        ] {
            // -2 takes over the total retention; -1 is no limit.
            require(local == -2 || all == -1 || (0..=all).contains(&local), || {
                format!("log.local.retention.{unit}={local} exceeds log.retention.{unit}={all}")
            })?;
        }
        Ok(())
    }
}
