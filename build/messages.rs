//! Generates a struct for each message, and how it is read and written.
use crate::rust::{default_value, field_name, field_type, snake_case};
use crate::schema::{Field, Message, Struct, Versions, plain, tagged};
use crate::{Dialect, Pick, Section};
use std::fmt::Write;

/// A struct's field as code.
struct Member {
    about: String,
    name: String,
    of: String,
    default: String,
}

/// Generates the picked messages as the items of one module, and a macro that lists them.
pub fn module(messages: &[Message], picks: &[Pick]) -> String {
    let mut out = String::new();
    let picked = emit_picked(&mut out, messages, picks, Dialect::Crate);
    let all = picked.iter().map(|name| format!("$check!(messages, {name});")).collect();
    out + &over_all("every_message", all)
}

/// Generates a module for each section, and a macro that lists all records.
pub fn sections(messages: &[Message], sections: &[Section]) -> String {
    let mut out = String::new();
    let mut all = String::new();
    for (section, about, picks) in sections {
        line!(out, "/// {about}\npub mod {section} {{");
        for name in emit_picked(&mut out, messages, picks, Dialect::Plain) {
            line!(all, "$check!({section}, {name});");
        }
        line!(out, "}}");
    }
    out + &over_all("every_record", all)
}

/// Generates a macro for tests that calls another macro with each message.
fn over_all(name: &str, calls: String) -> String {
    format!(
        "#[cfg(test)] macro_rules! {name} {{ ($check:ident) => {{ {calls} }} }}
         #[cfg(test)] pub(crate) use {name};\n"
    )
}

fn emit_picked<'a>(
    out: &mut String,
    messages: &'a [Message],
    picks: &[Pick],
    dialect: Dialect,
) -> Vec<&'a str> {
    let picked = messages.iter().filter(|message| picks.iter().any(|pick| pick.takes(message)));
    let emit = |message: &'a Message| {
        emit_message(out, message, dialect);
        message.name.as_str()
    };
    picked.map(emit).collect()
}

fn emit_message(out: &mut String, message: &Message, dialect: Dialect) {
    let Message { name, flexible, versions: (first, last), .. } = message;
    let module = snake_case(name);
    line!(out, "/// {name} and the structs in it, versions {first} to {last}.");
    line!(out, "pub mod {module} {{ use crate::codec::wire::*;");
    for part in &message.structs {
        emit_struct(out, message, part, dialect);
        if dialect == Dialect::Crate || part.name == *name {
            line!(out, "message!({}, {first}, {last}, {flexible});", part.name);
        }
    }
    match (message.kind.as_str(), message.key) {
        ("request", Some(key)) => {
            let pair = name.replace("Request", "Response");
            let home = module.replace("_request", "_response");
            line!(out, "request!({name}, {key}, {flexible}, super::{home}::{pair});");
        }
        // A client must be able to read this response even if it does not know its version.
        ("response", Some(18)) => line!(out, "response!({name}, i16::MAX);"),
        ("response", _) => line!(out, "response!({name}, {flexible});"),
        (_, Some(key)) => line!(out, "record!({name}, {key});"),
        _ => {}
    }
    line!(out, "}} pub use self::{module}::{name};");
}

/// Whether the struct keeps tagged fields that its message does not know.
fn keeps_unknown(message: &Message, dialect: Dialect) -> bool {
    dialect == Dialect::Crate && message.flexible <= message.versions.1
}

fn emit_struct(out: &mut String, message: &Message, part: &Struct, dialect: Dialect) {
    let name = &part.name;
    let members = members(message, part, dialect);
    line!(out, "/// {name} of {}.", message.name);
    line!(out, "#[derive(Clone, Debug, PartialEq)]");
    if dialect == Dialect::Crate {
        line!(out, "#[non_exhaustive]");
    }
    line!(out, "pub struct {name} {{");
    for Member { about, name, of, .. } in &members {
        line!(out, "/// {about}\npub {name}: {of},");
    }
    line!(out, "}} impl Default for {name} {{ fn default() -> Self {{ Self {{");
    for Member { name, default, .. } in &members {
        line!(out, "{name}: {default},");
    }
    line!(out, "}} }} }}");
    if dialect == Dialect::Crate {
        emit_setters(out, name, &members);
    }
    line!(out, "impl Wire for {name} {{");
    emit_get(out, message, part, dialect);
    emit_put(out, message, part, dialect);
    line!(out, "}}");
    emit_sample(out, message, part);
}

fn members(message: &Message, part: &Struct, dialect: Dialect) -> Vec<Member> {
    let member = |field: &Field| Member {
        about: field.facts.clone(),
        name: field_name(field),
        of: field_type(field, dialect),
        default: default_value(field, dialect),
    };
    let unknown = keeps_unknown(message, dialect).then(|| Member {
        about: "Tagged fields of a later version.".to_string(),
        name: "unknown_tagged_fields".to_string(),
        of: "BTreeMap<i32, Bytes>".to_string(),
        default: "BTreeMap::new()".to_string(),
    });
    part.fields.iter().map(member).chain(unknown).collect()
}

/// Generates a `with_` method for each field, which sets it and returns the struct.
fn emit_setters(out: &mut String, name: &str, members: &[Member]) {
    line!(out, "impl {name} {{");
    for Member { about, name, of, .. } in members {
        let setter = name.trim_start_matches('_');
        line!(out, "/// Sets: {about}\npub fn with_{setter}(mut self, value: {of}) -> Self {{");
        line!(out, "self.{name} = value; self }}");
    }
    line!(out, "}}");
}

fn emit_sample(out: &mut String, message: &Message, part: &Struct) {
    line!(out, "#[cfg(test)] impl Sample for {} {{", part.name);
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

fn emit_get(out: &mut String, message: &Message, part: &Struct, dialect: Dialect) {
    line!(out, "fn get<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Self> {{");
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
    let unknown = match keeps_unknown(message, dialect) {
        true => "keep_unknown(&mut this.unknown_tagged_fields, tag, value)",
        false => "value.clear()",
    };
    line!(out, "_ => {unknown}, }} Ok(()) }})?; }} Ok(this) }}");
}

fn emit_put(out: &mut String, message: &Message, part: &Struct, dialect: Dialect) {
    line!(out, "fn put<B: ByteBufMut>(&self, buf: &mut B, how: Format) -> Result<()> {{");
    line!(out, "let version = how.version;");
    for field in plain(part) {
        let present = condition(field.versions, message);
        line!(out, "if {present} {{ {} }}", putter(field, message, "buf"));
    }
    let unknown = match keeps_unknown(message, dialect) {
        true => "Some(&self.unknown_tagged_fields)",
        false => "None",
    };
    line!(out, "if how.flexible {{ let mut tags = Tags::beside({unknown});");
    for (tag, field) in tagged(part) {
        let present = condition(field.versions, message);
        let (name, default) = (field_name(field), default_value(field, dialect));
        let value = putter(field, message, "buf");
        line!(out, "if {present} && self.{name} != {default} {{");
        line!(out, "tags.add({tag}, |buf| {{ {value} Ok(()) }})?; }}");
    }
    line!(out, "tags.put(buf)?; }} Ok(()) }}");
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
