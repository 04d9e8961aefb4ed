//! Opens a log and repairs what a crash or an unfinished compaction left (LogLoader). Only what a
//! crash can tear is truncated; a log with other damage is not opened.

mod losses;

use super::checkpoint::RECOVERY_POINTS;
use super::leader_epoch::{self, LeaderEpochs};
use super::leftovers::remove_leftovers;
use super::names::{file_name, parse_dir_name, parse_file_name};
use super::producer_state::{ProducerStates, SNAPSHOT};
use super::replay::{rebuild_producers, replay_producers};
use super::retention::Trash;
use super::scan::Batches;
use super::segment::{self, End, SUFFIXES, Segment};
use super::sound::find_sound;
use super::torn;
use super::transaction_index::{self, TransactionIndex};
use super::{Log, OpenOptions, Stopped, offset_index, put_off, time_index};
use crate::config::TopicConfig;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::Offset;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Opens or creates the log in `dir`.
pub(super) fn open(disk: &Disk, dir: &Path, options: OpenOptions) -> Result<Log> {
    let name = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let Some((partition, _)) = parse_dir_name(&name) else {
        return Err(Error::Config(format!("{} is no partition's directory", dir.display())));
    };
    let is_of_segment = |name: &str| {
        SUFFIXES.iter().chain([&SNAPSHOT]).any(|suffix| parse_file_name(name, suffix).is_some())
    };
    let names = match disk.list_files(dir, is_of_segment) {
        Err(Error::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            disk.create_dir(dir)?;
            None
        }
        names => Some(names?),
    };
    // If it was never flushed, it may have been created just before the last process ended.
    let is_dir_durable = names.is_some() && options.recovery_point > 0;
    let dir: Arc<Path> = dir.into();
    let names = remove_leftovers(disk, &dir, names.unwrap_or_default())?;
    let snapshots = names.iter().filter_map(|name| parse_file_name(name, SNAPSHOT)).collect();
    let mut loader = LogLoader {
        disk,
        epochs: match &options.leader_epochs {
            Some(content) => LeaderEpochs::parse(disk, &dir, content)?,
            None => LeaderEpochs::open(disk, &dir)?,
        },
        producers: ProducerStates::new(
            disk,
            &dir,
            options.config.producer_id_expiration_ms,
            snapshots,
        ),
        dir,
        segments: Vec::new(),
        orphans: Vec::new(),
        lost_from: None,
        reached: 0,
        witness: String::new(),
        options,
    };
    if names.iter().any(|name| name == leader_epoch::SETTLED) {
        match loader.options.stopped {
            Stopped::Killed => loader.epochs.read_settled()?,
            // A power loss may have brought the file back.
            _ => disk.remove_file(&loader.dir.join(leader_epoch::SETTLED))?,
        }
    }
    let broken = loader.find_segments(&names)?;
    if let Some(first) = loader.segments.first() {
        // They lack what producers wrote between them and the first segment.
        loader.producers.remove_snapshots(..first.base_offset())?;
    }
    let end_offset = loader.recover(broken)?;
    let end_offset = loader.find_end(end_offset)?;
    let log = loader.finish(partition, end_offset)?;
    Ok(Log { is_dir_durable, is_id_durable: is_dir_durable, ..log })
}

struct LogLoader<'a> {
    disk: &'a Disk,
    dir: Arc<Path>,
    options: OpenOptions,
    segments: Vec<Segment>,
    /// The indexes without a `.log`: base offset and name.
    orphans: Vec<(Offset, String)>,
    epochs: LeaderEpochs,
    producers: ProducerStates,
    /// Where the first gap begins that a power loss has left.
    lost_from: Option<Offset>,
    /// The offset that the log is known to have reached; 0 after a power loss.
    reached: Offset,
    /// The file that says so.
    witness: String,
}

