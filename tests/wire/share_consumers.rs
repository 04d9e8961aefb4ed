//! Share groups by hand: what members get, what they may say about it, and what they are told.

use super::share_state::to_initialize;
use super::{Peer, call, create, name, text, to_produce, wait_for};
use crate::support::Broker;
use bytes::Bytes;
use klamm::codec::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use klamm::codec::messages::share_fetch_request::{
    AcknowledgementBatch, FetchPartition, FetchTopic,
};
use klamm::codec::messages::share_fetch_response::PartitionData;
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use klamm::codec::messages::*;
use klamm::codec::messages::{
    delete_topics_request::DeleteTopicState, read_share_group_state_request as read,
    share_acknowledge_request as acknowledge,
};
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::time::{Duration, Instant};
use uuid::Uuid;

const UNKNOWN_SERVER_ERROR: i16 = -1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const UNKNOWN_TOPIC_ID: i16 = 100;
const INVALID_RECORD_STATE: i16 = 121;
const SHARE_SESSION_NOT_FOUND: i16 = 122;
const INVALID_SHARE_SESSION_EPOCH: i16 = 123;
const SHARE_SESSION_LIMIT_REACHED: i16 = 133;

/// First and last offset, and the types of their acknowledgement.
type Said<'a> = (i64, i64, &'a [i8]);

/// Sets the level of `share.version`.
fn set_level(peer: &Peer, level: i16) {
    let update = FeatureUpdateKey::default()
        .with_feature(text("share.version"))
        .with_max_version_level(level)
        .with_upgrade_type(if level == 0 { 2 } else { 1 });
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(9000);
    let answer = call(peer, 1, &request);
    assert_eq!(answer.error_code, 0, "{answer:?}");
}

/// A topic of three partitions, from which the group "g" takes.
pub struct Queue {
    pub peer: Peer,
    pub topic_id: Uuid,
}

impl Queue {
    pub fn new(broker: &Broker) -> Queue {
        let peer = Peer::connect(broker.port);
        let topic_id = create(&peer, "t", 3, &[]);
        let queue = Queue { peer, topic_id };
        for partition in 0..3 {
            queue.initialize(partition, 0, 0);
        }
        queue
    }

    fn initialize(&self, partition: i32, epoch: i32, start: i64) {
        wait_for("the coordinator", || {
            let request = to_initialize(self.topic_id, partition, epoch, start);
            let find = FindCoordinatorRequest::default().with_key_type(2);
            let key = format!("g:{}:0", klamm::types::uuid_to_text(self.topic_id));
            call(&self.peer, 6, &find.with_coordinator_keys(vec![text(&key)]));
            call(&self.peer, 0, &request).results[0].partitions[0].error_code == 0
        });
    }

    /// Appends one batch to a partition.
    pub fn produce(&self, partition: i32, values: &[&str]) {
        let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
        for value in values {
            batch.append(0, None, Some(value.as_bytes()), &[]);
        }
        self.append(partition, batch.build().to_bytes());
    }

    fn append(&self, partition: i32, records: Bytes) {
        let request =
            to_produce("t", partition, records).with_transactional_id(Some(text("x").into()));
        let answer = call(&self.peer, 9, &request);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }

    /// What the coordinator has: the start offset, and first and last offset, state and count.
    pub fn state(&self, partition: i32) -> (i64, Vec<(i64, i64, i8, i16)>) {
        let asked = read::PartitionData::default().with_partition(partition);
        let topic = read::ReadStateData::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![asked]);
        let request =
            ReadShareGroupStateRequest::default().with_group_id(text("g")).with_topics(vec![topic]);
        let told = call(&self.peer, 0, &request).results.remove(0).partitions.remove(0);
        assert_eq!(told.error_code, 0);
        let batches = told.state_batches.iter();
        let batches = batches
            .map(|it| (it.first_offset, it.last_offset, it.delivery_state, it.delivery_count));
        // The start offset passes what is finished with the next write.
        let (mut start, mut batches) = (told.start_offset, batches.collect::<Vec<_>>());
        while let Some((first, last, 2 | 4, _)) = batches.first().copied()
            && first == start
        {
            start = last + 1;
            batches.remove(0);
        }
        (start, batches)
    }

    pub fn member(&self, broker: &Broker, id: &str) -> Member {
        Member {
            peer: Peer::connect(broker.port),
            topic_id: self.topic_id,
            request: ShareFetchRequest::default()
                .with_group_id(Some(text("g").into()))
                .with_member_id(Some(text(id)))
                .with_max_wait_ms(0)
                .with_min_bytes(1)
                .with_max_bytes(1 << 20)
                .with_max_records(500)
                .with_batch_size(500),
        }
    }
}

