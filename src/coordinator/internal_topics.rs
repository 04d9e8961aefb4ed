//! The internal topics: which exist, what they look like, who creates them and when (Topic,
//! DefaultAutoTopicCreationManager).
//!
//! | topic | written by | created when |
//! |---|---|---|
//! | `__consumer_offsets` | `Groups` | a client looks for the coordinator of a group |
//! | `__transaction_state` | `Transactions` | a client looks for that of a transactional id |
//! | `__share_group_state` | `ShareStates` | a share partition needs its coordinator |
//! | `__remote_log_metadata` | nobody yet | never, but Kafka may have left one |
//! | changelog and repartition topics | Streams applications | a heartbeat of a streams group finds them missing |
//!
//! The first three also get their own settings when a Metadata request creates them by name.

use crate::clock::Clock;
use crate::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::codec::messages::create_topics_response::CreatableTopicResult;
use crate::codec::messages::{CreateTopicsResponse, StrBytes};
use crate::config::{Config, LiveConfig};
use crate::controller::{self, Requester};
use crate::error::{Error, Result};
use crate::sync::lock;
use crate::types::{Offset, Timestamp};
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// The log of the group coordinators.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The log of the transaction coordinators.
pub const TRANSACTION_TOPIC: &str = "__transaction_state";
/// The log of the share coordinators.
pub const SHARE_TOPIC: &str = "__share_group_state";
/// Tiered storage keeps the metadata of remote segments here. To clients it is an ordinary topic.
pub const REMOTE_LOG_TOPIC: &str = "__remote_log_metadata";

/// How long a request waits for the creation of a coordinator's topic.
const CREATION_WAIT: Duration = Duration::from_secs(5);
/// At most this many failures are remembered.
const FAILURES_MAX: usize = 1_000;
/// At most this many failures are named in a status.
const TOLD_MAX: usize = 3;

/// Whether only coordinators write to a topic.
pub fn is_internal(topic: &str) -> bool {
    [OFFSETS_TOPIC, TRANSACTION_TOPIC, SHARE_TOPIC].contains(&topic)
}

/// A topic that serves as the log of coordinators, as it is created.
#[derive(Debug)]
pub struct CoordinatorTopic {
    /// `__consumer_offsets` or `__transaction_state`.
    pub name: &'static str,
    /// The number of partitions, each of which has a coordinator.
    pub partitions: i32,
    /// The name and the value of the setting.
    replication_factor: (&'static str, i16),
    configs: Vec<(&'static str, String)>,
}

impl CoordinatorTopic {
    /// `__consumer_offsets`.
    pub fn offsets(config: &Config) -> CoordinatorTopic {
        CoordinatorTopic {
            name: OFFSETS_TOPIC,
            partitions: config.offsets_topic_num_partitions,
            replication_factor: (
                "offsets.topic.replication.factor",
                config.offsets_topic_replication_factor,
            ),
            configs: vec![
                ("cleanup.policy", "compact".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
            ],
        }
    }

    /// `__transaction_state`.
    pub fn transactions(config: &Config) -> CoordinatorTopic {
        CoordinatorTopic {
            name: TRANSACTION_TOPIC,
            partitions: config.transaction_state_log_num_partitions,
            replication_factor: (
                "transaction.state.log.replication.factor",
                config.transaction_state_log_replication_factor,
            ),
            configs: vec![
                ("unclean.leader.election.enable", "false".to_owned()),
                ("compression.type", "uncompressed".to_owned()),
                ("cleanup.policy", "compact".to_owned()),
                ("min.insync.replicas", config.transaction_state_log_min_isr.to_string()),
                ("segment.bytes", config.transaction_state_log_segment_bytes.to_string()),
            ],
        }
    }

    /// `__share_group_state`. It is not compacted: its coordinators delete what they do not need.
    pub fn share(config: &Config) -> CoordinatorTopic {
        CoordinatorTopic {
            name: SHARE_TOPIC,
            partitions: config.share_coordinator_state_topic_num_partitions,
            replication_factor: (
                "share.coordinator.state.topic.replication.factor",
                config.share_coordinator_state_topic_replication_factor,
            ),
            configs: vec![
                ("cleanup.policy", "delete".to_owned()),
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", config.share_coordinator_state_topic_segment_bytes.to_string()),
                ("min.insync.replicas", config.share_coordinator_state_topic_min_isr.to_string()),
                ("retention.ms", "-1".to_owned()),
            ],
        }
    }

    fn creatable(self, config: &Config, brokers: usize) -> CreatableTopic {
        let (setting, replicas) = self.replication_factor;
        let configs = self.configs.into_iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_string(value)))
        });
        CreatableTopic::default()
            .with_name(StrBytes::from_static_str(self.name).into())
            .with_num_partitions(self.partitions)
            .with_replication_factor(config.capped(setting, replicas, brokers))
            .with_configs(configs.collect())
    }
}

