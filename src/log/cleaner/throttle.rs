//! The rate of all passes together (Throttler).

use crate::error::Result;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A pass that waits looks this often whether it should go on.
const LOOK: Duration = Duration::from_millis(100);

/// Lets bytes through at a rate.
#[derive(Debug)]
pub(super) struct Throttle {
    bytes_per_second: f64,
    /// When what was let through so far is paid for.
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// At most so many bytes a second, on average.
    pub fn new(bytes_per_second: f64) -> Throttle {
        Throttle { bytes_per_second, free_at: Mutex::default() }
    }

    /// Waits until `bytes` more are within the rate; an error of `look` ends it.
    pub fn wait(&self, bytes: u64, look: impl Fn() -> Result<()>) -> Result<()> {
        look()?;
        let cost = Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_second);
        let cost = cost.unwrap_or(Duration::from_secs(u32::MAX.into()));
        if cost < Duration::from_micros(1) {
            return Ok(());
        }
        let now = Instant::now();
        let until = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let until = free_at.unwrap_or(now).max(now) + cost;
            *free_at = Some(until);
            until
        };
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            std::thread::sleep(left.min(LOOK));
            look()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn bytes_pass_at_the_rate_and_a_wait_can_be_ended() {
        let begin = Instant::now();
        let free = Throttle::new(f64::MAX);
        (0..1000).for_each(|_| free.wait(u64::MAX >> 1, || Ok(())).unwrap());
        assert!(begin.elapsed() < Duration::from_millis(50));
        let slow = Throttle::new(1e6);
        (0..5).for_each(|_| slow.wait(10_000, || Ok(())).unwrap());
        assert!(begin.elapsed() >= Duration::from_millis(50));
        let looks = std::cell::Cell::new(0);
        let ended = Throttle::new(0.0).wait(1, || {
            looks.set(looks.get() + 1);
            if looks.get() < 3 { Ok(()) } else { Err(Error::Closed) }
        });
        assert!(ended.is_err() && looks.get() == 3);
    }
}
