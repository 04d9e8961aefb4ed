//! What the directories hold that klamm does not serve: it is kept unchanged and reported at start.

use crate::coordinator::internal_topics::REMOTE_LOG_TOPIC;
use crate::metadata::{CLIENT_METRICS_CONFIG, Image, TOPIC_CONFIG};
use std::collections::BTreeMap;
use tracing::warn;

/// Warns of each kind found.
pub(super) fn warn_of_unserved(image: &Image) {
    for (what, meaning) in unserved(image) {
        warn!("{what}: {meaning}. They are kept untouched; Apache Kafka finds them as they were.");
    }
}

/// Each kind found, and what it means that klamm does not serve it.
pub(super) fn unserved(image: &Image) -> Vec<(String, &'static str)> {
    let (security, mut found) = (&image.security, Vec::new());
    let mut add = |count: usize, noun: &str, meaning| {
        if count > 0 {
            found.push((format!("The metadata log has {count} {noun}"), meaning));
        }
    };
    let acls = "klamm has no authorizer, so everybody may do everything";
    add(security.acls.len(), "access control entries", acls);
    let scram = "klamm has no authentication, so nobody is asked for a password";
    add(security.scram.len(), "SCRAM credentials", scram);
    let tokens = "klamm has no authentication, so nobody can use them";
    add(security.delegation_tokens.len(), "delegation tokens", tokens);
    add(security.quotas.len(), "client quotas", "klamm does not limit clients by quotas");
    let kinds = image.configs.keys().filter(|(kind, _)| *kind == CLIENT_METRICS_CONFIG);
    let metrics = "klamm does not ask clients for metrics";
    add(kinds.count(), "client metrics subscriptions", metrics);
    let is_remote = |configs: &BTreeMap<String, String>| {
        configs.get("remote.storage.enable").is_some_and(|value| value == "true")
    };
    let topics = image.configs.iter().filter(|((kind, _), _)| *kind == TOPIC_CONFIG);
    let remote = topics.filter(|(_, configs)| is_remote(configs)).count();
    let tiered = "klamm has no tiered storage, so records that lie there alone are not served";
    add(remote, "topics with remote.storage.enable=true", tiered);
    if let Some(topic) = image.topics.by_name(REMOTE_LOG_TOPIC) {
        let partitions = topic.partitions.len();
        found.push((format!("{REMOTE_LOG_TOPIC} is here, with {partitions} partitions"), tiered));
    }
    found
}
