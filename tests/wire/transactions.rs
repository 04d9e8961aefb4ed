//! Transactions by hand: the answers to clients that are late, wrong or old.

use super::{Peer, call, once_verified, text};
use crate::support::Broker;
use bytes::Bytes;
use klamm::codec::messages::WriteTxnMarkersRequest;
use klamm::codec::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use klamm::codec::messages::fetch_response::PartitionData;
use klamm::codec::messages::offset_fetch_request::OffsetFetchRequestTopic;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::produce_response::PartitionProduceResponse;
use klamm::codec::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm::codec::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use klamm::codec::messages::*;
use klamm::codec::messages::{OffsetFetchRequest, TxnOffsetCommitRequest};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::time::{Duration, Instant};
use uuid::Uuid;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const NOT_COORDINATOR: i16 = 16;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const OPERATION_NOT_ATTEMPTED: i16 = 55;
const PRODUCER_FENCED: i16 = 90;
const UNKNOWN_TOPIC_ID: i16 = 100;
const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;
const TRANSACTION_ABORTABLE: i16 = 120;
const INVALID_REGULAR_EXPRESSION: i16 = 128;

/// A producer with the transactional id "x" and the topic "t".
struct Client {
    peer: Peer,
    topic_id: Uuid,
    id: i64,
    epoch: i16,
}

impl Client {
    fn new(broker: &Broker) -> Client {
        let peer = Peer::connect(broker.port);
        let topic = CreatableTopic::default()
            .with_name(text("t").into())
            .with_num_partitions(2)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
        let topic_id = call(&peer, 7, &request).topics[0].topic_id;
        for key_type in [0, 1] {
            let keys = vec![text(if key_type == 0 { "g" } else { "x" })];
            let request = FindCoordinatorRequest::default().with_key_type(key_type);
            let found = call(&peer, 4, &request.with_coordinator_keys(keys));
            assert_eq!(found.coordinators[0].error_code, 0);
        }
        let mut client = Client { peer, topic_id, id: -1, epoch: -1 };
        client.init();
        client
    }

    /// Initialises the producer; waits until the coordinator is loaded and an open transaction is
    /// aborted.
    fn init(&mut self) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(text("x").into()))
            .with_transaction_timeout_ms(60_000);
        let response = again(|| {
            let response = call(&self.peer, 5, &request);
            (response.error_code, response)
        });
        (self.id, self.epoch) = (response.producer_id.0, response.producer_epoch);
    }

    fn produce(&mut self, version: i16, epoch: i16, sequence: i32) -> PartitionProduceResponse {
        let records = batch(self.id, epoch, sequence, "value");
        once_verified(|| self.produce_to(version, vec![(0, records.clone())]).remove(0))
    }

    fn produce_to(
        &mut self,
        version: i16,
        partitions: Vec<(i32, Bytes)>,
    ) -> Vec<PartitionProduceResponse> {
        let data = partitions.into_iter().map(|(index, records)| {
            PartitionProduceData::default().with_index(index).with_records(Some(records))
        });
        let topic = TopicProduceData::default()
            .with_name(text("t").into())
            .with_partition_data(data.collect());
        let request = ProduceRequest::default()
            .with_transactional_id(Some(text("x").into()))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        call(&self.peer, version, &request).responses.remove(0).partition_responses
    }

    /// Adds partitions of "t" to the transaction in version 3. Returns the error of each.
    fn add(&mut self, epoch: i16, partitions: Vec<i32>) -> Vec<i16> {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(text("t").into())
            .with_partitions(partitions);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(text("x").into())
            .with_v3_and_below_producer_id(self.id.into())
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(vec![topic]);
        let results = call(&self.peer, 3, &request).results_by_topic_v3_and_below;
        results[0].results_by_partition.iter().map(|result| result.partition_error_code).collect()
    }

    fn end(&mut self, version: i16, epoch: i16, committed: bool) -> (i16, i16) {
        let request = EndTxnRequest::default()
            .with_transactional_id(text("x").into())
            .with_producer_id(self.id.into())
            .with_producer_epoch(epoch)
            .with_committed(committed);
        let response = call(&self.peer, version, &request);
        (response.error_code, response.producer_epoch)
    }

    fn fetch(&mut self) -> PartitionData {
        let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
        let topic =
            FetchTopic::default().with_topic(text("t").into()).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_isolation_level(1)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        call(&self.peer, 11, &request).responses.remove(0).partitions.remove(0)
    }

    /// The last stable offset once no transaction is open.
    fn settled(&mut self) -> i64 {
        again(|| {
            let fetched = self.fetch();
            let is_open = fetched.last_stable_offset < fetched.high_watermark;
            (if is_open { CONCURRENT_TRANSACTIONS } else { 0 }, fetched.last_stable_offset)
        })
    }
}

