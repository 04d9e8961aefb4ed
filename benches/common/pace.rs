//! Producers that send at a given rate, and how long their requests take.

use super::wire::{check_produced, receive};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A request: when it was sent, in seconds since the start, and the microseconds until its answer.
pub type Sent = (f32, f32);

/// When producers send that do so together.
#[derive(Clone, Copy)]
pub struct Pace {
    begun: Instant,
    time: Duration,
    /// Between two requests of a producer.
    pause: Duration,
    producers: usize,
}

impl Pace {
    /// `rate` requests per second in total. It may be infinite.
    pub fn new(rate: f64, time: Duration, producers: usize) -> Pace {
        let pause = Duration::from_secs_f64(producers as f64 / rate);
        Pace { begun: Instant::now(), time, pause, producers }
    }

    /// Sends a request again and again, as the n-th of the producers. If a request is late because
    /// of the answer before it, its time counts from when it was due.
    pub fn send(&self, n: usize, socket: &mut TcpStream, frame: &[u8]) -> Vec<Sent> {
        let Pace { begun, time, pause, producers } = *self;
        let mut sent = Vec::new();
        let mut due = begun + pause.mul_f64(n as f64 / producers as f64);
        while due < begun + time && begun.elapsed() < time {
            let late = due.saturating_duration_since(Instant::now()).is_zero() && !pause.is_zero();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let from = if late { due } else { Instant::now() };
            socket.write_all(frame).unwrap();
            check_produced(receive(socket));
            let at = from.duration_since(begun).as_secs_f32();
            sent.push((at, from.elapsed().as_secs_f32() * 1e6));
            due += pause;
        }
        sent
    }
}

/// The quantile of sorted values.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * q) as usize]
}

/// The times of the requests, sorted.
pub fn sorted(sent: &[Sent]) -> Vec<f64> {
    let mut times: Vec<f64> = sent.iter().map(|sent| f64::from(sent.1)).collect();
    times.sort_by(f64::total_cmp);
    times
}
