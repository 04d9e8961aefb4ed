//! Which configs client metrics subscriptions and groups have, and what values they take
//! (ClientMetricsConfigs, GroupConfig).

use super::view::explained;
use crate::error::{Error, Result};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;

const CLIENT_METRICS_CONFIGS: [&str; 3] = ["interval.ms", "match", "metrics"];

/// (name, least, greatest) of a group's configs that are numbers.
const GROUP_NUMBERS: [(&str, i64, i64); 15] = [
    ("consumer.assignment.interval.ms", 0, i32::MAX as i64),
    ("consumer.heartbeat.interval.ms", 1, i32::MAX as i64),
    ("consumer.session.timeout.ms", 1, i32::MAX as i64),
    ("share.assignment.interval.ms", 0, i32::MAX as i64),
    ("share.delivery.count.limit", 2, 10),
    ("share.heartbeat.interval.ms", 1, i32::MAX as i64),
    ("share.partition.max.record.locks", 100, 10_000),
    ("share.record.lock.duration.ms", 1000, 3_600_000),
    ("share.session.timeout.ms", 1, i32::MAX as i64),
    ("streams.assignment.interval.ms", 0, i32::MAX as i64),
    ("streams.heartbeat.interval.ms", 1, i32::MAX as i64),
    ("streams.initial.rebalance.delay.ms", 0, i32::MAX as i64),
    ("streams.num.standby.replicas", 0, i32::MAX as i64),
    ("streams.num.warmup.replicas", 0, i32::MAX as i64),
    ("streams.session.timeout.ms", 1, i32::MAX as i64),
];

const GROUP_TEXTS: [&str; 6] = [
    "consumer.assignor.offload.enable",
    "share.assignor.offload.enable",
    "share.auto.offset.reset",
    "share.isolation.level",
    "share.renew.acknowledge.enable",
    "streams.assignor.offload.enable",
];

/// Whether APPEND and SUBTRACT apply to a client metrics subscription's config.
pub(super) fn is_client_metrics_list(name: &str) -> bool {
    matches!(name, "match" | "metrics")
}

/// Refuses what is no client metrics subscription.
pub(super) fn check_client_metrics(name: &str, configs: &BTreeMap<String, String>) -> Result<()> {
    let refuse = |message: String| Err(explained(ResponseError::InvalidRequest, message));
    if name.is_empty() {
        return refuse("Subscription name can't be empty".to_owned());
    }
    if let Some(unknown) = configs.keys().find(|key| !CLIENT_METRICS_CONFIGS.contains(&&***key)) {
        return refuse(format!("Unknown client metrics configuration: {unknown}"));
    }
    if let Some(interval) = configs.get("interval.ms") {
        let value = number("interval.ms", interval)?;
        if !(100..=3_600_000).contains(&value) {
            return refuse(format!(
                "Invalid value {value} for interval.ms, interval must be between 100 and 3600000 \
                 (1 hour)"
            ));
        }
    }
    Ok(())
}

/// Refuses what is no group's config.
pub(super) fn check_group(configs: &BTreeMap<String, String>) -> Result<()> {
    for (key, value) in configs {
        if let Some((_, least, greatest)) = GROUP_NUMBERS.iter().find(|(name, ..)| name == key) {
            let value = number(key, value)?;
            if value < *least {
                return Err(Error::Config(format!(
                    "Invalid value {value} for configuration {key}: Value must be at least {least}"
                )));
            }
            if value > *greatest {
                return Err(Error::Config(format!(
                    "Invalid value {value} for configuration {key}: Value must be no more than \
                     {greatest}"
                )));
            }
        } else if !GROUP_TEXTS.contains(&&**key) {
            return Err(Error::Config(format!("Unknown group config name: {key}")));
        }
    }
    Ok(())
}

fn number(key: &str, value: &str) -> Result<i64> {
    value.trim().parse::<i32>().map(i64::from).map_err(|_| {
        Error::Config(format!(
            "Invalid value {value} for configuration {key}: Not a number of type INT"
        ))
    })
}
