//! The definition of a setting: its type, its valid values and when it may change (ConfigDef).

use super::effect::Effect;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// The type of a setting's value. The numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's names of types")]
pub enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// When a setting may change (DynamicBrokerConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only at a start.
    ReadOnly,
    /// While the broker runs, for one broker or for all.
    ClusterWide,
    /// While the broker runs, for one broker.
    PerBroker,
    /// Only at a start; DescribeConfigs shows it only if it is set.
    Internal,
    /// While the broker runs. The setting is one of a topic, a group or a client metrics
    /// subscription.
    Resource,
}

/// What a value must satisfy besides its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// Any value of the type.
    Any,
    /// A number of at least this.
    AtLeast(i64),
    /// A number within these bounds, both included.
    Between(f64, f64),
    /// -1 or 1 to 9.
    GzipLevel,
    /// At least one character.
    NonEmpty,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in upper or lower case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// Any values, but none is empty.
    List,
    /// The same, and at least one value.
    NonEmptyList,
    /// Some of these words.
    ListOf(&'static [&'static str]),
    /// The same, and at least one word.
    NonEmptyListOf(&'static [&'static str]),
    /// `{id}@{host}:{port}` of each controller.
    QuorumVoters,
    /// `{host}:{port}` of some controllers.
    BootstrapServers,
    /// `{partition}:{broker}` of some replicas, or `*`.
    ThrottledReplicas,
    /// `earliest`, `latest`, or `by_duration:` with an ISO 8601 duration.
    OffsetReset,
    /// The name of a topic that may have dead letters.
    DeadLetterTopic,
}

/// One row of the tables in `table.rs`, `topic.rs` and `group.rs`.
#[derive(Debug)]
pub struct Setting {
    /// Kafka's name, with dots.
    pub name: &'static str,
    /// The type of the value.
    pub kind: ConfigType,
    /// The value if the setting is not set; None is null.
    pub default: Option<&'static str>,
    /// When the setting may change.
    pub update_mode: UpdateMode,
    /// The broker setting that applies if the topic or group does not set this one.
    pub synonym: Option<&'static str>,
    /// What its values must satisfy.
    pub check: Check,
    /// What klamm does with it.
    pub effect: Effect,
    /// The lines of its documentation, each with the space after `///`.
    pub doc: &'static [&'static str],
}

impl Setting {
    /// The documentation as one text.
    pub fn documentation(&self) -> String {
        self.doc.concat().trim_start().to_owned()
    }

