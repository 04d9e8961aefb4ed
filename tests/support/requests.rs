//! Makes requests of any API and version from Kafka's schemas (`src/codec/schemas.txt`). One of
//! their arrays can be made long, and fields are filled in by their names.

use std::collections::HashMap;

const SCHEMAS: &str = include_str!("../../src/codec/schemas.txt");

/// The request of an API.
pub struct Schema {
    pub key: i16,
    /// The fields of the message (under "") and of its structs.
    structs: HashMap<String, Vec<Field>>,
}

#[derive(Clone)]
struct Field {
    name: String,
    is_array: bool,
    /// The type of the field, or of an array's elements.
    of: String,
    versions: (i16, i16),
    nullable: bool,
    is_tagged: bool,
    default: Option<String>,
}

/// The request that is wanted.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    pub version: i16,
    /// The path of the array that is made long, such as `Topics.Partitions`; all others are short.
    pub array: Option<String>,
    /// The bytes of the long array.
    pub bytes: usize,
    /// Whether its elements are all the same and name something that exists; otherwise they all
    /// differ.
    pub repeats: bool,
    /// The path of a string that is made as long as possible.
    pub long: Option<String>,
}

/// The names of things that exist in the broker.
pub struct Known {
    pub topic: &'static str,
    pub topic_id: [u8; 16],
    pub group: &'static str,
    pub transactional_id: &'static str,
}

impl Schema {
    /// The request of the API with this key.
    pub fn of(key: i16) -> Schema {
        let mut structs: HashMap<String, Vec<Field>> = HashMap::new();
        let mut owners: Vec<String> = Vec::new();
        let mut is_ours = false;
        for line in SCHEMAS.lines().filter(|line| !line.trim().is_empty()) {
            let text = line.trim_start();
            let depth = (line.len() - text.len()) / 2;
            if depth == 0 {
                is_ours = line.contains("type=request ") && line.contains(&format!(" key={key} "));
                owners = vec![String::new()];
            } else if is_ours {
                owners.truncate(depth);
                let opens = match text.strip_prefix("struct ") {
                    Some(name) => name.to_owned(),
                    None => {
                        let field = Field::parse(text);
                        let of = field.of.clone();
                        structs.entry(owners[depth - 1].clone()).or_default().push(field);
                        of
                    }
                };
                owners.push(opens);
            }
        }
        Schema { key, structs }
    }

    /// The paths of the arrays and of the strings that a version has.
    pub fn paths(&self, version: i16) -> (Vec<String>, Vec<String>) {
        let mut found = (Vec::new(), Vec::new());
        self.collect("", "", version, &mut found);
        found
    }

    fn collect(&self, of: &str, at: &str, version: i16, found: &mut (Vec<String>, Vec<String>)) {
        for field in self.fields(of, version) {
            let path = join(at, &field.name);
            match field.of.as_str() {
                _ if field.is_array => found.0.push(path.clone()),
                "string" => found.1.push(path.clone()),
                _ => {}
            }
            self.collect(&field.of, &path, version, found);
        }
    }

    fn fields(&self, of: &str, version: i16) -> impl Iterator<Item = &Field> {
        let fields = self.structs.get(of).into_iter().flatten();
        fields.filter(move |field| {
            !field.is_tagged && (field.versions.0..=field.versions.1).contains(&version)
        })
    }

    /// The body of the request.
    pub fn body(&self, recipe: &Recipe, known: &Known) -> Vec<u8> {
        let flexible = klamm::codec::guard::request_header_version(self.key, recipe.version) >= 2;
        let mut writer = Writer { schema: self, recipe, known, flexible, out: Vec::new() };
        writer.fields("", "", None);
        writer.out
    }
}

impl Field {
    /// Parses `Name: []type (v0+, null 2-7, tag0 1+, def -1)`.
    fn parse(text: &str) -> Field {
        let (name, rest) = text.split_once(": ").unwrap();
        let (of, facts) = rest.split_once(" (").unwrap();
        let facts = facts.strip_suffix(')').unwrap();
        let mut field = Field {
            name: name.to_owned(),
            is_array: of.starts_with("[]"),
            of: of.trim_start_matches("[]").to_owned(),
            versions: (0, i16::MAX),
            nullable: facts.contains(", null "),
            is_tagged: facts.contains(", tag"),
            default: None,
        };
        for fact in facts.split(", ") {
            match fact.split_once(' ') {
                Some(("def", value)) => field.default = Some(value.to_owned()),
                Some(_) => {}
                None => field.versions = versions(fact.trim_start_matches('v')),
            }
        }
        field
    }
}

