//! The settings of a topic (LogConfig, TopicConfig). Those that the topic does not set are taken
//! from the broker.

use super::definition::Check::*;
use super::definition::Value;
use super::effect::Effect::NoEffect;
use super::effect::*;
use super::{Config, Setting, resource_settings};
use crate::error::{Error, Result};
use crate::types::BrokerId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A topic's effective settings (LogConfig), made by [`Config::topic`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the table below documents each of them")]
pub struct TopicConfig {
    /// `segment.bytes`, or `internal.segment.bytes` if set, with which tests make small segments.
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
    /// Whether `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// Whether `cleanup.policy` contains `delete`.
    pub delete: bool,
    pub min_insync_replicas: i32,
    /// `compression.type`; None is `producer`.
    pub compression: Option<Compression>,
    /// Whether `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub preallocate: bool,
    pub unclean_leader_election_enable: bool,
    pub errors_deadletterqueue_group_enable: bool,
    /// `leader.replication.throttled.replicas`.
    pub leader_throttled: Throttled,
    /// `follower.replication.throttled.replicas`.
    pub follower_throttled: Throttled,
    /// The broker's `producer.id.expiration.ms`, which topics cannot set.
    pub producer_id_expiration_ms: i64,
}

/// The replicas of a topic that a limit of replication is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttled(Vec<String>);

impl Throttled {
    /// Whether the replica of a partition on this broker is among them.
    pub fn has(&self, partition: i32, broker: BrokerId) -> bool {
        let is_it = |pair: &String| {
            let (index, id) = pair.split_once(':')?;
            Some(index.parse() == Ok(partition) && id.parse() == Ok(broker))
        };
        self.0.iter().any(|one| one == "*" || is_it(one) == Some(true))
    }
}

/// A `compression.type` other than `producer`, with its level if Kafka has levels for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of codecs")]
pub enum Compression {
    Uncompressed,
    Gzip { level: i32 },
    Snappy,
    Lz4 { level: i32 },
    Zstd { level: i32 },
}

impl Compression {
    /// The codec with this id at its default level, as the settings of internal topics name it.
    pub fn of_codec(id: i32) -> Compression {
        match id {
            1 => Compression::Gzip { level: -1 },
            2 => Compression::Snappy,
            3 => Compression::Lz4 { level: 9 },
            4 => Compression::Zstd { level: 3 },
            _ => Compression::Uncompressed,
        }
    }
}

/// The topic setting with this name.
pub(super) fn topic_setting(name: &str) -> Option<&'static Setting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.name == name)
}

impl Config {
    /// The effective settings of a topic that sets `overrides` (name -> value). An unknown name or
    /// an invalid value is an `Error::Config` (INVALID_CONFIG) with Kafka's message.
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

/// The settings of a topic and, below them, of its broker.
pub(super) struct TopicValues<'a> {
    pub(super) config: &'a Config,
    pub(super) overrides: &'a BTreeMap<String, String>,
}

impl TopicValues<'_> {
    /// The text of a setting that is in effect; None is null.
    pub(super) fn get(&self, setting: &Setting) -> Option<String> {
        if let Some(value) = self.overrides.get(setting.name) {
            return Some(value.clone());
        }
        let config = self.config;
        // For each of these four the broker has more than one setting.
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
                "min.compaction.lag.ms={min} is above max.compaction.lag.ms={max}: compaction would \
                 be too late before it may begin"
            )));
        }
        Ok(())
    }

    fn check_remote_storage(&self) -> Result<()> {
        if self.value("remote.storage.enable") && !self.config.remote_log_storage_system_enable {
            return Err(Error::Config(
                "remote.storage.enable=true: this broker has no tiered storage".to_owned(),
            ));
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
            errors_deadletterqueue_group_enable: self.value("errors.deadletterqueue.group.enable"),
            leader_throttled: Throttled(self.value("leader.replication.throttled.replicas")),
            follower_throttled: Throttled(self.value("follower.replication.throttled.replicas")),
            producer_id_expiration_ms: i64::from(self.config.producer_id_expiration_ms),
        }
    }
}

