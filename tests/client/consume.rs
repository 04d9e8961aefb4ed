//! Consuming from both ends, from the middle, by timestamp, and past the end.

use super::{Seen, block_on, config, create_topic, expected, poll, read, send, values};
use crate::support::Broker;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders, Timestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

#[test]
fn from_the_beginning_the_middle_and_the_end() {
    let broker = Broker::start();
    let values = values(100);
    send(&broker, &[("batch.num.messages", "7")], "ends", 0, &values);
    assert_eq!(read(&broker, "ends", 0, Offset::Beginning, 100), expected(&values, 0));
    assert_eq!(read(&broker, "ends", 0, Offset::Offset(42), 58), expected(&values[42..], 42));
    assert_eq!(read(&broker, "ends", 0, Offset::OffsetTail(3), 3), expected(&values[97..], 97));
}

#[test]
fn keys_headers_nulls_and_timestamps_are_kept() {
    let broker = Broker::start();
    let producer: FutureProducer = config(&broker, &[]).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header { key: "twice", value: Some("1") })
        .insert(Header { key: "twice", value: Some("2") })
        .insert(Header { key: "null", value: None::<&str> });
    let record: FutureRecord<'_, str, str> =
        FutureRecord::to("full").key("key").headers(headers).timestamp(1_700_000_000_123);
    block_on(producer.send(record, Duration::from_secs(10))).unwrap();
    let consumer: BaseConsumer = config(&broker, &[("group.id", "g")]).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("full", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let message = consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
    assert_eq!(message.key(), Some(&b"key"[..]));
    assert_eq!(message.payload(), None);
    assert_eq!(message.timestamp(), Timestamp::CreateTime(1_700_000_000_123));
    let headers = message.headers().unwrap();
    let headers: Vec<_> = headers.iter().map(|header| (header.key, header.value)).collect();
    let expected = [("twice", Some(&b"1"[..])), ("twice", Some(&b"2"[..])), ("null", None)];
    assert_eq!(headers, expected);
}

#[test]
fn offsets_for_times_and_watermarks() {
    let broker = Broker::start();
    let producer: FutureProducer = config(&broker, &[]).create().unwrap();
    for n in 0..10 {
        let record: FutureRecord<'_, str, str> =
            FutureRecord::to("times").payload("x").timestamp(1_600_000_000_000 + n * 1000);
        block_on(producer.send(record, Duration::from_secs(10))).unwrap();
    }
    let consumer: BaseConsumer = config(&broker, &[("group.id", "g")]).create().unwrap();
    let watermarks = consumer.fetch_watermarks("times", 0, Duration::from_secs(10)).unwrap();
    assert_eq!(watermarks, (0, 10));
    for (time, offset) in [(0, 0), (1_600_000_003_000, 3), (1_600_000_003_001, 4)] {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset("times", 0, Offset::Offset(time)).unwrap();
        let found = consumer.offsets_for_times(asked, Duration::from_secs(10)).unwrap();
        assert_eq!(found.elements()[0].offset(), Offset::Offset(offset), "{time}");
    }
}

#[test]
fn log_append_time_is_the_brokers() {
    let broker = Broker::start();
    create_topic(&broker, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    for codec in ["none", "zstd"] {
        send(&broker, &[("compression.codec", codec)], "stamped", 0, &values(10));
    }
    let consumer: BaseConsumer = config(&broker, &[("group.id", "g")]).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("stamped", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    for _ in 0..20 {
        let message = consumer.poll(Duration::from_secs(10)).unwrap().unwrap();
        assert!(matches!(message.timestamp(), Timestamp::LogAppendTime(time) if time > 1 << 40));
    }
}

#[test]
fn a_consumer_at_the_end_gets_what_comes_next() {
    let broker = Broker::start();
    send(&broker, &[], "live", 0, &values(5));
    let consumer: BaseConsumer = config(&broker, &[("group.id", "g")]).create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("live", 0, Offset::Offset(5)).unwrap();
    consumer.assign(&assignment).unwrap();
    assert!(consumer.poll(Duration::from_millis(700)).is_none());
    send(&broker, &[], "live", 0, &values(3));
    let came: Vec<Seen> = poll(&consumer, 3);
    assert_eq!(came, expected(&values(3), 5));
}
