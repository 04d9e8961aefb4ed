//! Leadership: what we would write compared with what Kafka 4.3.1 wrote in the same situation, and
//! single elections.

use super::support::*;
use crate::codec::schema::metadata::PartitionChangeRecord;
use crate::controller::brokers::Heartbeat;
use crate::controller::partition_change::{Election, PartitionChange, Surroundings};
use crate::controller::view::View;
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::{NO_LEADER_CHANGE, Partition};
use crate::metadata::{Loader, decode_batch};
use crate::record::Batch;
use bytes::Bytes;
use uuid::Uuid;

/// From the reference log: the image below `start`, and the records of [start, end).
fn history(start: i64, end: i64) -> (Loader, Vec<MetadataRecord>) {
    let file = "static/__cluster_metadata-0/00000000000000000000.log";
    let mut bytes = Bytes::from(std::fs::read(fixture(file)).unwrap());
    let (mut loader, mut written) = (Loader::new("referenceReference0000A"), Vec::new());
    while !bytes.is_empty() {
        let batch = Batch::split_from(&mut bytes).unwrap();
        if batch.is_control() {
            continue;
        }
        for (offset, record) in (batch.base_offset()..).zip(decode_batch(&batch).unwrap()) {
            if offset < start {
                loader.replay(&record).unwrap();
            } else if offset < end {
                written.push(record);
            }
        }
    }
    (loader, written)
}

