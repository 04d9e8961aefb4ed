//! The controller's thread: it takes all waiting requests, makes them durable with one fsync, and
//! ticks.

use super::client::{Finish, Jobs};
use super::state::ControllerState;
use crate::metadata::{Image, Published};
use arc_swap::ArcSwap;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::error;

/// The most requests that share one fsync.
const GROUP_LENGTH: usize = 500;
/// How often the thread checks whether a NoOp record or a snapshot is due.
const TICK: Duration = Duration::from_millis(100);

/// Serves until no client is left: a group of jobs, one fsync, one published step, the answers.
pub(super) fn run(
    state: &mut ControllerState,
    jobs: &Jobs,
    published: &mpsc::Sender<Published>,
    image: &ArcSwap<Image>,
) {
    let mut next_tick = Instant::now() + TICK;
    loop {
        let first = match jobs.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            if state.check().is_ok()
                && let Err(error) = state.tick()
            {
                error!(%error, "the metadata log failed");
            }
        }
        let mut group: Vec<Finish> = first.into_iter().map(|job| job(state)).collect();
        while group.len() < GROUP_LENGTH
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job(state));
        }
        let durable = match state.flush() {
            Ok(step) => {
                if let Some(step) = step {
                    image.store(step.image.clone());
                    // Nobody receives it any more: the broker is stopping.
                    let _ = published.blocking_send(step);
                }
                true
            }
            Err(_) => false,
        };
        for finish in group {
            finish(durable);
        }
    }
}
