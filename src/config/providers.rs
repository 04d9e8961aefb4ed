//! Values that are stored elsewhere: `${env:NAME}`, `${file:path:key}` and `${dir:path:file}`, read
//! by Kafka's providers that `config.providers` names (ConfigTransformer).

use super::definition::split_list;
use super::{setting, syntax};
use crate::error::{Error, Result};
use regex::Regex;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The package of Kafka's own providers.
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";
/// The largest file that values are read from, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A source of values.
enum Provider {
    /// The environment: variables whose whole name matches the pattern, if there is one.
    Environment(Option<Regex>),
    /// Properties files, which must lie below these paths if there are any.
    Files(Vec<PathBuf>),
    /// Directories with one file per value, which must lie below these paths if there are any.
    Directories(Vec<PathBuf>),
}

/// One `${provider:path:key}`.
#[derive(Debug, PartialEq)]
struct Variable<'a> {
    provider: &'a str,
    path: &'a str,
    key: &'a str,
}

/// The settings that contain variables, with the values filled in; other settings are left out.
/// `properties` are all settings that have been set.
pub(super) fn resolve<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<(String, String)>> {
    let all: BTreeMap<&str, &str> = properties.clone().collect();
    let names = split_list(all.get("config.providers").copied().unwrap_or_default());
    let mut providers = BTreeMap::new();
    for name in names {
        providers.insert(name, Provider::new(name, &all)?);
    }
    let mut resolved = Vec::new();
    for (name, value) in properties {
        let Some(new) = replace(name, value, &providers, environment)? else { continue };
        resolved.push((name.to_owned(), new));
    }
    Ok(resolved)
}

/// Replaces the variables in `value`; None if it has none. Variables in the values that come from
/// providers are not replaced.
fn replace(
    name: &str,
    value: &str,
    providers: &BTreeMap<&str, Provider>,
    environment: &BTreeMap<String, String>,
) -> Result<Option<String>> {
    let mut new = String::new();
    let mut rest = value;
    while let Some((before, variable, after)) = next_variable(rest) {
        new.push_str(before);
        let written = &rest[before.len()..rest.len() - after.len()];
        let explain = |problem: String| Error::Config(format!("{name}: {written}: {problem}"));
        match providers.get(variable.provider) {
            Some(provider) => {
                new.push_str(&provider.get(&variable, environment).map_err(explain)?);
            }
            // In an unknown setting the text may mean something else.
            None if setting(name).is_none() => new.push_str(written),
            None => {
                let provider = variable.provider;
                return Err(explain(format!(
                    "config.providers names no provider {provider}. Name it there, and its class \
                     in config.providers.{provider}.class"
                )));
            }
        }
        rest = after;
    }
    new.push_str(rest);
    Ok((rest.len() != value.len()).then_some(new))
}

/// The text before the first variable, the variable, and the text after it.
fn next_variable(text: &str) -> Option<(&str, Variable<'_>, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find("${")?;
        let (inside, after) = text[start + 2..].split_once('}')?;
        let Some((provider, rest)) = inside.split_once(':') else {
            from = start + 2;
            continue;
        };
        let (path, key) = rest.split_once(':').unwrap_or(("", rest));
        return Some((&text[..start], Variable { provider, path, key }, after));
    }
}

impl Provider {
    fn new(name: &str, all: &BTreeMap<&str, &str>) -> Result<Provider> {
        let key = format!("config.providers.{name}.class");
        let class = all.get(key.as_str()).copied().unwrap_or_default().trim();
        let parameter = |parameter: &str| {
            let key = format!("config.providers.{name}.param.{parameter}");
            Some((all.get(key.as_str()).copied()?, key))
        };
        match class.strip_prefix(PACKAGE) {
            Some("EnvVarConfigProvider") => {
                let pattern = parameter("allowlist.pattern").map(|(pattern, key)| {
                    let whole = Regex::new(&format!("^(?:{pattern})$"));
                    whole.map_err(|error| Error::Config(format!("{key}={pattern}: {error}")))
                });
                Ok(Provider::Environment(pattern.transpose()?))
            }
            Some("FileConfigProvider") => allowed(parameter("allowed.paths")).map(Provider::Files),
            Some("DirectoryConfigProvider") => {
                allowed(parameter("allowed.paths")).map(Provider::Directories)
            }
            _ => Err(Error::Config(format!(
                "{key}={class}: klamm has Kafka's own providers only. Set it to {PACKAGE} and one \
                 of EnvVarConfigProvider, FileConfigProvider, DirectoryConfigProvider"
            ))),
        }
    }

    fn get(
        &self,
        variable: &Variable<'_>,
        environment: &BTreeMap<String, String>,
    ) -> std::result::Result<String, String> {
        let Variable { path, key, .. } = *variable;
        match self {
            Provider::Environment(_) if !path.is_empty() => {
                Err("a variable of the environment has no path. Write ${env:NAME}".to_owned())
            }
            Provider::Environment(Some(pattern)) if !pattern.is_match(key) => {
                Err(format!("{key} does not match allowlist.pattern"))
            }
            Provider::Environment(_) => {
                let value = environment.get(key).cloned();
                value.ok_or_else(|| format!("the environment has no variable {key}"))
            }
            Provider::Files(allowed) => {
                let text = read(path, allowed)?;
                let entries = syntax::parse(&text).map_err(|error| error.to_string())?;
                let entry = entries.into_iter().rev().find(|entry| entry.key == key);
                entry.map(|entry| entry.value).ok_or_else(|| format!("{path} has no key {key}"))
            }
            Provider::Directories(allowed) => {
                // The name must be that of a file directly in the directory.
                if key.is_empty() || key.contains('/') || key == ".." {
                    return Err(format!("{key} is not the name of a file"));
                }
                read(&format!("{path}/{key}"), allowed)
            }
        }
    }
}

/// The paths of `allowed.paths`. An empty list allows all paths.
fn allowed(parameter: Option<(&str, String)>) -> Result<Vec<PathBuf>> {
    let Some((text, key)) = parameter else { return Ok(Vec::new()) };
    let path = |text: &str| {
        let path = normal(Path::new(text));
        if path.is_absolute() && path.exists() {
            return Ok(path);
        }
        Err(Error::Config(format!("{key}: {text} is not an absolute path that exists")))
    };
    split_list(text).into_iter().map(path).collect()
}

fn read(path: &str, allowed: &[PathBuf]) -> std::result::Result<String, String> {
    let normal = normal(Path::new(path));
    if !allowed.is_empty() && !allowed.iter().any(|above| normal.starts_with(above)) {
        return Err(format!("{path} is not below allowed.paths"));
    }
    let said = |error: std::io::Error| format!("{path}: {error}");
    let metadata = std::fs::metadata(path).map_err(said)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(format!("{path} is not a file of at most 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(said)
}

/// Removes `.` and `..` from a path without looking at the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
