//! The group coordinator at scale: the cost of joining, of rebalancing and of each heartbeat. Every
//! scenario also checks that each partition has one owner and that there is no rebalance without
//! need.

use crate::load::{Measured, connect, create_topics, exchange, frame, receive};
use crate::target::Target;
use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, StrBytes};
use klamm::codec::messages::consumer_group_heartbeat_request::TopicPartitions;
use klamm::codec::messages::join_group_request::JoinGroupRequestProtocol;
use klamm::codec::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm::codec::messages::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, FindCoordinatorRequest,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest,
    OffsetCommitResponse, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use uuid::Uuid;

const CONSUMER_VERSION: i16 = 0;
const HEARTBEAT_VERSION: i16 = 4;
const COMMIT_VERSION: i16 = 8;
const JOIN_VERSION: i16 = 9;
const SYNC_VERSION: i16 = 5;
/// How long a group may take to come to rest.
const REST: Duration = Duration::from_secs(120);
/// The longest time that the coordinator may wait before it assigns again
/// (`group.consumer.assignment.interval.ms`), and a little more.
const ASSIGNMENT_INTERVAL: Duration = Duration::from_millis(1500);
/// Temporary errors: the coordinator's partition is being created or loaded.
const NOT_YET: [i16; 3] = [14, 15, 16];
const MEMBER_ID_REQUIRED: i16 = 79;

/// The size of the scenarios.
#[derive(Clone, Copy)]
pub struct Scale {
    pub members: usize,
    pub topics: usize,
    pub partitions: usize,
    pub groups: usize,
    pub static_members: usize,
    pub heartbeats: usize,
}

