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
use crate::replica::partition::{Deleted, Partition};
use crate::types::Sample;
use kafka_protocol::error::ResponseError;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) async fn handle(cx: &Context, mut request: DeleteRecordsRequest) -> Result<Reply> {
    drop_repeated(&mut request);
    let (image, mut told) = (cx.image(), Sample::default());
    let deadline = Instant::now() + Duration::from_millis(request.timeout_ms.max(0) as u64);
    let mut begun = Vec::new();
    for topic in request.topics {
        let delete = |asked: &DeleteRecordsPartition| {
            (asked.partition_index, delete(cx, &image, &topic.name, asked))
        };
        let partitions: Vec<_> = topic.partitions.iter().map(delete).collect();
        for (index, deleted) in &partitions {
            if let Ok((_, deleted)) = deleted {
                let first = deleted.before.max(deleted.low_watermark);
                told.add(|| format!("{}-{index} from {first}", &*topic.name));
            }
        }
        begun.push((topic.name, partitions));
    }
    if told.count() > 0 {
        let (principal, host) = (cx.session.principal(), &cx.session.client_host);
        tracing::info!(
            "deleted the records before what is the first offset now, by {principal} at {host}: \
             {told}"
        );
    }
    let mut topics = Vec::with_capacity(begun.len());
    for (name, partitions) in begun {
        let mut results = Vec::with_capacity(partitions.len());
        for (index, deleted) in partitions {
            results.push(result(index, deleted, deadline).await);
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(name).with_partitions(results));
    }
    Ok(cx.reply(&DeleteRecordsResponse::default().with_topics(topics)))
}

/// The result for one partition, once the records are gone from all live replicas.
async fn result(
    index: i32,
    deleted: Result<(Arc<Partition>, Deleted)>,
    deadline: Instant,
) -> DeleteRecordsPartitionResult {
    let answer = DeleteRecordsPartitionResult::default().with_partition_index(index);
    let (gone, known) = match deleted {
        Ok((_, deleted)) if deleted.low_watermark >= deleted.before => {
            (Ok(deleted.low_watermark), -1)
        }
        Ok((partition, deleted)) => (
            partition.wait_for_low_watermark(deleted.before, deadline).await,
            deleted.low_watermark,
        ),
        Err(error) => (Err(error), -1),
    };
    match gone.map_err(|error| error.code()) {
        Ok(low_watermark) => answer.with_low_watermark(low_watermark),
        Err(error) => {
            let is_late = error == ResponseError::RequestTimedOut;
            let low_watermark = if is_late { known } else { -1 };
            answer.with_low_watermark(low_watermark).with_error_code(error.code())
        }
    }
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
) -> Result<(Arc<Partition>, Deleted)> {
    let partition = cx.parts.replicas.by_name(image, topic, asked.partition_index)?;
    if is_internal(topic) {
        return Err(Error::Code(ResponseError::InvalidTopicException));
    }
    let deleted = partition.delete_records(asked.offset)?;
    Ok((partition, deleted))
}
