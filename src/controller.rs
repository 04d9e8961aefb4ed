//! The controller: the only component that changes metadata. It is embedded in the broker process
//! and is the quorum's only voter, or it is one of Apache Kafka's on other nodes.
//!
//! ```text
//!  client                the way in: what brokers ask of the controller, and wait for
//!  leader remote         in a process that is only a broker: the quorum's active controller
//!  envelope              a client's request, and the answer to it
//!  thread                takes requests from the queue; one fsync for those that wait together
//!  apis                  clients' requests: decoded, carried out, answered in bytes
//!  state                 what the thread owns: validate, append, replay; snapshots when due
//!  view                  what a request is validated against, and its outcome; the files named
//!                        after APIs and nouns extend it
//!  quorum                the metadata log as its only voter keeps it
//!  metadata_log snapshots election     that log's directory, whoever leads it
//!  preview               reads it before anything is changed
//!  observer              that log as a broker follows it, whose controllers are others
//! ```
//!
//! One thread owns the metadata log of an embedded controller. It takes everything that waits in its queue, validates and
//! appends one request after the other, makes all of them durable with one fsync, publishes the new
//! image, and then answers. Requests that arrive together share the cost of that fsync.

mod alter_configs;
mod apis;
mod brokers;
mod client;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe;
mod elect_leaders;
mod election;
mod envelope;
mod journal;
mod leader;
mod metadata_log;
mod observer;
mod partition_change;
mod placement;
mod preview;
pub mod quorum;
mod reassignments;
mod remote;
mod replicas;
mod snapshots;
mod state;
mod thread;
mod update_features;
mod view;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::remote::tests as scripted;
#[cfg(test)]
pub(crate) use self::tests::model;

pub use self::brokers::{BrokerStatus, Heartbeat};
pub use self::client::Client;
pub use self::envelope::{Answer, Forwarded, Requester};
pub use self::leader::Leader;
pub use self::metadata_log::DIR_NAME;
pub use self::observer::{Observer, ask_cluster_id};
pub use self::preview::{Preview, preview};
pub use self::remote::Remote;

use self::client::Embedded;
use self::metadata_log::LogOptions;
use self::quorum::{Options, Quorum};
use self::state::ControllerState;
use crate::clock::Clock;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::metadata::Published;
use crate::types::BrokerId;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// The embedded controller, held by the code that starts and stops it. All other code holds a
/// [`Client`].
///
/// When it is dropped, its thread ends as soon as the queue is empty, and so does `published`.
/// Nothing waits for that.
#[derive(Debug)]
pub struct Controller {
    embedded: Arc<Embedded>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Controller {
    /// Opens `__cluster_metadata-0` in `metadata_dir`, formatting it if it is empty, replays it and
    /// becomes the leader of a new epoch, which it records. `published` receives the whole state as
    /// the first step, then each later step.
    pub fn open(
        disk: Disk,
        clock: Clock,
        config: Config,
        metadata_dir: &Path,
        cluster_id: &str,
        directory_id: uuid::Uuid,
        published: mpsc::Sender<Published>,
    ) -> Result<Controller> {
        let options = options(&config, cluster_id, directory_id)?;
        let opened = Quorum::open(disk, metadata_dir, options, clock.now())?;
        let (mut state, first) = ControllerState::lead(clock, config, opened)?;
        let (embedded, jobs) = Embedded::new(first.image.clone(), state.failed.subscribe());
        let for_thread = embedded.clone();
        let thread = std::thread::Builder::new()
            .name("controller".to_owned())
            .spawn(move || {
                // Nobody receives it any more: the broker is stopping.
                let _ = published.blocking_send(first);
                thread::run(&mut state, &jobs, &published, &for_thread.image);
                state.close()
            })
            .map_err(|source| Error::disk(metadata_dir, source))?;
        Ok(Controller { embedded, thread: Some(thread) })
    }

    /// A new handle to this controller.
    pub fn client(&self) -> Client {
        Client::Embedded(self.embedded.clone())
    }

    /// Waits until the queue is empty, ends the thread, and flushes and closes the metadata log.
    /// Blocks.
    pub fn close(mut self) -> Result<()> {
        self.embedded.close();
        let thread = self.thread.take();
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(Error::Closed)))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.embedded.close();
    }
}

fn options(config: &Config, cluster_id: &str, directory_id: uuid::Uuid) -> Result<Options> {
    let voter = |text: &String| text.split('@').next().and_then(|id| id.trim().parse().ok());
    let static_voters: Option<Vec<BrokerId>> =
        config.controller_quorum_voters.iter().map(voter).collect();
    let listeners = config.controller_listeners().into_iter().map(|listener| {
        let host = if listener.host.is_empty() { "localhost".to_owned() } else { listener.host };
        (listener.name, host, listener.port)
    });
    Ok(Options {
        node_id: config.node_id,
        cluster_id: cluster_id.to_owned(),
        directory_id,
        static_voters: static_voters
            .ok_or_else(|| Error::Config("controller.quorum.voters: no node id".to_owned()))?,
        listeners: listeners.collect(),
        log: LogOptions::new(config)?,
    })
}
