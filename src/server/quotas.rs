//! How many connections may be open, and how fast new ones may come: in all, by listener, by
//! address, and by what the process may have open (ConnectionQuotas).

use crate::config::Config;
use crate::disk;
use crate::error::Result;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tracing::warn;

/// How often a listener that waits for a place looks whether the settings have changed.
const LOOK: Duration = Duration::from_secs(1);
/// Connections that may come at once, as parts of a second of the rate.
const BURST: f64 = 1.0;

/// Connections of all listeners, by whom the process's descriptors are shared.
pub type Open = Arc<AtomicUsize>;

/// The connections of the broker's listeners, or of the controller's.
#[derive(Debug)]
pub struct Quotas {
    /// The listener that brokers use among themselves: all the others together cannot close it.
    protected: Option<String>,
    state: Mutex<State>,
    /// Of the process.
    open: Open,
    open_max: usize,
    is_freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_listener: HashMap<Arc<str>, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// When the next connection may come, in all and by listener.
    next: HashMap<Option<Arc<str>>, Instant>,
    limits: Limits,
}

/// The settings, as they hold now.
#[derive(Debug, Default)]
struct Limits {
    /// What it was read from.
    of: Option<Arc<Config>>,
    /// `max.connections.per.ip.overrides`, as addresses.
    overrides: HashMap<IpAddr, usize>,
}

/// A connection that may be served; gives its place back when dropped.
#[derive(Debug)]
pub struct Place {
    quotas: Arc<Quotas>,
    listener: Arc<str>,
    address: IpAddr,
}

/// What becomes of a connection.
#[derive(Debug)]
enum Admission {
    Granted(Place),
    /// Until another one ends, or the settings change: which setting it waits for.
    Full(String),
    NotBefore(Instant),
    Refused(String),
}

impl Quotas {
    /// No connections; `open` are those of all quotas of the process.
    pub fn new(config: &Config, open: &Open) -> Arc<Quotas> {
        let has_others = config.listeners().len() > 1;
        Arc::new(Quotas {
            protected: has_others.then(|| config.inter_broker_listener()),
            state: Mutex::default(),
            open: open.clone(),
            open_max: disk::descriptors_for_connections(),
            is_freed: Notify::new(),
        })
    }

    /// A place for a connection that has come. Waits as long as there are `max.connections` or
    /// they come faster than `max.connection.creation.rate`, and says so by `tell`; what the address
    /// or the process may not have is refused, with the reason.
    pub async fn admit(
        self: &Arc<Quotas>,
        listener: &Arc<str>,
        address: IpAddr,
        config: impl Fn() -> Arc<Config>,
        tell: impl Fn(String),
    ) -> Result<Place, String> {
        let address = address.to_canonical();
        let mut is_told = false;
        loop {
            let config = config();
            self.read(&config).await;
            let mut freed = std::pin::pin!(self.is_freed.notified());
            freed.as_mut().enable();
            match self.try_admit(listener, address, &config, Instant::now()) {
                Admission::Granted(place) => return Ok(place),
                Admission::Refused(why) => return Err(why),
                Admission::NotBefore(at) => tokio::time::sleep_until(at.into()).await,
                Admission::Full(why) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tell(why);
                    }
                    drop(tokio::time::timeout(LOOK, freed).await);
                }
            }
        }
    }

    /// Takes over settings that have changed. Names of hosts are looked up now, as Kafka does.
    async fn read(&self, config: &Arc<Config>) {
        if self.state().limits.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, config)) {
            return;
        }
        let mut overrides = HashMap::new();
        for (host, count) in config.max_connections_per_ip_overrides().unwrap_or_default() {
            let count = count.max(0) as usize;
            match tokio::net::lookup_host((host.as_str(), 0)).await {
                Ok(found) => {
                    overrides.extend(found.map(|at: SocketAddr| (at.ip().to_canonical(), count)))
                }
                Err(error) => warn!(
                    "max.connections.per.ip.overrides names {host}, which leads to no address: \
                     {error}. Its limit does not hold until the setting changes."
                ),
            }
        }
        self.state().limits = Limits { of: Some(config.clone()), overrides };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_admit(
        self: &Arc<Quotas>,
        listener: &Arc<str>,
        address: IpAddr,
        config: &Config,
        now: Instant,
    ) -> Admission {
        let mut state = self.state();
        let (own, all) = (state.by_address.get(&address).copied().unwrap_or(0), state.total);
        if self.open.load(Ordering::Relaxed) >= self.open_max {
            return Admission::Refused(format!(
                "{} connections are open, and the other descriptors are for files: raise the limit \
                 (ulimit -n)",
                self.open_max
            ));
        }
        let per_address = state.limits.overrides.get(&address).copied();
        let per_address = per_address.unwrap_or(config.max_connections_per_ip.max(0) as usize);
        if own >= per_address {
            return Admission::Refused(format!(
                "{own} connections of this address are open (max.connections.per.ip)"
            ));
        }
        let max = config.max_connections.max(0) as usize;
        if all >= max && self.protected.as_deref() != Some(listener) {
            return Admission::Full(format!(
                "{all} connections are open (max.connections): {listener} accepts the next one when \
                 another is closed"
            ));
        }
        let here = state.by_listener.get(listener).copied().unwrap_or(0);
        let limit = config.of_listener(listener, "max.connections");
        if limit.is_some_and(|limit| here as i64 >= limit) {
            let name = listener.to_lowercase();
            return Admission::Full(format!(
                "{here} connections are open on {listener} (listener.name.{name}.max.connections): \
                 it accepts the next one when another is closed"
            ));
        }
        let rates = [
            (None, Some(i64::from(config.max_connection_creation_rate))),
            (Some(listener.clone()), config.of_listener(listener, "max.connection.creation.rate")),
        ];
        if let Some(at) = state.take_turns(rates, now) {
            return Admission::NotBefore(at);
        }
        state.total += 1;
        *state.by_address.entry(address).or_default() += 1;
        *state.by_listener.entry(listener.clone()).or_default() += 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        Admission::Granted(Place { quotas: self.clone(), listener: listener.clone(), address })
    }
}

impl State {
    /// A turn of each rate, or when there is one of all of them. So many as come in a second may
    /// come at once.
    fn take_turns(
        &mut self,
        rates: [(Option<Arc<str>>, Option<i64>); 2],
        now: Instant,
    ) -> Option<Instant> {
        let bounded = rates.into_iter().filter_map(|(whose, rate)| {
            let rate = rate.filter(|rate| *rate < i64::from(i32::MAX))?;
            Some((whose, rate.max(1) as f64))
        });
        let turns: Vec<_> = bounded
            .map(|(whose, rate)| {
                let at = self.next.get(&whose).copied().unwrap_or(now).max(now);
                let step = Duration::from_secs_f64(1.0 / rate);
                // The first of a burst is not waited for.
                let burst = Duration::from_secs_f64(BURST).saturating_sub(step);
                (whose, at, step, burst)
            })
            .collect();
        let earliest = turns.iter().map(|(_, at, _, burst)| at.checked_sub(*burst).unwrap_or(now));
        if let Some(earliest) = earliest.max().filter(|earliest| *earliest > now) {
            return Some(earliest);
        }
        self.next.extend(turns.into_iter().map(|(whose, at, step, _)| (whose, at + step)));
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.quotas.state();
        state.total -= 1;
        leave(&mut state.by_address, &self.address);
        leave(&mut state.by_listener, &self.listener);
        drop(state);
        self.quotas.open.fetch_sub(1, Ordering::Relaxed);
        self.quotas.is_freed.notify_waiters();
    }
}

fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
