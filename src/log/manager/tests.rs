//! Log directories: what starts and stops leave in them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Config;
use crate::log::Origin;
use crate::log::checkpoint::RECOVERY_POINTS;
use crate::log::tests::spoilt::{DAMAGES, fifo};
use crate::log::tests::{NOW, batch, config};
use crate::types::Isolation;
use std::fs;
use tempfile::TempDir;

const TOPIC_ID: Uuid = Uuid::from_u128(42);

fn config_of(dirs: &[&Path]) -> LiveConfig {
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    Config::new([("log.dirs".to_owned(), dirs.join(","))].into()).unwrap().into()
}

fn manager(dirs: &[&Path]) -> LogManager {
    LogManager::open(Disk::Os, &config_of(dirs)).unwrap()
}

impl LogManager {
    pub(crate) fn open_log(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<TopicConfig>,
        now: Timestamp,
    ) -> Result<Log> {
        self.open_log_in(Placement::default(), partition, topic_id, config, now)
    }
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn open_log(manager: &LogManager, index: i32) -> Log {
    manager.open_log(&partition(index), TOPIC_ID, Arc::new(config()), NOW).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    Disk::Os.list(dir).unwrap()
}

#[test]
fn a_directory_is_formatted_once() {
    let dir = TempDir::new().unwrap();
    let manager = manager(&[dir.path()]);
    assert!(manager.dirs()[0].meta().is_none() && manager.dirs()[0].clean_shutdown.is_none());
    manager.format("some-cluster", 7).unwrap();
    let meta = manager.dirs()[0].meta().cloned().unwrap();
    assert_eq!((meta.cluster_id.as_str(), meta.node_id), ("some-cluster", 7));
    let text = fs::read_to_string(dir.path().join("meta.properties")).unwrap();
    for line in ["version=1", "cluster.id=some-cluster", "node.id=7"] {
        assert!(text.lines().any(|l| l == line), "{text}");
    }
    drop(manager);
    let manager = self::manager(&[dir.path()]);
    manager.format("another", 8).unwrap();
    assert_eq!(manager.dirs()[0].meta(), Some(&meta));
}

#[test]
fn kafkas_directory_is_understood() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kafka-4.3.1/log-dir");
    let dir = TempDir::new().unwrap();
    for name in names(Path::new(fixture)).iter().filter(|name| *name != "fix-0") {
        fs::copy(Path::new(fixture).join(name), dir.path().join(name)).unwrap();
    }
    let manager = manager(&[dir.path()]);
    let log_dir = &manager.dirs()[0];
    let meta = log_dir.meta().unwrap();
    assert_eq!((meta.cluster_id.as_str(), meta.node_id), ("referenceReference0000A", 1));
    assert_eq!(crate::types::uuid_to_text(meta.directory_id), "lBHnTetMyXi6gcI8fwQDRQ");
    assert_eq!(log_dir.clean_shutdown, Some(12));
    let known = &manager.state().checkpoints[0];
    let fix = TopicPartition::new("fix", 0);
    assert_eq!((known.recovery_points[&fix], known.high_watermarks[&fix]), (548, 548));
    assert!(known.log_starts.is_empty());
}

#[test]
fn broken_files_are_told_apart() {
    let meta = |text: &str| {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("meta.properties"), text).unwrap();
        LogManager::open(Disk::Os, &config_of(&[dir.path()])).map(|_| ())
    };
    let id = "directory.id=lBHnTetMyXi6gcI8fwQDRQ";
    assert!(meta(&format!("#x\nversion = 1\ncluster.id: c\nnode.id=1\n{id}")).is_ok());
    for text in [
        "version=0\ncluster.id=c\nbroker.id=1",
        &format!("version=1\nnode.id=1\n{id}"),
        &format!("version=1\ncluster.id=c\nnode.id=one\n{id}"),
        "version=1\ncluster.id=c\nnode.id=1\ndirectory.id=short",
    ] {
        assert!(matches!(meta(text), Err(Error::Config(_))), "{text}");
    }
    // Unreadable checkpoints count as missing.
    for text in ["one\n0\n", "0\n2\nt 0 5\n", "0\n1\nt 0\n", "0\nx\n", "\u{0}"] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(RECOVERY_POINTS), text).unwrap();
        let manager = manager(&[dir.path()]);
        assert!(manager.state().checkpoints[0].recovery_points.is_empty(), "{text:?}");
    }
}

