//! Whom to ask: the leader of the quorum, or whoever may know it.

use crate::codec::schema::raft::VotersRecord;
use crate::config::Config;
use crate::controller::leader::Leader;
use crate::types::{BrokerId, LeaderEpoch};
use tokio::sync::watch;
use tracing::{info, warn};

/// The controllers as far as we know them.
#[derive(Debug)]
pub(super) struct Contacts {
    /// The listener at which controllers take requests.
    listener: String,
    /// `controller.quorum.bootstrap.servers`.
    bootstrap: Vec<String>,
    /// `controller.quorum.voters`.
    voters: Vec<(BrokerId, String)>,
    told: watch::Sender<Leader>,
    /// The leader did not answer: somebody else is asked whether there is a new one.
    is_suspected: bool,
    /// Who of those to ask next.
    next: usize,
    /// The number of questions since the last answer.
    unanswered: u32,
}

impl Contacts {
    /// The controllers that the settings name. `told` is told of the leader.
    pub fn new(config: &Config, told: watch::Sender<Leader>) -> Contacts {
        let servers = config.quorum_bootstrap_servers();
        let voters = config.quorum_voters();
        Contacts {
            listener: config.controllers_listener(),
            bootstrap: servers.iter().map(|(host, port)| address(host, *port)).collect(),
            voters: voters.iter().map(|one| (one.id, address(&one.host, one.port))).collect(),
            told,
            is_suspected: false,
            next: 0,
            unanswered: 0,
        }
    }

    /// The leader and its epoch.
    pub fn leader(&self) -> Leader {
        self.told.borrow().clone()
    }

    /// The ids in `controller.quorum.voters`.
    pub fn voter_ids(&self) -> Vec<BrokerId> {
        self.voters.iter().map(|(id, _)| *id).collect()
    }

    /// Whom to ask now: the leader unless it is unknown or suspected, else one after the other of
    /// those that the settings and the log name.
    pub fn choose(&mut self, logged: Option<&VotersRecord>) -> Option<String> {
        if !self.is_suspected
            && let Some(leader) = self.leader().address
        {
            return Some(leader);
        }
        let mut all = self.bootstrap.clone();
        all.extend(self.voters.iter().map(|(_, address)| address.clone()));
        let logged = logged.iter().flat_map(|record| &record.voters);
        all.extend(logged.filter_map(|voter| self.logged_address(voter)));
        let mut seen = std::collections::HashSet::new();
        all.retain(|address| seen.insert(address.clone()));
        let chosen = all.get(self.next % all.len().max(1)).cloned();
        self.next = self.next.wrapping_add(1);
        chosen
    }

    /// Where a controller is according to the settings or the log.
    pub fn address_of(&self, id: BrokerId, logged: Option<&VotersRecord>) -> Option<String> {
        let mut logged = logged.iter().flat_map(|record| &record.voters);
        let logged = logged.find(|voter| voter.voter_id == id);
        logged.and_then(|voter| self.logged_address(voter)).or_else(|| {
            self.voters.iter().find(|(voter, _)| *voter == id).map(|(_, address)| address.clone())
        })
    }

    fn logged_address(
        &self,
        voter: &crate::codec::schema::raft::voters_record::Voter,
    ) -> Option<String> {
        let mut endpoints = voter.endpoints.iter();
        let ours = endpoints.find(|one| one.name.eq_ignore_ascii_case(&self.listener));
        ours.map(|one| address(&one.host, one.port))
    }

    /// Takes note of who leads.
    pub fn set_leader(&mut self, leader: Leader) {
        self.is_suspected = false;
        match (leader.id, &leader.address) {
            (Some(id), Some(address)) => {
                info!("following controller {id} at {address} in epoch {}", leader.epoch);
            }
            (Some(id), None) => {
                info!(
                    "controller {id} leads in epoch {}, and its address is unknown",
                    leader.epoch
                );
            }
            (None, _) => info!("no controller leads in epoch {} yet", leader.epoch),
        }
        self.told.send_replace(leader);
    }

    /// Begins with what an earlier process knew, which need not hold any more.
    pub fn begin(&mut self, epoch: LeaderEpoch) {
        self.told.send_replace(Leader { epoch, ..Leader::default() });
    }

    /// Somebody answered.
    pub fn answered(&mut self) {
        if self.unanswered >= SILENCE {
            info!("a controller answers again");
        }
        (self.unanswered, self.is_suspected) = (0, false);
    }

    /// Asks somebody else next: the leader says that it is none any more.
    pub fn suspect(&mut self) {
        self.is_suspected = true;
    }

    /// Somebody did not answer, or with an error.
    pub fn unanswered(&mut self, address: &str, why: &dyn std::fmt::Display) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.is_suspected = true;
        if self.unanswered == SILENCE {
            warn!(
                "no controller answers, the last asked was {address}: {why}. Asking on; a running \
                 broker goes on with what it knows"
            );
        }
    }
}

/// The number of unanswered questions after which the log says so.
const SILENCE: u32 = 5;

pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
