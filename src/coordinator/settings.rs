//! The settings that the group coordinator goes by, taken from the broker's in one place.

use crate::config::Config;

/// Kafka's `group.*` and `offsets.*` settings (GroupCoordinatorConfig).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "named as the settings that they are")]
pub struct GroupSettings {
    pub group_min_session_timeout_ms: i32,
    pub group_max_session_timeout_ms: i32,
    pub group_initial_rebalance_delay_ms: i32,
    pub group_max_size: i32,
    /// How long a member that has no id yet may wait for its rebalance (not a setting of Kafka's).
    pub new_member_join_timeout_ms: i32,
    pub offset_metadata_max_bytes: i32,
    pub offsets_retention_minutes: i32,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_commit_timeout_ms: i32,
    pub offsets_load_buffer_size: i32,
    pub offsets_topic_num_partitions: i32,
    pub offsets_topic_segment_bytes: i32,
    pub offsets_topic_replication_factor: i16,
}

impl GroupSettings {
    /// `offsets.retention.minutes` in milliseconds.
    pub fn offsets_retention_ms(&self) -> i64 {
        i64::from(self.offsets_retention_minutes) * 60_000
    }
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_initial_rebalance_delay_ms: 3_000,
            group_max_size: i32::MAX,
            new_member_join_timeout_ms: 300_000,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_minutes: 7 * 24 * 60,
            offsets_retention_check_interval_ms: 600_000,
            offsets_commit_timeout_ms: 5_000,
            offsets_load_buffer_size: 5 * 1024 * 1024,
            offsets_topic_num_partitions: 50,
            offsets_topic_segment_bytes: 100 * 1024 * 1024,
            offsets_topic_replication_factor: 3,
        }
    }
}

impl From<&Config> for GroupSettings {
    fn from(_: &Config) -> GroupSettings {
        GroupSettings::default()
    }
}