#[test]
fn a_directory_of_a_kafka_that_gave_it_no_id_gets_one_when_it_is_formatted() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("meta.properties");
    let old = "version=1\ncluster.id=c\nnode.id=1\n";
    fs::write(&path, old).unwrap();
    let id = || {
        let manager = manager(&[dir.path()]);
        assert_eq!(
            fs::read_to_string(&path).unwrap().contains("directory.id"),
            manager.dirs()[0].meta().unwrap().is_written
        );
        manager.format("c", 1).unwrap();
        manager.dirs()[0].id().unwrap()
    };
    let given = id();
    assert!(fs::read_to_string(&path).unwrap().contains(&crate::types::uuid_to_text(given)));
    assert_eq!(id(), given, "it stays");
}

#[test]
fn logs_are_not_made_in_a_cordoned_directory_while_there_is_another() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let paths = [dirs[0].path(), dirs[1].path()];
    let live = config_of(&paths);
    let manager = LogManager::open(Disk::Os, &live).unwrap();
    let count = |path: &Path| names(path).iter().filter(|name| name.starts_with("t-")).count();
    let cordon = |which: &[&Path]| {
        let text = |paths: &[&Path]| {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
        };
        let settings = [("log.dirs", text(&paths)), ("cordoned.log.dirs", text(which))];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        live.set(Config::new(settings.into_iter().collect()).unwrap());
    };
    cordon(&paths[..1]);
    (0..3).for_each(|index| drop(open_log(&manager, index)));
    assert_eq!(paths.map(count), [0, 3]);
    cordon(&paths);
    (3..5).for_each(|index| drop(open_log(&manager, index)));
    assert_eq!(paths.map(count), [2, 3], "one has to take it");
}

#[test]
fn logs_go_where_the_fewest_are_and_are_found_again() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let paths = [dirs[0].path(), dirs[1].path()];
    let manager = manager(&paths);
    assert!(manager.scan().unwrap().is_empty());
    let mut logs = HashMap::new();
    for index in 0..4 {
        let mut log = open_log(&manager, index);
        let batches = vec![batch(2, NOW), batch(1 + index as usize, NOW)];
        log.append(batches, 3, Origin::Client, NOW).unwrap();
        log.set_high_watermark(2);
        logs.insert(partition(index), Arc::new(Mutex::new(log)));
    }
    assert_eq!(
        paths.map(|path| names(path).iter().filter(|n| n.starts_with("t-")).count()),
        [2, 2]
    );
    logs[&partition(0)].lock().unwrap().advance_log_start(1).unwrap();
    for log in logs.values() {
        log.lock().unwrap().close().unwrap();
    }
    manager.checkpoint(&logs).unwrap();
    manager.mark_clean_shutdown(99, |_| true).unwrap();
    drop(manager);

    // Directories that belong to others are left alone or removed.
    for name in ["__cluster_metadata-0", "t-8.0123-stray", "t-9.0123-delete"] {
        fs::create_dir(paths[0].join(name)).unwrap();
    }
    let manager = self::manager(&paths);
    assert!(manager.dirs().iter().all(|dir| dir.clean_shutdown == Some(99)));
    let found = manager.scan().unwrap();
    assert!(names(paths[0]).contains(&"t-9.0123-delete".into()), "looking changes nothing");
    manager.run_deletes(NOW).unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|found| found.topic_id == Some(TOPIC_ID)));
    let left = names(paths[0]);
    assert!(left.contains(&"t-8.0123-stray".into()) && !left.contains(&"t-9.0123-delete".into()));
    for index in 0..4 {
        assert_eq!(manager.checkpointed_high_watermark(&partition(index)), 2);
        let log = open_log(&manager, index);
        assert_eq!(log.log_end_offset(), 3 + Offset::from(index));
        assert_eq!(log.log_start_offset(), Offset::from(index == 0));
        assert_eq!(log.latest_epoch(), 3);
    }
}

