//! Settings that change while the broker runs: what they override and which changes are refused.

use super::{config, properties};
use crate::config::Config;

#[test]
fn dynamic_settings_lie_on_top() {
    let fixed = config(&[("log.segment.bytes", "2097152"), ("num.io.threads", "4")]);
    let cluster = properties(&[("log.segment.bytes", "3145728"), ("num.io.threads", "5")]);
    let broker = properties(&[("log.segment.bytes", "4194304"), ("num.partitions", "9")]);
    let (dynamic, _) = fixed.with_dynamic(&cluster, &broker);
    assert_eq!((dynamic.log_segment_bytes, dynamic.num_io_threads), (4_194_304, 5));
    assert_eq!(dynamic.num_partitions, 1, "may not change while the broker runs");
    let topic = dynamic.topic(&properties(&[])).unwrap();
    assert_eq!(topic.segment_bytes, 4_194_304);
    let (back, _) = dynamic.with_dynamic(&properties(&[]), &properties(&[]));
    assert_eq!((back.log_segment_bytes, back.num_io_threads), (2_097_152, 4));
}

#[test]
fn what_may_be_altered() {
    let config = Config::default();
    for (name, value, per_broker, message) in [
        ("log.cleaner.threads", "2", false, ""),
        ("my.own", "x", false, ""),
        ("num.partitions", "2", true, "Cannot update these configs dynamically: [num.partitions]"),
        (
            "listeners",
            "PLAINTEXT://:1",
            false,
            "These settings differ from broker to broker; set them for a broker id, not for the \
             whole cluster: [listeners]",
        ),
        (
            "ssl.keystore.location",
            "x",
            true,
            "A running broker takes new TLS keys for one listener at a time; put \
             listener.name.<name>. before: [ssl.keystore.location]",
        ),
        ("ssl.protocol", "x", true, ""),
        ("listener.name.a.ssl.keystore.location", "x", true, ""),
        (
            "listeners",
            "PLAINTEXT://:9099",
            true,
            "klamm binds its listeners when it starts: change them in its properties and start it \
             again: [listeners]",
        ),
        ("listener.name.a.max.connections", "5", true, ""),
        ("listener.name.a.max.connections", "5", false, ""),
        ("listener.name.a.my.own", "5", true, ""),
        (
            "listener.name.a.my.own",
            "5",
            false,
            "These settings differ from broker to broker; set them for a broker id, not for the \
             whole cluster: [listener.name.a.my.own]",
        ),
        (
            "listener.name.a.max.connections",
            "x",
            true,
            "Invalid value x for configuration max.connections: Write a number of type INT",
        ),
        (
            "log.cleaner.threads",
            "x",
            true,
            "Invalid value x for configuration log.cleaner.threads: Write a number of type INT",
        ),
    ] {
        let result = config.check_dynamic(&properties(&[(name, value)]), per_broker);
        let refused = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(refused, message, "{name}");
    }
}

#[test]
fn a_running_broker_changes_in_steps() {
    let config = config(&[("num.io.threads", "10"), ("max.connections", "0")]);
    let none = properties(&[]);
    for (name, value, fits) in [
        ("num.io.threads", "5", true),
        ("num.io.threads", "4", false),
        ("num.io.threads", "20", true),
        ("num.io.threads", "21", false),
        ("max.connections", "0", true),
        ("max.connection.creation.rate", "0", false),
        ("listener.name.plaintext.max.connection.creation.rate", "0", false),
        ("listener.name.plaintext.max.connection.creation.rate", "1", true),
        ("listener.name.other.max.connection.creation.rate", "0", true),
    ] {
        let one = properties(&[(name, value)]);
        for (cluster, broker) in [(&one, &none), (&none, &one)] {
            let checked = config.check_together(cluster, broker);
            assert_eq!(checked.is_ok(), fits, "{name}={value}: {checked:?}");
        }
    }
}
