//! Damaged log directories: the start is refused with a message and changes no file, and once the
//! damage is repaired all records are there. Changes that are no damage do not prevent a start.

use super::{Peer, call, text};
use crate::support::Broker;
use klamm::codec::messages::create_topics_request::CreatableTopic;
use klamm::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use klamm::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use klamm::codec::messages::*;
use klamm::config::Compression;
use klamm::record::builder::BatchBuilder;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const METADATA: &str = "a/__cluster_metadata-0";
const LOG: &str = "a/__cluster_metadata-0/00000000000000000000.log";
const SNAPSHOT: &str = "a/__cluster_metadata-0/00000000000000000090-0000000001.checkpoint";
const CLEAN: &str = ".kafka_cleanshutdown";
const IDENTITY: &str = "partition.metadata";
/// A topic id that nobody has.
const STRANGE: &str = "lBHnTetMyXi6gcI8fwQDRQ";
const STORAGE_ERROR: i16 = 56;
const PARTITIONS: i32 = 4;

/// A stopped broker with the log directories a and b. Each has two partitions of the topic `damage`
/// with one record.
struct Site {
    root: TempDir,
    broker: Broker,
}

impl Site {
    fn new() -> Site {
        let mut site = Site::running("a,b");
        site.broker.stop();
        site
    }

    /// The same broker, which still runs.
    fn running(names: &str) -> Site {
        let root = TempDir::new().unwrap();
        let dirs = dirs(root.path(), names);
        let broker = Broker::start_with(&[("log.dirs", &dirs), ("node.id", "1")]);
        // The metadata log before there was a topic.
        copy(&root.path().join(METADATA), &root.path().join("old"));
        create(&broker, "damage");
        (0..PARTITIONS).for_each(|partition| assert_eq!(produce(&broker, partition), 0));
        Site { root, broker }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn log_dirs(&mut self, names: &str) {
        let dirs = dirs(self.root.path(), names);
        self.broker.set(&[("log.dirs", &dirs)]);
    }

    /// The start must be refused with a message that contains all of `says`, and must change
    /// nothing. Returns the message.
    fn refuses(&mut self, says: &[&str], case: &str) -> String {
        let (before, logged) = (tree(self.root.path()), self.broker.log().len());
        let (status, last) = self.broker.refusal();
        let log = self.broker.log().split_off(logged);
        assert!(!log.contains(" WARN "), "{case}: what a refused start does not do: {log}");
        assert_eq!(status, Some(1), "{case}: {last}");
        assert!(last.contains(" ERROR Exiting: "), "{case}: {last}");
        says.iter().for_each(|words| assert!(last.contains(words), "{case}: {words}: {last}"));
        let after = tree(self.root.path());
        assert!(before == after, "{case}: the refused start has changed files");
        last
    }

    /// All records must be there, and the broker must stop cleanly.
    fn serves(&mut self, case: &str) {
        self.broker.launch();
        for partition in 0..PARTITIONS {
            assert_eq!(next(&self.broker, partition), 1, "{case}: partition {partition}");
        }
        self.broker.stop();
    }
}

fn dirs(root: &Path, names: &str) -> String {
    let paths: Vec<_> =
        names.split(',').map(|name| root.join(name).display().to_string()).collect();
    paths.join(",")
}

/// All directories, and all files with their content.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(tree(&path));
            found.insert(path, None);
        } else {
            let content = fs::read(&path).ok();
            found.insert(path, content);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn create(broker: &Broker, topic: &str) {
    let topic = CreatableTopic::default()
        .with_name(text(topic).into())
        .with_num_partitions(PARTITIONS)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let response = call(&Peer::connect(broker.port), 7, &request);
    assert_eq!(response.topics[0].error_code, 0, "{response:?}");
}

fn produce(broker: &Broker, partition: i32) -> i16 {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    builder.append(1_700_000_000_000, None, Some(b"value"), &[]);
    let records = builder.build().to_bytes();
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(text("damage").into())
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let response = call(&Peer::connect(broker.port), 9, &request);
    response.responses[0].partition_responses[0].error_code
}

/// The end offset of a partition.
fn next(broker: &Broker, partition: i32) -> i64 {
    let (code, offset) = asked(broker, partition);
    assert_eq!(code, 0, "{partition}");
    offset
}

/// The error code and end offset of a partition.
fn asked(broker: &Broker, partition: i32) -> (i16, i64) {
    let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(-1);
    let topic =
        ListOffsetsTopic::default().with_name(text("damage").into()).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
    let request = request.with_topics(vec![topic]);
    let response = call(&Peer::connect(broker.port), 7, &request);
    let answer = &response.topics[0].partitions[0];
    (answer.error_code, answer.offset)
}

/// The first partition in a directory.
fn partition_in(dir: &Path) -> String {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("damage-")).min().unwrap()
}

