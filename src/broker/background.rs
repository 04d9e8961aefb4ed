//! What runs from time to time beside the clients' requests.

use super::lifecycle::heartbeat;
use crate::handlers::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::error;

/// How often a full disk is looked for, and room on it.
const ROOM_MS: i64 = 200;
/// How often deleted logs are looked for whose time has come.
const DELETE_MS: i64 = 1_000;
/// How often moves between log directories are taken on.
const MOVE: Duration = Duration::from_millis(100);
/// How often logs that were made many at once are made durable.
const SYNC_MS: i64 = 500;
/// How often it is looked whether the metadata log or log directories have failed.
const TICK: Duration = Duration::from_millis(100);

/// What runs from time to time: heartbeats, checkpoints, retention.
pub(super) fn start(parts: &Arc<Parts>, tasks: &mut JoinSet<()>, fail: mpsc::Sender<String>) {
    let config = &parts.config;
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
    repeat(tasks, ROOM_MS, parts, |parts| parts.replicas.watch_room(&parts.image.load()));
    repeat(tasks, SYNC_MS, parts, |parts| parts.replicas.sync_new_logs());
    tasks.spawn(move_logs(parts.clone()));
    tasks.spawn(heartbeat(parts.clone()));
    tasks.spawn(tell_directories(parts.clone()));
    tasks.spawn(watch_over(parts.clone(), fail));
}

/// Tells when the metadata log or the last log directory is lost.
async fn watch_over(parts: Arc<Parts>, fail: mpsc::Sender<String>) {
    loop {
        tokio::time::sleep(TICK).await;
        let reason = match parts.controller.check() {
            Err(error) => format!("the metadata log cannot be written any more: {error}"),
            Ok(()) if parts.replicas.is_offline() => {
                "all log directories are offline; see the errors above".to_owned()
            }
            Ok(()) => continue,
        };
        // The receiver is gone only when the broker stops anyway.
        let _ = fail.send(reason).await;
        return;
    }
}

/// Compaction, on as many threads as `log.cleaner.threads` says at the time.
async fn compact(parts: Arc<Parts>) {
    let mut threads: JoinSet<()> = JoinSet::new();
    loop {
        let config = parts.replicas.config();
        let pause = Duration::from_millis(config.log_cleaner_backoff_ms.max(1) as u64);
        while threads.len() < config.log_cleaner_threads.max(0) as usize {
            let parts = parts.clone();
            threads.spawn(async move {
                tokio::time::sleep(pause).await;
                if tokio::task::spawn_blocking(move || parts.replicas.compact()).await.is_err() {
                    error!("compaction panicked; it is tried again");
                }
            });
        }
        // The settings may change while all of them are busy.
        tokio::select! {
            _ = threads.join_next(), if !threads.is_empty() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes moves between log directories on while there are some.
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

/// Tells the controller where the partitions lie and which log directories have failed.
async fn tell_directories(parts: Arc<Parts>) {
    let mut told = Vec::new();
    loop {
        tokio::time::sleep(TICK).await;
        let (id, epoch) = (parts.config.node_id, parts.broker_epoch);
        while let Some(request) = parts.replicas.next_assignments(epoch) {
            if let Err(error) = parts.controller.assign_replicas(request).await {
                error!(%error, "the controller refused to hear where partitions lie");
            }
        }
        let failed = parts.replicas.failed_directories();
        if failed != told {
            match parts.controller.lose_directories(id, epoch, failed.clone()).await {
                Ok(()) => told = failed,
                Err(error) => error!(%error, "the controller refused a failed directory"),
            }
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
