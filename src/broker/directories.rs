//! Examines what a start finds in the log directories, and decides whether it may go on. Nothing is
//! changed here, nor before a refusal: a directory with partitions is neither formatted nor cleared
//! of stray logs unless the metadata log found is the one that governs them.

use super::identity::{self, refused};
use crate::config::Config;
use crate::controller::{DIR_NAME, Preview, preview};
use crate::error::Result;
use crate::log::Stopped;
use crate::log::manager::{Found, FoundFuture, LogDir, LogManager};
use crate::metadata::Topic;
use crate::types::{TopicPartition, uuid_to_text};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// The number of partitions that a message names; the rest are only counted.
const NAMED: usize = 3;
/// Smaller directory ids have special meanings (DirectoryId).
const FIRST_DIRECTORY_ID: u128 = 100;

/// Checks everything; returns the cluster id, None if there is none yet.
pub(super) fn check(logs: &LogManager, config: &Config) -> Result<Option<String>> {
    let cluster_id = identity::cluster_id(logs, config)?;
    check_metadata_location(logs)?;
    let metadata_dir = logs.metadata_dir();
    let preview = preview(logs.disk(), &metadata_dir.path, metadata_dir.stopped)?;
    let survey = Survey { logs, config, here: partitions(logs)?, preview: preview.as_ref() };
    survey.check_formatted(cluster_id.as_deref())?;
    if config.is_broker_only() {
        // The quorum has the metadata log: ours may be absent, behind, or cut, and is mended.
        survey.check_follower()?;
        return Ok(cluster_id);
    }
    survey.check_leader()?;
    match &preview {
        // Nothing is there but what formatting wrote, which Kafka puts into every directory.
        Some(preview) if !preview.is_begun && !survey.here.is_empty() => survey.check_new()?,
        None => survey.check_new()?,
        Some(preview) => {
            survey.check_whole(preview)?;
            survey.check_identities(preview)?;
            survey.check_strays(preview)?;
            survey.check_end(preview)?;
            survey.check_directory_ids(preview)?;
            survey.check_absent(preview)?;
            survey.tell_of_old_copies(preview);
        }
    }
    Ok(cluster_id)
}

/// Refuses a metadata log in the wrong directory, as Kafka does: a new cluster would begin beside
/// it.
fn check_metadata_location(logs: &LogManager) -> Result<()> {
    let wanted = &logs.metadata_dir().path;
    for dir in logs.online_dirs().filter(|dir| dir.path != *wanted) {
        if logs.disk().file_len(&dir.path.join(DIR_NAME))?.is_some() {
            let dir = dir.path.display();
            return Err(refused(
                &format!(
                    "the metadata log is in the wrong directory, {dir}/{}: it belongs in {}, \
                     which is metadata.log.dir, or else the first of log.dirs",
                    DIR_NAME,
                    wanted.display()
                ),
                &format!(
                    "Set metadata.log.dir={dir}, or name that directory first in log.dirs; if this \
                     metadata log is none of this broker's, move it away."
                ),
            ));
        }
    }
    Ok(())
}

/// A partition with a log in one of the log directories.
struct Here {
    partition: TopicPartition,
    /// None if `partition.metadata` does not say.
    topic_id: Option<Uuid>,
    dir: Arc<LogDir>,
    /// It is the copy of a move.
    is_future: bool,
}

fn partitions(logs: &LogManager) -> Result<Vec<Here>> {
    let mut here = Vec::new();
    for Found { partition, topic_id, dir } in logs.scan()? {
        here.push(Here { partition, topic_id, dir, is_future: false });
    }
    for FoundFuture { partition, topic_id, dir, .. } in logs.futures() {
        here.push(Here { partition, topic_id, dir, is_future: true });
    }
    Ok(here)
}

struct Survey<'a> {
    logs: &'a LogManager,
    config: &'a Config,
    here: Vec<Here>,
    preview: Option<&'a Preview>,
}

