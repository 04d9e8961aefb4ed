//! Processes of servers: how they are started, and what they use.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const KAFKA_VERSION: &str = "4.3.1";
pub const PROPERTIES: &str = "server.properties";
pub const CLUSTER_ID: &str = "5L6g3nShT-eMCtK--X86sw";

/// The klamm that cargo has built, or the one in KLAMM_BIN.
pub fn klamm() -> PathBuf {
    let other = std::env::var_os("KLAMM_BIN").map(|path| fs::canonicalize(path).unwrap());
    assert!(
        other.is_some() || !cfg!(debug_assertions),
        "KLAMM_BIN is to be a build with --profile dist"
    );
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_klamm").into())
}

/// The class path of Apache Kafka, where `compat/kafka/fetch` puts it; None if it is not installed.
pub fn class_path() -> Option<String> {
    let path = |name| std::env::var_os(name).map(PathBuf::from);
    let libs = path("KAFKA_REFERENCE_HOME").unwrap_or_else(|| {
        let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache");
        let cache = || path("XDG_CACHE_HOME").unwrap_or_else(home).join("klamm-compat");
        path("COMPAT_CACHE").unwrap_or_else(cache).join("kafka-reference")
    });
    let libs = libs.join(format!("libs/tools-{KAFKA_VERSION}"));
    libs.join(".done").exists().then(|| format!("{}/*", libs.display()))
}

/// `kafka-storage format` of the settings in `dir`.
pub fn format(class_path: &str, dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.args(["-cp", class_path, "kafka.tools.StorageTool", "format"]);
    command.args(["-t", CLUSTER_ID, "-c", PROPERTIES]).args(more);
    command.current_dir(dir).stdout(Stdio::null());
    command
}

/// Apache Kafka with the options of its start script and this heap.
pub fn kafka(class_path: &str, heap: &str) -> Command {
    let mut command = Command::new("java");
    command.args([format!("-Xmx{heap}"), format!("-Xms{heap}")]);
    command.args(["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
    command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]);
    command.args(["-cp", class_path, "kafka.Kafka"]);
    command
}

/// The processor time that a process has used so far, in seconds of user and system time.
pub fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may contain spaces; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
    let ticks: f64 = fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap();
    ticks / 100.0
}

pub fn resident_kib(pid: u32) -> u64 {
    kib_of(pid, "VmRSS:")
}

/// The maximum of its resident memory so far.
pub fn most_resident_kib(pid: u32) -> u64 {
    kib_of(pid, "VmHWM:")
}

fn kib_of(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Uses as much of the page cache as `bytes` need, and frees it again. Memory that a virtual
/// machine has not used for a while is several times as expensive as memory it has just used,
/// and the result would depend on which server gets it.
pub fn prime_page_cache(dir: &Path, bytes: usize) {
    let path = dir.join("primed");
    let mut file = fs::File::create(&path).unwrap();
    let chunk = vec![0; 1 << 20];
    (0..bytes / chunk.len()).for_each(|_| file.write_all(&chunk).unwrap());
    fs::remove_file(&path).unwrap();
}

/// A file in `target/bench`.
pub fn output(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

/// A port below Linux's ephemeral ones, so that no outgoing connection takes it while the server
/// is down.
pub fn free_port() -> u16 {
    let ports = std::iter::repeat_with(|| fastrand::u16(20_000..30_000));
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(1000).find(is_free).unwrap()
}

/// Whether a server on this port answers an ApiVersions.
pub fn answers(port: u16) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut size = [0; 8];
    socket.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).is_ok()
        && socket.read_exact(&mut size).is_ok()
}
