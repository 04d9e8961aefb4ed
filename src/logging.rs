//! Writes log lines to standard output, in Kafka's format or as JSON.
//!
//! ```text
//! [2026-11-21 09:00:00,123] INFO Kafka Server started (klamm::broker)
//! ```

use klamm::clock::Clock;
use std::fmt::{self, Write};
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, SubscriberBuilder, layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// As Kafka's log4j2.yaml has it, in UTC.
    Kafka,
    /// One JSON object per line.
    Json,
}

/// Starts to log what `filter` lets through (`info`, `klamm::log=debug,warn`, …).
pub fn start(format: LogFormat, filter: &str) -> Result<(), String> {
    let _ = FORMAT.set(format);
    let log = tracing_subscriber::registry().with(targets(filter)?);
    match format {
        LogFormat::Kafka => log.with(layer().event_format(KafkaLines(Clock::System))).init(),
        LogFormat::Json => log.with(layer().json().flatten_event(true)).init(),
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("a defect of klamm: {panic}")));
    Ok(())
}

/// The format of the log, once it is known.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Says on standard error why klamm ends. Once the log's format is known it is a log line, whatever
/// the level.
pub fn fatal(why: impl fmt::Display) {
    let builder = SubscriberBuilder::default().with_writer(std::io::stderr);
    let say = || tracing::error!("Exiting: {why}");
    match FORMAT.get() {
        None => eprintln!("klamm: {why}"),
        Some(LogFormat::Kafka) => tracing::subscriber::with_default(
            builder.event_format(KafkaLines(Clock::System)).finish(),
            say,
        ),
        Some(LogFormat::Json) => {
            tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), say);
        }
    }
}

/// Reads a filter: levels of Log4j, each for a module or, alone, for all others. Without the latter
/// these log at info, so that a filter for one module does not silence the rest.
fn targets(filter: &str) -> Result<Targets, String> {
    let mut targets = Targets::new().with_default(LevelFilter::INFO);
    for text in filter.split(',') {
        let (module, word) = match text.rsplit_once('=') {
            Some((module, word)) => (Some(module.trim()), word.trim()),
            None => (None, text.trim()),
        };
        let level = level(word).ok_or_else(|| {
            format!(
                "log level `{filter}`: `{word}` is no level. Write off, fatal, error, warn, info, \
                 debug, trace or all, or by module klamm::log=debug,info"
            )
        })?;
        targets = match module {
            None => targets.with_default(level),
            Some(module) if MODULES.lines().any(|known| known == module) => {
                targets.with_target(module, level)
            }
            Some(module) => {
                return Err(format!(
                    "log level `{filter}`: klamm has no module `{module}`. Write one as it stands \
                     at the end of a log line, such as klamm::log"
                ));
            }
        };
    }
    Ok(targets)
}

/// The modules of klamm, each on a line.
const MODULES: &str = include_str!(concat!(env!("OUT_DIR"), "/modules.txt"));

/// The level of tracing for a level of Log4j.
fn level(word: &str) -> Option<LevelFilter> {
    Some(match word.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "fatal" | "error" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" | "all" => LevelFilter::TRACE,
        _ => return None,
    })
}

/// Formats lines as `[time] LEVEL text (target)`.
struct KafkaLines(Clock);

impl<S, N> FormatEvent<S, N> for KafkaLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        write!(writer, "[{}] {} ", Time(self.0.now()), metadata.level())?;
        write_one_entry(&mut writer, &text)?;
        writeln!(writer, " ({})", metadata.target())
    }
}

/// Writes the text of one entry, which may contain names that peers choose. Further lines are
/// indented so that they do not look like entries, and control characters are escaped so that they
/// do not control a terminal.
fn write_one_entry(writer: &mut impl Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\n' => writer.write_str("\n    ")?,
            '\t' => writer.write_char(c)?,
            c if c.is_control() => write!(writer, "{}", c.escape_default())?,
            c => writer.write_char(c)?,
        }
    }
    Ok(())
}

