//! A common rate limit for background copying (Throttler).

use crate::error::Result;
use crate::sync::lock;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a waiting thread checks whether it should go on.
const LOOK: Duration = Duration::from_millis(100);

/// Lets bytes pass at a limited rate, which the caller names.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Rate>);

#[derive(Debug, Default)]
struct Rate {
    bytes_per_second: f64,
    /// When everything passed so far is within the rate.
    free_at: Option<Instant>,
}

impl Throttle {
    /// Waits until `bytes` more bytes are within `rate`, in bytes per second on average. The wait
    /// ends when the rate changes, or with an error from `look`.
    pub fn wait(
        &self,
        bytes: u64,
        rate: impl Fn() -> f64,
        look: impl Fn() -> Result<()>,
    ) -> Result<()> {
        look()?;
        let (now, bytes_per_second) = (Instant::now(), rate());
        let cost = Duration::try_from_secs_f64(bytes as f64 / bytes_per_second);
        let cost = cost.unwrap_or(Duration::from_secs(u32::MAX.into()));
        if cost < Duration::from_micros(1) {
            return Ok(());
        }
        let until = self.pay(bytes_per_second, now, cost);
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
            && rate() == bytes_per_second
        {
            std::thread::sleep(left.min(LOOK));
            look()?;
        }
        Ok(())
    }

    /// Adds `cost` to what has passed at this rate; returns when all of it is within the rate.
    fn pay(&self, bytes_per_second: f64, now: Instant, cost: Duration) -> Instant {
        let mut state = lock(&self.0);
        if state.bytes_per_second != bytes_per_second {
            *state = Rate { bytes_per_second, free_at: None };
        }
        let until = state.free_at.unwrap_or(now).max(now) + cost;
        state.free_at = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn bytes_pass_at_the_rate_and_a_wait_can_be_ended() {
        let begin = Instant::now();
        let free = Throttle::default();
        (0..1000).for_each(|_| free.wait(u64::MAX >> 1, || f64::MAX, || Ok(())).unwrap());
        assert!(begin.elapsed() < Duration::from_millis(50));
        let slow = Throttle::default();
        (0..5).for_each(|_| slow.wait(10_000, || 1e6, || Ok(())).unwrap());
        assert!(begin.elapsed() >= Duration::from_millis(50));
        let looks = std::cell::Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            if looks.get() < 3 { Ok(()) } else { Err(Error::Closed) }
        };
        let ended = Throttle::default().wait(1, || 0.0, look);
        assert!(ended.is_err() && looks.get() == 3);
    }

    #[test]
    fn a_new_rate_counts_for_those_who_wait() {
        let (throttle, is_fast) = (Throttle::default(), AtomicBool::new(false));
        let rate = || if is_fast.load(Ordering::Relaxed) { 1e9 } else { 0.001 };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| throttle.wait(1000, rate, || Ok(())));
            std::thread::sleep(Duration::from_millis(20));
            is_fast.store(true, Ordering::Relaxed);
            waiting.join().unwrap().unwrap();
        });
        let begin = Instant::now();
        throttle.wait(1_000_000, rate, || Ok(())).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(5), "the old rate's debt is forgotten");
    }
}
