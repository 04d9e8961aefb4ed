//! What share groups give up arrives at their dead letters, whatever is killed on the way.

use super::share_consumers::{Queue, only};
use super::{Peer, call, create, set, set_of, text, to_fetch, wait_for};
use crate::support::Broker;
use klamm::codec::messages::update_features_request::FeatureUpdateKey;
use klamm::codec::messages::write_share_group_state_request as write;
use klamm::codec::messages::{UpdateFeaturesRequest, WriteShareGroupStateRequest};
use klamm::record::{Batch, Record};

const GROUP: i8 = 32;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const ARCHIVING: i8 = 3;
/// The group's dead letters.
const LETTERS: &str = "dlq.g";
const TOPIC: &str = "errors.deadletterqueue.topic.name";
const COPY: &str = "errors.deadletterqueue.copy.record.enable";
const ENABLE: &str = "errors.deadletterqueue.group.enable";
const CREATE: &str = "errors.deadletterqueue.auto.create.topics.enable";

/// The group "g" with dead letters.
fn with_letters(broker: &Broker) -> Queue {
    let queue = Queue::new(broker);
    let update =
        FeatureUpdateKey::default().with_feature(text("share.version")).with_max_version_level(2);
    let request =
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(9000);
    assert_eq!(call(&queue.peer, 1, &request).error_code, 0);
    set_of(&queue.peer, GROUP, "g", TOPIC, LETTERS);
    queue
}

/// All letters of partition 0; none if there is no topic yet.
fn letters(peer: &Peer) -> Vec<Record> {
    let mut found = Vec::new();
    loop {
        let answer = call(peer, 12, &to_fetch(LETTERS, 0, 0, found.len() as i64));
        let partition = &answer.responses[0].partitions[0];
        let mut bytes = partition.records.clone().unwrap_or_default();
        if bytes.is_empty() {
            return found;
        }
        while !bytes.is_empty() {
            found.extend(Batch::split_from(&mut bytes).unwrap().records(1 << 20).unwrap());
        }
    }
}

/// The offsets that the letters are about, in order.
fn offsets(peer: &Peer) -> Vec<i64> {
    let offset = |letter: &Record| header(letter, "__dlq.errors.offset").parse().unwrap();
    let mut offsets: Vec<i64> = letters(peer).iter().map(offset).collect();
    offsets.sort_unstable();
    offsets
}

fn header(letter: &Record, name: &str) -> String {
    let found = letter.headers.iter().find(|(key, _)| key == name).unwrap();
    String::from_utf8(found.1.as_deref().unwrap().to_vec()).unwrap()
}

#[test]
fn what_a_group_gives_up_becomes_a_dead_letter() {
    let broker = Broker::start_with(&[(CREATE, "true")]);
    let queue = with_letters(&broker);
    set_of(&queue.peer, GROUP, "g", COPY, "true");
    set_of(&queue.peer, GROUP, "g", "share.delivery.count.limit", "2");
    queue.produce(0, &["a", "b", "c", "d"]);
    let mut one = queue.member(&broker, "one");
    assert_eq!(only(&one.begin(&[0])), [(0, 3, 1)]);
    assert_eq!(
        one.acknowledge(1, &[(0, 0, &[ACCEPT]), (1, 1, &[REJECT]), (2, 3, &[RELEASE])]),
        (0, 0)
    );
    assert_eq!(only(&one.send()), [(2, 3, 2)]);
    assert_eq!(one.acknowledge(3, &[(2, 2, &[RELEASE]), (3, 3, &[ACCEPT])]), (0, 0));
    wait_for("two letters", || letters(&queue.peer).len() == 2);
    let told = |letter: &Record| {
        let value = String::from_utf8(letter.value.as_deref().unwrap().to_vec()).unwrap();
        let names = ["topic", "partition", "offset", "group", "delivery.count"];
        (value, names.map(|name| header(letter, &format!("__dlq.errors.{name}"))).join(" "))
    };
    let mut told: Vec<_> = letters(&queue.peer).iter().map(told).collect();
    // Letters that were given up one after the other may overtake each other, as in Kafka.
    told.sort_unstable();
    let expected = [("b", "t 0 1 g 1"), ("c", "t 0 2 g 2")];
    assert_eq!(told, expected.map(|(value, place)| (value.to_owned(), place.to_owned())));
    wait_for("nothing is on its way", || {
        queue.state(0).1.iter().all(|(_, _, state, _)| *state != ARCHIVING)
    });
    assert_eq!(only(&one.send()), []);
}

