//! Producers: sequence numbers, epochs, duplicates, transactions, snapshots.

use super::*;
use crate::record::builder::BatchBuilder;

/// A producer's batch of records, or its marker.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    /// Producer id, epoch, first sequence number, number of records, whether transactional.
    Data(i64, i16, i32, usize, bool),
    /// Producer id, epoch, coordinator epoch, whether it commits.
    Marker(i64, i16, i32, bool),
}
use Sent::{Data, Marker};

pub(super) fn build(sent: Sent, timestamp: Timestamp) -> Batch {
    let builder = BatchBuilder::new(0, Compression::Uncompressed);
    match sent {
        Data(id, epoch, sequence, count, transactional) => {
            let mut builder = builder.producer(id, epoch, sequence, transactional);
            (0..count).for_each(|_| builder.append(timestamp, None, Some(b"x"), &[]));
            builder.build()
        }
        Marker(id, epoch, coordinator_epoch, commit) => {
            let mut builder = builder.control().producer(id, epoch, -1, true);
            let mut value = vec![0, 0];
            value.extend(i32::to_be_bytes(coordinator_epoch));
            builder.append(timestamp, Some(&[0, 0, 0, u8::from(commit)]), Some(&value), &[]);
            builder.build()
        }
    }
}

fn append(log: &mut Log, sent: Sent) -> Result<Offset> {
    let origin = if matches!(sent, Marker(..)) { Origin::Coordinator } else { Origin::Client };
    log.append(vec![build(sent, NOW)], 0, origin, NOW).map(|appended| appended.base_offset)
}

/// Sends the rows one by one. Each must return the offset, also of a duplicate, or the error code.
#[track_caller]
fn check(rows: &[(Sent, Result<Offset, ResponseError>)]) {
    let mut f = Fixture::new(config());
    for (n, (sent, expected)) in rows.iter().enumerate() {
        let end = f.log.log_end_offset();
        let answer = match append(&mut f.log, *sent) {
            Err(Error::Duplicate { base_offset, append_time }) => {
                assert_eq!((append_time, f.log.log_end_offset()), (NOW, end));
                Ok(base_offset)
            }
            Err(error) => {
                assert_eq!(f.log.log_end_offset(), end, "row {n}");
                Err(error.code())
            }
            Ok(offset) => Ok(offset),
        };
        assert_eq!(answer, *expected, "row {n}");
    }
}

#[test]
fn sequences_follow_each_other() {
    use ResponseError::{InvalidProducerEpoch, OutOfOrderSequenceNumber};
    check(&[
        (Data(1, 0, 0, 2, false), Ok(0)),
        (Data(1, 0, 2, 1, false), Ok(2)),
        (Data(1, 0, 4, 1, false), Err(OutOfOrderSequenceNumber)), // 3 is missing
        (Data(1, 0, 1, 3, false), Err(OutOfOrderSequenceNumber)), // overlaps
        (Data(1, 0, 0, 2, false), Ok(0)),                         // the first one again
        (Data(1, 0, 3, 1, false), Ok(3)),
        (Data(1, 0, 4, 1, false), Ok(4)),
        (Data(1, 0, 5, 1, false), Ok(5)),
        (Data(1, 0, 6, 1, false), Ok(6)),
        (Data(1, 0, 2, 1, false), Ok(2)), // the fifth from the end is known
        (Data(1, 0, 0, 2, false), Err(OutOfOrderSequenceNumber)), // the sixth is not
        (Data(1, 1, 7, 1, false), Err(OutOfOrderSequenceNumber)), // a new epoch begins at 0
        (Data(1, 1, 0, 1, false), Ok(7)),
        (Data(1, 0, 7, 1, false), Err(InvalidProducerEpoch)),
        (Data(2, 5, 100, 1, false), Ok(8)), // an unknown producer may begin anywhere
        (Data(3, 0, i32::MAX - 1, 2, false), Ok(9)),
        (Data(3, 0, 0, 1, false), Ok(11)), // sequences go from i32::MAX to 0
        (Data(3, 0, i32::MAX - 1, 2, false), Ok(9)),
        (Data(4, 0, i32::MAX, 2, false), Ok(12)), // also within a batch
        (Data(4, 0, i32::MAX, 2, false), Ok(12)),
        (Data(4, 0, 1, 1, false), Ok(14)),
    ]);
}

