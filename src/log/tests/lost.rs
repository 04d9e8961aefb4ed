//! Records that were there and are gone: sealed segments that were cut short, overwritten or
//! removed, and logs that end too early. No reader goes past what is lost without an error or a
//! line that names it, whatever the start, and nothing that shows it is removed.

use super::spoilt::{Base, Known, STOPS, change, sound_in};
use super::*;
use crate::log::segment::SUFFIXES;
use crate::record::LOG_OVERHEAD;
use std::fs;
use std::io::Write;
use std::sync::Mutex;
use tracing_subscriber::fmt::SubscriberBuilder;

/// The lines that a test logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    fn capture<T>(&self, work: impl FnOnce() -> T) -> T {
        let lines = self.clone();
        let builder = SubscriberBuilder::default().with_ansi(false);
        let subscriber = builder.with_writer(move || lines.clone()).finish();
        tracing::subscriber::with_default(subscriber, work)
    }
}

/// What the indexes of a damaged segment are.
const INDEXES: [&str; 3] = ["its indexes", "no indexes", "another segment's indexes"];

fn spoil_indexes(dir: &Path, indexes: &str, segment: Offset, other: Offset) {
    for suffix in [offset_index::SUFFIX, time_index::SUFFIX] {
        let path = dir.join(file_name(segment, suffix));
        match indexes {
            "no indexes" => fs::remove_file(path).unwrap(),
            "another segment's indexes" => {
                fs::write(path, fs::read(dir.join(file_name(other, suffix))).unwrap()).unwrap();
            }
            _ => {}
        }
    }
}

type Spoil = Box<dyn Fn(Vec<u8>) -> Vec<u8>>;

/// All ways to cut a segment short or to overwrite its end.
fn damages(base: &Base, segment: Offset) -> Vec<(String, Spoil)> {
    let (ends, whole) =
        (base.ends(segment), fs::read(base.path().join(file_name(segment, ".log"))).unwrap());
    let size = ends[ends.len() - 1];
    let starts = [0].into_iter().chain(ends[..ends.len() - 1].iter().copied());
    let middles = starts.zip(&ends).map(|(start, end)| (start + end) / 2);
    let mut cuts: Vec<usize> = [0, 1, 16, 17, 60, 61, 777].into_iter().chain(middles).collect();
    cuts.extend(ends.iter().flat_map(|end| [end - 1, *end]));
    cuts.retain(|cut| *cut < size);
    cuts.sort_unstable();
    cuts.dedup();
    let mut all: Vec<(String, Spoil)> = Vec::new();
    for cut in cuts {
        all.push((format!("cut at {cut}"), Box::new(move |bytes| bytes[..cut].to_vec())));
        for (name, fill) in [("zeros", 0), ("0xff", 0xff)] {
            let fill = move |bytes: Vec<u8>| [&bytes[..cut], &vec![fill; size - cut]].concat();
            all.push((format!("{name} from {cut} on"), Box::new(fill)));
        }
        let junk = move |bytes: Vec<u8>| {
            let mut random = fastrand::Rng::with_seed(cut as u64);
            let junk: Vec<u8> = (cut..size).map(|_| random.u8(..)).collect();
            [&bytes[..cut], &junk].concat()
        };
        all.push((format!("junk from {cut} on"), Box::new(junk)));
    }
    // The last bytes may be zeros.
    all.retain(|(_, spoil)| spoil(whole.clone()) != whole);
    all
}