/// A member of "g" with a connection of its own.
pub struct Member {
    peer: Peer,
    topic_id: Uuid,
    /// Its next fetch; `send` moves the epoch on.
    pub request: ShareFetchRequest,
}

impl Member {
    pub fn send(&mut self) -> ShareFetchResponse {
        let answer = call(&self.peer, 2, &self.request);
        self.request.share_session_epoch += 1;
        self.request.topics.clear();
        answer
    }

    /// Begins a session with these partitions.
    pub fn begin(&mut self, partitions: &[i32]) -> ShareFetchResponse {
        self.request.share_session_epoch = 0;
        for partition in partitions {
            self.say(*partition, &[]);
        }
        self.send()
    }

    /// Adds what the next fetch says about a partition.
    fn say(&mut self, partition: i32, said: &[Said]) -> &mut Member {
        let batches = said.iter().map(|(first, last, types)| {
            AcknowledgementBatch::default()
                .with_first_offset(*first)
                .with_last_offset(*last)
                .with_acknowledge_types(types.to_vec())
        });
        let partition = FetchPartition::default()
            .with_partition_index(partition)
            .with_acknowledgement_batches(batches.collect());
        let topic = FetchTopic::default().with_topic_id(self.topic_id);
        self.request.topics.push(topic.with_partitions(vec![partition]));
        self
    }

    pub fn acknowledge(&mut self, epoch: i32, said: &[Said]) -> (i16, i16) {
        self.acknowledge_in(0, epoch, false, said)
    }

    /// The error codes of the response and of the partition; -1 if it has no partition.
    fn acknowledge_in(
        &mut self,
        partition: i32,
        epoch: i32,
        renews: bool,
        said: &[Said],
    ) -> (i16, i16) {
        let batches = said.iter().map(|(first, last, types)| {
            acknowledge::AcknowledgementBatch::default()
                .with_first_offset(*first)
                .with_last_offset(*last)
                .with_acknowledge_types(types.to_vec())
        });
        let partition = acknowledge::AcknowledgePartition::default()
            .with_partition_index(partition)
            .with_acknowledgement_batches(batches.collect());
        let topic = acknowledge::AcknowledgeTopic::default()
            .with_topic_id(self.topic_id)
            .with_partitions(vec![partition]);
        let request = ShareAcknowledgeRequest::default()
            .with_group_id(self.request.group_id.clone())
            .with_member_id(self.request.member_id.clone())
            .with_share_session_epoch(epoch)
            .with_is_renew_ack(renews)
            .with_topics(vec![topic]);
        let answer = call(&self.peer, 2, &request);
        if answer.error_code == 0 && epoch > 0 {
            self.request.share_session_epoch = epoch + 1;
        }
        let partition = answer.responses.first().map_or(-1, |topic| topic.partitions[0].error_code);
        (answer.error_code, partition)
    }
}

/// First and last offset and delivery count of what was acquired.
fn acquired(data: &PartitionData) -> Vec<(i64, i64, i16)> {
    let ranges = data.acquired_records.iter();
    ranges.map(|range| (range.first_offset, range.last_offset, range.delivery_count)).collect()
}

/// The acquired records of a response with one partition.
pub fn only(answer: &ShareFetchResponse) -> Vec<(i64, i64, i16)> {
    assert_eq!(answer.error_code, 0, "{answer:?}");
    match &answer.responses[..] {
        [] => Vec::new(),
        [topic] if topic.partitions.len() == 1 => acquired(&topic.partitions[0]),
        _ => panic!("{answer:?}"),
    }
}

