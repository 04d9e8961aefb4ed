//! A share consumer made of single requests. When a connection breaks, a leader has moved or it
//! leaves, another one with a new name takes its place.

use crate::client::{Client, Node, is_retriable};
use crate::connection::Connection;
use crate::history::Record;
use crate::queue::history::{Answer, Deed, Delivered, Event, Given, NO_VALUE, Place, Verdict};
use crate::queue::{GROUP, Group};
use crate::workload::place;
use bytes::Bytes;
use kafka_protocol::ResponseError as Code;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use klamm::codec::messages::share_acknowledge_request::{
    AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch,
};
use klamm::codec::messages::share_fetch_request::{
    self, FetchPartition, FetchTopic, ForgottenTopic,
};
use klamm::codec::messages::share_fetch_response::PartitionData;
use klamm::codec::messages::{
    GroupId, ShareAcknowledgeRequest, ShareFetchRequest, ShareGroupHeartbeatRequest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};
use uuid::Uuid;

const HEARTBEAT_VERSION: i16 = 1;
const HEARTBEAT: Duration = Duration::from_millis(500);
const MAX_WAIT_MS: i32 = 200;
/// Longer than a lock.
const TOO_LONG: Duration = Duration::from_millis(2_500);
/// One record of so many is never finished while there is more to come.
const POISON: i64 = 50;
const GAP: i8 = 0;
/// The epoch with which a member, and its session, ends.
const LAST_EPOCH: i32 = -1;

/// The member is over.
struct Over;

type Going<T = ()> = Result<T, Over>;

/// What is said of records; None that there is no such record.
type Verdicts = BTreeMap<Place, Option<Verdict>>;

/// What it has with one leader.
struct Session {
    connection: Connection,
    epoch: i32,
    fetched: BTreeSet<i32>,
}

pub struct Member<'a> {
    group: &'a Group<'a>,
    random: fastrand::Rng,
    client: Client,
    number: u32,
    version: i16,
    epoch: i32,
    beaten: Instant,
    topic: Uuid,
    assigned: BTreeSet<i32>,
    /// By the address of the leader.
    sessions: BTreeMap<String, Session>,
    /// What it has, and which of that is no record.
    held: BTreeSet<Place>,
    gaps: BTreeSet<Place>,
    /// What it wants to say with the next fetch.
    pending: Verdicts,
}

impl<'a> Member<'a> {
    /// One member after the other.
    pub fn live(group: &'a Group<'a>, place: u32) {
        let seed = group.run.seed.wrapping_mul(1000) + 500 + u64::from(place);
        let mut random = fastrand::Rng::with_seed(seed);
        while !group.is_drained.load(Ordering::Relaxed) {
            let mut member = Member::new(group, random.fork());
            let Err(Over) = member.work();
            member.end();
            sleep(Duration::from_millis(random.u64(0..100)));
        }
    }

