//! Records, answers and state, as scripts show them.

use super::super::machine::Job;
use super::super::metadata::{Producer, Transaction};
use super::super::record::Record;
use crate::types::TopicPartition;
use kafka_protocol::error::ResponseError;

/// The error with this name, as `NotLeaderOrFollower`.
pub fn error(name: &str) -> ResponseError {
    let all = (-1..150).filter_map(ResponseError::try_from_code);
    all.into_iter().find(|error| format!("{error:?}") == name).unwrap()
}

pub fn producer(producer: Producer) -> String {
    format!("{}:{}", producer.id, producer.epoch)
}

pub fn record(record: &Record) -> String {
    match &record.value {
        None => format!("{} tombstone", record.id),
        Some((version, transaction)) => {
            format!(
                "{} {}{}",
                record.id,
                state(transaction),
                if *version == 0 { " v0" } else { "" }
            )
        }
    }
}

fn state(known: &Transaction) -> String {
    let mut shown = format!("{} {}", known.state.name(), producer(known.producer));
    for partition in &known.partitions {
        shown += &format!(" {partition}");
    }
    if known.started != -1 {
        shown += &format!(" since={}", known.started);
    }
    if known.previous_producer_id != known.producer.id {
        shown += &format!(" previous={}", known.previous_producer_id);
    }
    if known.next_producer_id != -1 {
        shown += &format!(" next={}", known.next_producer_id);
    }
    if known.client_version != 0 {
        shown += &format!(" client={}", known.client_version);
    }
    shown
}

pub fn describe(known: Option<&Transaction>) -> String {
    known.map_or("unknown\n".to_owned(), |known| {
        format!("{} timeout={} updated={}\n", state(known), known.timeout_ms, known.updated)
    })
}

pub fn verified(partitions: &[TopicPartition], answers: &[Result<(), ResponseError>]) -> String {
    let line = |(partition, answer): (&TopicPartition, &Result<(), ResponseError>)| match answer {
        Ok(()) => format!("{partition} ok\n"),
        Err(error) => format!("{partition} {error:?}\n"),
    };
    partitions.iter().zip(answers).map(line).collect()
}

pub fn job(job: &Job) -> String {
    match job {
        Job::Finish(id, prepared) => format!("finish {id} {}\n", state(prepared)),
        Job::Abort(id, overdue) => format!("abort {id} {}\n", producer(*overdue)),
    }
}
