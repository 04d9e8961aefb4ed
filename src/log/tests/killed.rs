//! After `kill -9`, when the machine went on, only what follows `settle` is read.

use super::*;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fs;

fn reopen(f: &mut Fixture, stopped: Stopped) {
    f.reopen_after(stopped);
    f.log.set_high_watermark(Offset::MAX);
}

fn settle(log: &mut Log) {
    // The log is idle between the two calls.
    log.settle().unwrap();
    log.settle().unwrap();
}

fn damage(f: &Fixture, position: usize) {
    let path = f.path().join("00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[position] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_settled_is_not_read_again() {
    for (stopped, end) in [(Stopped::Killed, 40), (Stopped::Unknown, 0)] {
        let mut f = Fixture::new(TopicConfig { index_interval_bytes: 200, ..config() });
        f.append_many(10);
        settle(&mut f.log);
        f.append_many(10);
        // A record in the first batch.
        damage(&f, 70);
        reopen(&mut f, stopped);
        assert_eq!(f.log.log_end_offset(), end, "{stopped:?}");
    }
}

#[test]
fn what_is_not_settled_is_checked() {
    let mut f = Fixture::new(TopicConfig { index_interval_bytes: 200, ..config() });
    f.append_many(10);
    settle(&mut f.log);
    let settled = f.log.size();
    f.append_many(10);
    let size = f.log.size();
    let half = settled + (size - settled) / 2;
    damage(&f, half as usize + 65);
    // `kill -9` cannot cause this, so the records after it must not be removed.
    let what = f.try_reopen(Stopped::Killed).unwrap_err().to_string();
    assert!(what.contains(&format!("at byte {half}, with offset 30")), "{what}");
    let file = f.log.active().file().unwrap();
    file.truncate(half + 70).unwrap();
    reopen(&mut f, Stopped::Killed);
    assert_eq!((f.log.log_end_offset(), f.log.size()), (30, half));
    // A partial batch.
    f.append_many(1);
    let file = f.log.active().file().unwrap();
    file.truncate(f.log.size() - 1).unwrap();
    reopen(&mut f, Stopped::Killed);
    assert_eq!(f.log.log_end_offset(), 30);
    // `kill -9` cannot make the file shorter than what was settled.
    settle(&mut f.log);
    f.log.active().file().unwrap().truncate(settled / 2).unwrap();
    for _ in 0..2 {
        let what = f.try_reopen(Stopped::Killed).unwrap_err().to_string();
        assert!(what.contains("00000000000000000030.snapshot tells"), "{what}");
    }
    reopen(&mut f, Stopped::Unknown);
    assert_eq!(f.log.log_end_offset(), 10);
}

#[test]
fn an_index_that_does_not_fit_is_rebuilt() {
    let mut f = Fixture::new(TopicConfig { index_interval_bytes: 200, ..config() });
    f.append_many(20);
    settle(&mut f.log);
    let path = f.path().join("00000000000000000000.index");
    let good = fs::read(&path).unwrap();
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    // The size that Kafka preallocates for an index.
    let long = [good.clone(), vec![0; 8000]].concat();
    for bytes in [broken, long, good[..good.len() - 3].to_vec()] {
        fs::write(&path, bytes).unwrap();
        reopen(&mut f, Stopped::Killed);
        assert_eq!(f.log.log_end_offset(), 40);
        assert_eq!(f.read(0, 1 << 20, Isolation::LogEnd).len(), 20);
        assert_eq!(f.read(31, 1, Isolation::LogEnd), [(30, 31)]);
        settle(&mut f.log);
    }
}

fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let is_index = |name: &String| name.contains("index");
    let names = Disk::Os.list(path).unwrap().into_iter().filter(is_index);
    names.map(|name| (name.clone(), fs::read(path.join(name)).unwrap())).collect()
}

