//! Turns the facts of `src/codec/schemas.txt` into Rust: the messages and records that
//! kafka-protocol lacks (`messages.rs`) and the shape of every request and response (`shapes.rs`).
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// What `crate::codec::schema` holds: a module, what it is, and its messages.
const GENERATED: &[(&str, &str, &[Pick])] = &[
    (
        "message",
        "Requests and responses that kafka-protocol lacks or has at an older version.",
        &[
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
        ],
    ),
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

/// Chooses messages of the schema file.
enum Pick {
    /// A request and its response.
    Pair(&'static str),
    /// The message of this name.
    One(&'static str),
    /// All messages of one of Kafka's modules.
    All(&'static str),
}

fn main() {
    let source = "src/codec/schemas.txt";
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={source}");
    let text = fs::read_to_string(source).expect("the schemas are part of the source");
    let messages = parse(&text);
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let write = |name: &str, code: String| {
        fs::write(Path::new(&out).join(name), code).expect("OUT_DIR can be written");
    };
    write("messages.rs", sections(&messages));
    write("shapes.rs", shapes(&messages));
}

// The schemas.

/// Versions from the first to the last, both included.
type Versions = (i16, i16);

const ANY: Versions = (0, i16::MAX);

/// A message of the schema file. `structs[0]` is the message itself.
struct Message {
    module: String,
    name: String,
    kind: String,
    key: Option<i16>,
    versions: Versions,
    /// The first flexible version.
    flexible: i16,
    structs: Vec<Struct>,
}

struct Struct {
    name: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    array: bool,
    /// The type, or an array's element type.
    of: String,
    /// The facts as they stand in the file; they make the field's doc comment.
    facts: String,
    /// `None` when no version of the message has it; such a field is left out.
    versions: Option<Versions>,
    nullable: Option<Versions>,
    /// A tagged field is tagged in all its versions.
    tag: Option<u32>,
    default: Option<String>,
}

impl Field {
    fn is_struct(&self) -> bool {
        self.of.starts_with(char::is_uppercase)
    }

    fn is_optional(&self) -> bool {
        self.nullable.is_some()
    }
}

fn within(versions: Option<Versions>, version: i16) -> bool {
    versions.is_some_and(|(first, last)| (first..=last).contains(&version))
}

/// Reads the whole file: a `## module` opens a module, a line at the margin a message.
fn parse(text: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut module = String::new();
    // The struct that a field belongs to, by the field's depth.
    let mut owners = Vec::new();
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("## ") {
            module = path.split('/').next().unwrap_or_default().to_string();
        } else if line.starts_with('#') || line.trim().is_empty() {
        } else if !line.starts_with(' ') {
            messages.push(parse_message(&module, line));
            owners = vec![0];
        } else {
            let message = messages.last_mut().expect("a message line comes first");
            parse_line(message, &mut owners, line);
        }
    }
    messages
}

/// `Name type=request key=2 versions=1-11 flexible=6+`
fn parse_message(module: &str, line: &str) -> Message {
    let mut words = line.split(' ');
    let name = words.next().expect("a line has a word").to_string();
    let facts: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    Message {
        module: module.to_string(),
        kind: facts["type"].to_string(),
        key: facts["key"].parse().ok(),
        // Kafka keeps the names of requests that it no longer has: no version is in 0..=-1.
        versions: parse_versions(facts["versions"], ANY).unwrap_or((0, -1)),
        flexible: parse_versions(facts["flexible"], ANY).map_or(i16::MAX, |range| range.0),
        structs: vec![Struct { name: name.clone(), fields: Vec::new() }],
        name,
    }
}

/// A field, or `struct Name`, whose fields follow one step deeper.
fn parse_line(message: &mut Message, owners: &mut Vec<usize>, line: &str) {
    let text = line.trim_start();
    let depth = (line.len() - text.len()) / 2 - 1;
    let opens = match text.strip_prefix("struct ") {
        Some(name) => Some(name.to_string()),
        None => {
            owners.truncate(depth + 1);
            let field = parse_field(text, message.versions);
            let opens = field.is_struct().then(|| field.of.clone());
            if field.versions.is_some() {
                message.structs[owners[depth]].fields.push(field);
            }
            opens
        }
    };
    if let Some(name) = opens {
        owners.truncate(depth + 1);
        owners.push(find_or_add(message, name));
    }
}

fn find_or_add(message: &mut Message, name: String) -> usize {
    let found = message.structs.iter().position(|known| known.name == name);
    found.unwrap_or_else(|| {
        message.structs.push(Struct { name, fields: Vec::new() });
        message.structs.len() - 1
    })
}

/// `Name: []type (v0+, null 2-7, tag0 1+, def -1)`
fn parse_field(text: &str, of_message: Versions) -> Field {
    let (name, rest) = text.split_once(": ").expect("a field has a type");
    let (of, facts) = rest.split_once(" (").expect("a field has versions");
    let facts = facts.strip_suffix(')').expect("facts stand in brackets");
    let (array, of) = of.strip_prefix("[]").map_or((false, of), |of| (true, of));
    let mut field = Field {
        name: name.to_string(),
        array,
        of: of.to_string(),
        facts: format!("{} ({facts})", rest.split_once(" (").map_or("", |parts| parts.0)),
        versions: None,
        nullable: None,
        tag: None,
        default: None,
    };
    for fact in facts.split(", ") {
        let (word, value) = fact.split_once(' ').unwrap_or((fact, ""));
        if let Some(tag) = word.strip_prefix("tag") {
            field.tag = Some(tag.parse().expect("a tag is a number"));
            field.versions = parse_versions(value, of_message);
        } else if word == "null" {
            field.nullable = parse_versions(value, of_message);
        } else if word == "def" {
            // Python's None stands for JSON's null, which Kafka's generator takes for "none given".
            field.default = (value != "None").then(|| value.to_string());
        } else {
            field.versions = parse_versions(word.trim_start_matches('v'), of_message);
        }
    }
    field
}

/// `3`, `0-4`, `6+` or `none`; `None` too for versions that the message does not have.
fn parse_versions(text: &str, (oldest, newest): Versions) -> Option<Versions> {
    let (first, end) = match text.split_once('-') {
        Some((first, end)) => (first.parse().ok()?, end.parse::<i16>().ok()?),
        None => match text.strip_suffix('+') {
            Some(first) => (first.parse().ok()?, newest),
            None => (text.parse().ok()?, text.parse().ok()?),
        },
    };
    (first <= newest && end >= oldest).then_some((first, end.min(newest)))
}

// Messages and records.

/// Adds a formatted line to the code.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {
        writeln!($out, $($format)*).expect("a string takes all")
    };
}

fn sections(messages: &[Message]) -> String {
    let mut out = String::new();
    let mut all = String::new();
    for (section, about, picks) in GENERATED {
        line!(out, "/// {about}\npub mod {section} {{");
        for message in
            messages.iter().filter(|message| picks.iter().any(|pick| pick.takes(message)))
        {
            emit_message(&mut out, message);
            line!(all, "$check!({section}, {});", message.name);
        }
        line!(out, "}}");
    }
    line!(out, "#[cfg(test)] macro_rules! every_message {{ ($check:ident) => {{ {all} }} }}");
    line!(out, "#[cfg(test)] pub(crate) use every_message;");
    out
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

fn emit_message(out: &mut String, message: &Message) {
    let Message { name, flexible, versions: (first, last), .. } = message;
    let module = snake_case(name);
    line!(out, "/// {name} and the structs in it, versions {first} to {last}.");
    line!(out, "pub mod {module} {{ use crate::codec::schema::wire::*;");
    for part in &message.structs {
        emit_struct(out, message, part);
    }
    line!(out, "message!({name}, {first}, {last}, {flexible});");
    match (message.kind.as_str(), message.key) {
        ("request", Some(key)) => {
            let pair = name.replace("Request", "Response");
            let home = module.replace("_request", "_response");
            line!(out, "request!({name}, {key}, {flexible}, super::{home}::{pair});");
        }
        // A client that does not know this version yet must be able to read the answer.
        ("response", Some(18)) => line!(out, "response!({name}, i16::MAX);"),
        ("response", _) => line!(out, "response!({name}, {flexible});"),
        (_, Some(key)) => line!(out, "record!({name}, {key});"),
        _ => {}
    }
    line!(out, "}} pub use {module}::{name};");
}

fn emit_struct(out: &mut String, message: &Message, part: &Struct) {
    let name = &part.name;
    line!(out, "/// {name} of {}.", message.name);
    line!(out, "#[derive(Clone, Debug, PartialEq)] pub struct {name} {{");
    for field in &part.fields {
        line!(out, "/// {}", field.facts);
        line!(out, "pub {}: {},", field_name(field), field_type(field));
    }
    line!(out, "}} impl Default for {name} {{ fn default() -> Self {{ Self {{");
    for field in &part.fields {
        line!(out, "{}: {},", field_name(field), default_value(field));
    }
    line!(out, "}} }} }} impl Wire for {name} {{");
    emit_get(out, message, part);
    emit_put(out, message, part);
    line!(out, "}} #[cfg(test)] impl Sample for {name} {{");
    line!(out, "fn sample(fill: Fill, version: i16) -> Self {{ let mut this = Self::default();");
    for field in part.fields.iter() {
        let present = condition(field.versions, message);
        let nullable = condition(field.nullable, message);
        let value = if field.is_optional() { "sample_optional" } else { "sample" };
        let how = if field.is_optional() { format!(", {nullable}") } else { String::new() };
        let target = field_name(field);
        line!(out, "if {present} {{ this.{target} = {value}(fill, version{how}); }}");
    }
    line!(out, "this }} }}");
}

fn emit_get(out: &mut String, message: &Message, part: &Struct) {
    line!(out, "fn get<B: ByteBuf>(buf: &mut B, how: How) -> Result<Self> {{");
    line!(out, "let version = how.version; let mut this = Self::default();");
    for field in plain(part) {
        let present = condition(field.versions, message);
        let name = field_name(field);
        line!(out, "if {present} {{ this.{name} = {}; }}", getter(field, message, "buf"));
    }
    line!(out, "if how.flexible {{ get_tags(buf, |tag, value| {{ match tag {{");
    for (tag, field) in tagged(part) {
        let name = field_name(field);
        let present = condition(field.versions, message);
        let value = getter(field, message, "value");
        line!(out, "{tag} if {present} => this.{name} = {value},");
    }
    line!(out, "_ => value.clear(), }} Ok(()) }})?; }} Ok(this) }}");
}

fn emit_put(out: &mut String, message: &Message, part: &Struct) {
    line!(out, "fn put<B: ByteBufMut>(&self, buf: &mut B, how: How) -> Result<()> {{");
    line!(out, "let version = how.version;");
    for field in plain(part) {
        let present = condition(field.versions, message);
        line!(out, "if {present} {{ {} }}", putter(field, message, "buf"));
    }
    line!(out, "if how.flexible {{ let mut tags = Tags::default();");
    for (tag, field) in tagged(part) {
        let present = condition(field.versions, message);
        let (name, default) = (field_name(field), default_value(field));
        let value = putter(field, message, "buf");
        line!(out, "if {present} && self.{name} != {default} {{");
        line!(out, "tags.add({tag}, |buf| {{ {value} Ok(()) }})?; }}");
    }
    line!(out, "tags.put(buf); }} Ok(()) }}");
}

fn plain(part: &Struct) -> impl Iterator<Item = &Field> {
    part.fields.iter().filter(|field| field.tag.is_none())
}

/// The tagged fields of a struct in the order of their tags, as they are written.
fn tagged(part: &Struct) -> Vec<(u32, &Field)> {
    let tags = part.fields.iter().filter_map(|field| field.tag.map(|tag| (tag, field)));
    let mut tags: Vec<_> = tags.collect();
    tags.sort_by_key(|tag| tag.0);
    tags
}

fn getter(field: &Field, message: &Message, from: &str) -> String {
    if !field.is_optional() {
        return format!("Wire::get({from}, how)?");
    }
    if field.tag.is_some() && field.is_struct() && !field.array {
        return format!("get_tagged_struct({from}, how)?");
    }
    let nullable = condition(field.nullable, message);
    format!("get_optional({from}, how, {nullable})?")
}

fn putter(field: &Field, message: &Message, to: &str) -> String {
    let name = field_name(field);
    if !field.is_optional() {
        return format!("self.{name}.put({to}, how)?;");
    }
    if field.tag.is_some() && field.is_struct() && !field.array {
        return format!("put_tagged_struct(&self.{name}, {to}, how)?;");
    }
    let nullable = condition(field.nullable, message);
    format!("put_optional(&self.{name}, {to}, how, {nullable}, \"{}\")?;", field.name)
}

/// Code that is true in these versions of the message.
fn condition(versions: Option<Versions>, message: &Message) -> String {
    let (oldest, newest) = message.versions;
    match versions {
        None => "false".to_string(),
        Some((first, last)) if first <= oldest && last >= newest => "true".to_string(),
        Some((first, last)) if last >= newest => format!("version >= {first}"),
        Some((first, last)) if first <= oldest => format!("version <= {last}"),
        Some((first, last)) => format!("({first}..={last}).contains(&version)"),
    }
}

fn field_type(field: &Field) -> String {
    let of = element_type(field);
    let plain = if field.array { format!("Vec<{of}>") } else { of.to_string() };
    if field.is_optional() { format!("Option<{plain}>") } else { plain }
}

fn element_type(field: &Field) -> &str {
    match field.of.as_str() {
        "int8" => "i8",
        "int16" => "i16",
        "uint16" => "u16",
        "int32" => "i32",
        "uint32" => "u32",
        "int64" => "i64",
        "float64" => "f64",
        "uuid" => "Uuid",
        "string" => "String",
        "bytes" | "records" => "Bytes",
        other => other,
    }
}

fn default_value(field: &Field) -> String {
    let default = field.default.as_deref();
    // Kafka: the default of a nullable field is null only when the schema says so. Records are
    // the exception.
    if field.is_optional()
        && (default == Some("null") || (default.is_none() && field.of == "records"))
    {
        return "None".to_string();
    }
    let value = if field.array {
        format!("Vec::<{}>::new()", element_type(field))
    } else {
        match (field.of.as_str(), default) {
            ("bool", default) => matches!(default, Some("true" | "True")).to_string(),
            ("string", None) => "String::new()".to_string(),
            ("string", Some(text)) => format!("String::from({text:?})"),
            ("bytes" | "records", _) => "Bytes::new()".to_string(),
            ("uuid", _) => "Uuid::nil()".to_string(),
            ("float64", _) => "0.0".to_string(),
            (structure, _) if field.is_struct() => format!("{structure}::default()"),
            (_, default) => default.unwrap_or("0").to_string(),
        }
    };
    if field.is_optional() { format!("Some({value})") } else { value }
}

/// The field's name as kafka-protocol would have it.
fn field_name(field: &Field) -> String {
    let name = snake_case(&field.name);
    if matches!(name.as_str(), "type" | "match") { format!("_{name}") } else { name }
}

fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| letters[place]);
        let starts = before.is_some_and(|before| {
            let after = letters.get(place + 1).copied().unwrap_or('A');
            !before.is_uppercase() || (before.is_uppercase() && after.is_lowercase())
        });
        if letter.is_uppercase() && starts {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

// Shapes.

/// One step of a walk over a message, as `codec::guard::Op` has it.
enum Op {
    Skip(usize),
    Other(String),
}

/// The tables of all requests and responses by their keys. Keys that Kafka no longer serves have
/// no versions.
fn shapes(messages: &[Message]) -> String {
    let of_kind = |kind: &str| -> BTreeMap<i16, &Message> {
        let those = messages.iter().filter(|message| message.kind == kind);
        those.filter_map(|message| message.key.map(|key| (key, message))).collect()
    };
    let (requests, responses) = (of_kind("request"), of_kind("response"));
    for (request, response) in requests.values().zip(responses.values()) {
        assert_eq!(request.flexible, response.flexible, "one rule for both headers");
        assert_eq!(request.versions, response.versions, "each request has its response");
    }
    table("REQUESTS", &requests) + &table("RESPONSES", &responses)
}

fn table(name: &str, messages: &BTreeMap<i16, &Message>) -> String {
    let mut out = format!("static {name}: &[Shapes] = &[");
    for (place, (key, message)) in messages.iter().enumerate() {
        assert_eq!(place, *key as usize, "the keys have no gap");
        let (first, last) = message.versions;
        line!(out, "// {} ({key})", message.name);
        line!(out, "Shapes {{ first: {first}, flexible: {}, versions: &[", message.flexible);
        for version in first..=last {
            line!(out, "{},", listed(steps(message, &message.structs[0], version)));
        }
        line!(out, "] }},");
    }
    out + "];\n"
}

/// The steps over one struct.
fn steps(message: &Message, part: &Struct, version: i16) -> Vec<Op> {
    let has = |field: &Field| within(field.versions, version);
    let plain = plain(part).filter(|field| has(field));
    let mut steps: Vec<Op> = plain.flat_map(|field| value(message, field, version)).collect();
    if version >= message.flexible {
        let tagged = tagged(part).into_iter().filter(|tag| has(tag.1));
        let tags = tagged.map(|(tag, field)| {
            let nullable = within(field.nullable, version);
            assert!(!nullable || !field.is_struct() || field.array, "none has this");
            format!("({tag}, {})", listed(value(message, field, version)))
        });
        steps.push(Op::Other(format!("Op::Tags(&[{}])", tags.collect::<Vec<_>>().join(", "))));
    }
    steps
}

/// The steps over one field.
fn value(message: &Message, field: &Field, version: i16) -> Vec<Op> {
    let nullable = within(field.nullable, version);
    let element = match field.of.as_str() {
        "bool" | "int8" => vec![Op::Skip(1)],
        "int16" | "uint16" => vec![Op::Skip(2)],
        "int32" | "uint32" => vec![Op::Skip(4)],
        "int64" | "float64" => vec![Op::Skip(8)],
        "uuid" => vec![Op::Skip(16)],
        "string" => {
            vec![Op::Other(format!("Op::Text {{ nullable: {} }}", nullable && !field.array))]
        }
        "bytes" | "records" => vec![Op::Other(format!("Op::Blob {{ nullable: {nullable} }}"))],
        name => {
            let part = message.structs.iter().find(|part| part.name == *name);
            steps(message, part.expect("a struct is declared"), version)
        }
    };
    match field {
        Field { array: true, .. } => {
            let of = listed(element);
            vec![Op::Other(format!("Op::List {{ nullable: {nullable}, of: {of} }}"))]
        }
        _ if field.is_struct() && nullable => {
            vec![Op::Other(format!("Op::Optional({})", listed(element)))]
        }
        _ => element,
    }
}

/// Steps as code; neighbours of fixed size become one.
fn listed(steps: Vec<Op>) -> String {
    let skip = |size| if size == 0 { String::new() } else { format!("Op::Skip({size}), ") };
    let mut code = String::new();
    let mut fixed = 0;
    for step in steps {
        match step {
            Op::Skip(size) => fixed += size,
            Op::Other(other) => {
                code += &format!("{}{other}, ", skip(fixed));
                fixed = 0;
            }
        }
    }
    format!("&[{code}{}]", skip(fixed))
}