fn in_b(site: &Site) -> String {
    partition_in(&site.path("b"))
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

/// The position of a text in a file.
fn position(path: &Path, text: &str) -> usize {
    let bytes = fs::read(path).unwrap();
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

fn link_to_nothing(path: &Path) {
    std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap();
}

fn set_aside(site: &Site, name: &str) {
    fs::rename(site.path(name), site.path("aside")).unwrap();
}

fn put_back(site: &Site, name: &str) {
    fs::rename(site.path("aside"), site.path(name)).unwrap();
}

/// Keeps a copy until the damage is repaired.
fn keep(site: &Site, name: &str) {
    match site.path(name).is_dir() {
        true => copy(&site.path(name), &site.path("aside")),
        false => drop(fs::copy(site.path(name), site.path("aside")).unwrap()),
    }
}

fn restore(site: &Site, name: &str) {
    match site.path(name).is_dir() {
        true => fs::remove_dir_all(site.path(name)).unwrap(),
        false => fs::remove_file(site.path(name)).unwrap(),
    }
    put_back(site, name);
}

fn unclean(site: &Site) {
    ["a", "b"].iter().for_each(|dir| fs::remove_file(site.path(dir).join(CLEAN)).unwrap());
}

struct Damage {
    name: &'static str,
    log_dirs: &'static str,
    spoil: fn(&Site),
    says: &'static [&'static str],
    mend: fn(&Site),
}

const DAMAGES: &[Damage] = &[
    Damage {
        name: "another order",
        log_dirs: "b,a",
        spoil: |_| (),
        says: &[
            "the metadata log is in the wrong directory",
            "/a/__cluster_metadata-0",
            "metadata.log.dir",
        ],
        mend: |_| (),
    },
    Damage {
        name: "a new directory is named first",
        log_dirs: "new,a,b",
        spoil: |site| fs::create_dir(site.path("new")).unwrap(),
        says: &["the metadata log is in the wrong directory", "/a/__cluster_metadata-0"],
        mend: |_| (),
    },
    Damage {
        name: "a directory has two names",
        log_dirs: "a,b,b/../a",
        spoil: |_| (),
        says: &["log.dirs names the same directory twice", "/b/../a"],
        mend: |_| (),
    },
    Damage {
        name: "a new directory is named first and missing",
        log_dirs: "new/er,a,b",
        spoil: |_| (),
        says: &["the metadata log is in the wrong directory", "/a/__cluster_metadata-0"],
        mend: |_| (),
    },
    Damage {
        name: "a new directory has two names",
        log_dirs: "a,b,new,b/../new",
        spoil: |_| (),
        says: &["log.dirs names the same directory twice", "/b/../new"],
        mend: |_| (),
    },
    Damage {
        name: "a new directory within another",
        log_dirs: "a,b,b/new",
        spoil: |_| (),
        says: &["/b/new lies within ", "/b, which is one of log.dirs"],
        mend: |_| (),
    },
    Damage {
        name: "a new directory within another, by way of a link",
        log_dirs: "a,b,link/new/er",
        spoil: |site| std::os::unix::fs::symlink("b", site.path("link")).unwrap(),
        says: &["/link/new/er lies within ", "/b, which is one of log.dirs"],
        mend: |site| fs::remove_file(site.path("link")).unwrap(),
    },
    Damage {
        name: "the first directory is left out",
        log_dirs: "b",
        spoil: |_| (),
        says: &["2 partitions (damage-", "/b/__cluster_metadata-0 is missing or empty"],
        mend: |_| (),
    },
    Damage {
        name: "the metadata log is lost",
        log_dirs: "a,b",
        spoil: |site| set_aside(site, METADATA),
        says: &[
            "4 partitions (damage-",
            "/a/__cluster_metadata-0 is missing or empty",
            "new cluster",
        ],
        mend: |site| put_back(site, METADATA),
    },
    Damage {
        name: "the segments of the metadata log are lost",
        log_dirs: "a,b",
        spoil: |site| set_aside(site, LOG),
        says: &["4 partitions (damage-", "/a/__cluster_metadata-0 is missing or empty"],
        mend: |site| put_back(site, LOG),
    },
    Damage {
        name: "the last batch of the metadata log is cut after a clean stop",
        log_dirs: "a,b",
        spoil: |site| {
            let bytes = fs::read(site.path(LOG)).unwrap();
            set_aside(site, LOG);
            fs::write(site.path(LOG), &bytes[..bytes.len() - 7]).unwrap();
        },
        says: &["/a/__cluster_metadata-0: the metadata log ends at offset", ".snapshot shows that"],
        mend: |site| put_back(site, LOG),
    },
    Damage {
        name: "meta.properties is missing in the first",
        log_dirs: "a,b",
        spoil: |site| set_aside(site, "a/meta.properties"),
        says: &["a metadata log and 2 partitions (damage-", "no meta.properties", "directory.id="],
        mend: |site| put_back(site, "a/meta.properties"),
    },
    Damage {
        name: "meta.properties is missing in the second",
        log_dirs: "a,b",
        spoil: |site| set_aside(site, "b/meta.properties"),
        says: &["/b holds 2 partitions (damage-", "no meta.properties", "node.id=1"],
        mend: |site| put_back(site, "b/meta.properties"),
    },
    Damage {
        name: "another directory id",
        log_dirs: "a,b",
        spoil: |site| {
            keep(site, "b/meta.properties");
            let path = site.path("b/meta.properties");
            let text = fs::read_to_string(&path).unwrap();
            let (head, _) = text.split_once("directory.id=").unwrap();
            fs::write(path, format!("{head}directory.id=lBHnTetMyXi6gcI8fwQDRQ\n")).unwrap();
        },
        says: &["/b/meta.properties says directory.id=lBHnTetMyXi6gcI8fwQDRQ", "which none of"],
        mend: |site| restore(site, "b/meta.properties"),
    },
    Damage {
        name: "no directory id",
        log_dirs: "a,b",
        spoil: |site| {
            keep(site, "b/meta.properties");
            let path = site.path("b/meta.properties");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.split_once("directory.id=").unwrap().0).unwrap();
        },
        says: &["/b/meta.properties says no directory.id, but", "Write directory.id="],
        mend: |site| restore(site, "b/meta.properties"),
    },
    Damage {
        name: "one directory id in two directories",
        log_dirs: "a,b",
        spoil: |site| {
            keep(site, "b/meta.properties");
            fs::copy(site.path("a/meta.properties"), site.path("b/meta.properties")).unwrap();
        },
        says: &["meta.properties", "the same directory.id="],
        mend: |site| restore(site, "b/meta.properties"),
    },
    Damage {
        name: "the metadata log's first batch, after a clean stop",
        log_dirs: "a,b",
        spoil: |site| {
            keep(site, LOG);
            flip(&site.path(LOG), 70);
        },
        says: &["The metadata log is damaged", "no sound batch at position 0", "truncate -s 0"],
        mend: |site| restore(site, LOG),
    },
    Damage {
        name: "the metadata log's first batch",
        log_dirs: "a,b",
        spoil: |site| {
            unclean(site);
            keep(site, LOG);
            flip(&site.path(LOG), 70);
        },
        says: &["does not know 4 partitions (damage-", "it is damaged", "at position 0"],
        mend: |site| restore(site, LOG),
    },
    Damage {
        name: "the middle of the metadata log",
        log_dirs: "a,b",
        spoil: |site| {
            unclean(site);
            keep(site, LOG);
            flip(&site.path(LOG), position(&site.path(LOG), "damage"));
        },
        says: &["does not know 4 partitions (damage-", "it is damaged"],
        mend: |site| restore(site, LOG),
    },
    Damage {
        name: "the metadata log is cut within a batch, after a clean stop",
        log_dirs: "a,b",
        spoil: |site| {
            keep(site, LOG);
            let bytes = fs::read(site.path(LOG)).unwrap();
            fs::write(site.path(LOG), &bytes[..position(&site.path(LOG), "damage")]).unwrap();
        },
        says: &["The metadata log in ", "ends at offset ", "it is an old copy"],
        mend: |site| restore(site, LOG),
    },
    Damage {
        name: "a link to nothing in the place of the metadata log",
        log_dirs: "a,b",
        spoil: |site| {
            set_aside(site, LOG);
            link_to_nothing(&site.path(LOG));
        },
        says: &["00.log is a symbolic link that leads nowhere: move it away"],
        mend: |site| put_back(site, LOG),
    },
    Damage {
        name: "a link to nothing in the place of a snapshot of the metadata log",
        log_dirs: "a,b",
        spoil: |site| link_to_nothing(&site.path(SNAPSHOT)),
        says: &["90-0000000001.checkpoint is no file, where one belongs: move it away"],
        mend: |site| fs::remove_file(site.path(SNAPSHOT)).unwrap(),
    },
    Damage {
        name: "a link to nothing in the place of a lock",
        log_dirs: "a,b",
        spoil: |site| {
            fs::remove_file(site.path("b/.lock")).unwrap();
            link_to_nothing(&site.path("b/.lock"));
        },
        says: &["/b/.lock is a symbolic link that leads nowhere: move it away"],
        mend: |site| fs::remove_file(site.path("b/.lock")).unwrap(),
    },
    Damage {
        name: "an old copy of the metadata log",
        log_dirs: "a,b",
        spoil: |site| {
            unclean(site);
            set_aside(site, METADATA);
            copy(&site.path("old"), &site.path(METADATA));
        },
        says: &["does not know 4 partitions (damage-", "it knows none of all the partitions"],
        mend: |site| restore(site, METADATA),
    },
    Damage {
        name: "an old copy of the metadata log, after a clean stop",
        log_dirs: "a,b",
        spoil: |site| {
            set_aside(site, METADATA);
            copy(&site.path("old"), &site.path(METADATA));
        },
        says: &["The metadata log in ", "it is an old copy"],
        mend: |site| restore(site, METADATA),
    },
    Damage {
        name: "a disk that is not mounted",
        log_dirs: "a,b",
        spoil: |site| {
            set_aside(site, "b");
            fs::create_dir(site.path("b")).unwrap();
        },
        says: &[
            "and with it 2 partitions (damage-",
            "/b is empty, as if its disk were not mounted. ",
        ],
        mend: |site| restore(site, "b"),
    },
    Damage {
        name: "a directory that is not there",
        log_dirs: "a,b",
        spoil: |site| set_aside(site, "b"),
        says: &["and with it 2 partitions (damage-", "/b is missing. Nothing was changed"],
        mend: |site| put_back(site, "b"),
    },
    Damage {
        name: "the metadata log's disk is not mounted",
        log_dirs: "a,b",
        spoil: |site| {
            set_aside(site, "a");
            fs::create_dir(site.path("a")).unwrap();
        },
        says: &["2 partitions (damage-", "/a/__cluster_metadata-0 is missing or empty"],
        mend: |site| restore(site, "a"),
    },
    Damage {
        name: "nobody can look into one directory, and the other is empty",
        log_dirs: "new,b",
        spoil: |site| {
            set_aside(site, "b");
            fs::create_dir(site.path("new")).unwrap();
            fs::write(site.path("b"), "no directory").unwrap();
        },
        says: &["/b cannot be used", "/new has no metadata log"],
        mend: |site| restore(site, "b"),
    },
    Damage {
        name: "a file in the place of the first directory",
        log_dirs: "a,b",
        spoil: |site| {
            set_aside(site, "a");
            fs::write(site.path("a"), "no directory").unwrap();
        },
        says: &["/a: a file is in the place of this directory or of one above it", "log.dirs"],
        mend: |site| restore(site, "a"),
    },
    Damage {
        name: "a file in the place of what the first directory lies in",
        log_dirs: "new/er,a,b",
        spoil: |site| fs::write(site.path("new"), "no directory").unwrap(),
        says: &["/new/er: a file is in the place of this directory or of one above it"],
        mend: |site| fs::remove_file(site.path("new")).unwrap(),
    },
    Damage {
        name: "a directory of a person",
        log_dirs: "a,b",
        spoil: |site| fs::create_dir(site.path("b/holiday")).unwrap(),
        says: &["/b/holiday", "move it away"],
        mend: |site| fs::remove_dir(site.path("b/holiday")).unwrap(),
    },
    Damage {
        name: "a partition twice",
        log_dirs: "a,b",
        spoil: |site| {
            let twice = partition_in(&site.path("a"));
            copy(&site.path("a").join(&twice), &site.path("b").join(&twice));
        },
        says: &["damage-", " is in ", "move the other one away"],
        mend: |site| {
            let twice = partition_in(&site.path("a"));
            fs::remove_dir_all(site.path("b").join(twice)).unwrap();
        },
    },
];

