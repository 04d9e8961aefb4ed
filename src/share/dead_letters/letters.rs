//! What a dead letter looks like: the key and the value of the record, or neither, and headers that
//! say where it is from and why it was given up. The record's own headers are not copied, as in
//! Kafka.

use super::Origin;
use super::originals::Originals;
use crate::config::Compression;
use crate::record::builder::BatchBuilder;
use crate::record::{Batch, HEADER_SIZE, Record};
use crate::share::partition::{GivenUp, Reason};
use crate::types::{Offset, Timestamp};
use bytes::Bytes;
use std::collections::VecDeque;

/// The most bytes of a batch with more than one letter.
const BATCH_BYTES: usize = 1024 * 1024;
/// More than what a record needs besides its keys, values and headers.
const RECORD_OVERHEAD: usize = 32;
/// More than what a header needs besides its key and value.
const HEADER_OVERHEAD: usize = 8;

type Headers = [(Bytes, Option<Bytes>); 6];

/// The dead letters that are still to be written for one partition.
#[derive(Debug)]
pub struct Letters {
    origin: Origin,
    /// In the order of their offsets.
    given_up: VecDeque<GivenUp>,
    /// None if the records are not copied.
    originals: Option<Originals>,
}

impl Letters {
    /// Letters about all records that were given up, with copies of them if there are `originals`.
    pub fn new(
        origin: Origin,
        given_up: VecDeque<GivenUp>,
        originals: Option<Originals>,
    ) -> Letters {
        Letters { origin, given_up, originals }
    }

    /// What is not in a batch yet.
    pub fn left(&self) -> &VecDeque<GivenUp> {
        &self.given_up
    }

    /// The next letters as one batch; None if there are no more. A copy that would make a letter
    /// larger than `max_bytes` is left out. Blocks.
    pub fn next_batch(&mut self, max_bytes: usize, now: Timestamp) -> Option<Batch> {
        let mut batch = BatchBuilder::new(0, Compression::Uncompressed);
        while let Some(&GivenUp { first: offset, .. }) = self.given_up.front() {
            let headers = self.headers(offset);
            let fits = |copy: &&Record| HEADER_SIZE + size(Some(copy), &headers) <= max_bytes;
            let found = self.originals.as_mut().and_then(|originals| originals.find(offset));
            let copy = found.filter(fits);
            let size = batch.uncompressed_bytes() + size(copy, &headers);
            if !batch.is_empty() && size > max_bytes.min(BATCH_BYTES) {
                break;
            }
            let (key, value) =
                copy.map_or((None, None), |it| (it.key.as_deref(), it.value.as_deref()));
            batch.append(now, key, value, &headers);
            self.pass(offset);
        }
        (!batch.is_empty()).then(|| batch.build())
    }

    fn pass(&mut self, offset: Offset) {
        if let Some(run) = self.given_up.front_mut() {
            run.first = offset + 1;
        }
        self.given_up.pop_front_if(|run| run.first > run.last);
    }

    fn headers(&self, offset: Offset) -> Headers {
        let Origin { group, topic, id } = &self.origin;
        let (deliveries, reason) = match self.given_up.front() {
            Some(run) => (run.deliveries, run.reason),
            None => (0, Reason::Rejected),
        };
        let message = match reason {
            Reason::Rejected => "Offset rejected by client.",
            Reason::TooManyDeliveries => "Offset delivery count exceeded the threshold.",
        };
        [
            ("__dlq.errors.topic", topic.to_string()),
            ("__dlq.errors.partition", id.partition.to_string()),
            ("__dlq.errors.offset", offset.to_string()),
            ("__dlq.errors.group", group.to_string()),
            ("__dlq.errors.delivery.count", deliveries.to_string()),
            ("__dlq.errors.message", message.to_owned()),
        ]
        .map(|(name, value)| (Bytes::from_static(name.as_bytes()), Some(Bytes::from(value))))
    }
}

/// The most bytes that a letter takes.
fn size(copy: Option<&Record>, headers: &Headers) -> usize {
    let len = |bytes: Option<&Bytes>| bytes.map_or(0, Bytes::len);
    let header = |(key, value): &(Bytes, Option<Bytes>)| key.len() + len(value.as_ref());
    let headers: usize = headers.iter().map(|one| header(one) + HEADER_OVERHEAD).sum();
    let copy = copy.map_or(0, |copy| len(copy.key.as_ref()) + len(copy.value.as_ref()));
    RECORD_OVERHEAD + headers + copy
}