/// Runs all scenarios in order and reports each with its title.
pub fn measure(target: &Target, scale: Scale, mut report: impl FnMut(&'static str, Measured)) {
    let topics: Vec<String> = (0..scale.topics).map(|i| format!("scale-{i}")).collect();
    for topic in topics.chunks(1) {
        // All topics together would exceed what Kafka creates in one request.
        create_topics(target, topic, scale.partitions / scale.topics);
    }
    make_coordinator(target);
    await_calm(target);
    let total = scale.partitions / scale.topics * scale.topics;

    let mut group = ConsumerGroup::new("one-large", &topics, scale.members, false);
    report(
        "one consumer group joins",
        timed(target, || (scale.members, group.rest(target, total))),
    );
    group.beat(target, scale.heartbeats);
    let beats = || (scale.heartbeats, group.beat(target, scale.heartbeats));
    report("consumer heartbeats", timed(target, beats));
    group.leave(target);

    let mut rolling = ConsumerGroup::new("static", &topics[..1], scale.static_members, true);
    rolling.rest(target, scale.partitions / scale.topics);
    let restart = || (scale.static_members, rolling.restart(target));
    report("rolling restart of static members", timed(target, restart));
    rolling.leave(target);

    let small = ["scale-small".to_owned()];
    create_topics(target, &small, 4);
    let mut groups: Vec<ConsumerGroup> = (0..scale.groups)
        .map(|i| ConsumerGroup::new(&format!("small-{i}"), &small, 1, false))
        .collect();
    let join = || (scale.groups, join_all(target, &mut groups));
    report("consumer groups of one join", timed(target, join));
    beat_all(target, &groups);
    report("their heartbeats", timed(target, || (scale.groups, beat_all(target, &groups))));
    groups.iter_mut().for_each(|group| group.members[0].epoch = -1);
    send_all(target, &groups);
    await_calm(target);

    let classic = ClassicGroup::join(target, "one-classic", scale.members, false);
    classic.beat(target, scale.heartbeats);
    let beats = || (scale.heartbeats, classic.beat(target, scale.heartbeats));
    report("classic heartbeats", timed(target, beats));

    let mut rolling = ClassicGroup::join(target, "classic-static", scale.static_members, true);
    let restart = || (scale.static_members, rolling.restart(target));
    report("rolling restart of static classic members", timed(target, restart));
}

fn timed(target: &Target, work: impl FnOnce() -> (usize, ())) -> Measured {
    let (processor, begun) = (target.processor_seconds(), Instant::now());
    let (requests, ()) = work();
    let wall = begun.elapsed().as_secs_f64();
    Measured::of_requests(requests, wall, target.processor_seconds() - processor)
}

/// Waits until the broker does next to nothing, so that earlier work is not measured.
fn await_calm(target: &Target) {
    let end = Instant::now() + REST;
    loop {
        let before = target.processor_seconds();
        std::thread::sleep(Duration::from_secs(1));
        if target.processor_seconds() - before < 0.1 || Instant::now() > end {
            return;
        }
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Creates the topic of the groups' offsets, which a request for a coordinator does.
pub fn make_coordinator(target: &Target) {
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("any")]);
    exchange(target, &[frame(ApiKey::FindCoordinator, 4, &request)]);
}

type Partitions = BTreeMap<Uuid, Vec<i32>>;

/// A member of the consumer protocol, as its client sees it.
pub struct Member {
    id: StrBytes,
    instance_id: Option<StrBytes>,
    epoch: i32,
    owned: Partitions,
    /// Whether it owns partitions that the coordinator has not been told of.
    news: bool,
}

pub struct ConsumerGroup {
    id: StrBytes,
    topics: Vec<String>,
    pub members: Vec<Member>,
}

impl ConsumerGroup {
    pub fn new(id: &str, topics: &[String], members: usize, is_static: bool) -> ConsumerGroup {
        let member = |i: usize| Member {
            id: text(&Uuid::new_v4().to_string()),
            instance_id: is_static.then(|| text(&format!("instance-{i}"))),
            epoch: 0,
            owned: Partitions::new(),
            news: false,
        };
        let members = (0..members).map(member).collect();
        ConsumerGroup { id: text(id), topics: topics.to_vec(), members }
    }

    /// The heartbeat of a member, with everything that it must report.
    pub fn request(&self, member: &Member) -> Vec<u8> {
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.id.clone().into())
            .with_member_id(member.id.clone())
            .with_member_epoch(member.epoch);
        if member.epoch <= 0 {
            let topics = self.topics.iter().map(|topic| text(topic).into()).collect();
            request = request
                .with_instance_id(member.instance_id.clone())
                .with_rebalance_timeout_ms(300_000)
                .with_subscribed_topic_names(Some(topics))
                .with_topic_partitions(Some(Vec::new()));
        }
        if member.news {
            let owned = member.owned.iter().map(|(topic, partitions)| {
                TopicPartitions::default().with_topic_id(*topic).with_partitions(partitions.clone())
            });
            request = request.with_topic_partitions(Some(owned.collect()));
        }
        frame(ApiKey::ConsumerGroupHeartbeat, CONSUMER_VERSION, &request)
    }

    /// Sends a heartbeat of each member. Returns whether anything changed.
    fn round(&mut self, target: &Target) -> bool {
        let frames: Vec<_> = self.members.iter().map(|member| self.request(member)).collect();
        let answers = exchange(target, &frames);
        self.members.iter_mut().zip(answers).fold(false, |any, (m, answer)| m.take(answer) | any)
    }

    /// Sends heartbeats until every partition has one owner and all members have the same epoch.
    pub fn rest(&mut self, target: &Target, partitions: usize) {
        let end = Instant::now() + REST;
        let mut idle = false;
        loop {
            let was_idle = idle;
            if was_idle {
                std::thread::sleep(ASSIGNMENT_INTERVAL);
            }
            let active = self.round(target);
            let owned: Vec<(Uuid, i32)> = (self.members.iter())
                .flat_map(|member| &member.owned)
                .flat_map(|(topic, partitions)| partitions.iter().map(|p| (*topic, *p)))
                .collect();
            let distinct: BTreeSet<&(Uuid, i32)> = owned.iter().collect();
            let epochs: BTreeSet<i32> = self.members.iter().map(|member| member.epoch).collect();
            idle = !active && epochs.len() == 1 && owned.len() == partitions;
            if idle && was_idle {
                assert_eq!(distinct.len(), partitions, "partitions with one owner");
                return;
            }
            let owners = owned.len();
            assert!(Instant::now() < end, "{} not at rest: {owners} owned, {epochs:?}", self.id);
        }
    }

    /// All members leave, so that their sessions do not expire during other measurements.
    fn leave(&mut self, target: &Target) {
        self.members.iter_mut().for_each(|member| member.epoch = -1);
        let frames: Vec<_> = self.members.iter().map(|member| self.request(member)).collect();
        exchange(target, &frames);
    }

    fn beat(&self, target: &Target, times: usize) {
        let frames: Vec<_> = self.members.iter().map(|member| self.request(member)).collect();
        let times = times.div_ceil(frames.len());
        let frames: Vec<_> = std::iter::repeat_n(&frames, times).flatten().cloned().collect();
        exchange(target, &frames).into_iter().for_each(check_consumer_heartbeat);
    }

    /// Each static member leaves for a while and comes back with another id, one after the other.
    fn restart(&mut self, target: &Target) {
        for at in 0..self.members.len() {
            let (epoch, owned) = (self.members[at].epoch, self.members[at].owned.clone());
            self.members[at].epoch = -2;
            let gone = exchange(target, &[self.request(&self.members[at])]);
            let mut gone = gone.into_iter().next().unwrap();
            let gone = ConsumerGroupHeartbeatResponse::decode(&mut gone, CONSUMER_VERSION).unwrap();
            assert_eq!(gone.error_code, 0, "static member leaves");
            let member = &mut self.members[at];
            (member.id, member.epoch) = (text(&Uuid::new_v4().to_string()), 0);
            member.owned.clear();
            let back = exchange(target, &[self.request(&self.members[at])]);
            self.members[at].take(back.into_iter().next().unwrap());
            assert_eq!(self.members[at].epoch, epoch, "no rebalance when a static member is back");
            assert_eq!(self.members[at].owned, owned, "what a static member has again");
        }
    }
}

