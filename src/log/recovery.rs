//! Opening a log: what a crash or an unfinished compaction left is put right (LogLoader).

use super::leader_epoch::LeaderEpochs;
use super::names::{file_name, parse_dir_name, parse_file_name};
use super::producer_state::{ProducerStates, SNAPSHOT};
use super::retention::{DELETED, Trash};
use super::scan::Batches;
use super::segment::{self, SUFFIXES, Segment};
use super::transaction_index::{self, AbortedTransaction, TransactionIndex};
use super::{Log, OpenOptions, Origin, Verification, offset_index, put_off};
use crate::config::TopicConfig;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::{Offset, Timestamp};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file of an unfinished compaction.
pub(super) const CLEANED: &str = ".cleaned";
/// A file of a finished compaction that is not renamed yet.
pub(super) const SWAP: &str = ".swap";
/// Snapshots of the metadata log are not ours to remove.
const CHECKPOINT_DELETED: &str = ".checkpoint.deleted";

/// Opens or makes the log in `dir`.
pub(super) fn open(disk: &Disk, dir: &Path, options: OpenOptions) -> Result<Log> {
    let name = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let Some((partition, _)) = parse_dir_name(&name) else {
        return Err(Error::Config(format!("{} is no partition's directory", dir.display())));
    };
    let names = match disk.list(dir) {
        Err(Error::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            disk.create_dir_all(dir)?;
            None
        }
        names => Some(names?),
    };
    let is_dir_durable = names.is_some() && (options.clean || options.recovery_point > 0);
    let dir: Arc<Path> = dir.into();
    let names = remove_leftovers(disk, &dir, names.unwrap_or_default())?;
    let snapshots = names.iter().filter_map(|name| parse_file_name(name, SNAPSHOT)).collect();
    let mut loader = Loader {
        disk,
        epochs: LeaderEpochs::open(disk, &dir)?,
        producers: ProducerStates::new(disk, &dir, options.producer_id_expiration_ms, snapshots),
        dir,
        segments: Vec::new(),
        options,
    };
    let broken = loader.find_segments(&names)?;
    loader.recover(&broken)?;
    let end_offset = loader.find_end()?;
    let log = loader.finish(partition, end_offset)?;
    Ok(Log { is_dir_durable, ..log })
}

struct Loader<'a> {
    disk: &'a Disk,
    dir: Arc<Path>,
    options: OpenOptions,
    segments: Vec<Segment>,
    epochs: LeaderEpochs,
    producers: ProducerStates,
}

