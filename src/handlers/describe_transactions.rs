//! DescribeTransactions (65): there are none yet.

use super::Context;
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

pub(super) async fn handle(cx: &Context, request: DescribeTransactionsRequest) -> Result<Reply> {
    let unknown = |id| {
        TransactionState::default()
            .with_transactional_id(id)
            .with_error_code(ResponseError::TransactionalIdNotFound.code())
    };
    let states = request.transactional_ids.into_iter().map(unknown).collect();
    Ok(cx.reply(&DescribeTransactionsResponse::default().with_transaction_states(states)))
}
