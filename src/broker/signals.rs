//! The signals that end the broker.

use crate::error::{Error, Result};
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals within so long of the first one are the same stop: `timeout` signals a process and then
/// its group, systemd may send SIGTERM and SIGHUP, and a wrapper passes on what the terminal sent.
const ONE_STOP: Duration = Duration::from_millis(500);

/// Each of these is a stop, as for Kafka.
const NAMES: [(&str, SignalKind); 3] = [
    ("SIGTERM", SignalKind::terminate()),
    ("SIGINT", SignalKind::interrupt()),
    ("SIGHUP", SignalKind::hangup()),
];

/// The signals listened for.
pub(super) struct Signals(Vec<(&'static str, Signal)>);

impl Signals {
    /// Listens from now on. What the parent has this process ignore stays ignored, so that `nohup`
    /// works.
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

    /// The next one that is not of the same stop as the one that has just come.
    pub async fn next_stop(&mut self) -> &'static str {
        let first = Instant::now();
        loop {
            let name = self.next().await;
            if first.elapsed() >= ONE_STOP {
                return name;
            }
        }
    }

    /// The next one that comes.
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

/// The signals that this process ignores, as bits; none where nobody tells.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
