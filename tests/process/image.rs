//! docker/run: with which settings klamm is started, given a container's variables and files.

use klamm::config::{Config, Listener, properties};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Takes the place of klamm and prints its arguments and environment.
const SHOW: &str = "#!/bin/bash\nprintf 'argument %s\\n' \"$@\"\nenv | sed 's/^/variable /'\n";

/// What a container is given.
#[derive(Default)]
struct Given<'a> {
    variables: &'a [(&'a str, &'a str)],
    /// The text of /mnt/shared/config/server.properties.
    mounted: Option<&'a str>,
    arguments: &'a [&'a str],
}

impl Given<'_> {
    /// Runs docker/run with its directories moved into `root`.
    fn run(&self, root: &Path) -> Output {
        let mounted = root.join("mounted");
        let script = fs::read_to_string("docker/run").unwrap();
        assert!(script.contains("/mnt/shared/config/") && script.contains("/opt/kafka/config/"));
        let script = script.replace("/mnt/shared/config", &mounted.display().to_string());
        let script = script.replace("/opt/kafka/config", &root.join("own").display().to_string());
        fs::create_dir_all(&mounted).unwrap();
        if let Some(text) = self.mounted {
            fs::write(mounted.join("server.properties"), text).unwrap();
        }
        for (name, text) in [("run", script.as_str()), ("klamm", SHOW)] {
            fs::write(root.join(name), text).unwrap();
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", root.display());
        Command::new("/bin/bash")
            .arg(root.join("run"))
            .args(self.arguments)
            .env_clear()
            .env("PATH", path)
            .envs(self.variables.iter().copied())
            .output()
            .unwrap()
    }

    /// The settings that klamm reads from the arguments and the environment it is started with.
    fn config(&self) -> Config {
        let root = TempDir::new().unwrap();
        let output = self.run(root.path());
        let shown = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{shown}\n{said}");
        let (mut file, mut variables, mut overrides) = (None, Vec::new(), Vec::new());
        for line in shown.lines() {
            let (kind, text) = line.split_once(' ').unwrap();
            match (kind, text.strip_prefix("--override="), text.split_once('=')) {
                ("argument", Some(setting), _) => overrides.push(setting.to_owned()),
                ("argument", None, _) => file = (!text.is_empty()).then(|| PathBuf::from(text)),
                (_, _, Some((name, value))) => variables.push((name.to_owned(), value.to_owned())),
                _ => panic!("{line}"),
            }
        }
        let loaded = properties::load(file.as_deref(), variables.into_iter(), &overrides);
        let (config, warnings) = loaded.unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        config
    }
}

fn shown(listeners: Vec<Listener>) -> String {
    let shown: Vec<String> = listeners.iter().map(Listener::to_string).collect();
    shown.join(",")
}

/// Checks the listeners, advertised.listeners and log.dirs.
fn check(given: Given<'_>, expected: [&str; 3]) -> Config {
    let config = given.config();
    let found = [
        shown(config.listeners()),
        shown(config.advertised_listeners()),
        config.log_dirs.join(","),
    ];
    let Given { variables, mounted, arguments } = given;
    assert_eq!(found, expected, "{variables:?} {mounted:?} {arguments:?}");
    config
}

const DATA: &str = "/var/lib/kafka/data";

