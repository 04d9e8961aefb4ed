//! Files that were damaged: whatever is still readable is served, or the log is not opened and the
//! message names the file. Nothing readable is deleted.

use super::transactions::{Sent, build};
use super::*;
use crate::log::sound::{Sound, find_sound};
use crate::log::torn;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc;
use std::time::Duration;

pub(super) const STOPS: [Stopped; 3] = [Stopped::Cleanly, Stopped::Killed, Stopped::Unknown];

/// A batch, by base offset and checksum.
pub(super) type Known = (Offset, u32);

/// A closed log of several segments with aborted transactions in each.
pub(super) struct Base {
    dir: TempDir,
    pub config: TopicConfig,
    pub end: Offset,
    /// The location of each batch: segment and position.
    pub batches: Vec<(Known, Offset, u64)>,
    /// The timestamp of each batch.
    pub times: Vec<Timestamp>,
    aborted: BTreeSet<(i64, Offset)>,
    /// Counts the checks, each of which takes the next kind of stop.
    turn: Cell<usize>,
}

impl Base {
    pub fn new() -> Base {
        let config = TopicConfig { segment_bytes: 1000, index_interval_bytes: 200, ..config() };
        let mut f = Fixture::new(config);
        for n in 0..14 {
            let time = NOW + 10 * i64::from(n);
            let sent = [
                Sent::Data(1, 0, 2 * n, 2, false),
                Sent::Data(2, 0, n, 1, true),
                Sent::Marker(2, 0, 0, n % 3 == 0),
            ];
            for (at, sent) in sent.into_iter().enumerate() {
                let origin = if at == 2 { Origin::Coordinator } else { Origin::Client };
                f.log.append(vec![build(sent, time + at as i64)], n / 5, origin, time).unwrap();
            }
        }
        f.log.set_topic_id(Uuid::from_u128(7)).unwrap();
        let (mut batches, mut times) = (Vec::new(), Vec::new());
        for segment in &f.log.segments {
            let mut all = segment.batches_from(0).unwrap();
            let mut position = 0;
            while let Some(batch) = all.next().unwrap() {
                let known = (batch.base_offset(), batch.checksum());
                batches.push((known, segment.base_offset(), position));
                times.push(batch.max_timestamp());
                position = all.position;
            }
        }
        assert!(f.log.segments.len() >= 4, "{} segments", f.log.segments.len());
        f.log.close().unwrap();
        let end = f.log.end_offset;
        let aborted = aborted(&f.log);
        assert_eq!(aborted.len(), 9);
        let (dir, config, turn) = (f.dir, f.config, Cell::default());
        Base { dir, config, end, batches, times, aborted, turn }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("t-0")
    }

    fn names(&self) -> Vec<String> {
        Disk::Os.list(&self.path()).unwrap()
    }

    pub fn segments(&self) -> Vec<Offset> {
        let bases: BTreeSet<Offset> = self.batches.iter().map(|(_, segment, _)| *segment).collect();
        bases.into_iter().collect()
    }

    /// The positions in a segment's file where its batches end.
    pub fn ends(&self, segment: Offset) -> Vec<usize> {
        let of =
            |(_, base, position): &(_, _, u64)| (*base == segment).then_some(*position as usize);
        let size = fs::metadata(self.path().join(file_name(segment, ".log"))).unwrap().len();
        self.batches.iter().filter_map(of).skip(1).chain([size as usize]).collect()
    }

    /// A copy, as long as the first value is kept.
    pub fn copy(&self) -> (TempDir, PathBuf) {
        let copy = temporary();
        let dir = copy.path().join("t-0");
        fs::create_dir(&dir).unwrap();
        for name in self.names() {
            fs::copy(self.path().join(&name), dir.join(&name)).unwrap();
        }
        (copy, dir)
    }

