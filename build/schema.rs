//! Parses Kafka's schemas: the text of `schemas.txt` becomes messages, structs and fields.
use std::collections::BTreeMap;

/// The first and the last version, both included.
pub type Versions = (i16, i16);

const ANY: Versions = (0, i16::MAX);

/// A message of the schema file. `structs[0]` is the message itself.
pub struct Message {
    pub module: String,
    pub name: String,
    pub kind: String,
    pub key: Option<i16>,
    pub versions: Versions,
    /// The first flexible version.
    pub flexible: i16,
    pub structs: Vec<Struct>,
}

pub struct Struct {
    pub name: String,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: String,
    pub array: bool,
    /// The type of the field, or of an array's elements.
    pub of: String,
    /// The facts as the file has them, for the field's doc comment.
    pub facts: String,
    /// None if no version of the message has the field; it is then left out.
    pub versions: Option<Versions>,
    pub nullable: Option<Versions>,
    /// The tag. A tagged field is tagged in all of its versions.
    pub tag: Option<u32>,
    pub default: Option<String>,
    /// The kind of name or id that it is, such as `topicName`.
    pub entity: Option<String>,
}

impl Field {
    pub fn is_struct(&self) -> bool {
        self.of.starts_with(char::is_uppercase)
    }

    pub fn is_optional(&self) -> bool {
        self.nullable.is_some()
    }
}

pub fn within(versions: Option<Versions>, version: i16) -> bool {
    versions.is_some_and(|(first, last)| (first..=last).contains(&version))
}

/// Parses the whole file: a line `## module` begins a module, a line without indentation a message.
pub fn parse(text: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut module = String::new();
    // The index of the struct that contains a field, by the field's depth.
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

/// Parses `Name type=request key=2 versions=1-11 flexible=6+`.
fn parse_message(module: &str, line: &str) -> Message {
    let mut words = line.split(' ');
    let name = words.next().expect("a line has a word").to_string();
    let facts: BTreeMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    Message {
        module: module.to_string(),
        kind: facts["type"].to_string(),
        key: facts["key"].parse().ok(),
        // Kafka keeps the names of requests that it has dropped; 0..=-1 contains no version.
        versions: parse_versions(facts["versions"], ANY).unwrap_or((0, -1)),
        flexible: parse_versions(facts["flexible"], ANY).map_or(i16::MAX, |range| range.0),
        structs: vec![Struct { name: name.clone(), fields: Vec::new() }],
        name,
    }
}

/// Parses a field, or `struct Name`, whose fields follow with one more step of indentation.
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

/// Parses `Name: []type (v0+, null 2-7, tag0 1+, def -1)`.
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
        entity: None,
    };
    for fact in facts.split(", ") {
        let (word, value) = fact.split_once(' ').unwrap_or((fact, ""));
        if let Some(tag) = word.strip_prefix("tag") {
            field.tag = Some(tag.parse().expect("a tag is a number"));
            field.versions = parse_versions(value, of_message);
        } else if word == "null" {
            field.nullable = parse_versions(value, of_message);
        } else if word == "is" {
            field.entity = Some(value.to_string());
        } else if word == "def" {
            // The file was written in Python, whose None is JSON's null. Kafka's generator treats
            // that as no default.
            field.default = (value != "None").then(|| value.to_string());
        } else {
            field.versions = parse_versions(word.trim_start_matches('v'), of_message);
        }
    }
    field
}

/// Parses `3`, `0-4`, `6+` or `none`. None also if the message has none of these versions.
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

pub fn plain(part: &Struct) -> impl Iterator<Item = &Field> {
    part.fields.iter().filter(|field| field.tag.is_none())
}

/// The tagged fields of a struct in the order of their tags, in which they are written.
pub fn tagged(part: &Struct) -> Vec<(u32, &Field)> {
    let tags = part.fields.iter().filter_map(|field| field.tag.map(|tag| (tag, field)));
    let mut tags: Vec<_> = tags.collect();
    tags.sort_by_key(|tag| tag.0);
    tags
}
