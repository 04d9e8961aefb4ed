//! Checks valid, truncated, altered and random messages of every API and version.
use super::*;
use crate::codec::{messages as ours, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as crates;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, Message, Request};

/// Calls `$check!(module, Request)` for every request that can be decoded: first kafka-protocol's,
/// then the generated ones.
macro_rules! every_request {
    ($check:ident) => {
        every_request! { $check, crates:
            AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddRaftVoterRequest,
            AllocateProducerIdsRequest, AlterClientQuotasRequest, AlterConfigsRequest,
            AlterPartitionReassignmentsRequest, AlterPartitionRequest, AlterReplicaLogDirsRequest,
            AlterShareGroupOffsetsRequest, AlterUserScramCredentialsRequest, ApiVersionsRequest,
            AssignReplicasToDirsRequest, BeginQuorumEpochRequest, BrokerHeartbeatRequest,
            BrokerRegistrationRequest, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
            ControllerRegistrationRequest, CreateAclsRequest, CreateDelegationTokenRequest,
            CreatePartitionsRequest, CreateTopicsRequest, DeleteAclsRequest, DeleteGroupsRequest,
            DeleteRecordsRequest, DeleteShareGroupOffsetsRequest, DeleteShareGroupStateRequest,
            DeleteTopicsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
            DescribeClusterRequest, DescribeConfigsRequest, DescribeDelegationTokenRequest,
            DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
            DescribeQuorumRequest, DescribeShareGroupOffsetsRequest, DescribeTopicPartitionsRequest,
            DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest,
            EndQuorumEpochRequest, EndTxnRequest, EnvelopeRequest, ExpireDelegationTokenRequest,
            FetchRequest, FetchSnapshotRequest, FindCoordinatorRequest,
            GetTelemetrySubscriptionsRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
            InitProducerIdRequest, InitializeShareGroupStateRequest, JoinGroupRequest,
            LeaveGroupRequest, ListConfigResourcesRequest, ListGroupsRequest, ListOffsetsRequest,
            ListPartitionReassignmentsRequest, ListTransactionsRequest, MetadataRequest,
            OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
            OffsetForLeaderEpochRequest,
            ProduceRequest, PushTelemetryRequest, ReadShareGroupStateRequest,
            ReadShareGroupStateSummaryRequest, RemoveRaftVoterRequest, RenewDelegationTokenRequest,
            SaslAuthenticateRequest, SaslHandshakeRequest, ShareAcknowledgeRequest,
            ShareFetchRequest,
            ShareGroupDescribeRequest, ShareGroupHeartbeatRequest, SyncGroupRequest,
            TxnOffsetCommitRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
            UpdateRaftVoterRequest, VoteRequest, WriteShareGroupStateRequest,
            WriteTxnMarkersRequest,
        }
        every_request! { $check, ours:
            ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, ApiVersionsRequest,
            WriteTxnMarkersRequest, TxnOffsetCommitRequest, DescribeLogDirsRequest,
            DeleteGroupsRequest,
            BrokerHeartbeatRequest, ShareFetchRequest, ShareAcknowledgeRequest, AddRaftVoterRequest,
            WriteShareGroupStateRequest, ReadShareGroupStateSummaryRequest,
            DescribeShareGroupOffsetsRequest, StreamsGroupHeartbeatRequest,
            StreamsGroupDescribeRequest,
            StreamsGroupTopologyDescriptionUpdateRequest, UnregisterControllerRequest,
        }
    };
    ($check:ident, $home:ident: $($name:ident,)*) => {
        $( $check!($home::$name); )*
    };
}

/// How much a sampled message contains.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// Null or empty fields where possible, and no tagged fields.
    Least,
    /// Every field, every known tagged field and an unknown one.
    Most,
    /// A random choice.
    Chance,
}

/// Makes messages from the same steps that the guard follows.
struct Sampler {
    mode: Mode,
    chance: fastrand::Rng,
    flexible: bool,
    out: Vec<u8>,
}

impl Sampler {
    fn message(table: &[Shapes], mode: Mode, seed: u64, api_key: i16, version: i16) -> Vec<u8> {
        let (shapes, steps) = find(table, api_key, version).unwrap();
        let chance = fastrand::Rng::with_seed(seed);
        let flexible = version >= shapes.flexible;
        let mut sampler = Sampler { mode, chance, flexible, out: Vec::new() };
        sampler.steps(steps);
        sampler.out
    }

