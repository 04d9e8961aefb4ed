//! The way to the share coordinator for those who need it: leaders of share partitions and group
//! coordinators (PersisterStateManager).
//!
//! Each call is about one share partition and returns what its coordinator answers at last. So far
//! the coordinator is in this broker. Calls to other brokers will begin in `ask`, which then finds
//! the coordinator first.

use super::{SharePartitionKey, ShareRead, ShareStates, ShareSummary, ShareWrite};
use crate::controller::Requester;
use crate::coordinator::internal_topics::{InternalTopics, SHARE_TOPIC};
use crate::error::Result;
use crate::types::{LeaderEpoch, Offset};
use kafka_protocol::error::ResponseError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The pause before the second attempt; each pause is twice as long as the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// With this many attempts the last one comes after 20 seconds.
const ATTEMPTS: u32 = 11;

/// Reads and writes the states of share partitions.
#[derive(Debug)]
pub struct Persister {
    states: Arc<ShareStates>,
    topics: Arc<InternalTopics>,
}

impl Persister {
    /// A persister that finds all coordinators in this broker.
    pub fn new(states: Arc<ShareStates>, topics: Arc<InternalTopics>) -> Arc<Persister> {
        Arc::new(Persister { states, topics })
    }

    /// As [`ShareStates::initialize`].
    pub async fn initialize(
        &self,
        key: &SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<()> {
        self.ask(|| self.states.initialize(key, state_epoch, start_offset)).await
    }

    /// As [`ShareStates::read`].
    pub async fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
    ) -> Result<ShareRead> {
        self.ask(|| self.states.read(key, leader_epoch)).await
    }

    /// As [`ShareStates::write`].
    pub async fn write(&self, key: &SharePartitionKey, write: &ShareWrite) -> Result<()> {
        self.ask(|| self.states.write(key, write)).await
    }

    /// As [`ShareStates::summary`].
    pub async fn summary(&self, key: &SharePartitionKey) -> Result<ShareSummary> {
        self.ask(|| self.states.summary(key)).await
    }

    /// As [`ShareStates::delete`].
    pub async fn delete(&self, key: &SharePartitionKey) -> Result<()> {
        self.ask(|| self.states.delete(key)).await
    }

    /// Asks the coordinator, and again for a while as long as it is not there.
    async fn ask<A, F: Future<Output = Result<A>>>(&self, call: impl Fn() -> F) -> Result<A> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match call().await {
                Err(error) if may_retry(error.code()) => {
                    tracing::debug!(%error, "the share coordinator does not answer yet");
                }
                answer => return answer,
            }
            self.topics.ensure(SHARE_TOPIC, Requester::broker).await;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        call().await
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
    )
}
