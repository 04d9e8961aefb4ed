//! DescribeLogDirs (35): the log directories, their total and usable bytes, and the sizes of their
//! logs.

use super::Context;
use crate::codec::Reply;
use crate::codec::schema::message::describe_log_dirs_request::DescribableLogDirTopic;
use crate::codec::schema::message::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::codec::schema::message::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use crate::error::Result;
use crate::log::manager::LogDir;
use crate::metadata::features::CORDONED_LOG_DIRS;
use crate::replica::moves::FutureReplica;
use crate::replica::partition::Partition;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

pub(super) async fn handle(cx: &Context, request: DescribeLogDirsRequest) -> Result<Reply> {
    let wanted = request.topics.as_deref().map(wanted);
    let is_wanted = |topic: &str, index: i32| {
        let indexes = wanted.as_ref().map(|wanted| wanted.get(topic));
        indexes.is_none_or(|indexes| indexes.is_some_and(|indexes| indexes.contains(&index)))
    };
    let mut partitions = cx.parts.replicas.all();
    partitions.retain(|partition| is_wanted(partition.topic(), partition.index()));
    let mut futures = cx.parts.replicas.futures();
    futures.retain(|future| is_wanted(&future.partition.topic, future.partition.partition));
    let dirs = cx.parts.replicas.logs().dirs().iter();
    let config = cx.parts.config.get();
    let may_be_cordoned = cx.image().metadata_version() >= CORDONED_LOG_DIRS;
    let results = dirs.map(|dir| DescribeLogDirsResult {
        is_cordoned: may_be_cordoned && config.is_cordoned(&dir.path),
        ..describe(dir, &partitions, &futures)
    });
    let results = results.collect();
    Ok(cx.reply(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() }))
}

fn wanted(topics: &[DescribableLogDirTopic]) -> HashMap<&str, HashSet<i32>> {
    let mut wanted: HashMap<&str, HashSet<i32>> = HashMap::new();
    for topic in topics {
        wanted.entry(&topic.topic).or_default().extend(&topic.partitions);
    }
    wanted
}

fn describe(
    dir: &Arc<LogDir>,
    partitions: &[Arc<Partition>],
    futures: &[FutureReplica],
) -> DescribeLogDirsResult {
    let answer = DescribeLogDirsResult {
        log_dir: dir.path.to_string_lossy().into_owned(),
        ..DescribeLogDirsResult::default()
    };
    let space = dir.check().and_then(|()| dir.space());
    let (total_bytes, usable_bytes) = match space {
        Ok(space) => space,
        Err(error) => {
            return DescribeLogDirsResult { error_code: error.code().code(), ..answer };
        }
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions.iter().filter(|partition| Arc::ptr_eq(&partition.dir(), dir)) {
        if let Ok(described) = describe_partition(partition) {
            topics.entry(partition.topic()).or_default().push(described);
        }
    }
    for future in futures.iter().filter(|future| Arc::ptr_eq(&future.dir, dir)) {
        topics.entry(&future.partition.topic).or_default().push(DescribeLogDirsPartition {
            partition_index: future.partition.partition,
            partition_size: future.size,
            offset_lag: future.offset_lag,
            is_future_key: true,
        });
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| DescribeLogDirsTopic { name: name.to_owned(), partitions });
    DescribeLogDirsResult { topics: topics.collect(), total_bytes, usable_bytes, ..answer }
}

fn describe_partition(partition: &Partition) -> Result<DescribeLogDirsPartition> {
    let log = partition.log()?;
    Ok(DescribeLogDirsPartition {
        partition_index: partition.index(),
        partition_size: log.size() as i64,
        // The lag of a current log is how far its end is behind the high watermark.
        offset_lag: (log.high_watermark() - log.log_end_offset()).max(0),
        is_future_key: false,
    })
}
