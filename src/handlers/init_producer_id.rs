//! InitProducerId (22): an id for an idempotent producer.
//!
//! A transactional id is answered with COORDINATOR_NOT_AVAILABLE until there is a transaction
//! coordinator; producers retry that.

use super::Context;
use crate::codec::Reply;
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

pub(super) async fn handle(cx: &Context, request: InitProducerIdRequest) -> Result<Reply> {
    let response = InitProducerIdResponse::default();
    Ok(cx.reply(&match next_id(cx, &request).await {
        Ok(id) => response.with_producer_id(id.into()).with_producer_epoch(0),
        Err(error) => response
            .with_producer_id((-1).into())
            .with_producer_epoch(-1)
            .with_error_code(error.code().code()),
    }))
}

async fn next_id(cx: &Context, request: &InitProducerIdRequest) -> Result<i64> {
    // Either both of the current id and epoch are named, or none.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(Error::Code(ResponseError::InvalidRequest));
    }
    match &request.transactional_id {
        None => {
            let parts = &cx.parts;
            let allocate =
                || parts.controller.allocate_producer_ids(parts.config.node_id, parts.broker_epoch);
            parts.replicas.producer_ids().next(allocate).await
        }
        Some(id) if id.is_empty() => Err(Error::Code(ResponseError::InvalidRequest)),
        Some(_) => Err(Error::Code(ResponseError::CoordinatorNotAvailable)),
    }
}
