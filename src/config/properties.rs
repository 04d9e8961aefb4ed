//! The sources of settings: `server.properties`, `KAFKA_*` in the environment, and `--override`.
//!
//! Later sources take precedence: defaults, the file, the environment, the command line.

use super::syntax::{Property, parse};
use super::{Config, SETTINGS, providers, setting};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Variables of the apache/kafka image that are not settings. A name that ends in `_` is a prefix.
const NO_SETTINGS: [&str; 10] = [
    "KAFKA_VERSION",
    "KAFKA_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_CLUSTER_ID",
    "KAFKA_JMX_",
    "KAFKA_LOG4J_",
    "KAFKA_TOOLS_LOG4J_",
    "KAFKA_REFERENCE_",
];

/// Prefixes of settings that users name themselves.
const FREE_PREFIXES: [&str; 4] =
    ["listener.name.", "rsm.config.", "rlmm.config.", "config.providers."];

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    File(PathBuf, usize),
    Environment(String),
    Override,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Source::Environment(name) => write!(f, "environment variable {name}"),
            Source::Override => write!(f, "--override"),
        }
    }
}

/// Values by setting, each with its origin.
type Sourced = BTreeMap<String, (String, Source)>;

/// Reads the file, the environment and the overrides (`key=value`). An invalid setting is an
/// `Error::Config` that says where it was set and what is valid. The strings are warnings about
/// unknown names.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<(Config, Vec<String>)> {
    let mut sourced = Sourced::new();
    if let Some(path) = file {
        let text = std::fs::read(path).map_err(|error| {
            Error::Config(format!("{}: {error}. Give the path of a readable file", path.display()))
        })?;
        let text = String::from_utf8_lossy(&text);
        // Editors on Windows begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let properties = parse(text)?;
        refuse_other_files(path, text, &properties)?;
        for property in properties {
            let origin = Source::File(path.to_owned(), property.line);
            sourced.insert(property.key, (property.value, origin));
        }
    }
    let environment: BTreeMap<String, String> = environment.collect();
    for (variable, value) in &environment {
        if let Some(name) = name_of_variable(variable) {
            sourced.insert(name, (value.clone(), Source::Environment(variable.clone())));
        }
    }
    for text in overrides {
        let named = text.split_once('=').filter(|(name, _)| !name.trim().is_empty());
        let (name, value) = named.ok_or_else(|| {
            Error::Config(format!("--override {text}: write it as --override key=value"))
        })?;
        sourced.insert(name.trim().to_owned(), (value.trim().to_owned(), Source::Override));
    }
    put_in_what_stands_elsewhere(&mut sourced, &environment)?;
    refuse_zookeeper(&sourced)?;
    check_values(&sourced)?;
    let warnings = unknown_names(&sourced);
    let properties = sourced.iter().map(|(name, (value, _))| (name.clone(), value.clone()));
    let config = Config::new(properties.collect());
    let config = config.map_err(|error| Error::Config(with_origins(&error, &sourced)))?;
    Ok((config, warnings))
}

/// Refuses files that are no settings. Java's syntax allows any bytes, so the broker would start with
/// nothing but defaults.
fn refuse_other_files(path: &Path, text: &str, properties: &[Property]) -> Result<()> {
    let is_strange = |name: &str| is_unknown(name) && nearest(name).is_none();
    let is_binary = |c: char| c.is_ascii_control() && !"\t\n\r\x0c".contains(c);
    let why = match text.find(is_binary) {
        Some(at) => {
            let line = 1 + text[..at].matches('\n').count();
            format!("line {line} is not text")
        }
        None if !properties.is_empty() && properties.iter().all(|p| is_strange(&p.key)) => {
            "it has no known setting".to_owned()
        }
        None => return Ok(()),
    };
    Err(Error::Config(format!("{}: {why}. Give the path of a server.properties", path.display())))
}

