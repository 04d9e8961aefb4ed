//! Records that we do not know are refused, and so are logs that contradict themselves.

use crate::codec::schema::metadata::*;
use crate::metadata::loader::Loader;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::reason_invalid;
use bytes::Bytes;
use uuid::Uuid;

#[track_caller]
fn check(bytes: &[u8], message: &str) {
    let error = MetadataRecord::decode(Bytes::copy_from_slice(bytes)).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn what_is_unknown_is_named() {
    check(&[1, 99, 0, 0], "unknown type 99");
    check(&[1, 6, 0, 0], "unknown type 6");
    check(&[1, 0xff, 0xff, 0xff, 0x7f, 0], "unknown type -1");
    check(&[1, 2, 1, 0], "TopicRecord of unknown version 1");
    check(&[1, 3, 3, 0], "PartitionRecord of unknown version 3");
    check(&[2, 20, 0, 0], "unknown frame version 2");
    check(&[1, 20, 0, 0, 7], "1 bytes after a record of type 20");
    check(&[1, 12], "varint");
    check(&[], "varint");
    check(&[0xff; 9], "varint");
    check(&[1, 2, 0, 3, b'a'], "TopicRecord v0");
}

#[test]
fn records_are_framed_as_kafka_frames_them() {
    let level = FeatureLevelRecord { name: "a".to_owned(), feature_level: 2 };
    let bytes = MetadataRecord::FeatureLevel(level).encode(30);
    assert_eq!(&bytes[..], [1, 12, 0, 2, b'a', 0, 2, 0]);
}

#[test]
fn records_about_nothing_are_refused() {
    let id = Uuid::from_u128(5);
    for record in [
        MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id }),
        MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: id,
            ..Default::default()
        }),
        MetadataRecord::Partition(PartitionRecord { topic_id: id, ..Default::default() }),
        MetadataRecord::UnregisterBroker(UnregisterBrokerRecord::default()),
        MetadataRecord::ClearElr(ClearElrRecord { topic_name: "t".to_owned() }),
        MetadataRecord::EndTransaction(EndTransactionRecord {}),
        MetadataRecord::AbortTransaction(AbortTransactionRecord::default()),
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: "metadata.version".to_owned(),
            feature_level: 99,
        }),
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: "future.version".to_owned(),
            feature_level: 1,
        }),
    ] {
        assert!(Loader::new("c").replay(&record).is_err(), "{record:?}");
    }
}

#[test]
fn topic_names_are_those_of_kafka() {
    for name in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
        assert_eq!(reason_invalid(name), None, "{name}");
    }
    for (name, reason) in [
        ("", "it is empty"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("a b", "'a b' may have only ASCII letters and digits, '.', '_' and '-'"),
        ("ü", "'ü' may have only ASCII letters and digits, '.', '_' and '-'"),
    ] {
        assert_eq!(reason_invalid(name).as_deref(), Some(reason));
    }
    assert!(reason_invalid(&"x".repeat(250)).unwrap().ends_with("more than 249 characters"));
}
