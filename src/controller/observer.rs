//! The metadata log as a broker follows it: a copy of the remote quorum's, without a vote
//! (KafkaRaftClient of an observer, MetadataLoader).
//!
//! ```text
//!  contacts    whom to ask: the leader, or whoever may know it
//!  replica     what to ask next, and what an answer does to our copy; synchronous
//!  download    a snapshot on its way here
//! ```
//!
//! One thread owns the copy. It asks for what comes next, takes the answer in, and publishes what
//! is committed. While no controller answers it keeps asking, and the broker goes on with what it
//! knows.

mod contacts;
mod download;
mod replica;
#[cfg(test)]
mod tests;

use self::contacts::Contacts;
use self::replica::{Options, Pace, Question, Replica};
use super::leader::Leader;
use super::metadata_log::LogOptions;
use crate::client::{self, Client};
use crate::clock::Clock;
use crate::codec::messages::DescribeClusterRequest;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::metadata::{Image, Published};
use arc_swap::ArcSwap;
use kafka_protocol::ResponseError;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// The versions of Fetch that we speak to a controller.
const FETCH: std::ops::RangeInclusive<i16> = 17..=18;
const FETCH_SNAPSHOT: std::ops::RangeInclusive<i16> = 0..=1;
/// How long a controller may keep a Fetch that it has nothing for
/// (KafkaRaftClient.DEFAULT_FETCH_MAX_WAIT_MS).
const MAX_WAIT_MS: i32 = 500;
/// What DescribeCluster is asked about: the controllers, not the brokers.
const CONTROLLERS: i8 = 2;
/// The pause after the disk was found full.
const FULL_DISK: Duration = Duration::from_secs(1);
/// How many bytes an answer may have beyond the records asked for, and for one large batch.
const ANSWER_ROOM: usize = 16 * 1024 * 1024;

/// The followed metadata log, held by the code that starts and stops it.
#[derive(Debug)]
pub struct Observer {
    /// The newest image published.
    pub image: Arc<ArcSwap<Image>>,
    /// The active controller.
    pub leader: watch::Receiver<Leader>,
    is_caught_up: watch::Receiver<bool>,
    /// Why the log can no longer be followed, in which case the broker must stop.
    pub failed: watch::Receiver<Option<String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Observer {
    /// Opens our copy in `metadata_dir` and begins to follow the quorum. `published` receives the
    /// whole state as the first step, once all that was committed by then is here, and each later
    /// step.
    pub fn open(
        disk: Disk,
        clock: Clock,
        config: &Config,
        metadata_dir: &Path,
        cluster_id: &str,
        directory_id: Uuid,
        published: mpsc::Sender<Published>,
    ) -> Result<Observer> {
        let options = Options {
            node_id: config.node_id,
            cluster_id: cluster_id.to_owned(),
            directory_id,
            log: LogOptions::new(config)?,
            fetch_bytes: config.controller_quorum_fetch_max_bytes,
            snapshot_bytes: config.controller_quorum_fetch_snapshot_max_bytes,
            max_wait_ms: MAX_WAIT_MS,
        };
        let (told, leader) = Leader::channel();
        let contacts = Contacts::new(config, told);
        let replica = Replica::open(disk, config, metadata_dir, options, contacts, clock.now())?;
        let (stop, stopped) = oneshot::channel();
        let (fail, failed) = watch::channel(None);
        let (catch_up, is_caught_up) = watch::channel(false);
        let image = Arc::new(ArcSwap::from(Arc::new(Image::default())));
        let follower = Follower {
            replica,
            clock,
            published,
            image: image.clone(),
            catch_up,
            backoff: ms(config.controller_quorum_retry_backoff_ms),
            options: client_options(config),
            client: None,
        };
        let failed_to = |source| Error::disk(metadata_dir, source);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed_to)?;
        let thread = std::thread::Builder::new()
            .name("observer".to_owned())
            .spawn(move || runtime.block_on(follower.run(stopped, &fail)))
            .map_err(failed_to)?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Observer { image, leader, is_caught_up, failed, stop, thread })
    }

    /// Waits until the first step is published.
    pub async fn caught_up(&self) -> Result<()> {
        let (mut is_caught_up, mut failed) = (self.is_caught_up.clone(), self.failed.clone());
        tokio::select! {
            caught_up = is_caught_up.wait_for(|yes| *yes) => {
                caught_up.map(drop).map_err(|_| Error::Closed)
            }
            Ok(why) = failed.wait_for(Option::is_some) => {
                Err(Error::Config(why.clone().unwrap_or_default()))
            }
        }
    }

    /// Stops following, and flushes and closes our copy. Blocks.
    pub fn close(mut self) -> Result<()> {
        drop(self.stop.take());
        let thread = self.thread.take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(Error::Closed)))
    }
}

fn ms(ms: i32) -> Duration {
    Duration::from_millis(ms.max(1).unsigned_abs().into())
}

