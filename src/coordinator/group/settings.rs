//! What a group's settings come to (GroupConfigManager).

use super::shard::Shard;
use crate::metadata::{BROKER_CONFIG, GROUP_CONFIG};

impl Shard {
    /// A setting of a group that is a number, such as `streams.session.timeout.ms`.
    pub(super) fn group_setting(&self, group: &str, name: &str) -> i32 {
        let of_group = self.image.configs_of(GROUP_CONFIG, group);
        let of_cluster = self.image.configs_of(BROKER_CONFIG, "");
        self.config.group_i32(name, &of_group, &of_cluster)
    }
}
