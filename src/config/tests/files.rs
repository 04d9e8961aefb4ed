//! Settings as they are read from files, the environment and the command line.

use super::*;

#[test]
fn properties_are_read_as_java_reads_them() {
    for (text, key, value) in [
        ("a=b", "a", "b"),
        ("a:b", "a", "b"),
        ("a b", "a", "b"),
        ("  a  =  b  ", "a", "b  "),
        ("a", "a", ""),
        ("a=", "a", ""),
        ("=b", "", "b"),
        ("a==b", "a", "=b"),
        ("a\\=b\\:c\\ d=e", "a=b:c d", "e"),
        ("a=b\\\n   c", "a", "bc"),
        ("a=b\\\\\nc=d", "a", "b\\"),
        ("a=\\u00e4\\t\\n\\x", "a", "ä\t\nx"),
        ("a=\\ud83d\\ude00", "a", "😀"),
        ("# x\n! y\n\n \t\na=b\r\n", "a", "b"),
        ("a=b # no comment", "a", "b # no comment"),
        ("a=b\\", "a", "b"),
        ("a=a:b=c", "a", "a:b=c"),
    ] {
        let read = &syntax::parse(text).unwrap()[0];
        assert_eq!((read.key.as_str(), read.value.as_str()), (key, value), "{text:?}");
    }
    let lines: Vec<_> =
        syntax::parse("#\na=1\\\n2\n\nb=3").unwrap().iter().map(|read| read.line).collect();
    assert_eq!(lines, [2, 5]);
    assert!(syntax::parse("a=\\u00g0").is_err());
}

fn load(
    file: &str,
    environment: &[(&str, &str)],
    overrides: &[&str],
) -> Result<(Config, Vec<String>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.properties");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    properties::load(Some(&path), environment, &overrides)
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() {
    let file = "num.partitions=2\nnum.io.threads=2\nnode.id=2\n";
    let environment = [
        ("KAFKA_NODE_ID", "3"),
        ("KAFKA_NUM_IO_THREADS", "3"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
        ("KAFKA_JMX_PORT", "1"),
        ("KAFKA_LISTENER_NAME_A__B_X___Y", "z"),
        ("HOME", "/"),
    ];
    let (config, warnings) = load(file, &environment, &["node.id = 4"]).unwrap();
    assert_eq!((config.num_partitions, config.num_io_threads, config.node_id), (2, 3, 4));
    assert!(config.is_set("listener.name.a_b.x-y"));
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (file, environment, overrides, parts) in [
        ("\nnum.partitions=x", &[][..], &[][..], &["properties, line 2: ", "of at least 1"][..]),
        ("", &[("KAFKA_NUM_PARTITIONS", "x")], &[], &["environment variable KAFKA_NUM_PARTITIONS"]),
        ("", &[], &["num.partitions=0"], &["--override: ", "must be at least 1"]),
        ("", &[], &["num.partitions"], &["--override num.partitions: write it as"]),
        ("", &[], &["=3"], &["--override =3: write it as"]),
        ("node.id=1\n\u{1}\0", &[], &[], &["properties: line 2 is not text"]),
        ("A letter\nto somebody", &[], &[], &["properties: it has no known setting"]),
        ("node.id=1\nbroker.id=2", &[], &[], &["node.id: ", "line 1", "broker.id: ", "line 2"]),
    ] {
        let error = load(file, environment, overrides).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let (_, warnings) = load("num.partitons=3\nzookeeper.speed=x", &[], &[]).unwrap();
    assert!(
        warnings[0]
            .ends_with("unknown setting num.partitons is ignored; did you mean num.partitions?")
    );
    assert!(warnings[1].ends_with("line 2: unknown setting zookeeper.speed is ignored"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let (config, warnings) = load("\u{feff}num.partitions=7", &[], &[]).unwrap();
    assert_eq!((config.num_partitions, warnings.len()), (7, 0));
}