    fn steps(&mut self, steps: &[Op]) {
        for step in steps {
            match step {
                Op::Skip(size) => (0..*size).for_each(|_| self.out.push(self.chance.u8(..))),
                Op::Text { nullable } => self.text(*nullable),
                Op::Blob { nullable } => self.many(*nullable, 150, |sampler| {
                    let byte = sampler.chance.u8(..);
                    sampler.out.push(byte);
                }),
                Op::List { nullable, of } => {
                    self.many(*nullable, 3, |sampler| sampler.steps(of));
                }
                Op::Optional(of) => {
                    let there = self.choose(1) == 1;
                    self.out.push(if there { 1 } else { 0xff });
                    if there {
                        self.steps(of);
                    }
                }
                Op::Tags(known) => self.tags(known),
            }
        }
    }

    fn choose(&mut self, most: usize) -> usize {
        match self.mode {
            Mode::Least => 0,
            Mode::Most => most,
            Mode::Chance => self.chance.usize(..=most),
        }
    }

    fn is_null(&mut self, nullable: bool) -> bool {
        nullable && self.choose(3) == 0
    }

    fn text(&mut self, nullable: bool) {
        let length = if self.is_null(nullable) { None } else { Some(self.choose(200)) };
        match (self.flexible, length) {
            (true, length) => self.varint(length.map_or(0, |length| length + 1)),
            (false, None) => self.out.extend([0xff, 0xff]),
            (false, Some(length)) => self.out.extend((length as i16).to_be_bytes()),
        }
        self.out.extend(vec![b'k'; length.unwrap_or(0)]);
    }

    fn many(&mut self, nullable: bool, most: usize, mut each: impl FnMut(&mut Sampler)) {
        let count = if self.is_null(nullable) { None } else { Some(self.choose(most)) };
        match (self.flexible, count) {
            (true, count) => self.varint(count.map_or(0, |count| count + 1)),
            (false, count) => {
                self.out.extend(count.map_or(-1, |count| count as i32).to_be_bytes());
            }
        }
        (0..count.unwrap_or(0)).for_each(|_| each(self));
    }

    fn tags(&mut self, known: &[(u32, &[Op])]) {
        let count = self.choose(known.len() + 1);
        self.varint(count);
        for place in 0..count {
            let (tag, steps) = known.get(place).copied().unwrap_or((77, &[Op::Skip(5)]));
            let before = std::mem::take(&mut self.out);
            self.steps(steps);
            let value = std::mem::replace(&mut self.out, before);
            self.varint(tag as usize);
            self.varint(value.len());
            self.out.extend(value);
        }
    }

    fn varint(&mut self, value: usize) {
        wire::put_varint(&mut self.out, value as u32);
    }
}

/// The decoder reads exactly the samples that the guard accepts, and the guard accepts what the
/// encoder writes.
#[track_caller]
fn check_valid<M: Message + Encodable + Decodable>(table: &'static [Shapes], api_key: i16) {
    let versions = M::VERSIONS;
    for version in versions.min..=versions.max {
        for seed in 0..12 {
            let mode = [Mode::Least, Mode::Most, Mode::Chance][(seed as usize).min(2)];
            let body = Sampler::message(table, mode, seed, api_key, version);
            let name = format!("API {api_key} v{version} {mode:?} {body:?}");
            check_with(table, api_key, version, &body).expect(&name);
            let mut rest = Bytes::from(body);
            let message = M::decode(&mut rest, version).expect(&name);
            assert!(rest.is_empty(), "{name}");
            let mut again = BytesMut::new();
            message.encode(&mut again, version).expect(&name);
            check_with(table, api_key, version, &again).expect(&name);
            again.extend([0; 3]);
            check_with(table, api_key, version, &again).expect("Kafka tolerates bytes behind it");
        }
    }
}

#[test]
fn every_valid_message_passes() {
    macro_rules! check {
        ($request:path) => {
            check_valid::<$request>(REQUESTS, <$request>::KEY);
            check_valid::<<$request as Request>::Response>(RESPONSES, <$request>::KEY);
        };
    }
    every_request!(check);
}

#[test]
fn every_request_of_the_schema_is_decoded_by_someone() {
    let mut decoded = std::collections::BTreeSet::new();
    macro_rules! note {
        ($request:path) => {
            let versions = <$request as Message>::VERSIONS;
            decoded.extend((versions.min..=versions.max).map(|v| (<$request>::KEY, v)));
        };
    }
    every_request!(note);
    decoded.insert((22, 6)); // InitProducerId 6 is not stable; nobody asks for it.
    let all = (-1..200).flat_map(|key| (-1..30).map(move |version| (key, version)));
    let known: Vec<_> = all.filter(|(key, version)| known(*key, *version)).collect();
    assert_eq!(known, decoded.into_iter().collect::<Vec<_>>());
}

/// A body that passes the guard is decoded or refused; nothing panics.
fn check_harmless<M: Decodable>(table: &[Shapes], api_key: i16, version: i16, body: Vec<u8>) {
    if check_with(table, api_key, version, &body).is_ok() {
        let _ = M::decode(&mut Bytes::from(body), version);
    }
}