/// The setting for an environment variable, mapped as in the apache/kafka image: without `KAFKA_`,
/// in lower case, `_` becomes a dot, `__` an underscore and `___` a dash.
fn name_of_variable(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("KAFKA_")?;
    let is_no_setting = NO_SETTINGS.iter().any(|known| match known.ends_with('_') {
        true => variable.starts_with(known),
        false => variable == *known,
    });
    if name.is_empty() || is_no_setting {
        return None;
    }
    Some(name.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

fn put_in_what_stands_elsewhere(
    sourced: &mut Sourced,
    environment: &BTreeMap<String, String>,
) -> Result<()> {
    let all = sourced.iter().map(|(name, (value, _))| (name.as_str(), value.as_str()));
    let resolved = providers::resolve(all, environment);
    for (name, value) in resolved.map_err(|e| Error::Config(with_origins(&e, sourced)))? {
        if let Some((known, _)) = sourced.get_mut(&name) {
            *known = value;
        }
    }
    Ok(())
}

/// Refuses a file with `zookeeper.connect` and without `process.roles`. It is for a Kafka before 4,
/// part of whose data is in ZooKeeper, and the operator does not want a new cluster instead.
fn refuse_zookeeper(sourced: &Sourced) -> Result<()> {
    match sourced.get("zookeeper.connect") {
        Some((_, origin)) if !sourced.contains_key("process.roles") => Err(Error::Config(format!(
            "{origin}: zookeeper.connect is set and process.roles is not, so these are the \
                 settings of a cluster with ZooKeeper, which klamm and Kafka 4 cannot open. Move \
                 the cluster to KRaft with Kafka 3.9 first; for a new cluster, remove the line"
        ))),
        _ => Ok(()),
    }
}

/// Returns an error for the first invalid value.
fn check_values(sourced: &Sourced) -> Result<()> {
    for (name, (value, origin)) in sourced {
        if let Some(setting) = setting(name)
            && let Err(error) = setting.validate(value)
        {
            let hint = setting.hint();
            return Err(Error::Config(format!("{origin}: {error} (expected {hint})")));
        }
    }
    Ok(())
}

/// Adds to `error` where the settings that it names were set; if they contradict each other, these
/// are several places.
fn with_origins(error: &Error, sourced: &Sourced) -> String {
    let message = error.to_string();
    let is_named = |name: &&String| {
        message
            .split(|c: char| !c.is_alphanumeric() && !"._-".contains(c))
            .any(|word| word.trim_end_matches('.') == name.as_str())
    };
    let named = sourced.iter().filter(|(name, _)| is_named(name));
    let places: Vec<_> = named.map(|(name, (_, origin))| format!("{name}: {origin}")).collect();
    if places.is_empty() { message } else { format!("{message} ({})", places.join("; ")) }
}

fn is_unknown(name: &str) -> bool {
    setting(name).is_none() && !FREE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A warning for each unknown name. Kafka ignores these, too.
fn unknown_names(sourced: &Sourced) -> Vec<String> {
    let unknown = sourced.iter().filter(|(name, _)| is_unknown(name));
    let warning = |(name, (_, origin)): (&String, &(String, Source))| match nearest(name) {
        _ if name.starts_with("cfg.") => {
            let name = name["cfg.".len()..].to_owned();
            format!("{origin} is ignored: write KAFKA_, without CFG_, to set {name}")
        }
        Some(known) => {
            format!("{origin}: unknown setting {name} is ignored; did you mean {known}?")
        }
        None => format!("{origin}: unknown setting {name} is ignored"),
    };
    unknown.map(warning).collect()
}

/// The known name with the fewest edits, if it is similar enough.
fn nearest(name: &str) -> Option<&'static str> {
    let near = SETTINGS.iter().map(|setting| (distance(name, setting.name), setting.name));
    near.min().filter(|(distance, _)| *distance <= 1 + name.len() / 6).map(|(_, name)| name)
}

/// The number of letters to add, remove or replace (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
