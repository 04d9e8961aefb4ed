//! A common rate limit for background copying (Throttler).

use crate::error::Result;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a waiting thread checks whether it should go on.
const LOOK: Duration = Duration::from_millis(100);

/// Lets bytes pass at a limited rate.
#[derive(Debug)]
pub struct Throttle(Mutex<State>);

#[derive(Debug)]
struct State {
    bytes_per_second: f64,
    /// When everything passed so far is within the rate.
    free_at: Option<Instant>,
    /// How often the rate was changed.
    changes: u64,
}

impl Throttle {
    /// A limit of `bytes_per_second` on average.
    pub fn new(bytes_per_second: f64) -> Throttle {
        Throttle(Mutex::new(State { bytes_per_second, free_at: None, changes: 0 }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a new rate; a wait for the old rate ends.
    pub fn set_rate(&self, bytes_per_second: f64) {
        let mut state = self.state();
        if state.bytes_per_second != bytes_per_second {
            let changes = state.changes + 1;
            *state = State { bytes_per_second, free_at: None, changes };
        }
    }

    /// Waits until `bytes` more bytes are within the rate. An error from `look` ends the wait.
    pub fn wait(&self, bytes: u64, look: impl Fn() -> Result<()>) -> Result<()> {
        look()?;
        let now = Instant::now();
        let (until, changes) = {
            let mut state = self.state();
            let cost = Duration::try_from_secs_f64(bytes as f64 / state.bytes_per_second);
            let cost = cost.unwrap_or(Duration::from_secs(u32::MAX.into()));
            if cost < Duration::from_micros(1) {
                return Ok(());
            }
            let until = state.free_at.unwrap_or(now).max(now) + cost;
            state.free_at = Some(until);
            (until, state.changes)
        };
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !left.is_zero()
            && self.state().changes == changes
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

    #[test]
    fn a_new_rate_counts_for_those_who_wait() {
        let throttle = Throttle::new(0.001);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| throttle.wait(1000, || Ok(())));
            std::thread::sleep(Duration::from_millis(20));
            throttle.set_rate(f64::MAX);
            waiting.join().unwrap().unwrap();
        });
    }
}