impl Loader<'_> {
    /// Opens the segments by the names in the directory; indexes without a `.log` are removed.
    /// Answers the base offsets of the segments whose indexes are missing or broken.
    fn find_segments(&mut self, names: &[String]) -> Result<BTreeSet<Offset>> {
        let has = |name: &str| names.binary_search_by(|n| n.as_str().cmp(name)).is_ok();
        let mut broken = BTreeSet::new();
        for name in names {
            if let Some(base_offset) = parse_file_name(name, segment::SUFFIX) {
                let now = self.options.now;
                let mut segment = Segment::open(self.disk, &self.dir, base_offset, now)?;
                if !has(&file_name(base_offset, offset_index::SUFFIX)) {
                    broken.insert(base_offset);
                }
                if has(&file_name(base_offset, transaction_index::SUFFIX)) {
                    match TransactionIndex::open(self.disk, &self.dir, base_offset) {
                        Ok(index) => segment.transaction_index = index,
                        Err(Error::Corrupt { .. }) => drop(broken.insert(base_offset)),
                        Err(error) => return Err(error),
                    }
                }
                self.segments.push(segment);
            } else if let Some(base) = SUFFIXES.iter().find_map(|s| parse_file_name(name, s))
                && !has(&file_name(base, segment::SUFFIX))
            {
                tracing::warn!(dir = %self.dir.display(), name, "removed an index without a log");
                self.disk.remove_file(&self.dir.join(name))?;
            }
        }
        Ok(broken)
    }

    /// Rebuilds the broken segments and, after an unclean stop, all from the one that holds the
    /// recovery point on. What lies behind a bad batch there is cut off and the later segments are
    /// removed: they were never durable.
    fn recover(&mut self, broken: &BTreeSet<Offset>) -> Result<()> {
        let point = self.options.recovery_point;
        let floor = self.segments.iter().rposition(|segment| segment.base_offset() <= point);
        let unflushed = if self.options.clean { usize::MAX } else { floor.unwrap_or(0) };
        let mut index = 0;
        while index < self.segments.len() {
            let base_offset = self.segments[index].base_offset();
            if index < unflushed && !broken.contains(&base_offset) {
                index += 1;
                continue;
            }
            rebuild_producers(
                &mut self.producers,
                &self.segments[..index],
                self.options.log_start_offset,
                base_offset,
                self.options.now,
                false,
            )?;
            let is_active = index + 1 == self.segments.len();
            let segment = &mut self.segments[index];
            let config = &self.options.config;
            let cut = recover_segment(segment, config, &mut self.producers, &mut self.epochs)?;
            let sealed = segment.seal();
            if is_active {
                put_off(sealed)?
            } else {
                sealed?;
                if index < unflushed {
                    // No flush goes so far back.
                    segment.sync()?;
                }
            }
            put_off(self.producers.take_snapshot())?;
            index += 1;
            if cut > 0 {
                tracing::warn!(dir = %self.dir.display(), base_offset, bytes = cut,
                    "cut a segment at its first bad batch");
                // What is cut off must not come back behind what is appended now.
                self.segments[index - 1].file()?.sync_data()?;
                if index > unflushed {
                    self.remove_segments(index)?;
                    self.disk.sync_dir(&self.dir)?;
                }
            }
        }
        Ok(())
    }

    fn remove_segments(&mut self, from: usize) -> Result<()> {
        for segment in self.segments.drain(from..) {
            tracing::warn!(dir = %self.dir.display(), base_offset = segment.base_offset(),
                "removed a segment behind the first bad batch");
            for suffix in SUFFIXES {
                self.disk.remove_file(&segment.path(suffix))?;
            }
            self.producers.remove_snapshot(segment.base_offset())?;
        }
        Ok(())
    }

    /// Where the log ends. One that ends before it begins (its files were deleted) begins anew.
    fn find_end(&mut self) -> Result<Offset> {
        let log_start_offset = self.options.log_start_offset;
        let end_offset = match self.segments.last() {
            Some(last) => last.read_end_offset()?,
            None => -1,
        };
        if end_offset >= log_start_offset {
            return Ok(end_offset);
        }
        // Made before the others go: its name tells where the log begins.
        let now = self.options.now;
        let anew = Segment::create(self.disk, &self.dir, log_start_offset, now)?;
        if !self.segments.is_empty() {
            tracing::warn!(dir = %self.dir.display(), end_offset, log_start_offset,
                "the log ends before its start offset: all segments are removed");
            self.remove_segments(0)?;
            self.epochs.clear()?;
            self.producers.truncate_fully(log_start_offset)?;
        }
        self.segments.push(anew);
        Ok(log_start_offset)
    }

    fn finish(
        mut self,
        partition: crate::types::TopicPartition,
        end_offset: Offset,
    ) -> Result<Log> {
        let options = &self.options;
        self.epochs.truncate_from_end(end_offset)?;
        self.epochs.truncate_from_start(options.log_start_offset)?;
        let log_start_offset = options.log_start_offset.max(self.segments[0].base_offset());
        let base_offsets = self.segments.iter().map(Segment::base_offset).collect();
        self.producers.remove_stray_snapshots(&base_offsets)?;
        rebuild_producers(
            &mut self.producers,
            &self.segments,
            log_start_offset,
            end_offset,
            options.now,
            options.clean,
        )?;
        let recovery_point =
            if options.clean { end_offset } else { options.recovery_point.min(end_offset) };
        let last = &self.segments[self.segments.len() - 1];
        if !options.clean && recovery_point == end_offset && last.size() > 0 {
            // If the next append rolls, nobody looks at this segment after the next crash.
            last.sync()?;
        }
        let durable = self.segments.partition_point(|s| s.base_offset() <= recovery_point);
        let first_unsynced = self.segments[durable.saturating_sub(1)].base_offset();
        Ok(Log {
            disk: self.disk.clone(),
            dir: self.dir,
            partition,
            topic_id: None,
            config: self.options.config,
            segments: self.segments,
            epochs: self.epochs,
            producers: self.producers,
            log_start_offset,
            end_offset,
            high_watermark: log_start_offset,
            recovery_point,
            first_unsynced,
            durable_name: -1,
            is_dir_durable: false,
            was_clean: self.options.clean,
            is_closed: false,
            roll_jitter_ms: 0,
            trash: Trash::default(),
            truncations: 0,
            cut_to: Offset::MAX,
            now: self.options.now,
        })
    }
}