    /// Damages a copy, opens it as after the next kind of stop, and compares it with the original.
    /// The message must name the file `blamed`. Further starts must find the same.
    fn check(&self, row: &str, blamed: &str, spoil: impl Fn(&Path)) {
        let stopped = STOPS[self.turn.replace(self.turn.get() + 1) % STOPS.len()];
        let (_copy, dir) = self.copy();
        spoil(&dir);
        let before = sound_in(&dir, ".log");
        let row = format!("{row}, stopped {stopped:?}");
        let (mut end, mut refusals) = (self.end, Vec::new());
        for _ in 0..3 {
            match open_in_time(&row, &dir, &self.config, end, stopped) {
                Ok(log) => {
                    end = self.is_served(&row, log, &before);
                    refusals.push(None);
                }
                Err(error @ (Error::Corrupt { .. } | Error::Config(_))) => {
                    assert!(error.to_string().contains(blamed), "{row}: {error}");
                    refusals.push(Some(error.to_string()));
                }
                Err(error) => panic!("{row}: {error} is no fault of the disk"),
            }
        }
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{row}: {refusals:#?}");
        let after = sound_in(&dir, ".log");
        let gone: Vec<_> = before.difference(&after).collect();
        assert!(gone.is_empty(), "{row}: {gone:?} are gone");
    }

    /// Returns the log's end.
    fn is_served(&self, row: &str, mut log: Log, before: &BTreeSet<Known>) -> Offset {
        let kept = sound_in(log.dir(), torn::TORN);
        for (known, ..) in self.batches.iter().filter(|(known, ..)| before.contains(known)) {
            match log.read(known.0, 1, Isolation::LogEnd, true) {
                Ok(read) if first(&read) == Some(*known) => {}
                // The checksum tells the reader that the batch before it is damaged.
                Ok(read) if read.bytes > 0 && first(&read).is_none() => {}
                Err(Error::Corrupt { what }) if what.contains(".log") => {}
                read => assert!(kept.contains(known), "{row}: {known:?} reads as {read:?}"),
            }
        }
        // The same must hold once the indexes are rebuilt and a batch is appended.
        log.settle().unwrap_or_else(|error| panic!("{row}: {error}"));
        assert!(!log.segments.iter().any(Segment::lies), "{row}");
        if log.end_offset == Offset::MAX {
            return Offset::MAX;
        }
        log.append(vec![batch(1, NOW)], 9, Origin::Client, NOW).unwrap();
        log.set_high_watermark(Offset::MAX);
        let end = log.end_offset;
        assert!(first(&log.read(end - 1, 1, Isolation::LogEnd, true).unwrap()).is_some(), "{row}");
        log.close().unwrap();
        end
    }
}

fn aborted(log: &Log) -> BTreeSet<(i64, Offset)> {
    log.segments
        .iter()
        .flat_map(|s| s.transaction_index.all().unwrap())
        .map(|aborted| (aborted.producer_id, aborted.first_offset))
        .collect()
}

fn first(read: &Read) -> Option<Known> {
    let bytes = read.ranges.first()?.read().unwrap();
    let batch = Batch::split_from(&mut bytes.clone()).ok()?;
    batch.checksum_holds().then(|| (batch.base_offset(), batch.checksum()))
}

/// The valid batches in those files of a directory whose names contain `part`.
pub(super) fn sound_in(dir: &Path, part: &str) -> BTreeSet<Known> {
    let mut all = BTreeSet::new();
    for name in Disk::Os.list(dir).unwrap().iter().filter(|name| name.contains(part)) {
        let path = dir.join(name);
        if !fs::symlink_metadata(&path).unwrap().is_file() {
            continue;
        }
        let (bytes, file) = (fs::read(&path).unwrap(), Disk::Os.open_existing(&path).unwrap());
        let (mut position, end) = (0, bytes.len() as u64);
        while let Some(Sound { position: at, base_offset }) =
            find_sound(&file, position, end).unwrap()
        {
            let at = at as usize;
            let size = Batch::next_size(&bytes[at..]).unwrap().unwrap();
            let batch =
                Batch::split_from(&mut bytes::Bytes::copy_from_slice(&bytes[at..at + size]));
            all.insert((base_offset, batch.unwrap().checksum()));
            position = (at + size) as u64;
        }
    }
    all
}

fn open_in_time(
    row: &str,
    dir: &Path,
    config: &TopicConfig,
    end: Offset,
    stopped: Stopped,
) -> Result<Log> {
    let options = OpenOptions {
        config: Arc::new(config.clone()),
        log_start_offset: 0,
        // Half of it is known to be on disk.
        recovery_point: if stopped == Stopped::Unknown { end / 2 } else { end },
        cleaned_below: 0,
        stopped,
        leader_epochs: None,
        now: NOW,
    };
    let (done, opened) = mpsc::channel();
    let dir = dir.to_owned();
    std::thread::spawn(move || {
        let opened = Log::open(&Disk::Os, &dir, options)
            .and_then(|mut log| log.set_topic_id(Uuid::from_u128(7)).map(|()| log));
        drop(done.send(opened));
    });
    opened.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|error| panic!("{row}: {error}"))
}