#[test]
fn transactions_are_fenced() {
    use ResponseError::{InvalidProducerEpoch, InvalidTxnState, TransactionCoordinatorFenced};
    check(&[
        (Data(1, 0, 0, 1, true), Ok(0)),
        (Data(1, 0, 1, 1, false), Err(InvalidTxnState)),
        (Marker(1, 0, 3, true), Ok(1)),
        (Data(1, 0, 1, 1, true), Ok(2)),
        (Marker(1, 0, 2, true), Err(TransactionCoordinatorFenced)),
        (Marker(1, 1, 3, false), Ok(3)),
        (Data(1, 0, 2, 1, true), Err(InvalidProducerEpoch)),
        (Data(1, 1, 0, 1, true), Ok(4)),
    ]);
}

#[test]
fn the_last_stable_offset_waits_for_open_transactions() {
    // What is sent, the high watermark after it, and the last stable offset.
    let rows = [
        (Data(1, 0, 0, 2, true), 2, 0),
        (Data(2, 0, 0, 1, false), 3, 0),
        (Data(3, 0, 0, 1, true), 4, 0),
        (Marker(1, 0, 0, false), 4, 0), // the end is not replicated yet
        (Data(2, 0, 1, 1, false), 5, 3),
        (Marker(3, 0, 0, true), 6, 3),
        (Data(2, 0, 2, 1, false), 8, 8),
    ];
    let stopped = [Stopped::Cleanly, Stopped::Unknown, Stopped::Killed].map(Some);
    for reopen in [None].into_iter().chain(stopped) {
        let mut f = Fixture::new(config());
        for (n, (sent, high_watermark, stable)) in rows.into_iter().enumerate() {
            append(&mut f.log, sent).unwrap();
            if n % 3 == 2 {
                (0..2).for_each(|_| f.log.settle().unwrap());
            }
            if let Some(stopped) = reopen {
                f.reopen_after(stopped);
            }
            f.log.set_high_watermark(high_watermark);
            // As in Kafka, a snapshot does not contain transaction ends that are not replicated
            // yet.
            if reopen.is_none() || (n != 3 && n != 5) {
                assert_eq!(f.log.last_stable_offset(), stable, "row {n}, reopened {reopen:?}");
            }
        }
        let read = f.log.read(0, 1 << 20, Isolation::Committed, true).unwrap();
        assert_eq!(read.aborted, [(1, 0)]);
        assert_eq!(batches(&read).len(), rows.len());
        assert!(f.log.read(5, 1 << 20, Isolation::Committed, true).unwrap().aborted.is_empty());
    }
}

#[test]
fn producers_are_known_after_opening_and_forgotten_in_time() {
    for stopped in [Stopped::Cleanly, Stopped::Unknown, Stopped::Killed] {
        let mut f = Fixture::new(config());
        append(&mut f.log, Data(1, 2, 0, 3, false)).unwrap();
        (0..2).for_each(|_| f.log.settle().unwrap());
        append(&mut f.log, Data(2, 0, 0, 1, true)).unwrap();
        f.reopen_after(stopped);
        let mut known = f.log.active_producers();
        known.sort_by_key(|producer| producer.producer_id);
        let seen = |p: &ActiveProducer| {
            (p.producer_id, p.producer_epoch, p.last_sequence, p.current_txn_start_offset)
        };
        assert_eq!(known.iter().map(seen).collect::<Vec<_>>(), [(1, 2, 2, -1), (2, 0, 0, 3)]);
        assert!(matches!(
            append(&mut f.log, Data(1, 2, 0, 3, false)),
            Err(Error::Duplicate { base_offset: 0, .. })
        ));
        assert_eq!(append(&mut f.log, Data(1, 2, 3, 1, false)).unwrap(), 4);
        // The producer with an open transaction stays.
        f.log.expire_producers(NOW + 86_400_000);
        assert_eq!(f.log.active_producers().len(), 1);
    }
}