#[track_caller]
fn check_invalid<M: Message + Decodable>(table: &'static [Shapes], api_key: i16) {
    let versions = M::VERSIONS;
    let mut chance = fastrand::Rng::with_seed(api_key as u64);
    for version in versions.min..=versions.max {
        for seed in 0..6 {
            let mode = if seed == 0 { Mode::Most } else { Mode::Chance };
            let body = Sampler::message(table, mode, seed, api_key, version);
            for end in (0..body.len()).step_by(1 + body.len() / 1000) {
                let torn = check_with(table, api_key, version, &body[..end]);
                assert!(torn.is_err(), "API {api_key} v{version} cut at {end}");
            }
            for _ in 0..20.min(body.len()) {
                let mut bent = body.clone();
                let place = chance.usize(..bent.len());
                let with = [0xff, 0x7f, 0x80, 0, chance.u8(..)][chance.usize(..5)];
                let end = (place + chance.usize(1..=4)).min(bent.len());
                bent[place..end].fill(with);
                check_harmless::<M>(table, api_key, version, bent);
            }
        }
        for length in 0..40 {
            let noise = (0..length).map(|_| chance.u8(..)).collect();
            check_harmless::<M>(table, api_key, version, noise);
        }
    }
}

#[test]
fn torn_bent_and_random_messages_are_refused_or_harmless() {
    macro_rules! check {
        ($request:path) => {
            check_invalid::<$request>(REQUESTS, <$request>::KEY);
            check_invalid::<<$request as Request>::Response>(RESPONSES, <$request>::KEY);
        };
    }
    every_request!(check);
}

/// Checks what the guard says about a body.
#[track_caller]
fn check_said(api_key: i16, version: i16, body: &[u8], said: &str) {
    let error = check(api_key, version, body).map_err(|error| error.to_string());
    match error {
        Ok(_) => assert_eq!("fine", said),
        Err(error) => assert!(error.ends_with(said), "{error}"),
    }
}

#[test]
fn sizes_and_nulls_are_held_to() {
    const METADATA: i16 = 3;
    const MORE: &str = ": an array has more elements than there are bytes";
    check_said(METADATA, 1, &[0x7f, 0xff, 0xff, 0xff], MORE);
    check_said(METADATA, 1, &[0, 0, 0, 2, 0, 0], ": it is cut short");
    check_said(METADATA, 0, &[0xff; 4], ": null where a value must be");
    check_said(METADATA, 1, &[0xff; 4], "fine");
    check_said(METADATA, 1, &[0xff, 0xff, 0xff, 0xfe], ": a length is negative");
    check_said(METADATA, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f], MORE);
    check_said(METADATA, 9, &[0xff, 0xff, 0xff, 0xff, 0x1f], ": a varint is too large");
    check_said(METADATA, 9, &[0xff; 5], ": a varint is too long");
    check_said(METADATA, 9, &[0xff; 4], ": it is cut short");
    check_said(METADATA, 14, &[], "API 3 v14: Kafka has no such version");
    check_said(4, 0, &[], "API 4 v0: Kafka has no such version");
    check_said(-1, 0, &[], "API -1 v0: Kafka has no such version");
    check_said(i16::MAX, i16::MIN, &[], "API 32767 v-32768: Kafka has no such version");
}

#[test]
fn elements_and_tagged_fields_have_an_end() {
    let topics = |count: usize| {
        let mut body = (count as i32).to_be_bytes().to_vec();
        body.resize(4 + 2 * count, 0);
        body
    };
    check_said(3, 1, &topics(MAX_ELEMENTS), "fine");
    check_said(3, 1, &topics(MAX_ELEMENTS + 1), ": it has too many elements");
    let tags = |count: usize| {
        let mut body = vec![1, 1];
        wire::put_varint(&mut body, count as u32);
        body.extend([5, 0].repeat(count));
        body
    };
    check_said(18, 3, &tags(MAX_TAGS), "fine");
    check_said(18, 3, &tags(MAX_TAGS + 1), ": it has too many tagged fields");
}

#[test]
fn header_versions_are_those_of_kafka() {
    for key in ApiKey::iter() {
        let versions = key.valid_versions();
        for version in versions.min..=versions.max {
            let (request, response) =
                (key.request_header_version(version), key.response_header_version(version));
            assert_eq!(request_header_version(key as i16, version), request, "{key:?} {version}");
            assert_eq!(response_header_version(key as i16, version), response, "{key:?} {version}");
        }
    }
    for key in [88, 89, 93, 94] {
        assert_eq!((request_header_version(key, 0), response_header_version(key, 0)), (2, 1));
    }
    assert_eq!((request_header_version(18, 99), response_header_version(18, 99)), (2, 0));
    assert_eq!((request_header_version(17, 1), response_header_version(17, 1)), (1, 0));
}
