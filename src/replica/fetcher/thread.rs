//! The thread of a fetcher: it carries requests to the leader and answers to the logs. Reading an
//! answer and appending it happen on one thread, which may wait for the disk, so that the bytes
//! stay in the processor's cache and no other work is held up.

use super::copying::{Answer, Ask, Fetcher};
use crate::client::Client;
use crate::error::Result;
use crate::peers::{Peers, Purpose};
use crate::replica::Replicas;
use crate::sync::lock;
use crate::types::BrokerId;
use kafka_protocol::protocol::Request;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// Topics are named by id, and this broker by its epoch.
const FETCH: RangeInclusive<i16> = 15..=18;
const LIST_OFFSETS: RangeInclusive<i16> = 4..=11;

/// A fetcher and what its thread shares with others.
#[derive(Debug)]
pub(in crate::replica) struct Shared {
    /// Held while an answer is appended.
    pub fetcher: Mutex<Fetcher>,
    leader: BrokerId,
    /// Which of the fetchers of this leader it is.
    number: i32,
    /// A partition was added.
    wake: Notify,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub fn new(fetcher: Fetcher, number: i32) -> Arc<Shared> {
        let leader = fetcher.leader;
        Arc::new(Shared {
            fetcher: Mutex::new(fetcher),
            leader,
            number,
            wake: Notify::new(),
            stop: watch::Sender::new(false),
            thread: Mutex::default(),
        })
    }

    /// Tells the thread that there is something new to ask.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Lets the thread end. A request under way is abandoned.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end of the thread.
    pub fn join(&self) {
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the fetcher of broker {} has panicked", self.leader);
        }
    }

    /// Starts the thread. `replicas` is where truncations are noted.
    pub fn start(self: &Arc<Self>, replicas: Weak<Replicas>, peers: Arc<Peers>) {
        let shared = Arc::clone(self);
        let name = format!("fetcher-{}-{}", self.number, self.leader);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(shared.run(&replicas, &peers)),
                Err(error) => tracing::error!("a fetcher cannot start: {error}"),
            }
        };
        match std::thread::Builder::new().name(name).spawn(run) {
            Ok(thread) => *lock(&self.thread) = Some(thread),
            Err(error) => tracing::error!("a fetcher cannot start: {error}"),
        }
    }

    async fn run(&self, replicas: &Weak<Replicas>, peers: &Peers) {
        let mut stopped = self.stop.subscribe();
        let mut client = None;
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|is_stopped| *is_stopped) => return,
                () = self.step(&mut client, replicas, peers) => {}
            }
        }
    }

    /// Asks the next question and takes in the answer, or waits until there is one to ask.
    async fn step(&self, client: &mut Option<Client>, replicas: &Weak<Replicas>, peers: &Peers) {
        let ask = lock(&self.fetcher).next(Instant::now(), peers.own_epoch());
        let answer = match ask {
            Ask::Nothing(until) => return self.wait(until).await,
            Ask::Fetch(request) => {
                let answer = self.ask(client, peers, FETCH, &*request).await;
                answer.map(|answer| Answer::Fetch(Box::new(answer)))
            }
            Ask::Offsets(request) => {
                let answer = self.ask(client, peers, LIST_OFFSETS, &*request).await;
                answer.map(|answer| Answer::Offsets(Box::new(answer)))
            }
        };
        self.take_in(answer, Instant::now(), replicas);
    }

    /// Takes in what came of a question.
    pub fn take_in(&self, answer: Result<Answer>, now: Instant, replicas: &Weak<Replicas>) {
        let has_truncated = {
            let mut fetcher = lock(&self.fetcher);
            fetcher.take_in(answer, now);
            fetcher.take_truncated()
        };
        if has_truncated && let Some(replicas) = replicas.upgrade() {
            // Their recovery points must not be above what is appended next.
            replicas.checkpoint();
        }
    }

    async fn wait(&self, until: Option<Instant>) {
        let moment = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = moment => {}
            () = self.wake.notified() => {}
        }
    }

    async fn ask<R: Request>(
        &self,
        client: &mut Option<Client>,
        peers: &Peers,
        versions: RangeInclusive<i16>,
        request: &R,
    ) -> Result<R::Response> {
        self.client(client, peers)?.ask(versions, request).await
    }

    /// The client of the leader at its present address.
    fn client<'a>(&self, client: &'a mut Option<Client>, peers: &Peers) -> Result<&'a Client> {
        let address = peers.registered_address(self.leader)?;
        let known = client.take().filter(|known| known.address() == address);
        Ok(client.insert(known.unwrap_or_else(|| {
            let client_id = format!("broker-{}-fetcher-{}", peers.own_id(), self.number);
            peers.client(Purpose::Replication, address, client_id)
        })))
    }
}
