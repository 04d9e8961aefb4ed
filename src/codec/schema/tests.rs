//! Every generated message in every version: round trips, and the same bytes as kafka-protocol.
use super::generated::every_record;
use super::*;
use crate::codec::messages::{self, every_message};
use crate::codec::wire::*;
use std::fmt::Debug;

fn encoded<T: Encodable>(message: &T, version: i16) -> Bytes {
    let mut buf = BytesMut::new();
    message.encode(&mut buf, version).unwrap();
    assert_eq!(buf.len(), message.compute_size(version).unwrap());
    buf.freeze()
}

/// Examples of a message in this version: default, full, and with as many nulls as possible.
fn examples<T: Sample + Default>(version: i16) -> Vec<T> {
    vec![T::default(), T::sample(Fill::Full, version), T::sample(Fill::Null, version)]
}

#[track_caller]
fn check_round_trip<T>(name: &str)
where
    T: Encodable + Decodable + Message + Sample + Default + PartialEq + Debug,
{
    let VersionRange { min, max } = T::VERSIONS;
    for version in min..=max {
        for message in examples::<T>(version) {
            let bytes = encoded(&message, version);
            let mut rest = bytes.clone();
            let again = T::decode(&mut rest, version).unwrap();
            assert!(rest.is_empty(), "{name} v{version} leaves {} bytes", rest.len());
            assert_eq!(encoded(&again, version), bytes, "{name} v{version}");
            for end in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
                let torn = T::decode(&mut bytes.slice(..end), version);
                assert!(torn.is_err(), "{name} v{version} cut at {end} of {}", bytes.len());
            }
        }
        // A field that the version does not have has its default in the sample, so nothing may be
        // lost.
        for fill in [Fill::Full, Fill::Null] {
            let message = T::sample(fill, version);
            let again = T::decode(&mut encoded(&message, version), version).unwrap();
            assert_eq!(again, message, "{name} v{version}");
        }
    }
    for version in [min - 1, max + 1] {
        assert!(T::default().encode(&mut BytesMut::new(), version).is_err());
        assert!(T::decode(&mut Bytes::from_static(&[0; 64]), version).is_err());
    }
}

#[test]
fn every_message_survives_the_round_trip() {
    let mut messages = 0;
    macro_rules! check {
        ($section:ident, $name:ident) => {
            check_round_trip::<$section::$name>(stringify!($name));
            messages += 1;
        };
    }
    every_message!(check);
    every_record!(check);
    assert_eq!(messages, 38 + 27 + 44 + 2 + 2 + 4 + 2 + 6);
}

/// Checks against kafka-protocol: it decodes our bytes and encodes the same ones.
#[track_caller]
fn check_crate<Ours, Theirs>(top: i16)
where
    Ours: Encodable + Message + Sample + Default,
    Theirs: Encodable + Decodable + Debug,
{
    for version in Ours::VERSIONS.min..=Ours::VERSIONS.max.min(top) {
        for message in examples::<Ours>(version) {
            let bytes = encoded(&message, version);
            let mut rest = bytes.clone();
            let theirs = Theirs::decode(&mut rest, version).unwrap();
            assert!(rest.is_empty());
            let name = std::any::type_name::<Theirs>();
            assert_eq!(encoded(&theirs, version), bytes, "{name} v{version}: {theirs:?}");
        }
    }
}

#[test]
fn bytes_are_those_of_kafka_protocol() {
    use kafka_protocol::messages as theirs;
    macro_rules! check {
        ($section:ident: $($name:ident to $top:literal,)*) => { $(
            check_crate::<$section::$name, theirs::$name>($top);
        )* };
    }
    check! { messages:
        ListOffsetsRequest to 10, ListOffsetsResponse to 10,
        OffsetCommitRequest to 9, OffsetCommitResponse to 10,
        OffsetFetchRequest to 9, OffsetFetchResponse to 10,
        ApiVersionsRequest to 4, ApiVersionsResponse to 4,
        WriteTxnMarkersRequest to 1, WriteTxnMarkersResponse to 1,
        TxnOffsetCommitRequest to 5, TxnOffsetCommitResponse to 5,
        DescribeLogDirsRequest to 4, DescribeLogDirsResponse to 4,
        DeleteGroupsRequest to 2, DeleteGroupsResponse to 2,
        BrokerHeartbeatRequest to 1, BrokerHeartbeatResponse to 1,
        ShareFetchRequest to 1, ShareFetchResponse to 1,
        ShareAcknowledgeRequest to 1, ShareAcknowledgeResponse to 1,
        AddRaftVoterRequest to 0, AddRaftVoterResponse to 0,
        WriteShareGroupStateRequest to 0, WriteShareGroupStateResponse to 0,
        ReadShareGroupStateSummaryRequest to 0, ReadShareGroupStateSummaryResponse to 0,
        DescribeShareGroupOffsetsRequest to 0, DescribeShareGroupOffsetsResponse to 0,
    }
    // LeaderChangeMessage and VotersRecord are left out, as the crate decodes their structs at the
    // version in their field `version`.
    check! { raft:
        SnapshotHeaderRecord to 0, SnapshotFooterRecord to 0,
        KRaftVersionRecord to 0, EndTxnMarker to 0,
    }
}