#[test]
fn letters_whose_topic_may_not_have_them_are_dropped() {
    let broker = Broker::start();
    let queue = with_letters(&broker);
    queue.produce(0, &["a", "b", "c", "d"]);
    let mut one = queue.member(&broker, "one");
    assert_eq!(only(&one.begin(&[0])), [(0, 3, 1)]);
    let is_done = |start| {
        let (from, batches) = queue.state(0);
        from >= start
            || batches.iter().any(|(first, last, state, _)| {
                (*first..=*last).contains(&(start - 1)) && *state == 4
            })
    };
    let mut reject = |offset, why: &str| {
        assert_eq!(one.acknowledge(offset as i32 + 1, &[(offset, offset, &[REJECT])]), (0, 0));
        wait_for("it is done with", || is_done(offset + 1));
        wait_for(why, || broker.log().contains(why));
    };
    reject(0, "there is no topic dlq.g");
    create(&queue.peer, LETTERS, 1, &[]);
    reject(1, "the topic dlq.g does not set");
    set_of(&queue.peer, 2, LETTERS, ENABLE, "true");
    set(&queue.peer, "errors.deadletterqueue.topic.name.prefix", "letters-of-");
    reject(2, "the topic dlq.g does not begin with");
    assert_eq!(offsets(&queue.peer), [0; 0]);
    set(&queue.peer, "errors.deadletterqueue.topic.name.prefix", "");
    assert_eq!(one.acknowledge(4, &[(3, 3, &[REJECT])]), (0, 0));
    wait_for("the letter", || offsets(&queue.peer) == [3]);
}

#[test]
fn a_letter_that_a_kill_has_stopped_is_sent_after_the_start() {
    let mut broker = Broker::start_with(&[(CREATE, "true")]);
    let mut queue = with_letters(&broker);
    queue.produce(0, &["a", "b", "c"]);
    // As the leader writes it when a record is rejected.
    let batch = write::StateBatch::default()
        .with_first_offset(1)
        .with_last_offset(1)
        .with_delivery_state(ARCHIVING)
        .with_delivery_count(1);
    let asked = write::PartitionData::default().with_state_batches(vec![batch]);
    let topic =
        write::WriteStateData::default().with_topic_id(queue.topic_id).with_partitions(vec![asked]);
    let request =
        WriteShareGroupStateRequest::default().with_group_id(text("g")).with_topics(vec![topic]);
    assert_eq!(call(&queue.peer, 0, &request).results[0].partitions[0].error_code, 0);
    // The second start finds that it has arrived.
    for _ in 0..2 {
        broker.kill();
        broker.launch();
        queue.peer = Peer::connect(broker.port);
        let mut one = queue.member(&broker, "one");
        let mut got = only(&one.begin(&[0]));
        wait_for("the others", || {
            got.extend(only(&one.send()));
            got.len() == 2
        });
        assert_eq!(got, [(0, 0, 1), (2, 2, 1)]);
        wait_for("the letter", || !offsets(&queue.peer).is_empty());
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(offsets(&queue.peer), [1]);
    }
}

#[test]
fn no_letter_is_lost_by_kills() {
    let mut broker = Broker::start_with(&[(CREATE, "true")]);
    let mut queue = with_letters(&broker);
    for round in 0..6 {
        queue.produce(0, &["a", "b", "c"]);
        let mut one = queue.member(&broker, "one");
        let first = 3 * round;
        let mut got = only(&one.begin(&[0]));
        wait_for("the records", || {
            got.extend(only(&one.send()));
            !got.is_empty()
        });
        assert_eq!(got, [(first, first + 2, 1)]);
        let epoch = one.request.share_session_epoch;
        assert_eq!(one.acknowledge(epoch, &[(first, first + 2, &[REJECT])]), (0, 0));
        // Each time a little later.
        std::thread::sleep(std::time::Duration::from_micros(500 * round as u64));
        broker.kill();
        broker.launch();
        queue.peer = Peer::connect(broker.port);
    }
    queue.member(&broker, "one").begin(&[0]);
    wait_for("all letters", || {
        let mut found = offsets(&queue.peer);
        found.dedup();
        found == (0..18).collect::<Vec<_>>()
    });
}

#[test]
fn a_letter_on_its_way_is_not_sent_by_the_next_member_too() {
    let broker = Broker::start_with(&[(CREATE, "true")]);
    let queue = with_letters(&broker);
    for round in 0..5 {
        queue.produce(0, &["a", "b"]);
        let mut one = queue.member(&broker, "one");
        let mut got = only(&one.begin(&[0]));
        wait_for("the records", || {
            got.extend(only(&one.send()));
            !got.is_empty()
        });
        // The member says it with its last request.
        let first = 2 * round;
        assert_eq!(one.acknowledge(-1, &[(first, first + 1, &[REJECT])]), (0, 0));
        queue.member(&broker, "two").begin(&[0]);
    }
    wait_for("the letters", || offsets(&queue.peer).len() >= 10);
    wait_for("nothing is on its way", || {
        queue.state(0).1.iter().all(|(_, _, state, _)| *state != ARCHIVING)
    });
    assert_eq!(offsets(&queue.peer), (0..10).collect::<Vec<_>>());
}
