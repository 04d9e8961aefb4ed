//! DeleteRecords (21): raises the log start offset of partitions.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::delete_records_request::DeleteRecordsPartition;
use crate::codec::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use crate::codec::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::coordinator::internal_topics::is_internal;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::types::{Offset, Sample};
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};

pub(super) async fn handle(cx: &Context, mut request: DeleteRecordsRequest) -> Result<Reply> {
    drop_repeated(&mut request);
    let (image, mut deleted) = (cx.image(), Sample::default());
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer =
                DeleteRecordsPartitionResult::default().with_partition_index(asked.partition_index);
            match delete(cx, &image, &topic.name, asked) {
                Ok(low_watermark) => {
                    let index = asked.partition_index;
                    deleted.add(|| format!("{}-{index} from {low_watermark}", &*topic.name));
                    answer.with_low_watermark(low_watermark)
                }
                Err(error) => answer.with_low_watermark(-1).with_error_code(error.code().code()),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    if deleted.count() > 0 {
        let (principal, host) = (cx.session.principal(), &cx.session.client_host);
        tracing::info!(
            "deleted the records before what is the first offset now, by {principal} at {host}: \
             {deleted}"
        );
    }
    Ok(cx.reply(&DeleteRecordsResponse::default().with_topics(topics)))
}

/// Keeps the last mention of each partition, as Kafka does.
fn drop_repeated(request: &mut DeleteRecordsRequest) {
    let mut seen: HashMap<_, HashSet<i32>> = HashMap::new();
    for topic in request.topics.iter_mut().rev() {
        let seen = seen.entry(topic.name.clone()).or_default();
        topic.partitions.reverse();
        topic.partitions.retain(|asked| seen.insert(asked.partition_index));
        topic.partitions.reverse();
    }
}

fn delete(
    cx: &Context,
    image: &Image,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Offset> {
    let partition = cx.parts.replicas.by_name(image, topic, asked.partition_index)?;
    if is_internal(topic) {
        return Err(Error::Code(ResponseError::InvalidTopicException));
    }
    partition.delete_records(asked.offset)
}
