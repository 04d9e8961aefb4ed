//! Random requests, what Kafka's share coordinator (4.4.0) answered, and what it wrote:
//! `tests/fixtures/share_state.tsv` (`compat/share-state`).

use super::super::batches::DeliveryBatch;
use super::super::key::SharePartitionKey;
use super::super::state::ShareWrite;
use super::World;
use crate::coordinator::state_machine::StateMachine;
use crate::types::{Offset, uuid_from_text};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::fmt::Write as _;

/// The request of a row and its numbers after the key.
struct Asked<'a> {
    name: &'a str,
    key: SharePartitionKey,
    numbers: Vec<i64>,
    batches: Vec<DeliveryBatch>,
}

impl Asked<'_> {
    fn parse(row: &str) -> Asked<'_> {
        let mut words = row.split(' ');
        let name = words.next().unwrap();
        // The other operations are for all share partitions, or for those of a topic.
        let key = words.next().and_then(SharePartitionKey::parse);
        let (batches, numbers): (Vec<&str>, Vec<&str>) =
            words.partition(|word| word.starts_with('['));
        let batches = batches.first().map_or("", |list| list.trim_matches(['[', ']']));
        Asked {
            name,
            key: key.unwrap_or_else(|| super::key("", 0, 0)),
            numbers: numbers.iter().map(|number| number.parse().unwrap()).collect(),
            batches: batches.split(',').filter(|it| !it.is_empty()).map(batch).collect(),
        }
    }

    fn epoch(&self, at: usize) -> i32 {
        i32::try_from(self.numbers[at]).unwrap()
    }
}

/// `first-last:state:count`
fn batch(text: &str) -> DeliveryBatch {
    let numbers: Vec<i64> = text.split([':', '-']).map(|number| number.parse().unwrap()).collect();
    let [first, last, state, count] = numbers[..] else { panic!("{text}") };
    super::batch(first, last, state as i8, count as i16)
}

fn shown(batches: &[DeliveryBatch]) -> String {
    let shown: Vec<String> = batches
        .iter()
        .map(|DeliveryBatch { first, last, state, count }| {
            format!("{first}-{last}:{state}:{count}")
        })
        .collect();
    format!("[{}]", shown.join(","))
}

/// Does what a row asks and returns the answer.
fn answer(world: &mut World, row: &str) -> String {
    let asked = Asked::parse(row);
    let done = |done: Result<(), ResponseError>| done.map(|()| "ok".to_owned());
    let answer = match asked.name {
        "initialize" => done(world.initialize(&asked.key, asked.epoch(0), asked.numbers[1])),
        "read" => world
            .read(&asked.key, asked.epoch(0))
            .map(|(epoch, start, batches)| format!("{epoch} {start} {}", shown(&batches))),
        "write" => {
            let write = ShareWrite {
                state_epoch: asked.epoch(0),
                leader_epoch: asked.epoch(1),
                start_offset: asked.numbers[2],
                delivery_complete_count: asked.epoch(3),
                batches: asked.batches,
            };
            done(world.write(&asked.key, &write))
        }
        "summary" => world.machine.summary(&asked.key).map_err(|error| error.code()).map(|it| {
            let (state, leader) = (it.state_epoch, it.leader_epoch);
            format!("{state} {leader} {} {}", it.start_offset, it.delivery_complete_count)
        }),
        "delete" => done(world.finish(world.machine.delete(&asked.key))),
        "forget" => {
            let topic = uuid_from_text(row.split(' ').nth(1).unwrap()).unwrap();
            done(world.finish(Ok(world.machine.forget_topics(&[topic]))))
        }
        _ => {
            // Now is the time.
            world.machine.loaded(world.now - 1000);
            world.advance(0);
            Ok("ok".to_owned())
        }
    };
    answer.unwrap_or_else(|error| format!("error {}", error.code()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn what_kafka_is_asked_gets_the_same_answers_and_the_same_records() {
    let mut world = World::new();
    let rows = include_str!("../../../../tests/fixtures/share_state.tsv");
    for row in rows.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let [now, asked, answered, records, redundant] = columns[..] else { panic!("{row}") };
        let before = world.log.len();
        world.now = now.parse().unwrap();
        let answer = answer(&mut world, asked);
        let value = |value: &Option<Bytes>| value.as_ref().map_or(String::new(), |it| hex(it));
        let written =
            world.log[before..].iter().map(|(key, it)| format!("{}:{}", hex(key), value(it)));
        let written: Vec<String> = written.collect();
        assert_eq!((answer.as_str(), written.join(" ").as_str()), (answered, records), "{row}");
        let needed = world.machine.take_redundant().unwrap_or(0);
        assert_eq!(needed, redundant.parse::<Offset>().unwrap_or(0), "{row}");
    }
    assert!(world.log.len() > 150, "Kafka has written much");
}