/// Checks that the answer contains nothing new.
pub fn check_consumer_heartbeat(mut answer: Bytes) {
    let answer = ConsumerGroupHeartbeatResponse::decode(&mut answer, CONSUMER_VERSION).unwrap();
    assert_eq!((answer.error_code, answer.assignment), (0, None), "heartbeat at rest");
}

impl Member {
    /// Applies an answer to the member. Returns whether it changed anything.
    fn take(&mut self, mut answer: Bytes) -> bool {
        let answer = ConsumerGroupHeartbeatResponse::decode(&mut answer, CONSUMER_VERSION).unwrap();
        if NOT_YET.contains(&answer.error_code) {
            std::thread::sleep(Duration::from_millis(1));
            return true;
        }
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        let mut active = self.news || self.epoch != answer.member_epoch;
        self.epoch = answer.member_epoch;
        self.news = false;
        if let Some(assignment) = answer.assignment {
            let partitions = assignment.topic_partitions.into_iter();
            let sorted = partitions.map(|mut topic| {
                topic.partitions.sort_unstable();
                (topic.topic_id, topic.partitions)
            });
            self.owned = sorted.collect();
            self.news = true;
            active = true;
        }
        active
    }
}

fn join_all(target: &Target, groups: &mut [ConsumerGroup]) {
    let end = Instant::now() + REST;
    loop {
        let answers = send_all(target, groups);
        let pairs = groups.iter_mut().zip(answers);
        let active = pairs.fold(false, |any, (group, answer)| group.members[0].take(answer) | any);
        if !active && groups.iter().all(|group| !group.members[0].owned.is_empty()) {
            return;
        }
        assert!(Instant::now() < end, "groups of one do not come to rest");
    }
}

fn send_all(target: &Target, groups: &[ConsumerGroup]) -> Vec<Bytes> {
    let frames: Vec<_> = groups.iter().map(|group| group.request(&group.members[0])).collect();
    exchange(target, &frames)
}

fn beat_all(target: &Target, groups: &[ConsumerGroup]) {
    for mut answer in send_all(target, groups) {
        let answer = ConsumerGroupHeartbeatResponse::decode(&mut answer, CONSUMER_VERSION).unwrap();
        assert_eq!(answer.error_code, 0, "heartbeat");
    }
}

/// A classic group, with its members by id.
pub struct ClassicGroup {
    id: StrBytes,
    is_static: bool,
    generation: i32,
    members: Vec<StrBytes>,
}

impl ClassicGroup {
    /// Joins with one connection per member, because the answer to a join waits for all members.
    pub fn join(target: &Target, id: &str, members: usize, is_static: bool) -> ClassicGroup {
        let mut group = ClassicGroup {
            id: text(id),
            is_static,
            generation: -1,
            members: vec![StrBytes::default(); members],
        };
        let mut sockets: Vec<TcpStream> = (0..members).map(|_| connect(target)).collect();
        let end = Instant::now() + REST;
        loop {
            let answers = group.ask(&mut sockets, |group, at| group.join_request(at));
            let answers: Vec<JoinGroupResponse> = (answers.into_iter())
                .map(|mut answer| JoinGroupResponse::decode(&mut answer, JOIN_VERSION).unwrap())
                .collect();
            for (id, answer) in group.members.iter_mut().zip(&answers) {
                let passes =
                    answer.error_code == MEMBER_ID_REQUIRED || NOT_YET.contains(&answer.error_code);
                assert!(answer.error_code == 0 || passes, "join: {}", answer.error_code);
                id.clone_from(&answer.member_id);
            }
            if answers.iter().all(|answer| answer.error_code == 0) {
                group.generation = answers[0].generation_id;
                break;
            }
            assert!(Instant::now() < end, "classic members do not join");
        }
        for mut answer in group.ask(&mut sockets, |group, at| group.sync_request(at)) {
            let answer = SyncGroupResponse::decode(&mut answer, SYNC_VERSION).unwrap();
            assert_eq!(answer.error_code, 0, "sync");
        }
        group
    }

