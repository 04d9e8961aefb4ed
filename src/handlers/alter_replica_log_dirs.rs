//! AlterReplicaLogDirs (34): moves partitions between the log directories of this broker.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use crate::codec::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, TopicName};
use crate::error::{Error, Result};
use crate::log::manager::LogDir;
use crate::types::TopicPartition;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn handle(cx: &Context, request: AlterReplicaLogDirsRequest) -> Result<Reply> {
    // If a partition is named twice, the last directory counts.
    let mut wanted = Wanted::new();
    for dir in request.dirs {
        let to = cx.parts.replicas.dir_at(&dir.path);
        for topic in dir.topics {
            let dirs = topic.partitions.iter().map(|&index| (index, to.cloned()));
            wanted.entry(topic.name).or_default().extend(dirs);
        }
    }
    let altering = cx.clone();
    let altered = tokio::task::spawn_blocking(move || alter(&altering, &wanted));
    let results = altered.await.map_err(|_| Error::Closed)?;
    Ok(cx.reply(&AlterReplicaLogDirsResponse::default().with_results(results)))
}

/// The directory that each partition shall move to, by topic; None if there is no such directory.
type Wanted = BTreeMap<TopicName, BTreeMap<i32, Option<Arc<LogDir>>>>;

fn alter(cx: &Context, wanted: &Wanted) -> Vec<AlterReplicaLogDirTopicResult> {
    let image = cx.image();
    let topics = wanted.iter().map(|(name, partitions)| {
        let topic: Arc<str> = Arc::from(name.as_str());
        let results = partitions.iter().map(|(&index, to)| {
            let partition = TopicPartition { topic: topic.clone(), partition: index };
            let altered = cx.parts.replicas.alter_dir(&image, &partition, to.as_ref());
            AlterReplicaLogDirPartitionResult::default()
                .with_partition_index(index)
                .with_error_code(altered.map_or_else(|error| error.code().code(), |()| 0))
        });
        AlterReplicaLogDirTopicResult::default()
            .with_topic_name(name.clone())
            .with_partitions(results.collect())
    });
    topics.collect()
}
