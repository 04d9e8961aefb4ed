//! Generates Rust from the facts of `src/codec/schemas.txt`: the messages that kafka-protocol lacks
//! (`messages.rs`), records (`records.rs`) and the shapes of all requests and responses
//! (`shapes.rs`). Also lists the modules of klamm (`modules.txt`).
//!
//! ```text
//!  schema     the text -> messages, structs, fields
//!  messages   a struct for each message, and how it is read and written
//!  rust       the types, names and default values of fields, as code
//!  shapes     the tables by which codec::guard checks a message without decoding it
//! ```

/// Adds a formatted line to the code.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {
        writeln!($out, $($format)*).expect("a string takes all")
    };
}

mod messages;
mod rust;
mod schema;
mod shapes;

use schema::Message;
use std::path::Path;
use std::{env, fs};

/// The requests and responses that kafka-protocol lacks or has in an older version. When the crate
/// catches up, delete the row: `crate::codec::messages` then has the crate's message.
const MESSAGES: &[Pick] = &[
    Pick::Pair("ListOffsets"),
    Pick::Pair("OffsetCommit"),
    Pick::Pair("OffsetFetch"),
    Pick::Pair("ApiVersions"),
    Pick::Pair("WriteTxnMarkers"),
    Pick::Pair("TxnOffsetCommit"),
    Pick::Pair("DescribeLogDirs"),
    Pick::Pair("DeleteGroups"),
    Pick::Pair("BrokerHeartbeat"),
    Pick::Pair("ShareFetch"),
    Pick::Pair("ShareAcknowledge"),
    Pick::Pair("AddRaftVoter"),
    Pick::Pair("WriteShareGroupState"),
    Pick::Pair("ReadShareGroupStateSummary"),
    Pick::Pair("DescribeShareGroupOffsets"),
    Pick::Pair("StreamsGroupHeartbeat"),
    Pick::Pair("StreamsGroupDescribe"),
    Pick::Pair("StreamsGroupTopologyDescriptionUpdate"),
    Pick::Pair("UnregisterController"),
];

/// Messages that kafka-protocol has too. A test compares the crate's with those generated here.
const MIRRORED: &[Pick] = &[
    Pick::Pair("DescribeTransactions"),
    Pick::Pair("JoinGroup"),
    Pick::Pair("Metadata"),
    Pick::Pair("OffsetDelete"),
];

/// A module of generated records: its name, its doc comment and its messages.
type Section = (&'static str, &'static str, &'static [Pick]);

/// The modules of `crate::codec::schema`.
const RECORDS: &[Section] = &[
    ("metadata", "Records of the metadata log.", &[Pick::All("kafka-metadata")]),
    ("group", "Records of `__consumer_offsets`.", &[Pick::All("kafka-group-coordinator")]),
    (
        "consumer",
        "What consumers of the classic protocol tell each other through the coordinator.",
        &[Pick::One("ConsumerProtocolSubscription"), Pick::One("ConsumerProtocolAssignment")],
    ),
    (
        "transaction",
        "Records of `__transaction_state`.",
        &[Pick::All("kafka-transaction-coordinator")],
    ),
    ("share", "Records of `__share_group_state`.", &[Pick::All("kafka-share-coordinator")]),
    (
        "storage",
        "What lies in files beside a log.",
        &[Pick::One("ProducerSnapshot"), Pick::One("AbortedTxn")],
    ),
    (
        "raft",
        "Control records.",
        &[
            Pick::One("LeaderChangeMessage"),
            Pick::One("SnapshotHeaderRecord"),
            Pick::One("SnapshotFooterRecord"),
            Pick::One("KRaftVersionRecord"),
            Pick::One("VotersRecord"),
            Pick::One("EndTxnMarker"),
        ],
    ),
];

/// The look of generated structs.
#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    /// Like kafka-protocol's: strings are slices of the frame, some names and ids have their own
    /// types, and `with_` methods set fields.
    Crate,
    /// Plain types. A record is kept longer than the batch it was read from, so it owns its text.
    Plain,
}

/// Selects messages of the schema file.
enum Pick {
    /// The request and the response of this name.
    Pair(&'static str),
    /// The message of this name.
    One(&'static str),
    /// All messages of a module of Kafka.
    All(&'static str),
}

fn main() {
    let source = "src/codec/schemas.txt";
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src");
    let text = fs::read_to_string(source).expect("the schemas are part of the source");
    let messages = schema::parse(&text);
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let write = |name: &str, code: String| {
        fs::write(Path::new(&out).join(name), code).expect("OUT_DIR can be written");
    };
    write("messages.rs", messages::module(&messages, MESSAGES));
    write("mirrored.rs", messages::module(&messages, MIRRORED));
    write("records.rs", messages::sections(&messages, RECORDS));
    write("shapes.rs", shapes::tables(&messages));
    write("modules.txt", modules("klamm", Path::new("src")).join("\n"));
}

/// The module of `dir` and all that lie in it.
fn modules(name: &str, dir: &Path) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("the sources can be listed").path();
        let stem = path.file_stem().expect("a file has a name").to_str().expect("names are ASCII");
        let is_module = path.extension().is_some_and(|extension| extension == "rs");
        if is_module && !["lib", "main", "tests"].contains(&stem) {
            all.extend(modules(&format!("{name}::{stem}"), &dir.join(stem)));
        }
    }
    all
}

impl Pick {
    fn takes(&self, message: &Message) -> bool {
        match self {
            Pick::One(name) => message.name == *name,
            Pick::All(module) => message.module == *module,
            Pick::Pair(name) => {
                let end = message.name.strip_prefix(name);
                matches!(end, Some("Request" | "Response"))
            }
        }
    }
}
