//! The types of the Kafka protocol, as the generated messages read and write them.
//!
//! No length read from the wire decides an allocation: it is compared with the bytes that are there
//! first.
pub use anyhow::{Result, bail, ensure};
pub use bytes::{Buf, BufMut, Bytes, BytesMut};
pub use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
pub use kafka_protocol::protocol::buf::{ByteBuf, ByteBufMut};
pub use kafka_protocol::protocol::{
    Decodable, Encodable, HeaderVersion, Message, Request, StrBytes, VersionRange,
};
pub use std::collections::BTreeMap;
pub use uuid::Uuid;

/// An array reserves memory for at most this many elements before it reads them.
const RESERVED_ELEMENTS: usize = 1024;

/// The most tagged fields that one struct may have.
const MAX_TAGS: u32 = 10_000;

/// How the message that contains a value is written.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The message's version.
    pub version: i16,
    /// Whether lengths are compact and structs end in tagged fields.
    pub flexible: bool,
}

impl Format {
    /// Checks that the message has this version.
    pub fn checked<M: Message>(name: &str, version: i16, flexible: i16) -> Result<Format> {
        let VersionRange { min, max } = M::VERSIONS;
        ensure!((min..=max).contains(&version), "{name} has no version {version}");
        Ok(Format { version, flexible: version >= flexible })
    }
}

/// A value in a message.
pub trait Wire: Sized {
    /// Reads a value.
    fn get<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Self>;

    /// Writes the value.
    fn put<B: ByteBufMut>(&self, buf: &mut B, how: Format) -> Result<()>;

    /// Reads a value that may be null. This default is for structs, which have a byte before them;
    /// other types override it.
    fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
        if buf.try_get_i8()? < 0 { Ok(None) } else { Self::get(buf, how).map(Some) }
    }

    /// Writes a value that may be null.
    fn put_nullable<B: ByteBufMut>(value: Option<&Self>, buf: &mut B, how: Format) -> Result<()> {
        buf.put_i8(if value.is_some() { 1 } else { -1 });
        value.map_or(Ok(()), |value| value.put(buf, how))
    }
}

macro_rules! number {
    ($($type:ty, $get:ident, $put:ident;)*) => { $(
        impl Wire for $type {
            fn get<B: ByteBuf>(buf: &mut B, _: Format) -> Result<Self> {
                Ok(buf.$get()?)
            }

            fn put<B: ByteBufMut>(&self, buf: &mut B, _: Format) -> Result<()> {
                buf.$put(*self);
                Ok(())
            }
        }
    )* };
}

number! {
    i8, try_get_i8, put_i8;
    i16, try_get_i16, put_i16;
    u16, try_get_u16, put_u16;
    i32, try_get_i32, put_i32;
    u32, try_get_u32, put_u32;
    i64, try_get_i64, put_i64;
    f64, try_get_f64, put_f64;
}

impl Wire for bool {
    fn get<B: ByteBuf>(buf: &mut B, _: Format) -> Result<Self> {
        Ok(buf.try_get_u8()? != 0)
    }

    fn put<B: ByteBufMut>(&self, buf: &mut B, _: Format) -> Result<()> {
        buf.put_u8(u8::from(*self));
        Ok(())
    }
}

impl Wire for Uuid {
    fn get<B: ByteBuf>(buf: &mut B, _: Format) -> Result<Self> {
        let mut bytes = [0; 16];
        buf.try_copy_to_slice(&mut bytes)?;
        Ok(Uuid::from_bytes(bytes))
    }

    fn put<B: ByteBufMut>(&self, buf: &mut B, _: Format) -> Result<()> {
        buf.put_slice(self.as_bytes());
        Ok(())
    }
}

/// Implements the two required methods with the nullable ones.
macro_rules! through_nullable {
    () => {
        fn get<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Self> {
            match Self::get_nullable(buf, how)? {
                Some(value) => Ok(value),
                None => bail!("null where a value must be"),
            }
        }

        fn put<B: ByteBufMut>(&self, buf: &mut B, how: Format) -> Result<()> {
            Self::put_nullable(Some(self), buf, how)
        }
    };
}

