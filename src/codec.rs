//! Bytes to messages and back. Knows frames and headers, not APIs.
pub mod guard;
pub mod schema;
pub mod splice;

use crate::disk::FileRange;
use crate::error::{Error, Result};
use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use splice::Splice;
use std::fmt::Display;

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A part of a file, of which only the connection decides how it is sent.
    File(FileRange),
}

impl Chunk {
    /// How many bytes it puts on the wire.
    #[allow(clippy::len_without_is_empty, reason = "a frame has no empty chunks")]
    pub fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::File(range) => range.len,
        }
    }
}

/// What a handler answers: nothing (Produce with acks=0) or a whole frame, size first.
#[derive(Clone, Debug)]
pub enum Reply {
    /// No answer at all.
    None,
    /// The frame.
    Frame(Vec<Chunk>),
    /// The answer does not fit in its format (a string of more than 32767 bytes, a frame of more
    /// than 2 GiB), for this reason: the connection is closed, as Kafka closes it.
    Failed(String),
}

/// What stands in front of a request, of header version 1 or 2.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestHeader {
    /// The API asked for; it is one of Kafka's, served or not.
    pub api_key: i16,
    /// Its version, as the peer says: it may be none that we know.
    pub api_version: i16,
    /// What the answer must carry.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<StrBytes>,
}

/// Takes the header off `frame`, a request without its size.
///
/// An API key that is not Kafka's is an error, for then nobody knows where its header ends. The
/// version is not looked at: ApiVersions is answered also where it is unknown.
pub fn decode_header(frame: &mut Bytes) -> Result<RequestHeader> {
    let cut_short = |_| Error::corrupt("request header: it is cut short");
    let mut take = || frame.try_get_i16().map_err(cut_short);
    let (api_key, api_version) = (take()?, take()?);
    let correlation_id = frame.try_get_i32().map_err(cut_short)?;
    if !guard::has_versions(api_key) {
        return Err(Error::corrupt(format!("request header: no API {api_key}")));
    }
    let client_id = take_client_id(frame)?;
    if guard::request_header_version(api_key, api_version) >= 2 {
        frame.advance(guard::check_tags(frame)?);
    }
    Ok(RequestHeader { api_key, api_version, correlation_id, client_id })
}

/// The client id is a plain nullable string also in header version 2.
fn take_client_id(frame: &mut Bytes) -> Result<Option<StrBytes>> {
    let cut_short = || Error::corrupt("request header: it is cut short");
    let length = frame.try_get_i16().map_err(|_| cut_short())?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length)
        .map_err(|_| Error::corrupt("request header: a length is negative"))?;
    if length > frame.len() {
        return Err(cut_short());
    }
    let text = StrBytes::from_utf8(frame.split_to(length));
    text.map(Some).map_err(|_| Error::corrupt("request header: a client id that is not UTF-8"))
}

/// The body of a request that the guard has walked: no other is decoded.
#[derive(Clone, Debug)]
pub struct Checked {
    body: Bytes,
    version: i16,
    elements: usize,
}

/// Has the guard walk a request's body.
pub fn check(api_key: i16, version: i16, body: Bytes) -> Result<Checked> {
    let elements = guard::check(api_key, version, &body)?;
    Ok(Checked { body, version, elements })
}

impl Checked {
    /// How many elements its arrays have, taken together.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The version that it was checked at.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The request, of whose API it must be. Its bytes stay slices of the body.
    pub fn decode<R: Request>(mut self) -> Result<R> {
        let version = self.version;
        R::decode(&mut self.body, version).map_err(|error| {
            Error::corrupt(format!("request of API {} v{version}: {error}", R::KEY))
        })
    }
}

/// Decodes the body of a response to a request of type `R`, after the guard has walked it. Bytes
/// behind it are an error: they tell of a peer that means another version.
pub fn decode_response<R: Request>(mut body: Bytes, version: i16) -> Result<R::Response> {
    guard::check_response(R::KEY, version, &body)?;
    let corrupt = |what: &dyn Display| {
        Error::corrupt(format!("response of API {} v{version}: {what}", R::KEY))
    };
    let response = R::Response::decode(&mut body, version).map_err(|error| corrupt(&error))?;
    match body.len() {
        0 => Ok(response),
        behind => Err(corrupt(&format_args!("{behind} bytes behind it"))),
    }
}

/// A response as a frame: size, header, body.
pub fn encode(api_key: i16, version: i16, correlation_id: i32, body: &impl Encodable) -> Reply {
    encode_with_files(api_key, version, correlation_id, body, Vec::new())
}

/// As `encode`, where each `splice::placeholder` in the body that is not empty is replaced by the
/// next of `files`: ranges whose lengths add up to the placeholder's.
pub fn encode_with_files(
    api_key: i16,
    version: i16,
    correlation_id: i32,
    body: &impl Encodable,
    files: Vec<Vec<FileRange>>,
) -> Reply {
    let mut frame = begin(api_key, version, correlation_id, files);
    match body.encode(&mut frame, version) {
        Ok(()) => frame.finish(),
        Err(error) => Reply::Failed(format!("response of API {api_key} v{version}: {error}")),
    }
}

/// A response whose body is encoded already, as a frame.
pub fn frame(api_key: i16, version: i16, correlation_id: i32, body: Bytes) -> Reply {
    let mut frame = begin(api_key, version, correlation_id, Vec::new());
    frame.put_slice(&body);
    frame.finish()
}

/// A frame that ends behind its header.
fn begin(api_key: i16, version: i16, correlation_id: i32, files: Vec<Vec<FileRange>>) -> Splice {
    let mut frame = Splice::new(files);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header
        .encode(&mut frame, guard::response_header_version(api_key, version))
        .expect("a number and no tagged fields can be encoded");
    frame
}

#[cfg(test)]
mod tests;
