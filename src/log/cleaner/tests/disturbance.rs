//! Changes of a log in the middle of a pass, and crashes.

use super::super::swap::{Step, Swap};
use super::*;
use std::cell::Cell;

fn filled() -> Fixture {
    let f = Fixture::new(TopicConfig { segment_bytes: 300, ..compacted() });
    for n in 0..30 {
        f.append(keyed(&[(&format!("{}", n % 7), Some("1")), ("x", None)], NOW));
    }
    f.roll();
    f.put("y", Some("1"));
    f
}

/// Runs `disturb` the n-th time that the pass takes the lock, for each n.
fn at_every_lock(disturb: impl Fn(&Fixture), check: impl Fn(&Fixture, bool)) {
    for n in 1.. {
        let f = filled();
        let left = Cell::new(n);
        let lock = || {
            left.set(left.get() - 1);
            if left.get() == 0 {
                disturb(&f);
            }
            Ok(f.log())
        };
        let candidate = f.examine(NOW).unwrap();
        let cleaned = f.cleaner.clean(&candidate, &lock, NOW).unwrap();
        check(&f, cleaned);
        assert!(f.names().iter().all(|n| !n.ends_with(".cleaned") && !n.ends_with(".swap")));
        if left.get() > 0 {
            assert!(n > 20, "{n}");
            return;
        }
    }
}

#[test]
fn appends_and_reads_go_on() {
    let disturb = |f: &Fixture| {
        assert_eq!(f.put("z", Some("1")), 61);
        assert!(f.seen().iter().any(|(key, ..)| key == "z"));
    };
    at_every_lock(disturb, |f, cleaned| {
        assert!(cleaned);
        let keys: Vec<_> = f.seen().into_iter().map(|(key, ..)| key).collect();
        assert_eq!(keys[..9], ["2", "3", "4", "5", "6", "0", "1", "x", "y"]);
    });
}

#[test]
fn a_cut_ends_the_pass() {
    // The log grows to its old size again, so that only the truncation count tells the difference.
    let disturb = |f: &Fixture| {
        f.log().truncate_to(56).unwrap();
        f.log().set_high_watermark(56);
        for _ in 0..3 {
            f.append(keyed(&[("n", Some("1")), ("n", Some("2"))], NOW));
        }
    };
    at_every_lock(disturb, |f, cleaned| {
        let end = f.log().log_end_offset();
        assert!((end == 61 && cleaned) || end == 62, "{end}");
        let seen = f.seen();
        if end == 62 {
            let new = seen.iter().filter(|(key, ..)| key == "n").count();
            assert_eq!(new, 6);
            // A record that the truncated records replaced is gone only if a record below the cut
            // replaces it too, or if the swap came first.
            assert!(seen.iter().any(|(key, ..)| key == "x"));
        }
    });
}

#[test]
fn retention_ends_the_pass() {
    let disturb = |f: &Fixture| {
        f.log().advance_log_start(25).unwrap();
        f.log().clean_up(NOW).unwrap();
    };
    at_every_lock(disturb, |f, _| {
        let keys: Vec<_> = f.seen().into_iter().map(|(key, ..)| key).collect();
        assert!(
            ["0", "1", "2", "3", "4", "5", "6", "x", "y"]
                .iter()
                .all(|k| keys.contains(&(*k).into()))
        );
        assert!(f.log().log_start_offset() <= 25);
        // The next pass cleans what this one left.
        f.roll();
        f.clean(NOW);
        assert_eq!(f.seen().len(), 9);
    });
}

#[test]
fn a_closed_log_ends_the_pass() {
    for n in 1..1000 {
        let f = filled();
        let before = f.seen();
        let left = Cell::new(n);
        let lock = || {
            left.set(left.get() - 1);
            if left.get() > 0 { Ok(f.log()) } else { Err(Error::Closed) }
        };
        let candidate = f.examine(NOW).unwrap();
        let cleaned = f.cleaner.clean(&candidate, &lock, NOW).unwrap();
        assert!(f.names().iter().all(|name| !name.ends_with(".cleaned")));
        let seen = f.seen();
        assert!(seen.iter().all(|record| before.contains(record)));
        assert_eq!(f.checkpoint(), if cleaned { 60 } else { 0 });
        assert!(f.cleaner.state().in_progress.is_empty());
        if cleaned {
            return;
        }
        assert!(f.examine(NOW).is_some(), "it is tried again");
    }
    panic!("the pass never ends");
}

