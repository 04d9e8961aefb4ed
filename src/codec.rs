//! Frames, headers, and the way between bytes and messages. Knows nothing about single APIs.
pub mod guard;
pub mod messages;
pub mod schema;
pub mod splice;
pub mod wire;

use crate::disk::FileRange;
use crate::error::{Error, Result};
use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use messages::ResponseHeader;
use splice::Splice;
use std::fmt::Display;

/// A part of a response.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A range of a file; the connection decides how to send it.
    File(FileRange),
}

impl Chunk {
    /// The bytes that the chunk adds to the response.
    #[allow(clippy::len_without_is_empty, reason = "a frame has no empty chunks")]
    pub fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::File(range) => range.len,
        }
    }
}

/// The answer of a handler: nothing (Produce with acks=0) or a whole frame, beginning with its
/// size.
#[derive(Clone, Debug)]
pub enum Reply {
    /// There is no response.
    None,
    /// The frame in pieces: bytes in memory and ranges of files.
    Frame(Vec<Chunk>),
    /// The response cannot be encoded (for example a string of more than 32767 bytes or a frame of
    /// more than 2 GiB), for this reason. The connection is closed, as Kafka does.
    Failed(String),
}

/// The header of a request, of version 1 or 2.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestHeader {
    /// The API key. It is one of Kafka's, but perhaps not served here.
    pub api_key: i16,
    /// The version that the client uses, which may be unknown here.
    pub api_version: i16,
    /// The number that the response must repeat.
    pub correlation_id: i32,
    /// The name that the client gives itself.
    pub client_id: Option<StrBytes>,
    /// The bytes of the header; the body follows them.
    pub size: usize,
}

/// Reads the header of `frame`, a request without its size.
///
/// An API key that Kafka does not have is an error, as the end of the header is then unknown. The
/// version is not checked, because ApiVersions is answered even if its version is unknown.
pub fn decode_header(frame: &Bytes) -> Result<RequestHeader> {
    let mut rest = &frame[..];
    let cut_short = |_| Error::corrupt("request header: it is cut short");
    let mut take = || rest.try_get_i16().map_err(cut_short);
    let (api_key, api_version) = (take()?, take()?);
    let correlation_id = rest.try_get_i32().map_err(cut_short)?;
    if !guard::has_versions(api_key) {
        return Err(Error::corrupt(format!("request header: no API {api_key}")));
    }
    let client_id = take_client_id(frame, &mut rest)?;
    if guard::request_header_version(api_key, api_version) >= 2 {
        rest.advance(guard::check_tags(rest)?);
    }
    let size = frame.len() - rest.len();
    Ok(RequestHeader { api_key, api_version, correlation_id, client_id, size })
}

/// The client id is a nullable string of the old form even in header version 2, not a compact one.
fn take_client_id(frame: &Bytes, rest: &mut &[u8]) -> Result<Option<StrBytes>> {
    let cut_short = || Error::corrupt("request header: it is cut short");
    let length = rest.try_get_i16().map_err(|_| cut_short())?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length)
        .map_err(|_| Error::corrupt("request header: a length is negative"))?;
    let (text, behind) = rest.split_at_checked(length).ok_or_else(cut_short)?;
    *rest = behind;
    let text = StrBytes::from_utf8(frame.slice_ref(text));
    text.map(Some).map_err(|_| Error::corrupt("request header: a client id that is not UTF-8"))
}

/// A request whose body the guard has checked. Only such a body can be decoded.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The header and the body, as they came.
    frame: Bytes,
    /// Where the body begins.
    body: usize,
    version: i16,
    elements: usize,
}

/// Checks the body of a request with the guard. It begins at `body` in the frame, after the header.
pub fn check(api_key: i16, version: i16, frame: Bytes, body: usize) -> Result<Checked> {
    let elements = guard::check(api_key, version, frame.get(body..).unwrap_or_default())?;
    Ok(Checked { frame, body, version, elements })
}

impl Checked {
    /// The request as it came, with its header and without its size.
    pub fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    /// The number of elements in all of its arrays together.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The version for which it was checked.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Decodes the body, which must be of this API. Bytes and records in it stay slices of the
    /// body.
    pub fn decode<R: Request>(mut self) -> Result<R> {
        let version = self.version;
        self.frame.advance(self.body);
        R::decode(&mut self.frame, version).map_err(|error| {
            Error::corrupt(format!("request of API {} v{version}: {error}", R::KEY))
        })
    }
}

/// Checks and decodes the body of a response to a request of type `R`. Bytes after it are an error,
/// because the peer then means another version.
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

/// Encodes a response as a frame: size, header, body.
pub fn encode(api_key: i16, version: i16, correlation_id: i32, body: &impl Encodable) -> Reply {
    encode_with_files(api_key, version, correlation_id, body, Vec::new())
}

/// As `encode`, but each non-empty `splice::placeholder` in the body is replaced by the next
/// element of `files`, whose ranges add up to the placeholder's length.
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

/// Makes a frame of a response whose body is encoded already.
pub fn frame(api_key: i16, version: i16, correlation_id: i32, body: Bytes) -> Reply {
    let mut frame = begin(api_key, version, correlation_id, Vec::new());
    frame.put_slice(&body);
    frame.finish()
}

/// A frame that has only its header yet.
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
