//! The share coordinators in other brokers: what is asked of one at the same time goes together,
//! in one request for each API and group (PersisterStateManager).

mod exchange;

use super::{SharePartitionKey, ShareRead, ShareSummary, ShareWrite};
use crate::coordinator::outbox::Outbox;
use crate::error::{Error, Result};
use crate::peers::Peers;
use crate::types::{BrokerId, LeaderEpoch, Offset};
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::oneshot;
use uuid::Uuid;

/// What is asked about a share partition.
#[derive(Clone, Debug)]
pub enum Question {
    /// See `ShareStates::initialize`.
    Initialize {
        /// The group's epoch.
        state_epoch: i32,
        /// Where it begins.
        start_offset: Offset,
    },
    /// See `ShareStates::read`.
    Read {
        /// The leader's epoch.
        leader_epoch: LeaderEpoch,
    },
    /// See `ShareStates::write`.
    Write(ShareWrite),
    /// See `ShareStates::summary`.
    Summary,
    /// See `ShareStates::delete`.
    Delete,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// The state.
    Read(ShareRead),
    /// A part of it.
    Summary(ShareSummary),
}

/// The APIs, each of which has a queue of its own: reads do not wait for writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Api {
    Initialize,
    Read,
    Write,
    Summary,
    Delete,
}

impl Question {
    fn api(&self) -> Api {
        match self {
            Question::Initialize { .. } => Api::Initialize,
            Question::Read { .. } => Api::Read,
            Question::Write(_) => Api::Write,
            Question::Summary => Api::Summary,
            Question::Delete => Api::Delete,
        }
    }
}

#[derive(Debug)]
struct Pending {
    key: SharePartitionKey,
    question: Question,
    answer: oneshot::Sender<Result<Answer>>,
}

/// The answers about the partitions of a group.
type Answers = HashMap<(Uuid, i32), Result<Answer>>;

/// The questions to the share coordinators in other brokers.
#[derive(Debug)]
pub struct RemoteStates {
    outbox: Outbox<(BrokerId, Api), Pending>,
}

impl RemoteStates {
    /// Nothing is asked yet.
    pub fn new(peers: Arc<Peers>) -> RemoteStates {
        let outbox = Outbox::new(move |(broker, api), questions| {
            let peers = Arc::clone(&peers);
            async move { deliver(&peers, broker, api, questions).await }
        });
        RemoteStates { outbox }
    }

    /// Asks the share coordinator in `broker`.
    pub async fn ask(
        &self,
        broker: BrokerId,
        key: &SharePartitionKey,
        question: Question,
    ) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let to = (broker, question.api());
        self.outbox.put(to, Pending { key: key.clone(), question, answer }).await;
        answered.await.unwrap_or(Err(Error::Closed))
    }
}

/// Sends a request for each group, all at the same time.
async fn deliver(peers: &Peers, broker: BrokerId, api: Api, questions: Vec<Pending>) {
    let mut groups: BTreeMap<String, Vec<Pending>> = BTreeMap::new();
    for pending in questions {
        groups.entry(pending.key.group().to_owned()).or_default().push(pending);
    }
    let requests = groups.into_iter().map(|(group, questions)| async move {
        let asked: Vec<_> = questions.iter().map(|it| (&it.key, &it.question)).collect();
        let mut answers = exchange::exchange(peers, broker, api, &group, &asked).await;
        for Pending { key, answer, .. } in questions {
            let of = (key.topic_id(), key.partition());
            let result = match &mut answers {
                Ok(answers) => answers
                    .remove(&of)
                    .unwrap_or(Err(Error::Code(ResponseError::UnknownServerError))),
                Err(error) => Err(Error::Explained(error.code(), error.to_string())),
            };
            // Whoever asked may be gone.
            drop(answer.send(result));
        }
    });
    join_all(requests).await;
}

#[cfg(test)]
mod tests;