#[test]
fn a_record_goes_to_one_member_until_it_is_acknowledged() {
    let broker = Broker::start();
    let queue = Queue::new(&broker);
    queue.produce(0, &["a", "b", "c"]);
    queue.produce(0, &["d"]);
    let (mut one, mut other) = (queue.member(&broker, "one"), queue.member(&broker, "other"));

    let answer = one.begin(&[0]);
    assert_eq!(answer.acquisition_lock_timeout_ms, 30_000);
    let data = &answer.responses[0].partitions[0];
    assert_eq!(acquired(data), [(0, 3, 1)]);
    let records = String::from_utf8_lossy(&data.records);
    assert!(["a", "b", "c", "d"].iter().all(|value| records.contains(value)));
    assert_eq!(only(&other.begin(&[0])), []);

    // Accepted, released, rejected, and one that stays.
    let answer = one.say(0, &[(0, 2, &[1, 2, 3])]).send();
    let data = &answer.responses[0].partitions[0];
    assert_eq!((data.error_code, data.acknowledge_error_code), (0, 0));
    assert_eq!(acquired(data), [], "what it releases is available only when that is written");
    assert_eq!(queue.state(0), (1, vec![(1, 1, 0, 1), (2, 2, 4, 1)]));
    assert_eq!(only(&one.send()), [(1, 1, 2)]);
    assert_eq!(one.acknowledge(3, &[(1, 1, &[1]), (3, 3, &[1])]), (0, 0));
    assert_eq!(queue.state(0), (4, vec![]));

    queue.produce(0, &["e"]);
    assert_eq!(only(&other.send()), [(4, 4, 1)]);
    let end = one.acknowledge(-1, &[]);
    assert_eq!(end, (0, 0));
    assert_eq!(one.acknowledge(4, &[]).0, SHARE_SESSION_NOT_FOUND);
}

