//! The identity of this broker: its cluster, its log directories and its previous epoch.

use crate::config::Config;
use crate::controller;
use crate::error::{Error, Result};
use crate::log::manager::{LogDir, LogManager};
use crate::types::uuid_to_text;
use std::collections::BTreeMap;
use std::path::Path;
use tracing::info;
use uuid::Uuid;

/// The id of the cluster that the directories belong to; None if all of them are new. Refuses
/// directories that do not belong together.
pub(super) fn cluster_id(logs: &LogManager, config: &Config) -> Result<Option<String>> {
    let mut known = None;
    let mut ids: BTreeMap<Uuid, &LogDir> = BTreeMap::new();
    for dir in logs.all_dirs() {
        let Some(meta) = dir.meta() else { continue };
        if let Some(other) = ids.insert(meta.directory_id, dir) {
            return Err(refused(
                &format!(
                    "meta.properties of {} and of {} say the same directory.id={}: one is a copy",
                    other.path.display(),
                    dir.path.display(),
                    uuid_to_text(meta.directory_id)
                ),
                "Leave the copy out of log.dirs, or give it the id that it had.",
            ));
        }
        if meta.node_id != config.node_id {
            return Err(Error::Config(format!(
                "{}/meta.properties belongs to node.id={}, but node.id={} is configured. Set \
                 node.id={} or use other log.dirs.",
                dir.path.display(),
                meta.node_id,
                config.node_id,
                meta.node_id
            )));
        }
        match &known {
            None => known = Some(meta.cluster_id.clone()),
            Some(id) if *id == meta.cluster_id => {}
            Some(id) => {
                return Err(Error::Config(format!(
                    "log.dirs belong to two clusters: {}/meta.properties says cluster.id={}, \
                     another says {id}. Leave out the directory that does not belong here.",
                    dir.path.display(),
                    meta.cluster_id
                )));
            }
        }
    }
    Ok(known)
}

/// The id of a cluster that no directory knows yet: `CLUSTER_ID`, or else what the controllers say.
/// A node that is its own controller makes one up.
pub(super) async fn new_cluster_id(config: &Config) -> Result<String> {
    if let Some(given) = std::env::var("CLUSTER_ID").ok().filter(|id| !id.is_empty()) {
        return Ok(given);
    }
    if !config.is_broker_only() {
        return Ok(uuid_to_text(Uuid::new_v4()));
    }
    info!("log.dirs are not formatted: asking the controllers for their cluster.id");
    let learned = controller::ask_cluster_id(config).await;
    info!("the controllers have cluster.id={learned}: formatting log.dirs for it");
    Ok(learned)
}

/// The ids of all log directories, sorted as in Kafka.
pub(super) fn directory_ids(logs: &LogManager) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = logs.dirs().iter().filter_map(|dir| dir.id()).collect();
    ids.sort();
    ids
}

/// The id of the directory that holds the metadata log.
pub(super) fn metadata_directory_id(logs: &LogManager) -> Result<Uuid> {
    let dir = logs.metadata_dir();
    dir.id().ok_or_else(|| Error::Config(format!("{} cannot be used", dir.path.display())))
}

/// The epoch in which this broker last stopped cleanly; -1 unless every directory says the same. In a
/// cluster a directory that is offline may lack what others have, so none may be.
pub(super) fn previous_broker_epoch(logs: &LogManager, config: &Config) -> i64 {
    if config.is_broker_only() && logs.has_offline_dir() {
        return -1;
    }
    let mut epochs = logs.online_dirs().map(|dir| dir.clean_shutdown.unwrap_or(-1));
    let first = epochs.next().unwrap_or(-1);
    if epochs.all(|epoch| epoch == first) { first } else { -1 }
}

/// Logs which broker starts here, as context for everything that follows.
pub(super) fn introduce(config: &Config, cluster_id: &str, metadata_dir: &Path) {
    info!(
        "klamm {} starts as process {}: cluster.id={cluster_id}, node.id={}, process.roles={}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        config.node_id,
        config.process_roles.join(",")
    );
    let dirs = config.log_dirs.join(",");
    info!("data: log.dirs={dirs}, the metadata log in {}", metadata_dir.display());
}

/// The error of a start that is refused before anything was changed: what was found, and what to
/// do.
pub(super) fn refused(what: &str, remedy: &str) -> Error {
    Error::Config(format!("{what}. Nothing was changed. {remedy}"))
}