impl Survey<'_> {
    /// Refuses a directory that holds data but has no `meta.properties`.
    fn check_formatted(&self, cluster_id: Option<&str>) -> Result<()> {
        let metadata_dir = &self.logs.metadata_dir().path;
        let has_log = self.preview.is_some_and(|preview| preview.is_begun);
        for dir in self.logs.all_dirs().filter(|dir| !dir.is_offline() && dir.meta().is_none()) {
            let here: Vec<&Here> = self.here.iter().filter(|h| h.dir.path == dir.path).collect();
            let what = match (here.is_empty(), has_log && dir.path == *metadata_dir) {
                (true, false) => continue,
                (true, true) => "a metadata log".to_owned(),
                (false, false) => shown(&here),
                (false, true) => format!("a metadata log and {}", shown(&here)),
            };
            let id = self.missing_id(&here);
            return Err(refused(
                &format!("{} holds {what}, and has no meta.properties", dir.path.display()),
                &format!(
                    "Put the file back, with the lines version=1, cluster.id={}, node.id={} and \
                     directory.id={}; or move what lies there away.",
                    cluster_id.unwrap_or("<the id of the cluster>"),
                    self.config.node_id,
                    id.map_or("<the id that it had>".to_owned(), uuid_to_text),
                ),
            ));
        }
        Ok(())
    }

    /// Refuses to follow others with a metadata log that this node has led: they do not have it.
    fn check_follower(&self) -> Result<()> {
        let node_id = self.config.node_id;
        let Some(preview) = self.preview else { return Ok(()) };
        if preview.leader != Some(node_id) && !preview.voters.contains(&node_id) {
            return Ok(());
        }
        let dir = self.logs.metadata_dir().path.join(DIR_NAME);
        Err(refused(
            &format!(
                "{}: the metadata log here is that of a node with process.roles=broker,controller, \
                 whose only controller was node.id={node_id} itself",
                dir.display()
            ),
            "Start it with these roles again. If the controllers have taken this metadata log over, \
             move that directory away: it is fetched from them.",
        ))
    }

    /// Refuses to lead a metadata log that another node has led: a cluster would fall apart.
    fn check_leader(&self) -> Result<()> {
        let node_id = self.config.node_id;
        let leader = self.preview.and_then(|preview| preview.leader);
        let Some(leader) = leader.filter(|leader| *leader != node_id) else { return Ok(()) };
        let dir = self.logs.metadata_dir().path.join(DIR_NAME);
        Err(refused(
            &format!(
                "{}: node {leader} led this metadata log, so it is a broker's copy of a cluster's, \
                 and with process.roles=broker,controller this node would lead one of its own",
                dir.display()
            ),
            "Set process.roles=broker, and name the controllers in \
             controller.quorum.bootstrap.servers.",
        ))
    }

    /// The id of the directory with these partitions, as far as it can be inferred.
    fn missing_id(&self, here: &[&Here]) -> Option<Uuid> {
        let preview = self.preview?;
        let assigned = here.iter().find_map(|here| self.assigned(preview, here));
        assigned.filter(|id| !self.is_present(*id)).or_else(|| {
            let mut missing = self.registered(preview).iter().filter(|id| !self.is_present(**id));
            let first = missing.next();
            first.copied().filter(|_| missing.next().is_none())
        })
    }

    /// Allows a new cluster where there is no metadata log, unless there are partitions.
    fn check_new(&self) -> Result<()> {
        let metadata_dir = self.logs.metadata_dir().path.display();
        if !self.here.is_empty() {
            let here: Vec<&Here> = self.here.iter().collect();
            return Err(refused(
                &format!(
                    "{} are here, and the metadata log that knows them is not: {metadata_dir}/{} is \
                     missing or empty",
                    shown_with_dirs(&here),
                    DIR_NAME
                ),
                "If it lies in another directory, name that one in metadata.log.dir or first in \
                 log.dirs; if it is lost, restore it from a copy. To begin a new cluster, move the \
                 partitions away.",
            ));
        }
        match self.logs.dirs().iter().find(|dir| dir.is_offline()) {
            Some(dir) => Err(refused(
                &format!(
                    "{} cannot be used, and {metadata_dir} has no metadata log: nobody knows whether \
                     there is a cluster already",
                    dir.path.display()
                ),
                "Mend that directory or leave it out of log.dirs.",
            )),
            None => Ok(()),
        }
    }

    /// Refuses, after a clean stop, a metadata log that is damaged or outdated: what it lacks had
    /// been acknowledged. If only its last batch is incomplete, it may be used as in Kafka.
    fn check_whole(&self, preview: &Preview) -> Result<()> {
        let metadata_dir = self.logs.metadata_dir().path.display();
        let is_clean = self.logs.online_dirs().all(|dir| dir.clean_shutdown.is_some());
        if let Some(cut) = preview.cut.as_ref().filter(|_| is_clean)
            && !cut.is_torn(self.logs.disk())?
        {
            return Err(refused(
                &format!(
                    "The metadata log is damaged: {} has no sound batch at position {}, and the \
                     broker had been stopped cleanly",
                    cut.path.display(),
                    cut.position
                ),
                &format!(
                    "Restore it from a copy. To go on without what follows, cut the file there \
                     (truncate -s {}) and move later segments and snapshots away.",
                    cut.position
                ),
            ));
        }
        let (end, stopped) = (preview.image.offset, |dir: &&Arc<LogDir>| dir.clean_shutdown);
        let newer = self.logs.online_dirs().filter_map(|dir| Some((dir, stopped(&dir)?)));
        if let Some((dir, epoch)) = newer.into_iter().find(|(_, epoch)| *epoch > end) {
            return Err(refused(
                &format!(
                    "The metadata log in {metadata_dir} ends at offset {end}, but {} was in use until \
                     broker epoch {epoch} at least: it is an old copy, or another cluster's",
                    dir.path.display()
                ),
                "Put the newest metadata log in its place.",
            ));
        }
        Ok(())
    }

    /// Refuses a metadata log that has lost its end: what was acknowledged would be undone.
    fn check_end(&self, preview: &Preview) -> Result<()> {
        let Some((end, reached, witness)) = &preview.lost else { return Ok(()) };
        let dir = self.logs.metadata_dir().path.join(DIR_NAME);
        Err(refused(
            &format!(
                "{}: the metadata log ends at offset {end}, and {witness} shows that it had records up \
                 to {reached}. What was created, set or deleted there would be undone, and the records \
                 of such topics lost with it",
                dir.display()
            ),
            &format!(
                "Put the .log files back from a copy of this directory; or, to start with what is left, \
                 move {witness} away."
            ),
        ))
    }

    /// Withholds a log with records that lost its `partition.metadata`, or has one of a topic that
    /// never was: it would be set aside as a stray, and an empty log would replace it.
    fn check_identities(&self, preview: &Preview) -> Result<()> {
        for here in self.here.iter().filter(|here| !here.is_future) {
            let Some(topic) = preview.image.topics.by_name(&here.partition.topic) else { continue };
            let Some(what) = self.foreign_identity(preview, here, topic) else { continue };
            let path = here.dir.path.join(here.partition.to_string());
            if self.logs.has_records(&path)? {
                let id = uuid_to_text(topic.id);
                let path = path.display();
                self.logs.withhold(
                    &here.partition,
                    format!(
                        "log {path}: it has records and {what}, so nothing was changed and this \
                         partition stays offline. If the records are of the topic {}, put the lines \
                         version: 0 and topic_id: {id} into {path}/partition.metadata; otherwise \
                         move the directory away. Then start again.",
                        topic.name
                    ),
                );
            }
        }
        Ok(())
    }

    /// What is wrong with the topic id of a log under the name of `topic`; None if it is right or
    /// something else explains it: a power loss, a deleted topic, a log in another directory.
    fn foreign_identity(&self, preview: &Preview, here: &Here, topic: &Topic) -> Option<String> {
        let registration = topic.partition(here.partition.partition)?;
        let Some(id) = here.topic_id else {
            let may_be_lost = here.dir.stopped == Stopped::Unknown;
            return (!may_be_lost).then(|| "no partition.metadata".to_owned());
        };
        let assigned = registration.directory_of(self.config.node_id).filter(is_directory);
        let is_explained = id == topic.id
            || preview.deleted_topics.contains(&id)
            || assigned.is_some_and(|assigned| here.dir.id() != Some(assigned));
        (!is_explained).then(|| format!("the topic id {}", uuid_to_text(id)))
    }

    /// Allows logs to be set aside as strays only if this metadata log governed their directory.
    fn check_strays(&self, preview: &Preview) -> Result<()> {
        let (known, unknown): (Vec<&Here>, Vec<&Here>) =
            self.here.iter().partition(|here| is_known(preview, here));
        if unknown.is_empty() {
            return Ok(());
        }
        let registered = self.registered(preview);
        let is_ruled = |dir: &LogDir| {
            dir.id().is_some_and(|id| registered.contains(&id))
                || known.iter().any(|here| here.dir.path == dir.path)
        };
        let metadata_dir = self.logs.metadata_dir().path.display();
        let why = if let Some(cut) = &preview.cut {
            let (path, at) = (cut.path.display(), cut.position);
            format!("it is damaged: {path} has no sound batch at position {at}")
        } else if known.is_empty() {
            "it knows none of all the partitions here: it is not the one that they belong to"
                .to_owned()
        } else if let Some(here) = unknown.iter().find(|here| !is_ruled(&here.dir)) {
            let dir = here.dir.path.display();
            format!("{dir} is not a directory that it has seen")
        } else {
            return Ok(());
        };
        Err(refused(
            &format!(
                "The metadata log in {metadata_dir} does not know {}, and {why}",
                shown_with_dirs(&unknown)
            ),
            "Put the right metadata log in its place. To go on without these partitions, move them \
             away.",
        ))
    }

    /// Refuses a directory that holds the partitions of a missing one: it must have had that one's
    /// id.
    fn check_directory_ids(&self, preview: &Preview) -> Result<()> {
        let registered = self.registered(preview);
        if registered.is_empty() || self.logs.has_offline_dir() {
            return Ok(());
        }
        for here in &self.here {
            let Some(meta) = here.dir.meta() else { continue };
            let assigned = self.assigned(preview, here).filter(|id| !self.is_present(*id));
            if let Some(assigned) = assigned.filter(|_| !registered.contains(&meta.directory_id)) {
                let dir = here.dir.path.display();
                let (assigned, id) = (uuid_to_text(assigned), uuid_to_text(meta.directory_id));
                let id =
                    if meta.is_written { &format!("directory.id={id}") } else { "no directory.id" };
                return Err(refused(
                    &format!(
                        "{dir}/meta.properties says {id}, but by the metadata log {} \
                         lies in the directory {assigned}, which none of log.dirs is",
                        here.partition
                    ),
                    &format!("Write directory.id={assigned} into {dir}/meta.properties."),
                ));
            }
        }
        Ok(())
    }

    /// Warns of partitions whose log is missing, alone or with its directory: they begin anew. If
    /// another directory is missing too or empty, perhaps because a disk is not mounted, the start
    /// is refused.
    fn check_absent(&self, preview: &Preview) -> Result<()> {
        let registered = self.registered(preview).iter().copied();
        let missing: Vec<Uuid> = registered.filter(|id| !self.is_present(*id)).collect();
        // The controller may not have been told yet where the partition is.
        let lies_in = |assigned: &Uuid| match is_directory(assigned) {
            true => vec![*assigned],
            false => missing.clone(),
        };
        let lies_elsewhere =
            |assigned: &Uuid| lies_in(assigned).iter().any(|id| !self.is_present(*id));
        let (absent, gone): (Vec<_>, Vec<_>) =
            self.without_log(preview).into_iter().partition(|(_, dir)| lies_elsewhere(dir));
        // While a directory is offline, they wait for it.
        if !absent.is_empty() && !self.logs.has_offline_dir() {
            let ids: BTreeSet<_> = absent.iter().flat_map(|(_, dir)| lies_in(dir)).collect();
            let ids: Vec<_> = ids.into_iter().map(uuid_to_text).collect();
            let absent = count(absent.iter().map(|(partition, _)| partition));
            let what =
                format!("The directory {} is not here, and with it {absent}", ids.join(", "));
            if let Some(empty) = self.logs.online_dirs().find(|dir| dir.meta().is_none()) {
                let is_there = self.logs.disk().file_len(&empty.path)?.is_some();
                let state =
                    if is_there { "empty, as if its disk were not mounted" } else { "missing" };
                return Err(refused(
                    &format!("{what}; {} is {state}", empty.path.display()),
                    "If the records are lost, leave that directory out of log.dirs for one start: \
                     the partitions begin anew, empty, in the others.",
                ));
            }
            tracing::warn!("{what}: begun anew, empty, in the other directories");
        }
        self.tell_gone(gone);
        Ok(())
    }

    /// Warns of directories that were last stopped cleanly in an earlier life of this broker than its
    /// latest.
    fn tell_of_old_copies(&self, preview: &Preview) {
        let known = preview.image.brokers.get(&self.config.node_id).map(|broker| broker.epoch);
        let epoch_of = |dir: &LogDir| dir.clean_shutdown.filter(|epoch| *epoch >= 0);
        let stopped = self.logs.online_dirs().filter_map(|dir| Some((dir, epoch_of(dir)?)));
        let stopped: Vec<_> = stopped.collect();
        let Some(latest) = stopped.iter().map(|(_, epoch)| *epoch).chain(known).max() else {
            return;
        };
        for (dir, epoch) in stopped.iter().filter(|(_, epoch)| *epoch < latest) {
            tracing::warn!(
                "{} was last stopped cleanly in broker epoch {epoch}, and this broker last ran in \
                 epoch {latest}: if the directory comes from a copy, what was written since is \
                 missing; if it was offline or left out of log.dirs meanwhile, all is well",
                dir.path.display()
            );
        }
    }

    /// This broker's partitions that have no log, with their directories in the metadata log.
    fn without_log(&self, preview: &Preview) -> Vec<(TopicPartition, Uuid)> {
        let here: BTreeSet<&TopicPartition> = self.here.iter().map(|h| &h.partition).collect();
        let mut without = Vec::new();
        for topic in preview.image.topics.iter() {
            for (partition, index) in topic.partitions.iter().zip(0..) {
                let name = TopicPartition::new(Arc::clone(&topic.name), index);
                if let Some(dir) = partition.directory_of(self.config.node_id)
                    && !here.contains(&name)
                    && !self.logs.has_log(&name)
                {
                    without.push((name, dir));
                }
            }
        }
        without
    }

    /// Warns of logs that somebody has removed from the directories that are here.
    fn tell_gone(&self, mut gone: Vec<(TopicPartition, Uuid)>) {
        // Others wait for a directory that is offline, or something else is in their place, which
        // opening them will report.
        gone.retain(|(partition, dir)| {
            (!self.logs.has_offline_dir() || self.logs.online_dir(*dir).is_some())
                && !self.logs.is_name_taken(partition)
        });
        gone.retain(|(partition, _)| match self.logs.checkpointed_end(partition) {
            Some((dir, end)) => {
                tracing::warn!(
                    "{}/{partition} is missing, which had records up to offset {end}: its log \
                     starts again at offset 0",
                    dir.path.display()
                );
                false
            }
            None => true,
        });
        if !gone.is_empty() {
            tracing::warn!(
                "No directory has the log of {}: offsets begin at 0 there, and records that it had \
                 are lost",
                count(gone.iter().map(|(partition, _)| partition))
            );
        }
    }

    /// The directory that holds a partition according to the metadata log.
    fn assigned(&self, preview: &Preview, here: &Here) -> Option<Uuid> {
        let partition = preview.image.topics.partition(here.topic_id?, here.partition.partition)?;
        partition.directory_of(self.config.node_id).filter(is_directory)
    }

    /// The directories that this broker last registered.
    fn registered<'a>(&self, preview: &'a Preview) -> &'a [Uuid] {
        preview.image.brokers.get(&self.config.node_id).map_or(&[], |broker| &broker.log_dirs)
    }

    fn is_present(&self, id: Uuid) -> bool {
        self.logs.dirs().iter().any(|dir| dir.id() == Some(id))
    }
}

