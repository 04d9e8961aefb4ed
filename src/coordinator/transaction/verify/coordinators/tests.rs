//! Questions to a transaction coordinator in another broker, whose answers the test decides.

use super::*;
use crate::codec::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use crate::coordinator::scripted_peer::{PEER, peer};
use crate::coordinator::transaction::Producer;

type Request = AddPartitionsToTxnRequest;
type Response = AddPartitionsToTxnResponse;

fn asked(id: &str, support: Support) -> Ask<'_> {
    Ask { id, producer: Producer { id: 7, epoch: 1 }, support, retries: false }
}

fn partitions() -> [TopicPartition; 2] {
    [TopicPartition::new("t", 0), TopicPartition::new("t", 1)]
}

/// The answers of a coordinator that serves these versions and answers so.
async fn answers(
    versions: RangeInclusive<i16>,
    answer: impl Fn(i16, Request) -> Option<Response> + Send + Sync + 'static,
) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
    let coordinators = Coordinators::new(peer(versions, answer).await);
    let ask = asked("x", Support::Default);
    coordinators.ask(PEER, &ask, &partitions()).await.map_err(|error| error.code())
}

/// The answer that refuses the second partition of each transaction.
fn refuse_one(request: Request, error: ResponseError) -> Response {
    let results = request.transactions.iter().map(|transaction| {
        let result = |index, code| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(index)
                .with_partition_error_code(code)
        };
        let topic = AddPartitionsToTxnTopicResult::default()
            .with_name(text("t").into())
            .with_results_by_partition(vec![result(0, 0), result(1, error.code())]);
        AddPartitionsToTxnResult::default()
            .with_transactional_id(transaction.transactional_id.clone())
            .with_topic_results(vec![topic])
    });
    Response::default().with_results_by_transaction(results.collect())
}

#[tokio::test]
async fn each_partition_has_its_answer() {
    let told = answers(4..=4, |version, request| {
        assert_eq!(version, 4, "the highest that both have");
        let asked = &request.transactions[0];
        assert!(asked.verify_only);
        assert_eq!((asked.producer_id.0, asked.producer_epoch), (7, 1));
        assert_eq!(asked.topics[0].partitions, [0, 1]);
        Some(refuse_one(request, ResponseError::ProducerFenced))
    });
    assert_eq!(told.await, Ok(vec![Ok(()), Err(ResponseError::ProducerFenced)]));
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_all_partitions() {
    let code = |error: ResponseError| Response::default().with_error_code(error.code());
    let unauthorized = ResponseError::ClusterAuthorizationFailed;
    let told = answers(4..=5, move |_, _| Some(code(unauthorized))).await;
    assert_eq!(told, Err(ResponseError::InvalidTxnState));
    let other = answers(4..=5, |_, _| Some(Response::default())).await;
    assert_eq!(other, Err(ResponseError::NetworkException), "the transaction is not mentioned");
    assert_eq!(answers(4..=5, |_, _| None).await, Err(ResponseError::NetworkException));
    let old = answers(0..=3, |_, _| None).await;
    assert_eq!(old, Ok(vec![Ok(()), Ok(())]), "a broker that is too old is not asked");
    let coordinators = Coordinators::new(peer(4..=5, |_, _: Request| None).await);
    let gone = coordinators.ask(9, &asked("x", Support::Default), &partitions()).await;
    assert_eq!(gone.unwrap_err().code(), ResponseError::CoordinatorNotAvailable);
}

#[test]
fn a_request_has_one_question_about_an_id() {
    let question = |id, epoch| {
        let (answer, answered) = oneshot::channel();
        let producer = Producer { id: 7, epoch };
        let ask = Ask { producer, ..asked(id, Support::AddPartitions) };
        (Question { transaction: transaction(&ask, &partitions()), answer }, answered)
    };
    let (mut questions, mut answered) = (Vec::new(), Vec::new());
    for (id, epoch) in [("x", 1), ("x", 2), ("y", 1), ("x", 2), ("x", 1)] {
        let (question, answer) = question(id, epoch);
        questions.push(question);
        answered.push(answer);
    }
    let left = one_of_each(questions);
    let epochs = left.values().map(|question| question.transaction.producer_epoch);
    assert_eq!(epochs.collect::<Vec<_>>(), [2, 1]);
    let told: Vec<_> =
        answered.iter_mut().map(|answer| answer.try_recv().ok().map(Result::unwrap_err)).collect();
    let (fenced, again) = (ResponseError::InvalidProducerEpoch, ResponseError::NetworkException);
    assert_eq!(told, [Some(fenced), Some(again), None, None, Some(fenced)]);
}
