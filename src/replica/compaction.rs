//! Compacts the logs of this broker, the dirtiest first (LogCleaner.CleanerThread).

use super::Replicas;
use super::partition::Partition;
use crate::log::cleaner::Candidate;
use std::sync::Arc;

impl Replicas {
    /// Cleans one log at a time, the dirtiest first, until none is due, and then applies retention
    /// to compacted logs. Each cleaner thread calls it about every `log.cleaner.backoff.ms`.
    pub fn compact(&self) {
        while self.compact_dirtiest() {}
        let now = self.clock.now();
        for partition in self.all().iter().filter(|partition| partition.config().compact) {
            if let Err(error) = partition.clean_up(now) {
                tracing::warn!(log = %partition.topic_partition(), %error, "clean-up failed");
            }
        }
    }

    /// Returns false if no log is due or the dirtiest could not be cleaned.
    fn compact_dirtiest(&self) -> bool {
        let due = self.all().into_iter().filter_map(|partition| {
            let candidate = self.examine(&partition)?;
            Some((partition, candidate))
        });
        let dirtiness = |(_, candidate): &(_, Candidate)| candidate.dirty_ratio();
        let Some((partition, candidate)) = due.max_by(|a, b| dirtiness(a).total_cmp(&dirtiness(b)))
        else {
            return false;
        };
        let cleaner = self.logs.cleaner();
        let cleaned = cleaner.clean(&candidate, &|| partition.log(), self.clock.now());
        partition.dir().observe(cleaned).unwrap_or_else(|error| {
            tracing::warn!(log = %partition.topic_partition(), %error, "cleaning failed");
            false
        })
    }

    fn examine(&self, partition: &Arc<Partition>) -> Option<Candidate> {
        if !partition.config().compact {
            return None;
        }
        // A closed or offline log is not cleaned.
        let mut log = partition.log().ok()?;
        let examined = self.logs.cleaner().examine(&mut log, self.clock.now());
        partition.dir().observe(examined).unwrap_or_else(|error| {
            tracing::warn!(log = %partition.topic_partition(), %error, "cannot tell if it is dirty");
            None
        })
    }
}