/// However often a log is settled and its process killed, its indexes are those that its batches
/// alone lead to.
#[test]
fn indexes_are_the_same_as_without_a_kill() {
    for seed in 0..30 {
        let mut random = Rng::with_seed(seed);
        let mut f = Fixture::new(TopicConfig {
            index_interval_bytes: random.i32(0..600),
            segment_bytes: random.i32(2000..9000),
            ..config()
        });
        for _ in 0..random.usize(20..150) {
            let batch = batch(random.usize(1..4), NOW + random.i64(0..100));
            f.log.append(vec![batch], random.i32(0..3), Origin::Client, NOW).unwrap();
            match random.u8(0..16) {
                0 => settle(&mut f.log),
                1 => reopen(&mut f, Stopped::Killed),
                _ => {}
            }
        }
        f.log.close().unwrap();
        let (end, kept) = (f.log.log_end_offset(), files(&f.path()));
        for name in kept.keys() {
            fs::remove_file(f.path().join(name)).unwrap();
        }
        reopen(&mut f, Stopped::Unknown);
        assert_eq!(f.log.log_end_offset(), end, "seed {seed}");
        f.log.close().unwrap();
        // A kill seals the segment, which may enter a timestamp slightly earlier than an index
        // entry would have.
        let offsets = |files: BTreeMap<String, Vec<u8>>| {
            files.into_iter().filter(|(name, _)| name.ends_with(".index")).collect::<Vec<_>>()
        };
        assert_eq!(offsets(files(&f.path())), offsets(kept), "seed {seed}");
    }
}

#[test]
fn epochs_are_known_after_a_kill() {
    let mut f = Fixture::new(config());
    let mut expected = Vec::new();
    for epoch in 1..12 {
        f.log.assign_epoch_start(epoch).unwrap();
        if epoch % 3 > 0 {
            f.log.append(vec![batch(2, NOW)], epoch, Origin::Client, NOW).unwrap();
            expected.push(epoch);
        }
        match epoch {
            4 | 7 => settle(&mut f.log),
            5 => f.log.roll(NOW).unwrap(),
            _ => {}
        }
        if epoch % 2 == 0 {
            reopen(&mut f, Stopped::Killed);
        }
        let known = |epoch: &i32| f.log.end_offset_for_epoch(*epoch).is_some_and(|e| e.0 == *epoch);
        assert!(expected.iter().all(known), "{epoch}");
    }
    // What Apache Kafka has written since takes precedence over what was settled.
    settle(&mut f.log);
    f.log.append(vec![batch(2, NOW)], 12, Origin::Client, NOW).unwrap();
    settle(&mut f.log);
    assert!(f.path().join("leader-epoch-checkpoint.settled").exists());
    let end = f.log.log_end_offset();
    f.log.append(vec![batch(2, NOW)], 20, Origin::Client, NOW).unwrap();
    let kafkas = format!("0\n2\n1 0\n20 {end}\n");
    fs::write(f.path().join("leader-epoch-checkpoint"), kafkas).unwrap();
    reopen(&mut f, Stopped::Killed);
    assert_eq!((f.log.latest_epoch(), f.log.epoch_at(end)), (20, 20));
    f.log.close().unwrap();
    assert!(!f.path().join("leader-epoch-checkpoint.settled").exists());
}

/// A snapshot tells that the epochs below it were written, whatever writes it.
#[test]
fn epochs_are_known_after_a_kill_in_the_midst_of_a_close_or_after_a_truncation() {
    let lead = |f: &mut Fixture, epoch| {
        f.log.append(vec![batch(2, NOW)], epoch, Origin::Client, NOW).unwrap();
    };
    let mut f = Fixture::new(config());
    lead(&mut f, 3);
    lead(&mut f, 4);
    let temporary = f.path().join("leader-epoch-checkpoint.tmp");
    fs::create_dir(&temporary).unwrap();
    f.log.close().unwrap_err();
    fs::remove_dir(&temporary).unwrap();
    reopen(&mut f, Stopped::Killed);
    lead(&mut f, 5);
    f.log.truncate_to(4).unwrap();
    reopen(&mut f, Stopped::Killed);
    lead(&mut f, 7);
    settle(&mut f.log);
    f.log.truncate_to(4).unwrap();
    // A leader's older history takes the place of what was settled.
    lead(&mut f, 6);
    reopen(&mut f, Stopped::Killed);
    assert_eq!([0, 2, 4].map(|offset| f.log.epoch_at(offset)), [3, 4, 6]);
    assert_eq!(f.log.latest_epoch(), 6);
}

