//! A controller in a temporary directory, with a minimal broker.

use crate::clock::Clock;
use crate::codec;
use crate::codec::messages::broker_registration_request::{Feature, Listener};
use crate::codec::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use crate::codec::messages::create_topics_response::CreateTopicsResponse;
use crate::codec::messages::{ApiKey, BrokerId, BrokerRegistrationRequest, StrBytes, TopicName};
use crate::config::Config;
use crate::controller::state::ControllerState;
use crate::controller::{Answer, Client, Controller, Forwarded, Heartbeat, Requester};
use crate::disk::Disk;
use crate::error::Result;
use crate::metadata::features::SUPPORTED;
use crate::metadata::{Image, Published};
use bytes::BytesMut;
use kafka_protocol::protocol::{Decodable, Encodable};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use uuid::Uuid;

pub const CLUSTER: &str = "5L6g3nShT-eMCtK--X86sw";
pub const DIRECTORY: Uuid = Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888);

/// One process: a controller, and the broker's view of it.
pub struct Node {
    pub controller: Client,
    running: Mutex<Option<Controller>>,
    pub time: Arc<AtomicI64>,
    pub steps: Mutex<mpsc::Receiver<Published>>,
    pub epoch: i64,
}

pub fn config(overrides: &[(&str, &str)]) -> Config {
    let defaults = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.voters", "1@127.0.0.1:9093"),
    ];
    let properties = defaults.iter().chain(overrides);
    let mut properties: BTreeMap<String, String> =
        properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    // An empty string stands for a setting that is not set.
    properties.retain(|_, value| !value.is_empty());
    Config::new(properties).unwrap()
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

impl Node {
    /// Starts the controller; the broker is not registered yet.
    pub fn open(dir: &Path, overrides: &[(&str, &str)]) -> Node {
        Node::try_open(dir, overrides).unwrap()
    }

    pub fn try_open(dir: &Path, overrides: &[(&str, &str)]) -> Result<Node> {
        Node::open_in(dir, overrides, CLUSTER)
    }

    fn open_in(dir: &Path, overrides: &[(&str, &str)], cluster: &str) -> Result<Node> {
        let time = Arc::new(AtomicI64::new(1_700_000_000_000));
        let (sender, steps) = mpsc::channel(1000);
        let controller = Controller::open(
            Disk::Os,
            Clock::Manual(time.clone()),
            config(overrides),
            dir,
            cluster,
            DIRECTORY,
            sender,
        )?;
        let (client, running) = (controller.client(), Mutex::new(Some(controller)));
        Ok(Node { controller: client, running, time, steps: Mutex::new(steps), epoch: -1 })
    }

    /// Starts the controller and the broker, up to where clients are served.
    pub async fn start(dir: &Path, overrides: &[(&str, &str)]) -> Node {
        let mut node = Node::open(dir, overrides);
        node.register(-1).await;
        assert_eq!(node.beat(false).await, (false, false), "unfenced");
        node
    }

    /// As `start`, with a directory that belongs to another cluster.
    pub async fn start_in(dir: &Path, overrides: &[(&str, &str)], cluster: &str) -> Node {
        let mut node = Node::open_in(dir, overrides, cluster).unwrap();
        // The broker registers the log directory that the partitions are in.
        let image = node.image();
        let known = image.brokers.get(&1).map(|broker| broker.log_dirs[0]);
        let request = registration(-1)
            .with_cluster_id(text(cluster))
            .with_log_dirs(vec![known.unwrap_or(DIRECTORY)]);
        node.epoch = node.controller.register(request).await.unwrap();
        assert_eq!(node.beat(false).await, (false, false), "unfenced");
        node
    }

    pub async fn register(&mut self, previous_epoch: i64) {
        self.epoch = self.controller.register(registration(previous_epoch)).await.unwrap();
    }

    pub async fn beat(&self, want_shut_down: bool) -> (bool, bool) {
        let heartbeat = Heartbeat { want_shut_down, ..self.heartbeat() };
        let status = self.controller.heartbeat(heartbeat).await.unwrap();
        (status.fenced, status.should_shut_down)
    }

    /// The heartbeat of a broker that runs.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            broker_id: 1,
            broker_epoch: self.epoch,
            applied: self.image().offset,
            ..Heartbeat::default()
        }
    }

    pub async fn cordon(&self, directories: Vec<Uuid>) {
        let heartbeat = Heartbeat { cordoned: Some(directories), ..self.heartbeat() };
        self.controller.heartbeat(heartbeat).await.unwrap();
    }

    pub fn image(&self) -> Arc<Image> {
        self.controller.image()
    }

    pub fn pass(&self, ms: i64) {
        self.time.fetch_add(ms, Ordering::Relaxed);
    }

    /// Does what the thread does on its own, now.
    pub async fn tick(&self) {
        let Client::Embedded(controller) = &self.controller else { unreachable!() };
        controller.submit(ControllerState::tick).await.unwrap();
    }

    /// Stops without a shutdown.
    pub fn close(&self) {
        self.running.lock().unwrap().take().unwrap().close().unwrap();
    }

    /// Stops with a controlled shutdown.
    pub async fn stop(self) -> i64 {
        while !self.beat(true).await.1 {}
        self.close();
        self.epoch
    }

    pub async fn ask<R: Encodable, A: Decodable>(
        &self,
        key: ApiKey,
        version: i16,
        request: &R,
    ) -> A {
        self.try_ask(key, version, request).await.unwrap().0
    }

    pub async fn try_ask<R: Encodable, A: Decodable>(
        &self,
        key: ApiKey,
        version: i16,
        request: &R,
    ) -> Result<(A, i64)> {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).unwrap();
        let Answer { mut body, offset } = self
            .controller
            .forward(Forwarded {
                api_key: key as i16,
                request: codec::check(key as i16, version, body.freeze(), 0)?,
                by: Requester {
                    principal: "User:ANONYMOUS".to_owned(),
                    client_host: "/127.0.0.1".into(),
                    address: None,
                },
            })
            .await?;
        let answer = A::decode(&mut body, version).unwrap();
        assert!(body.is_empty());
        Ok((answer, offset))
    }

    pub async fn create(&self, topic: CreatableTopic) -> (i16, Option<String>) {
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let answer: CreateTopicsResponse = self.ask(ApiKey::CreateTopics, 7, &request).await;
        let result = &answer.topics[0];
        (result.error_code, result.error_message.as_ref().map(ToString::to_string))
    }
}

pub fn topic(topic: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
}

pub fn registration(previous_epoch: i64) -> BrokerRegistrationRequest {
    let features = SUPPORTED.iter().map(|&(feature, least, greatest)| {
        Feature::default()
            .with_name(text(feature))
            .with_min_supported_version(least)
            .with_max_supported_version(greatest)
    });
    let listener = Listener::default()
        .with_name(text("PLAINTEXT"))
        .with_host(text("127.0.0.1"))
        .with_port(9092);
    BrokerRegistrationRequest::default()
        .with_broker_id(BrokerId(1))
        .with_cluster_id(text(CLUSTER))
        .with_incarnation_id(Uuid::new_v4())
        .with_listeners(vec![listener])
        .with_features(features.collect())
        .with_log_dirs(vec![DIRECTORY])
        .with_previous_broker_epoch(previous_epoch)
}

/// The path of a file written by Kafka.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kafka-4.3.1/metadata").join(name)
}