fn again<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (error, answer) = ask();
        if !matches!(
            error,
            COORDINATOR_LOAD_IN_PROGRESS | NOT_COORDINATOR | CONCURRENT_TRANSACTIONS
        ) {
            assert_eq!(error, 0);
            return answer;
        }
        assert!(Instant::now() < end, "still {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn batch(id: i64, epoch: i16, sequence: i32, value: &str) -> Bytes {
    let mut builder =
        BatchBuilder::new(0, Compression::Uncompressed).producer(id, epoch, sequence, true);
    builder.append(1_700_000_000_000, None, Some(value.as_bytes()), &[]);
    builder.build().to_bytes()
}

#[test]
fn old_clients_add_their_partitions_and_who_is_late_opens_nothing() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    // The partition is not in the transaction; each version has its own error for that.
    assert_eq!(client.produce(9, 0, 0).error_code, INVALID_TXN_STATE);
    assert_eq!(client.produce(11, 0, 0).error_code, TRANSACTION_ABORTABLE);
    assert_eq!(client.add(0, vec![0, 7]), [OPERATION_NOT_ATTEMPTED, UNKNOWN_TOPIC_OR_PARTITION]);
    assert_eq!(client.add(1, vec![0]), [PRODUCER_FENCED]);
    assert_eq!(client.add(0, vec![0]), [0]);
    assert_eq!(client.produce(11, 0, 0).error_code, 0);
    let fetched = client.fetch();
    assert_eq!((fetched.last_stable_offset, fetched.high_watermark), (0, 1));
    assert_eq!(fetched.records.unwrap_or_default().len(), 0, "nothing is committed");
    assert_eq!(client.end(4, 0, false), (0, -1));
    assert_eq!(client.settled(), 2);
    let aborted = client.fetch().aborted_transactions.unwrap();
    assert_eq!((aborted[0].producer_id.0, aborted[0].first_offset.to_owned()), (client.id, 0));

    // A batch that arrives after the abort must not open another transaction.
    assert_eq!(client.produce(11, 0, 1).error_code, TRANSACTION_ABORTABLE);
    assert_eq!(client.end(4, 0, false).0, 0, "again");
    assert_eq!(client.end(4, 0, true).0, INVALID_TXN_STATE);
    assert_eq!(client.settled(), 2);
    // A new producer fences the old one.
    let old = client.epoch;
    client.init();
    assert_eq!((client.epoch, client.add(old, vec![0])), (old + 1, vec![PRODUCER_FENCED]));
    assert_eq!(client.produce(11, old, 1).error_code, INVALID_PRODUCER_EPOCH);
}

#[test]
fn new_clients_leave_it_to_the_broker_and_get_an_epoch_for_each_transaction() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    assert_eq!(client.produce(12, 0, 0).error_code, 0);
    assert_eq!(client.produce(12, 0, 0).base_offset, 0, "a retry is a duplicate");
    assert_eq!(client.end(5, 0, true), (0, 1));
    let epoch = again(|| client.end(5, 0, true));
    assert_eq!(epoch, 1, "the retry is answered as the first");
    assert_eq!(client.settled(), 2);
    assert_eq!(client.produce(12, 0, 1).error_code, INVALID_PRODUCER_EPOCH, "too late");
    assert_eq!(client.end(5, 1, true).0, INVALID_TXN_STATE, "nothing to commit");
    assert_eq!(client.end(5, 1, false), (0, 2));
    // While the last transaction is being completed, the broker itself retries for some time.
    let sent = again(|| {
        let told = client.produce(12, 2, 0);
        (told.error_code, told)
    });
    assert_eq!(sent.base_offset, 2);
    assert_eq!(client.fetch().last_stable_offset, 2);
}

#[test]
fn of_a_partition_that_comes_twice_the_last_counts() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    let id = client.id;
    let told = client.produce_to(
        12,
        vec![(0, batch(id, 0, 5, "a")), (1, batch(id, 0, 0, "b")), (0, batch(id, 0, 0, "c"))],
    );
    let told: Vec<_> = told.iter().map(|p| (p.index, p.error_code, p.base_offset)).collect();
    assert_eq!(told, [(1, 0, 0), (0, 0, 0)]);
}

#[test]
fn brokers_ask_for_several_transactions_at_once() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    assert_eq!(client.add(0, vec![1]), [0]);
    let transaction = |id: &str, verify_only| {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(text("t").into())
            .with_partitions(vec![0, 1]);
        AddPartitionsToTxnTransaction::default()
            .with_transactional_id(text(id).into())
            .with_producer_id(client.id.into())
            .with_verify_only(verify_only)
            .with_topics(vec![topic])
    };
    let transactions = vec![transaction("x", true), transaction("unknown", true)];
    let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
    let codes = |peer: &mut Peer, version| -> Vec<Vec<i16>> {
        let results = call(peer, version, &request).results_by_transaction;
        let codes = results.iter().map(|result| {
            let results = &result.topic_results[0].results_by_partition;
            results.iter().map(|result| result.partition_error_code).collect()
        });
        codes.collect()
    };
    for version in 4..=5 {
        let mapping = vec![INVALID_PRODUCER_ID_MAPPING; 2];
        let expected = [vec![TRANSACTION_ABORTABLE, 0], mapping];
        assert_eq!(codes(&mut client.peer, version), expected, "v{version}");
    }
}

