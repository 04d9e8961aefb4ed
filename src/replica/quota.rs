//! The limits of replication (ReplicationQuotaManager): how many bytes per second the leaders on
//! this broker may send and its followers may fetch, for the replicas that their topic names. A
//! follower that has caught up is never held back.

use super::partition::Partition;
use crate::config::LiveConfig;
use crate::sync::lock;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Whose bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those that leaders on this broker send.
    Leaders,
    /// Those that followers on this broker fetch.
    Followers,
}

/// The bytes of the last seconds, beside their limit.
#[derive(Debug)]
pub struct Quota {
    side: Side,
    config: LiveConfig,
    /// The bytes from each of these moments on, oldest first.
    samples: Mutex<VecDeque<(Instant, u64)>>,
}

impl Quota {
    /// Without any bytes so far.
    pub fn new(side: Side, config: LiveConfig) -> Quota {
        Quota { side, config, samples: Mutex::default() }
    }

    /// The limit in bytes per second; None if there is none.
    fn limit(&self) -> Option<i64> {
        let config = self.config.get();
        match self.side {
            Side::Leaders => config.dynamic_number("leader.replication.throttled.rate"),
            Side::Followers => config.dynamic_number("follower.replication.throttled.rate"),
        }
    }

    /// Whether there is a limit at all.
    pub fn has_limit(&self) -> bool {
        self.limit().is_some()
    }

    /// Whether the limit, if there is one, is for this broker's replica of a partition.
    pub fn is_for(&self, partition: &Partition) -> bool {
        let node_id = self.config.get().node_id;
        let config = partition.config();
        let throttled = match self.side {
            Side::Leaders => &config.leader_throttled,
            Side::Followers => &config.follower_throttled,
        };
        throttled.has(partition.index(), node_id)
    }

    /// Counts bytes of replicas that the limit is for.
    pub fn record(&self, bytes: usize, now: Instant) {
        let (samples_max, window) = self.windows();
        let mut samples = lock(&self.samples);
        match samples.back_mut() {
            Some((begin, sum)) if now.saturating_duration_since(*begin) < window => {
                *sum += bytes as u64;
            }
            _ => samples.push_back((now, bytes as u64)),
        }
        if samples.len() > samples_max {
            samples.pop_front();
        }
    }

    /// Whether more bytes than allowed have passed in the last seconds.
    pub fn is_exceeded(&self, now: Instant) -> bool {
        let Some(limit) = self.limit() else { return false };
        let (samples_max, window) = self.windows();
        let span = window.saturating_mul(samples_max as u32);
        let mut samples = lock(&self.samples);
        while samples
            .front()
            .is_some_and(|(begin, _)| now.saturating_duration_since(*begin) >= span)
        {
            samples.pop_front();
        }
        let Some((begin, _)) = samples.front() else { return false };
        let seconds = now.saturating_duration_since(*begin).max(window).as_secs_f64();
        let bytes: u64 = samples.iter().map(|(_, sum)| sum).sum();
        bytes as f64 / seconds > limit as f64
    }

    /// How many samples are kept, and how long each takes.
    fn windows(&self) -> (usize, Duration) {
        let config = self.config.get();
        let seconds = config.replication_quota_window_size_seconds.max(1).unsigned_abs();
        let samples = config.replication_quota_window_num.max(1).unsigned_abs();
        (samples as usize, Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::collections::BTreeMap;

    #[test]
    fn a_rate_above_the_limit_is_exceeded_until_it_has_fallen() {
        let properties = BTreeMap::from([("node.id".to_owned(), "1".to_owned())]);
        let config = Config::new(properties).unwrap();
        let quota = Quota::new(Side::Followers, LiveConfig::from(config.clone()));
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        quota.record(1 << 30, begin);
        assert!(!quota.is_exceeded(begin) && !quota.has_limit());
        let limits =
            BTreeMap::from([("follower.replication.throttled.rate".to_owned(), "1000".to_owned())]);
        let (config, _) = config.with_dynamic(&limits, &BTreeMap::new());
        let quota = Quota::new(Side::Followers, LiveConfig::from(config));
        quota.record(1000, begin);
        assert!(!quota.is_exceeded(begin), "the first second is whole");
        quota.record(2000, after(500));
        assert!(quota.is_exceeded(after(500)));
        assert!(quota.is_exceeded(after(2900)));
        assert!(!quota.is_exceeded(after(3100)), "3000 bytes in more than 3 seconds");
        quota.record(9000, after(4000));
        assert!(quota.is_exceeded(after(10_900)));
        assert!(!quota.is_exceeded(after(20_000)), "all samples are too old");
    }
}