/// What each read of a log from its start to its end gives, as text. Offsets that are passed over
/// must be in the `lines`.
fn read_all(log: &Log, max_bytes: usize, lines: &Lines) -> String {
    let (mut told, mut logged) = (String::new(), lines.take());
    let mut from = log.log_start_offset();
    while from < log.end_offset {
        match log.read(from, max_bytes, Isolation::HighWatermark, true) {
            Ok(read) => {
                assert!(read.bytes > 0, "nothing at {from}");
                logged += &lines.take();
                let mut bytes = read.ranges[0].read().unwrap();
                while bytes.len() >= LOG_OVERHEAD {
                    let first = Offset::from_be_bytes(*bytes.first_chunk().unwrap());
                    let size = i32::from_be_bytes(*bytes[8..].first_chunk().unwrap()) as usize;
                    let mut batch = bytes.split_to((LOG_OVERHEAD + size).min(bytes.len()));
                    if first > from {
                        let named = format!("the offsets {from} to {}", first - 1);
                        assert!(logged.contains(&named), "no line has {named}: {logged}");
                    }
                    // A consumer checks the checksum.
                    let sound = Batch::split_from(&mut batch).ok().filter(Batch::checksum_holds);
                    told +=
                        &format!("{first} is {}\n", sound.as_ref().map_or("spoilt", |_| "read"));
                    from = sound.map_or(from + 1, |batch| batch.next_offset());
                }
            }
            Err(error @ Error::Corrupt { .. }) => {
                told += &format!("{from}: {error}\n");
                let mut bases = log.segments.iter().map(Segment::base_offset);
                from = bases.find(|base| *base > from).unwrap();
            }
            Err(error) => panic!("{error} at {from}"),
        }
    }
    told
}

/// Looks up the time of each batch. A lookup that passes over lost ones is an error or has a line.
fn look_up(row: &str, base: &Base, log: &Log, lines: &Lines) {
    let mut logged = lines.take();
    let is_below = |(known, ..): &&(Known, _, _)| known.0 < log.end_offset;
    for (n, (known, ..)) in base.batches.iter().take_while(is_below).enumerate() {
        let found = log.offset_for_timestamp(base.times[n]);
        logged += &lines.take();
        match found {
            Ok(Some(found)) if found.offset == known.0 => {}
            Ok(found) => {
                assert!(logged.contains("the offsets"), "{row}: {found:?}, not {known:?}");
            }
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
        }
    }
}