/// A new kind of damage needs a new row.
#[test]
fn a_damaged_directory_is_refused_untouched_and_all_is_there_when_it_is_mended() {
    let site = &mut Site::new();
    for Damage { name, log_dirs, spoil, says, mend } in DAMAGES {
        spoil(site);
        site.log_dirs(log_dirs);
        site.refuses(says, name);
        mend(site);
        site.log_dirs("a,b");
        let _ = fs::remove_dir_all(site.path("new"));
        site.serves(name);
    }
}

/// Writing the file that the refusal asks for repairs the damage.
#[test]
fn meta_properties_are_written_anew_by_what_the_refusal_says() {
    let mut site = Site::new();
    let path = site.path("b/meta.properties");
    fs::remove_file(&path).unwrap();
    let said = site.refuses(&["lines version=1"], "meta.properties");
    let value = |name: &str| {
        let (_, rest) = said.split_once(name).unwrap();
        rest.split([',', ' ', ';']).next().unwrap().to_owned()
    };
    let (cluster, directory) = (value("cluster.id="), value("directory.id="));
    let text = format!("version=1\ncluster.id={cluster}\nnode.id=1\ndirectory.id={directory}\n");
    fs::write(path, text).unwrap();
    site.serves("meta.properties");
}

/// A damage's name, what does it to the file, and what the log says of it.
type Identity = (&'static str, fn(&Path), &'static str);

