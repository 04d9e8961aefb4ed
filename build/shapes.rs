//! Generates the tables by which `codec::guard` checks a message without decoding it.
use crate::schema::{Field, Message, Struct, plain, tagged, within};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One step through a message, as in `codec::guard::Op`.
enum Op {
    Skip(usize),
    Other(String),
}

/// The tables of all requests and responses by API key. Keys that Kafka no longer serves have no
/// versions.
pub fn tables(messages: &[Message]) -> String {
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

/// The steps through one struct.
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

/// The steps through one field.
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

/// The steps as code; adjacent steps of fixed size are merged.
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