#[test]
fn what_is_said_wrongly_changes_nothing() {
    let broker = Broker::start();
    let queue = Queue::new(&broker);
    queue.produce(0, &["a", "b", "c"]);
    let (mut one, mut other) = (queue.member(&broker, "one"), queue.member(&broker, "other"));
    other.request.max_records = 1;
    other.request.share_acquire_mode = 1;
    assert_eq!(only(&other.begin(&[0])), [(0, 0, 1)]);
    one.request.max_records = 2;
    one.request.share_acquire_mode = 1;
    assert_eq!(only(&one.begin(&[0])), [(1, 2, 1)]);
    let before = queue.state(0);

    let far = 1_000_000_000;
    for (said, error) in [
        (&[(2, 1, &[1][..])][..], INVALID_REQUEST),
        (&[(2, 2, &[1]), (1, 1, &[1])], INVALID_REQUEST),
        (&[(1, 2, &[])], INVALID_REQUEST),
        (&[(1, 2, &[1, 1, 1])], INVALID_REQUEST),
        (&[(1, 2, &[5])], INVALID_REQUEST),
        (&[(1, 2, &[-1])], INVALID_REQUEST),
        (&[(1, 2, &[4])], INVALID_REQUEST),
        (&[(1, far, &[1])], INVALID_REQUEST),
        (&[(i64::MIN, i64::MAX, &[1])], INVALID_REQUEST),
        (&[(3, 3, &[1])], INVALID_REQUEST),
        (&[(0, 0, &[1])], INVALID_RECORD_STATE),
        (&[(0, 2, &[1])], INVALID_RECORD_STATE),
        (&[(1, 1, &[1]), (1, 2, &[1])], INVALID_RECORD_STATE),
    ] {
        let epoch = one.request.share_session_epoch;
        assert_eq!(one.acknowledge(epoch, said), (0, error), "{said:?}");
        let data = one.say(0, said).send().responses.remove(0).partitions.remove(0);
        assert_eq!((data.acknowledge_error_code, data.error_code), (error, 0), "{said:?}");
        assert_eq!((acquired(&data), queue.state(0)), (vec![], before.clone()), "{said:?}");
    }
    let epoch = one.request.share_session_epoch;
    let said = &[(1, 1, &[1][..])];
    assert_eq!(one.acknowledge(0, said), (INVALID_SHARE_SESSION_EPOCH, -1));
    assert_eq!(one.acknowledge(epoch + 1, said), (INVALID_SHARE_SESSION_EPOCH, -1));
    assert_eq!(one.acknowledge(epoch - 1, said), (INVALID_SHARE_SESSION_EPOCH, -1));
    assert_eq!(one.acknowledge_in(1, epoch, false, said), (0, UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(one.acknowledge_in(3, epoch + 1, false, said), (0, UNKNOWN_TOPIC_OR_PARTITION));
    one.topic_id = Uuid::from_u128(1);
    assert_eq!(one.acknowledge(epoch + 2, said), (0, UNKNOWN_TOPIC_ID));
    one.topic_id = queue.topic_id;
    let mut nobody = queue.member(&broker, "nobody");
    assert_eq!(nobody.acknowledge(1, said), (SHARE_SESSION_NOT_FOUND, -1));
    assert_eq!(nobody.acknowledge(-1, said), (SHARE_SESSION_NOT_FOUND, -1));
    assert_eq!(queue.state(0), before);
    assert_eq!(one.acknowledge(epoch + 3, said), (0, 0));
}

#[test]
fn a_fetch_that_cannot_be_meant_so_is_refused() {
    let broker = Broker::start();
    let peer = Peer::connect(broker.port);
    let queue = Queue { topic_id: create(&peer, "t", 2, &[]), peer };
    let mut member = queue.member(&broker, "m");
    set_level(&queue.peer, 0);
    wait_for("no share groups", || member.begin(&[0]).error_code == UNSUPPORTED_VERSION);
    assert_eq!(member.acknowledge(1, &[]).0, UNSUPPORTED_VERSION);
    set_level(&queue.peer, 1);
    wait_for("share groups", || member.begin(&[0]).error_code == 0);

    let wrong = |change: &dyn Fn(&mut Member)| {
        let mut member = queue.member(&broker, "wrong");
        change(&mut member);
        member.send().error_code
    };
    assert_eq!(wrong(&|m| m.request.member_id = None), INVALID_REQUEST);
    assert_eq!(wrong(&|m| m.request.member_id = Some(text(""))), INVALID_REQUEST);
    assert_eq!(wrong(&|m| m.request.member_id = Some(text(&"m".repeat(37)))), INVALID_REQUEST);
    assert_eq!(wrong(&|m| m.request.group_id = None), INVALID_REQUEST);
    assert_eq!(wrong(&|m| m.request.is_renew_ack = true), INVALID_REQUEST);
    let says = |m: &mut Member| {
        m.say(0, &[(0, 0, &[1])]);
    };
    assert_eq!(wrong(&says), INVALID_REQUEST);
    assert_eq!(wrong(&|m| m.request.share_session_epoch = 1), SHARE_SESSION_NOT_FOUND);
    assert_eq!(wrong(&|m| m.request.share_session_epoch = -1), SHARE_SESSION_NOT_FOUND);

    // Partitions that do not exist, or whose group was not initialized.
    member.topic_id = Uuid::from_u128(1);
    let answer = member.begin(&[0]);
    assert_eq!(answer.responses[0].partitions[0].error_code, UNKNOWN_TOPIC_ID);
    member.topic_id = queue.topic_id;
    let answer = member.begin(&[2]);
    assert_eq!(answer.responses[0].partitions[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
    queue.initialize(1, 0, 0);
    wait_for("the coordinator knows nothing of it", || {
        let answer = member.begin(&[0]);
        answer.responses[0].partitions[0].error_code == UNKNOWN_SERVER_ERROR
    });
    member.request.share_session_epoch = 7;
    assert_eq!(member.send().error_code, INVALID_SHARE_SESSION_EPOCH);
}

/// How long the answer to the member's next fetch takes, and what it gets.
fn timed(member: &mut Member) -> (Duration, Vec<(i64, i64, i16)>) {
    let begun = Instant::now();
    let answer = member.send();
    (begun.elapsed(), only(&answer))
}

const LONG: Duration = Duration::from_secs(8);

#[test]
fn a_fetch_waits_for_what_it_can_acquire() {
    let broker = Broker::start_with(&[
        ("group.share.min.record.lock.duration.ms", "1000"),
        ("group.share.record.lock.duration.ms", "1000"),
        ("group.share.delivery.count.limit", "3"),
    ]);
    let queue = Queue::new(&broker);
    let (mut one, mut other) = (queue.member(&broker, "one"), queue.member(&broker, "other"));
    assert_eq!(only(&one.begin(&[0])), []);
    assert_eq!(other.begin(&[0, 1]).error_code, 0);
    other.request.max_wait_ms = 10_000;
    let soon = |work: &mut dyn FnMut()| {
        std::thread::sleep(Duration::from_millis(200));
        work();
    };

    // An append.
    let (took, got) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(&mut other));
        soon(&mut || queue.produce(0, &["a"]));
        waiting.join().unwrap()
    });
    assert!(took > Duration::from_millis(150) && took < LONG, "{took:?}");
    assert_eq!(got, [(0, 0, 1)]);
    // The end of its own lock.
    let (took, got) = timed(&mut other);
    assert!(took > Duration::from_millis(500) && took < LONG, "{took:?}");
    assert_eq!(got, [(0, 0, 2)]);
    assert_eq!(other.acknowledge(3, &[(0, 0, &[1])]), (0, 0));

    // What another one gives back, by a word or by leaving.
    queue.produce(0, &["b"]);
    assert_eq!(only(&one.send()), [(1, 1, 1)]);
    let (_, got) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(&mut other));
        soon(&mut || assert_eq!(one.acknowledge(2, &[(1, 1, &[2])]), (0, 0)));
        waiting.join().unwrap()
    });
    assert_eq!(got, [(1, 1, 2)]);
    assert_eq!(other.acknowledge(5, &[(1, 1, &[1])]), (0, 0));
    queue.produce(0, &["c"]);
    assert_eq!(only(&one.send()), [(2, 2, 1)]);
    let (took, got) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(&mut other));
        soon(&mut || one.peer = Peer::connect(broker.port));
        waiting.join().unwrap()
    });
    assert!(took < Duration::from_millis(900), "its lock would have lasted longer: {took:?}");
    assert_eq!(got, [(2, 2, 2)]);

    // Nothing: the time passes.
    other.request.max_wait_ms = 300;
    assert_eq!(other.acknowledge(7, &[(2, 2, &[1])]), (0, 0));
    let (took, got) = timed(&mut other);
    assert!(took >= Duration::from_millis(300) && took < LONG, "{took:?}");
    assert_eq!(got, []);
    assert_eq!(queue.state(0), (3, vec![]));
}

