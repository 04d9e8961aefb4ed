//! The broker's session with the controller: registered, and kept alive by heartbeats
//! (BrokerLifecycleManager).
//!
//! It runs in a thread with a runtime of its own. Whatever the others wait for, for example a disk,
//! heartbeats go on.

#[cfg(test)]
mod tests;

use crate::codec::messages::BrokerRegistrationRequest;
use crate::config::Config;
use crate::controller::{BrokerStatus, Client, Heartbeat};
use crate::error::{Error, Result};
use crate::metadata::{Image, features};
use crate::types::Offset;
use kafka_protocol::error::ResponseError;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

/// The first pause before the next heartbeat of a broker that waits to be unfenced or to be let go.
/// Each further one is twice as long.
const EAGER: Duration = Duration::from_millis(5);
/// The pause after no controller has answered in time.
const AGAIN: Duration = Duration::from_millis(50);
/// How often a broker asks whether the session of its last life has ended.
const DUPLICATE: Duration = Duration::from_millis(500);

/// The session, as the rest of the broker holds it. It ends when this is dropped, after the
/// heartbeat that is under way.
#[derive(Debug)]
pub(super) struct Heartbeats {
    wants: watch::Sender<Wants>,
    seen: watch::Receiver<Seen>,
}

/// What the next heartbeats say.
#[derive(Clone, Debug, Default)]
struct Wants {
    /// How far the metadata log has been applied; None before anything can be.
    applied: Option<watch::Receiver<Offset>>,
    /// Whether the broker is ready to lead and to follow.
    run: bool,
    /// Whether it wants to stop.
    leave: bool,
    /// Whether a disk is full, so that others should lead until there is room.
    full: bool,
    offline: Vec<Uuid>,
    cordoned: Option<Vec<Uuid>>,
}

impl Wants {
    /// Whether the broker is to be unfenced. One that stops hands over first, even with a full disk.
    fn may_lead(&self) -> bool {
        self.run && (!self.full || self.leave)
    }
}

/// What the controller has answered.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Whether the broker may neither lead nor follow.
    pub fenced: bool,
    /// Whether a broker that wants to stop may do so.
    pub may_leave: bool,
    /// The failed log directories that the controller knows of.
    pub offline: Vec<Uuid>,
    /// When the controller last answered.
    pub at: Instant,
    /// Why the embedded controller has refused the last heartbeat. It will not change its mind.
    pub refused: Option<String>,
}

/// The session as its thread holds it.
struct Session {
    controller: Client,
    registration: BrokerRegistrationRequest,
    epoch: i64,
    interval: Duration,
    wants: watch::Receiver<Wants>,
    seen: watch::Sender<Seen>,
    /// The pause before the next heartbeat while something is waited for.
    eager: Duration,
    /// The error of the last heartbeat.
    error: Option<ResponseError>,
}

