//! All codecs and acks, idempotence, errors, and LogAppendTime.

use super::{create_topic, expected, read, send, values};
use crate::support::Broker;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

#[test]
fn every_codec_and_acks_comes_back_whole_and_in_order() {
    let broker = Broker::start();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        for acks in ["1", "all"] {
            let topic = format!("codec-{codec}-{acks}");
            let values = values(1000);
            let settings = [("compression.codec", codec), ("acks", acks), ("linger.ms", "5")];
            let delivered = send(&broker, &settings, &topic, 0, &values);
            let offsets: Vec<_> = (0..1000).map(|offset| Ok((0, offset))).collect();
            assert!(delivered == offsets, "{topic}");
            let came = read(&broker, &topic, 0, Offset::Beginning, 1000);
            assert!(came == expected(&values, 0), "{topic}");
        }
    }
}

#[test]
fn acks_0_is_not_answered_and_arrives() {
    let broker = Broker::start();
    let values = values(500);
    send(&broker, &[("acks", "0")], "fire", 0, &values);
    assert_eq!(read(&broker, "fire", 0, Offset::Beginning, 500), expected(&values, 0));
}

#[test]
fn an_idempotent_producer_keeps_its_order_with_five_in_flight() {
    let broker = Broker::start();
    let values = values(20_000);
    let settings = [("enable.idempotence", "true"), ("batch.num.messages", "50")];
    let delivered = send(&broker, &settings, "idempotent", 0, &values);
    assert!(delivered.iter().all(Result::is_ok));
    let came = read(&broker, "idempotent", 0, Offset::Beginning, 20_000);
    assert!(came == expected(&values, 0), "not what was sent, or not in its order");
}

#[test]
fn a_record_over_max_message_bytes_is_refused_and_the_next_one_is_not() {
    let broker = Broker::start();
    create_topic(&broker, "small", 1, &[("max.message.bytes", "2000")]);
    let big = vec!["x".repeat(5000)];
    let delivered = send(&broker, &[], "small", 0, &big);
    let code = RDKafkaErrorCode::MessageSizeTooLarge;
    assert_eq!(delivered, [Err(KafkaError::MessageProduction(code))]);
    assert_eq!(send(&broker, &[], "small", 0, &values(1)), [Ok((0, 0))]);
}

#[test]
fn compression_type_of_the_topic_recompresses() {
    let broker = Broker::start();
    for target in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("target-{target}");
        create_topic(&broker, &topic, 1, &[("compression.type", target)]);
        let values = values(300);
        send(&broker, &[("compression.codec", "lz4"), ("linger.ms", "20")], &topic, 0, &values);
        assert_eq!(read(&broker, &topic, 0, Offset::Beginning, 300), expected(&values, 0));
    }
}