pub(super) fn change(path: &Path, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, change(bytes)).unwrap();
}

fn replace(path: &Path, make: impl Fn(&Path)) {
    fs::remove_file(path).unwrap();
    make(path);
}

pub(crate) fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// A kind of damage: its name, and how to inflict it.
pub(crate) type Damage = (&'static str, fn(&Path));

/// What can happen to a file.
pub(crate) const DAMAGES: &[Damage] = &[
    ("gone", |path| fs::remove_file(path).unwrap()),
    ("empty", |path| change(path, |_| Vec::new())),
    ("half", |path| change(path, |bytes| bytes[..bytes.len() / 2].to_vec())),
    ("cut", |path| change(path, |bytes| bytes[..bytes.len().saturating_sub(3)].to_vec())),
    ("0xff", |path| change(path, |bytes| vec![0xff; bytes.len()])),
    ("zeros", |path| change(path, |bytes| vec![0; bytes.len()])),
    ("junk", |path| {
        change(path, |bytes| {
            let mut random = fastrand::Rng::with_seed(bytes.len() as u64);
            bytes.iter().map(|_| random.u8(..)).collect()
        })
    }),
    ("junk behind", |path| change(path, |bytes| [bytes, vec![0x7f; 500]].concat())),
    ("zeros behind", |path| change(path, |bytes| [bytes, vec![0; 500]].concat())),
    ("junk inside", |path| {
        change(path, |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..].iter_mut().take(9).for_each(|byte| *byte ^= 0x55);
            bytes
        })
    }),
    ("greatest numbers", |path| {
        change(path, |bytes| String::from_utf8_lossy(&bytes).replace(char::is_numeric, "9").into())
    }),
    ("a directory", |path| replace(path, |path| fs::create_dir(path).unwrap())),
    ("a pipe", |path| replace(path, fifo)),
    ("a link to itself", |path| replace(path, |path| symlink(path, path).unwrap())),
    ("a link to nothing", |path| replace(path, |path| symlink("/nowhere/at/all", path).unwrap())),
];

#[test]
fn every_file_of_a_log_may_be_spoilt() {
    let base = Base::new();
    for name in base.names() {
        for (damage, spoil) in DAMAGES {
            // For a `.log` file the result depends on how the process ended.
            let times = if name.ends_with(".log") { STOPS.len() } else { 1 };
            for _ in 0..times {
                base.check(&format!("{name}: {damage}"), &name[..20.min(name.len())], |dir| {
                    spoil(&dir.join(&name));
                });
            }
        }
    }
}

#[test]
fn an_index_of_another_segment_is_not_believed() {
    let base = Base::new();
    for suffix in [offset_index::SUFFIX, time_index::SUFFIX, transaction_index::SUFFIX] {
        for from in base.segments() {
            for to in base.segments() {
                let (from, to) = (file_name(from, suffix), file_name(to, suffix));
                if from != to && base.path().join(&from).exists() {
                    base.check(&format!("{from} as {to}"), &to, |dir| {
                        fs::copy(base.path().join(&from), dir.join(&to)).unwrap();
                    });
                }
            }
        }
    }
}