/// Whether a file of this name in a log's directory waits for nothing but its removal.
pub(super) fn is_deleted(name: &str) -> bool {
    name.ends_with(DELETED) && !name.ends_with(CHECKPOINT_DELETED)
}

/// Removes deleted files and unfinished compactions, finishes finished ones. Answers the names
/// that are left.
fn remove_leftovers(disk: &Disk, dir: &Path, names: Vec<String>) -> Result<Vec<String>> {
    let is_leftover =
        |name: &str| is_deleted(name) || name.ends_with(CLEANED) || name.ends_with(SWAP);
    if !names.iter().any(|name| is_leftover(name)) {
        return Ok(names);
    }
    let offset_of = |name: &str| name.get(..20).and_then(|digits| digits.parse::<Offset>().ok());
    let cleaned = names.iter().filter(|name| name.ends_with(CLEANED));
    let min_cleaned = cleaned.filter_map(|name| offset_of(name)).min().unwrap_or(Offset::MAX);
    for name in names.iter().filter(|name| is_leftover(name)) {
        // Swap files beside cleaned ones are of a split that is not finished.
        let finished =
            name.ends_with(SWAP) && offset_of(name).is_some_and(|offset| offset < min_cleaned);
        if !finished {
            disk.remove_file(&dir.join(name))?;
        }
    }
    finish_swaps(disk, dir, disk.list(dir)?)?;
    disk.list(dir)
}

/// Segments that were compacted into a `.swap` segment are removed; then it takes its name.
fn finish_swaps(disk: &Disk, dir: &Path, names: Vec<String>) -> Result<()> {
    let swap_log = format!("{}{SWAP}", segment::SUFFIX);
    let (mut first, mut end) = (Offset::MAX, Offset::MIN);
    for (name, base_offset) in
        names.iter().filter_map(|name| Some((name, parse_file_name(name, &swap_log)?)))
    {
        let path = dir.join(name);
        let file = disk.open(&path)?;
        let mut batches = Batches::new(&file, 0, file.len()?);
        first = first.min(base_offset);
        end = end.max(base_offset);
        while let Some(batch) = batches.next()? {
            end = end.max(batch.next_offset());
        }
    }
    for name in names.iter().filter(|name| !name.ends_with(SWAP)) {
        let parsed = SUFFIXES.iter().chain([&SNAPSHOT]).find_map(|s| parse_file_name(name, s));
        if parsed.is_some_and(|offset| (first..end).contains(&offset)) {
            disk.remove_file(&dir.join(name))?;
        }
    }
    for name in &names {
        if let Some(stripped) = name.strip_suffix(SWAP) {
            disk.rename_unsynced(&dir.join(name), &dir.join(stripped))?;
        }
    }
    disk.sync_dir(dir)
}

