//! Walks a message before anything decodes it: every length and every count is held against the
//! bytes that are there, so that nothing a peer sends decides an allocation.
//!
//! kafka-protocol 0.18 reserves memory for as many elements as an array says it has; four bytes
//! would end the process. What passes here it can decode.
use crate::error::{Error, Result};

/// Elements that the arrays of one message may have, taken together.
pub const MAX_ELEMENTS: usize = 1_000_000;

/// Tagged fields that one message may have, and its header.
pub const MAX_TAGS: usize = 10_000;

/// Bytes that a string may have; longer ones do not fit in the older versions.
const MAX_TEXT: usize = i16::MAX as usize;

/// An API's requests, or its responses.
struct Shapes {
    /// The first version we know; the others follow.
    first: i16,
    /// The first version with compact lengths, tagged fields and header 2.
    flexible: i16,
    /// The steps over each version.
    versions: &'static [&'static [Op]],
}

/// One step of a walk. Steps nest only as deep as Kafka's schemas do.
enum Op {
    /// So many bytes of fixed size.
    Skip(usize),
    /// A string.
    Text { nullable: bool },
    /// Bytes or records.
    Blob { nullable: bool },
    /// An array, and the steps over each element.
    List { nullable: bool, of: &'static [Op] },
    /// A struct that may be null.
    Optional(&'static [Op]),
    /// Tagged fields, and the steps over those that we know.
    Tags(&'static [(u32, &'static [Op])]),
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Checks that `body`, a request without its header, has the shape that its API and version
/// promise; answers how many elements its arrays have, taken together. Bytes behind it are
/// tolerated, as Kafka does.
pub fn check(api_key: i16, version: i16, body: &[u8]) -> Result<usize> {
    check_with(REQUESTS, api_key, version, body)
        .map_err(|what| Error::corrupt(format!("request of API {api_key} v{version}: {what}")))
}

/// As `check`, for a response that another broker sent.
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

/// Whether Kafka 4.4 has this version of this API. Produce 0 to 2, which it advertises, it has
/// not.
pub fn known(api_key: i16, version: i16) -> bool {
    find(REQUESTS, api_key, version).is_some()
}

/// Whether Kafka 4.4 has this API at all.
pub fn has_versions(api_key: i16) -> bool {
    shapes(REQUESTS, api_key).is_some_and(|shapes| !shapes.versions.is_empty())
}

/// The version of a request's header, also for a version of an API that we do not know.
pub fn request_header_version(api_key: i16, version: i16) -> i16 {
    if is_flexible(api_key, version) { 2 } else { 1 }
}

/// The version of a response's header.
pub fn response_header_version(api_key: i16, version: i16) -> i16 {
    const API_VERSIONS: i16 = 18;
    // A client that does not know this version yet must be able to read the answer.
    if api_key != API_VERSIONS && is_flexible(api_key, version) { 1 } else { 0 }
}

/// Checks the tagged fields at the head of `bytes`; returns how many bytes they take.
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

/// A walk over a message.
struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    /// How many elements there may still be.
    elements: usize,
    /// How many tagged fields there may still be.
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

    /// The length of bytes or of an array; `None` is null.
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