    fn new(group: &'a Group<'a>, mut random: fastrand::Rng) -> Member<'a> {
        let version = random.i16(1..=2);
        Member {
            group,
            random,
            client: group.run.connect(),
            number: group.members.fetch_add(1, Ordering::Relaxed),
            version,
            epoch: 0,
            beaten: Instant::now(),
            topic: Uuid::nil(),
            assigned: BTreeSet::new(),
            sessions: BTreeMap::new(),
            held: BTreeSet::new(),
            gaps: BTreeSet::new(),
            pending: Verdicts::new(),
        }
    }

    fn is_draining(&self) -> bool {
        self.group.is_draining.load(Ordering::Relaxed)
    }

    fn work(&mut self) -> Going<std::convert::Infallible> {
        self.beat()?;
        loop {
            if self.beaten.elapsed() > HEARTBEAT {
                self.beat()?;
            }
            if self.group.is_drained.load(Ordering::Relaxed) {
                return Err(Over);
            }
            let leaders = self.leaders();
            let Some(leader) = self.random.choice(&leaders) else {
                sleep(Duration::from_millis(50));
                continue;
            };
            self.fetch(leader)?;
            if !self.is_draining() && self.random.u16(..) < 200 {
                return Err(Over);
            }
            self.decide()?;
        }
    }

    /// Leaves, or is only gone.
    fn end(mut self) {
        self.note(self.now(), Deed::Leave);
        let is_polite = self.is_draining() || self.random.bool();
        if is_polite && self.epoch > 0 {
            if self.random.bool() {
                let held = std::mem::take(&mut self.held).into_iter();
                let all = held
                    .map(|place| (place, (!self.gaps.contains(&place)).then_some(Verdict::Accept)));
                let mut all = self.by_leader(all.collect());
                for leader in self.sessions.keys().cloned().collect::<Vec<_>>() {
                    let said = all.remove(&leader).unwrap_or_default();
                    let _ = self.acknowledge_to(&leader, said, LAST_EPOCH);
                }
            }
            self.epoch = LAST_EPOCH;
            let heartbeat = self.heartbeat();
            let _ = self.client.ask_once(&coordinator(), HEARTBEAT_VERSION, &heartbeat);
        }
    }

    fn now(&self) -> u64 {
        self.group.run.now()
    }

    fn note(&self, begun: u64, deed: Deed) {
        let ended = if deed == Deed::Leave { begun } else { self.now() };
        self.group.note(Event { member: self.number, begun, ended, deed });
    }

    fn id(&self) -> StrBytes {
        StrBytes::from_string(format!("checker-{}", self.number))
    }

    fn heartbeat(&self) -> ShareGroupHeartbeatRequest {
        let (topic, _) = place(0);
        let topics = vec![StrBytes::from_static_str(topic).into()];
        ShareGroupHeartbeatRequest::default()
            .with_group_id(group_id())
            .with_member_id(self.id())
            .with_member_epoch(self.epoch)
            .with_subscribed_topic_names((self.epoch == 0).then_some(topics))
    }

    fn beat(&mut self) -> Going {
        let heartbeat = self.heartbeat();
        let answer = self.client.ask_once(&coordinator(), HEARTBEAT_VERSION, &heartbeat);
        let answer = answer.map_err(|_| Over)?;
        if is_retriable(answer.error_code) {
            self.client.forget(&coordinator());
            sleep(Duration::from_millis(20));
            return Ok(());
        }
        if answer.error_code != 0 {
            eprintln!("member {}: heartbeat: {}", self.number, answer.error_code);
            return Err(Over);
        }
        (self.epoch, self.beaten) = (answer.member_epoch, Instant::now());
        if let Some(assignment) = answer.assignment {
            self.assigned.clear();
            for topic in assignment.topic_partitions {
                self.topic = topic.topic_id;
                self.assigned.extend(topic.partitions);
            }
        }
        Ok(())
    }

    fn session(&mut self, leader: &str) -> &mut Session {
        self.sessions.entry(leader.to_owned()).or_insert_with_key(|leader| Session {
            connection: Connection::new(leader),
            epoch: 0,
            fetched: BTreeSet::new(),
        })
    }

    /// The leader that it has fetched a partition from, or will.
    fn leader(&mut self, partition: i32) -> Option<String> {
        let mut sessions = self.sessions.iter();
        let has = sessions.find(|(_, session)| session.fetched.contains(&partition));
        if let Some((leader, _)) = has {
            return Some(leader.clone());
        }
        let (topic, index) = place(partition);
        self.client.address(&Node::leader(topic, index)).ok()
    }

    /// Those that there is something to ask.
    fn leaders(&mut self) -> Vec<String> {
        let open = self.sessions.iter().filter(|(_, session)| !session.fetched.is_empty());
        let mut leaders: BTreeSet<String> = open.map(|(leader, _)| leader.clone()).collect();
        for partition in self.assigned.clone() {
            leaders.extend(self.leader(partition));
        }
        leaders.into_iter().collect()
    }

    fn by_leader(&mut self, said: Verdicts) -> BTreeMap<String, Verdicts> {
        let mut leaders: BTreeMap<String, Verdicts> = BTreeMap::new();
        for (place, verdict) in said {
            if let Some(leader) = self.leader(place.0) {
                leaders.entry(leader).or_default().insert(place, verdict);
            }
        }
        leaders
    }

    /// Asks a leader for more, and says at the same time what is to be said.
    fn fetch(&mut self, leader: &str) -> Going {
        let pending = std::mem::take(&mut self.pending);
        let mut pending = self.by_leader(pending);
        let said = pending.remove(leader).unwrap_or_default();
        self.pending = pending.into_values().flatten().collect();
        let mut assigned = self.assigned.clone();
        assigned.retain(|partition| self.leader(*partition).as_deref() == Some(leader));
        let session = self.session(leader);
        let (epoch, fetched) = (session.epoch, session.fetched.clone());
        let request = self.fetch_request(epoch, &said, &assigned, &fetched);
        let begun = self.now();
        let version = self.version;
        let Ok(answer) = self.session(leader).connection.ask_once(version, &request) else {
            self.note_said(begun, &said, |_| Answer::Unknown);
            self.note(begun, Deed::Miss);
            return Err(Over);
        };
        if answer.error_code != 0 {
            eprintln!("member {}: fetch: {}", self.number, answer.error_code);
            self.note_said(begun, &said, |_| Answer::Unknown);
            self.note(begun, Deed::Miss);
            return Err(Over);
        }
        let session = self.session(leader);
        session.epoch += 1;
        session.fetched = assigned;
        let answered: Vec<PartitionData> =
            answer.responses.into_iter().flat_map(|topic| topic.partitions).collect();
        self.note_said(begun, &said, |partition| {
            let of = answered.iter().find(|answer| answer.partition_index == partition);
            // An acknowledgement that went well need not be answered.
            meaning(of.map_or(0, |answer| answer.acknowledge_error_code))
        });
        let mut taken = Vec::new();
        for partition in &answered {
            self.take(partition, &mut taken);
        }
        if let Some(last) = taken.last() {
            let place = (last.record.partition, last.record.offset);
            *self.group.taken.lock().expect("no member has panicked") = Some(place);
            self.note(begun, Deed::Take(taken));
        }
        let moved = Code::NotLeaderOrFollower.code();
        if answered.iter().any(|partition| partition.error_code == moved) {
            return Err(Over);
        }
        Ok(())
    }

    /// Brings the session from the partitions that it has to those that are assigned.
    fn fetch_request(
        &mut self,
        epoch: i32,
        said: &Verdicts,
        assigned: &BTreeSet<i32>,
        fetched: &BTreeSet<i32>,
    ) -> ShareFetchRequest {
        let mut batches = batches(said, &mut self.random);
        let added: Vec<i32> = assigned.difference(fetched).copied().collect();
        let gone: Vec<i32> = fetched.difference(assigned).copied().collect();
        for partition in added {
            batches.entry(partition).or_default();
        }
        let partitions = batches.into_iter().map(|(partition, batches)| {
            let batches = batches.into_iter().map(|(first, last, types)| {
                share_fetch_request::AcknowledgementBatch::default()
                    .with_first_offset(first)
                    .with_last_offset(last)
                    .with_acknowledge_types(types)
            });
            FetchPartition::default()
                .with_partition_index(partition)
                .with_acknowledgement_batches(batches.collect())
        });
        let partitions: Vec<FetchPartition> = partitions.collect();
        let topic = FetchTopic::default().with_topic_id(self.topic).with_partitions(partitions);
        let topics = if topic.partitions.is_empty() { Vec::new() } else { vec![topic] };
        let forgotten = ForgottenTopic::default().with_topic_id(self.topic);
        let forgotten = (!gone.is_empty()).then(|| forgotten.with_partitions(gone));
        let most = self.random.i32(1..60);
        let mut request = ShareFetchRequest::default()
            .with_group_id(Some(group_id()))
            .with_member_id(Some(self.id()))
            .with_share_session_epoch(epoch)
            .with_max_wait_ms(MAX_WAIT_MS)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20)
            .with_max_records(most)
            .with_batch_size(most)
            .with_topics(topics)
            .with_forgotten_topics_data(forgotten.into_iter().collect());
        if self.version >= 2 {
            request.share_acquire_mode = self.random.i8(0..2);
        }
        request
    }

    /// What a partition has brought.
    fn take(&mut self, answered: &PartitionData, taken: &mut Vec<Delivered>) {
        let partition = answered.partition_index;
        let mut records = answered.records.clone();
        let values = values(&mut records);
        for acquired in &answered.acquired_records {
            for offset in acquired.first_offset..=acquired.last_offset {
                self.held.insert((partition, offset));
                let Some(&value) = values.get(&offset) else {
                    self.gaps.insert((partition, offset));
                    continue;
                };
                let record = Record { partition, offset, value };
                taken.push(Delivered { record, count: acquired.delivery_count });
            }
        }
    }

    /// Says something of what it has, now, with the next fetch, too late or never.
    fn decide(&mut self) -> Going {
        let mut held: Vec<Place> = std::mem::take(&mut self.held).into_iter().collect();
        while !held.is_empty() {
            let part = held.split_off(held.len() - self.random.usize(1..=held.len()));
            let mut said = Verdicts::new();
            for &place in &part {
                if self.gaps.contains(&place) {
                    said.insert(place, None);
                } else if let Some(verdict) = self.verdict(place) {
                    said.insert(place, Some(verdict));
                }
            }
            match self.random.u8(0..100) {
                _ if self.is_draining() => self.acknowledge(said)?,
                0..3 => {
                    sleep(TOO_LONG);
                    self.acknowledge(said)?;
                }
                3..10 if self.version >= 2 => {
                    let renewed = part.iter().map(|place| (*place, Some(Verdict::Renew)));
                    self.acknowledge(renewed.collect())?;
                    sleep(Duration::from_millis(self.random.u64(0..1500)));
                    self.acknowledge(said)?;
                }
                10..55 => self.pending.extend(said),
                _ => self.acknowledge(said)?,
            }
        }
        self.meddle()
    }

    /// At times says something of a record that it has given back, or that another member has.
    fn meddle(&mut self) -> Going {
        let taken = *self.group.taken.lock().expect("no member has panicked");
        match taken {
            Some(taken) if self.random.u8(..) < 20 && !self.pending.contains_key(&taken) => {
                let verdict = if self.random.bool() { Verdict::Accept } else { Verdict::Reject };
                self.acknowledge([(taken, Some(verdict))].into())
            }
            _ => Ok(()),
        }
    }

    /// What it says of a record; None for nothing, so that the lock ends.
    fn verdict(&mut self, (_, offset): Place) -> Option<Verdict> {
        match self.random.u8(0..100) {
            _ if self.is_draining() => Some(Verdict::Accept),
            0..90 if offset % POISON == 0 => Some(Verdict::Release),
            _ if offset % POISON == 0 => None,
            0..80 => Some(Verdict::Accept),
            80..92 => Some(Verdict::Release),
            92..97 => Some(Verdict::Reject),
            _ => None,
        }
    }

    fn acknowledge(&mut self, said: Verdicts) -> Going {
        for (leader, said) in self.by_leader(said) {
            let epoch = self.session(&leader).epoch;
            if epoch != 0 {
                self.acknowledge_to(&leader, said, epoch)?;
            }
        }
        Ok(())
    }

    fn acknowledge_to(&mut self, leader: &str, said: Verdicts, epoch: i32) -> Going {
        let partitions =
            batches(&said, &mut self.random).into_iter().map(|(partition, batches)| {
                let batches = batches.into_iter().map(|(first, last, types)| {
                    AcknowledgementBatch::default()
                        .with_first_offset(first)
                        .with_last_offset(last)
                        .with_acknowledge_types(types)
                });
                AcknowledgePartition::default()
                    .with_partition_index(partition)
                    .with_acknowledgement_batches(batches.collect())
            });
        let topic = AcknowledgeTopic::default()
            .with_topic_id(self.topic)
            .with_partitions(partitions.collect());
        let topics = if topic.partitions.is_empty() { Vec::new() } else { vec![topic] };
        let renews = said.values().any(|verdict| *verdict == Some(Verdict::Renew));
        let request = ShareAcknowledgeRequest::default()
            .with_group_id(Some(group_id()))
            .with_member_id(Some(self.id()))
            .with_share_session_epoch(epoch)
            .with_is_renew_ack(renews)
            .with_topics(topics);
        let begun = self.now();
        let version = self.version;
        let answer = self.session(leader).connection.ask_once(version, &request);
        let Some(answer) = answer.ok().filter(|answer| answer.error_code == 0) else {
            self.note_said(begun, &said, |_| Answer::Unknown);
            return Err(Over);
        };
        self.session(leader).epoch += 1;
        self.note_said(begun, &said, |partition| {
            let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
            let of = partitions.find(|answer| answer.partition_index == partition);
            of.map_or(Answer::Unknown, |answer| meaning(answer.error_code))
        });
        Ok(())
    }

    fn note_said(&self, begun: u64, said: &Verdicts, answer: impl Fn(i32) -> Answer) {
        let records = said.iter().filter(|said| !self.gaps.contains(said.0));
        let given = records.filter_map(|(&place, verdict)| {
            verdict.map(|verdict| Given { place, verdict, answer: answer(place.0) })
        });
        let given: Vec<Given> = given.collect();
        if !given.is_empty() {
            self.note(begun, Deed::Give(given));
        }
    }
}

