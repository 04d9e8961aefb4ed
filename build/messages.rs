//! Generates a struct for each message, and how it is read and written.
use crate::Section;
use crate::rust::{default_value, field_name, field_type, snake_case};
use crate::schema::{Field, Message, Struct, Versions, plain, tagged};
use std::fmt::Write;

pub fn sections(messages: &[Message], sections: &[Section]) -> String {
    let mut out = String::new();
    let mut all = String::new();
    for (section, about, picks) in sections {
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
        // A client must be able to read this response even if it does not know its version.
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
