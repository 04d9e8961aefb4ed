//! EndTxn (26): commits or aborts a transaction. From version 5 on the response gives the producer
//! its next id and epoch (KIP-890).

use super::Context;
use super::init_producer_id::fenced;
use crate::codec::Reply;
use crate::codec::messages::{EndTxnRequest, EndTxnResponse};
use crate::coordinator::transaction::{EPOCH_BUMP_VERSION, EndRequest, Producer};
use crate::error::Result;

/// The first version whose clients know PRODUCER_FENCED.
const FENCED_VERSION: i16 = 2;
/// The first version whose clients use transaction version 2, with a new epoch per transaction.
const BUMPING_VERSION: i16 = 5;

pub(super) async fn handle(cx: &Context, request: EndTxnRequest) -> Result<Reply> {
    let end = EndRequest {
        id: &request.transactional_id,
        producer: Producer { id: request.producer_id.0, epoch: request.producer_epoch },
        commit: request.committed,
        client_version: if cx.header.api_version < BUMPING_VERSION {
            0
        } else {
            EPOCH_BUMP_VERSION
        },
    };
    let (producer, error_code) = match cx.parts.transactions.end(&end).await {
        Ok(producer) => (producer, 0),
        Err(error) => (Producer::NONE, fenced(cx, FENCED_VERSION, error.code()).code()),
    };
    Ok(cx.reply(
        &EndTxnResponse::default()
            .with_producer_id(producer.id.into())
            .with_producer_epoch(producer.epoch)
            .with_error_code(error_code),
    ))
}