/// Creates internal topics through the controller.
#[derive(Debug)]
pub struct InternalTopics {
    config: LiveConfig,
    clock: Clock,
    controller: controller::Client,
    /// The offset up to which this broker has applied the metadata log.
    applied: watch::Receiver<Offset>,
    /// Held while a coordinator's topic is created.
    creating: Arc<tokio::sync::Mutex<()>>,
    streams: Mutex<Streams>,
}

/// Topics that streams groups need. Every heartbeat of a group finds the same topics missing; each
/// is requested only once, and after a failure only after a pause.
#[derive(Debug, Default)]
struct Streams {
    in_flight: HashSet<String>,
    /// Why a topic could not be created, and until when that is reported.
    failures: HashMap<String, (String, Timestamp)>,
}

impl InternalTopics {
    /// No topic is being created yet.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        controller: controller::Client,
        applied: watch::Receiver<Offset>,
    ) -> Arc<InternalTopics> {
        let (creating, streams) = Default::default();
        Arc::new(InternalTopics { config, clock, controller, applied, creating, streams })
    }

    /// Creates topics; returns when this broker has applied them.
    pub async fn create(
        &self,
        by: Requester,
        topics: Vec<CreatableTopic>,
    ) -> Result<CreateTopicsResponse> {
        let (response, offset) = self.controller.create_topics(by, topics).await?;
        let mut applied = self.applied.clone();
        applied.wait_for(|at| *at >= offset).await.map_err(|_| Error::Closed)?;
        Ok(response)
    }

    /// Creates a coordinator's topic unless it exists, in the broker's name. Those who need it at the
    /// same time wait for the same request, and nobody waits long for a controller that does not
    /// answer.
    pub async fn ensure(self: &Arc<Self>, name: &'static str) {
        if self.exists(name) {
            return;
        }
        let turn = Arc::clone(&self.creating).lock_owned();
        let Ok(turn) = timeout(CREATION_WAIT, turn).await else { return };
        if self.exists(name) {
            return;
        }
        let this = Arc::clone(self);
        let made = tokio::spawn(async move {
            this.make(name).await;
            drop(turn);
        });
        // Who has waited in vain finds no coordinator, and tries again.
        let _ = timeout(CREATION_WAIT, made).await;
    }

    fn exists(&self, name: &str) -> bool {
        self.controller.image().topics.by_name(name).is_some()
    }

    async fn make(&self, name: &str) {
        let topics = self.of_coordinator(name).into_iter().collect();
        let failed = match self.create(Requester::broker(), topics).await {
            Ok(response) => {
                response.topics.iter().filter(|topic| !is_there(topic)).find_map(failure)
            }
            Err(error) => Some((name.to_owned(), error.to_string())),
        };
        if let Some((name, why)) = failed {
            tracing::warn!("{name} could not be created: {why}");
        }
    }

    /// A coordinator's topic with the settings that Kafka gives it; None for any other name.
    pub fn of_coordinator(&self, name: &str) -> Option<CreatableTopic> {
        let config = self.config.get();
        let all = [
            CoordinatorTopic::offsets(&config),
            CoordinatorTopic::transactions(&config),
            CoordinatorTopic::share(&config),
        ];
        let topic = all.into_iter().find(|topic| topic.name == name)?;
        // A node that is a cluster by itself needs no setting in order to begin; in a larger one the
        // topic waits until there are as many brokers as it needs.
        let brokers = match config.process_roles.iter().any(|role| role == "controller") {
            true => self.controller.image().brokers.len(),
            false => usize::MAX,
        };
        Some(topic.creatable(&config, brokers))
    }

    /// Creates those of a streams group's missing `topics` that are not being created already, without
    /// waiting for it. Returns why some could not be created lately, empty if nothing failed. A
    /// failure is reported for `told_for_ms`, during which the topic is not tried again.
    pub fn make_missing(
        self: &Arc<Self>,
        by: Requester,
        mut topics: Vec<CreatableTopic>,
        told_for_ms: i64,
    ) -> String {
        let now = self.clock.now();
        let (failures, begun) = {
            let mut streams = self.streams();
            let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
            let begun = streams.begin(now, &names);
            (streams.told(&names), begun)
        };
        topics.retain(|topic| begun.contains(topic.name.as_str()));
        if !topics.is_empty() {
            let this = self.clone();
            tokio::spawn(async move {
                let failures: Vec<(String, String)> = match this.create(by, topics).await {
                    Ok(response) => response.topics.iter().filter_map(failure).collect(),
                    Err(error) => {
                        begun.iter().map(|name| (name.clone(), error.to_string())).collect()
                    }
                };
                for (topic, message) in &failures {
                    tracing::warn!(topic, message, "internal topic not created");
                }
                let until = this.clock.now() + told_for_ms;
                this.streams().finish(&begun, failures, until);
            });
        }
        failures
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        lock(&self.streams)
    }
}