/// Stops after each step of a swap, as a crash would, and opens the directory.
#[test]
fn a_crash_at_every_step_of_the_swap_loses_nothing() {
    let f = Fixture::new(TopicConfig { segment_bytes: 300, ..compacted() });
    for n in 0..12 {
        let key = format!("{}", n % 3);
        f.append(transactional(7, 2 * n, &[(&key, Some("1")), ("x", Some("2"))]));
        if n % 4 == 3 {
            f.append(marker(7, n % 8 == 3));
        }
    }
    f.append(marker(7, true));
    f.roll();
    f.put("y", Some("1"));
    f.log().flush().unwrap();
    // What the pass makes of the first group of segments, without its swap.
    let bases: Vec<Offset> = f.log().segments.iter().map(|s| s.base_offset()).collect();
    let old = &bases[..bases.len() - 1];
    let before = f.seen();
    let origin = temporary();
    copy(&f.path(), &origin.path().join("t-0"), |_| true);
    assert!(f.log().config().segment_bytes == 300);
    f.log().set_config(std::sync::Arc::new(TopicConfig { segment_bytes: 1 << 20, ..compacted() }));
    assert!(f.clean(NOW));
    let after = f.seen();
    assert!(after.len() < before.len() && f.log().segments.len() == 2);
    let cleaned_from = f.path();
    for steps in 0.. {
        let dir = temporary();
        let path = dir.path().join("t-0");
        copy(&origin.path().join("t-0"), &path, |_| true);
        for suffix in segment::SUFFIXES {
            let from = cleaned_from.join(format!("{:020}{suffix}", bases[0]));
            if from.exists() {
                fs::copy(&from, path.join(format!("{:020}{suffix}.cleaned", bases[0]))).unwrap();
            }
        }
        let swap = Swap::plan(&Disk::Os, &path, old).unwrap();
        let all: Vec<&Step> = swap.prepare.iter().chain(&swap.finish).collect();
        all.iter().take(steps).for_each(|step| step.run(&Disk::Os).unwrap());
        let durable = swap.prepare.len();
        for (clean, point) in [(true, bases[bases.len() - 1] + 1), (false, 0)] {
            let crashed = temporary();
            let crashed = crashed.path().join("t-0");
            copy(&path, &crashed, |_| true);
            let log = open(&crashed, &f.config, point, clean);
            let reopened = Fixture {
                dir: temporary(),
                config: f.config.clone(),
                log: Mutex::new(log),
                cleaner: cleaner(f.dir.path(), &[]),
            };
            let expected = if steps < durable { &before } else { &after };
            assert_eq!(&reopened.seen(), expected, "after {steps} steps, clean: {clean}");
            assert_eq!(reopened.log().log_end_offset(), f.log().log_end_offset());
            let names = Disk::Os.list(&crashed).unwrap();
            let left = |name: &String| name.matches('.').count() > 1;
            assert!(!names.iter().any(left), "after {steps} steps: {names:?}");
        }
        if steps == all.len() {
            assert!(steps > 20, "{steps}");
            return;
        }
    }
}

/// A `.cleaned` file of any length is removed.
#[test]
fn a_crash_while_the_new_segment_is_written_loses_nothing() {
    let f = filled();
    let before = f.seen();
    f.log().close().unwrap();
    for name in [".log.cleaned", ".index.cleaned", ".timeindex.cleaned", ".txnindex.cleaned"] {
        fs::write(f.path().join(format!("{:020}{name}", 0)), [7; 99]).unwrap();
        let end = f.log().log_end_offset();
        *f.log() = open(&f.path(), &f.config, end, true);
        assert_eq!(f.seen(), before);
        assert!(f.names().iter().all(|name| !name.ends_with(".cleaned")));
    }
}