#[test]
fn a_lock_is_renewed_by_a_request_that_fetches_nothing() {
    let broker = Broker::start_with(&[
        ("group.share.min.record.lock.duration.ms", "1000"),
        ("group.share.record.lock.duration.ms", "1000"),
    ]);
    let queue = Queue::new(&broker);
    queue.produce(0, &["a", "b"]);
    let (mut one, mut other) = (queue.member(&broker, "one"), queue.member(&broker, "other"));
    assert_eq!(only(&one.begin(&[0])), [(0, 1, 1)]);
    assert_eq!(only(&other.begin(&[0])), []);
    let limits = |request: &mut ShareFetchRequest, to: i32| {
        (request.max_bytes, request.min_bytes) = (to, to);
        request.max_records = to;
    };
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(400));
        limits(&mut one.request, 0);
        one.request.is_renew_ack = true;
        let data = one.say(0, &[(0, 0, &[4])]).send().responses.remove(0).partitions.remove(0);
        assert_eq!((data.acknowledge_error_code, acquired(&data)), (0, vec![]));
    }
    // The one that was not renewed has been given back.
    assert_eq!(only(&other.send()), [(1, 1, 2)]);
    one.request.is_renew_ack = false;
    limits(&mut one.request, 1000);
    assert_eq!(one.acknowledge(6, &[(0, 0, &[1])]), (0, 0));
}