/// Starts with a damaged log and stops, several times. The outcome must always be the same, and
/// nothing may be removed that is readable or shows what is lost.
fn live(
    row: &str,
    base: &Base,
    dir: &Path,
    spoilt: Offset,
    (stopped, point): (Stopped, Offset),
    lines: &Lines,
) -> String {
    let evidence = || SUFFIXES.map(|suffix| fs::read(dir.join(file_name(spoilt, suffix))).ok());
    let mut kept = sound_in(dir, ".log");
    kept.retain(|known| !sound_in(dir, ".deleted").contains(known));
    let before = evidence();
    let mut outcomes: Vec<String> = Vec::new();
    for start in 0..3 {
        lines.take();
        let outcome = match try_open(dir, &base.config, point, stopped) {
            Err(error) => error.to_string(),
            Ok(mut log) => {
                if start == 1 && !outcomes[0].contains("is spoilt") {
                    look_up(row, base, &log, lines);
                    log = try_open(dir, &base.config, point, stopped).unwrap();
                }
                log.set_high_watermark(Offset::MAX);
                let told = read_all(&log, if start == 0 { 1 } else { 4000 }, lines);
                log.settle().unwrap();
                log.settle().unwrap();
                assert!(log.is_settled(), "{row}");
                log.close().unwrap();
                told
            }
        };
        outcomes.push(outcome);
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{row}: {outcomes:#?}");
    if outcomes[0].contains("tell") {
        assert!(evidence() == before, "{row}: {}", outcomes[0]);
    }
    let gone: Vec<_> = kept.difference(&sound_in(dir, ".log")).copied().collect();
    assert!(gone.is_empty(), "{row}: {gone:?} are gone");
    // What can be read is read, unless the log is offline.
    for (known, ..) in base.batches.iter().filter(|(known, ..)| kept.contains(known)) {
        let is_read = outcomes[0].contains(&format!("{} is read", known.0));
        assert!(is_read || outcomes[0].starts_with("corrupt"), "{row}: {known:?}: {}", outcomes[0]);
    }
    outcomes.swap_remove(0)
}

#[test]
fn nobody_reads_past_what_a_sealed_segment_has_lost() {
    let (base, lines) = (Base::new(), Lines::default());
    let segments = base.segments();
    let (segment, other) = (segments[1], segments[2]);
    let (mut offline, mut silent) = (0, 0);
    lines.capture(|| {
        for (damage, spoil) in damages(&base, segment) {
            for indexes in INDEXES {
                for stopped in STOPS {
                    let (_copy, dir) = base.copy();
                    spoil_indexes(&dir, indexes, segment, other);
                    change(&dir.join(file_name(segment, ".log")), &spoil);
                    let row = format!("{damage}, {indexes}, stopped {stopped:?}");
                    let outcome = live(&row, &base, &dir, segment, (stopped, base.end), &lines);
                    let is_refused = outcome.contains(&file_name(segment, ".log: "));
                    offline += usize::from(outcome.starts_with("corrupt"));
                    silent += usize::from(!is_refused);
                    let is_seen = is_refused || outcome.contains("is spoilt");
                    assert!(is_seen || damage.starts_with("cut"), "{row}: {outcome}");
                    assert!(is_seen || indexes != "its indexes", "{row}: {outcome}");
                }
            }
        }
    });
    assert!(offline > 0 && silent > 0, "{offline} {silent}");
}

#[test]
fn the_offsets_of_a_missing_segment_are_named() {
    let (base, lines) = (Base::new(), Lines::default());
    let segments = base.segments();
    let segment = segments[2];
    let path = |dir: &Path| dir.join(file_name(segment, ".log"));
    type Way<'a> = (&'static str, &'a dyn Fn(&Path));
    let ways: [Way<'_>; 3] = [
        ("removed", &|dir| fs::remove_file(path(dir)).unwrap()),
        ("renamed", &|dir| fs::rename(path(dir), path(dir).with_extension("log.deleted")).unwrap()),
        ("removed with its indexes", &|dir| {
            SUFFIXES.iter().for_each(|s| drop(fs::remove_file(dir.join(file_name(segment, s)))));
        }),
    ];
    lines.capture(|| {
        for (way, remove) in ways {
            for stopped in STOPS {
                let (_copy, dir) = base.copy();
                remove(&dir);
                let indexes = fs::read(dir.join(file_name(segment, ".timeindex"))).ok();
                let row = format!("{way}, stopped {stopped:?}");
                let outcome = live(&row, &base, &dir, segment, (stopped, base.end), &lines);
                assert!(!outcome.contains("corrupt"), "{row}: {outcome}");
                let left = fs::read(dir.join(file_name(segment, ".timeindex"))).ok();
                assert!(left == indexes, "{row}: the index is kept until the file is back");
            }
        }
    });
}

/// A clean stop and `kill -9` lose nothing, so a log that is shorter then is refused, and none of
/// its offsets is given out a second time.
#[test]
fn a_log_that_has_become_shorter_is_refused() {
    let (base, lines) = (Base::new(), Lines::default());
    let segments = base.segments();
    let segment = segments[segments.len() - 1];
    let name = file_name(segment, ".log");
    for (damage, spoil) in damages(&base, segment) {
        for indexes in INDEXES {
            for stopped in STOPS {
                let (_copy, dir) = base.copy();
                spoil_indexes(&dir, indexes, segment, segments[0]);
                change(&dir.join(&name), &spoil);
                let row = format!("{damage}, {indexes}, stopped {stopped:?}");
                if stopped == Stopped::Unknown {
                    let log = try_open(&dir, &base.config, segment, stopped).unwrap();
                    assert!((segment..base.end).contains(&log.end_offset), "{row}");
                    continue;
                }
                let left = fs::read(dir.join(&name)).unwrap();
                let outcome = live(&row, &base, &dir, segment, (stopped, base.end), &lines);
                let is_refused = outcome.starts_with("corrupt") && outcome.contains(&name);
                assert!(is_refused || outcome.contains("is spoilt"), "{row}: {outcome}");
                assert!(fs::read(dir.join(&name)).unwrap() == left, "{row}");
            }
        }
    }
    for stopped in [Stopped::Cleanly, Stopped::Killed] {
        let (_copy, dir) = base.copy();
        segments.iter().for_each(|s| fs::remove_file(dir.join(file_name(*s, ".log"))).unwrap());
        let outcome = live("no segment", &base, &dir, segment, (stopped, base.end), &lines);
        assert!(outcome.contains("it has no segment"), "{outcome}");
    }
}

/// Does what a message asks for, if there is one. Returns the log's line in
/// `recovery-point-offset-checkpoint`, which was `point`.
fn obey(outcome: &str, dir: &Path, segment: Offset, is_last: bool, point: Offset) -> Offset {
    let Some((_, rest)) = outcome.split_once("(truncate -s ") else { return point };
    let (size, _) = rest.split_once(' ').unwrap();
    let (_, rest) = rest.split_once("snapshot files above ").unwrap();
    let above: Offset = rest.split_once(' ').unwrap().0.parse().unwrap();
    let file = Disk::Os.open(&dir.join(file_name(segment, ".log"))).unwrap();
    file.truncate(size.parse().unwrap()).unwrap();
    for suffix in &SUFFIXES[1..] {
        let _ = fs::remove_file(dir.join(file_name(segment, suffix)));
    }
    for name in Disk::Os.list(dir).unwrap() {
        if names::parse_file_name(&name, ".snapshot").is_some_and(|at| at > above) {
            fs::remove_file(dir.join(name)).unwrap();
        }
    }
    assert!(outcome.contains(&format!("recovery-point-offset-checkpoint is above {above}")));
    if is_last { point.min(above) } else { point }
}

/// Following the message makes the rest of the log readable.
#[test]
fn what_a_refusal_asks_for_helps() {
    let (base, lines) = (Base::new(), Lines::default());
    let segments = base.segments();
    lines.capture(|| {
        for segment in [segments[1], segments[segments.len() - 1]] {
            for (damage, spoil) in damages(&base, segment) {
                for stopped in STOPS {
                    let (_copy, dir) = base.copy();
                    change(&dir.join(file_name(segment, ".log")), &spoil);
                    let row = format!("{segment}, {damage}, stopped {stopped:?}");
                    let mut point = base.end;
                    // There may be a second damage before the one that is found first.
                    for turn in 0..3 {
                        let outcome = live(&row, &base, &dir, segment, (stopped, point), &lines);
                        assert!(turn < 2 || !outcome.contains("corrupt"), "{row}: {outcome}");
                        let is_last = segment == segments[segments.len() - 1];
                        point = obey(&outcome, &dir, segment, is_last, point);
                    }
                }
            }
        }
    });
}

/// Neither the cleaner, nor a copy to another directory, nor retention, nor truncation passes over
/// records that are lost.
#[test]
fn a_damaged_segment_is_not_compacted_copied_or_thrown_away() {
    let base = Base::new();
    let segments = base.segments();
    let (first, second) = (segments[0], segments[1]);
    let config = TopicConfig { retention_ms: 1000, ..base.config.clone() };
    let late = NOW + 1_000_000;
    for (damage, spoil) in damages(&base, first) {
        let (_copy, dir) = base.copy();
        change(&dir.join(file_name(first, ".log")), &spoil);
        let Ok(mut log) = try_open(&dir, &config, base.end, Stopped::Cleanly) else { continue };
        log.set_high_watermark(Offset::MAX);
        if log.pass(0, Access::Waiting).is_ok() {
            assert!(damage.contains("from"), "{damage}");
            continue;
        }
        let is_refused = |done: Result<()>| done.is_err();
        let future = TempDir::new().unwrap();
        let mut future = open(&future.path().join("t-0"), &config, 0, true);
        let copied = loop {
            let lacks = future.lacks(&log, 4000);
            let taken = lacks.and_then(|read| match read {
                Some(read) => future.take(read.ranges[0].read().unwrap(), NOW).map(|()| true),
                None => Ok(false),
            });
            match taken {
                Ok(true) => {}
                taken => break taken.map(|_| ()),
            }
        };
        assert!(is_refused(copied) && future.end_offset < second, "{damage}");
        assert!(is_refused(log.truncate_to(second - 1)), "{damage}");
        // Its file is new.
        assert_eq!(log.clean_up(late).unwrap(), 0, "{damage}");
        // Nobody can look for the offsets of a time behind it.
        let found = log.offset_for_timestamp(base.times[base.times.len() - 1]).map(drop);
        assert!(is_refused(found), "{damage}");
        assert!(is_refused(log.offset_of_max_timestamp().map(drop)), "{damage}");
        log.set_config(Arc::new(TopicConfig { retention_bytes: 1000, ..config.clone() }));
        assert!(log.clean_up(late).unwrap() > 0, "{damage}: by size, it goes");
    }
    let mut log = try_open(&base.path(), &config, base.end, Stopped::Cleanly).unwrap();
    log.set_high_watermark(Offset::MAX);
    assert!(log.clean_up(late).unwrap() > 0, "without damage, it goes by time");
}
