//! Requests by hand to the node of the cluster that each is for, sent again until they are
//! answered.

use crate::connection::Connection;
use kafka_protocol::ResponseError as Code;
use kafka_protocol::protocol::{Request, StrBytes};
use klamm::codec::messages::metadata_request::MetadataRequestTopic;
use klamm::codec::messages::{FindCoordinatorRequest, MetadataRequest, MetadataResponse};
use std::collections::HashMap;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

const BACKOFF: Duration = Duration::from_millis(20);
const METADATA_VERSION: i16 = 9;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// No answer until the run's last moment.
#[derive(Debug)]
pub struct GaveUp;

/// The node that a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// Another one each time.
    Any,
    /// The leader of this partition.
    Leader(String, i32),
    /// The coordinator of this group.
    Group(String),
    /// The coordinator of this transactional id.
    Transaction(String),
}

impl Node {
    pub fn leader(topic: &str, index: i32) -> Node {
        Node::Leader(topic.to_owned(), index)
    }
}

pub struct Client {
    bootstrap: Vec<String>,
    /// How often any node was asked.
    turn: usize,
    /// By address.
    connections: HashMap<String, Connection>,
    addresses: HashMap<Node, String>,
    pub give_up: Instant,
    /// How often a request went unanswered: it may have been carried out, or may still be.
    pub unanswered: usize,
}

impl Client {
    /// `bootstrap` is one or more addresses with commas between.
    pub fn new(bootstrap: &str, give_up: Instant) -> Client {
        Client {
            bootstrap: bootstrap.split(',').map(str::to_owned).collect(),
            turn: 0,
            connections: HashMap::new(),
            addresses: HashMap::new(),
            give_up,
            unanswered: 0,
        }
    }

    /// How many nodes it knows from the beginning.
    pub fn nodes(&self) -> usize {
        self.bootstrap.len()
    }

    /// Sends a request until it is answered.
    pub fn ask<R: Request>(
        &mut self,
        node: &Node,
        version: i16,
        request: &R,
    ) -> Result<R::Response, GaveUp> {
        loop {
            match self.ask_once(node, version, request) {
                Ok(response) => return Ok(response),
                Err(_) if Instant::now() > self.give_up => return Err(GaveUp),
                Err(_) => self.pause(),
            }
        }
    }

    /// Sends a request until the node neither fails nor asks to try again, there or elsewhere;
    /// `code` finds the answer's error code.
    pub fn ask_until_ready<R: Request>(
        &mut self,
        node: &Node,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, GaveUp> {
        loop {
            let response = self.ask(node, version, request)?;
            if !is_retriable(code(&response)) {
                return Ok(response);
            }
            if Instant::now() > self.give_up {
                return Err(GaveUp);
            }
            self.forget(node);
            self.pause();
        }
    }

    /// Sends a request once. After an error the node is looked for anew.
    pub fn ask_once<R: Request>(
        &mut self,
        node: &Node,
        version: i16,
        request: &R,
    ) -> io::Result<R::Response> {
        let address = self.address(node)?;
        let answered = self.connection(&address).ask_once(version, request);
        if answered.is_err() {
            self.unanswered += 1;
            self.forget(node);
        }
        answered
    }

    /// Sends a request and does not wait for what comes of it.
    pub fn send_and_leave<R: Request>(&mut self, node: &Node, version: i16, request: &R) {
        if let Ok(address) = self.address(node) {
            self.connection(&address).send_and_leave(version, request);
        }
    }

    pub fn pause(&self) {
        sleep(BACKOFF);
    }

    /// The node may be another one by now.
    pub fn forget(&mut self, node: &Node) {
        self.addresses.remove(node);
    }

    fn connection(&mut self, address: &str) -> &mut Connection {
        self.connections
            .entry(address.to_owned())
            .or_insert_with_key(|address| Connection::new(address))
    }

    /// Where the node is reached, by what one of the others says if it is not known.
    pub fn address(&mut self, node: &Node) -> io::Result<String> {
        if let Some(address) = self.addresses.get(node) {
            return Ok(address.clone());
        }
        let address = match node {
            Node::Any => {
                self.turn += 1;
                return Ok(self.bootstrap[self.turn % self.bootstrap.len()].clone());
            }
            Node::Leader(topic, index) => self.leader(topic, *index)?,
            Node::Group(group) => self.coordinator(GROUP, group)?,
            Node::Transaction(id) => self.coordinator(TRANSACTION, id)?,
        };
        self.addresses.insert(node.clone(), address.clone());
        Ok(address)
    }

    /// What any node says of these topics.
    pub fn metadata(&mut self, topics: &[&str]) -> io::Result<MetadataResponse> {
        let topics = topics.iter().map(|topic| {
            let name = StrBytes::from_string((*topic).to_owned());
            MetadataRequestTopic::default().with_name(Some(name.into()))
        });
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let address = self.address(&Node::Any)?;
        self.connection(&address).ask_once(METADATA_VERSION, &request)
    }

    fn leader(&mut self, topic: &str, index: i32) -> io::Result<String> {
        let metadata = self.metadata(&[topic])?;
        let mut partitions = metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let leader = partitions.find(|partition| partition.partition_index == index);
        let leader = leader.ok_or(io::ErrorKind::NotFound)?.leader_id;
        let mut brokers = metadata.brokers.iter();
        let broker = brokers.find(|broker| broker.node_id == leader);
        let broker = broker.ok_or(io::ErrorKind::NotFound)?;
        Ok(format!("{}:{}", broker.host, broker.port))
    }

    /// Also makes the internal topic exist in which the coordinator keeps what it knows.
    fn coordinator(&mut self, kind: i8, key: &str) -> io::Result<String> {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![StrBytes::from_string(key.to_owned())]);
        let address = self.address(&Node::Any)?;
        let found = self.connection(&address).ask_once(4, &request)?;
        let found = &found.coordinators[0];
        if found.error_code != 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(format!("{}:{}", found.host, found.port))
    }
}

/// Errors after which the same request is sent again.
pub fn is_retriable(code: i16) -> bool {
    const RETRIABLE: [Code; 16] = [
        Code::UnknownTopicOrPartition,
        Code::LeaderNotAvailable,
        Code::NotLeaderOrFollower,
        Code::RequestTimedOut,
        Code::BrokerNotAvailable,
        Code::NetworkException,
        Code::CoordinatorLoadInProgress,
        Code::CoordinatorNotAvailable,
        Code::NotCoordinator,
        Code::NotEnoughReplicas,
        Code::NotEnoughReplicasAfterAppend,
        Code::NotController,
        Code::ConcurrentTransactions,
        Code::KafkaStorageError,
        Code::OffsetNotAvailable,
        Code::UnstableOffsetCommit,
    ];
    RETRIABLE.iter().any(|retriable| retriable.code() == code)
}
