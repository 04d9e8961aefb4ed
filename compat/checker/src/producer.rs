//! A transactional producer made of single requests, so that it can stop at any point, speaking
//! either transaction protocol.

use crate::client::{Client, GaveUp, Node, is_retriable};
use crate::history::Value;
use crate::workload::place;
use kafka_protocol::ResponseError as Code;
use kafka_protocol::protocol::StrBytes;
use klamm::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use klamm::codec::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest,
    ProduceRequest, TransactionalId, TxnOffsetCommitRequest,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::collections::{BTreeMap, HashMap, HashSet};

const TRANSACTION_TIMEOUT_MS: i32 = 8_000;

/// `transaction.version` as the client understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Partitions are added by the client, the epoch stays.
    One,
    /// KIP-890: partitions are added by the broker, each end raises the epoch.
    Two,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub enum Failure {
    GaveUp,
    /// The broker refused with this code; the transaction has to be aborted.
    Refused(i16),
}

impl From<GaveUp> for Failure {
    fn from(_: GaveUp) -> Failure {
        Failure::GaveUp
    }
}

/// How a transaction ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// The broker refused, so the transaction did not end this way.
    Refused,
    /// An earlier request of the same kind went unanswered, so it may have.
    Unknown,
}

pub struct Producer {
    client: Client,
    coordinator: Node,
    id: TransactionalId,
    protocol: Protocol,
    producer_id: i64,
    epoch: i16,
    sequences: HashMap<i32, i32>,
    added: HashSet<i32>,
    are_offsets_added: bool,
}