#[test]
fn a_container_is_reached_where_it_says_it_is() {
    let any = "PLAINTEXT://0.0.0.0:9092";
    let local = "PLAINTEXT://localhost:9092";
    check(Given::default(), [any, local, DATA]);
    let variables = |variables| Given { variables, ..Given::default() };
    let mounted = |text| Given { mounted: Some(text), ..Given::default() };
    let arguments = |arguments| Given { arguments, ..Given::default() };
    for given in [
        variables(&[("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://broker.example:9094")]),
        mounted("advertised.listeners=PLAINTEXT://broker.example:9094\n"),
        mounted("  advertised.listeners : \\\r\n   PLAINTEXT://broker.example:9094  \r\n"),
        mounted("#listeners=PLAINTEXT://:1\nadvertised.listeners PLAINTEXT://broker.example:9094"),
        arguments(&["KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://broker.example:9094"]),
        arguments(&["advertised.listeners=PLAINTEXT://broker.example:9094"]),
    ] {
        check(given, ["PLAINTEXT://0.0.0.0:9094", "PLAINTEXT://broker.example:9094", DATA]);
    }
    let ipv6 = "PLAINTEXT://[2001:db8::1]:9092";
    for advertised in [ipv6, "PLAINTEXT://2001:db8::1:9092"] {
        let given = [("KAFKA_ADVERTISED_LISTENERS", advertised)];
        check(Given { variables: &given, ..Given::default() }, [any, ipv6, DATA]);
    }
    let two = "PLAINTEXT://[::1]:9092,OUTER://10.0.0.1:9095";
    let map = "PLAINTEXT:PLAINTEXT,OUTER:PLAINTEXT";
    let given =
        [("KAFKA_ADVERTISED_LISTENERS", two), ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", map)];
    let both = "PLAINTEXT://0.0.0.0:9092,OUTER://0.0.0.0:9095";
    check(Given { variables: &given, ..Given::default() }, [both, two, DATA]);
    for given in [
        variables(&[
            ("KAFKA_LISTENERS", "PLAINTEXT://127.0.0.1:9099"),
            ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092"),
        ]),
        mounted(
            "listeners=PLAINTEXT://127.0.0.1:9099\nadvertised.listeners=PLAINTEXT://localhost:9092",
        ),
        arguments(&[
            "listeners=PLAINTEXT://127.0.0.1:9099",
            "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092",
        ]),
    ] {
        check(given, ["PLAINTEXT://127.0.0.1:9099", local, DATA]);
    }
}

#[test]
fn what_a_container_is_given_is_not_overridden() {
    let (any, local) = ("PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://localhost:9092");
    let variables = |variables| Given { variables, ..Given::default() };
    let mounted = |text| Given { mounted: Some(text), ..Given::default() };
    let arguments = |arguments| Given { arguments, ..Given::default() };
    for given in [
        mounted("log.dirs=/data/a,/data/b\n"),
        mounted("log.dir = /data/a,/data/b\n"),
        variables(&[("KAFKA_LOG_DIRS", "/data/a,/data/b")]),
        variables(&[("KAFKA_LOG_DIR", "/data/a,/data/b")]),
        arguments(&["KAFKA_LOG_DIRS=/data/a,/data/b"]),
        arguments(&["log.dirs=/data/a,/data/b"]),
        Given {
            mounted: Some("log.dirs=/data/c"),
            variables: &[("KAFKA_LOG_DIRS", "/data/a,/data/b")],
            arguments: &[],
        },
    ] {
        check(given, [any, local, "/data/a,/data/b"]);
    }
    for given in [
        mounted("num.partitions=4\n"),
        variables(&[("KAFKA_NUM_PARTITIONS", "4")]),
        arguments(&["num.partitions=4"]),
        arguments(&["KAFKA_NUM_PARTITIONS=4"]),
        Given {
            mounted: Some("num.partitions=2"),
            variables: &[("KAFKA_NUM_PARTITIONS", "3")],
            arguments: &["num.partitions=4"],
        },
    ] {
        assert_eq!(check(given, [any, local, DATA]).num_partitions, 4);
    }
}

#[test]
fn an_argument_that_is_no_setting_is_refused() {
    for argument in ["--help", "num.partitions", "=4", ""] {
        let given = Given { arguments: &[argument], ..Given::default() };
        let root = TempDir::new().unwrap();
        let output = given.run(root.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{argument}: {said}");
        assert!(said.contains(&format!("'{argument}' is no setting")), "{said}");
    }
}
