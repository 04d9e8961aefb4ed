//! The log directories: lock, `meta.properties`, checkpoints, loading, deleting (LogManager).

use super::Log;
use crate::config::{Config, TopicConfig};
use crate::disk::Disk;
use crate::error::Result;
use crate::types::{Offset, Timestamp, TopicPartition};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// `meta.properties` version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: Uuid,
}

/// One log directory, locked while we run.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct LogDir {
    pub path: PathBuf,
    pub meta: Option<MetaProperties>,
    /// It held `.kafka_cleanshutdown`, whose broker epoch this is; the file is deleted on reading.
    pub clean_shutdown: Option<i64>,
}

/// A log found on disk at start, by its directory's name and `partition.metadata`.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Found {
    pub partition: TopicPartition,
    /// None if `partition.metadata` is missing: the log is a stray.
    pub topic_id: Option<Uuid>,
    pub dir: Arc<LogDir>,
}

/// All log directories of this broker.
#[derive(Debug)]
pub struct LogManager {}

#[allow(missing_docs)]
impl LogManager {
    /// Creates and locks the directories (fcntl `.lock`), reads `meta.properties`.
    pub fn open(disk: Disk, config: &Config) -> Result<LogManager> {
        let _ = (disk, config);
        todo!("log engineer")
    }
    pub fn dirs(&self) -> &[Arc<LogDir>] {
        todo!()
    }
    /// Writes `meta.properties` into the directories that lack it; answers their directory ids.
    pub fn format(&mut self, cluster_id: &str, node_id: i32) -> Result<()> {
        let _ = (cluster_id, node_id);
        todo!()
    }
    /// What lies in the directories, but `__cluster_metadata-0`. `-delete` directories are removed.
    pub fn scan(&self) -> Result<Vec<Found>> {
        todo!()
    }
    /// Opens the log of a partition where it lies, or makes it in the directory with the fewest.
    /// Recovery runs here; several threads may call it for several partitions.
    pub fn open_log(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        let _ = (partition, topic_id, config, now);
        todo!()
    }
    /// High watermark from `replication-offset-checkpoint`, 0 if absent.
    pub fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> Offset {
        let _ = partition;
        todo!()
    }
    /// Renames the directory to `-delete`; removed after `file.delete.delay.ms` by `run_deletes`.
    pub fn delete_log(&self, log: &Log, now: Timestamp) -> Result<()> {
        let _ = (log, now);
        todo!()
    }
    /// Renames a log that metadata no longer knows to `-stray`.
    pub fn mark_stray(&self, found: &Found) -> Result<()> {
        let _ = found;
        todo!()
    }
    pub fn run_deletes(&self, now: Timestamp) -> Result<()> {
        let _ = now;
        todo!()
    }
    /// Writes recovery-point, log-start-offset and replication-offset checkpoints of every dir.
    pub fn checkpoint(&self, logs: &HashMap<TopicPartition, Arc<Mutex<Log>>>) -> Result<()> {
        let _ = logs;
        todo!()
    }
    /// After all logs are closed and checkpointed: `.kafka_cleanshutdown` with `broker_epoch`.
    pub fn mark_clean_shutdown(&self, broker_epoch: i64) -> Result<()> {
        let _ = broker_epoch;
        todo!()
    }
}