/// How the file `partition.metadata` of a log with records is spoilt, and what the log then has.
const IDENTITIES: &[Identity] = &[
    ("is missing", |file| fs::remove_file(file).unwrap(), "no partition.metadata"),
    ("has no known id", |file| identify(file, STRANGE), "the topic id lBHnTetMyXi6gcI8fwQDRQ"),
    (
        "has no known id, after a kill",
        |file| {
            identify(file, STRANGE);
            let _ = fs::remove_file(file.parent().unwrap().with_file_name(CLEAN));
        },
        "the topic id lBHnTetMyXi6gcI8fwQDRQ",
    ),
    (
        "has another topic's id",
        |file| {
            let root = file.ancestors().nth(3).unwrap();
            let others = ["a", "b"].map(|dir| root.join(dir).join("other-0").join(IDENTITY));
            fs::copy(others.iter().find(|file| file.exists()).unwrap(), file).unwrap();
        },
        "the topic id ",
    ),
];

fn identify(file: &Path, topic_id: &str) {
    fs::write(file, format!("version: 0\ntopic_id: {topic_id}")).unwrap();
}

/// Only this partition is offline, and it has its records again once the file is as the message
/// says.
#[test]
fn a_log_with_the_wrong_identity_is_kept_and_takes_no_other_with_it() {
    let site = &mut Site::new();
    site.broker.launch();
    create(&site.broker, "other");
    site.broker.stop();
    let spoilt = in_b(site);
    let index: i32 = spoilt.rsplit('-').next().unwrap().parse().unwrap();
    let log = site.path("b").join(&spoilt);
    for (case, spoil, what) in IDENTITIES {
        spoil(&log.join(IDENTITY));
        let before = tree(&log);
        site.broker.launch();
        for partition in 0..PARTITIONS {
            let expected = if partition == index { (STORAGE_ERROR, -1) } else { (0, 1) };
            assert_eq!(asked(&site.broker, partition), expected, "{case}: {partition}");
        }
        site.broker.stop();
        assert!(tree(&log) == before, "{case}: the log has changed");
        let said = site.broker.log();
        let line = said.lines().rfind(|line| line.contains("partition goes offline")).unwrap();
        assert!(
            line.contains(&format!("/b/{spoilt}: it has records and {what}")),
            "{case}: {line}"
        );
        let (_, id) = line.split_once("version: 0 and topic_id: ").unwrap();
        identify(&log.join(IDENTITY), id.split(' ').next().unwrap());
        site.serves(case);
    }
}

