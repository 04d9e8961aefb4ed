//! Transactions of the second version (KIP-890): records for several partitions, then EndTxn, each
//! with the next epoch.

use crate::load::{connect, frame, receive, topic};
use crate::target::Target;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::clock::Clock;
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::{
    ApiKey, EndTxnRequest, EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse,
    TransactionalId,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PRODUCERS: usize = 4;
/// Partitions that each transaction writes to.
const PARTITIONS: usize = 2;
const RECORDS: usize = 10;
const RECORD: [u8; 100] = [b'x'; 100];
const PRODUCE_VERSION: i16 = 12;
const END_VERSION: i16 = 5;
const INIT_VERSION: i16 = 4;
const FIND_VERSION: i16 = 3;

/// Runs `count` transactions of several producers at the same time. Returns the microseconds of
/// each.
pub fn transactions(target: &Target, count: usize) -> Vec<f64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PRODUCERS)
            .map(|number| scope.spawn(move || transactions_of(target, number, count / PRODUCERS)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn transactions_of(target: &Target, number: usize, count: usize) -> Vec<f64> {
    let mut producer = Producer::start(connect(target), &format!("bench-{number}"));
    let partitions: Vec<i32> =
        (0..PARTITIONS).map(|at| (number * PARTITIONS + at) as i32).collect();
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        producer.send(&partitions);
        producer.commit();
        latencies.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    latencies
}

/// A producer with a transactional id.
pub struct Producer {
    socket: TcpStream,
    id: TransactionalId,
    producer_id: i64,
    epoch: i16,
}

impl Producer {
    pub fn start(mut socket: TcpStream, name: &str) -> Producer {
        let id = TransactionalId(StrBytes::from_string(name.to_owned()));
        let find = FindCoordinatorRequest::default().with_key(id.0.clone()).with_key_type(1);
        until_ready(|| {
            socket.write_all(&frame(ApiKey::FindCoordinator, FIND_VERSION, &find)).unwrap();
            let answer = FindCoordinatorResponse::decode(&mut receive(&mut socket), FIND_VERSION);
            (answer.unwrap().error_code, ())
        });
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(id.clone()))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let answer = until_ready(|| {
            socket.write_all(&frame(ApiKey::InitProducerId, INIT_VERSION, &init)).unwrap();
            let answer = InitProducerIdResponse::decode(&mut receive(&mut socket), INIT_VERSION);
            let answer = answer.unwrap();
            (answer.error_code, answer)
        });
        Producer { socket, id, producer_id: answer.producer_id.0, epoch: answer.producer_epoch }
    }

    /// Sends one batch to each partition, in one request. The first sequence number of an epoch is
    /// 0.
    pub fn send(&mut self, partitions: &[i32]) {
        let mut builder = BatchBuilder::new(0, Compression::Uncompressed).producer(
            self.producer_id,
            self.epoch,
            0,
            true,
        );
        let now = Clock::System.now();
        (0..RECORDS).for_each(|_| builder.append(now, None, Some(&RECORD), &[]));
        let batch = builder.build().to_bytes();
        let data = partitions.iter().map(|partition| {
            PartitionProduceData::default().with_index(*partition).with_records(Some(batch.clone()))
        });
        let data =
            TopicProduceData::default().with_name(topic()).with_partition_data(data.collect());
        let request = ProduceRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![data]);
        let request = frame(ApiKey::Produce, PRODUCE_VERSION, &request);
        until_ready(|| {
            self.socket.write_all(&request).unwrap();
            let answer = ProduceResponse::decode(&mut receive(&mut self.socket), PRODUCE_VERSION);
            let answer = answer.unwrap();
            let mut codes =
                answer.responses[0].partition_responses.iter().map(|answer| answer.error_code);
            (codes.find(|code| *code != 0).unwrap_or(0), ())
        });
    }

    pub fn commit(&mut self) {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(self.producer_id.into())
            .with_producer_epoch(self.epoch)
            .with_committed(true);
        let request = frame(ApiKey::EndTxn, END_VERSION, &request);
        let answer = until_ready(|| {
            self.socket.write_all(&request).unwrap();
            let answer = EndTxnResponse::decode(&mut receive(&mut self.socket), END_VERSION);
            let answer = answer.unwrap();
            (answer.error_code, answer)
        });
        (self.producer_id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
    }
}

/// Repeats a request while the markers of the last transaction are being written or the coordinator
/// is loading.
fn until_ready<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    loop {
        let (code, answer) = ask();
        match ResponseError::try_from_code(code) {
            None => return answer,
            Some(
                ResponseError::ConcurrentTransactions
                | ResponseError::CoordinatorNotAvailable
                | ResponseError::CoordinatorLoadInProgress
                | ResponseError::NotCoordinator,
            ) => std::thread::sleep(Duration::from_millis(1)),
            Some(error) => panic!("{error:?}"),
        }
    }
}
