//! AlterReplicaLogDirs (34): moves partitions between the log directories of this broker.

use super::Context;
use crate::codec::Reply;
use crate::error::{Error, Result};
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName,
};
use std::collections::BTreeMap;

pub(super) async fn handle(cx: &Context, request: AlterReplicaLogDirsRequest) -> Result<Reply> {
    // A partition that is named twice goes where it is named last.
    let mut wanted: BTreeMap<(TopicName, i32), String> = BTreeMap::new();
    for dir in request.dirs {
        for topic in dir.topics {
            let keys = topic.partitions.iter().map(|&index| (topic.name.clone(), index));
            wanted.extend(keys.map(|key| (key, dir.path.to_string())));
        }
    }
    let altering = cx.clone();
    let altered = tokio::task::spawn_blocking(move || alter(&altering, &wanted));
    let results = altered.await.map_err(|_| Error::Closed)?;
    Ok(cx.reply(&AlterReplicaLogDirsResponse::default().with_results(results)))
}

fn alter(
    cx: &Context,
    wanted: &BTreeMap<(TopicName, i32), String>,
) -> Vec<AlterReplicaLogDirTopicResult> {
    let (image, mut results) = (cx.image(), Vec::<AlterReplicaLogDirTopicResult>::new());
    for ((topic, index), path) in wanted {
        let altered = cx.parts.replicas.alter_dir(&image, topic, *index, path);
        let code = altered.map_or_else(|error| error.code().code(), |()| 0);
        let result = AlterReplicaLogDirPartitionResult::default()
            .with_partition_index(*index)
            .with_error_code(code);
        match results.last_mut().filter(|last| last.topic_name == *topic) {
            Some(last) => last.partitions.push(result),
            None => results.push(
                AlterReplicaLogDirTopicResult::default()
                    .with_topic_name(topic.clone())
                    .with_partitions(vec![result]),
            ),
        }
    }
    results
}