fn versions(text: &str) -> (i16, i16) {
    match text.split_once('-') {
        Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
        None => match text.strip_suffix('+') {
            Some(first) => (first.parse().unwrap(), i16::MAX),
            None => text.parse().map_or((1, 0), |only| (only, only)),
        },
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

struct Writer<'a> {
    schema: &'a Schema,
    recipe: &'a Recipe,
    known: &'a Known,
    flexible: bool,
    out: Vec<u8>,
}

impl Writer<'_> {
    /// Writes the fields of a struct. `place` is the index in the long array of the element that
    /// contains it.
    fn fields(&mut self, of: &str, at: &str, place: Option<usize>) {
        let schema = self.schema;
        for field in schema.fields(of, self.recipe.version) {
            let path = join(at, &field.name);
            if field.is_array {
                self.array(field, &path, place);
            } else {
                self.value(field, &path, place);
            }
        }
        if self.flexible {
            self.out.push(0);
        }
    }

    fn array(&mut self, field: &Field, path: &str, place: Option<usize>) {
        let array = self.recipe.array.as_deref().unwrap_or_default();
        let outside = std::mem::take(&mut self.out);
        let mut count = 0;
        if path == array {
            while self.out.len() < self.recipe.bytes {
                self.value(field, path, Some(count));
                count += 1;
            }
        } else if array.starts_with(&format!("{path}.")) || (place.is_some() && !field.nullable) {
            self.value(field, path, place);
            count = 1;
        }
        let elements = std::mem::replace(&mut self.out, outside);
        let is_null = count == 0 && field.nullable;
        self.length(if is_null { None } else { Some(count) }, false);
        self.out.extend(elements);
    }

    /// Writes a field that is not an array, or an element of an array.
    fn value(&mut self, field: &Field, path: &str, place: Option<usize>) {
        match field.of.as_str() {
            "string" => self.text(field, path, place),
            "bytes" | "records" => self.length(if field.nullable { None } else { Some(0) }, false),
            "uuid" => self.id(field, place),
            "bool" => self.out.push(u8::from(is_wanted(&field.name))),
            "float64" => self.out.extend([0; 8]),
            number if number.trim_start_matches('u').starts_with("int") => {
                let bytes = self.number(field, place).to_be_bytes();
                let bits: usize = number[number.find("int").unwrap() + 3..].parse().unwrap();
                self.out.extend(&bytes[8 - bits / 8..]);
            }
            of => {
                let array = self.recipe.array.as_deref().unwrap_or_default();
                let is_on_the_way = array.starts_with(path);
                if field.nullable && !field.is_array {
                    self.out.push(if is_on_the_way { 1 } else { 0xff });
                    if !is_on_the_way {
                        return;
                    }
                }
                self.fields(of, path, place);
            }
        }
    }

    fn text(&mut self, field: &Field, path: &str, place: Option<usize>) {
        let text = if self.recipe.long.as_deref() == Some(path) {
            Some("x".repeat(32_000))
        } else {
            self.name(field, place)
        };
        self.length(text.as_ref().map(String::len), true);
        self.out.extend(text.unwrap_or_default().bytes());
    }

    /// The text for a field with this name.
    fn name(&self, field: &Field, place: Option<usize>) -> Option<String> {
        let other = place.filter(|_| !self.recipe.repeats);
        let named = match field.name.as_str() {
            "Name"
            | "Topic"
            | "TopicName"
            | "TopicNames"
            | "SubscribedTopicNames"
            | "SourceTopics" => self.known.topic,
            "GroupId" | "Group" | "Groups" | "GroupIds" | "GroupsNames" | "Key"
            | "CoordinatorKeys" => self.known.group,
            "TransactionalId" | "TransactionalIds" | "V3AndBelowTransactionalId" => {
                self.known.transactional_id
            }
            "ResourceName" | "Value" => "1",
            "MemberId" => "m",
            "ProtocolType" => "consumer",
            _ if field.nullable => return None,
            _ => "a",
        };
        Some(other.map_or_else(|| named.to_owned(), |place| format!("n{place}")))
    }

    fn id(&mut self, field: &Field, place: Option<usize>) {
        let other = place.filter(|_| !self.recipe.repeats);
        match (other, field.name.as_str()) {
            (Some(place), _) => self.out.extend((1000 + place as u128).to_be_bytes()),
            (None, "TopicId") => self.out.extend(self.known.topic_id),
            _ => self.out.extend([0; 16]),
        }
    }

    fn number(&self, field: &Field, place: Option<usize>) -> i64 {
        let place = place.filter(|_| !self.recipe.repeats).unwrap_or(0) as i64;
        let default = || field.default.as_deref().and_then(|text| text.parse().ok());
        match field.name.as_str() {
            "Partition" | "PartitionIndex" | "Partitions" | "PartitionIndexes"
                if field.of == "int32" =>
            {
                place
            }
            "SourceTopics" | "SourceTopicRegex" | "RepartitionSourceTopics" => place % 30_000,
            // 4 is a broker and 32 a group; a group need not exist to be described.
            "ResourceType" => {
                if self.recipe.repeats {
                    4
                } else {
                    32
                }
            }
            "ResourceTypes" => 2,
            "Acks" => -1,
            "NumPartitions" | "ReplicationFactor" | "Count" | "EndpointType" => 1,
            "SessionTimeoutMs" | "RebalanceTimeoutMs" => 6000,
            "MaxBytes" | "PartitionMaxBytes" | "ResponsePartitionLimit" => 1 << 20,
            "timeoutMs" | "TimeoutMs" | "MaxWaitMs" => 100,
            _ => default().unwrap_or(0),
        }
    }

    /// Writes the length of a string, or of anything else.
    fn length(&mut self, length: Option<usize>, is_text: bool) {
        match length {
            length if self.flexible => {
                let mut value = length.map_or(0, |length| length + 1);
                while value >= 0x80 {
                    self.out.push(value as u8 | 0x80);
                    value >>= 7;
                }
                self.out.push(value as u8);
            }
            length if is_text => {
                self.out.extend(length.map_or(-1, |length| length as i16).to_be_bytes());
            }
            length => self.out.extend(length.map_or(-1, |length| length as i32).to_be_bytes()),
        }
    }
}

/// Whether a bool should be true: if it makes the response longer or prevents changes.
fn is_wanted(name: &str) -> bool {
    name.starts_with("Include") || name.eq_ignore_ascii_case("validateOnly") || name == "VerifyOnly"
}