/// Formats milliseconds since the epoch as `2026-11-21 09:00:00,123`.
struct Time(i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = date(days);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1000 % 60, ms % 1000);
        write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{ms:03}")
    }
}

/// Year, month and day of a day since 1970-01-01. It counts from 1 March of the year 0, so that a
/// leap day is the last day of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (400 * era + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{LevelFilter, Time, targets, write_one_entry};

    const OFF: LevelFilter = LevelFilter::OFF;
    const ERROR: LevelFilter = LevelFilter::ERROR;
    const WARN: LevelFilter = LevelFilter::WARN;
    const INFO: LevelFilter = LevelFilter::INFO;
    const DEBUG: LevelFilter = LevelFilter::DEBUG;
    const TRACE: LevelFilter = LevelFilter::TRACE;

    #[test]
    fn no_name_makes_an_entry_of_its_own() {
        for (text, written) in [
            ("group g: generation 1", "group g: generation 1"),
            ("group ü\t1", "group ü\t1"),
            (
                "group a\n[2026-11-21 09:00:00,123] INFO x",
                "group a\n    [2026-11-21 09:00:00,123] INFO x",
            ),
            ("group a\r[2026", "group a\\r[2026"),
            ("\u{1b}[2J\u{9b}1A\0", "\\u{1b}[2J\\u{9b}1A\\u{0}"),
        ] {
            let mut entry = String::new();
            write_one_entry(&mut entry, text).unwrap();
            assert_eq!(entry, written);
        }
    }

    #[test]
    fn times_are_written_as_kafka_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00,000"),
            (951_782_399_999, "2000-02-28 23:59:59,999"),
            (951_782_400_000, "2000-02-29 00:00:00,000"),
            (1_795_251_600_123, "2026-11-21 09:00:00,123"),
            (4_107_542_400_000, "2100-03-01 00:00:00,000"),
        ] {
            assert_eq!(Time(ms).to_string(), text);
        }
    }

    #[test]
    fn a_level_is_kafkas_word_and_a_module_one_of_klamms() {
        let [log, replica, other] = ["klamm::log::cleaner", "klamm::replica", "klamm::server"];
        for (written, found) in [
            ("info", Some([INFO; 3])),
            (" WARNING ", Some([WARN; 3])),
            ("Fatal", Some([ERROR; 3])),
            ("OFF", Some([OFF; 3])),
            ("all", Some([TRACE; 3])),
            ("klamm::log=DEBUG", Some([DEBUG, INFO, INFO])),
            ("klamm::log=DEBUG, warn", Some([DEBUG, WARN, WARN])),
            ("off,klamm::log::cleaner=warn,klamm::log=trace", Some([WARN, OFF, OFF])),
            ("klamm=error,klamm::replica = all", Some([ERROR, TRACE, ERROR])),
            ("klamm::replica=off", Some([INFO, OFF, INFO])),
            ("inof", None),
            ("klamm::log", None),
            ("klamm=verbose,info", None),
            ("klamm::lgo=debug", None),
            ("klamm::log::claener=debug", None),
            ("Klamm::log=debug", None),
            ("klamm::=debug", None),
            ("tokio=debug", None),
            ("=debug", None),
            ("klamm::log=", None),
            ("klamm::log=debug=info", None),
            ("info,", None),
            ("", None),
        ] {
            let targets = targets(written);
            let level = |target| {
                let lets = |level: &LevelFilter| {
                    let level = level.into_level().unwrap();
                    targets.as_ref().unwrap().would_enable(target, &level)
                };
                let levels = [TRACE, DEBUG, INFO, WARN, ERROR];
                levels.into_iter().find(lets).unwrap_or(OFF)
            };
            assert_eq!(targets.is_ok(), found.is_some(), "{written}: {targets:?}");
            if let Some(found) = found {
                assert_eq!([log, replica, other].map(level), found, "{written}");
            }
        }
    }
}
