//! InitProducerId (22): gives an idempotent producer a new id, and a transactional one its id with
//! the next epoch.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{InitProducerIdRequest, InitProducerIdResponse};
use crate::coordinator::transaction::{Init, NO_PRODUCER_EPOCH, Producer};
use crate::error::Result;
use crate::types::NO_PRODUCER_ID;
use kafka_protocol::error::ResponseError;

/// The first version whose clients know PRODUCER_FENCED.
const FENCED_VERSION: i16 = 4;

pub(super) async fn handle(cx: &Context, request: InitProducerIdRequest) -> Result<Reply> {
    let (producer, error_code) = match init(cx, &request).await {
        Ok(producer) => (producer, 0),
        Err(error) => (Producer::NONE, fenced(cx, FENCED_VERSION, error.code()).code()),
    };
    Ok(cx.reply(
        &InitProducerIdResponse::default()
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_error_code(error_code),
    ))
}

/// Replaces PRODUCER_FENCED by INVALID_PRODUCER_EPOCH in versions below `since`, whose clients do
/// not know it.
pub(super) fn fenced(cx: &Context, since: i16, error: ResponseError) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if cx.header.api_version < since => {
            ResponseError::InvalidProducerEpoch
        }
        error => error,
    }
}

async fn init(cx: &Context, request: &InitProducerIdRequest) -> Result<Producer> {
    let expected = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    // The client names both its current id and its epoch, or neither.
    let expected = match (expected.id, expected.epoch) {
        (NO_PRODUCER_ID, NO_PRODUCER_EPOCH) => None,
        (NO_PRODUCER_ID, _) | (_, NO_PRODUCER_EPOCH) => {
            return Err(ResponseError::InvalidRequest.into());
        }
        _ => Some(expected),
    };
    let transactions = &cx.parts.transactions;
    match request.transactional_id.as_deref() {
        None => Ok(Producer { id: transactions.new_producer_id().await?, epoch: 0 }),
        Some(id) => {
            let timeout_ms = request.transaction_timeout_ms;
            transactions.init(&Init { id, timeout_ms, expected }).await
        }
    }
}
