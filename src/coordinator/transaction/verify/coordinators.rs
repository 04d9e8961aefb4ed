//! Asks transaction coordinators of other brokers about transactions that write here, those of one
//! broker together (AddPartitionsToTxnManager).

use super::{Ask, Support};
use crate::codec::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use crate::codec::messages::add_partitions_to_txn_response::AddPartitionsToTxnResult;
use crate::codec::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use crate::coordinator::outbox::Outbox;
use crate::coordinator::text;
use crate::error::{Error, Result};
use crate::peers::{Peers, Purpose};
use crate::types::{BrokerId, TopicPartition};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The versions of AddPartitionsToTxn that brokers send to brokers.
const VERSIONS: RangeInclusive<i16> = 4..=5;

/// The error of each partition that is not in the transaction. A partition that is left out is.
type Refused = HashMap<(String, i32), ResponseError>;
/// What a coordinator answers about a transaction.
type Answer = Result<Refused, ResponseError>;

/// A question to a coordinator, and who asks it.
#[derive(Debug)]
struct Question {
    transaction: AddPartitionsToTxnTransaction,
    answer: oneshot::Sender<Answer>,
}

/// The questions to the coordinators in other brokers.
#[derive(Debug)]
pub struct Coordinators {
    outbox: Outbox<BrokerId, Question>,
}

impl Coordinators {
    /// Nothing is asked yet.
    pub fn new(peers: Arc<Peers>) -> Coordinators {
        let outbox = Outbox::new(move |broker, questions| {
            let peers = Arc::clone(&peers);
            async move { send(&peers, broker, questions).await }
        });
        Coordinators { outbox }
    }

    /// Asks the coordinator in `broker` to verify or to add the partitions. The answers are in
    /// order; an error is one about all of them.
    pub async fn ask(
        &self,
        broker: BrokerId,
        ask: &Ask<'_>,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<(), ResponseError>>> {
        let (answer, answered) = oneshot::channel();
        let transaction = transaction(ask, partitions);
        self.outbox.put(broker, Question { transaction, answer }).await;
        let answered = answered.await.unwrap_or(Err(ResponseError::NetworkException));
        let refused = answered.map_err(Error::Code)?;
        let result = |partition: &TopicPartition| {
            let of = (partition.topic.to_string(), partition.partition);
            refused.get(&of).map_or(Ok(()), |error| Err(*error))
        };
        Ok(partitions.iter().map(result).collect())
    }

    /// Asks nothing more.
    pub fn close(&self) {
        self.outbox.close();
    }
}

fn transaction(ask: &Ask<'_>, partitions: &[TopicPartition]) -> AddPartitionsToTxnTransaction {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, indexes)| {
        AddPartitionsToTxnTopic::default().with_name(text(name).into()).with_partitions(indexes)
    });
    AddPartitionsToTxnTransaction::default()
        .with_transactional_id(text(ask.id).into())
        .with_producer_id(ask.producer.id.into())
        .with_producer_epoch(ask.producer.epoch)
        .with_verify_only(ask.support != Support::AddPartitions)
        .with_topics(topics.collect())
}

async fn send(peers: &Peers, broker: BrokerId, questions: Vec<Question>) {
    let questions = one_of_each(questions);
    if questions.is_empty() {
        return;
    }
    let transactions = questions.values().map(|question| question.transaction.clone()).collect();
    let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
    let answered = peers.ask(Purpose::Coordination, broker, VERSIONS, &request).await;
    if let Err(error) = &answered {
        tracing::warn!(broker, %error, "the transaction coordinator cannot be asked");
    }
    answer(questions, answered);
}

/// A request has one question about each transactional id. If there are several, the newest
/// producer's counts, and of that its newest: the client has given up the others.
fn one_of_each(questions: Vec<Question>) -> BTreeMap<String, Question> {
    let mut all: BTreeMap<String, Question> = BTreeMap::new();
    for question in questions {
        let id = question.transaction.transactional_id.to_string();
        let epoch = question.transaction.producer_epoch;
        match all.get(&id).map(|known| known.transaction.producer_epoch) {
            Some(known) if epoch < known => {
                reply(question, Err(ResponseError::InvalidProducerEpoch));
            }
            Some(known) => {
                let error = match known < epoch {
                    true => ResponseError::InvalidProducerEpoch,
                    // The client asks again, so the error has to be one that may be retried.
                    false => ResponseError::NetworkException,
                };
                if let Some(older) = all.insert(id, question) {
                    reply(older, Err(error));
                }
            }
            None => drop(all.insert(id, question)),
        }
    }
    all
}

/// Whoever asked may be gone.
fn reply(question: Question, answer: Answer) {
    drop(question.answer.send(answer));
}

fn answer(mut questions: BTreeMap<String, Question>, answered: Result<AddPartitionsToTxnResponse>) {
    let failure = match answered {
        Ok(response) => match ResponseError::try_from_code(response.error_code) {
            None => {
                for result in response.results_by_transaction {
                    if let Some(question) = questions.remove(result.transactional_id.as_str()) {
                        reply(question, Ok(refused(result)));
                    }
                }
                Err(ResponseError::NetworkException)
            }
            // Clients must not believe that it is them who are not authorized.
            Some(ResponseError::ClusterAuthorizationFailed) => Err(ResponseError::InvalidTxnState),
            Some(error) => Err(error),
        },
        Err(error) => match error.code() {
            // The broker is too old to be asked.
            ResponseError::UnsupportedVersion => Ok(()),
            ResponseError::BrokerNotAvailable => Err(ResponseError::CoordinatorNotAvailable),
            _ => Err(ResponseError::NetworkException),
        },
    };
    for question in questions.into_values() {
        reply(question, failure.map(|()| Refused::new()));
    }
}

fn refused(result: AddPartitionsToTxnResult) -> Refused {
    let mut refused = Refused::new();
    for topic in result.topic_results {
        for partition in topic.results_by_partition {
            if let Some(error) = ResponseError::try_from_code(partition.partition_error_code) {
                refused.insert((topic.name.to_string(), partition.partition_index), error);
            }
        }
    }
    refused
}

#[cfg(test)]
mod tests;