impl LogLoader<'_> {
    /// Opens the segments in the directory. Returns the base offsets of those with missing or broken
    /// indexes.
    fn find_segments(&mut self, names: &[String]) -> Result<BTreeSet<Offset>> {
        let has = |name: &str| names.binary_search_by(|n| n.as_str().cmp(name)).is_ok();
        let mut broken = BTreeSet::new();
        for name in names {
            if let Some(base_offset) = parse_file_name(name, segment::SUFFIX) {
                let now = self.options.now;
                let mut segment = Segment::open(self.disk, &self.dir, base_offset, now)?;
                let indexes = [offset_index::SUFFIX, time_index::SUFFIX];
                if !indexes.iter().all(|suffix| has(&file_name(base_offset, suffix))) {
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
                self.orphans.push((base, name.clone()));
            }
        }
        for (index, segment) in self.segments.iter().enumerate() {
            if !segment.transaction_index.ends_before(self.limit_of(index))? {
                broken.insert(segment.base_offset());
            }
        }
        Ok(broken)
    }

    /// Rebuilds the broken segments. After an unclean stop, also rebuilds all segments from the
    /// recovery point on or, if only the process was killed, what followed `Log::settle`. After a
    /// clean stop, rebuilds the last segment if its batches do not reach its end. Returns where the
    /// last segment ends; None if there is none.
    fn recover(&mut self, mut broken: BTreeSet<Offset>) -> Result<Option<Offset>> {
        if self.options.stopped != Stopped::Unknown {
            let (snapshot, point) = (self.producers.newest_snapshot(), self.options.recovery_point);
            (self.reached, self.witness) = match point > snapshot {
                true => (point, RECOVERY_POINTS.to_owned()),
                false => (snapshot, file_name(snapshot, SNAPSHOT)),
            };
        }
        let settled = self.load_settled()?;
        let point = settled.unwrap_or(self.options.recovery_point);
        let floor = self.segments.iter().rposition(|segment| segment.base_offset() <= point);
        let is_clean = self.options.stopped == Stopped::Cleanly;
        let unflushed = if is_clean { usize::MAX } else { floor.unwrap_or(0) };
        let last_end = self.refuse_losses(&broken, unflushed)?;
        self.bury_orphans()?;
        let mut end = None;
        let mut index = 0;
        while index < self.segments.len() {
            let (base_offset, size) =
                (self.segments[index].base_offset(), self.segments[index].size());
            let is_broken = broken.contains(&base_offset);
            let is_new = size == 0 && index + 1 == self.segments.len();
            let is_last = index + 1 == self.segments.len();
            end = is_new.then_some(base_offset);
            let mut is_whole = index < unflushed && !is_broken;
            if is_broken {
                self.segments[index].forget_indexes()?;
            }
            if is_new && !is_whole {
                // A power loss may have taken the batches and left the indexes.
                self.segments[index].reset()?;
            }
            if is_whole && is_last && !is_new {
                end = last_end.filter(|end| end.position == size).map(|end| end.offset);
                is_whole = end.is_some();
            }
            if is_new || is_whole {
                index += 1;
                continue;
            }
            let resumed = match settled {
                Some(settled) if index == unflushed && !is_broken => self.resume(index, settled)?,
                _ => None,
            };
            let recovered = match resumed {
                Some(recovered) => recovered,
                None => self.rebuild(index)?,
            };
            if let Some(position) = recovered.bad
                && let Err(error) = self.give_up(index, position, recovered.end, index >= unflushed)
            {
                // The next start must find the same.
                self.segments[index].forget_indexes()?;
                return Err(error);
            }
            if let Some(next) = recovered.overflow {
                self.split(index, next)?;
                broken.insert(next);
            }
            if recovered.overflow.is_none() && index >= unflushed {
                self.note_gap(index, recovered.end);
            }
            self.seal(index)?;
            if index < unflushed && index + 1 < self.segments.len() {
                // No later flush would include this segment.
                self.segments[index].sync()?;
            }
            end = Some(recovered.end);
            index += 1;
        }
        Ok(end)
    }

    /// Notes if records are missing between the end of a segment and the next one. A power loss may
    /// keep a file and lose what was written before it to another one.
    fn note_gap(&mut self, index: usize, end: Offset) {
        let options = &self.options;
        let is_gap = self.segments.get(index + 1).is_some_and(|next| {
            end < next.base_offset() && options.log_start_offset < next.base_offset()
        });
        let is_from_compaction = self.segments[index].base_offset() < options.cleaned_below;
        if is_gap && !is_from_compaction && options.stopped == Stopped::Unknown {
            self.lost_from.get_or_insert(end.max(options.log_start_offset));
        }
    }

    /// Handles a segment that from `position` on has no batch of this log with offset `end` or
    /// above. A crash can tear the end of the last segment, and a power loss anything `unflushed`.
    /// All else is damage, and readable records must not be cut off.
    fn give_up(
        &mut self,
        index: usize,
        position: u64,
        end: Offset,
        is_unflushed: bool,
    ) -> Result<()> {
        let (segment, file) = (&self.segments[index], self.segments[index].file()?);
        let sound = find_sound(&file, position, file.len()?)?;
        let is_last = self.segments[index + 1..].iter().all(|later| later.size() == 0);
        let may_tear = is_unflushed && self.options.stopped == Stopped::Unknown;
        if sound.is_none() && (end < self.reached || !(is_last || may_tear)) {
            return Err(segment.damaged(End { offset: end, position }));
        }
        if let Some(found) = sound {
            // A torn offset has lost bits but has not gained any.
            let is_astray = found.position == position
                && (found.base_offset == end || found.base_offset & !end != 0);
            if !may_tear || is_astray || end < self.options.recovery_point {
                return Err(segment.spoilt(position, end, found));
            }
        }
        if sound.is_some() {
            let kept = torn::keep_rest(self.disk, &self.dir, &file, (position, end))?;
            tracing::error!(segment = %segment.path(segment::SUFFIX).display(), position, offset = end,
                kept = %kept.display(), "a damaged part of a segment is kept beside the log");
        }
        tracing::warn!(
            "cut {} from {} to {position} bytes: the batch there, at offset {end}, is not whole",
            segment.path(segment::SUFFIX).display(),
            file.len()?
        );
        segment.trim_file()?;
        // What is cut off must not reappear after what is appended from now on.
        file.sync_data()?;
        if may_tear {
            self.set_aside(index + 1)?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Removes the segments from index `from` on from the log, because records before them were
    /// lost.
    fn set_aside(&mut self, from: usize) -> Result<()> {
        for segment in self.segments.split_off(from) {
            let file = segment.file()?;
            if find_sound(&file, 0, segment.size())?.is_none() {
                self.remove_segment(&segment)?;
                continue;
            }
            let kept = torn::keep_segment(self.disk, &self.dir, &segment)?;
            self.producers.remove_snapshot(segment.base_offset())?;
            tracing::error!(dir = %self.dir.display(), base_offset = segment.base_offset(),
                kept = %kept.display(),
                "records were lost with the power, so this segment is kept beside the log");
        }
        Ok(())
    }

    /// If only the process was killed, everything it wrote is still there. Then loads the newest
    /// producer snapshot, which `Log::settle`, a roll or a clean stop wrote after everything else
    /// that belongs to the batches below it. Returns the snapshot's offset.
    fn load_settled(&mut self) -> Result<Option<Offset>> {
        if self.options.stopped != Stopped::Killed || !self.producers.has_snapshots() {
            return Ok(None);
        }
        let log_start_offset = self.options.log_start_offset;
        self.producers.reload(log_start_offset, Offset::MAX, self.options.now)?;
        Ok(self.producers.has_snapshots().then(|| self.producers.end()))
    }

    /// Recovers only what follows `settled`. None, without effect, if the indexes do not match.
    fn resume(&mut self, index: usize, settled: Offset) -> Result<Option<Recovered>> {
        let limit = self.limit_of(index);
        let segment = &mut self.segments[index];
        let Some(position) = segment.rewind_to(settled)? else { return Ok(None) };
        let config = &self.options.config;
        let recovered = recover_segment(
            segment,
            limit,
            position,
            settled,
            config,
            &mut self.producers,
            &mut self.epochs,
        )?;
        // Otherwise the index entry was not true.
        Ok((recovered.end >= settled).then_some(recovered))
    }

    /// Recovers a whole segment, with everything that belongs to it.
    fn rebuild(&mut self, index: usize) -> Result<Recovered> {
        let base_offset = self.segments[index].base_offset();
        if self.options.stopped == Stopped::Unknown {
            self.producers.remove_snapshots_above(base_offset)?;
        }
        rebuild_producers(
            &mut self.producers,
            &self.segments[..index],
            self.options.log_start_offset,
            base_offset,
            self.options.now,
            false,
        )?;
        let limit = self.limit_of(index);
        let segment = &mut self.segments[index];
        segment.reset()?;
        let (config, epochs) = (&self.options.config, &mut self.epochs);
        recover_segment(segment, limit, 0, base_offset, config, &mut self.producers, epochs)
    }

    /// The offset at which the next segment begins.
    fn limit_of(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(Offset::MAX, Segment::base_offset)
    }

    /// Writes what belongs to a recovered segment; the snapshot comes last, as `load_settled`
    /// expects. For the active segment it stays in memory, so that a start writes nothing;
    /// `Log::settle` will follow soon.
    fn seal(&mut self, index: usize) -> Result<()> {
        if index + 1 == self.segments.len() {
            return Ok(());
        }
        self.segments[index].seal()?;
        put_off(self.epochs.settle().and_then(|()| self.producers.take_snapshot()))
    }

    /// Splits a segment at the batch with offset `next`. Before Kafka 2.0 compaction could produce
    /// segments whose offsets need more than 31 bits (KAFKA-6264).
    fn split(&mut self, index: usize, next: Offset) -> Result<()> {
        let (file, begin) = (self.segments[index].file()?, self.segments[index].size());
        let is_there = self.segments.get(index + 1).is_some_and(|s| s.base_offset() == next);
        tracing::warn!(dir = %self.dir.display(), next, "split a segment with too many offsets");
        if !is_there {
            let path = self.dir.join(file_name(next, segment::SUFFIX));
            let unfinished = self.dir.join(file_name(next, segment::CLEANED_SUFFIXES[0]));
            let copy = self.disk.open(&unfinished)?;
            let mut position = begin;
            let mut buffer = vec![0; 1 << 20];
            loop {
                let read = file.read_at(&mut buffer, position)?;
                copy.write_at(&buffer[..read], position - begin)?;
                position += read as u64;
                if read < buffer.len() {
                    break;
                }
            }
            copy.sync_data()?;
            self.disk.rename(&unfinished, &path)?;
            let mut segment = Segment::open(self.disk, &self.dir, next, self.options.now)?;
            segment.forget_indexes()?;
            self.segments.insert(index + 1, segment);
        }
        self.segments[index].trim_file()?;
        file.sync_data()
    }

    fn remove_segment(&mut self, segment: &Segment) -> Result<()> {
        let (path, size) = (segment.path(segment::SUFFIX), segment.size());
        tracing::warn!("removed {} with {size} bytes", path.display());
        for suffix in SUFFIXES {
            self.disk.remove_file(&segment.path(suffix))?;
        }
        self.producers.remove_snapshot(segment.base_offset())
    }

    /// The log end offset. A log that ends before its start offset, because files were deleted,
    /// begins again.
    fn find_end(&mut self, recovered: Option<Offset>) -> Result<Offset> {
        let log_start_offset = self.options.log_start_offset;
        let end_offset = recovered.filter(|_| !self.segments.is_empty()).unwrap_or(-1);
        if end_offset >= log_start_offset {
            return Ok(end_offset);
        }
        if self.options.stopped != Stopped::Unknown && self.segments.iter().any(|s| s.size() > 0) {
            return Err(Error::corrupt(format!(
                "log {dir}: it ends at offset {end_offset}, and log-start-offset-checkpoint says \
                 that it begins at {log_start_offset}. Nothing was changed, and this partition stays \
                 offline. Correct the line of the partition in that file, and start again.",
                dir = self.dir.display()
            )));
        }
        // Created before the others are removed, because its name says where the log begins.
        let now = self.options.now;
        let anew = Segment::create(self.disk, &self.dir, log_start_offset, now)?;
        if self.options.config.preallocate {
            anew.file()?.set_room_aside(self.options.config.segment_bytes as u64)?;
        }
        if !self.segments.is_empty() {
            tracing::warn!(dir = %self.dir.display(), end_offset, log_start_offset,
                "the log ends before its start offset: it begins anew there");
            self.set_aside(0)?;
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
        let is_clean = options.stopped == Stopped::Cleanly;
        self.epochs.truncate_from_end(end_offset);
        let log_start_offset = options.log_start_offset.max(self.segments[0].base_offset());
        self.epochs.truncate_from_start(log_start_offset);
        // Usually there is one segment.
        self.segments.shrink_to_fit();
        let base_offsets = self.segments.iter().map(Segment::base_offset).collect();
        self.producers.remove_snapshots_above(end_offset)?;
        self.producers.remove_stray_snapshots(&base_offsets)?;
        if !is_clean && self.producers.end() == end_offset {
            self.producers.reload(log_start_offset, end_offset, options.now)?;
        } else {
            rebuild_producers(
                &mut self.producers,
                &self.segments,
                log_start_offset,
                end_offset,
                options.now,
                is_clean,
            )?;
        }
        if end_offset < options.recovery_point {
            tracing::warn!(dir = %self.dir.display(), end_offset, recovery_point = options.recovery_point,
                "records that were flushed are gone, and their offsets will be given out again");
        }
        let recovery_point =
            if is_clean { end_offset } else { options.recovery_point.min(end_offset) };
        let last = self.segments.last_mut().expect("made by find_end");
        if last.lies() {
            last.mend(self.options.config.index_interval_bytes as u64)?;
        }
        if !is_clean && recovery_point == end_offset && last.size() > 0 {
            // If the next append rolls, nobody checks this segment after the next crash.
            put_off(last.seal())?;
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
            is_id_durable: false,
            stopped: self.options.stopped,
            is_closed: false,
            roll_jitter_ms: 0,
            trash: Trash::default(),
            truncations: 0,
            seen_end: end_offset,
            settled_size: 0,
            lost_from: self.lost_from,
            cut_to: Offset::MAX,
            cleaned_below: self.options.cleaned_below,
            now: self.options.now,
        })
    }
}

/// The result of recovering a segment.
struct Recovered {
    /// The offset after the last record.
    end: Offset,
    /// The position of the first invalid data, if there is any.
    bad: Option<u64>,
    /// The first batch that needs a segment of its own.
    overflow: Option<Offset>,
}

/// Reads a segment, which ends before `limit`, from the batch at `position` up to the first one
/// that is incomplete or damaged, and rebuilds indexes and epochs. Below `trusted` the checksums
/// are not checked and the producers are already known.
fn recover_segment(
    segment: &mut Segment,
    limit: Offset,
    position: u64,
    trusted: Offset,
    config: &TopicConfig,
    producers: &mut ProducerStates,
    epochs: &mut LeaderEpochs,
) -> Result<Recovered> {
    let len = segment.file()?.len()?;
    let mut batches = Batches::new(segment.file()?, position, len);
    let mut next_offset = segment.base_offset();
    let (mut epochs_changed, mut overflow) = (false, None);
    loop {
        let batch = match batches.next() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error @ (Error::Disk { .. } | Error::Config(_))) => return Err(error),
            Err(_) => break,
        };
        let is_known = batch.next_offset() <= trusted;
        let sound = batch.base_offset() >= next_offset
            && (batch.base_offset()..limit).contains(&batch.last_offset())
            && (is_known || batch.checksum_holds());
        if !sound {
            break;
        }
        if !segment.can_hold(batch.last_offset()) {
            // This is impossible in the active segment, and for the first batch of any segment.
            let is_later = batch.base_offset() > segment.base_offset() && limit < Offset::MAX;
            overflow = is_later.then(|| batch.base_offset());
            break;
        }
        if !is_known {
            let Ok(aborted) = replay_producers(producers, &batch) else { break };
            for aborted in aborted {
                segment.transaction_index.append(aborted)?;
            }
        }
        let bytes = batches.position - segment.size();
        segment.admit(&batch, bytes, config.index_interval_bytes as u64)?;
        epochs_changed |= epochs.found(batch.leader_epoch(), batch.base_offset());
        next_offset = batch.next_offset();
    }
    if next_offset < trusted {
        // The whole segment will be recovered, so nothing is cut off yet.
        return Ok(Recovered { end: next_offset, bad: None, overflow: None });
    }
    if epochs_changed {
        epochs.changed();
    }
    let bad = (overflow.is_none() && segment.size() < len).then_some(segment.size());
    Ok(Recovered { end: next_offset, bad, overflow })
}