impl Producer {
    /// Starts as that transactional id, which ends its open transaction.
    pub fn start(mut client: Client, id: &str, protocol: Protocol) -> Result<Producer, Failure> {
        let coordinator = Node::Transaction(id.to_owned());
        let id = TransactionalId(StrBytes::from_string(id.to_owned()));
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(id.clone()))
            .with_transaction_timeout_ms(TRANSACTION_TIMEOUT_MS)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let answer =
            client.ask_until_ready(&coordinator, 4, &request, |answer| answer.error_code)?;
        client.unanswered = 0;
        refused(answer.error_code)?;
        Ok(Producer {
            client,
            coordinator,
            id,
            protocol,
            producer_id: answer.producer_id.0,
            epoch: answer.producer_epoch,
            sequences: HashMap::new(),
            added: HashSet::new(),
            are_offsets_added: false,
        })
    }

    /// Whether requests went unanswered that the broker may still carry out. With the first
    /// protocol they would then count for the next transaction, which has the same epoch (the
    /// weakness that KIP-890 removes), so such a producer has to start again.
    pub fn is_haunted(&self) -> bool {
        self.protocol == Protocol::One && self.client.unanswered > 0
    }

    /// Sends these values to a partition as one batch; answers the first one's offset.
    pub fn send(&mut self, partition: i32, values: &[Value]) -> Result<Option<i64>, Failure> {
        if self.protocol == Protocol::One && !self.added.contains(&partition) {
            self.add_partition(partition)?;
        }
        let (name, index) = place(partition);
        let sequence = *self.sequences.entry(partition).or_default();
        let mut batch = BatchBuilder::new(0, Compression::Uncompressed).producer(
            self.producer_id,
            self.epoch,
            sequence,
            true,
        );
        let now = klamm::clock::Clock::System.now();
        for value in values {
            batch.append(now, None, Some(value.to_string().as_bytes()), &[]);
        }
        let data = PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(batch.build().to_bytes()));
        let topic = TopicProduceData::default()
            .with_name(StrBytes::from_static_str(name).into())
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        let version = if self.protocol == Protocol::One { 11 } else { 12 };
        let leader = Node::leader(name, index);
        let code = |answer: &klamm::codec::messages::ProduceResponse| {
            answer.responses[0].partition_responses[0].error_code
        };
        let answer = self.client.ask_until_ready(&leader, version, &request, code)?;
        let duplicate = Code::DuplicateSequenceNumber.code();
        if code(&answer) != duplicate {
            refused(code(&answer))?;
        }
        self.sequences.insert(partition, sequence + values.len() as i32);
        let offset = answer.responses[0].partition_responses[0].base_offset;
        Ok(Some(offset).filter(|_| code(&answer) == 0))
    }

    fn add_partition(&mut self, partition: i32) -> Result<(), Failure> {
        let (topic, index) = place(partition);
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(StrBytes::from_static_str(topic).into())
            .with_partitions(vec![index]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(self.producer_id.into())
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let code = |answer: &klamm::codec::messages::AddPartitionsToTxnResponse| {
            let topic = &answer.results_by_topic_v3_and_below[0];
            topic.results_by_partition[0].partition_error_code
        };
        let answer = self.client.ask_until_ready(&self.coordinator, 3, &request, code)?;
        refused(code(&answer))?;
        self.added.insert(partition);
        Ok(())
    }

    /// Commits positions of a group within the transaction.
    pub fn commit_positions(
        &mut self,
        group: &str,
        positions: &BTreeMap<i32, i64>,
    ) -> Result<(), Failure> {
        let group_id = StrBytes::from_string(group.to_owned());
        if self.protocol == Protocol::One && !self.are_offsets_added {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(self.id.clone())
                .with_producer_id(self.producer_id.into())
                .with_producer_epoch(self.epoch)
                .with_group_id(group_id.clone().into());
            let answer =
                self.client.ask_until_ready(&self.coordinator, 3, &request, |a| a.error_code)?;
            refused(answer.error_code)?;
            self.are_offsets_added = true;
        }
        let topics = positions.iter().map(|(partition, position)| {
            let (topic, index) = place(*partition);
            let partition = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_leader_epoch(-1)
                .with_committed_offset(*position);
            TxnOffsetCommitRequestTopic::default()
                .with_name(StrBytes::from_static_str(topic).into())
                .with_partitions(vec![partition])
        });
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id.clone())
            .with_group_id(group_id.into())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_topics(topics.collect());
        let code = |answer: &klamm::codec::messages::TxnOffsetCommitResponse| {
            let all = answer.topics.iter().flat_map(|topic| &topic.partitions);
            all.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0)
        };
        let version = if self.protocol == Protocol::One { 3 } else { 5 };
        let coordinator = Node::Group(group.to_owned());
        let answer = self.client.ask_until_ready(&coordinator, version, &request, code)?;
        refused(code(&answer))
    }

    /// Ends the transaction.
    pub fn end(&mut self, commit: bool) -> Result<Ended, GaveUp> {
        let request = self.end_request(commit);
        let mut may_be_done = false;
        loop {
            let before = self.client.unanswered;
            let answer = self.client.ask(&self.coordinator, self.end_version(), &request)?;
            may_be_done |= self.client.unanswered > before;
            let code = answer.error_code;
            if code == 0 {
                if self.protocol == Protocol::Two {
                    (self.producer_id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
                    self.sequences.clear();
                }
                self.added.clear();
                self.are_offsets_added = false;
                return Ok(Ended::Done);
            }
            if !is_retriable(code) {
                return Ok(if may_be_done { Ended::Unknown } else { Ended::Refused });
            }
            let untouched =
                [Code::ConcurrentTransactions.code(), Code::CoordinatorLoadInProgress.code()];
            may_be_done |= !untouched.contains(&code);
            self.client.forget(&self.coordinator);
            self.client.pause();
        }
    }

    /// Asks for the end and dies before the answer.
    pub fn end_and_die(mut self, commit: bool) {
        let request = self.end_request(commit);
        let version = self.end_version();
        self.client.send_and_leave(&self.coordinator, version, &request);
    }

    fn end_version(&self) -> i16 {
        if self.protocol == Protocol::One { 3 } else { 5 }
    }

    fn end_request(&self, commit: bool) -> EndTxnRequest {
        EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(commit)
    }
}

fn refused(code: i16) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err(Failure::Refused(code)) }
}
