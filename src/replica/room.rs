//! What happens when a disk is full, and when it has room again.

use super::Replicas;
use crate::metadata::Image;
use crate::types::Timestamp;

impl Replicas {
    /// Checks the room in all log directories; called a few times a second. While a disk is full,
    /// retention runs at once and deleted files go without waiting for `file.delete.delay.ms`. Once
    /// there is room again, logs that could not be opened are.
    pub fn watch_room(&self, image: &Image) {
        let (mut is_full, mut is_healed) = (false, false);
        for dir in self.logs.online_dirs() {
            let was_full = dir.is_full();
            match dir.look_for_room() {
                Ok(true) => is_healed |= was_full,
                Ok(false) => is_full = true,
                Err(error) => tracing::warn!(%error, "looking for room failed"),
            }
        }
        if is_full {
            self.make_room();
        }
        if is_healed {
            self.open_missed(image);
        }
    }

    fn make_room(&self) {
        let now = self.clock.now();
        for partition in self.all().iter().filter(|partition| partition.dir().is_full()) {
            let cleaned = partition.clean_up(now).and_then(|_| partition.empty_trash());
            if let Err(error) = cleaned {
                tracing::warn!(partition = %partition.topic_partition(), %error, "clean-up failed");
            }
        }
        if let Err(error) = self.logs.observe(self.logs.run_deletes(Timestamp::MAX)) {
            tracing::warn!(%error, "removing deleted logs failed");
        }
    }
}