#[test]
fn deleted_logs_vanish_later_and_may_come_again() {
    let dir = TempDir::new().unwrap();
    let manager = manager(&[dir.path()]);
    let mut log = open_log(&manager, 0);
    log.append(vec![batch(2, NOW)], 3, Origin::Client, NOW).unwrap();
    manager.delete_log(&log, NOW).unwrap();
    let waiting = || names(dir.path()).iter().filter(|name| name.ends_with(DELETE)).count();
    assert_eq!(waiting(), 1);
    assert_eq!(open_log(&manager, 0).log_end_offset(), 0);
    manager.run_deletes(NOW + 59_999).unwrap();
    assert_eq!(waiting(), 1);
    manager.run_deletes(NOW + 60_000).unwrap();
    assert_eq!(waiting(), 0);
    let found = manager.scan().unwrap();
    manager.mark_stray(&found[0]).unwrap();
    assert!(manager.scan().unwrap().is_empty());
}

/// The checkpoints contain deleted logs, which several threads create again.
#[test]
fn logs_that_are_made_at_once_do_not_disturb_each_other() {
    let dir = TempDir::new().unwrap();
    for file in [RECOVERY_POINTS, "log-start-offset-checkpoint"] {
        let lines: String = (0..40).map(|index| format!("t {index} 5\n")).collect();
        fs::write(dir.path().join(file), format!("0\n40\n{lines}")).unwrap();
    }
    let manager = manager(&[dir.path()]);
    assert!(manager.scan().unwrap().is_empty());
    let indexes: Vec<i32> = (0..40).collect();
    let ends = crate::sync::parallel::in_parallel(8, &indexes, |index| {
        open_log(&manager, *index).log_end_offset()
    });
    assert_eq!(ends, [0; 40]);
    let left = fs::read_to_string(dir.path().join(RECOVERY_POINTS)).unwrap();
    assert_eq!(left, "0\n0\n");
}

#[test]
fn what_is_not_kafkas_stops_the_start() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let paths = [dirs[0].path(), dirs[1].path()];
    IGNORED.iter().for_each(|name| fs::create_dir(paths[0].join(name)).unwrap());
    assert!(manager(&paths).scan().unwrap().is_empty());
    fs::create_dir(paths[0].join("holiday")).unwrap();
    assert!(matches!(manager(&paths).scan(), Err(Error::Config(_))));
    fs::remove_dir(paths[0].join("holiday")).unwrap();
    paths.iter().for_each(|path| fs::create_dir(path.join("t-0")).unwrap());
    assert!(matches!(manager(&paths).scan(), Err(Error::Config(_))));
}

/// fcntl locks are between processes, so a child process tries to take the lock held by this one.
#[test]
fn another_process_is_kept_out() {
    let dir = TempDir::new().unwrap();
    let mut manager = manager(&[dir.path()]);
    manager.claim().unwrap();
    manager.unmark().unwrap();
    assert!(is_locked(dir.path()), "a new directory");
    manager.format("some-cluster", 7).unwrap();
    drop(manager);
    let _manager = self::manager(&[dir.path()]);
    assert!(is_locked(dir.path()), "a formatted one");
}

fn is_locked(dir: &Path) -> bool {
    let ask =
        "import fcntl,sys\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)";
    let child = std::process::Command::new("python3")
        .args(["-c", ask, dir.join(LOCK).to_str().unwrap()])
        .stderr(std::process::Stdio::null())
        .status();
    // Without python the test cannot tell.
    dir.join(LOCK).exists() && child.map_or(true, |status| !status.success())
}

