//! A server under test: klamm, Apache Kafka or the floor, in its own directory.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KAFKA_VERSION: &str = "4.3.1";
const PROPERTIES: &str = "server.properties";
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
            format_by_kafka(dir.path(), &class_path()?);
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

    /// Uses as much of the page cache as `bytes` need, and frees it again. Memory that a virtual
    /// machine has not used for a while is several times as expensive as memory it has just used,
    /// and the result would depend on which server gets it.
    pub fn prime_page_cache(&self, bytes: usize) {
        let path = self.dir.path().join("primed");
        let mut file = fs::File::create(&path).unwrap();
        let chunk = vec![0; 1 << 20];
        (0..bytes / chunk.len()).for_each(|_| file.write_all(&chunk).unwrap());
        fs::remove_file(&path).unwrap();
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
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name in parentheses may contain spaces; utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
        let ticks: f64 = fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap();
        ticks / 100.0
    }

    pub fn resident_kib(&self) -> u64 {
        self.kib_of("VmRSS:")
    }

    /// The maximum of its resident memory so far.
    pub fn most_resident_kib(&self) -> u64 {
        self.kib_of("VmHWM:")
    }

    fn kib_of(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
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
        _ => kafka(&class_path()?),
    };
    command.arg(PROPERTIES).current_dir(dir).stdin(Stdio::null());
    Some(command.stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap())
}

/// The klamm that cargo has built, or the one in KLAMM_BIN.
fn klamm() -> PathBuf {
    let other = std::env::var_os("KLAMM_BIN").map(|path| fs::canonicalize(path).unwrap());
    assert!(
        other.is_some() || !cfg!(debug_assertions),
        "KLAMM_BIN is to be a build with --profile dist"
    );
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_klamm").into())
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

/// A file in `target/bench`.
pub fn output(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

/// This program again, with the arguments by which `main` serves the floor.
fn floor(dir: &Path, port: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--serve-floor").arg(dir).arg(port.to_string());
    command
}

/// The class path of Apache Kafka; None if it is not installed.
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
