//! DescribeLogDirs (35): the log directories, their total and usable bytes, and the sizes of their
//! logs.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_log_dirs_request::DescribableLogDirTopic;
use crate::codec::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::codec::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse, StrBytes};
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
    let results = dirs.map(|dir| {
        let is_cordoned = may_be_cordoned && config.is_cordoned(&dir.path);
        describe(dir, &partitions, &futures).with_is_cordoned(is_cordoned)
    });
    Ok(cx.reply(&DescribeLogDirsResponse::default().with_results(results.collect())))
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
    let log_dir = dir.path.to_string_lossy().into_owned();
    let answer = DescribeLogDirsResult::default().with_log_dir(log_dir.into());
    let space = dir.check().and_then(|()| dir.space());
    let (total_bytes, usable_bytes) = match space {
        Ok(space) => space,
        Err(error) => return answer.with_error_code(error.code().code()),
    };
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions.iter().filter(|partition| Arc::ptr_eq(&partition.dir(), dir)) {
        if let Ok(described) = describe_partition(partition) {
            topics.entry(partition.topic()).or_default().push(described);
        }
    }
    for future in futures.iter().filter(|future| Arc::ptr_eq(&future.dir, dir)) {
        let described = DescribeLogDirsPartition::default()
            .with_partition_index(future.partition.partition)
            .with_partition_size(future.size)
            .with_offset_lag(future.offset_lag)
            .with_is_future_key(true);
        topics.entry(&future.partition.topic).or_default().push(described);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        let name = StrBytes::from(name.to_owned());
        DescribeLogDirsTopic::default().with_name(name.into()).with_partitions(partitions)
    });
    answer
        .with_topics(topics.collect())
        .with_total_bytes(total_bytes)
        .with_usable_bytes(usable_bytes)
}

fn describe_partition(partition: &Partition) -> Result<DescribeLogDirsPartition> {
    let log = partition.log()?;
    // The lag of a current log is how far its end is behind the high watermark.
    let lag = (log.high_watermark() - log.log_end_offset()).max(0);
    Ok(DescribeLogDirsPartition::default()
        .with_partition_index(partition.index())
        .with_partition_size(log.size() as i64)
        .with_offset_lag(lag))
}
