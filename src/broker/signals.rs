//! The signals that end the broker.

use crate::error::{Error, Result};
use std::future::poll_fn;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

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