    /// Whether the value is a secret.
    pub fn is_sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }

    /// Whether the setting may change while the broker runs.
    pub fn is_dynamic(&self) -> bool {
        matches!(
            self.update_mode,
            UpdateMode::ClusterWide | UpdateMode::PerBroker | UpdateMode::Resource
        )
    }

    /// Checks a value; an invalid one is an `Error::Config` with Kafka's message.
    pub fn validate(&self, text: &str) -> Result<()> {
        let text = text.trim();
        let refused = match self.type_problem(text).or_else(|| self.value_problem(text)) {
            Some(what) => format!("Invalid value {text} for configuration {}: {what}", self.name),
            None => match self.reason_refused(text) {
                Some(why) => format!("{}={text}: {why}", self.name),
                None => return Ok(()),
            },
        };
        Err(Error::Config(refused))
    }

    /// Describes the valid values to an operator: `an integer of at least 1; the default is 3`.
    pub fn hint(&self) -> String {
        if let Effect::OnlyThese(others, _) = self.effect {
            return [&["nothing but the default"], others].concat().join(" or ");
        }
        let words = |words: &[&str]| words.join(", ");
        let kind = match self.kind {
            ConfigType::Boolean => "true or false",
            ConfigType::Int | ConfigType::Short | ConfigType::Long => "an integer",
            ConfigType::Double => "a number",
            ConfigType::List => "a comma-separated list",
            ConfigType::String | ConfigType::Class | ConfigType::Password => "a text",
        };
        let kind = match self.check {
            Check::AtLeast(min) => format!("{kind} of at least {min}"),
            Check::Between(min, max) => format!("{kind} from {min} to {max}"),
            Check::GzipLevel => "an integer from 1 to 9, or -1".to_owned(),
            Check::OneOf(all) | Check::OneOfIgnoringCase(all) => format!("one of {}", words(all)),
            Check::ListOf(all) | Check::NonEmptyListOf(all) => {
                format!("a comma-separated list of {}", words(all))
            }
            Check::QuorumVoters => "a list of {id}@{host}:{port}".to_owned(),
            Check::BootstrapServers => "a list of {host}:{port}".to_owned(),
            _ => kind.to_owned(),
        };
        match self.default {
            Some("") => format!("{kind}; the default is empty"),
            Some(default) => format!("{kind}; the default is {default}"),
            None => format!("{kind}; there is no default"),
        }
    }

    /// The value as Kafka prints it after parsing it.
    pub fn canonical(&self, text: &str) -> String {
        let text = text.trim();
        match self.kind {
            ConfigType::Boolean => text.to_ascii_lowercase(),
            ConfigType::Int | ConfigType::Short | ConfigType::Long => {
                text.parse().map_or_else(|_| text.to_owned(), |number: i64| number.to_string())
            }
            ConfigType::List => distinct(text).join(","),
            _ => text.to_owned(),
        }
    }

    /// Why a value is refused that is valid in Kafka but asks for something klamm does not have.
    fn reason_refused(&self, text: &str) -> Option<&'static str> {
        let Effect::OnlyThese(others, why) = self.effect else { return None };
        let value = self.canonical(text);
        let is_harmless = value.is_empty()
            || self.default.is_some_and(|default| value == self.canonical(default))
            || others.contains(&value.as_str());
        (!is_harmless).then_some(why)
    }

    /// Whether `text` is the same as the default.
    pub(super) fn is_default(&self, text: &str) -> bool {
        self.canonical(text) == self.canonical(self.default.unwrap_or_default())
    }

    fn type_problem(&self, text: &str) -> Option<String> {
        let (fits, name) = match self.kind {
            ConfigType::Boolean => {
                let fits = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
                return (!fits).then(|| "Write true or false".to_owned());
            }
            ConfigType::Int => (text.parse::<i32>().is_ok(), "INT"),
            ConfigType::Short => (text.parse::<i16>().is_ok(), "SHORT"),
            ConfigType::Long => (text.parse::<i64>().is_ok(), "LONG"),
            ConfigType::Double => (is_double(text), "DOUBLE"),
            ConfigType::Class => {
                let what = "Name a class, or leave the setting out";
                return text.is_empty().then(|| what.to_owned());
            }
            _ => return None,
        };
        (!fits).then(|| format!("Write a number of type {name}"))
    }

    fn value_problem(&self, text: &str) -> Option<String> {
        // The type has been checked. The table has no bounds beyond 2^53, so a float is exact
        // enough.
        let number = || text.parse::<f64>().unwrap_or(f64::NAN);
        // Kafka's own tests of brokers compare the texts about the choices and the bounds.
        let one_of = |all: &[&str]| format!("String must be one of: {}", all.join(", "));
        let values = split_list(text);
        Some(match self.check {
            Check::AtLeast(min) if number() < min as f64 => format!("Value must be at least {min}"),
            Check::Between(min, _) if number() < min => format!("Value must be at least {min}"),
            Check::Between(_, max) if number() > max => format!("Value must be no more than {max}"),
            Check::GzipLevel if number() != -1.0 && !(1.0..=9.0).contains(&number()) => {
                "Levels are 1 to 9, and -1 for the library's own choice".to_owned()
            }
            Check::NonEmpty if text.is_empty() => "A value is needed".to_owned(),
            Check::OneOf(all) if !all.contains(&text) => one_of(all),
            Check::OneOfIgnoringCase(all)
                if !all.iter().any(|one| one.eq_ignore_ascii_case(text)) =>
            {
                format!("Write one of {}, in any case", all.join(", "))
            }
            Check::NonEmptyList | Check::NonEmptyListOf(_) if values.is_empty() => {
                "A value is needed".to_owned()
            }
            Check::List | Check::NonEmptyList | Check::ListOf(_) | Check::NonEmptyListOf(_)
                if values.contains(&"") =>
            {
                "A value of the list is empty".to_owned()
            }
            Check::ListOf(all) | Check::NonEmptyListOf(all)
                if values.iter().any(|one| !all.contains(one)) =>
            {
                one_of(all)
            }
            Check::QuorumVoters if values.iter().any(|one| parse_voter(one).is_none()) => {
                "Write each voter as id@host:port".to_owned()
            }
            Check::BootstrapServers if values.iter().any(|one| parse_host(one).is_none()) => {
                "Write each server as host:port".to_owned()
            }
            Check::ThrottledReplicas if !are_throttled_replicas(text) => {
                "Write * for all replicas, or partition:broker pairs with commas between, such as \
                 0:1,1:2"
                    .to_owned()
            }
            Check::DeadLetterTopic if text.starts_with("__") => {
                "Dead letters cannot go to a topic whose name begins with __".to_owned()
            }
            Check::OffsetReset if OffsetReset::parse(text).is_none() => {
                "Write earliest, latest, or by_duration: and an ISO 8601 duration, such as \
                 by_duration:P1DT6H"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// Where a share group begins in a partition that is new to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// With the first record.
    Earliest,
    /// With the next record.
    Latest,
    /// With the first record that is not older, in milliseconds.
    ByDuration(i64),
}

impl OffsetReset {
    /// Reads `earliest`, `latest`, or `by_duration:` and an ISO 8601 duration.
    pub fn parse(text: &str) -> Option<OffsetReset> {
        match text {
            "earliest" => Some(OffsetReset::Earliest),
            "latest" => Some(OffsetReset::Latest),
            _ => duration_ms(text.strip_prefix("by_duration:")?).map(OffsetReset::ByDuration),
        }
    }
}

/// The milliseconds of an ISO 8601 duration that is not negative, such as `P1DT6H` or `PT0.5S`.
fn duration_ms(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let (mut rest, mut ms) = ((days, time), 0.0);
    for (unit, unit_ms) in [('D', 86_400e3), ('H', 3_600e3), ('M', 60e3), ('S', 1e3)] {
        let part = if unit == 'D' { &mut rest.0 } else { &mut rest.1 };
        let Some((number, after)) = part.split_once(unit) else { continue };
        let is_number = |c: char| c.is_ascii_digit() || (c == '.' && unit == 'S');
        let number = Some(number).filter(|number| number.chars().all(is_number))?;
        ms += number.parse::<f64>().ok()? * unit_ms;
        *part = after;
    }
    let is_read = rest == ("", "") && text.len() > 1;
    is_read.then_some(ms as i64)
}

fn are_throttled_replicas(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text == "*"
        || split_list(text).into_iter().all(|one| {
            one.split_once(':').map_or(one.is_empty(), |(a, b)| is_number(a) && is_number(b))
        })
}

/// The values of a list. As in Kafka, white space around commas is ignored.
pub(super) fn split_list(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::trim).collect()
}

/// The values of a list, each once.
fn distinct(text: &str) -> Vec<&str> {
    let mut values = split_list(text);
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(*value));
    values
}

/// Whether Java reads this as a double. Unlike Rust, it spells what is no number in one way only.
fn is_double(text: &str) -> bool {
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit());
    text.parse::<f64>().is_ok()
        && (is_number || matches!(text.trim_start_matches(['+', '-']), "NaN" | "Infinity"))
}

