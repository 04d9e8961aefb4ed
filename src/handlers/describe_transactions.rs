//! DescribeTransactions (65): the state of transactional ids.

use super::{Context, each_once};
use crate::codec::Reply;
use crate::codec::messages::describe_transactions_response::{TopicData, TransactionState};
use crate::codec::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse, StrBytes};
use crate::coordinator::transaction::Transaction;
use crate::error::Result;
use std::collections::BTreeMap;

pub(super) async fn handle(cx: &Context, request: DescribeTransactionsRequest) -> Result<Reply> {
    let mut states = Vec::with_capacity(request.transactional_ids.len());
    for id in each_once(request.transactional_ids) {
        let state = match cx.parts.transactions.describe(&id).await {
            Ok(transaction) => describe(&transaction),
            Err(error) => TransactionState::default().with_error_code(error.code().code()),
        };
        states.push(state.with_transactional_id(id));
    }
    Ok(cx.reply(&DescribeTransactionsResponse::default().with_transaction_states(states)))
}

fn describe(transaction: &Transaction) -> TransactionState {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &transaction.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(topic, partitions)| {
        TopicData::default()
            .with_topic(StrBytes::from_string(topic.to_owned()).into())
            .with_partitions(partitions)
    });
    TransactionState::default()
        .with_producer_id(transaction.producer.id.into())
        .with_producer_epoch(transaction.producer.epoch)
        .with_transaction_state(StrBytes::from_static_str(transaction.state.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(transaction.started)
        .with_topics(topics.collect())
}