/// Reads a segment from its first batch on, rebuilds its indexes, notes its epochs and producers,
/// and cuts it at the first batch that is not whole and sound. Answers how many bytes were cut.
fn recover_segment(
    segment: &mut Segment,
    config: &TopicConfig,
    producers: &mut ProducerStates,
    epochs: &mut LeaderEpochs,
) -> Result<u64> {
    let file = segment.file()?.clone();
    let len = segment.size();
    segment.reset()?;
    let mut batches = Batches::new(&file, 0, len);
    let mut next_offset = segment.base_offset();
    let mut epochs_changed = false;
    loop {
        let batch = match batches.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error @ (Error::Disk { .. } | Error::Config(_))) => return Err(error),
            Err(_) => break,
        };
        let sound = batch.checksum_holds()
            && batch.base_offset() >= next_offset
            && segment.can_hold(batch.last_offset());
        if !sound {
            break;
        }
        let Ok(aborted) = replay_producers(producers, &batch) else { break };
        for aborted in aborted {
            segment.transaction_index.append(aborted)?;
        }
        let bytes = batches.position - segment.size();
        segment.admit(&batch, bytes, config.index_interval_bytes as u64)?;
        if batch.leader_epoch() > epochs.latest() {
            epochs_changed |= epochs.enter(batch.leader_epoch(), batch.base_offset());
        }
        next_offset = batch.next_offset();
    }
    if epochs_changed {
        epochs.write()?;
    }
    let cut = len - segment.size();
    if cut > 0 {
        segment.trim_file()?;
    }
    Ok(cut)
}

/// Enters a batch that was accepted once into the producers' state. Answers the aborted
/// transactions that end with it.
fn replay_producers(
    producers: &mut ProducerStates,
    batch: &Batch,
) -> Result<Vec<AbortedTransaction>> {
    let mut aborted = Vec::new();
    if batch.has_producer_id() {
        let staged = producers.check(
            std::slice::from_ref(batch),
            Origin::Replication,
            Verification::NotNeeded,
        )?;
        for completed in producers.commit(staged) {
            let last_stable_offset = producers.complete(&completed);
            aborted.extend(completed.aborted.then_some(AbortedTransaction {
                producer_id: completed.producer_id,
                first_offset: completed.first_offset,
                last_offset: completed.last_offset,
                last_stable_offset,
            }));
        }
    }
    producers.set_end(batch.next_offset());
    Ok(aborted)
}

/// Brings the producers to `end_offset`: from the latest snapshot, then by reading the log. Writes
/// the snapshots that Kafka would have there (UnifiedLog.rebuildProducerState).
pub(super) fn rebuild_producers(
    producers: &mut ProducerStates,
    segments: &[Segment],
    log_start_offset: Offset,
    end_offset: Offset,
    now: Timestamp,
    clean: bool,
) -> Result<()> {
    let last_two = &segments[segments.len().saturating_sub(2)..];
    let snapshot_at: Vec<Offset> = last_two.iter().map(Segment::base_offset).collect();
    if clean && !producers.has_snapshots() {
        // Written by a broker before snapshots existed: there were no producers.
        for offset in snapshot_at.into_iter().chain([end_offset]) {
            producers.set_end(offset);
            put_off(producers.take_snapshot())?;
        }
        return Ok(());
    }
    let nothing_to_read = producers.is_empty() && producers.end() >= end_offset;
    producers.truncate_and_reload(log_start_offset, end_offset, now)?;
    if end_offset > producers.end() && !nothing_to_read {
        for (index, segment) in segments.iter().enumerate() {
            let segment_end = segments.get(index + 1).map_or(end_offset, Segment::base_offset);
            if segment_end <= producers.end() || segment.base_offset() >= end_offset {
                continue;
            }
            let from = segment.base_offset().max(producers.end()).max(log_start_offset);
            producers.set_end(from);
            if snapshot_at.contains(&segment.base_offset()) {
                put_off(producers.take_snapshot())?;
            }
            let Some(first) = segment.locate(from)? else { continue };
            let mut batches = segment.batches_from(first.position)?;
            while let Some(batch) = batches.next()?
                && batch.last_offset() < end_offset
            {
                replay_producers(producers, &batch)?;
            }
        }
    }
    producers.set_end(end_offset);
    put_off(producers.take_snapshot())
}