impl Wire for StrBytes {
    through_nullable!();

    fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
        let Some(length) = get_length(buf, how, Width::Short)? else { return Ok(None) };
        ensure!(length <= i16::MAX as usize, "a string of {length} bytes");
        Ok(Some(StrBytes::from_utf8(buf.try_get_bytes(length)?)?))
    }

    fn put_nullable<B: ByteBufMut>(value: Option<&Self>, buf: &mut B, how: Format) -> Result<()> {
        put_text(value.map(|text| text.as_str()), buf, how)
    }
}

impl Wire for String {
    through_nullable!();

    fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
        Ok(StrBytes::get_nullable(buf, how)?.map(|text| text.as_str().to_owned()))
    }

    fn put_nullable<B: ByteBufMut>(value: Option<&Self>, buf: &mut B, how: Format) -> Result<()> {
        put_text(value.map(String::as_str), buf, how)
    }
}

fn put_text<B: ByteBufMut>(text: Option<&str>, buf: &mut B, how: Format) -> Result<()> {
    let length = text.map(str::len);
    ensure!(length.unwrap_or(0) <= i16::MAX as usize, "a string longer than 32767 bytes");
    put_length(length, buf, how, Width::Short)?;
    buf.put_slice(text.unwrap_or_default().as_bytes());
    Ok(())
}

macro_rules! new_type {
    ($($type:ident,)*) => { $(
        impl Wire for $type {
            fn get<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Self> {
                Wire::get(buf, how).map($type)
            }

            fn put<B: ByteBufMut>(&self, buf: &mut B, how: Format) -> Result<()> {
                self.0.put(buf, how)
            }

            fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
                Ok(Wire::get_nullable(buf, how)?.map($type))
            }

            fn put_nullable<B: ByteBufMut>(
                value: Option<&Self>,
                buf: &mut B,
                how: Format,
            ) -> Result<()> {
                Wire::put_nullable(value.map(|value| &value.0), buf, how)
            }
        }
    )* };
}

new_type! { BrokerId, GroupId, ProducerId, TopicName, TransactionalId, }

impl Wire for Bytes {
    through_nullable!();

    fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
        let Some(length) = get_length(buf, how, Width::Int)? else { return Ok(None) };
        Ok(Some(buf.try_get_bytes(length)?))
    }

    fn put_nullable<B: ByteBufMut>(value: Option<&Self>, buf: &mut B, how: Format) -> Result<()> {
        put_length(value.map(Bytes::len), buf, how, Width::Int)?;
        // All bytes are passed in one call, because codec/splice.rs recognises a slice by its
        // address.
        buf.put_slice(value.map_or(&[], |bytes| bytes));
        Ok(())
    }
}

impl<T: Wire> Wire for Vec<T> {
    through_nullable!();

    fn get_nullable<B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<Self>> {
        let Some(count) = get_length(buf, how, Width::Int)? else { return Ok(None) };
        ensure!(count <= buf.remaining(), "{count} elements in {} bytes", buf.remaining());
        let mut elements = Vec::with_capacity(count.min(RESERVED_ELEMENTS));
        for _ in 0..count {
            elements.push(T::get(buf, how)?);
        }
        Ok(Some(elements))
    }

    fn put_nullable<B: ByteBufMut>(value: Option<&Self>, buf: &mut B, how: Format) -> Result<()> {
        put_length(value.map(Vec::len), buf, how, Width::Int)?;
        value.into_iter().flatten().try_for_each(|element| element.put(buf, how))
    }
}

/// The width of a length that is not compact.
#[derive(Clone, Copy)]
enum Width {
    Short,
    Int,
}

