//! The effect of each setting, compared with the sources; and what is refused.

use super::super::properties::load;
use super::properties;
use crate::config::{CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, SETTINGS, TOPIC_SETTINGS};
use crate::config::{Config, Effect, Setting, setting};
use std::path::Path;

/// The sources that may use a setting: without the tables, the checks between settings, and tests.
/// Where `Config` reads its own fields, they say `config` for `self`.
fn sources(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_table = ["table.rs", "validate.rs", "dynamic.rs", "effect.rs", "describe.rs"]
            .contains(&&*name)
            && path.parent().unwrap().ends_with("config");
        if path.is_dir() && name != "tests" {
            sources(&path, into);
        } else if name.ends_with(".rs") && name != "tests.rs" && !is_table {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_config =
                path.ends_with("src/config.rs") || path.parent().unwrap().ends_with("config");
            into.push_str(&if is_config { text.replace("self.", "config.") } else { text });
        }
    }
}

fn all_sources() -> String {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

/// Whether the sources read the field of this setting from a `Config`, by the names that these have
/// in the sources, or contain its name in a call.
fn is_read(sources: &str, name: &str) -> bool {
    let field = format!(".{}", name.replace('.', "_"));
    let is_word_end =
        |at: usize| !sources[at..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let is_config = |at: usize| {
        let before = sources[..at].trim_end();
        ["config", ".get()", "now"].iter().any(|name| before.ends_with(name))
    };
    sources.match_indices(&field).any(|(at, _)| is_config(at) && is_word_end(at + field.len()))
        || sources.contains(&format!("(\"{name}\""))
}

/// The setting that `name` bounds: `group.consumer.min.x` bounds `group.consumer.x`.
fn bounded_by(name: &str) -> Option<&'static Setting> {
    let base = [".min.", ".max."].into_iter().find_map(|bound| {
        let (kind, rest) = name.strip_prefix("group.")?.split_once(bound)?;
        Some((kind, rest))
    });
    let (kind, rest) = base?;
    let named = ["", "num."].map(|count| format!("group.{kind}.{count}{rest}"));
    named.iter().find_map(|name| setting(name))
}

#[test]
fn what_is_served_is_read_and_what_has_no_effect_is_not() {
    let sources = all_sources();
    let is_said = |name: &str| {
        let quoted = format!("\"{name}\"");
        let ends = |at: usize| !sources[at..].starts_with(':');
        sources.match_indices(&quoted).any(|(at, _)| ends(at + quoted.len()))
    };
    let is_resource_read = |one: &Setting| is_read(&sources, one.name) || is_said(one.name);
    let resources = || TOPIC_SETTINGS.iter().chain(GROUP_SETTINGS);
    let through_a_resource =
        |name: &str| resources().any(|one| one.synonym == Some(name) && is_resource_read(one));
    let mut wrong = Vec::new();
    for one in SETTINGS {
        let bounded = bounded_by(one.name);
        let read = is_read(&sources, one.name)
            || through_a_resource(one.name)
            || bounded.is_some_and(|of| of.effect == Effect::Served);
        match one.effect {
            Effect::Served if !read => wrong.push(format!("{} is served and not read", one.name)),
            Effect::NoEffect(_) if is_read(&sources, one.name) => {
                wrong.push(format!("{} has no effect and is read", one.name));
            }
            _ => {}
        }
    }
    for one in resources() {
        match one.effect {
            Effect::Served if !is_resource_read(one) => {
                wrong.push(format!("{} is served and not read", one.name));
            }
            Effect::NoEffect(_) if is_resource_read(one) => {
                wrong.push(format!("{} has no effect and is read", one.name));
            }
            _ => {}
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_description_says_accepted_but_ignored_if_there_is_no_effect() {
    let all = [SETTINGS, TOPIC_SETTINGS, GROUP_SETTINGS, CLIENT_METRICS_SETTINGS];
    for one in all.into_iter().flatten() {
        let (name, text) = (one.name, one.documentation());
        let is_ignored = text.starts_with("Accepted but ignored: ");
        match one.effect {
            // Of what is to come, the description says already what it will do.
            Effect::NoEffect(_) => {
                assert!(is_ignored || text.contains("ot supported yet"), "{name}")
            }
            _ => assert!(!text.contains("Accepted but ignored"), "{name}"),
        }
    }
}

#[test]
fn what_asks_for_what_klamm_does_not_have_is_refused() {
    let check = |name: &str, value: &str, fits: bool| {
        let made = Config::new(properties(&[(name, value)]));
        assert_eq!(made.is_ok(), fits, "{name}={value}: {made:?}");
        if let Err(error) = made {
            assert!(error.to_string().contains(name), "{error}");
        }
    };
    let mut refused = 0;
    for one in SETTINGS.iter().filter(|one| matches!(one.effect, Effect::OnlyThese(..))) {
        let other = if one.default == Some("false") { "true" } else { "com.example.Own" };
        check(one.name, other, false);
        if let Some(default) = one.default {
            check(one.name, default, true);
        }
        refused += 1;
    }
    assert_eq!(refused, 16);
    check(
        "replica.selector.class",
        "org.apache.kafka.common.replica.RackAwareReplicaSelector",
        true,
    );
    let hint = setting("replica.selector.class").unwrap().hint();
    assert!(hint.starts_with("nothing but the default or org.apache.kafka."), "{hint}");
    check("metric.reporters", "", true);
    check("group.coordinator.rebalance.protocols", "classic,consumer,share", true);
    check("group.coordinator.rebalance.protocols", "classic", true);
    check("group.consumer.assignors", "range,com.example.Own", false);
    check("group.consumer.assignors", "range, uniform", true);
    check("group.streams.assignors", "sticky,com.example.Own", false);
    check("group.streams.assignors", "sticky", true);
}

#[test]
fn settings_that_do_not_fit_each_other_are_refused() {
    let check = |name: &str, value: &str| {
        let refused = Config::new(properties(&[(name, value)])).unwrap_err().to_string();
        assert!(refused.contains(name), "{refused}");
    };
    for kind in ["consumer", "share", "streams"] {
        check(&format!("group.{kind}.heartbeat.interval.ms"), "16000");
        check(&format!("group.{kind}.heartbeat.interval.ms"), "4999");
        check(&format!("group.{kind}.min.heartbeat.interval.ms"), "16000");
        check(&format!("group.{kind}.session.timeout.ms"), "60001");
        check(&format!("group.{kind}.session.timeout.ms"), "44999");
        check(&format!("group.{kind}.max.session.timeout.ms"), "44999");
        check(&format!("group.{kind}.assignment.interval.ms"), "15001");
        check(&format!("group.{kind}.max.heartbeat.interval.ms"), "4999");
    }
    check("group.streams.num.standby.replicas", "3");
    check("group.share.record.lock.duration.ms", "14999");
    check("group.share.record.lock.duration.ms", "60001");
    check("group.share.partition.max.record.locks", "4001");
    check("group.share.max.share.sessions", "199");
    for cordoned in ["/elsewhere", "*,/a"] {
        let pairs = [("log.dirs", "/a,/b"), ("cordoned.log.dirs", cordoned)];
        let refused = Config::new(properties(&pairs)).unwrap_err().to_string();
        assert!(refused.contains("cordoned.log.dirs"), "{refused}");
    }
    for (cordoned, is_a, is_b) in [("", false, false), ("/a/", true, false), ("*", true, true)] {
        let pairs = [("log.dirs", "/a,/b"), ("cordoned.log.dirs", cordoned)];
        let config = Config::new(properties(&pairs)).unwrap();
        let found = ["/a", "/b"].map(|dir| config.is_cordoned(Path::new(dir)));
        assert_eq!(found, [is_a, is_b], "{cordoned}");
    }
    let none = properties(&[]);
    for (local, all) in [("20", "10"), ("-1", "10")] {
        let own = properties(&[("log.local.retention.ms", local), ("log.retention.ms", all)]);
        assert!(Config::default().check_together(&none, &own).is_err(), "{local} of {all}");
    }
    let own = properties(&[("log.local.retention.ms", "20"), ("log.retention.ms", "-1")]);
    Config::default().check_together(&none, &own).unwrap();
    let wide = [
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "5000"),
    ];
    let refused = Config::new(properties(&wide)).unwrap_err().to_string();
    assert!(refused.contains("heartbeat.interval.ms must be less than"), "{refused}");
}

#[test]
fn what_has_no_effect_is_told_once_when_it_is_set() {
    let told = |pairs: &[(&str, &str)]| Config::new(properties(pairs)).unwrap().without_effect();
    assert_eq!(told(&[]), [""; 0]);
    assert_eq!(told(&[("num.io.threads", "8"), ("log.segment.bytes", "2097152")]), [""; 0]);
    let found = told(&[("num.io.threads", " 16 "), ("ssl.key.password", "secret")]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("num.io.threads has no effect here: "), "{found:?}");
    assert!(!found[1].contains("secret"));
}

#[test]
fn settings_of_zookeeper_are_not_a_new_cluster() {
    let load = |pairs: &[(&str, &str)], environment: &[(&str, &str)]| {
        let overrides: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let environment: Vec<(String, String)> =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        load(None, environment.into_iter(), &overrides)
    };
    let refused = load(&[("zookeeper.connect", "zk:2181")], &[]).unwrap_err().to_string();
    assert!(refused.contains("ZooKeeper") && refused.contains("KRaft"), "{refused}");
    let roles = ("process.roles", "broker,controller");
    let (_, warnings) = load(&[("zookeeper.connect", "zk:2181"), roles], &[]).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");

    let (_, warnings) = load(&[], &[("KAFKA_CFG_NUM_PARTITIONS", "3")]).unwrap();
    assert_eq!(
        warnings,
        ["environment variable KAFKA_CFG_NUM_PARTITIONS is ignored: write KAFKA_, without CFG_, \
          to set num.partitions"]
    );
}