impl Heartbeats {
    /// Registers the broker, and keeps it registered from then on. Returns the session and the
    /// broker's epoch. Registration is tried for `initial.broker.registration.timeout.ms`.
    pub async fn begin(
        controller: Client,
        registration: BrokerRegistrationRequest,
        config: &Config,
    ) -> Result<(Heartbeats, i64)> {
        let ms = |ms: i32| Duration::from_millis(ms.max(1).unsigned_abs().into());
        let patience = ms(config.initial_broker_registration_timeout_ms);
        let (wants, wanted) = watch::channel(Wants::default());
        let nothing = Seen {
            fenced: true,
            may_leave: false,
            offline: Vec::new(),
            at: Instant::now(),
            refused: None,
        };
        let (sees, seen) = watch::channel(nothing);
        let session = Session {
            controller,
            registration,
            epoch: -1,
            interval: ms(config.broker_heartbeat_interval_ms),
            wants: wanted,
            seen: sees,
            eager: EAGER,
            error: None,
        };
        let (tell, registered) = oneshot::channel();
        let cannot =
            |error| Error::Config(format!("cannot start the thread of heartbeats: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(cannot)?;
        let thread = std::thread::Builder::new().name("heartbeats".to_owned());
        let live = move || runtime.block_on(session.live(patience, tell));
        thread.spawn(live).map_err(cannot)?;
        let epoch = registered.await.map_err(|_| Error::Closed)??;
        Ok((Heartbeats { wants, seen }, epoch))
    }

    /// Says from now on how far the metadata log has been applied.
    pub fn follow(&self, applied: watch::Receiver<Offset>) {
        self.wants.send_modify(|wants| wants.applied = Some(applied));
    }

    /// Says which log directories have failed, at once if that is new.
    pub fn set_offline(&self, offline: &[Uuid]) {
        self.wants.send_if_modified(|wants| {
            let is_news = wants.offline != offline;
            wants.offline = offline.to_vec();
            is_news
        });
    }

    /// Says which log directories take no new partitions, at once if that is new.
    pub fn set_cordoned(&self, cordoned: Vec<Uuid>) {
        self.wants.send_if_modified(|wants| {
            let is_news = wants.cordoned.as_ref() != Some(&cordoned);
            wants.cordoned = Some(cordoned);
            is_news
        });
    }

    /// Says, at once if that is new, whether the broker wants to be fenced because a disk is full.
    /// Kafka gives the directory up instead, until the broker is started again.
    pub fn set_full(&self, full: bool) {
        let is_news = self.wants.send_if_modified(|wants| {
            let is_news = wants.full != full;
            wants.full = full;
            is_news
        });
        match full {
            _ if !is_news => {}
            true => warn!(
                "a disk is full: other brokers lead until there is room, and this one is fenced"
            ),
            false => info!("the disks have room again: this broker may lead again"),
        }
    }

    /// Whether the broker wants to be fenced because a disk is full.
    pub fn is_full(&self) -> bool {
        self.wants.borrow().full
    }

    /// Wants to lead and follow; returns once the broker is unfenced.
    pub async fn run(&self) -> Result<()> {
        self.wants.send_modify(|wants| wants.run = true);
        let mut seen = self.seen.clone();
        let answer = seen.wait_for(|seen| !seen.fenced || seen.refused.is_some()).await;
        let answer = answer.map_err(|_| Error::Closed)?;
        answer.refused.clone().map_or(Ok(()), |why| Err(Error::Config(why)))
    }

    /// Wants to stop; returns once the controller lets the broker go, which it does after others
    /// lead what this broker has led. Gives up after `patience`, or if no controller has answered
    /// for as long as it would take to give the session up.
    pub async fn leave(&self, patience: Duration, session_timeout: Duration) -> Result<()> {
        let begun = Instant::now();
        self.wants.send_modify(|wants| wants.leave = true);
        let mut seen = self.seen.clone();
        loop {
            let last = {
                let seen = seen.borrow_and_update();
                if seen.may_leave {
                    return Ok(());
                }
                if let Some(why) = &seen.refused {
                    return Err(Error::Config(why.clone()));
                }
                seen.at.max(begun)
            };
            let deadline = (begun + patience).min(last + session_timeout);
            match timeout_at(deadline, seen.changed()).await {
                Ok(changed) => changed.map_err(|_| Error::Closed)?,
                Err(_) => {
                    warn!(
                        "the controller has not let this broker go within {:?}: it stops all the \
                         same, and what it led has no leader until its session ends",
                        begun.elapsed()
                    );
                    return Ok(());
                }
            }
        }
    }

    /// What the controller has last answered.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

impl Session {
    async fn live(mut self, patience: Duration, tell: oneshot::Sender<Result<i64>>) {
        let registered = self.register(Instant::now() + patience).await;
        self.epoch = *registered.as_ref().unwrap_or(&-1);
        let is_registered = registered.is_ok();
        // The start may have been given up.
        let _ = tell.send(registered);
        if !is_registered {
            return;
        }
        loop {
            let pause = self.pause();
            tokio::select! {
                changed = self.wants.changed() => match changed {
                    Ok(()) => self.eager = EAGER,
                    Err(_) => return,
                },
                () = sleep(pause) => {}
            }
            self.beat().await;
            if self.seen.borrow().may_leave {
                break;
            }
        }
        // Another heartbeat would fence this broker once more.
        while self.wants.changed().await.is_ok() {}
    }

    /// Registers until it has succeeded or `deadline` is past. The last life's session may last as
    /// long as `broker.session.timeout.ms` after its end.
    async fn register(&self, deadline: Instant) -> Result<i64> {
        let mut told = None;
        loop {
            let error = match self.controller.register(self.registration.clone()).await {
                Ok(epoch) => return Ok(epoch),
                Err(error) => error,
            };
            let code = error.code();
            let is_final = !self.controller.is_remote()
                || matches!(error, Error::Closed)
                || code == ResponseError::InconsistentClusterId;
            if is_final || Instant::now() >= deadline {
                return Err(unregistered(error));
            }
            if told.replace(code) != Some(code) {
                info!("not registered yet: {}", reason(&error));
            }
            let is_duplicate = code == ResponseError::DuplicateBrokerRegistration;
            let pause = if is_duplicate { DUPLICATE } else { self.interval };
            sleep(pause.min(deadline - Instant::now())).await;
        }
    }

    /// How long until the next heartbeat if nothing happens.
    fn pause(&mut self) -> Duration {
        let wants = self.wants.borrow();
        let seen = self.seen.borrow();
        let waits = (wants.leave && !seen.may_leave) || (wants.may_lead() && seen.fenced);
        match self.error {
            Some(ResponseError::RequestTimedOut) => AGAIN.min(self.interval),
            None if waits => {
                let pause = self.eager.min(self.interval);
                self.eager = pause * 2;
                pause
            }
            _ => self.interval,
        }
    }

    async fn beat(&mut self) {
        if is_stale(&self.controller.image(), self.registration.broker_id.0) {
            self.register_again().await;
        }
        let wants = self.wants.borrow_and_update().clone();
        let heartbeat = Heartbeat {
            broker_id: self.registration.broker_id.0,
            broker_epoch: self.epoch,
            applied: wants.applied.as_ref().map_or(-1, |applied| *applied.borrow()),
            want_fence: !wants.may_lead(),
            want_shut_down: wants.leave,
            offline: wants.offline.clone(),
            cordoned: wants.cordoned,
        };
        match self.controller.heartbeat(heartbeat).await {
            Ok(status) => self.answered(wants.offline, status),
            Err(error) => self.failed(&error),
        }
    }

    fn answered(&mut self, offline: Vec<Uuid>, status: BrokerStatus) {
        if self.error.take().is_some() {
            info!("the controller answers heartbeats again");
        }
        self.seen.send_modify(|seen| {
            seen.fenced = status.fenced;
            seen.may_leave = status.should_shut_down;
            seen.offline = offline;
            seen.at = Instant::now();
        });
    }

    /// An error is told once in a row.
    fn failed(&mut self, error: &Error) {
        let code = error.code();
        if self.error.replace(code) == Some(code) {
            debug!(%error, "a heartbeat failed again");
        } else if self.controller.is_remote() {
            warn!("a heartbeat failed: {}", reason(error));
        } else {
            error!(%error, "the controller refused a heartbeat");
        }
        if !self.controller.is_remote() {
            self.seen.send_modify(|seen| seen.refused = Some(error.to_string()));
        }
    }

    /// Registers again what the controller does not know of this broker. The incarnation is the
    /// same, so the epoch is, too.
    async fn register_again(&self) {
        match self.controller.register(self.registration.clone()).await {
            Ok(epoch) if epoch == self.epoch => info!("registered again, with log directories"),
            Ok(epoch) => error!(
                "registered again, but as broker epoch {epoch} instead of {}: restart this broker",
                self.epoch
            ),
            Err(error) => warn!("not registered again: {}", reason(&error)),
        }
    }
}

/// Whether the registration was made under a `metadata.version` that has no log directories, and
/// the version now has them (BrokerRegistrationTracker).
fn is_stale(image: &Image, id: i32) -> bool {
    image.metadata_version() >= features::DIRECTORIES
        && image.brokers.get(&id).is_some_and(|broker| broker.log_dirs.is_empty())
}

/// An error of a registration or heartbeat, and what it means.
fn reason(error: &Error) -> String {
    let meaning = match error.code() {
        ResponseError::DuplicateBrokerRegistration => {
            "the controller still waits for a process that was this broker before, or another one \
             with this node.id runs"
        }
        ResponseError::UnsupportedVersion => {
            "the cluster has finalized a feature at a level that this broker does not have; the \
             controller's log names it"
        }
        ResponseError::InvalidRegistration => "the controller's log says what is wrong with it",
        ResponseError::StaleBrokerEpoch | ResponseError::BrokerIdNotRegistered => {
            "this broker was unregistered, or another process has registered with its node.id; \
             restart it if it is to go on"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {meaning}")
}

fn unregistered(error: Error) -> Error {
    match error {
        Error::Closed => Error::Closed,
        Error::Code(_) | Error::Explained(ResponseError::RequestTimedOut, _) => Error::Config(
            format!("the controller has not registered this broker: {}", reason(&error)),
        ),
        other => other,
    }
}