/// Reads a length; None if it is null.
fn get_length<B: ByteBuf>(buf: &mut B, how: Format, width: Width) -> Result<Option<usize>> {
    if how.flexible {
        return Ok((get_varint(buf)? as usize).checked_sub(1));
    }
    let length = match width {
        Width::Short => i32::from(buf.try_get_i16()?),
        Width::Int => buf.try_get_i32()?,
    };
    match length {
        -1 => Ok(None),
        length => Ok(Some(usize::try_from(length)?)),
    }
}

fn put_length<B: ByteBufMut>(
    length: Option<usize>,
    buf: &mut B,
    how: Format,
    width: Width,
) -> Result<()> {
    let length = length.map(i32::try_from).transpose()?;
    match width {
        _ if how.flexible => put_varint(buf, length.map_or(0, |length| length as u32 + 1)),
        Width::Short => buf.put_i16(length.map_or(Ok(-1), i16::try_from)?),
        Width::Int => buf.put_i32(length.unwrap_or(-1)),
    }
    Ok(())
}

/// Reads an unsigned varint of at most 32 bits.
pub fn get_varint<B: ByteBuf>(buf: &mut B) -> Result<u32> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = buf.try_get_u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(u32::try_from(value)?);
        }
    }
    bail!("a varint of more than 5 bytes")
}

/// Writes an unsigned varint.
pub fn put_varint<B: BufMut>(buf: &mut B, mut value: u32) {
    while value >= 0x80 {
        buf.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buf.put_u8(value as u8);
}

/// Reads a field that may be null in some versions.
pub fn get_optional<T: Wire, B: ByteBuf>(
    buf: &mut B,
    how: Format,
    nullable: bool,
) -> Result<Option<T>> {
    if nullable { T::get_nullable(buf, how) } else { T::get(buf, how).map(Some) }
}

/// Writes a field that may be null in some versions.
pub fn put_optional<T: Wire, B: ByteBufMut>(
    value: &Option<T>,
    buf: &mut B,
    how: Format,
    nullable: bool,
    name: &str,
) -> Result<()> {
    match value {
        value if nullable => T::put_nullable(value.as_ref(), buf, how),
        Some(value) => value.put(buf, how),
        None => bail!("{name} cannot be null in version {}", how.version),
    }
}

/// Reads a nullable struct in a tagged field. There Kafka puts a varint before it instead of a
/// byte.
pub fn get_tagged_struct<T: Wire, B: ByteBuf>(buf: &mut B, how: Format) -> Result<Option<T>> {
    if get_varint(buf)? == 0 { Ok(None) } else { T::get(buf, how).map(Some) }
}

/// Writes a nullable struct in a tagged field.
pub fn put_tagged_struct<T: Wire, B: ByteBufMut>(
    value: &Option<T>,
    buf: &mut B,
    how: Format,
) -> Result<()> {
    put_varint(buf, u32::from(value.is_some()));
    value.as_ref().map_or(Ok(()), |value| value.put(buf, how))
}

/// Reads the tagged fields of a struct. `take` must consume or clear each value it is given.
pub fn get_tags<B: ByteBuf>(
    buf: &mut B,
    mut take: impl FnMut(u32, &mut Bytes) -> Result<()>,
) -> Result<()> {
    let count = get_varint(buf)?;
    ensure!(count <= MAX_TAGS, "{count} tagged fields");
    for _ in 0..count {
        let tag = get_varint(buf)?;
        let size = get_varint(buf)? as usize;
        let mut value = buf.try_get_bytes(size)?;
        take(tag, &mut value)?;
        ensure!(value.is_empty(), "{} bytes too many in tagged field {tag}", value.len());
    }
    Ok(())
}

/// Keeps a tagged field that the message does not know.
pub fn keep_unknown(known: &mut BTreeMap<i32, Bytes>, tag: u32, value: &mut Bytes) {
    let value = std::mem::take(value);
    if let Ok(tag) = i32::try_from(tag) {
        known.insert(tag, value);
    }
}

/// The tagged fields of a struct, collected to be written.
pub struct Tags<'a> {
    count: u32,
    bytes: BytesMut,
    /// Unknown fields that the struct has kept. They are written between the others, by tag.
    unknown: Option<&'a BTreeMap<i32, Bytes>>,
    /// The lowest tag that may follow.
    next: i32,
}

