//! The controller client: the only way in which the broker's half changes anything, and the
//! embedded one-voter controller behind it. Later a remote quorum stands here.
//! (Stub: the metadata engineer replaces the bodies.)

use super::{Image, Published};
use crate::clock::Clock;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::Result;
use crate::types::{BrokerId, Offset};
use bytes::Bytes;
use kafka_protocol::messages::BrokerRegistrationRequest;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A broker's request that the controller answers, as the client sent it (Envelope's content).
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Forwarded {
    pub api_key: i16,
    pub api_version: i16,
    /// The request's body, checked by `codec::guard`.
    pub body: Bytes,
    /// `User:ANONYMOUS` until there is security.
    pub principal: String,
    pub client_host: String,
}

/// The answer to a forwarded request.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Answer {
    /// The response's body, encoded at the request's version.
    pub body: Bytes,
    /// Offset of the last metadata record written for it; wait until the broker has applied it.
    pub offset: Offset,
}

/// The embedded controller and the client to it, one object while they live in one process.
#[derive(Debug)]
pub struct Controller {}

#[allow(missing_docs)]
impl Controller {
    /// Opens (formatting if empty) `__cluster_metadata-0` in `metadata_dir`, replays it, becomes
    /// leader of a new epoch and writes that down. `published` receives the whole state as the
    /// first step, then each later one.
    pub fn open(
        disk: Disk,
        clock: Clock,
        config: Arc<Config>,
        metadata_dir: &Path,
        cluster_id: &str,
        directory_id: uuid::Uuid,
        published: mpsc::Sender<Published>,
    ) -> Result<Arc<Controller>> {
        let _ = (disk, clock, config, metadata_dir, cluster_id, directory_id, published);
        todo!("metadata engineer")
    }
    /// The newest committed image.
    pub fn image(&self) -> Arc<Image> {
        todo!()
    }
    /// Registers this broker; answers its epoch (the offset of its RegisterBrokerRecord).
    pub async fn register(&self, request: BrokerRegistrationRequest) -> Result<i64> {
        let _ = request;
        todo!()
    }
    /// A heartbeat; answers (is fenced, should shut down).
    pub async fn heartbeat(
        &self,
        broker_id: BrokerId,
        broker_epoch: i64,
        applied: Offset,
        want_fence: bool,
        want_shut_down: bool,
    ) -> Result<(bool, bool)> {
        let _ = (broker_id, broker_epoch, applied, want_fence, want_shut_down);
        todo!()
    }
    /// A block of producer ids: (first, count).
    pub async fn allocate_producer_ids(
        &self,
        broker_id: BrokerId,
        epoch: i64,
    ) -> Result<(i64, i32)> {
        let _ = (broker_id, epoch);
        todo!()
    }
    /// CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs, IncrementalAlterConfigs,
    /// UpdateFeatures, ElectLeaders, Alter/ListPartitionReassignments, DescribeQuorum, ...
    pub async fn forward(&self, request: Forwarded) -> Result<Answer> {
        let _ = request;
        todo!()
    }
    /// NoOp records while idle, snapshots when due; called about every 100 ms.
    pub fn tick(&self) -> Result<()> {
        todo!()
    }
    /// Flushes and closes the metadata log.
    pub fn close(&self) -> Result<()> {
        todo!()
    }
}