fn client_options(config: &Config) -> client::Options {
    let bytes = config.controller_quorum_fetch_max_bytes;
    let bytes = bytes.max(config.controller_quorum_fetch_snapshot_max_bytes);
    client::Options {
        client_id: format!("raft-client-{}", config.node_id),
        request_timeout: ms(config.controller_quorum_request_timeout_ms),
        max_in_flight: 1,
        max_answer_bytes: ANSWER_ROOM + bytes.unsigned_abs() as usize,
    }
}

/// Asks the controllers that the settings name for their cluster's id until one answers.
pub async fn ask_cluster_id(config: &Config) -> String {
    let mut contacts = Contacts::new(config, Leader::channel().0);
    let request = DescribeClusterRequest::default().with_endpoint_type(CONTROLLERS);
    loop {
        let address = contacts.choose(None).unwrap_or_default();
        let client = Client::new(address.clone(), client_options(config));
        match client.ask(1..=2, &request).await {
            Ok(response) => match ResponseError::try_from_code(response.error_code) {
                None => return response.cluster_id.to_string(),
                Some(error) => contacts.unanswered(&address, &withheld(error)),
            },
            Err(error) => contacts.unanswered(&address, &error),
        }
        tokio::time::sleep(ms(config.controller_quorum_retry_backoff_ms)).await;
    }
}

/// Why a controller does not tell its cluster's id, and what to do where it never will. It may also
/// just have started, and not know its `metadata.version` yet.
fn withheld(error: ResponseError) -> String {
    match error {
        ResponseError::UnsupportedVersion => {
            "it tells its cluster.id from metadata.version 3.7 on; below, set CLUSTER_ID or format \
             log.dirs with kafka-storage.sh"
                .to_owned()
        }
        ResponseError::MismatchedEndpointType | ResponseError::UnsupportedEndpointType => {
            "it is a broker's listener; name those of controllers".to_owned()
        }
        error => error.to_string(),
    }
}

/// What the thread owns.
struct Follower {
    replica: Replica,
    clock: Clock,
    published: mpsc::Sender<Published>,
    image: Arc<ArcSwap<Image>>,
    catch_up: watch::Sender<bool>,
    backoff: Duration,
    options: client::Options,
    /// The connection to whom we asked last, by address.
    client: Option<(String, Client)>,
}

impl Follower {
    /// Follows until `stopped`, or until our copy must not go on, which `fail` says.
    async fn run(
        mut self,
        mut stopped: oneshot::Receiver<()>,
        fail: &watch::Sender<Option<String>>,
    ) -> Result<()> {
        let followed = tokio::select! {
            _ = &mut stopped => Ok(()),
            followed = self.follow() => followed,
        };
        if let Err(error) = followed {
            tracing::error!(%error, "the metadata log cannot be followed any more");
            fail.send_replace(Some(error.to_string()));
            // Whoever waits for the next step learns that there is none.
            drop(self.published);
            let _ = stopped.await;
        }
        self.replica.close(self.clock.now())
    }

    async fn follow(&mut self) -> Result<()> {
        loop {
            let pace = match self.ask().await {
                Err(error) if error.is_disk_full() => {
                    // Nothing is broken: what was not taken in is asked for again.
                    tracing::warn!(%error, "the metadata log cannot grow: trying again");
                    tokio::time::sleep(FULL_DISK).await;
                    continue;
                }
                pace => pace?,
            };
            // While the broker is behind, one step grows, and the quorum is followed all the same.
            if let Ok(room) = self.published.try_reserve()
                && let Some(step) = self.replica.take()?
            {
                self.image.store(step.image.clone());
                self.catch_up.send_replace(true);
                room.send(step);
            }
            self.replica.tick(self.clock.now())?;
            if pace == Pace::Backoff {
                tokio::time::sleep(self.backoff).await;
            }
        }
    }

    /// Asks one question. An error is our copy's; if the peer is at fault, another one is asked.
    async fn ask(&mut self) -> Result<Pace> {
        let (address, question) = self.replica.question();
        let Some(address) = address else { return Ok(Pace::Backoff) };
        if self.client.as_ref().is_none_or(|(known, _)| *known != address) {
            let client = Client::new(address.clone(), self.options.clone());
            self.client = Some((address.clone(), client));
        }
        let Some((_, client)) = &self.client else { return Ok(Pace::Backoff) };
        let lost = match question {
            Question::Fetch(request) => match client.ask(FETCH, &request).await {
                Ok(response) => return self.replica.fetched(response, self.clock.now()),
                Err(error) => error,
            },
            Question::Snapshot(request) => match client.ask(FETCH_SNAPSHOT, &request).await {
                Ok(response) => return self.replica.snapshot_fetched(response, self.clock.now()),
                Err(error) => error,
            },
        };
        self.client = None;
        self.replica.unanswered(&address, &lost);
        Ok(Pace::Backoff)
    }
}
