//! The partition that gets dead letters, and how they get there: it may be led by another broker.

use super::{DeadLetters, PRODUCE_VERSION};
use crate::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::codec::messages::{ProduceRequest, ProduceResponse};
use crate::error::{Error, Result};
use crate::log::Verification;
use crate::peers::Purpose;
use crate::record::Batch;
use crate::replica::append::AwaitedOffset;
use crate::types::{BrokerId, TopicIdPartition};
use kafka_protocol::error::ResponseError;

/// How many milliseconds the leader may take until a batch is replicated.
const TIMEOUT_MS: i32 = 30_000;

/// The partition that gets dead letters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    /// The partition.
    pub(super) id: TopicIdPartition,
    /// Its leader, -1 if there is none.
    pub(super) leader: BrokerId,
    /// The topic's `max.message.bytes`.
    pub(super) max_bytes: usize,
}

impl DeadLetters {
    /// Appends a batch with acks=all.
    pub(super) async fn append(&self, to: Destination, batch: &Batch) -> Result<()> {
        let appended = match to.leader == self.config.get().node_id {
            true => self.append_here(to.id, batch).await,
            false => self.append_there(to, batch).await,
        };
        match appended {
            // Another attempt would only append them once more.
            Err(error) if error.code() == ResponseError::NotEnoughReplicasAfterAppend => Ok(()),
            appended => appended,
        }
    }

    async fn append_here(&self, to: TopicIdPartition, batch: &Batch) -> Result<()> {
        let (records, now) = (batch.to_bytes(), self.clock.now());
        let (produced, awaited) =
            self.replicas.produce(to, records, -1, PRODUCE_VERSION, Verification::NotNeeded, now);
        if let Some(error) = produced.error {
            let told = produced.record_errors.into_iter().find_map(|(_, message)| message);
            return Err(Error::Explained(error, told.or(produced.message).unwrap_or_default()));
        }
        let Some(AwaitedOffset { partition, offset }) = awaited else { return Ok(()) };
        partition.wait_for_high_watermark(offset, i32::MAX).await
    }

    async fn append_there(&self, to: Destination, batch: &Batch) -> Result<()> {
        let partition = PartitionProduceData::default()
            .with_index(to.id.partition)
            .with_records(Some(batch.to_bytes()));
        let topic = TopicProduceData::default()
            .with_topic_id(to.id.topic_id)
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(TIMEOUT_MS)
            .with_topic_data(vec![topic]);
        let versions = PRODUCE_VERSION..=PRODUCE_VERSION;
        match self.peers.ask(Purpose::DeadLetters, to.leader, versions, &request).await {
            Ok(response) => produced(response),
            // The next leader is not known yet.
            Err(error) if error.code() == ResponseError::BrokerNotAvailable => {
                Err(Error::Explained(ResponseError::LeaderNotAvailable, error.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

/// The result in the response's only partition.
fn produced(response: ProduceResponse) -> Result<()> {
    let topic = response.responses.into_iter().next();
    let partition = topic.and_then(|topic| topic.partition_responses.into_iter().next());
    let partition = partition.ok_or(Error::Code(ResponseError::UnknownServerError))?;
    let Some(error) = ResponseError::try_from_code(partition.error_code) else { return Ok(()) };
    let mut records = partition.record_errors.into_iter();
    let told = records.find_map(|record| record.batch_index_error_message);
    let message = told.or(partition.error_message).map(|message| message.to_string());
    Err(Error::Explained(error, message.unwrap_or_default()))
}
