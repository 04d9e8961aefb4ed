//! The settings of a share group: its own, else the broker's.

use super::partition::ShareSettings;
use crate::config::{Config, OffsetReset};
use crate::metadata::features::SHARE_VERSION;
use crate::metadata::{GROUP_CONFIG, Image};
use crate::types::Isolation;

/// From this level of `share.version` on there are dead letters.
const DEAD_LETTERS: i16 = 2;

/// What the settings of a share group say to the leaders of its share partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// How records are delivered.
    pub records: ShareSettings,
    /// `share.isolation.level`.
    pub isolation: Isolation,
    /// `share.auto.offset.reset`.
    pub reset: OffsetReset,
}

impl GroupSettings {
    /// The settings in effect for a group.
    pub fn of(group: &str, image: &Image, config: &Config) -> GroupSettings {
        let own = image.configs_of(GROUP_CONFIG, group);
        let number = |name| config.group_i32(name, &own);
        let text = |name| config.group_text(name, &own);
        let limit = number("share.delivery.count.limit");
        GroupSettings {
            records: ShareSettings {
                max_record_locks: number("share.partition.max.record.locks"),
                delivery_count_limit: i16::try_from(limit).unwrap_or(i16::MAX),
                lock_duration_ms: number("share.record.lock.duration.ms"),
                may_renew: text("share.renew.acknowledge.enable") == "true",
                keeps_dead_letters: image.feature(SHARE_VERSION) >= DEAD_LETTERS
                    && config.dead_letters(&own).is_some(),
            },
            isolation: match text("share.isolation.level").as_str() {
                "read_committed" => Isolation::Committed,
                _ => Isolation::HighWatermark,
            },
            reset: OffsetReset::parse(&text("share.auto.offset.reset"))
                .unwrap_or(OffsetReset::Latest),
        }
    }
}
