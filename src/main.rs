//! The command line: reads arguments and settings, starts the log, and runs the broker.

mod logging;

use clap::{Parser, ValueEnum};
use klamm::config::{Effect, SETTINGS, Setting, TOPIC_SETTINGS, UpdateMode, properties};
use logging::LogFormat;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  klamm                                             127.0.0.1:9092, data in ./klamm-data
  klamm server.properties                           as Kafka's kafka-server-start.sh
  klamm --override log.dirs=/var/lib/klamm --override listeners=PLAINTEXT://:9092 \\
        --override advertised.listeners=PLAINTEXT://broker.example:9092
  KAFKA_NUM_PARTITIONS=3 klamm                      as the image apache/kafka

Settings are Kafka's (klamm --help-config lists them all). The later wins: defaults, the file,
the environment (KAFKA_ and the name in capitals, with _ for a dot, __ for an underscore, ___ for
a dash), --override. Empty log directories are formatted.

SIGTERM, SIGINT and SIGHUP stop the broker cleanly; another one after
half a second ends it at once.
Exit status: 0 after a clean stop, 1 after a failure, 2 if arguments or settings are wrong.";

/// Apache Kafka's broker in one binary.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Settings, as Kafka's server.properties
    #[arg(value_name = "server.properties")]
    file: Option<PathBuf>,
    /// Sets one setting; may be given again
    #[arg(long = "override", value_name = "key=value")]
    overrides: Vec<String>,
    /// How the lines of the log look; else KLAMM_LOG_FORMAT, else kafka
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// off, fatal, error, warn, info, debug, trace, also for one module: klamm::log=debug, with the
    /// others at info; else KLAMM_LOG, else KAFKA_LOG4J_ROOT_LOGLEVEL, else info
    #[arg(long)]
    log_level: Option<String>,
    /// Prints every setting with its default and meaning
    #[arg(long)]
    help_config: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.help_config {
        // The reader of standard output, such as `head`, may stop early.
        let _ = print_settings(&mut std::io::stdout().lock());
        return ExitCode::SUCCESS;
    }
    if let Err(message) = start_logging(&arguments) {
        return fail(2, message);
    }
    let file = arguments.file.as_deref();
    let config = match properties::load(file, environment(), &arguments.overrides) {
        Ok((config, warnings)) => {
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            config.without_effect().iter().for_each(|setting| tracing::info!("{setting}"));
            config
        }
        Err(error) => return fail(2, error),
    };
    klamm::disk::raise_descriptor_limit();
    match klamm::broker::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error),
    }
}

fn start_logging(arguments: &Arguments) -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let format = match (arguments.log_format, variable("KLAMM_LOG_FORMAT")) {
        (Some(format), _) => format,
        (None, None) => LogFormat::Kafka,
        (None, Some(name)) => LogFormat::from_str(&name, true)
            .map_err(|_| format!("KLAMM_LOG_FORMAT={name}: write kafka or json"))?,
    };
    let level = arguments.log_level.clone().or_else(|| variable("KLAMM_LOG"));
    let level = level.or_else(|| variable("KAFKA_LOG4J_ROOT_LOGLEVEL"));
    logging::start(format, level.as_deref().unwrap_or("info"))
}

fn fail(code: u8, error: impl std::fmt::Display) -> ExitCode {
    logging::fatal(error);
    ExitCode::from(code)
}

/// The variables of the environment whose name and value are valid text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn print_settings(out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "# Settings of the broker")?;
    for setting in SETTINGS {
        if setting.update_mode != UpdateMode::Internal {
            print_setting(out, setting, "")?;
        }
    }
    writeln!(out, "\n# Settings of a topic, without which the broker's hold")?;
    for setting in TOPIC_SETTINGS {
        let synonym = setting.synonym.map(|name| format!("; else {name}"));
        print_setting(out, setting, &synonym.unwrap_or_default())?;
    }
    Ok(())
}

fn print_setting(out: &mut impl Write, setting: &Setting, more: &str) -> std::io::Result<()> {
    let changes = match setting.update_mode {
        UpdateMode::ReadOnly | UpdateMode::Internal => "at start",
        // Alone among these it is refused while the broker runs (`config/dynamic.rs`).
        UpdateMode::PerBroker if setting.name == "listeners" => "at start",
        UpdateMode::ClusterWide => "any time",
        UpdateMode::PerBroker => "any time, per broker",
        UpdateMode::Resource => "any time, per topic",
    };
    let (name, hint) = (setting.name, setting.hint());
    writeln!(out, "\n{name}\n    {hint}{more}; changes {changes}")?;
    match setting.effect {
        Effect::Served => {}
        Effect::NoEffect(why) => writeln!(out, "    no effect here: {why}")?,
        Effect::OnlyThese(others, why) => {
            let others: String = others.iter().map(|other| format!(", {other}")).collect();
            writeln!(out, "    refused but for the default{others}: {why}")?;
        }
    }
    for line in setting.doc {
        writeln!(out, "    {}", line.trim())?;
    }
    Ok(())
}
