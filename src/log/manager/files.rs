//! `meta.properties` and `.kafka_cleanshutdown` of a log directory (MetaProperties,
//! CleanShutdownFileHandler).

use super::super::leftovers;
use super::super::names::{DELETE, parse_dir_name};
use super::MetaProperties;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{uuid_from_text, uuid_to_text};
use std::collections::HashMap;
use std::path::Path;
use uuid::Uuid;

const META_PROPERTIES: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// The first ids have special meanings in Kafka (DirectoryId).
const RESERVED_DIRECTORY_IDS: u128 = 100;

/// Ensures at start that there is room to write: creates the reserve or, on a full disk, releases
/// it; without one, removes files that are already marked as deleted.
pub(super) fn make_room(disk: &Disk, dir: &Path) -> Result<()> {
    if disk.settle_reserve(dir)? {
        return Ok(());
    }
    tracing::warn!(dir = %dir.display(), "the disk is full: producers are refused until it is not");
    for name in disk.list_dirs(dir)? {
        let log = dir.join(&name);
        match parse_dir_name(&name) {
            Some((_, Some(DELETE))) => disk.remove_dir_all(&log)?,
            Some((_, None)) => {
                let names = match disk.list(&log) {
                    // Opening the log will report this.
                    Err(Error::Corrupt { .. }) => continue,
                    names => names?,
                };
                for file in names.iter().filter(|name| leftovers::is_deleted(name)) {
                    disk.remove_file(&log.join(file))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A random directory id, avoiding those that Kafka avoids.
pub(super) fn new_directory_id() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        // A leading dash would look like an option on a command line.
        if id.as_u128() >= RESERVED_DIRECTORY_IDS && !uuid_to_text(id).starts_with('-') {
            return id;
        }
    }
}

/// Reads `meta.properties`; None if there is no such file.
pub(super) fn read_meta_properties(disk: &Disk, dir: &Path) -> Result<Option<MetaProperties>> {
    let path = dir.join(META_PROPERTIES);
    let Some(bytes) = disk.read_file(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let properties: HashMap<&str, &str> = text.lines().filter_map(property).collect();
    let wrong = |what: &str| {
        Error::Config(format!(
            "{}: {what}. Nothing was changed. Put the file back from a copy. Or move it away and start \
             again: the start then says which lines it has to have.",
            path.display()
        ))
    };
    let get = |key| properties.get(key).copied();
    match get("version") {
        Some("1") => {}
        Some(version) => return Err(Error::unknown_version(&path, version, "1")),
        None => return Err(wrong("no version")),
    }
    let directory_id = match get("directory.id") {
        Some(id) => uuid_from_text(id).ok_or_else(|| wrong("its directory.id is no id"))?,
        None => new_directory_id(),
    };
    Ok(Some(MetaProperties {
        cluster_id: get("cluster.id").ok_or_else(|| wrong("no cluster.id"))?.to_owned(),
        node_id: get("node.id")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| wrong("no node.id"))?,
        directory_id,
        is_written: properties.contains_key("directory.id"),
    }))
}

/// Parses a line of a Java properties file, as far as ids and numbers need it.
fn property(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    if line.starts_with(['#', '!']) {
        return None;
    }
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// Writes `meta.properties`.
pub(super) fn write_meta_properties(disk: &Disk, dir: &Path, meta: &MetaProperties) -> Result<()> {
    let text = format!(
        "#\nversion=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
        meta.cluster_id,
        meta.node_id,
        uuid_to_text(meta.directory_id)
    );
    disk.replace_file(&dir.join(META_PROPERTIES), text.as_bytes())
}

/// The broker epoch in `.kafka_cleanshutdown`, -1 if it cannot be read; None if there is no such
/// file.
pub(super) fn read_clean_shutdown(disk: &Disk, dir: &Path) -> Result<Option<i64>> {
    let path = dir.join(CLEAN_SHUTDOWN);
    let Some(bytes) = disk.read_file(&path)? else { return Ok(None) };
    let json: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let number = |key: &str| json.as_ref().and_then(|json| json.get(key)?.as_i64());
    match number("version") {
        Some(0) | None => Ok(Some(number("brokerEpoch").unwrap_or(-1))),
        Some(version) => Err(Error::unknown_version(&path, version, "0")),
    }
}

/// Deletes `.kafka_cleanshutdown`: until it is written again, a stop counts as unclean. A process
/// that was killed may have deleted the file without making that durable, so the directory is
/// synced in any case.
pub(super) fn remove_clean_shutdown(disk: &Disk, dir: &Path) -> Result<()> {
    disk.remove_file(&dir.join(CLEAN_SHUTDOWN))?;
    disk.sync_dir(dir)
}

/// Writes `.kafka_cleanshutdown`.
pub(super) fn write_clean_shutdown(disk: &Disk, dir: &Path, broker_epoch: i64) -> Result<()> {
    let text = format!(r#"{{"version":0,"brokerEpoch":{broker_epoch}}}"#);
    disk.replace_file(&dir.join(CLEAN_SHUTDOWN), text.as_bytes())
}
