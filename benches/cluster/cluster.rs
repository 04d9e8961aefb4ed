//! Three brokers, klamm or Apache Kafka, under one controller of Apache Kafka's.

use crate::common::process::{self, PROPERTIES};
use crate::{admin, guard};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const BROKERS: usize = 3;
/// The longest time for a start, and for all replicas to be in sync.
pub const LIMIT: Duration = Duration::from_secs(900);
/// After this time the controller holds no session of a broker that has stopped; Kafka's default
/// and a second.
pub const SESSION: Duration = Duration::from_secs(10);

pub struct Cluster {
    pub name: &'static str,
    /// Their ids are 1, 2 and 3.
    pub brokers: Vec<Node>,
    controller: Node,
}

/// A broker or the controller.
pub struct Node {
    name: &'static str,
    class_path: String,
    pub port: u16,
    dir: PathBuf,
    process: Option<Child>,
}

impl Cluster {
    /// Starts a cluster in a new directory and waits until all brokers know each other; None if
    /// Apache Kafka is not installed.
    pub fn start(name: &'static str, root: &Path) -> Option<Cluster> {
        let class_path = process::class_path()?;
        let dir = root.join(format!("{name}-{}", fastrand::u32(..)));
        let mut ports = Vec::new();
        while ports.len() <= BROKERS {
            ports.extend(Some(process::free_port()).filter(|port| !ports.contains(port)));
        }
        let node = |name, id: usize| Node {
            name,
            class_path: class_path.clone(),
            port: ports[id],
            dir: dir.join(id.to_string()),
            process: None,
        };
        let mut controller = node("controller", 0);
        let mut brokers: Vec<Node> = (1..=BROKERS).map(|id| node(name, id)).collect();
        controller.configure(&controller_settings(&ports));
        for (broker, id) in brokers.iter().zip(1..) {
            broker.configure(&broker_settings(&ports, id));
        }
        let formats = std::iter::once(&controller).chain(&brokers).filter_map(Node::format);
        for mut format in formats.collect::<Vec<_>>() {
            assert!(guard::wait(&mut format).success(), "kafka-storage format");
        }
        controller.launch();
        controller.wait_to_answer();
        brokers.iter_mut().for_each(Node::launch);
        brokers.iter().for_each(Node::wait_to_answer);
        let cluster = Cluster { name, brokers, controller };
        admin::wait_for_brokers(&cluster);
        Some(cluster)
    }

    /// The processor time that all brokers have used so far, in seconds.
    pub fn processor_seconds(&self) -> f64 {
        self.brokers.iter().map(Node::processor_seconds).sum()
    }

    pub fn ports(&self) -> Vec<u16> {
        self.brokers.iter().map(|broker| broker.port).collect()
    }
}

impl Node {
    fn configure(&self, settings: &str) {
        fs::create_dir_all(&self.dir).unwrap();
        let dirs = format!("log.dirs={}\n", self.dir.join("data").display());
        fs::write(self.dir.join(PROPERTIES), dirs + settings).unwrap();
    }

    /// klamm formats by itself.
    fn format(&self) -> Option<Child> {
        let more: &[&str] = if self.name == "controller" { &["--standalone"] } else { &[] };
        let mut command = process::format(&self.class_path, &self.dir, more);
        (self.name != "klamm").then(|| guard::spawn(&mut command))
    }

    /// Starts it without waiting.
    pub fn launch(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.dir.join("server.log"));
        let log = log.unwrap();
        let mut command = match self.name {
            "klamm" => Command::new(process::klamm()),
            "controller" => process::kafka(&self.class_path, "512M"),
            _ => process::kafka(&self.class_path, "1G"),
        };
        command.arg(PROPERTIES).current_dir(&self.dir).stdin(Stdio::null());
        command.stderr(log.try_clone().unwrap()).stdout(log);
        self.process = Some(guard::spawn(&mut command));
    }

    fn wait_to_answer(&self) {
        let end = Instant::now() + LIMIT;
        while !process::answers(self.port) {
            assert!(Instant::now() < end, "no answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it cleanly, which for a broker is a controlled shutdown.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = guard::wait(&mut process);
        // The Java virtual machine exits with the signal's status.
        assert!(status.success() || self.name != "klamm", "klamm stops with {status}");
    }

    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let _ = process.kill();
        guard::wait(&mut process);
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    pub fn processor_seconds(&self) -> f64 {
        process::processor_seconds(self.pid())
    }

    pub fn resident_mib(&self) -> f64 {
        process::resident_kib(self.pid()) as f64 / 1024.0
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Drop for Cluster {
    /// The directory goes too, as a run writes many gigabytes.
    fn drop(&mut self) {
        self.brokers.iter_mut().for_each(Node::kill);
        self.controller.kill();
        let _ = fs::remove_dir_all(self.controller.dir.parent().unwrap());
    }
}

fn controller_settings(ports: &[u16]) -> String {
    format!(
        "process.roles=controller\nnode.id=100\nauto.leader.rebalance.enable=false\n\
         listeners=CONTROLLER://127.0.0.1:{port}\n\
         advertised.listeners=CONTROLLER://127.0.0.1:{port}\n{}",
        common_settings(ports),
        port = ports[0]
    )
}

/// The server.properties for a broker that comes with Kafka, the same for both, and two replicas
/// that a write waits for.
fn broker_settings(ports: &[u16], id: usize) -> String {
    format!(
        "process.roles=broker\nnode.id={id}\n\
         listeners=PLAINTEXT://127.0.0.1:{port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         inter.broker.listener.name=PLAINTEXT\nnum.network.threads=3\nnum.io.threads=8\n\
         socket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
         default.replication.factor=3\nmin.insync.replicas=2\n{}",
        common_settings(ports),
        port = ports[id]
    )
}

fn common_settings(ports: &[u16]) -> String {
    format!(
        "controller.quorum.bootstrap.servers=127.0.0.1:{}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n",
        ports[0]
    )
}
