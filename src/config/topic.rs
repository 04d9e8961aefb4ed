//! Settings of a topic (LogConfig, TopicConfig): what the topic says, else what the broker says.

use super::definition::Check::*;
use super::definition::Value;
use super::effect::Effect::NoEffect;
use super::effect::*;
use super::{Config, Setting, resource_settings};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A topic's effective settings (LogConfig). Made by [`Config::topic`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the table below documents each of them")]
pub struct TopicConfig {
    /// `internal.segment.bytes` if set, which tests use to have small segments.
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
#[allow(missing_docs, reason = "names of codecs")]
pub enum Compression {
    Uncompressed,
    Gzip { level: i32 },
    Snappy,
    Lz4 { level: i32 },
    Zstd { level: i32 },
}

/// The topic setting of that name.
pub(super) fn topic_setting(name: &str) -> Option<&'static Setting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.name == name)
}

impl Config {
    /// The effective settings of a topic that overrides `overrides` (name -> value). A name that
    /// no topic has and a value that is not right are INVALID_CONFIG, in Kafka's words.
    pub fn topic(&self, overrides: &BTreeMap<String, String>) -> Result<Arc<TopicConfig>> {
        for (name, value) in overrides {
            let unknown = || Error::Config(format!("Unknown topic config name: {name}"));
            topic_setting(name).ok_or_else(unknown)?.validate(value)?;
        }
        let values = TopicValues { config: self, overrides };
        values.check_lags()?;
        values.check_remote_storage()?;
        Ok(Arc::new(values.read()))
    }
}

/// What a topic says on top of what its broker says.
pub(super) struct TopicValues<'a> {
    pub(super) config: &'a Config,
    pub(super) overrides: &'a BTreeMap<String, String>,
}

impl TopicValues<'_> {
    /// The text in effect; None is null.
    pub(super) fn get(&self, setting: &Setting) -> Option<String> {
        if let Some(value) = self.overrides.get(setting.name) {
            return Some(value.clone());
        }
        let config = self.config;
        // These four have more than one name in the broker's settings.
        match setting.name {
            "segment.ms" => Some(config.roll_ms().to_string()),
            "segment.jitter.ms" => Some(config.roll_jitter_ms().to_string()),
            "retention.ms" => Some(config.retention_ms().to_string()),
            "flush.ms" => Some(config.flush_ms().to_string()),
            _ => match setting.synonym {
                Some(synonym) => config.values.get(synonym).map(str::to_owned),
                None => setting.default.map(str::to_owned),
            },
        }
    }

    fn value<T: Value>(&self, name: &str) -> T {
        let setting = topic_setting(name).expect("a name of the table below");
        assert!(setting.kind == T::KIND, "{name} is no {:?}", T::KIND);
        T::read(self.get(setting).as_deref()).expect("validated before")
    }

    fn check_lags(&self) -> Result<()> {
        let min: i64 = self.value("min.compaction.lag.ms");
        let max: i64 = self.value("max.compaction.lag.ms");
        if min > max {
            return Err(Error::Config(format!(
                "conflict topic config setting min.compaction.lag.ms ({min}) > \
                 max.compaction.lag.ms ({max})"
            )));
        }
        Ok(())
    }

    fn check_remote_storage(&self) -> Result<()> {
        if self.value("remote.storage.enable") && !self.config.remote_log_storage_system_enable {
            let message = "Tiered Storage functionality is disabled in the broker. Topic cannot \
                           be configured with remote log storage.";
            return Err(Error::Config(message.to_owned()));
        }
        Ok(())
    }

    fn compression(&self) -> Option<Compression> {
        match self.value::<String>("compression.type").as_str() {
            "gzip" => Some(Compression::Gzip { level: self.value("compression.gzip.level") }),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4 { level: self.value("compression.lz4.level") }),
            "zstd" => Some(Compression::Zstd { level: self.value("compression.zstd.level") }),
            "uncompressed" => Some(Compression::Uncompressed),
            _ => None,
        }
    }

    fn read(&self) -> TopicConfig {
        let policies: Vec<String> = self.value("cleanup.policy");
        let segment_bytes = self.value("segment.bytes");
        TopicConfig {
            segment_bytes: self
                .value::<Option<i32>>("internal.segment.bytes")
                .unwrap_or(segment_bytes),
            segment_ms: self.value("segment.ms"),
            segment_jitter_ms: self.value("segment.jitter.ms"),
            segment_index_bytes: self.value("segment.index.bytes"),
            index_interval_bytes: self.value("index.interval.bytes"),
            flush_messages: self.value("flush.messages"),
            flush_ms: self.value("flush.ms"),
            retention_bytes: self.value("retention.bytes"),
            retention_ms: self.value("retention.ms"),
            max_message_bytes: self.value("max.message.bytes"),
            file_delete_delay_ms: self.value("file.delete.delay.ms"),
            delete_retention_ms: self.value("delete.retention.ms"),
            min_compaction_lag_ms: self.value("min.compaction.lag.ms"),
            max_compaction_lag_ms: self.value("max.compaction.lag.ms"),
            min_cleanable_dirty_ratio: self.value("min.cleanable.dirty.ratio"),
            compact: policies.iter().any(|policy| policy == "compact"),
            delete: policies.iter().any(|policy| policy == "delete"),
            min_insync_replicas: self.value("min.insync.replicas"),
            compression: self.compression(),
            log_append_time: self.value::<String>("message.timestamp.type") == "LogAppendTime",
            message_timestamp_before_max_ms: self.value("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: self.value("message.timestamp.after.max.ms"),
            preallocate: self.value("preallocate"),
            unclean_leader_election_enable: self.value("unclean.leader.election.enable"),
        }
    }
}