/// It has the same one in every cluster, which no tool shows.
#[test]
fn the_metadata_log_says_which_topic_id_it_must_have() {
    let mut site = Site::new();
    let file = site.path(METADATA).join(IDENTITY);
    let own = fs::read(&file).unwrap();
    for (content, says) in [
        (format!("version: 0\ntopic_id: {STRANGE}"), format!("has topic_id: {STRANGE}, and")),
        ("junk".repeat(12), "names no topic. Delete it, and".to_owned()),
    ] {
        fs::write(&file, content).unwrap();
        let (status, last) = site.broker.refusal();
        assert_eq!(status, Some(1), "{last}");
        assert!(last.contains(&format!("{} {says}", file.display())), "{last}");
        assert!(last.contains("topic_id: AAAAAAAAAAAAAAAAAAAAAQ"), "{last}");
        fs::remove_file(&file).unwrap();
        site.serves(&says);
        assert_eq!(fs::read(&file).unwrap(), own);
    }
}

/// They are in a directory that was away, or in the place of a new log, as after a crash.
#[test]
fn logs_of_a_topic_that_was_made_again_meanwhile_are_strays() {
    let mut site = Site::new();
    copy(&site.path("b").join(in_b(&site)), &site.path("old-log"));
    site.log_dirs("a");
    site.broker.launch();
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![text("damage").into()])
        .with_timeout_ms(10_000);
    let deleted = call(&Peer::connect(site.broker.port), 5, &request);
    assert_eq!(deleted.responses[0].error_code, 0);
    create(&site.broker, "damage");
    (0..PARTITIONS).for_each(|partition| assert_eq!(produce(&site.broker, partition), 0));
    site.broker.stop();
    // A snapshot of the metadata log may lack what was deleted before.
    identify(&site.path("b").join(in_b(&site)).join(IDENTITY), STRANGE);
    site.log_dirs("a,b");
    (0..2).for_each(|_| site.serves("the directory is back"));
    let strays = |site: &Site, dir: &str| {
        let names = fs::read_dir(site.path(dir)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("damage-") && name.ends_with("-stray")).count()
    };
    assert_eq!((strays(&site, "a"), strays(&site, "b")), (0, 2));
    let replaced = site.path("a/damage-0");
    fs::remove_dir_all(&replaced).unwrap();
    copy(&site.path("old-log"), &replaced);
    site.broker.launch();
    assert_eq!((next(&site.broker, 0), next(&site.broker, 1)), (0, 1));
    assert_eq!(strays(&site, "a"), 1);
}

type Change = (&'static str, &'static str, fn(&Site));