/// Timestamps and aborted transactions are found whatever damage the indexes have.
#[test]
fn a_broken_index_changes_no_answer() {
    let base = Base::new();
    let names = base.names();
    let is_index = |name: &&String| name.contains("index");
    for name in names.iter().filter(is_index) {
        for (damage, spoil) in DAMAGES {
            // Without its file or last entries, a transaction index looks like one with fewer
            // aborts.
            let is_blind = name.ends_with("txnindex")
                && ["gone", "empty", "half", "junk inside"].contains(damage);
            if is_blind || damage.starts_with("a ") {
                continue;
            }
            let copy = TempDir::new().unwrap();
            let dir = copy.path().join("t-0");
            fs::create_dir(&dir).unwrap();
            names.iter().for_each(|name| drop(fs::copy(base.path().join(name), dir.join(name))));
            spoil(&dir.join(name));
            let row = format!("{name}: {damage}");
            let log = open_in_time(&row, &dir, &base.config, base.end, Stopped::Cleanly).unwrap();
            assert_eq!(aborted(&log), base.aborted, "{row}");
            let good = open(&base.path(), &base.config, base.end, true);
            for time in NOW - 5..NOW + 150 {
                let answers = [&log, &good].map(|log| log.offset_for_timestamp(time).unwrap());
                assert_eq!(answers[0], answers[1], "{row} at {time}");
            }
            let answers = [&log, &good].map(|log| log.offset_of_max_timestamp().unwrap());
            assert_eq!(answers[0], answers[1], "{row}");
        }
    }
}

/// One bit is flipped in a byte of a batch's header. In the first byte this makes the offset nearly
/// the largest possible.
#[test]
fn every_byte_of_a_header_may_be_spoilt() {
    let base = Base::new();
    let segments = base.segments();
    let last = segments.len() - 1;
    for segment in [segments[0], segments[last - 1], segments[last]] {
        let mut positions: Vec<u64> = base
            .batches
            .iter()
            .filter(|(_, of, _)| *of == segment)
            .map(|(.., position)| *position)
            .collect();
        positions =
            vec![positions[0], positions[positions.len() / 2], positions[positions.len() - 1]];
        for position in positions {
            for byte in (0..61).filter(|byte| !(1..8).contains(byte)) {
                let name = file_name(segment, ".log");
                base.check(&format!("{name}: byte {byte} at {position}"), &name, |dir| {
                    change(&dir.join(&name), |mut bytes| {
                        bytes[position as usize + byte] ^= 0x40;
                        bytes
                    });
                });
            }
        }
    }
}

/// Segments that are copied, removed from the middle, or emptied.
#[test]
fn segments_may_be_doubled_and_empty() {
    let base = Base::new();
    let segments = base.segments();
    let (first, last) = (segments[0], segments[segments.len() - 1]);
    let far = Offset::MAX;
    for from in [first, segments[1], last] {
        for to in [first + 1, segments[1] + 1, last + 1, base.end, base.end + 100, far] {
            for suffixes in [&[".log"][..], &[".log", ".index", ".timeindex"]] {
                base.check(&format!("{from} doubled as {to}, {suffixes:?}"), ".log", |dir| {
                    for suffix in suffixes {
                        let (from, to) = (file_name(from, suffix), file_name(to, suffix));
                        fs::copy(dir.join(from), dir.join(to)).unwrap();
                    }
                });
            }
        }
        for end in [".log.swap", ".log.cleaned", ".log.deleted"] {
            base.check(&format!("{from}{end}"), ".log", |dir| {
                fs::copy(dir.join(file_name(from, ".log")), dir.join(file_name(from, end)))
                    .unwrap();
            });
            base.check(&format!("half of {from}{end}"), ".log", |dir| {
                let bytes = fs::read(dir.join(file_name(from, ".log"))).unwrap();
                fs::write(dir.join(file_name(from, end)), &bytes[..bytes.len() - 70]).unwrap();
            });
        }
    }
    for to in [first + 1, segments[1] + 1, base.end, base.end + 100] {
        base.check(&format!("{to} is empty"), ".log", |dir| {
            fs::write(dir.join(file_name(to, ".log")), b"").unwrap();
        });
    }
}
