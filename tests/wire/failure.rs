//! Failures that the broker cannot survive: it says why and exits soon with status 1.

use super::Peer;
use super::jbod::create;
use crate::support::Broker;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

struct Failure {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    cause: fn(&Path, &Broker),
    says: &'static str,
}

const METADATA_LOG: &str = "__cluster_metadata-0/00000000000000000000.log";
const VANISHED: &str = "the metadata log cannot be written any more: ";

const FAILURES: &[Failure] = &[
    Failure {
        name: "the only log directory is removed",
        settings: &[("log.flush.offset.checkpoint.interval.ms", "100")],
        cause: |root, _| fs::remove_dir_all(root.join("data")).unwrap(),
        says: "all log directories are offline: ",
    },
    Failure {
        name: "a topic is created after the only log directory was removed",
        settings: &[],
        cause: |root, broker| {
            fs::remove_dir_all(root.join("data")).unwrap();
            create(broker, "t", 1);
        },
        says: "/data/t-0: No such file or directory",
    },
    Failure {
        name: "the metadata log's log directory is removed",
        settings: &[],
        cause: |root, _| fs::remove_dir_all(root.join("metadata")).unwrap(),
        says: VANISHED,
    },
    Failure {
        name: "the metadata log is removed",
        settings: &[],
        cause: |root, _| fs::remove_dir_all(root.join("metadata/__cluster_metadata-0")).unwrap(),
        says: VANISHED,
    },
    Failure {
        name: "the metadata log's file is removed",
        settings: &[],
        cause: |root, _| fs::remove_file(root.join("metadata").join(METADATA_LOG)).unwrap(),
        says: VANISHED,
    },
    Failure {
        name: "the metadata log is replaced by an older copy",
        settings: &[],
        cause: |root, broker| {
            let log = root.join("metadata").join(METADATA_LOG);
            let copy = root.join("copy");
            fs::copy(&log, &copy).unwrap();
            assert_eq!(create(broker, "t", 1), 0);
            fs::rename(copy, log).unwrap();
        },
        says: VANISHED,
    },
];

#[test]
fn what_a_broker_cannot_live_with_ends_it() {
    for Failure { name, settings, cause, says } in FAILURES {
        let root = TempDir::new().unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        let (data, metadata) = (path("data"), path("metadata"));
        let own = [("log.dirs", data.as_str()), ("metadata.log.dir", metadata.as_str())];
        let mut broker = Broker::start_with(&[&own, *settings].concat());
        cause(root.path(), &broker);
        let (status, last) = broker.end();
        assert_eq!(status, Some(1), "{name}: {last}");
        assert!(last.contains(" ERROR Exiting: ") && last.contains(says), "{name}: {last}");
    }
}

#[test]
fn each_signal_is_a_clean_stop() {
    for name in ["TERM", "INT", "HUP"] {
        let mut broker = Broker::start();
        broker.signal(name);
        let (status, last) = broker.end();
        assert_eq!(status, Some(0), "{name}: {last}");
        assert!(last.contains(" INFO stopped"), "{name}: {last}");
        assert!(broker.data_dir().join(".kafka_cleanshutdown").exists());
    }
}

/// A tool such as `timeout` signals both the process and its group, but wants one stop.
#[test]
fn a_signal_that_comes_twice_at_once_is_one_stop() {
    let mut broker = Broker::start();
    broker.signal("TERM");
    broker.signal("HUP");
    broker.signal("TERM");
    let (status, last) = broker.end();
    assert_eq!(status, Some(0), "{last}");
    assert!(broker.data_dir().join(".kafka_cleanshutdown").exists());
}

/// A Fetch that waits delays the stop.
#[test]
fn the_second_signal_ends_the_broker_at_once() {
    let mut broker = Broker::start();
    let mut socket = TcpStream::connect(("127.0.0.1", broker.port)).unwrap();
    let (max_wait_ms, min_bytes) = (60_000i32, i32::MAX);
    let mut body = (-1i32).to_be_bytes().to_vec();
    for field in [max_wait_ms, min_bytes, i32::MAX] {
        body.extend(field.to_be_bytes());
    }
    body.push(0);
    body.extend([0i32.to_be_bytes(), (-1i32).to_be_bytes(), 0i32.to_be_bytes()].concat());
    body.extend([0i32.to_be_bytes(), 0i32.to_be_bytes()].concat());
    socket.write_all(&super::frame(1, 10, 1, &body[..])).unwrap();
    // The Fetch has been read, as a later request of another connection is answered.
    Peer::connect(broker.port).send(18, 0, 1, &[]);
    broker.signal("TERM");
    while !broker.log().contains("stopping: SIGTERM") {
        std::thread::yield_now();
    }
    // Signals that come at the same time are one stop. Later ones must be noticed.
    while broker.is_running() {
        broker.signal("TERM");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, last) = broker.end();
    if status == Some(0) {
        // The first stop was complete before a second signal came.
        return;
    }
    assert_eq!(status, Some(1), "{last}");
    assert!(last.contains("SIGTERM came while the broker was stopping"), "{last}");
}

/// Threads that write to a log that nobody reads wait, but a second signal still counts.
#[test]
fn a_log_that_nobody_reads_keeps_no_signal_away() {
    let (dir, port) = (tempfile::tempdir().unwrap(), crate::support::free_port());
    let mut unread = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(["--log-level", "trace", "--override"])
        .arg(format!("log.dirs={}", dir.path().join("data").display()))
        .arg("--override")
        .arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It may also fill the pipe, and wait, before it listens.
    let connect = || TcpStream::connect(("127.0.0.1", port));
    let _ = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        connect().is_ok()
    });
    // Each connection logs until the pipe is full.
    let peers: Vec<Option<TcpStream>> = (0..200)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            let mut peer = connect().ok()?;
            let requests: Vec<u8> = (0..50).flat_map(|n| super::frame(18, 0, n, &[])).collect();
            peer.write_all(&requests).ok()?;
            Some(peer)
        })
        .collect();
    let ended = |unread: &mut Child| unread.try_wait().unwrap();
    let signal = |unread: &Child| {
        let pid = unread.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    };
    signal(&unread);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ended(&mut unread).is_none(), "the log was read");
    signal(&unread);
    super::wait_for("the end", || ended(&mut unread).is_some());
    assert_eq!(unread.wait().unwrap().code(), Some(1));
    drop(peers);
}