impl Streams {
    /// The `topics` that the caller must create; it must call `finish` with them.
    fn begin(&mut self, now: Timestamp, topics: &[&str]) -> HashSet<String> {
        self.failures.retain(|_, (_, until)| *until > now);
        let mut begun = HashSet::new();
        for topic in topics {
            if !self.failures.contains_key(*topic) && self.in_flight.insert((*topic).to_owned()) {
                begun.insert((*topic).to_owned());
            }
        }
        begun
    }

    /// Notes that `topics` have been created or failed to be. Failures are reported until `until`.
    fn finish(
        &mut self,
        topics: &HashSet<String>,
        failures: Vec<(String, String)>,
        until: Timestamp,
    ) {
        self.in_flight.retain(|topic| !topics.contains(topic));
        for (topic, message) in failures {
            if self.failures.len() < FAILURES_MAX {
                self.failures.insert(topic, (message, until));
            }
        }
    }

    /// Why some of `topics` could not be created, for people to read.
    fn told(&self, topics: &[&str]) -> String {
        let failure = |topic: &&str| {
            let (message, _) = self.failures.get(*topic)?;
            Some(format!("{topic} ({message})"))
        };
        let mut failures: Vec<String> = topics.iter().filter_map(failure).collect();
        failures.sort_unstable();
        let more = failures.len().saturating_sub(TOLD_MAX);
        failures.truncate(TOLD_MAX);
        let told = failures.join(", ");
        if more > 0 { format!("{told} and {more} more") } else { told }
    }
}

fn is_there(topic: &CreatableTopicResult) -> bool {
    topic.error_code == ResponseError::TopicAlreadyExists.code()
}

/// The name of a topic that was not created, and the reason.
fn failure(topic: &CreatableTopicResult) -> Option<(String, String)> {
    let error = ResponseError::try_from_code(topic.error_code)?;
    let said = topic.error_message.as_ref().filter(|message| !message.is_empty());
    let message = said.map_or_else(|| error.to_string(), |message| message.to_string());
    Some((topic.name.to_string(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_asked_for_once_and_after_a_failure_later() {
        let mut streams = Streams::default();
        let begun = streams.begin(0, &["a", "b"]);
        assert_eq!(begun.len(), 2);
        assert!(streams.begin(1, &["a", "b"]).is_empty());
        streams.finish(&begun, vec![("a".to_owned(), "no".to_owned())], 110);
        assert_eq!(streams.begin(109, &["a", "b"]), HashSet::from(["b".to_owned()]));
        assert_eq!(streams.told(&["a", "b"]), "a (no)");
        assert_eq!(streams.begin(110, &["a", "b"]), HashSet::from(["a".to_owned()]));
        assert_eq!(streams.told(&["a", "b"]), "");
        let all = ["d", "c", "b", "a", "e"];
        let failures = all.map(|name| (name.to_owned(), "no".to_owned()));
        streams.finish(&HashSet::new(), failures.into(), 200);
        assert_eq!(streams.told(&all), "a (no), b (no), c (no) and 2 more");
    }
}
