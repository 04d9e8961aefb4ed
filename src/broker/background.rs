//! Periodic work besides clients' requests.

use super::heartbeats::Heartbeats;
use super::lifecycle::{tell_assignments, watch_metadata};
use crate::handlers::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::error;

/// How often disks are checked for being full and for having room again.
const ROOM: Duration = Duration::from_millis(200);
/// How often deleted logs are checked for being due for removal, in milliseconds.
const DELETE_MS: i64 = 1_000;
/// How often moves between log directories are advanced.
const MOVE: Duration = Duration::from_millis(100);
/// How often logs that were created in bulk are made durable, in milliseconds.
const SYNC_MS: i64 = 500;
/// How often the cleaner's loops check whether a setting has changed.
const SETTINGS: Duration = Duration::from_millis(500);
/// How often the metadata log and the log directories are checked for failures.
const TICK: Duration = Duration::from_millis(100);

/// Starts the periodic tasks: checkpoints, retention and so on.
pub(super) fn start(
    parts: &Arc<Parts>,
    heartbeats: &Arc<Heartbeats>,
    tasks: &mut JoinSet<()>,
    fail: mpsc::Sender<String>,
) {
    let config = parts.config.get();
    let settle_ms = config.replica_high_watermark_checkpoint_interval_ms;
    repeat(tasks, settle_ms, parts, |parts| parts.replicas.settle());
    let checkpoint_ms = config
        .log_flush_offset_checkpoint_interval_ms
        .min(config.log_flush_start_offset_checkpoint_interval_ms);
    repeat(tasks, checkpoint_ms.into(), parts, |parts| parts.replicas.checkpoint());
    let retention_ms = config.log_retention_check_interval_ms;
    repeat(tasks, retention_ms, parts, |parts| parts.replicas.clean_up());
    repeat(tasks, DELETE_MS, parts, |parts| parts.replicas.run_deletes());
    let expiry_ms = config.producer_id_expiration_check_interval_ms;
    repeat(tasks, expiry_ms.into(), parts, |parts| parts.replicas.expire_producers());
    if config.log_cleaner_enable {
        tasks.spawn(compact(parts.clone()));
    }
    let flush_ms = config.log_flush_scheduler_interval_ms;
    repeat(tasks, flush_ms, parts, |parts| parts.replicas.flush_due());
    tasks.spawn(watch_room(parts.clone(), heartbeats.clone()));
    repeat(tasks, SYNC_MS, parts, |parts| parts.replicas.sync_new_logs());
    tasks.spawn(move_logs(parts.clone()));
    // Kafka also looks twice in the time that a follower has.
    repeat(tasks, config.replica_lag_time_max_ms / 2, parts, |parts| parts.replicas.shrink_isrs());
    tasks.spawn(send_isr_changes(parts.clone()));
    let replicas = parts.replicas.clone();
    tasks.spawn(async move { replicas.tell_of_failures().await });
    let share = parts.share.clone();
    tasks.spawn(async move { share.keep_time().await });
    tasks.spawn(watch_metadata(parts.clone(), heartbeats.clone()));
    tasks.spawn(tell_assigned(parts.clone()));
    tasks.spawn(tell_failed(parts.clone(), heartbeats.clone(), fail.clone()));
    tasks.spawn(watch_over(parts.clone(), fail));
}

/// Reports when the metadata log or the last log directory has failed.
async fn watch_over(parts: Arc<Parts>, fail: mpsc::Sender<String>) {
    loop {
        tokio::time::sleep(TICK).await;
        let verb = if parts.config.get().is_broker_only() { "followed" } else { "written" };
        let reason = match (parts.controller.failure(), parts.replicas.failure()) {
            (Some(why), _) => format!("the metadata log cannot be {verb} any more: {why}"),
            (None, Some(why)) => format!("all log directories are offline: {why}"),
            (None, None) => continue,
        };
        // The receiver is gone only if the broker is stopping anyway.
        let _ = fail.send(reason).await;
        return;
    }
}

