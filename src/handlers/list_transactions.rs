//! ListTransactions (66): there are none yet.

use super::Context;
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

/// Kafka's names of them (TransactionState).
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

pub(super) async fn handle(cx: &Context, request: ListTransactionsRequest) -> Result<Reply> {
    let mut unknown = request.state_filters;
    unknown.retain(|state| !STATES.contains(&state.as_str()));
    Ok(cx.reply(&ListTransactionsResponse::default().with_unknown_state_filters(unknown)))
}