/// The checksums of a message's three examples, for each version.
fn checksums<T: Encodable + Message + Sample + Default>(name: &str) -> Vec<String> {
    let checksum = |version| {
        let examples = examples::<T>(version);
        let bytes = examples.iter().map(|message| encoded(message, version));
        bytes.fold(0, |checksum, bytes| crc32c::crc32c_append(checksum, &bytes))
    };
    let versions = T::VERSIONS.min..=T::VERSIONS.max;
    versions.map(|version| format!("{name} {version} {:08x}", checksum(version))).collect()
}

/// Messages that 4.4 added are not in the file, nor is AbortedTxn, which 4.3 writes by hand.
#[test]
fn bytes_are_those_of_kafka_itself() {
    let mut ours = Vec::new();
    macro_rules! add {
        ($section:ident, $name:ident) => {
            let name = concat!(stringify!($section), " ", stringify!($name));
            ours.extend(checksums::<$section::$name>(name));
        };
    }
    every_message!(add);
    every_record!(add);
    let kafkas = include_str!("kafka-4.3.1.txt").lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<_> = kafkas.filter(|line| !ours.iter().any(|ours| ours == line)).collect();
    assert_eq!(wrong, Vec::<&str>::new());
}

#[test]
fn a_count_never_decides_an_allocation() {
    let huge = Bytes::from_static(&[0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
    let error = messages::ListOffsetsRequest::decode(&mut huge.slice(..), 2).unwrap_err();
    assert_eq!(error.to_string(), "2147483647 elements in 0 bytes");
    let huge = Bytes::from_static(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(messages::ListOffsetsRequest::decode(&mut huge.slice(..), 6).is_err());
    let tags = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(metadata::NoOpRecord::decode(&mut tags.slice(..), 0).is_err());
}

#[test]
fn defaults_and_names_are_those_of_the_schema() {
    assert_eq!(messages::list_offsets_request::ListOffsetsPartition::default().timestamp, 0);
    assert_eq!(messages::ListOffsetsRequest::KEY, 2);
    assert_eq!(messages::ApiVersionsResponse::header_version(5), 0);
    assert_eq!(messages::ApiVersionsRequest::header_version(3), 2);
    assert_eq!(messages::OffsetFetchResponse::header_version(6), 1);
    assert_eq!(group::GroupMetadataValue::KEY, 2);
    assert_eq!(group::GroupMetadataValue::VERSIONS, VersionRange { min: 0, max: 4 });
    assert_eq!(group::GroupMetadataValue::default().current_state_timestamp, -1);
    assert_eq!(metadata::PartitionChangeRecord::default().isr, None);
    assert_eq!(metadata::AccessControlEntryRecord::KEY, 18);
    assert_eq!(transaction::TransactionLogValue::default().previous_producer_id, -1);
}

/// The bytes are those of Kafka 4.3.1's generated Java: a nullable struct in a tagged field has a
/// varint before it, and null is not the default here (the schema says `null`, not `"null"`).
#[test]
fn a_nullable_struct_in_a_tagged_field() {
    use group::consumer_group_member_metadata_value::ClassicMemberMetadata;
    let check = |metadata, tail: &[u8]| {
        let record = group::ConsumerGroupMemberMetadataValue {
            classic_member_metadata: metadata,
            ..Default::default()
        };
        let bytes = encoded(&record, 0);
        assert!(bytes.ends_with(tail), "{bytes:?}");
        let again = group::ConsumerGroupMemberMetadataValue::decode(&mut bytes.clone(), 0).unwrap();
        assert_eq!(again, record);
    };
    check(None, &[1, 0, 1, 0]);
    check(Some(ClassicMemberMetadata::default()), &[1, 0]);
    let metadata = ClassicMemberMetadata { session_timeout_ms: 9, ..Default::default() };
    check(Some(metadata), &[1, 0, 7, 1, 0, 0, 0, 9, 1, 0]);
}