fn coordinator() -> Node {
    Node::Group(GROUP.to_owned())
}

fn group_id() -> GroupId {
    StrBytes::from_static_str(GROUP).into()
}

/// What an error code says about acknowledgements.
fn meaning(code: i16) -> Answer {
    const REFUSALS: [Code; 2] = [Code::InvalidRecordState, Code::InvalidRequest];
    match code {
        0 => Answer::Confirmed,
        code if REFUSALS.iter().any(|refusal| refusal.code() == code) => Answer::Refused,
        _ => Answer::Unknown,
    }
}

/// The values of records by their offsets.
fn values(records: &mut Bytes) -> BTreeMap<i64, u64> {
    let sets = RecordBatchDecoder::decode_all(records).expect("whole batches");
    let records = sets.into_iter().flat_map(|set| set.records);
    let records = records.filter(|record| !record.control);
    let value = |value: Option<Bytes>| std::str::from_utf8(&value?).ok()?.parse().ok();
    records.map(|record| (record.offset, value(record.value).unwrap_or(NO_VALUE))).collect()
}

fn id(verdict: Option<Verdict>) -> i8 {
    match verdict {
        None => GAP,
        Some(Verdict::Accept) => 1,
        Some(Verdict::Release) => 2,
        Some(Verdict::Reject) => 3,
        Some(Verdict::Renew) => 4,
    }
}

type Batches = BTreeMap<i32, Vec<(i64, i64, Vec<i8>)>>;

/// Neighbours together, either with a type for each or with one for all of the same.
fn batches(said: &Verdicts, random: &mut fastrand::Rng) -> Batches {
    let each = random.bool();
    let mut batches = Batches::new();
    for (&(partition, offset), verdict) in said {
        let of = batches.entry(partition).or_default();
        let kind = id(*verdict);
        match of.last_mut() {
            Some((_, last, types)) if *last + 1 == offset && each => {
                *last = offset;
                types.push(kind);
            }
            Some((_, last, types)) if *last + 1 == offset && types[0] == kind => *last = offset,
            _ => of.push((offset, offset, vec![kind])),
        }
    }
    batches
}
