//! The signals that end the broker.

use crate::error::{Error, Result};
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals this soon after the first belong to the same stop: `timeout` signals a process and then
/// its group, systemd may send SIGTERM and SIGHUP, and a wrapper passes on the terminal's signal.
const ONE_STOP: Duration = Duration::from_millis(500);

/// The signals that stop the broker, as in Kafka.
const NAMES: [(&str, SignalKind); 3] = [
    ("SIGTERM", SignalKind::terminate()),
    ("SIGINT", SignalKind::interrupt()),
    ("SIGHUP", SignalKind::hangup()),
];

/// Listeners for these signals.
pub(super) struct Signals(Vec<(&'static str, Signal)>);

impl Signals {
    /// Begins to listen. Signals that the parent process made this one ignore stay ignored, so that
    /// `nohup` works.
    pub fn listen() -> Result<Signals> {
        let ignored = ignored();
        let heeded = NAMES.iter().filter(|(_, kind)| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
        let listened = heeded.map(|(name, kind)| {
            let listened = signal(*kind)
                .map_err(|error| Error::Config(format!("cannot listen for {name}: {error}")));
            Ok((*name, listened?))
        });
        listened.collect::<Result<_>>().map(Signals)
    }

    /// The next signal that does not belong to the same stop as the one just received.
    pub async fn next_stop(&mut self) -> &'static str {
        let first = Instant::now();
        loop {
            let name = self.next().await;
            if first.elapsed() >= ONE_STOP {
                return name;
            }
        }
    }

    pub async fn next(&mut self) -> &'static str {
        poll_fn(|context| {
            for (name, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*name);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The signals that this process ignores, as a bit mask; none if the system does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
