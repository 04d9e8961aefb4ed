//! What we generate is what kafka-protocol has: messages that it has as well are generated here
//! too, and the same code uses both.
use crate::codec::wire;

#[allow(clippy::all, clippy::too_many_lines, unused, missing_docs, reason = "generated")]
mod mirrored {
    include!(concat!(env!("OUT_DIR"), "/mirrored.rs"));
}

/// Uses messages as a handler does. Every name of a field, every type and every method is the
/// crate's, or this does not compile.
macro_rules! usage {
    () => {
        use super::wire::*;
        use describe_transactions_response::{TopicData, TransactionState};
        use join_group_request::JoinGroupRequestProtocol;
        use metadata_request::MetadataRequestTopic;
        use metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        };

        pub fn join(tagged: bool) -> JoinGroupRequest {
            let protocol = JoinGroupRequestProtocol::default()
                .with_name("range".into())
                .with_metadata(Bytes::from_static(&[0, 1, 2]));
            let known = JoinGroupRequest::default()
                .with_group_id(GroupId(StrBytes::from("readers")))
                .with_session_timeout_ms(10_000)
                .with_member_id("reader-1".into())
                .with_protocols(vec![protocol]);
            let unknown = [(0, Bytes::from_static(b"later")), (7, Bytes::new())];
            if tagged { known.with_unknown_tagged_fields(unknown.into()) } else { known }
        }

        pub fn metadata() -> MetadataResponse {
            let partition = MetadataResponsePartition::default()
                .with_leader_id(BrokerId(1))
                .with_replica_nodes(vec![BrokerId(1), 2.into()]);
            let topic = MetadataResponseTopic::default()
                .with_name(Some(TopicName(StrBytes::from(String::from("letters")))))
                .with_topic_id(Uuid::from_u128(7))
                .with_partitions(vec![partition]);
            let broker = MetadataResponseBroker::default().with_host("localhost".into());
            MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
        }

        pub fn transactions() -> DescribeTransactionsResponse {
            let topic = TopicData::default().with_topic(StrBytes::from("letters").into());
            let state = TransactionState::default()
                .with_transactional_id(TransactionalId("mover".into()))
                .with_producer_id(ProducerId(4_000))
                .with_topics(vec![topic]);
            DescribeTransactionsResponse::default().with_transaction_states(vec![state])
        }

        /// What a handler would read from a request.
        pub fn asked(mut bytes: Bytes, version: i16) -> Vec<(Option<String>, Uuid)> {
            let request = MetadataRequest::decode(&mut bytes, version).unwrap();
            let MetadataRequestTopic { .. } = MetadataRequestTopic::default();
            let topics = request.topics.unwrap_or_default().into_iter();
            topics.map(|topic| (topic.name.map(|name| name.to_string()), topic.topic_id)).collect()
        }

        pub fn ask(name: Option<&'static str>) -> MetadataRequest {
            let topic = MetadataRequestTopic::default()
                .with_name(name.map(|name| StrBytes::from(name).into()));
            MetadataRequest::default().with_topics(Some(vec![topic]))
        }

        /// All of these at every version, the defaults of all messages, and how they show.
        pub fn everything() -> Vec<(String, Option<Bytes>)> {
            let mut all = Vec::new();
            each(&mut all, &join(false));
            each(&mut all, &join(true));
            each(&mut all, &metadata());
            each(&mut all, &transactions());
            each(&mut all, &ask(Some("letters")));
            each(&mut all, &OffsetDeleteRequest::default());
            each(&mut all, &OffsetDeleteResponse::default());
            each(&mut all, &JoinGroupResponse::default());
            each(&mut all, &TopicData::default().with_partitions(vec![1, 2]));
            all
        }

        fn each<M: Encodable + Message + std::fmt::Debug>(
            all: &mut Vec<(String, Option<Bytes>)>,
            message: &M,
        ) {
            for version in M::VERSIONS.min..=M::VERSIONS.max {
                let mut bytes = BytesMut::new();
                let encoded = message.encode(&mut bytes, version);
                assert!(encoded.is_err() || bytes.len() == message.compute_size(version).unwrap());
                all.push((format!("{message:?} v{version}"), encoded.ok().map(|()| bytes.into())));
            }
        }

        pub fn headers<R: Request>(version: i16) -> (i16, i16, i16) {
            (R::KEY, R::header_version(version), R::Response::header_version(version))
        }

        pub fn facts() -> Vec<(i16, i16, i16)> {
            vec![headers::<JoinGroupRequest>(5), headers::<JoinGroupRequest>(6)]
        }
    };
}

mod ours {
    use super::mirrored::*;
    usage!();
}

mod theirs {
    use kafka_protocol::messages::*;
    usage!();
}

#[test]
fn the_same_code_writes_the_same_bytes() {
    let (ours, theirs) = (ours::everything(), theirs::everything());
    assert!(ours.iter().filter(|(_, bytes)| bytes.is_some()).count() > 50);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours::facts(), theirs::facts());
}

#[test]
fn each_reads_what_the_other_wrote() {
    use wire::{Bytes, BytesMut, Decodable, Encodable};
    let encoded = |message: &dyn Fn(&mut BytesMut)| {
        let mut bytes = BytesMut::new();
        message(&mut bytes);
        bytes.freeze()
    };
    for version in 10..=13 {
        let ours: Bytes = encoded(&|buf| ours::ask(Some("a")).encode(buf, version).unwrap());
        assert_eq!(theirs::asked(ours.clone(), version), ours::asked(ours, version));
    }
    // What a version does not know is kept, in the order of tags, and written again.
    let bytes = encoded(&|buf| theirs::join(true).encode(buf, 9).unwrap());
    let join = mirrored::JoinGroupRequest::decode(&mut bytes.clone(), 9).unwrap();
    assert_eq!(join, ours::join(true));
    assert_eq!(encoded(&|buf| join.encode(buf, 9).unwrap()), bytes);
}
