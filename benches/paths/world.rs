//! A broker whose handlers are called without sockets.

use crate::encode;
use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Encodable, Request};
use klamm::broker::Broker;
use klamm::clock::Clock;
use klamm::codec::guard::response_header_version;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::{CreateTopicsRequest, TopicName};
use klamm::codec::{Chunk, Reply, RequestHeader};
use klamm::config::Config;
use klamm::disk::Disk;
use klamm::handlers::{Context, Endpoint, Parts, Session, dispatch};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Runtime;

pub struct World {
    pub runtime: Runtime,
    /// None once it has been stopped.
    broker: Option<Broker>,
    session: Arc<Session>,
    _dir: tempfile::TempDir,
}

impl World {
    /// An empty broker with little work of its own.
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let properties = [
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
            ("controller.listener.names", "CONTROLLER"),
            ("log.dirs", dir.path().to_str().unwrap()),
            ("offsets.topic.num.partitions", "1"),
            ("transaction.state.log.num.partitions", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
        ];
        let properties: BTreeMap<String, String> =
            properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let config = Config::new(properties).unwrap();
        let broker = runtime.block_on(Broker::start(config, Disk::Os, Clock::System)).unwrap();
        let peer = ([127, 0, 0, 1], 9092).into();
        let session = Arc::new(Session::new("PLAINTEXT".into(), Endpoint::Broker, peer));
        World { runtime, broker: Some(broker), session, _dir: dir }
    }

    pub fn parts(&self) -> &Arc<Parts> {
        self.broker.as_ref().unwrap().parts()
    }

    pub fn create_topic(&self, name: TopicName, partitions: i32) {
        let topic = CreatableTopic::default()
            .with_name(name)
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(60_000);
        let answer = self.ask(&request, 5);
        assert_eq!(answer.topics[0].error_code, 0, "create topic");
    }

    /// Calls the handler of a request and decodes the response.
    pub fn ask<R: Request + Encodable>(&self, request: &R, version: i16) -> R::Response {
        let reply = self.call(R::KEY, version, encode(request, version));
        let Reply::Frame(chunks) = reply else { panic!("no answer") };
        let bytes = chunks.iter().flat_map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.to_vec(),
            Chunk::File(range) => range.read().unwrap().to_vec(),
        });
        // The body follows the size, the correlation id and, in flexible versions, tagged fields.
        let head = 8 + usize::from(response_header_version(R::KEY, version) >= 1);
        let mut body: Bytes = bytes.skip(head).collect();
        R::Response::decode(&mut body, version).unwrap()
    }

    /// Calls a handler, from the body of a request to the frame of its answer.
    pub fn call(&self, api_key: i16, api_version: i16, body: Bytes) -> Reply {
        let context = Context {
            parts: Arc::clone(self.parts()),
            session: self.session.clone(),
            header: RequestHeader {
                api_key,
                api_version,
                correlation_id: 7,
                client_id: None,
                size: 0,
            },
        };
        self.runtime.block_on(dispatch(context, body)).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The runtime would wait for threads that end only at a clean stop.
        self.broker.take().map(|broker| self.runtime.block_on(broker.stop()));
    }
}