resource_settings! {
    /// All settings of a topic.
    TOPIC_SETTINGS
    /// Size in bytes at which a partition of the topic starts a new segment; no batch may be
    /// larger. Deletion and compaction work on whole segments, so smaller ones free space sooner
    /// but make more files.
    "segment.bytes": i32 = "1073741824", "log.segment.bytes", AtLeast(1048576);
    /// Age in milliseconds at which a partition of the topic starts a new segment even if the last
    /// one is not full. Lower it if the topic is so quiet that records far outlive `retention.ms`.
    "segment.ms": i64 = "604800000", "log.roll.ms", AtLeast(1);
    /// Random reduction of `segment.ms` for each segment, up to this many milliseconds, so that not
    /// all partitions roll at once. Set it if that shows as regular load on the disk.
    "segment.jitter.ms": i64 = "0", "log.roll.jitter.ms", AtLeast(0);
    /// Size in bytes that a segment's index may reach before the segment counts as full. Rarely
    /// needs changing.
    "segment.index.bytes": i32 = "10485760", "log.index.size.max.bytes", AtLeast(4);
    /// Number of records in a partition after which producers wait for an fsync. With 1, no
    /// acknowledged record is lost if the machine fails, but writes are only as fast as the disk.
    /// By default the system decides when to write.
    "flush.messages": i64 = "9223372036854775807", "log.flush.interval.messages", AtLeast(1);
    /// How many milliseconds a record may wait for an fsync; checked only every
    /// `log.flush.scheduler.interval.ms`, so set that too. It limits what a failing machine can
    /// lose.
    "flush.ms": i64 = "9223372036854775807", "log.flush.interval.ms", AtLeast(0);
    /// Bytes of recent records that each partition of the topic may keep under
    /// `cleanup.policy=delete`; older segments are deleted early. -1 means only time counts. The
    /// whole topic takes this times its partitions.
    "retention.bytes": i64 = "-1", "log.retention.bytes";
    /// How many milliseconds records are kept under `cleanup.policy=delete`, judged by a segment's
    /// latest timestamp; -1 means forever. Set it to how far back consumers need to read.
    "retention.ms": i64 = "604800000", "log.retention.ms", AtLeast(-1);
    /// Largest batch of records in bytes, as sent by the producer and after compression; a larger
    /// one is refused with `MESSAGE_TOO_LARGE`. Raise it for topics with large records, together
    /// with `max.request.size` of their producers.
    "max.message.bytes": i32 = "1048588", "message.max.bytes", AtLeast(0);
    /// Bytes of records between two entries of a segment's index. A smaller number makes finding
    /// offsets cheaper and indexes larger.
    "index.interval.bytes": i32 = "4096", "log.index.interval.bytes", AtLeast(0);
    /// How many milliseconds compaction keeps tombstones (records without a value, which delete
    /// their key), so that readers still see them. Raise it if reading the whole topic takes
    /// longer.
    "delete.retention.ms": i64 = "86400000", "log.cleaner.delete.retention.ms", AtLeast(0);
    /// How many milliseconds a record is safe from compaction, so that readers close behind see
    /// every value.
    "min.compaction.lag.ms": i64 = "0", "log.cleaner.min.compaction.lag.ms", AtLeast(0);
    /// Milliseconds after which a record is compacted even if little of its partition is new;
    /// segments roll in time for it. Set it if data must be gone by a deadline; must not be below
    /// `min.compaction.lag.ms`.
    "max.compaction.lag.ms": i64 =
        "9223372036854775807", "log.cleaner.max.compaction.lag.ms", AtLeast(1);
    /// How many milliseconds the files of deleted segments, or of the deleted topic, are kept under
    /// another name. Lower it to free space sooner.
    "file.delete.delay.ms": i64 = "60000", "log.segment.delete.delay.ms", AtLeast(0);
    /// Share of a partition's bytes, from 0 to 1, that must be new before it is compacted, unless
    /// `max.compaction.lag.ms` requires it earlier. Lower values save space but cost more I/O.
    "min.cleanable.dirty.ratio": f64 = "0.5", "log.cleaner.min.cleanable.ratio", Between(0.0, 1.0);
    /// What happens to old records: `delete` drops segments by `retention.ms` and
    /// `retention.bytes`, `compact` keeps the last record of each key, and the two can be combined.
    /// If empty, everything is kept; a compacted topic refuses records without a key.
    "cleanup.policy": Vec<String> = "delete", "log.cleanup.policy", ListOf(&["compact", "delete"]);
    /// Whether an out-of-sync replica may become leader if no other is left: the partition is
    /// available again but may have lost records. Use `true` only for topics where availability
    /// matters more than keeping every record.
    "unclean.leader.election.enable": bool = "false", "unclean.leader.election.enable";
    /// Writes with `acks=all` are refused if fewer replicas are in sync; a partition with fewer
    /// replicas needs them all. Use 2 with three replicas, so that acknowledged records survive the
    /// loss of one.
    "min.insync.replicas": i32 = "1", "min.insync.replicas", AtLeast(1);
    /// How batches are stored: `producer` keeps them as they arrive; with `uncompressed`, `gzip`,
    /// `snappy`, `lz4` or `zstd` the broker recompresses all others. That costs CPU on every
    /// append, so prefer compression in the producers.
    "compression.type": String =
        "producer",
        "compression.type", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
    /// Level at which the broker compresses with gzip, from 1 (fast) to 9 (small); -1 is the
    /// library's default. Only used with `compression.type=gzip`.
    "compression.gzip.level": i32 = "-1", "compression.gzip.level", GzipLevel;
    /// Level at which the broker compresses with lz4, from 1 (fast) to 17 (small). Only used with
    /// `compression.type=lz4`.
    "compression.lz4.level": i32 = "9", "compression.lz4.level", Between(1.0, 17.0);
    /// Level at which the broker compresses with zstd: 22 gives the smallest batches, negative
    /// levels are the fastest. Only used with `compression.type=zstd`.
    "compression.zstd.level": i32 = "3", "compression.zstd.level", Between(-131072.0, 22.0);
    /// Whether disk space for a new segment is reserved when it is created; the file does not
    /// appear larger. It avoids fragmentation and reveals a full disk early.
    "preallocate": bool = "false", "log.preallocate";
    /// Which timestamp records get: the producer's (`CreateTime`) or the broker's at the append
    /// (`LogAppendTime`). Use the latter if producers' clocks cannot be trusted, because retention
    /// depends on it.
    "message.timestamp.type": String =
        "CreateTime", "log.message.timestamp.type", OneOf(&["CreateTime", "LogAppendTime"]);
    /// How many milliseconds a record's timestamp may be behind the broker's clock; older ones are
    /// refused with `INVALID_TIMESTAMP`. Ignored with `LogAppendTime`. Set it to keep out records
    /// that retention would delete at once.
    "message.timestamp.before.max.ms": i64 =
        "9223372036854775807", "log.message.timestamp.before.max.ms", AtLeast(0);
    /// How many milliseconds a record's timestamp may be ahead of the broker's clock; later ones
    /// are refused with `INVALID_TIMESTAMP`, as retention would never delete them. Ignored with
    /// `LogAppendTime`.
    "message.timestamp.after.max.ms": i64 =
        "3600000", "log.message.timestamp.after.max.ms", AtLeast(0);
    /// Whether share groups may write dead letters to this topic: records that they have given up.
    /// It takes effect from `share.version` 2 on.
    "errors.deadletterqueue.group.enable": bool = "false", null;
    /// Replicas that send data to followers no faster than `leader.replication.throttled.rate`, as
    /// `partition:broker` pairs or `*` for all; set by reassignment tools. Followers in the ISR are
    /// never held up.
    "leader.replication.throttled.replicas": Vec<String> = "", null, ThrottledReplicas;
    /// Replicas that fetch data from leaders no faster than `follower.replication.throttled.rate`,
    /// as `partition:broker` pairs or `*` for all; set by reassignment tools.
    "follower.replication.throttled.replicas": Vec<String> = "", null, ThrottledReplicas;
    /// Whether old segments move to tiered storage, which klamm does not have: refused unless
    /// `remote.log.storage.system.enable` is set.
    "remote.storage.enable": bool = "false", null;
    /// Accepted but ignored: how many milliseconds segments of a tiered topic also stay on local
    /// disk. klamm has no tiered storage.
    "local.retention.ms": i64 = "-2", "log.local.retention.ms", AtLeast(-2) => NoEffect(REMOTE);
    /// Accepted but ignored: how many bytes of a tiered partition also stay on local disk. klamm
    /// has no tiered storage.
    "local.retention.bytes": i64 = "-2", "log.local.retention.bytes", AtLeast(-2)
        => NoEffect(REMOTE);
    /// Accepted but ignored: stops uploads of a tiered topic but keeps what is there readable.
    /// klamm has no tiered storage.
    "remote.log.copy.disable": bool = "false", null => NoEffect(REMOTE);
    /// Accepted but ignored: deletes a topic's tiered segments when its tiering is turned off.
    /// klamm has no tiered storage.
    "remote.log.delete.on.disable": bool = "false", null => NoEffect(REMOTE);
    /// Segment size in bytes for tests; it may be smaller than `segment.bytes` allows and overrides
    /// it. Do not set it otherwise.
    "internal.segment.bytes": Option<i32> = null, null;
}