    fn ask(
        &self,
        sockets: &mut [TcpStream],
        request: impl Fn(&ClassicGroup, usize) -> Vec<u8>,
    ) -> Vec<Bytes> {
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.write_all(&request(self, at)).unwrap();
        }
        sockets.iter_mut().map(receive).collect()
    }

    fn join_request(&self, at: usize) -> Vec<u8> {
        // A subscription to nothing: version 0, no topics, no user data.
        let metadata = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str("range"))
            .with_metadata(metadata);
        let request = JoinGroupRequest::default()
            .with_group_id(self.id.clone().into())
            .with_session_timeout_ms(60_000)
            .with_rebalance_timeout_ms(60_000)
            .with_member_id(self.members[at].clone())
            .with_group_instance_id(self.instance_id(at))
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol]);
        frame(ApiKey::JoinGroup, JOIN_VERSION, &request)
    }

    /// The leader sends no assignments either, so all of them are empty.
    fn sync_request(&self, at: usize) -> Vec<u8> {
        let request = SyncGroupRequest::default()
            .with_group_id(self.id.clone().into())
            .with_generation_id(self.generation)
            .with_member_id(self.members[at].clone())
            .with_group_instance_id(self.instance_id(at))
            .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
            .with_protocol_name(Some(StrBytes::from_static_str("range")));
        frame(ApiKey::SyncGroup, SYNC_VERSION, &request)
    }

    fn instance_id(&self, at: usize) -> Option<StrBytes> {
        self.is_static.then(|| text(&format!("instance-{at}")))
    }

    /// Each static member joins again without its id, one after the other.
    fn restart(&mut self, target: &Target) {
        for at in 0..self.members.len() {
            self.members[at] = StrBytes::default();
            let joined = exchange(target, &[self.join_request(at)]).swap_remove(0);
            let joined = JoinGroupResponse::decode(&mut joined.clone(), JOIN_VERSION).unwrap();
            assert_eq!(joined.error_code, 0, "static member is back");
            assert_eq!(joined.generation_id, self.generation, "no rebalance of it");
            self.members[at] = joined.member_id;
            let synced = exchange(target, &[self.sync_request(at)]).swap_remove(0);
            let synced = SyncGroupResponse::decode(&mut synced.clone(), SYNC_VERSION).unwrap();
            assert_eq!(synced.error_code, 0, "sync of a static member");
        }
    }

    pub fn heartbeat(&self, at: usize) -> Vec<u8> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.id.clone().into())
            .with_generation_id(self.generation)
            .with_member_id(self.members[at].clone());
        frame(ApiKey::Heartbeat, HEARTBEAT_VERSION, &request)
    }

    fn beat(&self, target: &Target, times: usize) {
        let members = (0..self.members.len()).cycle().take(times);
        let frames: Vec<_> = members.map(|at| self.heartbeat(at)).collect();
        exchange(target, &frames).into_iter().for_each(check_heartbeat);
    }
}

pub fn check_heartbeat(mut answer: Bytes) {
    let answer = HeartbeatResponse::decode(&mut answer, HEARTBEAT_VERSION).unwrap();
    assert_eq!(answer.error_code, 0, "heartbeat");
}

/// Commits an offset of one partition for a group without members.
pub fn commit_request(group: &str, topic: TopicName) -> Vec<u8> {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(1)
        .with_committed_leader_epoch(-1)
        .with_committed_metadata(Some(StrBytes::default()));
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    frame(ApiKey::OffsetCommit, COMMIT_VERSION, &request)
}

pub fn check_committed(mut answer: Bytes) {
    let answer = OffsetCommitResponse::decode(&mut answer, COMMIT_VERSION).unwrap();
    assert_eq!(answer.topics[0].partitions[0].error_code, 0, "commit");
}
