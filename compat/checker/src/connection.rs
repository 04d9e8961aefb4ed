//! Requests by hand over one connection, sent again until they are answered.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError as Code;
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use klamm::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use klamm::codec::messages::describe_producers_request::TopicRequest;
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::{
    ApiKey, CreateTopicsRequest, DescribeProducersRequest, FindCoordinatorRequest,
    IncrementalAlterConfigsRequest, ListOffsetsRequest, ListTransactionsRequest,
    OffsetFetchRequest, RequestHeader, UpdateFeaturesRequest,
};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// After this the connection is given up and the request is sent again over a new one: shorter
/// than most pauses of the broker, so that it also gets requests twice.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const BACKOFF: Duration = Duration::from_millis(20);
const LATEST: i64 = -1;

/// No answer until the run's last moment.
#[derive(Debug)]
pub struct GaveUp;

pub struct Connection {
    bootstrap: String,
    socket: Option<TcpStream>,
    correlation: i32,
    give_up: Instant,
    /// How often a request went unanswered: it may have been carried out, or may still be.
    pub unanswered: usize,
}

impl Connection {
    pub fn new(bootstrap: &str, give_up: Instant) -> Connection {
        let bootstrap = bootstrap.to_owned();
        Connection { bootstrap, socket: None, correlation: 0, give_up, unanswered: 0 }
    }

