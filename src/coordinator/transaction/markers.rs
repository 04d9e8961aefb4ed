//! Sends markers to the leaders of a transaction's partitions, through a queue for each broker
//! (TransactionMarkerChannelManager), and writes those that this broker gets (WriteTxnMarkers).

mod request;

use super::super::Marker;
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::coordinator::outbox::Outbox;
use crate::coordinator::{Groups, OFFSETS_TOPIC};
use crate::error::Result;
use crate::metadata::Image;
use crate::peers::{Peers, Purpose};
use crate::replica::Replicas;
use crate::sync::lock;
use crate::types::{BrokerId, NO_EPOCH, TopicPartition};
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// The versions of WriteTxnMarkers that are sent. Before version 2 a marker does not tell its
/// transaction version.
const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;

/// The result of a marker in each partition.
pub type Written = Vec<(TopicPartition, Result<(), ResponseError>)>;

/// A marker for some partitions of one broker.
#[derive(Debug)]
struct PendingMarker {
    marker: Marker,
    partitions: Vec<TopicPartition>,
    written: oneshot::Sender<Written>,
}

/// A queue of markers for each broker.
#[derive(Debug)]
pub struct Senders {
    outbox: Outbox<BrokerId, PendingMarker>,
}

impl Senders {
    /// No queues yet. `here` writes the markers for this broker.
    pub fn new(node_id: BrokerId, here: Arc<MarkerWriter>, peers: Arc<Peers>) -> Senders {
        let outbox = Outbox::new(move |broker, markers| {
            let (here, peers) = (Arc::clone(&here), Arc::clone(&peers));
            async move {
                match broker == node_id {
                    true => write_here(&here, markers).await,
                    false => send(&peers, broker, markers).await,
                }
            }
        });
        Senders { outbox }
    }

    /// Sends a marker to `broker`, for partitions that it leads.
    pub async fn send(
        &self,
        broker: BrokerId,
        marker: Marker,
        partitions: Vec<TopicPartition>,
    ) -> Written {
        let (written, answer) = oneshot::channel();
        let pending = PendingMarker { marker, partitions: partitions.clone(), written };
        self.outbox.put(broker, pending).await;
        answer.await.unwrap_or_else(|_| failed(partitions, ResponseError::NotLeaderOrFollower))
    }

    /// Closes the queues; nothing more is sent.
    pub fn close(&self) {
        self.outbox.close();
    }
}

fn failed(partitions: Vec<TopicPartition>, error: ResponseError) -> Written {
    partitions.into_iter().map(|partition| (partition, Err(error))).collect()
}

/// Writes the markers that have come together in the meantime, as one WriteTxnMarkers would.
async fn write_here(here: &MarkerWriter, markers: Vec<PendingMarker>) {
    let writes = markers.into_iter().map(|pending| async move {
        let written = here.write(&pending.marker, pending.partitions).await;
        // If the receiver is gone, nobody wants the result.
        drop(pending.written.send(written));
    });
    join_all(writes).await;
}

/// Sends markers to another broker in one WriteTxnMarkers. Whatever prevents an answer is the same
/// to the partitions: they have to be tried again, perhaps with another leader.
async fn send(peers: &Peers, broker: BrokerId, markers: Vec<PendingMarker>) {
    let request = request::request(markers.iter().map(|it| (&it.marker, &*it.partitions)));
    let answered = peers.ask(Purpose::Markers, broker, VERSIONS, &request).await;
    let answers = match answered {
        Ok(response) => Ok(request::answers(response)),
        Err(error) => {
            tracing::debug!(broker, %error, "transaction markers could not be sent");
            Err(ResponseError::NotLeaderOrFollower)
        }
    };
    for PendingMarker { marker, partitions, written } in markers {
        let result = match &answers {
            Ok(answers) => answers.of(marker.producer_id, partitions),
            Err(error) => failed(partitions, *error),
        };
        drop(written.send(result));
    }
}

/// Writes markers into the partitions that this broker leads.
#[derive(Debug)]
pub struct MarkerWriter {
    config: LiveConfig,
    clock: Clock,
    replicas: Arc<Replicas>,
    groups: Arc<Groups>,
    image: Mutex<Arc<Image>>,
}

impl MarkerWriter {
    /// A writer that knows no metadata yet.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        replicas: Arc<Replicas>,
        groups: Arc<Groups>,
    ) -> MarkerWriter {
        MarkerWriter { config, clock, replicas, groups, image: Mutex::default() }
    }

    /// Takes a new image of the metadata.
    pub fn apply(&self, image: &Arc<Image>) {
        *lock(&self.image) = image.clone();
    }

    /// The image that was applied last.
    pub fn image(&self) -> Arc<Image> {
        lock(&self.image).clone()
    }

    /// Writes a marker into each of the partitions and waits until it is replicated.
    pub async fn write(&self, marker: &Marker, partitions: Vec<TopicPartition>) -> Written {
        let image = self.image();
        let writes = partitions.into_iter().map(|partition| async {
            let written = self.write_one(&image, marker, &partition).await;
            (partition, written.map_err(|error| error.code()))
        });
        join_all(writes).await
    }

    async fn write_one(
        &self,
        image: &Image,
        marker: &Marker,
        TopicPartition { topic, partition: index }: &TopicPartition,
    ) -> Result<()> {
        let partition = self
            .replicas
            .by_name(image, topic, *index)
            .map_err(|_| ResponseError::UnknownTopicOrPartition)?;
        if &**topic == OFFSETS_TOPIC {
            let ended = self.groups.end_transaction(*index, marker).await;
            return ended.map_err(|error| match error.code() {
                // The error that makes a transaction coordinator try again.
                ResponseError::CoordinatorNotAvailable
                | ResponseError::CoordinatorLoadInProgress
                | ResponseError::NotCoordinator => ResponseError::NotLeaderOrFollower.into(),
                _ => error,
            });
        }
        let now = self.clock.now();
        let appended = partition.append_verified(marker.append(now), NO_EPOCH, -1, now)?;
        let timeout_ms = self.config.get().request_timeout_ms;
        partition.wait_for_high_watermark(appended.last_offset + 1, timeout_ms).await
    }
}
