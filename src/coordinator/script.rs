//! Scripts that test a state machine (`tests/scenarios/*.txt`). A script is a sequence of commands,
//! each followed by `----` and its expected result.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::path::Path;
use std::str::FromStr;

/// A command: `name key=value ... flag`.
pub struct Args {
    pub name: String,
    pub named: BTreeMap<String, String>,
}

impl Args {
    pub fn parse(line: &str) -> Args {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().to_owned();
        let named = words.map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        });
        Args { name, named: named.collect() }
    }

    pub fn has(&self, key: &str) -> bool {
        self.named.contains_key(key)
    }

    pub fn get(&self, key: &str) -> &str {
        self.named.get(key).map_or("", String::as_str)
    }

    pub fn number<N: FromStr<Err: Debug>>(&self, key: &str, default: N) -> N {
        self.named.get(key).map_or(default, |value| value.parse().unwrap())
    }

    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.get(key).split(',').filter(|item| !item.is_empty())
    }
}

/// Plays the scripts whose file names satisfy `is_ours`. Each gets a world of its own from `world`,
/// which answers the commands. With `KLAMM_REWRITE_SCENARIOS=1` the results are written into the
/// scripts.
pub fn play_all<R: FnMut(&str) -> String>(is_ours: impl Fn(&str) -> bool, world: impl Fn() -> R) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let paths = directory.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| is_ours(path.file_name().unwrap().to_str().unwrap())).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let script = std::fs::read_to_string(&path).unwrap();
        let played = play(&script, world());
        if std::env::var_os("KLAMM_REWRITE_SCENARIOS").is_some() {
            std::fs::write(&path, played.trim_end().to_owned() + "\n").unwrap();
            continue;
        }
        let (played, script) = (played.trim_end(), script.trim_end());
        let differs = played.lines().zip(script.lines()).position(|(a, b)| a != b);
        let line = differs.map_or(0, |line| line + 1);
        assert!(played == script, "{}:{line}\n{played}", path.display());
    }
}

/// The script with the results that its commands really have.
fn play(script: &str, mut run: impl FnMut(&str) -> String) -> String {
    let mut played = String::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        writeln!(played, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let output = run(line);
        writeln!(played, "----\n{output}").unwrap();
        for _ in lines.by_ref().take_while(|expected| !expected.is_empty()) {}
    }
    played
}