/// Directories that differ from what the last process left, but are not damaged.
const HARMLESS: &[Change] = &[
    ("a directory more", "a,b,new", |_| ()),
    ("lost+found", "a,b", |site| fs::create_dir(site.path("b/lost+found")).unwrap()),
    ("tiered storage's indexes", "a,b", |site| {
        fs::create_dir(site.path("a/remote-log-index-cache")).unwrap();
    }),
    ("a kill", "a,b", unclean),
    ("the torn end of the metadata log", "a,b", |site| {
        unclean(site);
        let mut bytes = fs::read(site.path(LOG)).unwrap();
        bytes.extend([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 90, 1, 2, 3]);
        fs::write(site.path(LOG), bytes).unwrap();
    }),
    ("a log that was being made", "a,b", |site| {
        let unfinished = site.path("b/damage-7");
        fs::create_dir(&unfinished).unwrap();
        fs::write(unfinished.join("00000000000000000000.log"), "").unwrap();
    }),
    ("a stray", "a,b", |site| {
        let stray = site.path("b/gone-0");
        copy(&site.path("b").join(partition_in(&site.path("b"))), &stray);
        identify(&stray.join(IDENTITY), STRANGE);
    }),
    ("a partition that was carried to the other directory", "a,b", |site| {
        let carried = partition_in(&site.path("a"));
        fs::rename(site.path("a").join(&carried), site.path("b").join(&carried)).unwrap();
    }),
];

#[test]
fn what_is_no_damage_does_not_keep_the_broker_from_starting() {
    let site = &mut Site::new();
    for (name, log_dirs, change) in HARMLESS {
        change(site);
        site.log_dirs(log_dirs);
        site.serves(name);
    }
    let names = fs::read_dir(site.path("b")).unwrap();
    let names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let is_aside = |name: &String| name.starts_with("gone-0.") && name.ends_with("-stray");
    assert!(names.iter().any(is_aside), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("damage-7")), "{names:?}");
}

/// Whether it was removed before or after the stop, and with or without checkpoints that know it.
#[test]
fn a_log_that_somebody_removed_begins_anew_with_a_line() {
    for (names, end, is_running) in ["a", "a,b"].into_iter().flat_map(|names| {
        ["TERM", "KILL"].into_iter().flat_map(move |end| [true, false].map(|run| (names, end, run)))
    }) {
        let case = format!("log.dirs={names}, SIG{end}, while it runs: {is_running}");
        let mut site = Site::running(names);
        let dir = site.path(&names[names.len() - 1..]);
        let gone = partition_in(&dir);
        let remove = || fs::remove_dir_all(dir.join(&gone)).unwrap();
        if is_running {
            remove();
        }
        site.broker.signal(end);
        let (status, last) = site.broker.end();
        if end == "TERM" {
            let reason = format!(
                " ERROR Exiting: no clean stop, so the next start recovers the logs: {}",
                dir.join(&gone).display()
            );
            assert_eq!(
                (status, last.contains(&reason)),
                (Some(is_running.into()), is_running),
                "{case}: {last}"
            );
        }
        if !is_running {
            remove();
        }
        site.broker.launch();
        let log = site.broker.log();
        let lines = [
            format!("/{gone} is missing, which had records up to offset 1: its log starts again"),
            format!("No directory has the log of 1 partition ({gone}): offsets begin at 0 there"),
        ];
        let told = |log: &str| lines.iter().map(|line| log.matches(line).count()).sum::<usize>();
        assert_eq!(told(&log), 1, "{case}: {log}");
        for partition in 0..PARTITIONS {
            let is_gone = gone.ends_with(&partition.to_string());
            assert_eq!(next(&site.broker, partition), i64::from(!is_gone), "{case}: {partition}");
        }
        site.broker.stop();
        site.broker.launch();
        assert_eq!(told(&site.broker.log()), 1, "{case}: told again");
    }
}

#[test]
fn a_file_in_the_place_of_a_partition_is_named_and_no_log_begins_anew() {
    let mut site = Site::new();
    let spoilt = in_b(&site);
    let log = format!("b/{spoilt}");
    set_aside(&site, &log);
    fs::write(site.path(&log), "no directory").unwrap();
    site.broker.launch();
    let index = spoilt.rsplit('-').next().unwrap().parse().unwrap();
    assert_eq!(asked(&site.broker, index), (STORAGE_ERROR, -1));
    let said = site.broker.log();
    assert!(said.contains(&format!("/{log} is no directory, where one belongs: move it away")));
    assert!(!said.contains(" WARN "), "{said}");
    site.broker.stop();
    fs::remove_file(site.path(&log)).unwrap();
    put_back(&site, &log);
    site.serves("the directory is back");
}

