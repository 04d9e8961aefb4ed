//! The way to the share coordinator for those who need it: leaders of share partitions and group
//! coordinators (PersisterStateManager).
//!
//! Each call is about one share partition and returns what its coordinator answers at last. The
//! coordinator is the leader of a partition of `__share_group_state`, in this broker or in another
//! one; it is looked up in the image for each attempt.

use super::remote::{Answer, Question, RemoteStates};
use super::{SharePartitionKey, ShareRead, ShareStates, ShareSummary, ShareWrite};
use crate::coordinator::internal_topics::{InternalTopics, SHARE_TOPIC};
use crate::error::Result;
use crate::metadata::Image;
use crate::peers::Peers;
use crate::types::{BrokerId, LeaderEpoch, Offset};
use arc_swap::ArcSwap;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;
use std::time::Duration;

/// The pause before the second attempt; each pause is twice as long as the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// With this many attempts the last one comes after 20 seconds.
const ATTEMPTS: u32 = 11;

/// Reads and writes the states of share partitions.
#[derive(Debug)]
pub struct Persister {
    node_id: BrokerId,
    images: Arc<ArcSwap<Image>>,
    states: Arc<ShareStates>,
    remote: RemoteStates,
    topics: Arc<InternalTopics>,
}

impl Persister {
    /// A persister that finds the coordinators in the image in effect: those of this broker,
    /// `node_id`, are `states`.
    pub fn new(
        node_id: BrokerId,
        images: Arc<ArcSwap<Image>>,
        states: Arc<ShareStates>,
        peers: Arc<Peers>,
        topics: Arc<InternalTopics>,
    ) -> Arc<Persister> {
        let remote = RemoteStates::new(peers);
        Arc::new(Persister { node_id, images, states, remote, topics })
    }

    /// As [`ShareStates::initialize`].
    pub async fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<()> {
        self.ask(key, &Question::Initialize { state_epoch, start_offset }).await.map(drop)
    }

    /// As [`ShareStates::read`].
    pub async fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
    ) -> Result<ShareRead> {
        match self.ask(key, &Question::Read { leader_epoch }).await? {
            Answer::Read(read) => Ok(read),
            _ => Err(ResponseError::UnknownServerError.into()),
        }
    }

    /// As [`ShareStates::write`].
    pub async fn write(&self, key: &SharePartitionKey, write: ShareWrite) -> Result<()> {
        self.ask(key, &Question::Write(write)).await.map(drop)
    }

    /// As [`ShareStates::summary`].
    pub async fn summary(&self, key: &SharePartitionKey) -> Result<ShareSummary> {
        match self.ask(key, &Question::Summary).await? {
            Answer::Summary(summary) => Ok(summary),
            _ => Err(ResponseError::UnknownServerError.into()),
        }
    }

    /// As [`ShareStates::delete`].
    pub async fn delete(&self, key: &SharePartitionKey) -> Result<()> {
        self.ask(key, &Question::Delete).await.map(drop)
    }

    /// Asks the coordinator, and again for a while as long as it is not there.
    async fn ask(&self, key: &SharePartitionKey, question: &Question) -> Result<Answer> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.ask_once(key, question).await {
                Err(error) if may_retry(error.code()) => {
                    tracing::debug!(%error, "the share coordinator does not answer yet");
                }
                answer => return answer,
            }
            self.topics.ensure(SHARE_TOPIC).await;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.ask_once(key, question).await
    }

    async fn ask_once(&self, key: &SharePartitionKey, question: &Question) -> Result<Answer> {
        let elsewhere = self.coordinator(key).filter(|broker| *broker != self.node_id);
        let Some(broker) = elsewhere else { return self.states.answer(key, question).await };
        let answer = self.remote.ask(broker, key, question.clone()).await;
        answer.map_err(|error| match error.code() {
            // It is gone, and the next one is not known yet.
            ResponseError::BrokerNotAvailable => ResponseError::CoordinatorNotAvailable.into(),
            _ => error,
        })
    }

    /// The broker that has the state; None if it is not known, or if the topic does not exist yet.
    fn coordinator(&self, key: &SharePartitionKey) -> Option<BrokerId> {
        let image = self.images.load();
        let topic = image.topics.by_name(SHARE_TOPIC)?;
        Some(topic.partition(self.states.partition_for(key))?.leader)
    }
}

fn may_retry(error: ResponseError) -> bool {
    use ResponseError as E;
    matches!(
        error,
        E::CoordinatorNotAvailable
            | E::CoordinatorLoadInProgress
            | E::NotCoordinator
            | E::UnknownTopicOrPartition
            | E::NetworkException
            | E::RequestTimedOut
    )
}
