//! Every broker and topic setting, declared once: Kafka's name, type, default, doc, and whether
//! it may change while the broker runs. (Stub: the config engineer replaces this file.)

use crate::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A topic's effective settings (LogConfig). Made by [`Config::topic`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct TopicConfig {
    pub segment_bytes: i32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: i32,
    pub index_interval_bytes: i32,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub retention_bytes: i64,
    pub retention_ms: i64,
    pub max_message_bytes: i32,
    pub file_delete_delay_ms: i64,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    /// `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    pub min_insync_replicas: i32,
    /// `compression.type`; None is `producer`.
    pub compression: Option<Compression>,
    /// `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub preallocate: bool,
    pub unclean_leader_election_enable: bool,
}

/// `compression.type` other than `producer`, with its level where Kafka has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Compression {
    Uncompressed,
    Gzip { level: i32 },
    Snappy,
    Lz4 { level: i32 },
    Zstd { level: i32 },
}

/// The broker's settings in effect, typed; one field per setting, named as the setting with
/// underscores (`log.segment.bytes` is `log_segment_bytes`).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Config {
    pub node_id: i32,
    pub log_dirs: Vec<String>,
    pub fetch_max_bytes: i32,
    pub max_incremental_fetch_session_cache_slots: i32,
}

impl Config {
    /// The effective settings of a topic that overrides `overrides` (name -> value).
    pub fn topic(&self, overrides: &BTreeMap<String, String>) -> Result<Arc<TopicConfig>> {
        let _ = overrides;
        todo!("config engineer")
    }
}