/// The lines of the last start that warn.
fn warnings(site: &Site, before: usize) -> Vec<String> {
    let log = site.broker.log().split_off(before);
    log.lines().filter(|line| line.contains(" WARN ")).map(str::to_owned).collect()
}

/// It may be a copy, or was left out for a while; nobody can tell.
#[test]
fn a_directory_of_an_earlier_stop_is_named() {
    let mut site = Site::new();
    copy(&site.path("b"), &site.path("old"));
    site.serves("a life more");
    assert!(!site.broker.log().contains("last stopped cleanly"));
    fs::remove_dir_all(site.path("b")).unwrap();
    copy(&site.path("old"), &site.path("b"));
    let before = site.broker.log().len();
    site.serves("the copy");
    let warnings = warnings(&site, before);
    let [line] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(line.contains("/b was last stopped cleanly in broker epoch "), "{line}");
}

/// Nothing else says where the logs begin.
#[test]
fn a_lost_checkpoint_of_log_starts_is_named() {
    let mut site = Site::new();
    let file = site.path("b/log-start-offset-checkpoint");
    let whole = fs::read(&file).unwrap();
    for content in [None, Some(&b""[..]), Some(&[0; 16]), Some(b"junk"), Some(&whole)] {
        fs::remove_file(&file).unwrap();
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let before = site.broker.log().len();
        site.serves("the next start");
        let line = format!("{} is missing, empty or damaged", file.display());
        let told = warnings(&site, before).iter().filter(|said| said.contains(&line)).count();
        assert_eq!(told, usize::from(content != Some(&whole)), "{content:?}");
    }
}

/// A changed byte in a record, and the file of a partition of a coordinator that has one.
fn spoil_record(site: &Site, topic: &str) -> PathBuf {
    let names = fs::read_dir(site.root.path().join("a")).unwrap();
    let logs = names.map(|entry| entry.unwrap().path().join("00000000000000000000.log"));
    let of_topic = |path: &PathBuf| path.to_str().unwrap().contains(&format!("/{topic}-"));
    let has_records = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.len() > 0);
    let log = logs.filter(of_topic).find(has_records).unwrap();
    flip(&log, 80);
    log
}

/// What it had acknowledged must not change, and without its log nothing is as it was.
#[test]
fn a_coordinator_does_not_load_a_damaged_log_and_says_which() {
    for (topic, key_type) in [("__consumer_offsets", 0), ("__transaction_state", 1)] {
        let mut site = Site::running("a");
        let peer = Peer::connect(site.broker.port);
        let key = if key_type == 0 { "g" } else { "t" };
        until_taken(|| find_coordinator(&peer, key, key_type));
        let ask = |peer: &Peer| match key_type {
            0 => fetch_offset(peer),
            _ => init_producer(peer),
        };
        if key_type == 0 {
            until_taken(|| commit_offset(&peer));
        }
        let before = until_taken(|| ask(&peer));
        drop(peer);
        site.broker.stop();
        let log = spoil_record(&site, topic);
        site.broker.launch();
        let peer = Peer::connect(site.broker.port);
        let line = format!("segment {}: the batch at byte 0", log.display());
        while !site.broker.log().contains(&line) {
            assert_eq!(ask(&peer).map_err(|code| [14, 15, 16].contains(&code)), Err(true));
        }
        assert_eq!(ask(&peer), Err(16), "NOT_COORDINATOR");
        drop(peer);
        site.broker.stop();
        // What the line says is true.
        fs::remove_dir_all(log.parent().unwrap()).unwrap();
        site.broker.launch();
        let after = until_taken(|| ask(&Peer::connect(site.broker.port)));
        assert!(before != after || key_type == 1, "{topic}: {before}");
        site.broker.stop();
    }
}

/// Repeats a request until its coordinator is there.
fn until_taken(ask: impl Fn() -> Result<i64, i16>) -> i64 {
    let answers = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ask()
    });
    answers.take(400).find_map(Result::ok).expect("no coordinator")
}

fn find_coordinator(peer: &Peer, key: &str, key_type: i8) -> Result<i64, i16> {
    let request = FindCoordinatorRequest::default().with_key(text(key)).with_key_type(key_type);
    let response = call(peer, 3, &request);
    if response.error_code == 0 { Ok(0) } else { Err(response.error_code) }
}

fn commit_offset(peer: &Peer) -> Result<i64, i16> {
    use klamm::codec::messages::offset_commit_request::*;
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(text("damage").into())
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(text("g").into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    let partition = &call(peer, 7, &request).topics[0].partitions[0];
    if partition.error_code == 0 { Ok(0) } else { Err(partition.error_code) }
}

fn fetch_offset(peer: &Peer) -> Result<i64, i16> {
    use klamm::codec::messages::offset_fetch_request::*;
    let topic = OffsetFetchRequestTopic::default()
        .with_name(text("damage").into())
        .with_partition_indexes(vec![0]);
    let request = OffsetFetchRequest::default()
        .with_group_id(text("g").into())
        .with_topics(Some(vec![topic]));
    let response = call(peer, 7, &request);
    match response.error_code {
        0 => Ok(response.topics[0].partitions[0].committed_offset),
        code => Err(code),
    }
}

fn init_producer(peer: &Peer) -> Result<i64, i16> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(text("t").into()))
        .with_transaction_timeout_ms(10_000);
    let response = call(peer, 4, &request);
    if response.error_code == 0 { Ok(response.producer_id.0) } else { Err(response.error_code) }
}

