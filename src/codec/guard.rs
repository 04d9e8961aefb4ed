//! Checks a message before it is decoded: every length and count must fit into the bytes that are
//! there, so that nothing a peer sends decides an allocation.
//!
//! kafka-protocol 0.18 reserves memory for as many elements as an array claims to have, so four
//! bytes could end the process. It can decode every message that passes this check.
use crate::error::{Error, Result};

/// The most elements that the arrays of one message may have together.
pub const MAX_ELEMENTS: usize = 1_000_000;

/// The most tagged fields that one message, or its header, may have.
pub const MAX_TAGS: usize = 10_000;

/// The most bytes that a string may have. Older versions cannot encode longer ones.
const MAX_TEXT: usize = i16::MAX as usize;

/// The shapes of an API's requests or responses.
struct Shapes {
    /// The first known version; the others follow it.
    first: i16,
    /// The first version with compact lengths, tagged fields and request header 2.
    flexible: i16,
    /// The steps through a message, for each version.
    versions: &'static [&'static [Op]],
}

/// One step through a message. Steps nest only as deep as Kafka's schemas do.
enum Op {
    /// Fields of fixed sizes, this many bytes together.
    Skip(usize),
    /// A string.
    Text { nullable: bool },
    /// Bytes or records.
    Blob { nullable: bool },
    /// An array, and the steps through each of its elements.
    List { nullable: bool, of: &'static [Op] },
    /// A struct that may be null.
    Optional(&'static [Op]),
    /// Tagged fields, and the steps through those that are known.
    Tags(&'static [(u32, &'static [Op])]),
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Checks that `body`, a request without its header, has the shape that its API and version
/// require. Returns the number of elements in all its arrays together. Bytes after the message are
/// allowed, as in Kafka.
pub fn check(api_key: i16, version: i16, body: &[u8]) -> Result<usize> {
    check_with(REQUESTS, api_key, version, body)
        .map_err(|what| Error::corrupt(format!("request of API {api_key} v{version}: {what}")))
}

/// As `check`, for a response from another broker.
pub fn check_response(api_key: i16, version: i16, body: &[u8]) -> Result<usize> {
    check_with(RESPONSES, api_key, version, body)
        .map_err(|what| Error::corrupt(format!("response of API {api_key} v{version}: {what}")))
}

fn check_with(table: &[Shapes], api_key: i16, version: i16, body: &[u8]) -> Walked<usize> {
    let (shapes, steps) = find(table, api_key, version).ok_or("Kafka has no such version")?;
    let mut walk = Walk::new(body, version >= shapes.flexible);
    walk.steps(steps)?;
    Ok(MAX_ELEMENTS - walk.elements)
}

/// Whether Kafka 4.4 has this version of the API. It does not have Produce 0 to 2, although it
/// advertises them.
pub fn known(api_key: i16, version: i16) -> bool {
    find(REQUESTS, api_key, version).is_some()
}

/// Whether Kafka 4.4 has this API in any version.
pub fn has_versions(api_key: i16) -> bool {
    shapes(REQUESTS, api_key).is_some_and(|shapes| !shapes.versions.is_empty())
}

/// The version of a request's header, also if the version of the API is unknown.
pub fn request_header_version(api_key: i16, version: i16) -> i16 {
    if is_flexible(api_key, version) { 2 } else { 1 }
}

/// The version of a response's header.
pub fn response_header_version(api_key: i16, version: i16) -> i16 {
    const API_VERSIONS: i16 = 18;
    // A client must be able to read this response even if it does not know its version.
    if api_key != API_VERSIONS && is_flexible(api_key, version) { 1 } else { 0 }
}

/// Checks the tagged fields at the beginning of `bytes` and returns their length in bytes.
pub(super) fn check_tags(bytes: &[u8]) -> Result<usize> {
    let mut walk = Walk::new(bytes, true);
    walk.tags(&[]).map_err(|what| Error::corrupt(format!("request header: {what}")))?;
    Ok(bytes.len() - walk.rest.len())
}

fn is_flexible(api_key: i16, version: i16) -> bool {
    shapes(REQUESTS, api_key).is_some_and(|shapes| version >= shapes.flexible)
}

fn shapes(table: &[Shapes], api_key: i16) -> Option<&Shapes> {
    table.get(usize::try_from(api_key).ok()?)
}

fn find(table: &[Shapes], api_key: i16, version: i16) -> Option<(&Shapes, &'static [Op])> {
    let shapes = shapes(table, api_key)?;
    let place = usize::try_from(i32::from(version) - i32::from(shapes.first)).ok()?;
    Some((shapes, shapes.versions.get(place)?))
}

type Walked<T = ()> = std::result::Result<T, &'static str>;

/// A walk through a message.
struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    /// The number of elements that may still come.
    elements: usize,
    /// The number of tagged fields that may still come.
    tags: usize,
}

