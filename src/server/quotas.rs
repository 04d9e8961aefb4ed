//! Limits how many connections are open and how fast new ones are accepted: in total, per listener,
//! per address, and by the file descriptors of the process (ConnectionQuotas).

use super::told::shown;
use crate::config::{Config, LiveConfig};
use crate::disk;
use crate::error::Result;
use crate::sync::lock;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tracing::warn;

/// How often a listener that waits for a free place checks whether the settings have changed.
const LOOK: Duration = Duration::from_secs(1);
/// How many connections may come at once: those of this many seconds at the given rate.
const BURST: f64 = 1.0;

/// The number of open connections of all listeners, which share the process's descriptors.
pub type Open = Arc<AtomicUsize>;

/// The limits of the broker's listeners, or of the controller's, with the connections they count.
#[derive(Debug)]
pub struct Quotas {
    /// The listener between brokers, if there are others. When all places are taken, its
    /// connections are accepted nevertheless: the longest idle connection of another listener is
    /// closed.
    protected: Option<String>,
    state: Mutex<Counts>,
    /// The open connections of the whole process.
    open: Open,
    open_max: usize,
    is_freed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_listener: HashMap<Arc<str>, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// The connections that may be closed to make room.
    served: HashMap<u64, Served>,
    last_id: u64,
    /// When the next connection may come: in total (None) and by listener.
    next: HashMap<Option<Arc<str>>, Instant>,
    limits: Limits,
}

/// The limits that need preparation, as of the current settings.
#[derive(Debug, Default)]
struct Limits {
    /// The settings from which they were read.
    of: Option<Arc<Config>>,
    /// `max.connections.per.ip.overrides` by address.
    overrides: HashMap<IpAddr, usize>,
}

/// A connection that may be closed to make room.
#[derive(Debug)]
struct Served {
    listener: Arc<str>,
    peer: SocketAddr,
    activity: Activity,
    task: AbortHandle,
}

/// When a connection last read something, as `at` counts it.
pub type Activity = Arc<AtomicU64>;

/// Milliseconds since the first call, for an `Activity`.
pub fn at(now: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    now.saturating_duration_since(*START).as_millis() as u64
}

/// The place of an open connection. Dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    quotas: Arc<Quotas>,
    listener: Arc<str>,
    address: IpAddr,
    id: u64,
}

/// What becomes of a new connection.
#[derive(Debug)]
enum Admission {
    Granted(Place),
    /// It is accepted; the connection of this peer was closed for it.
    Instead(Place, SocketAddr),
    /// It must wait until another connection ends or the settings change. The text names the
    /// setting.
    Full(String),
    NotBefore(Instant),
    Refused(String),
}

impl Quotas {
    /// Limits without any connections yet. `open` is shared by all quotas of the process.
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

