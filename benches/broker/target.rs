//! A server under test: klamm, Apache Kafka or the floor, in a directory of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KAFKA_VERSION: &str = "4.3.1";
const PROPERTIES: &str = "server.properties";

pub struct Target {
    pub name: &'static str,
    process: Child,
    dir: tempfile::TempDir,
    pub port: u16,
}

impl Target {
    /// Starts it on a fresh directory; None if Apache Kafka's jars are not here.
    pub fn start(name: &'static str) -> Option<Target> {
        Target::start_with(name, "")
    }

    /// As `start`, with more lines of settings.
    pub fn start_with(name: &'static str, more: &str) -> Option<Target> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings = settings(dir.path(), port) + more;
        fs::write(dir.path().join(PROPERTIES), settings).unwrap();
        if name == "kafka" {
            format_by_kafka(dir.path(), &class_path()?);
        }
        let process = spawn(name, dir.path(), port)?;
        let target = Target { name, process, dir, port };
        target.wait(Duration::from_secs(60));
        Some(target)
    }

    /// Ends it without a warning and starts `name` on the same directory. Answers at once; None if
    /// Apache Kafka's jars are not here.
    pub fn kill_and_start(&mut self, name: &str) -> Option<()> {
        self.kill();
        self.process = spawn(name, self.dir.path(), self.port)?;
        Some(())
    }

    /// Makes the system forget what it has of the log's segments in memory, once they are on the
    /// disk.
    pub fn forget_pages(&self) {
        let logs = fs::read_dir(self.dir.path().join("data")).unwrap();
        let files = logs.filter_map(|log| fs::read_dir(log.unwrap().path()).ok()).flatten();
        for path in files.map(|file| file.unwrap().path()) {
            if path.extension().is_some_and(|suffix| suffix == "log") {
                let file = fs::File::open(path).unwrap();
                file.sync_data().unwrap();
                rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
            }
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits until it answers.
    fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while !answers(self.port) {
            assert!(Instant::now() < end, "no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Files and sockets that it has open, and maps in its address space.
    pub fn descriptors_and_maps(&self) -> (usize, usize) {
        let of = |what| format!("/proc/{}/{what}", self.process.id());
        let maps = fs::read_to_string(of("maps")).unwrap();
        (fs::read_dir(of("fd")).unwrap().count(), maps.lines().count())
    }

    /// Processor time it has used so far, user and system together.
    pub fn processor_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
        let ticks: f64 = fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap();
        ticks / 100.0
    }

    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The stock server.properties for one node, the same for both.
fn settings(dir: &Path, port: u16) -> String {
    let controller = free_port();
    let dir = dir.join("data");
    format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\nnum.network.threads=3\nnum.io.threads=8\n\
         socket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n",
        dir.display()
    )
}

fn spawn(name: &str, dir: &Path, port: u16) -> Option<Child> {
    let log = fs::File::options().create(true).append(true).open(dir.join("broker.log")).unwrap();
    let mut command = match name {
        "klamm" => klamm(),
        "floor" => floor(dir, port),
        _ => kafka(&class_path()?),
    };
    command.arg(PROPERTIES).current_dir(dir).stdin(Stdio::null());
    Some(command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap())
}

/// `KLAMM_BIN`, or the one that was built with this program.
fn klamm() -> Command {
    let built = || env!("CARGO_BIN_EXE_klamm").into();
    Command::new(std::env::var_os("KLAMM_BIN").unwrap_or_else(built))
}

/// This program again, as `main` knows it.
fn floor(dir: &Path, port: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--serve-floor").arg(dir).arg(port.to_string());
    command
}

/// Where the jars of Apache Kafka are; None if they are not here.
fn class_path() -> Option<String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&std::env::var("HOME").unwrap()).join(".cache"));
    let home = std::env::var_os("KAFKA_REFERENCE_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| cache.join("klamm-compat/kafka"));
    let libs = home.join(format!("libs/broker-{KAFKA_VERSION}"));
    libs.join(".done").exists().then(|| format!("{}/*", libs.display()))
}

fn format_by_kafka(dir: &Path, class_path: &str) {
    let formatted = Command::new("java")
        .args(["-cp", class_path, "kafka.tools.StorageTool", "format"])
        .args(["-t", "5L6g3nShT-eMCtK--X86sw", "-c", PROPERTIES])
        .current_dir(dir)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(formatted.success(), "kafka-storage format");
}

fn kafka(class_path: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
    command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]);
    command.args(["-cp", class_path, "kafka.Kafka"]);
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn answers(port: u16) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut size = [0; 8];
    socket.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).is_ok()
        && socket.read_exact(&mut size).is_ok()
}