#[test]
fn offsets_wait_for_the_end_of_their_transaction() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    let commit = |client: &mut Client, version: i16, epoch: i16, group: &str| {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_committed_offset(7)
            .with_committed_metadata(Some(text("")));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(text(if version < 6 { "t" } else { "" }).into())
            .with_topic_id(if version < 6 { Uuid::nil() } else { client.topic_id })
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(text("x").into())
            .with_group_id(text(group).into())
            .with_producer_id(client.id.into())
            .with_producer_epoch(epoch)
            .with_topics(vec![topic]);
        let topic = call(&client.peer, version, &request).topics.remove(0);
        assert_eq!(topic.topic_id, request.topics[0].topic_id);
        topic.partitions[0].error_code
    };
    let committed = |client: &mut Client| {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(text("t").into())
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(text("h").into())
            .with_topics(Some(vec![topic]));
        call(&client.peer, 7, &request).topics[0].partitions[0].committed_offset
    };
    assert_eq!(commit(&mut client, 3, 0, "g"), INVALID_TXN_STATE, "not added");
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(text("x").into())
        .with_producer_id(client.id.into())
        .with_group_id(text("g").into());
    assert_eq!(call(&client.peer, 3, &request).error_code, 0);
    assert_eq!(commit(&mut client, 3, 0, "g"), 0);
    assert_eq!(client.end(4, 0, true).0, 0);
    client.init();
    let epoch = client.epoch;
    again(|| (commit(&mut client, 5, epoch, "g"), ()));
    assert_eq!(commit(&mut client, 5, epoch - 1, "g"), INVALID_PRODUCER_EPOCH);
    assert_eq!(commit(&mut client, 6, epoch, "h"), 0);
    assert_eq!(committed(&mut client), -1, "still open");
    assert_eq!(client.end(5, epoch, true).0, 0);
    again(|| (if committed(&mut client) == 7 { 0 } else { CONCURRENT_TRANSACTIONS }, ()));
    client.topic_id = Uuid::from_u128(1);
    let epoch = client.epoch + 1;
    assert_eq!(commit(&mut client, 6, epoch, "h"), UNKNOWN_TOPIC_ID);
}

#[test]
fn markers_go_to_the_partitions_that_are_here() {
    let broker = Broker::start();
    let mut client = Client::new(&broker);
    assert_eq!(client.produce(12, 0, 0).error_code, 0);
    let topic = WritableTxnMarkerTopic::default()
        .with_name(text("t").into())
        .with_partition_indexes(vec![0, 7]);
    let marker =
        WritableTxnMarker::default().with_producer_id(client.id.into()).with_topics(vec![topic]);
    for version in 1..=2 {
        let request = WriteTxnMarkersRequest::default().with_markers(vec![marker.clone()]);
        let partitions = &call(&client.peer, version, &request).markers[0].topics[0].partitions;
        let told: Vec<_> = partitions.iter().map(|p| (p.partition_index, p.error_code)).collect();
        assert_eq!(told, [(0, 0), (7, UNKNOWN_TOPIC_OR_PARTITION)]);
    }
    // A marker of transaction version 2 is refused if its epoch is not newer than that of the
    // records.
    assert_eq!(client.produce(12, 0, 1).error_code, 0);
    let strict = marker.with_transaction_version(2);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![strict]);
    let partitions = &call(&client.peer, 2, &request).markers[0].topics[0].partitions;
    assert_eq!(partitions[0].error_code, INVALID_PRODUCER_EPOCH);
}

#[test]
fn there_are_no_transactions_before_there_is_one() {
    let broker = Broker::start();
    let peer = &mut Peer::connect(broker.port);
    for version in 0..=2 {
        let states = vec![text("Ongoing"), text("Nonsense")];
        let request = ListTransactionsRequest::default().with_state_filters(states);
        let response = call(peer, version, &request);
        assert_eq!((response.error_code, response.transaction_states.len()), (0, 0));
        assert_eq!(response.unknown_state_filters, [text("Nonsense")]);
    }
    for (pattern, error) in [("x.*", 0), ("[[x]", 0), ("a)(b", INVALID_REGULAR_EXPRESSION)] {
        let request =
            ListTransactionsRequest::default().with_transactional_id_pattern(Some(text(pattern)));
        assert_eq!(call(peer, 2, &request).error_code, error, "{pattern}");
    }
    let describe =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![text("y").into()]);
    assert_eq!(call(peer, 0, &describe).transaction_states[0].error_code, NOT_COORDINATOR);
    let init = InitProducerIdRequest::default().with_transactional_id(Some(text("y").into()));
    assert_eq!(call(peer, 4, &init).error_code, INVALID_TRANSACTION_TIMEOUT);
    let init = init.with_transaction_timeout_ms(1);
    assert_eq!(call(peer, 4, &init).error_code, NOT_COORDINATOR);
    drop(Client::new(&broker));
    again(|| {
        let error = call(peer, 0, &describe).transaction_states[0].error_code;
        (if error == TRANSACTIONAL_ID_NOT_FOUND { 0 } else { error }, ())
    });
}
