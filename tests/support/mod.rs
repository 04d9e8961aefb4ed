//! A broker for one test: the real binary with its own directory and port.

pub mod requests;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Broker {
    pub port: u16,
    dir: TempDir,
    settings: Vec<(String, String)>,
    /// The limit of `ulimit -n`, if it differs from that of the test.
    descriptors: Option<u32>,
    process: Option<Child>,
}

impl Broker {
    /// Starts a new broker and waits until it serves.
    pub fn start() -> Broker {
        Broker::start_with(&[])
    }

    /// Starts a new broker that may have this many files and sockets open.
    pub fn start_limited(descriptors: u32) -> Broker {
        Broker::start_as(&[], Some(descriptors))
    }

    /// Starts a new broker with settings in addition to those of the tests.
    pub fn start_with(settings: &[(&str, &str)]) -> Broker {
        Broker::start_as(settings, None)
    }

    fn start_as(settings: &[(&str, &str)], descriptors: Option<u32>) -> Broker {
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut broker = Broker {
            port: free_port(),
            dir: tempfile::tempdir().unwrap(),
            settings,
            descriptors,
            process: None,
        };
        broker.launch();
        broker
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Adds settings for the next `launch`. They override earlier ones.
    pub fn set(&mut self, settings: &[(&str, &str)]) {
        self.settings.extend(settings.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    }

    pub fn signal(&self, name: &str) {
        signal(self.process.as_ref().unwrap(), name);
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Waits until the process ends on its own. Returns its exit status and the last line of its
    /// log.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let status = self.wait();
        (status.code(), self.log().lines().last().unwrap_or_default().to_owned())
    }

    /// Starts the broker again when the start must fail. Returns the same as `end`.
    pub fn refusal(&mut self) -> (Option<i32>, String) {
        self.spawn();
        self.end()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// The log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("broker.log")).unwrap_or_default()
    }

    /// Resident memory in KiB, from /proc.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The maximum of the resident memory so far, in KiB.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, of: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(of)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Kills the process with SIGKILL, so that it can write nothing more.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Stops the broker with SIGTERM and waits for a clean end.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                self.process = None;
                return status;
            }
            assert!(Instant::now() < end, "did not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the broker again after `kill` or `stop`, with the same directory and port.
    pub fn launch(&mut self) {
        self.spawn();
        self.wait_until_serving();
    }

    fn spawn(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("broker.log"))
            .unwrap();
        let data = self.data_dir();
        let klamm = env!("CARGO_BIN_EXE_klamm");
        let mut command = match self.descriptors {
            None => Command::new(klamm),
            Some(descriptors) => {
                let mut shell = Command::new("/bin/sh");
                let limited = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, klamm]);
                shell
            }
        };
        let own = [
            ("listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{}", self.port)),
            ("log.dirs".to_owned(), data.display().to_string()),
            ("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned()),
        ];
        for (key, value) in own.iter().chain(&self.settings) {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        command.env_clear().stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        self.process = Some(command.spawn().unwrap());
    }

    fn wait_until_serving(&mut self) {
        let end = Instant::now() + PATIENCE;
        while !answers(self.port) {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "ended at start: {ended:?}\n{}", self.log());
            assert!(Instant::now() < end, "does not answer\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the broker's log ---\n{}", self.log());
        }
    }
}

fn signal(process: &Child, name: &str) {
    let (name, pid) = (format!("-{name}"), process.id().to_string());
    assert!(Command::new("kill").args([&name, &pid]).status().unwrap().success());
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether the broker answers ApiVersions 0.
fn answers(port: u16) -> bool {
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let mut size = [0; 8];
    socket.write_all(&request).is_ok() && socket.read_exact(&mut size).is_ok() && size[7] == 7
}
