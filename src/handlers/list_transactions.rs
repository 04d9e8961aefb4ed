//! ListTransactions (66): the transactional ids that this broker coordinates.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::list_transactions_response as response;
use crate::codec::messages::{ListTransactionsRequest, ListTransactionsResponse, StrBytes};
use crate::coordinator::transaction::{Filter, TransactionState};
use crate::error::Result;

pub(super) async fn handle(cx: &Context, request: ListTransactionsRequest) -> Result<Reply> {
    Ok(cx.reply(&list(cx, request).await.unwrap_or_else(|error| {
        ListTransactionsResponse::default().with_error_code(error.code().code())
    })))
}

async fn list(cx: &Context, request: ListTransactionsRequest) -> Result<ListTransactionsResponse> {
    let asked = request.state_filters.iter();
    let states = asked.clone().filter_map(|state| TransactionState::from_name(state)).collect();
    let unknown: Vec<StrBytes> =
        asked.filter(|state| TransactionState::from_name(state).is_none()).cloned().collect();
    let pattern = request.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
    let filter = Filter {
        states,
        has_unknown_states: !unknown.is_empty(),
        producer_ids: request.producer_id_filters.iter().map(|id| id.0).collect(),
        duration_ms: request.duration_filter,
        pattern: pattern.map(|pattern| Filter::pattern(&pattern)).transpose()?,
    };
    let listed = cx.parts.transactions.list(&filter).await?;
    let listed = listed.into_iter().map(|(id, producer_id, state)| {
        response::TransactionState::default()
            .with_transactional_id(StrBytes::from_string(id.to_string()).into())
            .with_producer_id(producer_id.into())
            .with_transaction_state(StrBytes::from_static_str(state.name()))
    });
    Ok(ListTransactionsResponse::default()
        .with_transaction_states(listed.collect())
        .with_unknown_state_filters(unknown))
}