/// Compares what `ours` makes of the state before `start` with what Kafka wrote there.
#[track_caller]
fn check(start: i64, end: i64, ours: impl FnOnce(View<'_>) -> Vec<MetadataRecord>) {
    let (loader, kafka) = history(start, end);
    let config = config(&[]);
    let ours = ours(View { image: &loader.image, config: &config });
    assert_eq!(ours, kafka);
}

fn heartbeat(view: View<'_>, want_shut_down: bool) -> Vec<MetadataRecord> {
    let broker_epoch = view.broker(1).unwrap().epoch;
    let applied = i64::MAX;
    let beat = Heartbeat::default();
    let beat = Heartbeat { broker_id: 1, broker_epoch, applied, want_shut_down, ..beat };
    view.heartbeat(&beat, broker_epoch).unwrap().records
}

#[test]
fn a_brokers_life_is_written_as_kafka_writes_it() {
    // The first start: the broker is unfenced.
    check(19, 20, |view| heartbeat(view, false));
    // A controlled shutdown: the broker gives up its leaderships, then it is fenced.
    check(98, 101, |view| heartbeat(view, true));
    check(101, 102, |view| heartbeat(view, true));
    // It starts again and leads again.
    check(108, 111, |view| heartbeat(view, false));
    // After SIGKILL: its session expires, then it registers without proof that it kept all records.
    check(133, 136, |view| view.fence(view.broker(1).unwrap()));
    check(137, 139, |view| register(view, -1));
    check(140, 143, |view| heartbeat(view, false));
}

/// The records of a registration except the last, which holds the new epoch.
fn register(view: View<'_>, previous_epoch: i64) -> Vec<MetadataRecord> {
    let directory = view.broker(1).unwrap().log_dirs[0];
    let request = registration(previous_epoch)
        .with_cluster_id(text("referenceReference0000A"))
        .with_log_dirs(vec![directory]);
    let mut records = view.register_broker(&request, 0).unwrap().records;
    assert!(matches!(records.pop(), Some(MetadataRecord::RegisterBroker(_))));
    records
}

#[test]
fn who_stopped_cleanly_stays_eligible() {
    check(106, 106, |view| register(view, 14));
}

/// A partition on brokers 1 to 3, led by 1, with all in sync.
fn partition() -> Partition {
    Partition {
        replicas: vec![1, 2, 3],
        directories: vec![Uuid::from_u128(5); 3],
        isr: vec![1, 2, 3],
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader: 1,
        leader_recovery_state: 0,
        leader_epoch: 4,
        partition_epoch: 9,
    }
}

struct Case {
    partition: Partition,
    alive: &'static [i32],
    elr: bool,
    min_isr: usize,
}

/// A case after `change`: (leader, ISR, ELR, last known ELR, recovery state).
#[allow(clippy::type_complexity)]
fn outcome(
    case: &Case,
    change: impl FnOnce(PartitionChange<'_>) -> PartitionChange<'_>,
) -> Option<(i32, Vec<i32>, Vec<i32>, Vec<i32>, i8)> {
    let around = Surroundings {
        acceptable: &|id| case.alive.contains(&id),
        default_dir: &|_| Uuid::from_u128(5),
        min_isr: case.min_isr,
        elr_enabled: case.elr,
        shrinking_makes_epoch: false,
    };
    let start = PartitionChange::new(Uuid::from_u128(1), 0, &case.partition, &around);
    let record = change(start).build()?;
    let MetadataRecord::PartitionChange(record) = record else { panic!("{record:?}") };
    assert_ne!(record, PartitionChangeRecord::default());
    let next = case.partition.merge(&record);
    assert_eq!(next.partition_epoch, 10);
    assert_eq!(next.leader_epoch, 4 + i32::from(record.leader != NO_LEADER_CHANGE));
    Some((next.leader, next.isr, next.elr, next.last_known_elr, next.leader_recovery_state))
}

#[test]
fn elections_follow_isr_elr_and_last_known_leader() {
    let case = |alive, elr, min_isr| Case { partition: partition(), alive, elr, min_isr };
    let none = Vec::new;
    // Nothing changes.
    assert_eq!(outcome(&case(&[1, 2, 3], true, 2), |c| c), None);
    // The leader leaves; the next in-sync replica takes over.
    let left = outcome(&case(&[2, 3], true, 2), |c| c.isr(vec![2, 3]));
    assert_eq!(left, Some((2, vec![2, 3], none(), none(), 0)));
    // A replica that leaves the ISR below `min.insync.replicas` stays eligible.
    let below = outcome(&case(&[1], true, 2), |c| c.isr(vec![1]));
    assert_eq!(below, Some((1, vec![1], vec![2, 3], vec![], 0)));
    let without_elr = outcome(&case(&[1], false, 2), |c| c.isr(vec![1]));
    assert_eq!(without_elr, Some((1, vec![1], none(), none(), 0)));
    // The last one leaves and there is no leader. Without ELR, the ISR stays to show who has the
    // records.
    let nobody = outcome(&case(&[], true, 2), |c| c.isr(vec![]));
    assert_eq!(nobody, Some((-1, vec![], vec![1, 2, 3], vec![1], 0)));
    let nobody = outcome(&case(&[], false, 2), |c| c.isr(vec![]));
    assert_eq!(nobody, Some((-1, vec![1, 2, 3], none(), none(), 0)));
    // Replicas that were in sync before stay eligible, except the one that lost records.
    let eligible = outcome(&case(&[1, 3], true, 2), |c| c.isr(vec![]).lost_records(1));
    assert_eq!(eligible, Some((3, vec![3], vec![2], none(), 0)));
    // An unclean election takes any available replica, which then has to recover.
    let mut empty = case(&[3], true, 2);
    empty.partition = Partition { leader: -1, isr: vec![], last_known_elr: vec![1], ..partition() };
    assert_eq!(outcome(&empty, |c| c), None, "the last known leader is not there");
    let forced = outcome(&empty, |c| c.election(Election::Unclean));
    assert_eq!(forced, Some((3, vec![3], none(), none(), 1)));
    empty.alive = &[1, 3];
    assert_eq!(outcome(&empty, |c| c), Some((1, vec![1], none(), none(), 1)));
    // An eligible replica takes over without losing records.
    let mut eligible = case(&[2], true, 2);
    eligible.partition = Partition {
        leader: -1,
        isr: vec![],
        elr: vec![2, 3],
        last_known_elr: vec![1],
        ..partition()
    };
    assert_eq!(outcome(&eligible, |c| c), Some((2, vec![2], vec![3], none(), 0)));
}

#[test]
fn preferred_leaders_and_reassignments() {
    let mut case = Case { partition: partition(), alive: &[1, 2, 3, 4], elr: false, min_isr: 1 };
    case.partition.leader = 2;
    assert_eq!(outcome(&case, |c| c), None, "a leader in sync stays");
    let preferred = outcome(&case, |c| c.election(Election::Preferred)).unwrap();
    assert_eq!(preferred.0, 1);
    // Replace 3 by 4: at first both are replicas, then the new one catches up.
    case.partition.leader = 1;
    let begun = outcome(&case, |c| c.replicas(vec![1, 2, 4, 3], vec![3], vec![4])).unwrap();
    assert_eq!((begun.0, begun.1), (1, vec![1, 2, 3]));
    case.partition.replicas = vec![1, 2, 4, 3];
    case.partition.directories = vec![Uuid::from_u128(5); 4];
    (case.partition.removing_replicas, case.partition.adding_replicas) = (vec![3], vec![4]);
    let done = outcome(&case, |c| c.isr(vec![1, 2, 3, 4])).unwrap();
    assert_eq!((done.0, done.1), (1, vec![1, 2, 4]));
    // One that is removed is not eligible any more, because its log will be deleted.
    (case.elr, case.min_isr) = (true, 3);
    case.partition.isr = vec![1, 2, 4];
    case.partition.elr = vec![3];
    let cancelled = outcome(&case, |c| c.isr(vec![1]).replicas(vec![1, 2, 3], vec![], vec![]));
    assert_eq!(cancelled, Some((1, vec![1], vec![2, 3], vec![], 0)));
    let done = outcome(&case, |c| c.isr(vec![1, 4])).unwrap();
    assert_eq!((done.1, done.2), (vec![1, 4], vec![2]));
    let mut empty = case;
    empty.partition = Partition { leader: -1, isr: vec![], last_known_elr: vec![4], ..partition() };
    assert_eq!(outcome(&empty, |c| c), None, "the last known leader has no replica");
}
