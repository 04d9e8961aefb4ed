//! The group coordinator: synchronous state machines, one per `__consumer_offsets` partition,
//! rebuilt by replaying it. (Stub: the coordinator engineer replaces this.)

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Result;
use crate::metadata::{Delta, Image};
use crate::replica::Replicas;
use std::sync::Arc;

/// All groups whose partition of `__consumer_offsets` this broker leads. One method per API
/// (`join_group`, `sync_group`, `heartbeat`, `leave_group`, `commit_offsets`, `fetch_offsets`,
/// `delete_offsets`, `describe_groups`, `list_groups`, `delete_groups`), each
/// `async fn(&self, cx: &RequestContext, request) -> response`.
#[derive(Debug)]
pub struct Groups {}

#[allow(missing_docs)]
impl Groups {
    pub fn new(config: Arc<Config>, clock: Clock, replicas: Arc<Replicas>) -> Arc<Groups> {
        let _ = (config, clock, replicas);
        todo!("coordinator engineer")
    }
    /// Loads the shards of partitions that this broker came to lead, unloads the others; forgets
    /// the offsets of deleted topics.
    pub fn apply(self: &Arc<Self>, image: &Arc<Image>, delta: &Delta) {
        let _ = (image, delta);
        todo!()
    }
    pub async fn close(&self) -> Result<()> {
        todo!()
    }
}

/// Who asks, as far as a coordinator cares.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RequestContext {
    pub api_version: i16,
    pub client_id: String,
    /// As `/127.0.0.1`.
    pub client_host: String,
}
