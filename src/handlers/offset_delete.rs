//! OffsetDelete (47): deletes offsets that a group has committed.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::codec::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

pub(super) async fn handle(cx: &Context, mut request: OffsetDeleteRequest) -> Result<Reply> {
    let image = cx.image();
    let mut refused = Vec::new();
    for topic in &mut request.topics {
        let count = image.topics.by_name(&topic.name).map_or(0, |topic| topic.partitions.len());
        let mut unknown = OffsetDeleteResponseTopic::default().with_name(topic.name.clone());
        topic.partitions.retain(|partition| {
            let index = partition.partition_index;
            let exists = usize::try_from(index).is_ok_and(|index| index < count);
            if !exists {
                let answer = OffsetDeleteResponsePartition::default()
                    .with_partition_index(index)
                    .with_error_code(ResponseError::UnknownTopicOrPartition.code());
                unknown.partitions.push(answer);
            }
            exists
        });
        refused.push(unknown);
    }
    let mut response = match cx.parts.groups.delete_offsets(&request).await {
        Ok(response) => response,
        Err(error) => {
            let response = OffsetDeleteResponse::default().with_error_code(error.code().code());
            return Ok(cx.reply(&response));
        }
    };
    for (topic, unknown) in response.topics.iter_mut().zip(refused) {
        topic.partitions.extend(unknown.partitions);
    }
    Ok(cx.reply(&response))
}
