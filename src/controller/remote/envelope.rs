//! A client's request packed for the controller (Envelope, KIP-590), and its answer.

use super::super::envelope::Requester;
use crate::codec::guard;
use crate::codec::messages::{
    DefaultPrincipalData, EnvelopeRequest, EnvelopeResponse, RequestHeader, ResponseHeader,
};
use crate::codec::{self};
use crate::error::{Error, Result};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use std::net::IpAddr;

/// The version in which a principal is written, before its data.
const PRINCIPAL_VERSION: i16 = 0;

/// Packs a request, with its header and without its size, in the name of a client.
pub(super) fn pack(by: &Requester, frame: Bytes) -> EnvelopeRequest {
    let address = match by.address {
        Some(IpAddr::V4(address)) => Bytes::copy_from_slice(&address.octets()),
        Some(IpAddr::V6(address)) => Bytes::copy_from_slice(&address.octets()),
        None => Bytes::new(),
    };
    EnvelopeRequest::default()
        .with_request_data(frame)
        .with_request_principal(Some(principal(&by.principal)))
        .with_client_host_address(address)
}

/// A principal such as `User:ANONYMOUS`, as Kafka's DefaultKafkaPrincipalBuilder writes it.
fn principal(text: &str) -> Bytes {
    let (kind, name) = text.split_once(':').unwrap_or(("User", text));
    let word = |text: &str| StrBytes::from_string(text.to_owned());
    let data = DefaultPrincipalData::default().with_type(word(kind)).with_name(word(name));
    let mut bytes = BytesMut::new();
    bytes.put_i16(PRINCIPAL_VERSION);
    match data.encode(&mut bytes, PRINCIPAL_VERSION) {
        Ok(()) => bytes.freeze(),
        // A name that is too long. The controller refuses an envelope without a principal.
        Err(_) => Bytes::new(),
    }
}

/// A request of the broker itself as a client would have sent it.
pub(super) fn frame<R: Request>(version: i16, request: &R) -> Result<Bytes> {
    let failed = |error| Error::corrupt(format!("request of API {} v{version}: {error}", R::KEY));
    let header =
        RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    header.encode(&mut frame, R::header_version(version)).map_err(failed)?;
    request.encode(&mut frame, version).map_err(failed)?;
    Ok(frame.freeze())
}

/// The body of the response in an envelope.
pub(super) fn open(api_key: i16, version: i16, envelope: EnvelopeResponse) -> Result<Bytes> {
    let mut body = envelope.response_data.unwrap_or_default();
    let header = guard::response_header_version(api_key, version);
    match ResponseHeader::decode(&mut body, header) {
        Ok(_) => Ok(body),
        Err(error) => {
            tracing::error!("the controller's answer of API {api_key} is not readable: {error}");
            Err(ResponseError::UnknownServerError.into())
        }
    }
}

/// The response in an envelope.
pub(super) fn unpack<R: Request>(version: i16, envelope: EnvelopeResponse) -> Result<R::Response> {
    codec::decode_response::<R>(open(R::KEY, version, envelope)?, version)
}
