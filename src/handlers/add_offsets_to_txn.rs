//! AddOffsetsToTxn (25): adds a group's partition of `__consumer_offsets` to a transaction.

use super::Context;
use super::init_producer_id::fenced;
use crate::codec::Reply;
use crate::codec::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::transaction::Producer;
use crate::error::Result;
use crate::types::TopicPartition;

/// The first version whose clients know PRODUCER_FENCED.
const FENCED_VERSION: i16 = 2;

pub(super) async fn handle(cx: &Context, request: AddOffsetsToTxnRequest) -> Result<Reply> {
    let partition = cx.parts.groups.partition_for(&request.group_id);
    let partitions = [TopicPartition::new(OFFSETS_TOPIC, partition)];
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let transactions = &cx.parts.transactions;
    let added =
        transactions.add_partitions(&request.transactional_id, producer, &partitions, 0).await;
    let error = added.err().map(|error| fenced(cx, FENCED_VERSION, error.code()));
    let error_code = error.map_or(0, |error| error.code());
    Ok(cx.reply(&AddOffsetsToTxnResponse::default().with_error_code(error_code)))
}
