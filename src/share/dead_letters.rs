//! Dead letters (KIP-1191): what a share group gives up is copied to the topic that the group names
//! for it (ShareGroupDLQStateManager).
//!
//! ```text
//!  acquired -> archiving, written by the share coordinator
//!                 |   the dead letter is appended and committed
//!                 v
//!              archived, written by the share coordinator
//! ```
//!
//! No crash can lose a dead letter: what is still archiving at the next start is copied then. So a
//! crash between the two lower steps leaves a dead letter twice, as in Kafka.

mod destination;
mod letters;
mod originals;

use super::partition::GivenUp;
use crate::clock::Clock;
use crate::codec::messages::StrBytes;
use crate::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::config::{DeadLetterConfig, LiveConfig};
use crate::controller::Requester;
use crate::coordinator::internal_topics::InternalTopics;
use crate::error::{Error, Result};
use crate::metadata::topics::NO_LEADER;
use crate::metadata::{GROUP_CONFIG, Image, TOPIC_CONFIG};
use crate::peers::Peers;
use crate::replica::Replicas;
use crate::types::TopicIdPartition;
use arc_swap::ArcSwap;
use destination::Destination;
use kafka_protocol::error::ResponseError;
use letters::Letters;
use originals::Originals;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What a topic needs in order to get dead letters.
const ENABLE: &str = "errors.deadletterqueue.group.enable";
/// The dead letters of so many partitions are in memory at the same time.
const AT_ONCE: usize = 4;
/// The pause before the second attempt; each pause is twice as long as the last one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The version of Produce whose rules apply.
const PRODUCE_VERSION: i16 = 13;

/// Writes dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    config: LiveConfig,
    clock: Clock,
    images: Arc<ArcSwap<Image>>,
    replicas: Arc<Replicas>,
    peers: Arc<Peers>,
    topics: Arc<InternalTopics>,
    turns: Semaphore,
}

/// A partition of whose records a share group has given up some.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The group's name.
    pub group: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub id: TopicIdPartition,
}

impl DeadLetters {
    /// Nothing is being written yet.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        images: Arc<ArcSwap<Image>>,
        replicas: Arc<Replicas>,
        peers: Arc<Peers>,
        topics: Arc<InternalTopics>,
    ) -> Arc<DeadLetters> {
        let turns = Semaphore::new(AT_ONCE);
        Arc::new(DeadLetters { config, clock, images, replicas, peers, topics, turns })
    }

    /// Writes dead letters for records and returns when they are committed. If the settings do not
    /// allow it they are lost, as in Kafka, and the operator is told. An error says that the broker
    /// is stopping.
    pub async fn write(&self, origin: Origin, mut given_up: Vec<GivenUp>) -> Result<()> {
        given_up.sort_unstable_by_key(|run| run.first);
        let Origin { group, topic, id } = &origin;
        let (partition, last) = (id.partition, given_up.last().map(|run| run.last));
        let mut left = given_up.into();
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.try_to_write(&origin, &mut left).await {
            let first = left.front().map(|run| run.first);
            if matches!(error, Error::Closed) {
                return Err(error);
            }
            if !error.code().is_retriable() {
                tracing::error!(
                    %group, %topic, partition, first, last, %error,
                    "records were given up, and nothing of them becomes a dead letter"
                );
                return Ok(());
            }
            tracing::warn!(%group, %topic, partition, first, last, %error, "dead letters must wait");
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
        Ok(())
    }

    /// Removes from `left` what has been written.
    async fn try_to_write(&self, origin: &Origin, left: &mut VecDeque<GivenUp>) -> Result<()> {
        let _turn = self.turns.acquire().await.map_err(|_| Error::Closed)?;
        let config = self.config_of(&origin.group)?;
        let to = self.destination(origin, &config.topic).await?;
        let originals = config.copies_records.then(|| self.replicas.partition(origin.id).ok());
        let originals = originals.flatten().map(Originals::new);
        let mut letters = Letters::new(origin.clone(), left.clone(), originals);
        loop {
            let now = self.clock.now();
            let next = move || (letters.next_batch(to.max_bytes, now), letters);
            let batch;
            (batch, letters) =
                tokio::task::spawn_blocking(next).await.map_err(|_| Error::Closed)?;
            let Some(batch) = batch else { return Ok(()) };
            self.append(to, &batch).await?;
            left.clone_from(letters.left());
        }
    }

    /// The partition of `topic` that gets the dead letters of a partition. The topic is created if
    /// it does not exist and may be created.
    async fn destination(&self, origin: &Origin, topic: &str) -> Result<Destination> {
        self.check_name(topic)?;
        if self.images.load().topics.by_name(topic).is_none() {
            self.create(topic).await?;
        }
        let image = self.images.load_full();
        let found = image.topics.by_name(topic);
        let found = found.ok_or(Error::Code(ResponseError::UnknownTopicOrPartition))?;
        let partition = origin.id.partition % found.partitions.len() as i32;
        let leader = found.partition(partition).map_or(NO_LEADER, |known| known.leader);
        let overrides = image.configs_of(TOPIC_CONFIG, topic);
        let (settings, _) = self.config.get().topic_in_effect(&overrides)?;
        match settings.errors_deadletterqueue_group_enable {
            true => Ok(Destination {
                id: TopicIdPartition { topic_id: found.id, partition },
                leader,
                max_bytes: settings.max_message_bytes.max(0) as usize,
            }),
            false => refuse(format!("the topic {topic} does not set {ENABLE}=true")),
        }
    }

    fn check_name(&self, topic: &str) -> Result<()> {
        let prefix = &self.config.get().errors_deadletterqueue_topic_name_prefix;
        if topic.starts_with("__") {
            return refuse(format!("{topic} is the name of an internal topic"));
        }
        if !topic.starts_with(prefix.trim()) {
            let setting = "errors.deadletterqueue.topic.name.prefix";
            return refuse(format!("the topic {topic} does not begin with {setting}={prefix}"));
        }
        Ok(())
    }

    async fn create(&self, topic: &str) -> Result<()> {
        let setting = "errors.deadletterqueue.auto.create.topics.enable";
        if !self.config.get().errors_deadletterqueue_auto_create_topics_enable {
            return refuse(format!("there is no topic {topic}, and {setting} is false"));
        }
        let created = self.topics.create(Requester::broker(), vec![creatable(topic)]).await?;
        let failed = created.topics.iter().find_map(|topic| {
            Some((ResponseError::try_from_code(topic.error_code)?, topic.error_message.as_ref()))
        });
        match failed {
            // Another partition's dead letters were faster.
            None | Some((ResponseError::TopicAlreadyExists, _)) => Ok(()),
            Some((error, message)) => Err(Error::Explained(
                error,
                format!("the topic {topic} cannot be created: {}", message.map_or("", |it| it)),
            )),
        }
    }

    fn config_of(&self, group: &str) -> Result<DeadLetterConfig> {
        let configs = self.images.load().configs_of(GROUP_CONFIG, group);
        match self.config.get().dead_letters(&configs) {
            Some(config) => Ok(config),
            None => refuse("the group no longer names a topic for them".to_owned()),
        }
    }
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::Config(why))
}

/// A topic for dead letters as Kafka creates it.
fn creatable(name: &str) -> CreatableTopic {
    let configs =
        [(ENABLE, "true"), ("message.timestamp.type", "CreateTime")].map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_static_str(value)))
        });
    CreatableTopic::default()
        .with_name(StrBytes::from_string(name.to_owned()).into())
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(configs.into())
}

#[cfg(test)]
mod tests;