#[test]
fn a_member_that_leaves_gives_back_what_it_has() {
    let broker = Broker::start_with(&[
        ("group.share.max.size", "2"),
        ("group.share.max.share.sessions", "2"),
    ]);
    let queue = Queue::new(&broker);
    queue.produce(0, &["a", "b"]);
    let (mut one, mut other) = (queue.member(&broker, "one"), queue.member(&broker, "other"));
    assert_eq!(only(&one.begin(&[0])), [(0, 1, 1)]);
    assert_eq!(only(&other.begin(&[0])), []);
    let mut third = queue.member(&broker, "third");
    third.request.max_wait_ms = 300;
    let begun = Instant::now();
    assert_eq!(third.begin(&[0]).error_code, SHARE_SESSION_LIMIT_REACHED);
    assert!(begun.elapsed() >= Duration::from_millis(300));

    one.request.share_session_epoch = -1;
    let data = one.say(0, &[(0, 0, &[1])]).send().responses.remove(0).partitions.remove(0);
    assert_eq!((data.acknowledge_error_code, acquired(&data)), (0, vec![]));
    assert_eq!(queue.state(0), (1, vec![(1, 1, 0, 1)]));
    assert_eq!(only(&other.send()), [(1, 1, 2)]);
    // The last one leaves without a word; what it had is there for the next one.
    drop(other);
    wait_for("it was given back", || queue.state(0).1 == [(1, 1, 0, 2)]);
    assert_eq!(only(&third.begin(&[0])), [(1, 1, 3)]);
}

#[test]
fn a_state_that_is_begun_again_fences_what_was_acquired() {
    let broker = Broker::start();
    let queue = Queue::new(&broker);
    queue.produce(0, &["a", "b"]);
    let mut one = queue.member(&broker, "one");
    assert_eq!(only(&one.begin(&[0])), [(0, 1, 1)]);
    queue.initialize(0, 1, 0);
    assert_eq!(one.acknowledge(1, &[(0, 0, &[1])]), (0, NOT_LEADER_OR_FOLLOWER));
    assert_eq!(queue.state(0), (0, vec![]));
    assert_eq!(only(&one.send()), [(0, 1, 1)]);
    assert_eq!(one.acknowledge(3, &[(0, 1, &[1])]), (0, 0));

    let topic = DeleteTopicState::default().with_name(Some(name("t")));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(9000);
    assert_eq!(call(&queue.peer, 6, &request).responses[0].error_code, 0);
    assert_eq!(one.acknowledge(4, &[(0, 1, &[1])]), (0, UNKNOWN_TOPIC_ID));
    let answer = one.send();
    assert_eq!(answer.responses[0].partitions[0].error_code, UNKNOWN_TOPIC_ID);
}

#[test]
fn what_was_acknowledged_stays_so_after_a_kill() {
    let mut broker = Broker::start();
    let mut queue = Queue::new(&broker);
    queue.produce(0, &["a", "b", "c", "d", "e", "f"]);
    let mut one = queue.member(&broker, "one");
    assert_eq!(only(&one.begin(&[0])), [(0, 5, 1)]);
    assert_eq!(one.acknowledge(1, &[(1, 2, &[1]), (3, 3, &[2]), (4, 4, &[3])]), (0, 0));
    broker.kill();
    broker.launch();
    queue.peer = Peer::connect(broker.port);
    let mut one = queue.member(&broker, "one");
    let mut got = only(&one.begin(&[0]));
    wait_for("everything else comes again", || {
        got.extend(only(&one.send()));
        got.len() >= 3
    });
    assert_eq!(got, [(0, 0, 1), (3, 3, 2), (5, 5, 1)]);
}