/// A snapshot has only the last batch of a producer, but a client that got no answers sends again
/// all that were in flight.
#[test]
fn five_batches_are_recognised_after_opening_as_before() {
    let send = |log: &mut Log, sequence| match append(log, Data(1, 0, sequence, 1, false)) {
        Err(Error::Duplicate { base_offset, .. }) => Ok(base_offset),
        Err(error) => Err(error.code()),
        Ok(offset) => panic!("{sequence} is appended once more, at {offset}"),
    };
    for stopped in [Stopped::Cleanly, Stopped::Unknown, Stopped::Killed] {
        for rolled_before in 0..8 {
            let mut f = Fixture::new(config());
            for sequence in 0..7 {
                if sequence == rolled_before {
                    f.log.roll(NOW).unwrap();
                }
                append(&mut f.log, Data(1, 0, sequence, 1, false)).unwrap();
                append(&mut f.log, Data(2, 0, sequence, 1, false)).unwrap();
                f.append(1);
            }
            (0..2).for_each(|_| f.log.settle().unwrap());
            f.reopen_after(stopped);
            append(&mut f.log, Data(2, 0, 7, 1, false)).unwrap();
            for sequence in 2..7 {
                let offset = i64::from(sequence) * 3;
                assert_eq!(send(&mut f.log, sequence), Ok(offset), "{stopped:?} {rolled_before}");
            }
            let sixth = send(&mut f.log, 1);
            assert_eq!(sixth, Err(ResponseError::OutOfOrderSequenceNumber), "as it was before");
            append(&mut f.log, Data(1, 0, 7, 1, false)).unwrap();
        }
    }
}

#[test]
fn a_follower_takes_what_its_leader_took() {
    let mut f = Fixture::new(config());
    let mut replicate = |offset, sent| {
        let mut batch = build(sent, NOW);
        batch.set_base_offset(offset);
        batch.set_leader_epoch(4);
        f.log.append(vec![batch], 4, Origin::Replication, NOW).map(|a| a.last_offset)
    };
    assert_eq!(replicate(10, Data(1, 3, 7, 2, false)).unwrap(), 11);
    assert_eq!(replicate(12, Data(1, 3, 50, 1, false)).unwrap(), 12);
    assert_eq!(replicate(20, Data(1, 1, 0, 1, true)).unwrap(), 20);
    assert!(replicate(20, Data(1, 1, 1, 1, true)).is_err(), "offsets only grow");
    assert_eq!((f.log.latest_epoch(), f.log.log_end_offset()), (4, 21));
    assert_eq!(f.read(13, 1, Isolation::LogEnd), [(20, 20)]);
}

#[test]
fn a_follower_skips_each_aborted_transaction_of_one_append() {
    let sent = [
        (0, Data(1, 0, 0, 2, true)),
        (2, Marker(1, 0, 0, false)),
        (3, Data(1, 0, 2, 2, true)),
        (5, Marker(1, 0, 0, false)),
        (6, Data(2, 0, 0, 1, true)),
    ];
    let of_leader = |(offset, sent)| {
        let mut batch = build(sent, NOW);
        batch.set_base_offset(offset);
        batch
    };
    let mut f = Fixture::new(config());
    let batches = sent.map(of_leader).to_vec();
    f.log.append(batches, NO_EPOCH, Origin::Replication, NOW).unwrap();
    f.log.set_high_watermark(7);
    assert_eq!(f.log.last_stable_offset(), 6);
    let read = f.log.read(0, 1 << 20, Isolation::Committed, true).unwrap();
    assert_eq!(read.aborted, [(1, 0), (1, 3)]);
}

#[test]
fn batches_of_newer_epochs_wait() {
    let mut f = Fixture::new(config());
    let batches = [2, 5].map(|epoch| {
        let mut batch = batch(1, NOW);
        batch.set_base_offset(Offset::from(epoch));
        batch.set_leader_epoch(epoch);
        batch
    });
    f.log.append(batches.to_vec(), 4, Origin::Replication, NOW).unwrap();
    assert_eq!((f.log.log_end_offset(), f.log.latest_epoch()), (3, 2));
}