/// Whoever moves the recovery point past a segment has written its epochs.
#[test]
fn epochs_below_the_recovery_point_are_in_the_file() {
    let mut f = Fixture::new(config());
    for epoch in [3, 4] {
        f.log.append(vec![batch(2, NOW)], epoch, Origin::Client, NOW).unwrap();
    }
    // As if the process was killed before the roll had written it.
    f.log.roll(NOW).unwrap();
    for name in ["leader-epoch-checkpoint", "00000000000000000004.snapshot"] {
        fs::remove_file(f.path().join(name)).unwrap();
    }
    reopen(&mut f, Stopped::Killed);
    f.log.flush().unwrap();
    assert_eq!(f.log.recovery_point(), 4);
    reopen(&mut f, Stopped::Unknown);
    assert_eq!([0, 2].map(|offset| f.log.epoch_at(offset)), [3, 4]);
}

#[test]
fn one_snapshot_is_kept_in_a_segment() {
    let mut f = Fixture::new(config());
    let snapshots = |f: &Fixture| {
        let names = Disk::Os.list(&f.path()).unwrap().into_iter();
        names.filter(|name| name.ends_with(".snapshot")).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        f.append_many(5);
        settle(&mut f.log);
    }
    assert_eq!(snapshots(&f), ["00000000000000000030.snapshot"]);
    f.append_many(1);
    f.log.roll(NOW).unwrap();
    assert_eq!(snapshots(&f), ["00000000000000000032.snapshot"]);
    f.append_many(1);
    settle(&mut f.log);
    let both = ["00000000000000000032.snapshot", "00000000000000000034.snapshot"];
    assert_eq!(snapshots(&f), both);
}

/// A power loss may take the batches of a segment and leave all or some of its indexes.
#[test]
fn an_empty_segment_has_empty_indexes() {
    for is_one_gone in [false, true] {
        let mut f = Fixture::new(TopicConfig { index_interval_bytes: 100, ..config() });
        f.append_many(20);
        settle(&mut f.log);
        let base = f.path().join("00000000000000000000.log");
        fs::write(&base, []).unwrap();
        if is_one_gone {
            fs::remove_file(base.with_extension("timeindex")).unwrap();
        }
        reopen(&mut f, Stopped::Unknown);
        assert_eq!(f.log.log_end_offset(), 0);
        f.append_many(1);
        reopen(&mut f, Stopped::Cleanly);
        assert_eq!(f.log.log_end_offset(), 2);
        assert_eq!(f.read(1, 1 << 20, Isolation::LogEnd), [(0, 1)]);
    }
}

/// A power loss may bring back a snapshot of deleted segments; what its producers wrote later is
/// gone.
#[test]
fn a_snapshot_below_the_log_is_outdated() {
    let mut f = Fixture::new(config());
    let send = |f: &mut Fixture, sequence| {
        let builder = BatchBuilder::new(0, Compression::Uncompressed);
        let mut builder = builder.producer(1, 0, sequence, false);
        builder.append(NOW, None, None, &[]);
        let sent = f.log.append(vec![builder.build()], 0, Origin::Client, NOW);
        sent.unwrap();
    };
    send(&mut f, 0);
    f.log.roll(NOW).unwrap();
    send(&mut f, 1);
    f.log.roll(NOW).unwrap();
    f.append(1);
    for base in 0..2 {
        fs::remove_file(f.path().join(format!("{base:020}.log"))).unwrap();
    }
    fs::write(f.path().join("00000000000000000002.snapshot"), []).unwrap();
    reopen(&mut f, Stopped::Unknown);
    assert_eq!((f.log.log_start_offset(), f.log.log_end_offset()), (2, 3));
    assert_eq!(f.log.active_producers(), []);
    send(&mut f, 2);
}