resource_settings! {
    /// All settings of a topic.
    TOPIC_SETTINGS
    /// This configuration controls the segment file size for the log. Retention and cleaning is
    /// always done a file at a time so a larger segment size means fewer files but less granular
    /// control over retention.
    "segment.bytes": i32 = "1073741824", "log.segment.bytes", AtLeast(1048576);
    /// This configuration controls the period of time after which Kafka will force the log to roll
    /// even if the segment file isn't full to ensure that retention can delete or compact old data.
    "segment.ms": i64 = "604800000", "log.roll.ms", AtLeast(1);
    /// The maximum random jitter subtracted from the scheduled segment roll time to avoid
    /// thundering herds of segment rolling
    "segment.jitter.ms": i64 = "0", "log.roll.jitter.ms", AtLeast(0);
    /// This configuration controls the size of the index that maps offsets to file positions. We
    /// preallocate this index file and shrink it only after log rolls. You generally should not
    /// need to change this setting.
    "segment.index.bytes": i32 = "10485760", "log.index.size.max.bytes", AtLeast(4);
    /// This setting allows specifying an interval at which we will force an fsync of data written
    /// to the log. For example if this was set to 1 we would fsync after every message; if it were
    /// 5 we would fsync after every five messages. In general we recommend you not set this and use
    /// replication for durability and allow the operating system's background flush capabilities as
    /// it is more efficient. This setting can be overridden on a per-topic basis (see the per-topic
    /// configuration section ).
    "flush.messages": i64 = "9223372036854775807", "log.flush.interval.messages", AtLeast(1);
    /// This setting allows specifying a time interval at which we will force an fsync of data
    /// written to the log. For example if this was set to 1000 we would fsync after 1000 ms had
    /// passed. Note that this setting depends on the broker-level configuration
    /// `log.flush.scheduler.interval.ms`, which controls how frequently the flush check occurs. In
    /// general we recommend you not set this and use replication for durability and allow the
    /// operating system's background flush capabilities as it is more efficient.
    "flush.ms": i64 = "9223372036854775807", "log.flush.interval.ms", AtLeast(0);
    /// This configuration controls the maximum size a partition (which consists of log segments)
    /// can grow to before we will discard old log segments to free up space if we are using the
    /// "delete" retention policy. By default there is no size limit only a time limit. Since this
    /// limit is enforced at the partition level, multiply it by the number of partitions to compute
    /// the topic retention in bytes. Additionally, retention.bytes configuration operates
    /// independently of "segment.ms" and "segment.bytes" configurations. Moreover, it triggers the
    /// rolling of new segment if the retention.bytes is configured to zero.
    "retention.bytes": i64 = "-1", "log.retention.bytes";
    /// This configuration controls the maximum time we will retain a log before we will discard old
    /// log segments to free up space if we are using the "delete" retention policy. This represents
    /// an SLA on how soon consumers must read their data. If set to -1, no time limit is applied.
    /// Additionally, retention.ms configuration operates independently of "segment.ms" and
    /// "segment.bytes" configurations. Moreover, it triggers the rolling of new segment if the
    /// retention.ms condition is satisfied.
    "retention.ms": i64 = "604800000", "log.retention.ms", AtLeast(-1);
    /// The largest record batch size allowed by Kafka (after compression if compression is
    /// enabled).
    "max.message.bytes": i32 = "1048588", "message.max.bytes", AtLeast(0);
    /// This setting controls how frequently Kafka adds entries to its offset index and,
    /// conditionally, to its time index. The default setting ensures that we index a message
    /// roughly every 4096 bytes. More frequent indexing allows reads to jump closer to the exact
    /// position in the log but results in larger index files. You probably don't need to change
    /// this. Note: the time index will be inserted only when the timestamp is greater than the last
    /// indexed timestamp.
    "index.interval.bytes": i32 = "4096", "log.index.interval.bytes", AtLeast(0);
    /// The amount of time to retain delete tombstone markers for log compacted topics. This setting
    /// also gives a bound on the time in which a consumer must complete a read if they begin from
    /// offset 0 to ensure that they get a valid snapshot of the final stage (otherwise delete
    /// tombstones may be collected before they complete their scan).
    "delete.retention.ms": i64 = "86400000", "log.cleaner.delete.retention.ms", AtLeast(0);
    /// The minimum time a message will remain uncompacted in the log. Only applicable for logs that
    /// are being compacted.
    "min.compaction.lag.ms": i64 = "0", "log.cleaner.min.compaction.lag.ms", AtLeast(0);
    /// The maximum time a message will remain ineligible for compaction in the log. Only applicable
    /// for logs that are being compacted.
    "max.compaction.lag.ms": i64 =
        "9223372036854775807", "log.cleaner.max.compaction.lag.ms", AtLeast(1);
    /// The time to wait before deleting a file from the filesystem
    "file.delete.delay.ms": i64 = "60000", "log.segment.delete.delay.ms", AtLeast(0);
    /// This configuration controls how frequently the log compactor will attempt to clean the log
    /// (assuming log compaction is enabled). By default we will avoid cleaning a log where more
    /// than 50% of the log has been compacted. This ratio bounds the maximum space wasted in the
    /// log by duplicates (at 50% at most 50% of the log could be duplicates). A higher ratio will
    /// mean fewer, more efficient cleanings but will mean more wasted space in the log. If the
    /// max.compaction.lag.ms or the min.compaction.lag.ms configurations are also specified, then
    /// the log compactor considers the log to be eligible for compaction as soon as either: (i) the
    /// dirty ratio threshold has been met and the log has had dirty (uncompacted) records for at
    /// least the min.compaction.lag.ms duration, or (ii) if the log has had dirty (uncompacted)
    /// records for at most the max.compaction.lag.ms period.
    "min.cleanable.dirty.ratio": f64 = "0.5", "log.cleaner.min.cleanable.ratio", Between(0.0, 1.0);
    /// This config designates the retention policy to use on log segments. The "delete" policy
    /// (which is the default) will discard old segments when their retention time or size limit has
    /// been reached. The "compact" policy will enable log compaction , which retains the latest
    /// value for each key. It is also possible to specify both policies in a comma-separated list
    /// (e.g. "delete,compact"). In this case, old segments will be discarded per the retention time
    /// and size configuration, while retained segments will be compacted. An empty list means
    /// infinite retention - no cleanup policies will be applied and log segments will be retained
    /// indefinitely. Note that with remote storage enabled, local retention limits
    /// (log.local.retention.ms and log.local.retention.bytes) are still applied to local segments.
    "cleanup.policy": Vec<String> = "delete", "log.cleanup.policy", ListOf(&["compact", "delete"]);
    /// Indicates whether to enable replicas not in the ISR set to be elected as leader as a last
    /// resort, even though doing so may result in data loss. Note: In KRaft mode, when enabling
    /// this config dynamically, it needs to wait for the unclean leader electionthread to trigger
    /// election periodically (default is 5 minutes). Please run `kafka-leader-election.sh` with
    /// `unclean` option to trigger the unclean leader election immediately if needed.
    "unclean.leader.election.enable": bool = "false", "unclean.leader.election.enable";
    /// Specifies the minimum number of in-sync replicas (including the leader) required for a write
    /// to succeed when a producer sets `acks` to "all" (or "-1"). In the `acks=all` case, every
    /// in-sync replica must acknowledge a write for it to be considered successful. E.g., if a
    /// topic has `replication.factor` of 3 and the ISR set includes all three replicas, then all
    /// three replicas must acknowledge an `acks=all` write for it to succeed, even if
    /// `min.insync.replicas` happens to be less than 3. If `acks=all` and the current ISR set
    /// contains fewer than `min.insync.replicas` members, then the producer will raise an exception
    /// (either `NotEnoughReplicas` or `NotEnoughReplicasAfterAppend`). Regardless of the `acks`
    /// setting, the messages will not be visible to the consumers until they are replicated to all
    /// in-sync replicas and the `min.insync.replicas` condition is met. When used together,
    /// `min.insync.replicas` and `acks` allow you to enforce greater durability guarantees. A
    /// typical scenario would be to create a topic with a replication factor of 3, set
    /// `min.insync.replicas` to 2, and produce with `acks` of "all". This ensures that a majority
    /// of replicas must persist a write before it's considered successful by the producer and it's
    /// visible to consumers. Note that when the Eligible Leader Replicas feature is enabled, the
    /// semantics of this config changes. Please refer to the ELR section for more info.
    "min.insync.replicas": i32 = "1", "min.insync.replicas", AtLeast(1);
    /// Specify the final compression type for a given topic. This configuration accepts the
    /// standard compression codecs ('gzip', 'snappy', 'lz4', 'zstd'). It additionally accepts
    /// 'uncompressed' which is equivalent to no compression; and 'producer' which means retain the
    /// original compression codec set by the producer.
    "compression.type": String =
        "producer",
        "compression.type", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
    /// The compression level to use if compression.type is set to `gzip`.
    "compression.gzip.level": i32 = "-1", "compression.gzip.level", GzipLevel;
    /// The compression level to use if compression.type is set to `lz4`.
    "compression.lz4.level": i32 = "9", "compression.lz4.level", Between(1.0, 17.0);
    /// The compression level to use if compression.type is set to `zstd`.
    "compression.zstd.level": i32 = "3", "compression.zstd.level", Between(-131072.0, 22.0);
    /// True if we should preallocate the file on disk when creating a new log segment.
    "preallocate": bool = "false", "log.preallocate";
    /// Define whether the timestamp in the message is message create time or log append time.
    "message.timestamp.type": String =
        "CreateTime", "log.message.timestamp.type", OneOf(&["CreateTime", "LogAppendTime"]);
    /// This configuration sets the allowable timestamp difference between the broker's timestamp
    /// and the message timestamp. The message timestamp can be earlier than or equal to the
    /// broker's timestamp, with the maximum allowable difference determined by the value set in
    /// this configuration. If message.timestamp.type=CreateTime, the message will be rejected if
    /// the difference in timestamps exceeds this specified threshold. This configuration is ignored
    /// if message.timestamp.type=LogAppendTime.
    "message.timestamp.before.max.ms": i64 =
        "9223372036854775807", "log.message.timestamp.before.max.ms", AtLeast(0);
    /// This configuration sets the allowable timestamp difference between the message timestamp and
    /// the broker's timestamp. The message timestamp can be later than or equal to the broker's
    /// timestamp, with the maximum allowable difference determined by the value set in this
    /// configuration. If message.timestamp.type=CreateTime, the message will be rejected if the
    /// difference in timestamps exceeds this specified threshold. This configuration is ignored if
    /// message.timestamp.type=LogAppendTime.
    "message.timestamp.after.max.ms": i64 =
        "3600000", "log.message.timestamp.after.max.ms", AtLeast(0);
    /// A list of replicas for which log replication should be throttled on the leader side. The
    /// list should describe a set of replicas in the form
    /// [PartitionId]:[BrokerId],[PartitionId]:[BrokerId]:... or alternatively the wildcard '*' can
    /// be used to throttle all replicas for this topic.
    "leader.replication.throttled.replicas": Vec<String> = "", null, ThrottledReplicas
        => NoEffect(ALONE);
    /// A list of replicas for which log replication should be throttled on the follower side. The
    /// list should describe a set of replicas in the form
    /// [PartitionId]:[BrokerId],[PartitionId]:[BrokerId]:... or alternatively the wildcard '*' can
    /// be used to throttle all replicas for this topic.
    "follower.replication.throttled.replicas": Vec<String> = "", null, ThrottledReplicas
        => NoEffect(ALONE);
    /// To enable tiered storage for a topic, set this configuration to true. To disable tiered
    /// storage for a topic that has it enabled, set this configuration to false. When disabling,
    /// you must also set `remote.log.delete.on.disable` to true.
    "remote.storage.enable": bool = "false", null;
    /// The number of milliseconds to keep the local log segment before it gets deleted. Default
    /// value is -2, it represents `retention.ms` value is to be used. The effective value should
    /// always be less than or equal to `retention.ms` value.
    "local.retention.ms": i64 = "-2", "log.local.retention.ms", AtLeast(-2) => NoEffect(REMOTE);
    /// The maximum size of local log segments that can grow for a partition before it deletes the
    /// old segments. Default value is -2, it represents `retention.bytes` value to be used. The
    /// effective value should always be less than or equal to `retention.bytes` value.
    "local.retention.bytes": i64 = "-2", "log.local.retention.bytes", AtLeast(-2)
        => NoEffect(REMOTE);
    /// Determines whether tiered data for a topic should become read only, and no more data
    /// uploading on a topic. Once this config is set to true, the local retention configuration
    /// (i.e. local.retention.ms/bytes) becomes irrelevant, and all data expiration follows the
    /// topic-wide retention configuration(i.e. retention.ms/bytes).
    "remote.log.copy.disable": bool = "false", null => NoEffect(REMOTE);
    /// Determines whether tiered data for a topic should be deleted after tiered storage is
    /// disabled on a topic. This configuration should be enabled when trying to set
    /// `remote.storage.enable` from true to false
    "remote.log.delete.on.disable": bool = "false", null => NoEffect(REMOTE);
    /// The maximum size of a single log file. This should be used for testing only.
    "internal.segment.bytes": Option<i32> = null, null;
}
