//! Sends markers to the leaders of a transaction's partitions, through a queue for each broker
//! (TransactionMarkerChannelManager), and writes those that this broker gets (WriteTxnMarkers).

use super::super::Marker;
use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::coordinator::{Groups, OFFSETS_TOPIC};
use crate::error::Result;
use crate::metadata::Image;
use crate::replica::Replicas;
use crate::sync::lock;
use crate::types::{BrokerId, NO_EPOCH, TopicPartition};
use futures_util::future::join_all;
use kafka_protocol::error::ResponseError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

/// The most markers that wait for one broker; a sender that has more waits itself.
const QUEUE_MAX: usize = 1000;
/// The most markers in one request.
const BATCH_MAX: usize = 100;

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
    node_id: BrokerId,
    here: Arc<MarkerWriter>,
    queues: Mutex<HashMap<BrokerId, mpsc::Sender<PendingMarker>>>,
}

impl Senders {
    /// No queues yet. `here` writes the markers for this broker.
    pub fn new(node_id: BrokerId, here: Arc<MarkerWriter>) -> Senders {
        Senders { node_id, here, queues: Mutex::default() }
    }

    /// Sends a marker to `broker`, for partitions that it leads.
    pub async fn send(
        &self,
        broker: BrokerId,
        marker: Marker,
        partitions: Vec<TopicPartition>,
    ) -> Written {
        let lost = |partitions: Vec<TopicPartition>| {
            let lost = Err(ResponseError::NotLeaderOrFollower);
            partitions.into_iter().map(|partition| (partition, lost)).collect()
        };
        if broker != self.node_id {
            // There is only one broker yet, so no other leads a partition.
            return lost(partitions);
        }
        let (written, answer) = oneshot::channel();
        let entry = PendingMarker { marker, partitions: partitions.clone(), written };
        if self.queue(broker).send(entry).await.is_err() {
            return lost(partitions);
        }
        answer.await.unwrap_or_else(|_| lost(partitions))
    }

    fn queue(&self, broker: BrokerId) -> mpsc::Sender<PendingMarker> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(broker).or_insert_with(|| {
            let (sender, queue) = mpsc::channel(QUEUE_MAX);
            tokio::spawn(deliver(self.here.clone(), queue));
            sender
        });
        queue.clone()
    }

    /// Closes the queues; nothing more is sent.
    pub fn close(&self) {
        lock(&self.queues).clear();
    }
}

/// Writes the markers that have come together in the meantime, as one WriteTxnMarkers would.
async fn deliver(here: Arc<MarkerWriter>, mut queue: mpsc::Receiver<PendingMarker>) {
    let mut entries = Vec::new();
    while queue.recv_many(&mut entries, BATCH_MAX).await > 0 {
        let here = &here;
        let writes = entries.drain(..).map(|entry| async move {
            let written = here.write(&entry.marker, entry.partitions).await;
            // If the receiver is gone, nobody wants the result.
            drop(entry.written.send(written));
        });
        join_all(writes).await;
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
