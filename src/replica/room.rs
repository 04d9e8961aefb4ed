//! What happens when a disk is full, and when it has room again.

use super::{Hosted, Replicas};
use crate::metadata::Image;
use crate::types::{Timestamp, TopicIdPartition};

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

    /// Whether a disk is full and other brokers had better lead what is on it: they have some of it in
    /// sync, and of nothing that was replicated is this one the last replica in sync.
    pub fn should_hand_over(&self, image: &Image) -> bool {
        if !self.logs.online_dirs().any(|dir| dir.is_full()) {
            return false;
        }
        let id = self.config.get().node_id;
        let (mut is_elsewhere, mut is_last) = (false, false);
        for TopicIdPartition { topic_id, partition } in self.without_room() {
            let Some(known) = image.topics.partition(topic_id, partition) else { continue };
            let others = known.isr.iter().any(|one| *one != id);
            is_elsewhere |= others;
            let is_ours = known.isr.contains(&id) || known.elr.contains(&id);
            is_last |= known.replicas.len() > 1 && is_ours && !others;
        }
        is_elsewhere && !is_last
    }

    /// The partitions on full disks.
    fn without_room(&self) -> Vec<TopicIdPartition> {
        let is_full = |hosted: &Hosted| match hosted {
            Hosted::Online(partition) => partition.dir().is_full(),
            Hosted::NoRoom => true,
            Hosted::Offline => false,
        };
        let hosted = self.hosted();
        hosted.iter().filter(|(_, one)| is_full(one)).map(|(id, _)| *id).collect()
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