impl<'a> Tags<'a> {
    /// Starts with the unknown fields only.
    pub fn beside(unknown: Option<&'a BTreeMap<i32, Bytes>>) -> Tags<'a> {
        let unknown = unknown.filter(|unknown| !unknown.is_empty());
        Tags { count: 0, bytes: BytesMut::new(), unknown, next: 0 }
    }

    /// Adds a field. Fields must be added in the order of their tags.
    pub fn add(&mut self, tag: i32, value: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
        self.add_unknown(tag)?;
        let mut bytes = BytesMut::new();
        value(&mut bytes)?;
        self.append(tag, &bytes)
    }

    /// Adds the unknown fields with lower tags.
    fn add_unknown(&mut self, below: i32) -> Result<()> {
        let unknown = self.unknown.map(|unknown| unknown.range(self.next..below));
        self.next = below.saturating_add(1);
        unknown.into_iter().flatten().try_for_each(|(tag, value)| self.append(*tag, value))
    }

    fn append(&mut self, tag: i32, value: &[u8]) -> Result<()> {
        self.count += 1;
        put_varint(&mut self.bytes, tag as u32);
        put_varint(&mut self.bytes, u32::try_from(value.len())?);
        self.bytes.put_slice(value);
        Ok(())
    }

    /// Writes all fields.
    pub fn put<B: ByteBufMut>(mut self, buf: &mut B) -> Result<()> {
        self.add_unknown(i32::MAX)?;
        put_varint(buf, self.count);
        buf.put_slice(&self.bytes);
        Ok(())
    }
}

/// Implements kafka-protocol's traits for a generated message.
macro_rules! message {
    ($name:ident, $first:literal, $last:literal, $flexible:literal) => {
        impl Message for $name {
            const VERSIONS: VersionRange = VersionRange { min: $first, max: $last };
            const DEPRECATED_VERSIONS: Option<VersionRange> = None;
        }

        impl Encodable for $name {
            fn encode<B: ByteBufMut>(&self, buf: &mut B, version: i16) -> Result<()> {
                let how = Format::checked::<Self>(stringify!($name), version, $flexible)?;
                self.put(buf, how)
            }

            fn compute_size(&self, version: i16) -> Result<usize> {
                let mut buf = BytesMut::new();
                self.encode(&mut buf, version)?;
                Ok(buf.len())
            }
        }

        impl Decodable for $name {
            fn decode<B: ByteBuf>(buf: &mut B, version: i16) -> Result<Self> {
                let how = Format::checked::<Self>(stringify!($name), version, $flexible)?;
                Self::get(buf, how)
            }
        }
    };
}

/// Implements a request, given its API key, its first flexible version and its response.
macro_rules! request {
    ($name:ident, $key:literal, $flexible:expr, $response:path) => {
        impl HeaderVersion for $name {
            fn header_version(version: i16) -> i16 {
                if version >= $flexible { 2 } else { 1 }
            }
        }

        impl Request for $name {
            const KEY: i16 = $key;
            type Response = $response;
        }
    };
}

/// Implements a response, given the first version with a flexible header.
macro_rules! response {
    ($name:ident, $flexible:expr) => {
        impl HeaderVersion for $name {
            fn header_version(version: i16) -> i16 {
                if version >= $flexible { 1 } else { 0 }
            }
        }
    };
}

/// Implements a record, given its type.
macro_rules! record {
    ($name:ident, $key:literal) => {
        impl $name {
            /// The type of the record: the API key of a metadata record, the type of a coordinator
            /// record.
            pub const KEY: i16 = $key;
        }
    };
}

pub(super) use {message, record, request, response};

#[cfg(test)]
mod sample;
#[cfg(test)]
pub use sample::{Fill, Sample, sample, sample_optional};