    /// A place for a new connection. Waits while `max.connections` are open or connections come
    /// faster than `max.connection.creation.rate`; the former is reported through `tell`. If the
    /// address has too many connections or the process is out of descriptors, the error is the
    /// reason.
    pub async fn admit(
        self: &Arc<Quotas>,
        listener: &Arc<str>,
        address: IpAddr,
        config: &LiveConfig,
        tell: impl Fn(String),
    ) -> Result<Place, String> {
        let address = address.to_canonical();
        let mut is_told = false;
        loop {
            let config = config.get();
            self.read(&config).await;
            let mut freed = std::pin::pin!(self.is_freed.notified());
            freed.as_mut().enable();
            match self.try_admit(listener, address, &config, Instant::now()) {
                Admission::Granted(place) => return Ok(place),
                Admission::Instead(place, peer) => {
                    tell(format!(
                        "closed the connection of {}: it was idle for longest, and {listener} \
                         needed its place (max.connections)",
                        shown(peer)
                    ));
                    return Ok(place);
                }
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

    /// Where a connection records its activity, if it may be closed to make room.
    pub fn activity(&self) -> Option<Activity> {
        self.protected.as_ref().map(|_| Activity::new(at(Instant::now()).into()))
    }

    /// Starts a connection by `start` and registers it as one that may be closed to make room.
    pub fn note(
        &self,
        place: &PlaceId,
        peer: SocketAddr,
        activity: Activity,
        start: impl FnOnce() -> AbortHandle,
    ) {
        let mut state = self.state();
        // The connection cannot end before it is registered, as its place needs the same lock.
        let served = Served { listener: place.0.clone(), peer, activity, task: start() };
        state.served.insert(place.1, served);
    }

    /// Applies changed settings. Host names are resolved at this time only, as in Kafka.
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

    fn state(&self) -> MutexGuard<'_, Counts> {
        lock(&self.state)
    }

    /// Why a connection is refused, as waiting would not help.
    fn why_refused(&self, state: &Counts, address: IpAddr, config: &Config) -> Option<String> {
        if self.open.load(Ordering::Relaxed) >= self.open_max {
            return Some(format!(
                "{} connections are open, and the other descriptors are for files: raise the limit \
                 (ulimit -n)",
                self.open_max
            ));
        }
        let own = state.by_address.get(&address).copied().unwrap_or(0);
        let max = state.limits.overrides.get(&address).copied();
        let max = max.unwrap_or(config.max_connections_per_ip.max(0) as usize);
        (own >= max)
            .then(|| format!("{own} connections of this address are open (max.connections.per.ip)"))
    }

    /// Why a connection has to wait until another one ends.
    fn why_full(&self, state: &Counts, listener: &str, config: &Config) -> Option<String> {
        let (all, max) = (state.total, config.max_connections.max(0) as usize);
        if all >= max && self.protected.as_deref() != Some(listener) {
            return Some(format!(
                "{all} connections are open (max.connections): {listener} accepts the next one when \
                 another is closed"
            ));
        }
        let here = state.by_listener.get(listener).copied().unwrap_or(0);
        let max = config.of_listener(listener, "max.connections")?;
        let name = listener.to_lowercase();
        (here as i64 >= max).then(|| {
            format!(
                "{here} connections are open on {listener} (listener.name.{name}.max.connections): \
                 it accepts the next one when another is closed"
            )
        })
    }

    /// Gives a place if one is free now.
    fn try_admit(
        self: &Arc<Quotas>,
        listener: &Arc<str>,
        address: IpAddr,
        config: &Config,
        now: Instant,
    ) -> Admission {
        let mut state = self.state();
        if let Some(why) = self.why_refused(&state, address, config) {
            return Admission::Refused(why);
        }
        if let Some(why) = self.why_full(&state, listener, config) {
            return Admission::Full(why);
        }
        let rates = [
            (None, Some(i64::from(config.max_connection_creation_rate))),
            (Some(listener.clone()), config.of_listener(listener, "max.connection.creation.rate")),
        ];
        if let Some(at) = state.take_turns(rates, now) {
            return Admission::NotBefore(at);
        }
        let is_crowded = state.total >= config.max_connections.max(0) as usize;
        let made_room = if is_crowded { state.make_room(listener) } else { None };
        state.total += 1;
        state.last_id += 1;
        let (quotas, id) = (self.clone(), state.last_id);
        *state.by_address.entry(address).or_default() += 1;
        *state.by_listener.entry(listener.clone()).or_default() += 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place { quotas, listener: listener.clone(), address, id };
        match made_room {
            Some(peer) => Admission::Instead(place, peer),
            None => Admission::Granted(place),
        }
    }
}

/// The listener and the number of a place.
pub struct PlaceId(Arc<str>, u64);

impl Place {
    /// What `Quotas::note` needs of the place.
    pub fn id(&self) -> PlaceId {
        PlaceId(self.listener.clone(), self.id)
    }
}

impl Counts {
    /// Closes the longest idle connection of the other listeners, if there is one.
    fn make_room(&mut self, listener: &str) -> Option<SocketAddr> {
        let others = self.served.iter().filter(|(_, served)| &*served.listener != listener);
        let idlest = others.min_by_key(|(_, served)| served.activity.load(Ordering::Relaxed));
        let id = *idlest?.0;
        let served = self.served.remove(&id)?;
        served.task.abort();
        Some(served.peer)
    }

    /// Takes a turn of each rate, or returns when all of them will have one. The connections of one
    /// second may come at once.
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
                // The first connections of a burst do not wait.
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
        state.served.remove(&self.id);
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