/// Runs compaction on `log.cleaner.threads` threads; the number may change at any time.
async fn compact(parts: Arc<Parts>) {
    let mut threads: JoinSet<()> = JoinSet::new();
    loop {
        while threads.len() < parts.config.get().log_cleaner_threads as usize {
            threads.spawn(compact_once(parts.clone()));
        }
        tokio::select! {
            _ = threads.join_next(), if !threads.is_empty() => {}
            // The setting may change while all threads are busy.
            () = tokio::time::sleep(SETTINGS) => {}
        }
    }
}

/// Cleans once, `log.cleaner.backoff.ms` from now.
async fn compact_once(parts: Arc<Parts>) {
    let begun = Instant::now();
    let left = || {
        let pause_ms = parts.config.get().log_cleaner_backoff_ms.max(1) as u64;
        Duration::from_millis(pause_ms).saturating_sub(begun.elapsed())
    };
    while !left().is_zero() {
        tokio::time::sleep(left().min(SETTINGS)).await;
    }
    if tokio::task::spawn_blocking(move || parts.replicas.compact()).await.is_err() {
        error!("compaction panicked; it is tried again");
    }
}

/// Advances moves between log directories while there are any.
async fn move_logs(parts: Arc<Parts>) {
    loop {
        parts.replicas.has_moves().await;
        let moving = parts.clone();
        let moved = tokio::task::spawn_blocking(move || moving.replicas.move_logs(&moving.image));
        if moved.await.is_err() {
            error!("a move between log directories panicked; it is tried again");
        }
        tokio::time::sleep(MOVE).await;
    }
}

/// Asks the controller to change ISRs, whenever a partition wants that.
async fn send_isr_changes(parts: Arc<Parts>) {
    parts.replicas.send_isr_changes(&parts.controller, parts.broker_epoch).await;
}

/// Tells the controller in which log directories partitions are.
async fn tell_assigned(parts: Arc<Parts>) {
    loop {
        tokio::time::sleep(TICK).await;
        tell_assignments(&parts).await;
    }
}

/// Makes room on full disks, and lets other brokers lead meanwhile what is on them.
async fn watch_room(parts: Arc<Parts>, heartbeats: Arc<Heartbeats>) {
    loop {
        tokio::time::sleep(ROOM).await;
        let (parts, heartbeats) = (parts.clone(), heartbeats.clone());
        let watched = tokio::task::spawn_blocking(move || {
            let image = parts.image.load();
            heartbeats.set_full(parts.replicas.should_hand_over(&image));
            parts.replicas.watch_room(&image);
        });
        if watched.await.is_err() {
            error!("looking for room panicked; it is tried again");
        }
    }
}

/// Tells the controller which log directories have failed. If it cannot be told in time, it goes on
/// to believe that this broker leads what was there, so the broker must end.
async fn tell_failed(parts: Arc<Parts>, heartbeats: Arc<Heartbeats>, fail: mpsc::Sender<String>) {
    let mut untold_since = None;
    loop {
        tokio::time::sleep(TICK).await;
        let failed = parts.replicas.failed_directories();
        heartbeats.set_offline(&failed);
        let seen = heartbeats.seen();
        if failed.iter().all(|directory| seen.offline.contains(directory)) {
            untold_since = None;
            continue;
        }
        let since = *untold_since.get_or_insert_with(Instant::now);
        let patience_ms = parts.config.get().log_dir_failure_timeout_ms.max(1).unsigned_abs();
        if parts.controller.is_remote() && since.elapsed() >= Duration::from_millis(patience_ms) {
            let why = "no controller could be told of a failed log directory within";
            let _ = fail.send(format!("{why} log.dir.failure.timeout.ms={patience_ms}")).await;
            return;
        }
    }
}

/// Calls `work` on the blocking pool every `interval_ms`.
fn repeat(
    tasks: &mut JoinSet<()>,
    interval_ms: i64,
    parts: &Arc<Parts>,
    work: impl Fn(&Parts) + Send + Sync + Copy + 'static,
) {
    let parts = parts.clone();
    let pause = Duration::from_millis(interval_ms.max(1) as u64);
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            let parts = parts.clone();
            if tokio::task::spawn_blocking(move || work(&parts)).await.is_err() {
                error!("background work panicked; it is tried again");
            }
        }
    });
}