#[test]
fn what_a_newer_broker_wrote_is_refused_and_not_touched() {
    let files = [
        ("meta.properties", "version=2\ncluster.id=c\n"),
        (".kafka_cleanshutdown", r#"{"version":1,"brokerEpoch":3}"#),
        ("recovery-point-offset-checkpoint", "1\n0\n"),
        ("cleaner-offset-checkpoint", "1\n0\n"),
        ("t-0/leader-epoch-checkpoint", "1\n0\n"),
        ("t-0/partition.metadata", "version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"),
    ];
    for (name, content) in files {
        let dir = TempDir::new().unwrap();
        let mut manager = self::manager(&[dir.path()]);
        manager.claim().unwrap();
        manager.unmark().unwrap();
        manager.format("c", 1).unwrap();
        open_log(&manager, 0).close().unwrap();
        manager.mark_clean_shutdown(3, |_| true).unwrap();
        drop(manager);
        fs::write(dir.path().join(name), content).unwrap();
        let before = (names(dir.path()), names(&dir.path().join("t-0")));
        let refused = LogManager::open(Disk::Os, &config_of(&[dir.path()]));
        let Err(Error::Config(message)) = refused else { panic!("{name}: {refused:?}") };
        assert!(message.contains(name) && message.contains("start the broker"), "{message}");
        assert_eq!((names(dir.path()), names(&dir.path().join("t-0"))), before, "{name}");
        assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), content);
    }
}

#[test]
fn the_mark_of_a_clean_stop_stays_until_it_is_taken() {
    let dir = TempDir::new().unwrap();
    manager(&[dir.path()]).mark_clean_shutdown(3, |_| true).unwrap();
    for _ in 0..2 {
        assert_eq!(manager(&[dir.path()]).dirs()[0].clean_shutdown, Some(3));
        assert_eq!(names(dir.path()), [".kafka_cleanshutdown"], "nothing is written");
    }
    let mut claimed = manager(&[dir.path()]);
    claimed.claim().unwrap();
    claimed.unmark().unwrap();
    drop(claimed);
    assert_eq!(manager(&[dir.path()]).dirs()[0].clean_shutdown, None);
}

/// A directory with two logs of one record each, after a clean stop.
fn stopped_cleanly() -> TempDir {
    let dir = TempDir::new().unwrap();
    let manager = manager(&[dir.path()]);
    manager.format("some-cluster", 7).unwrap();
    let mut logs = HashMap::new();
    for index in 0..2 {
        let mut log = open_log(&manager, index);
        log.append(vec![batch(1, NOW)], 0, Origin::Client, NOW).unwrap();
        log.close().unwrap();
        logs.insert(partition(index), Arc::new(Mutex::new(log)));
    }
    manager.checkpoint(&logs).unwrap();
    manager.cleaner().forget(&partition(5)).unwrap();
    manager.note_recovered().unwrap();
    manager.mark_clean_shutdown(3, |_| true).unwrap();
    fs::write(dir.path().join("cleaner-offset-checkpoint"), "0\n1\nt 0 1\n").unwrap();
    dir
}

