//! The active controller: the leader of the metadata quorum, to which a broker sends its requests.

use crate::types::{BrokerId, LeaderEpoch};
use tokio::sync::watch;

/// The active controller as far as this broker knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// Its node id; None while nobody is known to lead.
    pub id: Option<BrokerId>,
    /// The epoch in which it leads. It never falls.
    pub epoch: LeaderEpoch,
    /// Where it takes requests, as `host:port`; None while that is not known.
    pub address: Option<String>,
}

impl Leader {
    /// A channel that tells of the active controller and begins with nobody.
    pub fn channel() -> (watch::Sender<Leader>, watch::Receiver<Leader>) {
        watch::channel(Leader::default())
    }
}