fn is_directory(id: &Uuid) -> bool {
    id.as_u128() >= FIRST_DIRECTORY_ID
}

/// Whether the metadata log explains this log: its topic exists or was deleted. A log that was
/// still being created when the process ended is recognized by its name.
fn is_known(preview: &Preview, here: &Here) -> bool {
    let topics = &preview.image.topics;
    match here.topic_id {
        Some(id) => topics.by_id(id).is_some() || preview.deleted_topics.contains(&id),
        None => topics.by_name(&here.partition.topic).is_some(),
    }
}

fn shown(here: &[&Here]) -> String {
    count(here.iter().map(|here| &here.partition))
}

fn shown_with_dirs(here: &[&Here]) -> String {
    let dirs: BTreeSet<&Path> = here.iter().map(|here| &*here.dir.path).collect();
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    format!("{} in {}", shown(here), dirs.join(", "))
}

/// For example `4 partitions (a-0, a-1, b-0 and others)`.
fn count<'a>(partitions: impl ExactSizeIterator<Item = &'a TopicPartition>) -> String {
    let count = partitions.len();
    let names: Vec<_> = partitions.take(NAMED).map(ToString::to_string).collect();
    let more = if count > NAMED { " and others" } else { "" };
    let noun = if count == 1 { "partition" } else { "partitions" };
    format!("{count} {noun} ({}{more})", names.join(", "))
}