/// A file may survive a power loss that took what was written before it to another one.
#[test]
fn a_gap_between_segments_is_known_until_it_is_cut_off() {
    let gap = |spoil: &dyn Fn(&Fixture)| {
        let mut f = Fixture::new(config());
        for _ in 0..3 {
            f.append_many(2);
            f.log.roll(NOW).unwrap();
        }
        f.append(2);
        spoil(&f);
        f
    };
    let path = |f: &Fixture, base| f.path().join(file_name(base, ".log"));
    let half = |f: &Fixture| {
        let file = Disk::Os.open(&path(f, 4)).unwrap();
        file.truncate(file.len().unwrap() / 2).unwrap();
    };
    let open = |f: &mut Fixture, start| {
        let options = OpenOptions {
            config: Arc::new(f.config.clone()),
            log_start_offset: start,
            recovery_point: 0,
            cleaned_below: 0,
            stopped: Stopped::Unknown,
            leader_epochs: None,
            now: NOW,
        };
        f.log = Log::open(&Disk::Os, &f.path(), options).unwrap();
        f.log.lost_from()
    };
    assert_eq!(open(&mut gap(&half), 0), Some(6));
    assert_eq!(open(&mut gap(&half), 7), Some(7));
    assert_eq!(open(&mut gap(&half), 8), None, "it is below the start of the log");
    let whole = |f: &Fixture| fs::remove_file(path(f, 4)).unwrap();
    assert_eq!(open(&mut gap(&whole), 0), Some(4));
    assert_eq!(open(&mut gap(&|_| {}), 0), None);
    let mut f = gap(&half);
    open(&mut f, 0);
    f.log.truncate_to(6).unwrap();
    f.append(2);
    assert_eq!((f.log.lost_from(), f.log.log_end_offset()), (None, 8));
    let mut f = gap(&half);
    open(&mut f, 0);
    f.log.flush().unwrap();
    assert_eq!(f.log.lost_from(), None, "a recovery point is never above what is cut off");
}

/// KAFKA-6264: old compaction could produce a segment whose offsets need more than 31 bits.
#[test]
fn a_segment_with_too_many_offsets_is_split() {
    let mut f = Fixture::new(config());
    let far = Offset::from(i32::MAX) + 10;
    let mut bytes = Vec::new();
    for offset in [0, 5, far, far + 7] {
        let mut batch = batch(2, NOW);
        batch.set_base_offset(offset);
        bytes.extend_from_slice(&batch.to_bytes());
    }
    fs::write(f.path().join("00000000000000000000.log"), bytes).unwrap();
    fs::write(f.path().join(file_name(far + 9, ".log")), b"").unwrap();
    reopen(&mut f, Stopped::Unknown);
    let bases: Vec<Offset> = f.log.segments.iter().map(Segment::base_offset).collect();
    assert_eq!((bases, f.log.log_end_offset()), (vec![0, far, far + 9], far + 9));
    assert_eq!(f.read(0, 1 << 20, Isolation::LogEnd), [(0, 1), (5, 6)]);
    assert_eq!(f.read(7, 1 << 20, Isolation::LogEnd), [(far, far + 1), (far + 7, far + 8)]);
    reopen(&mut f, Stopped::Unknown);
    assert_eq!(f.log.segments.len(), 3);
}

#[test]
fn room_is_set_aside_and_given_back() {
    use std::os::unix::fs::MetadataExt;
    let room = 1 << 20;
    let mut f = Fixture::new(TopicConfig { preallocate: true, segment_bytes: room, ..config() });
    let taken = |f: &Fixture| {
        let metadata = fs::metadata(f.path().join("00000000000000000000.log")).unwrap();
        (metadata.len(), metadata.blocks() * 512 >= room as u64)
    };
    f.append_many(1);
    let size = f.log.size();
    // Not every file system supports this.
    let (len, is_set_aside) = taken(&f);
    assert_eq!(len, size);
    println!("room is set aside: {is_set_aside}");
    f.log.close().unwrap();
    assert_eq!(taken(&f), (size, false));
}
