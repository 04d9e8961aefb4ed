//! A broker under test: klamm or Apache Kafka, alone on the machine, in a directory of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KAFKA_VERSION: &str = "4.3.1";

pub struct Target {
    process: Child,
    _dir: tempfile::TempDir,
    pub port: u16,
}

impl Target {
    /// Starts it on a fresh directory; None if Apache Kafka's jars are not here.
    pub fn start(name: &str) -> Option<Target> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let properties = dir.path().join("server.properties");
        fs::write(&properties, settings(dir.path(), port)).unwrap();
        let log = fs::File::create(dir.path().join("broker.log")).unwrap();
        let mut command = match name {
            "klamm" => Command::new(env!("CARGO_BIN_EXE_klamm")),
            _ => kafka(dir.path(), &properties)?,
        };
        command.arg(&properties).stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        let target = Target { process: command.spawn().unwrap(), _dir: dir, port };
        let end = Instant::now() + Duration::from_secs(60);
        while !answers(port) {
            assert!(Instant::now() < end, "{name} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(target)
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
        let _ = self.process.kill();
        let _ = self.process.wait();
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

/// Formats the directory with Kafka's own tool and answers the command that starts the broker.
fn kafka(dir: &Path, properties: &Path) -> Option<Command> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| Path::new(&std::env::var("HOME").unwrap()).join(".cache"));
    let home = std::env::var_os("KAFKA_REFERENCE_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| cache.join("klamm-compat/kafka"));
    let libs = home.join(format!("libs/broker-{KAFKA_VERSION}"));
    if !libs.join(".done").exists() {
        return None;
    }
    let class_path = format!("{}/*", libs.display());
    let formatted = Command::new("java")
        .args(["-cp", &class_path, "kafka.tools.StorageTool", "format"])
        .args(["-t", "5L6g3nShT-eMCtK--X86sw", "-c"])
        .arg(properties)
        .current_dir(dir)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(formatted.success(), "kafka-storage format");
    let mut command = Command::new("java");
    command.args(["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
    command.args(["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]);
    command.args(["-cp", &class_path, "kafka.Kafka"]).current_dir(dir);
    Some(command)
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