#[test]
fn what_was_aborted_is_not_for_read_committed() {
    let broker = Broker::start_with(&[("transaction.partition.verification.enable", "false")]);
    let queue = Queue::new(&broker);
    set_of_group(&queue.peer, "share.isolation.level", "read_committed");
    let transactional = |producer: i64, sequence: i32, value: &str| {
        let mut batch =
            BatchBuilder::new(0, Compression::Uncompressed).producer(producer, 0, sequence, true);
        batch.append(now_ms(), None, Some(value.as_bytes()), &[]);
        queue.append(0, batch.build().to_bytes());
    };
    transactional(1, 0, "a");
    transactional(2, 0, "b");
    transactional(1, 1, "c");
    queue.produce(0, &["d"]);
    let mut one = queue.member(&broker, "one");
    assert_eq!(only(&one.begin(&[0])), [], "the transactions are open");
    for (producer, is_committed) in [(1, false), (2, true)] {
        let topic =
            WritableTxnMarkerTopic::default().with_name(name("t")).with_partition_indexes(vec![0]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(producer.into())
            .with_transaction_result(is_committed)
            .with_topics(vec![topic]);
        let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
        let answer = call(&queue.peer, 1, &request);
        assert_eq!(answer.markers[0].topics[0].partitions[0].error_code, 0);
    }
    // The markers at 4 and 5 are nobody's records; the client says so.
    assert_eq!(only(&one.send()), [(1, 1, 1), (3, 5, 1)]);
    assert_eq!(one.acknowledge(2, &[(1, 1, &[1]), (3, 3, &[1]), (4, 5, &[0])]), (0, 0));
    transactional(1, 2, "e");
    let mut other = queue.member(&broker, "other");
    other.begin(&[0]);
    set_of_group(&queue.peer, "share.isolation.level", "read_uncommitted");
    wait_for("the group reads all", || only(&other.send()) == [(6, 6, 1)]);
}

/// Sets a setting of the group "g".
fn set_of_group(peer: &Peer, name: &str, value: &str) {
    let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(32)
        .with_resource_name(text("g"))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = call(peer, 0, &request);
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
}

#[test]
fn a_group_that_is_new_begins_where_its_setting_says() {
    let broker = Broker::start();
    let queue = Queue::new(&broker);
    for (partition, (reset, first)) in
        (0..).zip([("by_duration:PT1H", 2), ("earliest", 0), ("latest", 3)])
    {
        queue.produce(partition, &["old", "old"]);
        queue.append(partition, now("new"));
        set_of_group(&queue.peer, "share.auto.offset.reset", reset);
        queue.initialize(partition, 1, -1);
        let mut one = queue.member(&broker, "one");
        let mut got = acquired(&one.begin(&[partition]).responses[0].partitions[0]);
        queue.append(partition, now("newest"));
        wait_for("everything from there on", || {
            got.extend(only(&one.send()));
            got.last().is_some_and(|(_, last, _)| *last == 3)
        });
        assert_eq!(got[0].0, first, "{reset}");
    }
}

/// A batch with one record of this moment.
fn now(value: &str) -> Bytes {
    let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
    batch.append(now_ms(), None, Some(value.as_bytes()), &[]);
    batch.build().to_bytes()
}

fn now_ms() -> i64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    time.as_millis() as i64
}

#[test]
fn members_that_wait_are_served_in_turn() {
    let broker = Broker::start();
    let queue = Queue::new(&broker);
    let mut members: Vec<Member> = ["a", "b", "c", "d"].map(|id| queue.member(&broker, id)).into();
    for member in &mut members {
        assert_eq!(only(&member.begin(&[0])), []);
        member.request.max_wait_ms = 10_000;
        (member.request.max_records, member.request.share_acquire_mode) = (1, 1);
    }
    let mut got = std::thread::scope(|scope| {
        let waiting: Vec<_> = members
            .iter_mut()
            .map(|member| {
                let waiting = scope.spawn(|| timed(member));
                std::thread::sleep(Duration::from_millis(100));
                waiting
            })
            .collect();
        // One batch for three of them, and one for the last.
        queue.produce(0, &["0", "1", "2"]);
        queue.produce(0, &["3"]);
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(got.iter().all(|(took, _)| *took < LONG));
    let first = got.remove(0).1;
    assert_eq!(first, [(0, 0, 1)], "who has waited longest is first");
    let mut others: Vec<_> = got.into_iter().flat_map(|(_, got)| got).collect();
    others.sort_unstable();
    assert_eq!(others, [(1, 1, 1), (2, 2, 1), (3, 3, 1)]);
}
