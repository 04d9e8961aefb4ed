//! A connection to the active controller, whichever that is (NodeToControllerChannelManager).

use crate::client::{Client, Connection, Options, Ranges};
use crate::controller::leader::Leader;
use crate::error::{Error, Result};
use arc_swap::ArcSwapOption;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::Request;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// The pause after an attempt that came to nothing.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A way to the active controller for requests of one purpose.
///
/// One request is under way at a time, as on Kafka's channels, and the others wait for their turn.
/// An attempt is repeated if the connection is lost or the controller is not the active one any
/// more, so a request may be carried out twice.
#[derive(Debug)]
pub(super) struct Channel {
    leader: watch::Receiver<Leader>,
    options: Options,
    link: Mutex<Option<Link>>,
    /// What the connected controller serves.
    ranges: ArcSwapOption<Ranges>,
}

/// The way to the controller that was active at the last attempt.
#[derive(Debug)]
struct Link {
    address: String,
    client: Client,
}

/// A request that can be sent more than once.
pub(super) struct Ask<R: Request, F> {
    /// The versions at which it can be sent.
    pub versions: RangeInclusive<i16>,
    /// The request at one of these versions.
    pub request: F,
    /// The error of a response as a whole; 0 if there is none.
    pub error: fn(&R::Response) -> i16,
    /// How long all attempts may take together.
    pub patience: Duration,
}

impl Channel {
    /// A channel that connects when it is first used.
    pub fn new(leader: watch::Receiver<Leader>, options: Options) -> Channel {
        Channel { leader, options, link: Mutex::default(), ranges: ArcSwapOption::empty() }
    }

    /// The versions that the connected controller serves; None while there is no connection.
    pub fn ranges(&self) -> Option<Arc<Ranges>> {
        self.ranges.load_full()
    }

    /// Connects in advance, so that it is known what the active controller serves.
    pub async fn connect(&self, patience: Duration) {
        let connect = async {
            let mut link = self.link.lock().await;
            let address = self.address().await?;
            self.open(&mut link, &address).await
        };
        if let Ok(Err(error)) = timeout(patience, connect).await {
            tracing::debug!(%error, "not connected to the active controller in advance");
        }
    }

    /// Sends a request until an active controller has answered it. REQUEST_TIMED_OUT if none does in
    /// time; any other error is one of the response as a whole, or the request cannot be sent.
    pub async fn ask<R: Request>(&self, ask: Ask<R, impl Fn(i16) -> R>) -> Result<R::Response> {
        let deadline = Instant::now() + ask.patience;
        let late = || {
            let waited = ask.patience.as_millis();
            let message = format!("no active controller has answered within {waited} ms");
            Error::Explained(ResponseError::RequestTimedOut, message)
        };
        let mut link = timeout_at(deadline, self.link.lock()).await.map_err(|_| late())?;
        loop {
            let attempt = timeout_at(deadline, self.attempt(&mut link, &ask)).await;
            match attempt.unwrap_or_else(|_| Err(late())) {
                Err(Error::Disconnected(error)) => {
                    tracing::debug!(%error, "the active controller is lost");
                }
                Err(Error::Code(ResponseError::NotController)) => {}
                // The controller has refused the request, and the connection is as it should be.
                answered @ (Ok(_) | Err(Error::Code(_))) => return answered,
                Err(error) => {
                    self.disconnect(&mut link);
                    return Err(error);
                }
            }
            self.disconnect(&mut link);
            sleep_until(deadline.min(Instant::now() + RETRY_PAUSE)).await;
        }
    }

    /// Sends a request once, when an active controller is known. Disconnected if it stops being the
    /// active one before it answers.
    async fn attempt<R: Request>(
        &self,
        link: &mut Option<Link>,
        ask: &Ask<R, impl Fn(i16) -> R>,
    ) -> Result<R::Response> {
        let address = self.address().await?;
        let asked = async {
            let connection = self.open(link, &address).await?;
            let version = connection.version_of(R::KEY, ask.versions.clone())?;
            connection.ask(version, &(ask.request)(version)).await
        };
        let mut leader = self.leader.clone();
        let is_other = |leader: &Leader| leader.address.as_ref().is_some_and(|a| *a != address);
        let response = tokio::select! {
            response = asked => response?,
            Ok(_) = leader.wait_for(is_other) => {
                return Err(Error::Disconnected(io::ErrorKind::ConnectionAborted.into()));
            }
        };
        ResponseError::try_from_code((ask.error)(&response)).map_or(Ok(response), |e| Err(e.into()))
    }

    /// The address of the active controller, as soon as it is known.
    async fn address(&self) -> Result<String> {
        let mut leader = self.leader.clone();
        let known = leader.wait_for(|leader| leader.address.is_some()).await;
        known.ok().and_then(|leader| leader.address.clone()).ok_or(Error::Closed)
    }

    /// The open connection to the controller at `address`, or a new one.
    async fn open(&self, link: &mut Option<Link>, address: &str) -> Result<Arc<Connection>> {
        if link.as_ref().is_some_and(|link| link.address != address) {
            self.disconnect(link);
        }
        let link = link.get_or_insert_with(|| Link {
            client: Client::new(address.to_owned(), self.options.clone()),
            address: address.to_owned(),
        });
        let connection = link.client.connection().await?;
        self.ranges.store(Some(connection.ranges().clone()));
        Ok(connection)
    }

    fn disconnect(&self, link: &mut Option<Link>) {
        *link = None;
        self.ranges.store(None);
    }
}