impl<'a> Walk<'a> {
    fn new(rest: &'a [u8], flexible: bool) -> Walk<'a> {
        Walk { rest, flexible, elements: MAX_ELEMENTS, tags: MAX_TAGS }
    }

    fn steps(&mut self, steps: &[Op]) -> Walked {
        for step in steps {
            match step {
                Op::Skip(size) => self.skip(*size)?,
                Op::Text { nullable } => self.text(*nullable)?,
                Op::Blob { nullable } => self.blob(*nullable)?,
                Op::List { nullable, of } => self.list(*nullable, of)?,
                Op::Optional(of) => self.optional(of)?,
                Op::Tags(known) => self.tags(known)?,
            }
        }
        Ok(())
    }

    fn skip(&mut self, size: usize) -> Walked {
        self.rest = self.rest.get(size..).ok_or("it is cut short")?;
        Ok(())
    }

    fn text(&mut self, nullable: bool) -> Walked {
        let length = if self.flexible { self.compact()? } else { self.short()? };
        match length {
            Some(length) if length <= MAX_TEXT => self.skip(length),
            Some(_) => Err("a string is too long"),
            None => allow_null(nullable),
        }
    }

    fn blob(&mut self, nullable: bool) -> Walked {
        match self.length()? {
            Some(length) => self.skip(length),
            None => allow_null(nullable),
        }
    }

    fn list(&mut self, nullable: bool, of: &[Op]) -> Walked {
        let Some(count) = self.length()? else { return allow_null(nullable) };
        if count > self.rest.len() {
            return Err("an array has more elements than there are bytes");
        }
        self.elements = self.elements.checked_sub(count).ok_or("it has too many elements")?;
        if let [Op::Skip(size)] = of {
            return self.skip(count * size);
        }
        (0..count).try_for_each(|_| self.steps(of))
    }

    fn optional(&mut self, of: &[Op]) -> Walked {
        let there = self.take::<1>()?[0] as i8 >= 0;
        if there { self.steps(of) } else { Ok(()) }
    }

    fn tags(&mut self, known: &[(u32, &[Op])]) -> Walked {
        let count = self.varint()? as usize;
        self.tags = self.tags.checked_sub(count).ok_or("it has too many tagged fields")?;
        for _ in 0..count {
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            let behind = self.rest.get(size..).ok_or("a tagged field is cut short")?;
            if let Some((_, steps)) = known.iter().find(|known| known.0 == tag) {
                self.rest = &self.rest[..size];
                self.steps(steps)?;
                if !self.rest.is_empty() {
                    return Err("a tagged field is longer than its value");
                }
            }
            self.rest = behind;
        }
        Ok(())
    }

    /// The length of bytes or an array; None if it is null.
    fn length(&mut self) -> Walked<Option<usize>> {
        if self.flexible {
            return self.compact();
        }
        match i32::from_be_bytes(self.take()?) {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).or(Err("a length is negative")),
        }
    }

    fn compact(&mut self) -> Walked<Option<usize>> {
        Ok((self.varint()? as usize).checked_sub(1))
    }

    fn short(&mut self) -> Walked<Option<usize>> {
        match i16::from_be_bytes(self.take()?) {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).or(Err("a length is negative")),
        }
    }

    fn varint(&mut self) -> Walked<u32> {
        let mut value = 0u64;
        for (place, byte) in self.rest.iter().take(5).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return u32::try_from(value).or(Err("a varint is too large"));
            }
        }
        Err(if self.rest.len() < 5 { "it is cut short" } else { "a varint is too long" })
    }

    fn take<const N: usize>(&mut self) -> Walked<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or("it is cut short")?;
        self.rest = rest;
        Ok(*taken)
    }
}

fn allow_null(nullable: bool) -> Walked {
    if nullable { Ok(()) } else { Err("null where a value must be") }
}

#[cfg(test)]
mod tests;
