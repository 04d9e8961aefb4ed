//! A server under test: klamm, Apache Kafka or the floor, in its own directory.

use crate::common::process::{self, PROPERTIES, answers, class_path, free_port, klamm, output};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Settings that give the broker little work of its own. Also, it then seldom looks at the last
/// entry of an index, which may be in memory or in a file: all batches of a replayed request have
/// the same timestamp.
const STEADY: &str = "offsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1\n\
                      log.index.interval.bytes=1048576\n";

pub struct Target {
    pub name: &'static str,
    process: Child,
    dir: tempfile::TempDir,
    pub port: u16,
}

impl Target {
    /// Starts the server on a new directory and waits until it answers; None if it is not
    /// installed.
    pub fn start(name: &'static str) -> Option<Target> {
        Target::start_with(name, "")
    }

    /// As `start`, with more lines of settings.
    pub fn start_with(name: &'static str, more: &str) -> Option<Target> {
        let target = Target::launch(name, more)?;
        target.wait(Duration::from_secs(60));
        Some(target)
    }

    /// As `start`, but without waiting. For Apache Kafka the directory is formatted first.
    pub fn launch(name: &'static str, more: &str) -> Option<Target> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut settings = settings(dir.path(), port) + more;
        if name == "callgrind" {
            settings.push_str(STEADY);
        }
        fs::write(dir.path().join(PROPERTIES), settings).unwrap();
        if name == "kafka" {
            let formatted = process::format(&class_path()?, dir.path(), &[]).status().unwrap();
            assert!(formatted.success(), "kafka-storage format");
        }
        let process = spawn(name, dir.path(), port)?;
        Some(Target { name, process, dir, port })
    }

    /// Starts `name` on the directory of the server that has ended, without waiting; None if it is
    /// not installed.
    pub fn launch_again(&mut self, name: &'static str) -> Option<()> {
        self.process = spawn(name, self.dir.path(), self.port)?;
        self.name = name;
        Some(())
    }

    /// Writes the log's segments to the disk and removes them from the page cache.
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

    /// See `process::prime_page_cache`.
    pub fn prime_page_cache(&self, bytes: usize) {
        process::prime_page_cache(self.dir.path(), bytes);
    }

    /// Stops the server cleanly.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        // The Java virtual machine exits with the signal's status.
        assert!(status.success() || self.name == "kafka", "{} stops with {status}", self.name);
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The server's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Whether the process is still running.
    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits until the server answers.
    fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while !answers(self.port) {
            assert!(Instant::now() < end, "no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the server accepts connections. It may answer requests only later.
    pub fn wait_to_listen(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "nobody listens");
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The number of its open files and sockets, and of the maps in its address space.
    pub fn descriptors_and_maps(&self) -> (usize, usize) {
        let of = |what| format!("/proc/{}/{what}", self.process.id());
        let maps = fs::read_to_string(of("maps")).unwrap();
        (fs::read_dir(of("fd")).unwrap().count(), maps.lines().count())
    }

    /// The processor time it has used so far, in seconds of user and system time.
    pub fn processor_seconds(&self) -> f64 {
        process::processor_seconds(self.process.id())
    }

    pub fn resident_kib(&self) -> u64 {
        process::resident_kib(self.process.id())
    }

    /// The maximum of its resident memory so far.
    pub fn most_resident_kib(&self) -> u64 {
        process::most_resident_kib(self.process.id())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server.properties for one node that comes with Kafka, the same for both.
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
        "klamm" => Command::new(klamm()),
        "callgrind" => callgrind(dir),
        "floor" => floor(dir, port),
        _ => process::kafka(&class_path()?, "1G"),
    };
    command.arg(PROPERTIES).current_dir(dir).stdin(Stdio::null());
    Some(command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap())
}

/// klamm with its instructions and system calls counted (`budgets.rs`). It has one worker, as the
/// count would vary if tasks moved between workers.
fn callgrind(dir: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let out = format!("--callgrind-out-file={}", callgrind_out().display());
    let pipes = format!("--vgdb-prefix={}", dir.join("vgdb").display());
    command.args(["--tool=callgrind", "--collect-systime=nsec", &out, &pipes]).arg(klamm());
    command.env("TOKIO_WORKER_THREADS", "1");
    command
}

/// The file to whose name callgrind adds the number of each dump.
pub fn callgrind_out() -> PathBuf {
    output("callgrind.out")
}

/// This program again, with the arguments by which `main` serves the floor.
fn floor(dir: &Path, port: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--serve-floor").arg(dir).arg(port.to_string());
    command
}
