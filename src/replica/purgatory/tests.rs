//! Waiting and waking, with tokio's paused time.
#![allow(clippy::unwrap_used)]

use super::*;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_produce_waits_for_its_offset_only() {
    let waiters = Waiters::default();
    let mut low = waiters.wait_for(5);
    let mut high = waiters.wait_for(9);
    waiters.moved(8);
    low.reached().await.unwrap();
    assert!(timeout(Duration::from_secs(1), high.reached()).await.is_err());
    waiters.moved(9);
    high.reached().await.unwrap();
    assert_eq!(waiters.count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_early_leaves_nothing_behind() {
    let waiters = Waiters::default();
    let wait = waiters.wait_for(5);
    assert_eq!(waiters.count(), (1, 0));
    drop(wait);
    assert_eq!(waiters.count(), (0, 0));
    let watch = Arc::new(Watch::default());
    let id = waiters.watch(&watch, 0);
    waiters.unwatch(id);
    assert_eq!(waiters.count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn losing_the_partition_fails_produces_and_wakes_fetches() {
    let waiters = Waiters::default();
    let mut wait = waiters.wait_for(5);
    let watch = Arc::new(Watch::default());
    let _id = waiters.watch(&watch, 3);
    waiters.fail(ResponseError::NotLeaderOrFollower);
    assert_eq!(wait.reached().await.unwrap_err().code(), ResponseError::NotLeaderOrFollower);
    watch.marked().await;
    assert_eq!(watch.take(), BTreeSet::from([3]));
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_which_slots_moved_and_only_once() {
    let partitions: Vec<Waiters> = (0..3).map(|_| Waiters::default()).collect();
    let watch = Arc::new(Watch::default());
    let _ids: Vec<WatchId> =
        partitions.iter().enumerate().map(|(slot, p)| p.watch(&watch, slot)).collect();
    partitions[2].moved(1);
    partitions[0].moved(1);
    partitions[2].moved(2);
    watch.marked().await;
    assert_eq!(watch.take(), BTreeSet::from([0, 2]));
    assert_eq!(watch.take(), BTreeSet::new());
    let mut woken = 0;
    while timeout(Duration::from_millis(1), watch.marked()).await.is_ok() {
        woken += 1;
    }
    assert!(woken <= 1, "moves before the wait wake it at most once more");
}

#[tokio::test(start_paused = true)]
async fn those_in_a_line_are_called_one_after_the_other() {
    let (waiters, line) = (Waiters::default(), Arc::new(Line::default()));
    let id = waiters.watch_for(&line);
    let watches: Vec<Arc<Watch>> = (0..3).map(|_| Arc::default()).collect();
    let places: Vec<u64> = watches.iter().map(|watch| line.join(watch, 7)).collect();
    let called = || watches.iter().map(|watch| watch.take().len()).collect::<Vec<_>>();
    waiters.moved(1);
    assert_eq!(called(), [1, 0, 0]);
    line.call_behind(places[0]);
    assert_eq!(called(), [0, 1, 0]);
    line.call_behind(places[2]);
    assert_eq!(called(), [0, 0, 0]);
    line.leave(places[0]);
    line.call();
    assert_eq!(called(), [0, 1, 0]);
    waiters.fail(ResponseError::NotLeaderOrFollower);
    assert_eq!(called(), [0, 1, 1]);
    waiters.unwatch(id);
    waiters.moved(2);
    assert_eq!(called(), [0, 0, 0]);
}