    /// Sends a request until it is answered.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, GaveUp> {
        loop {
            match self.ask_once(version, request) {
                Ok(response) => return Ok(response),
                Err(_) if Instant::now() > self.give_up => return Err(GaveUp),
                Err(_) => {
                    self.unanswered += 1;
                    self.pause();
                }
            }
        }
    }

    /// Sends a request until the broker neither fails nor asks to try again; `code` finds the
    /// answer's error code.
    pub fn ask_until_ready<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, GaveUp> {
        loop {
            let response = self.ask(version, request)?;
            if !is_retriable(code(&response)) {
                return Ok(response);
            }
            if Instant::now() > self.give_up {
                return Err(GaveUp);
            }
            self.pause();
        }
    }

    pub fn pause(&self) {
        sleep(BACKOFF);
    }

    /// Sends a request and does not wait for what comes of it.
    pub fn send_and_leave<R: Request>(&mut self, version: i16, request: &R) {
        let _ = self.send(version, request);
        self.socket = None;
    }

    /// Sends a request once; after an error the next one goes over a new connection.
    pub fn ask_once<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        let answered = self.send(version, request).and_then(|()| self.receive::<R>(version));
        if answered.is_err() {
            self.socket = None;
        }
        answered
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation += 1;
        let key = ApiKey::try_from(R::KEY).map_err(|()| io::ErrorKind::InvalidInput)?;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("checker")));
        let mut body = BytesMut::new();
        header.encode(&mut body, key.request_header_version(version)).map_err(other)?;
        request.encode(&mut body, version).map_err(other)?;
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_u32(body.len() as u32);
        frame.put(body);
        if self.socket.is_none() {
            let socket = TcpStream::connect(&self.bootstrap)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            self.socket = Some(socket);
        }
        self.socket.as_mut().expect("just connected").write_all(&frame)
    }

    fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut size = [0; 4];
        socket.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        socket.read_exact(&mut answer)?;
        let key = ApiKey::try_from(R::KEY).map_err(|()| io::ErrorKind::InvalidInput)?;
        let header = if key.response_header_version(version) == 0 { 4 } else { 5 };
        assert_eq!(answer[..4], self.correlation.to_be_bytes(), "an answer to another request");
        Ok(R::Response::decode(&mut Bytes::from(answer).slice(header..), version)
            .expect("an answer that can be decoded"))
    }

    /// Makes the internal topics exist and waits until their coordinator serves.
    pub fn find_coordinator(&mut self, key: &str, is_transaction: bool) -> Result<(), GaveUp> {
        let request = FindCoordinatorRequest::default()
            .with_key_type(i8::from(is_transaction))
            .with_coordinator_keys(vec![StrBytes::from_string(key.to_owned())]);
        let code = |response: &klamm::codec::messages::FindCoordinatorResponse| {
            response.coordinators[0].error_code
        };
        self.ask_until_ready(4, &request, code).map(drop)
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<(), GaveUp> {
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str("segment.bytes"))
            .with_value(Some(StrBytes::from_static_str("1048576")));
        let topic = CreatableTopic::default()
            .with_name(StrBytes::from_string(name.to_owned()).into())
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(vec![config]);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let response = self.ask(5, &request)?;
        let code = response.topics[0].error_code;
        let exists = Code::TopicAlreadyExists.code();
        assert!(code == 0 || code == exists, "create topic: {code}");
        (0..partitions).try_for_each(|partition| self.end_of(name, partition, false).map(drop))
    }

    /// Sets configurations of a resource of this type.
    pub fn alter_configs(
        &mut self,
        kind: i8,
        name: &str,
        configs: &[(&str, &str)],
    ) -> Result<(), GaveUp> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let configs = configs.iter().map(|(name, value)| {
            AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.ask(1, &request)?;
        let answer = &answer.responses[0];
        assert_eq!(answer.error_code, 0, "{name}: {:?}", answer.error_message);
        Ok(())
    }

    /// Raises a feature, or leaves it where it is.
    pub fn raise_feature(&mut self, name: &str, level: i16) -> Result<(), GaveUp> {
        let update = FeatureUpdateKey::default()
            .with_feature(StrBytes::from_string(name.to_owned()))
            .with_max_version_level(level)
            .with_upgrade_type(1);
        let request = UpdateFeaturesRequest::default()
            .with_timeout_ms(30_000)
            .with_feature_updates(vec![update]);
        let answer = self.ask(1, &request)?;
        assert_eq!(answer.error_code, 0, "{name}: {:?}", answer.error_message);
        Ok(())
    }

    /// The log's end, or its last stable offset.
    pub fn end_of(&mut self, topic: &str, index: i32, is_stable: bool) -> Result<i64, GaveUp> {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(index)
            .with_current_leader_epoch(-1)
            .with_timestamp(LATEST);
        let topic = ListOffsetsTopic::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(i8::from(is_stable))
            .with_topics(vec![topic]);
        let code = |response: &klamm::codec::messages::ListOffsetsResponse| {
            response.topics[0].partitions[0].error_code
        };
        let response = self.ask_until_ready(6, &request, code)?;
        let found = &response.topics[0].partitions[0];
        assert_eq!(found.error_code, 0, "ListOffsets");
        Ok(found.offset)
    }

    /// Who holds a partition open and what the coordinator knows of transactions, for a reader.
    pub fn describe_open(&mut self, topic: &str, index: i32) -> Result<String, GaveUp> {
        let asked = TopicRequest::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partition_indexes(vec![index]);
        let producers = DescribeProducersRequest::default().with_topics(vec![asked]);
        let producers = self.ask(0, &producers)?;
        let transactions = self.ask(0, &ListTransactionsRequest::default())?;
        let active = &producers.topics[0].partitions[0].active_producers;
        let holding = active.iter().filter(|producer| producer.current_txn_start_offset >= 0);
        let holding: Vec<String> = holding.map(|producer| format!("{producer:?}")).collect();
        Ok(format!("{topic}-{index}: {holding:?}, of {:?}", transactions.transaction_states))
    }

    /// What a group has committed, once no transaction is open on it; -1 for nothing.
    pub fn position_of(&mut self, group: &str, topic: &str, index: i32) -> Result<i64, GaveUp> {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(StrBytes::from_string(topic.to_owned()).into())
            .with_partition_indexes(vec![index]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(StrBytes::from_string(group.to_owned()).into())
            .with_topics(Some(vec![topic]));
        let request =
            OffsetFetchRequest::default().with_groups(vec![group]).with_require_stable(true);
        let code = |response: &klamm::codec::messages::OffsetFetchResponse| {
            let group = &response.groups[0];
            let first = group.topics.first().map_or(0, |topic| topic.partitions[0].error_code);
            if group.error_code == 0 { first } else { group.error_code }
        };
        let response = self.ask_until_ready(8, &request, code)?;
        assert_eq!(code(&response), 0, "OffsetFetch");
        Ok(response.groups[0].topics[0].partitions[0].committed_offset)
    }
}

fn other(error: anyhow::Error) -> io::Error {
    io::Error::other(error)
}

/// Errors after which the same request is sent again.
pub fn is_retriable(code: i16) -> bool {
    const RETRIABLE: [Code; 12] = [
        Code::UnknownTopicOrPartition,
        Code::LeaderNotAvailable,
        Code::NotLeaderOrFollower,
        Code::RequestTimedOut,
        Code::NetworkException,
        Code::CoordinatorLoadInProgress,
        Code::CoordinatorNotAvailable,
        Code::NotCoordinator,
        Code::NotEnoughReplicas,
        Code::NotEnoughReplicasAfterAppend,
        Code::ConcurrentTransactions,
        Code::UnstableOffsetCommit,
    ];
    RETRIABLE.iter().any(|retriable| retriable.code() == code)
}