/// `{id}@{host}:{port}`.
pub(super) fn parse_voter(entry: &str) -> Option<(i32, String, u16)> {
    let (id, address) = entry.split_once('@')?;
    let (host, port) = parse_host(address)?;
    Some((id.parse().ok()?, host, port))
}

/// `{host}:{port}`, with an IPv6 address in brackets.
pub(super) fn parse_host(entry: &str) -> Option<(String, u16)> {
    let (host, port) = entry.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-._%:".contains(&b);
    (!host.is_empty() && host.bytes().all(is_valid))
        .then(|| Some((host.to_owned(), port.parse().ok()?)))?
}

/// A type of the fields of [`super::Config`].
pub(super) trait Value: Sized {
    const KIND: ConfigType;
    /// Reads a text that has been validated; None is null.
    fn read(text: Option<&str>) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty => $kind:ident),*) => {$(
        impl Value for $type {
            const KIND: ConfigType = ConfigType::$kind;
            fn read(text: Option<&str>) -> Option<$type> {
                text?.trim().parse().ok()
            }
        }
    )*};
}
numbers!(i16 => Short, i32 => Int, i64 => Long, f64 => Double);

impl Value for bool {
    const KIND: ConfigType = ConfigType::Boolean;
    fn read(text: Option<&str>) -> Option<bool> {
        text.map(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}

impl Value for String {
    const KIND: ConfigType = ConfigType::String;
    fn read(text: Option<&str>) -> Option<String> {
        text.map(|text| text.trim().to_owned())
    }
}

impl Value for Vec<String> {
    const KIND: ConfigType = ConfigType::List;
    /// Null is the empty list.
    fn read(text: Option<&str>) -> Option<Vec<String>> {
        Some(distinct(text.unwrap_or_default()).into_iter().map(str::to_owned).collect())
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: ConfigType = T::KIND;
    fn read(text: Option<&str>) -> Option<Option<T>> {
        Some(text.and_then(|text| T::read(Some(text))))
    }
}

/// A secret. The text stays among the others, as nothing uses one yet.
#[derive(Clone, Copy, Debug)]
pub struct Password;

impl Value for Password {
    const KIND: ConfigType = ConfigType::Password;
    fn read(text: Option<&str>) -> Option<Password> {
        text.map(|_| Password)
    }
}

/// The name of a Java class. The text stays among the others, as klamm loads no classes.
#[derive(Clone, Copy, Debug)]
pub struct ClassName;

impl Value for ClassName {
    const KIND: ConfigType = ConfigType::Class;
    fn read(text: Option<&str>) -> Option<ClassName> {
        text.map(|_| ClassName)
    }
}
