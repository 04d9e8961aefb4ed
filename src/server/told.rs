//! Log lines about the connections that the broker closes: whose they were, and why.

use crate::sync::lock;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tracing::info;

/// At most this many lines are written per `WINDOW`.
const LINES_MAX: u32 = 30;
/// The period of `LINES_MAX`, so that a port scan does not fill the disk.
const WINDOW: Duration = Duration::from_secs(60);
/// Bytes of unknown input that a line shows.
const SHOWN: usize = 16;

/// Writes the lines, at a limited rate.
#[derive(Debug, Default)]
pub struct ConnectionLog {
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl ConnectionLog {
    /// Reports that this broker closes a connection, and why.
    pub fn closed(&self, peer: SocketAddr, listener: &str, why: impl Display) {
        self.tell(format_args!("closed the connection of {} on {listener}: {why}", shown(peer)));
    }

    /// Writes a line about connections. The rate is limited because peers decide how often it
    /// happens.
    pub fn tell(&self, line: impl Display) {
        let Some(left_out) = self.may_tell(Instant::now()) else { return };
        if left_out > 0 {
            info!("{left_out} more lines about connections were left out in the last minute");
        }
        info!("{line}");
    }

    /// None if enough lines were written in this window; otherwise the number of lines that were
    /// left out before this one.
    fn may_tell(&self, now: Instant) -> Option<u64> {
        let mut window = lock(&self.window);
        match &mut *window {
            Some(Window { since, lines, left_out }) if now < *since + WINDOW => {
                if *lines == LINES_MAX {
                    *left_out += 1;
                    return None;
                }
                *lines += 1;
                Some(0)
            }
            before => {
                let left_out = before.as_ref().map_or(0, |window| window.left_out);
                *before = Some(Window { since: now, lines: 1, left_out: 0 });
                Some(left_out)
            }
        }
    }
}

/// The peer's address as people write it, even if IPv4 came through an IPv6 socket.
pub fn shown(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Says what the first bytes are if they do not begin a Kafka request.
pub fn name_of(bytes: &[u8]) -> String {
    const METHODS: [&str; 8] =
        ["GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH "];
    let starts = |with: &str| bytes.starts_with(with.as_bytes());
    if METHODS.iter().any(|method| starts(method)) || starts("PRI * HTTP/2") {
        return "an HTTP request, and this port speaks Kafka's protocol".to_owned();
    }
    if let [0x16, 3, 0..=4, ..] = bytes {
        return "a TLS hello, and this listener is PLAINTEXT: set security.protocol=PLAINTEXT in \
                the client"
            .to_owned();
    }
    if starts("PROXY ") || starts("\r\n\r\n\0\r\nQUIT\n") {
        return "a PROXY protocol header, which Kafka's protocol does not have: turn it off in the \
                load balancer"
            .to_owned();
    }
    if starts("SSH-") {
        return "an SSH hello, and this port speaks Kafka's protocol".to_owned();
    }
    let hex: Vec<String> = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    format!("bytes that are no request of Kafka's ({})", hex.join(" "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whoever_scans_the_port_gets_a_few_lines() {
        let (told, start) = (ConnectionLog::default(), Instant::now());
        let lines = (0..1000).filter_map(|ms| told.may_tell(start + Duration::from_millis(ms)));
        assert_eq!(lines.sum::<u64>(), 0);
        assert_eq!(told.may_tell(start + WINDOW / 2), None);
        let left_out = 1000 - u64::from(LINES_MAX) + 1;
        assert_eq!(told.may_tell(start + WINDOW), Some(left_out), "how many is said");
        assert_eq!(told.may_tell(start + WINDOW), Some(0));
    }

    #[test]
    fn what_is_no_request_is_named() {
        let rows: [(&[u8], &str); 6] = [
            (b"GET / HTTP/1.1\r\n", "an HTTP request"),
            (b"PRI * HTTP/2.0\r\n", "an HTTP request"),
            (&[0x16, 3, 1, 2, 0, 1], "a TLS hello"),
            (b"PROXY TCP4 10.0.0.1", "a PROXY protocol header"),
            (b"SSH-2.0-OpenSSH", "an SSH hello"),
            (&[0xff, 0xfe, 0, 1, 2], "(ff fe 00 01 02)"),
        ];
        for (bytes, name) in rows {
            assert!(name_of(bytes).contains(name), "{}", name_of(bytes));
        }
        assert!(name_of(&[0xff; 100]).len() < 100);
    }
}
