//! The roles of this process, and where the controllers are (`process.roles`,
//! `controller.quorum.voters`, `controller.quorum.bootstrap.servers`).

use super::definition::{parse_host, parse_voter};
use super::validate::require;
use super::{Config, SecurityProtocol};
use crate::error::{Error, Result};

/// One of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumVoter {
    /// Its `node.id`.
    pub id: i32,
    /// Where it listens.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl Config {
    /// Whether this process is a broker only, and its controllers are others'.
    pub fn is_broker_only(&self) -> bool {
        self.process_roles == ["broker"]
    }

    /// `controller.quorum.voters`.
    pub fn quorum_voters(&self) -> Vec<QuorumVoter> {
        let voters = self.controller_quorum_voters.iter();
        let parsed = voters.filter_map(|voter| parse_voter(voter));
        parsed.map(|(id, host, port)| QuorumVoter { id, host, port }).collect()
    }

    /// `controller.quorum.bootstrap.servers`: (host, port).
    pub fn quorum_bootstrap_servers(&self) -> Vec<(String, u16)> {
        let servers = self.controller_quorum_bootstrap_servers.iter();
        servers.filter_map(|server| parse_host(server)).collect()
    }

    /// The listener on which brokers reach the controllers: the first of
    /// `controller.listener.names`.
    pub fn controllers_listener(&self) -> String {
        self.controller_listener_names.first().map(|name| name.to_uppercase()).unwrap_or_default()
    }

    pub(super) fn check_roles(&self) -> Result<()> {
        let (node, broker) = (self.node_id, self.broker_id);
        require(node == broker, || {
            format!("node.id={node} and broker.id={broker} differ; set node.id alone")
        })?;
        let mut roles: Vec<&str> = self.process_roles.iter().map(String::as_str).collect();
        roles.sort_unstable();
        match roles[..] {
            ["broker", "controller"] => self.check_own_controller(),
            ["broker"] => self.check_remote_controllers(),
            _ => Err(Error::Config(format!(
                "process.roles={}: klamm is a broker, or a broker with its own controller. The \
                 controllers of a cluster are Apache Kafka's: format their directories with \
                 `kafka-storage.sh format` and start them with `kafka-server-start.sh` on this file; \
                 then start klamm with process.roles=broker and name them in \
                 controller.quorum.bootstrap.servers",
                self.process_roles.join(",")
            ))),
        }
    }

    fn check_own_controller(&self) -> Result<()> {
        let voters = self.quorum_voters();
        let node = self.node_id;
        require(voters.is_empty() || voters.iter().any(|voter| voter.id == node), || {
            let voters = self.controller_quorum_voters.join(",");
            format!("controller.quorum.voters={voters} leaves out this node, {node}; add it")
        })?;
        require(voters.len() <= 1, || {
            "controller.quorum.voters names other controllers: with process.roles=broker,controller \
             klamm is its own only controller. To join a cluster, set process.roles=broker"
                .to_owned()
        })
    }

    /// The rules of a broker whose controllers are others.
    fn check_remote_controllers(&self) -> Result<()> {
        let (voters, node) = (self.quorum_voters(), self.node_id);
        require(!voters.is_empty() || !self.quorum_bootstrap_servers().is_empty(), || {
            "process.roles=broker needs controllers: name some as host:port in \
             controller.quorum.bootstrap.servers, or all as id@host:port in controller.quorum.voters"
                .to_owned()
        })?;
        require(voters.iter().all(|voter| voter.id != node), || {
            let voters = self.controller_quorum_voters.join(",");
            format!(
                "controller.quorum.voters={voters} has a controller with this broker's id, \
                 node.id={node}; give the broker an id of its own"
            )
        })?;
        require(!self.controller_quorum_auto_join_enable, || {
            "controller.quorum.auto.join.enable=true is for controllers, and process.roles=broker; \
             remove it"
                .to_owned()
        })
    }

    /// What a broker of a cluster does not take from a default, as in Kafka: with one, it could take
    /// the place of another broker.
    pub(super) fn check_given(&self) -> Result<()> {
        let is_given = |name| !self.is_broker_only() || self.is_set(name);
        require(is_given("node.id") || is_given("broker.id"), || {
            "process.roles=broker needs node.id: a number that no other broker or controller of the \
             cluster has"
                .to_owned()
        })?;
        require(is_given("controller.listener.names"), || {
            "process.roles=broker needs controller.listener.names: what the controllers' files call \
             their listener, mostly CONTROLLER"
                .to_owned()
        })
    }

    /// `controller.listener.names` of a broker only: the names are the controllers', and need a
    /// protocol that we speak.
    pub(super) fn check_controllers_listeners(&self) -> Result<()> {
        let (protocols, all) = (self.protocols()?, self.all_listeners()?);
        for name in &self.controller_listener_names {
            let name = name.to_uppercase();
            require(all.iter().all(|one| one.name != name), || {
                format!(
                    "controller.listener.names and listeners both have {name}, and \
                     process.roles=broker: that listener is the controllers'; take it out of \
                     listeners"
                )
            })?;
            match protocols.get(&name) {
                Some(SecurityProtocol::Plaintext) => {}
                Some(_) => {
                    return Err(Error::Config(format!(
                        "The controllers' listener {name} is not PLAINTEXT: klamm does not speak TLS \
                         and SASL yet. Name one in controller.listener.names that is, or map it to \
                         PLAINTEXT in listener.security.protocol.map"
                    )));
                }
                None => {
                    return Err(Error::Config(format!(
                        "controller.listener.names={name}: listener.security.protocol.map has no \
                         protocol for it; add {name}:PLAINTEXT there"
                    )));
                }
            }
        }
        Ok(())
    }
}