/// The controller may not know yet which partitions were in it.
#[test]
fn what_was_in_a_directory_that_is_left_out_begins_anew_with_a_line() {
    for end in ["TERM", "KILL"] {
        let mut site = Site::running("a,b");
        site.broker.signal(end);
        site.broker.end();
        let meta = fs::read_to_string(site.path("b/meta.properties")).unwrap();
        let (_, id) = meta.trim_end().rsplit_once("directory.id=").unwrap();
        site.log_dirs("a");
        site.broker.launch();
        let line =
            format!(" WARN The directory {id} is not here, and with it 2 partitions (damage-");
        let log = site.broker.log();
        assert_eq!(log.matches(&line).count(), 1, "{end}: {log}");
        let ends = (0..PARTITIONS).map(|partition| next(&site.broker, partition));
        assert_eq!(ends.sum::<i64>(), 2, "{end}");
        site.broker.stop();
        // Neither the old logs nor the new ones win when the directory is back.
        site.log_dirs("a,b");
        site.refuses(&["damage-", " is in ", "move the other one away"], end);
    }
}

#[test]
fn nothing_is_made_where_a_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut site = Site::new();
    let listeners = format!("PLAINTEXT://127.0.0.1:{port}");
    site.broker.set(&[("listeners", &listeners)]);
    site.refuses(&["cannot listen on", &port.to_string()], "old directories");
    site.log_dirs("new");
    site.refuses(&["cannot listen on"], "a new directory");
    assert!(!site.path("new").exists());
}

#[test]
fn nothing_is_made_where_one_of_the_new_directories_cannot_be() {
    let mut site = Site::new();
    fs::create_dir(site.path("empty")).unwrap();
    let dirs = dirs(site.root.path(), "new/er,new/est,empty");
    site.broker.set(&[("log.dirs", &format!("{dirs},/proc/klamm"))]);
    site.refuses(
        &["/proc/klamm: no directory can be made there", "log.dirs"],
        "no directory can be made in /proc",
    );
}

/// The metadata log is in a directory without partitions.
#[test]
fn the_metadata_log_may_have_a_directory_of_its_own() {
    let root = TempDir::new().unwrap();
    let (data, apart) = (dirs(root.path(), "a,b"), dirs(root.path(), "apart"));
    let mut broker = Broker::start_with(&[("log.dirs", &data), ("metadata.log.dir", &apart)]);
    assert!(!broker.log().contains(" WARN "));
    create(&broker, "damage");
    (0..PARTITIONS).for_each(|partition| assert_eq!(produce(&broker, partition), 0));
    let described = call(&Peer::connect(broker.port), 4, &DescribeLogDirsRequest::default());
    assert_eq!(described.results.len(), 2, "{described:?}");
    broker.kill();
    broker.launch();
    (0..PARTITIONS).for_each(|partition| assert_eq!(next(&broker, partition), 1));
    broker.stop();
    broker.launch();
    assert!(!broker.log().contains("log-start-offset-checkpoint"), "after a clean stop");
    broker.stop();
    let has = |path: &str| root.path().join(path).exists();
    assert!(has("apart/meta.properties") && has("apart/__cluster_metadata-0"));
    assert!(!has("apart/damage-0") && !has("a/__cluster_metadata-0"));
    let mut site = Site { root, broker };
    site.broker.set(&[("metadata.log.dir", &dirs(site.root.path(), "a"))]);
    site.refuses(
        &["4 partitions (damage-", "/a/__cluster_metadata-0 is missing or empty"],
        "elsewhere",
    );
    site.broker.set(&[("metadata.log.dir", &dirs(site.root.path(), "a/apart"))]);
    site.refuses(&["/a/apart lies within ", "/a, which is one of log.dirs"], "within another");
}

#[test]
fn log_directories_may_lie_within_that_of_the_metadata_log() {
    let root = TempDir::new().unwrap();
    let (data, around) = (dirs(root.path(), "all/a,all/b"), dirs(root.path(), "all"));
    let broker = Broker::start_with(&[("log.dirs", &data), ("metadata.log.dir", &around)]);
    create(&broker, "damage");
    (0..PARTITIONS).for_each(|partition| assert_eq!(produce(&broker, partition), 0));
    let mut site = Site { root, broker };
    site.broker.stop();
    site.serves("the next start");
}
