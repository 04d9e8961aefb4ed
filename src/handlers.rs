//! The one API table and the context that handlers share. One file per API, all of one shape:
//! `pub(super) async fn handle(cx: &Context, request: XRequest) -> Result<Reply>`.
//! (The lead writes the table; the shape below is fixed.)

mod delete_groups;
mod delete_records;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;

use crate::clock::Clock;
use crate::codec::{self, Reply};
use crate::config::Config;
use crate::coordinator::Groups;
use crate::disk::FileRange;
use crate::metadata::Image;
use crate::metadata::controller::Controller;
use crate::replica::Replicas;
use arc_swap::ArcSwap;
use kafka_protocol::protocol::Encodable;
use std::sync::Arc;
use tokio::sync::watch;

/// What lives as long as the broker.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Parts {
    pub config: Arc<Config>,
    pub clock: Clock,
    pub broker_epoch: i64,
    pub replicas: Arc<Replicas>,
    pub groups: Arc<Groups>,
    pub controller: Arc<Controller>,
    /// The image that this broker has applied (logs exist, coordinators know).
    pub image: ArcSwap<Image>,
    /// Its offset, to wait for.
    pub applied: watch::Receiver<i64>,
}

/// One request's surroundings.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Context {
    pub parts: Arc<Parts>,
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
    /// The peer's address as Kafka shows it: `/127.0.0.1`.
    pub client_host: String,
    /// Name of the listener it came in by.
    pub listener: Arc<str>,
}

#[allow(missing_docs)]
impl Context {
    pub fn reply<M: Encodable>(&self, response: &M) -> Reply {
        self.reply_with_files(response, Vec::new())
    }
    /// As `reply`, where each non-empty `records` field that was given as
    /// `codec::splice::placeholder(len)` is replaced by the next group of file ranges, whose
    /// lengths add up to `len`.
    pub fn reply_with_files<M: Encodable>(
        &self,
        response: &M,
        files: Vec<Vec<FileRange>>,
    ) -> Reply {
        let (key, version) = (self.api_key, self.api_version);
        codec::encode_with_files(key, version, self.correlation_id, response, files)
    }
    pub fn image(&self) -> Arc<Image> {
        self.parts.image.load_full()
    }
}