/// Starts in `dir` after `spoil`. If the start is refused, the message must contain `named`.
/// Otherwise the second log must be served, and the first one either too or, on its own, be refused
/// with such a message.
#[track_caller]
fn check_spoilt(row: &str, named: &str, spoil: impl Fn(&Path)) {
    let dir = stopped_cleanly();
    spoil(dir.path());
    let start = || {
        let mut manager = LogManager::open(Disk::Os, &config_of(&[dir.path()]))?;
        manager.claim()?;
        manager.unmark()?;
        let found = manager.scan()?;
        let known = |found: &Found| found.topic_id == Some(TOPIC_ID);
        assert!(found.iter().any(|f| known(f) && f.partition == partition(1)), "{row}: {found:?}");
        Ok((manager, found))
    };
    let is_told = |error: &Error| {
        let is_ours = matches!(error, Error::Corrupt { .. } | Error::Config(_));
        assert!(is_ours && error.to_string().contains(named), "{row}: {error}");
    };
    let (manager, found) = match start() {
        Ok(started) => started,
        Err(error) => return is_told(&error),
    };
    let serve = |index| {
        manager.open_log(&partition(index), TOPIC_ID, Arc::new(config()), NOW).map(|log| {
            let read = log.read(0, 1000, Isolation::LogEnd, true).unwrap();
            assert!(read.bytes > 0, "{row}: log {index} has nothing");
        })
    };
    serve(1).unwrap();
    let is_stray = found.iter().any(|f| f.partition == partition(0) && f.topic_id.is_none());
    if !is_stray && let Err(error) = serve(0) {
        is_told(&error);
    }
    assert!(!is_stray || row == "t-0/partition.metadata: gone", "{row}: a stray");
    let kept = dir.path().join("t-0/00000000000000000000.log");
    assert!(row.starts_with("t-0 is") || kept.exists(), "{row}: a log has gone");
    assert!(!manager.dirs()[0].is_offline(), "{row}: the directory is offline");
}

#[test]
fn every_file_of_a_directory_may_be_spoilt() {
    let paths = stopped_cleanly();
    let files = names(paths.path()).into_iter().filter(|name| !name.starts_with("t-"));
    let of_log =
        ["partition.metadata", "leader-epoch-checkpoint"].map(|name| format!("t-0/{name}"));
    for file in files.chain(of_log) {
        let named = file.rsplit('/').next().unwrap();
        let row = |damage: &str| format!("{file}: {damage}");
        for (damage, spoil) in DAMAGES.iter().filter(|(damage, _)| *damage != "a link to nothing") {
            check_spoilt(&row(damage), named, |dir| spoil(&dir.join(&file)));
        }
        let (most, least) = (i64::MAX.to_string(), i64::MIN.to_string());
        let texts = [
            format!("0\n1\nt 0 {most}\n"),
            format!("0\n1\nt 0 {least}\n"),
            "0\n1\nt -1 0\n".to_owned(),
            format!("0\n{most}\nt 0 0\n"),
            format!("0\n1\n{} {most}\n", i32::MAX),
            format!("0\n1\n{} {least}\n", i32::MIN),
            format!("{{\"version\":0,\"brokerEpoch\":{least}}}"),
            format!("version=1\ncluster.id=\nnode.id={most}\ndirectory.id={most}\n"),
            "\0".repeat(43),
        ];
        for text in texts {
            check_spoilt(&row(&text), named, |dir| fs::write(dir.join(&file), &text).unwrap());
        }
    }
}

#[test]
fn what_is_no_logs_directory_is_told_and_takes_no_other_with_it() {
    type Row = (&'static str, &'static str, fn(&Path));
    let rows: [Row; 7] = [
        ("t-0 is a file", "t-0", |dir| fs::write(dir.join("t-0"), b"x").unwrap()),
        ("t-0 is a pipe", "t-0", |dir| fifo(&dir.join("t-0"))),
        ("t-0 is a link to itself", "t-0", |dir| link("t-0", &dir.join("t-0"))),
        ("t-0 is a link to nothing", "t-0", |dir| link("/nowhere/at/all", &dir.join("t-0"))),
        ("t-0 is t-00", "t-00", |dir| fs::create_dir(dir.join("t-00")).unwrap()),
        ("t-0 is t-+0", "t-+0", |dir| fs::create_dir(dir.join("t-+0")).unwrap()),
        ("t-0 is t-4294967296", "t-4294967296", |dir| {
            fs::create_dir(dir.join("t-4294967296")).unwrap();
        }),
    ];
    for (row, named, make) in rows {
        check_spoilt(row, named, |dir| {
            fs::remove_dir_all(dir.join("t-0")).unwrap();
            make(dir);
        });
    }
}

fn link(to: &str, path: &Path) {
    std::os::unix::fs::symlink(to, path).unwrap();
}
