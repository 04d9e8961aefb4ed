//! What brokers send to the controller in the name of a client, and what it answers.

use crate::codec::Checked;
use crate::types::Offset;
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;

/// A client's request for the controller, as it arrived (the content of an Envelope).
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Which API's request this is.
    pub api_key: i16,
    /// The request, which only the controller decodes.
    pub request: Checked,
    /// The client.
    pub by: Requester,
}

/// Who requests a change.
#[derive(Clone, Debug)]
pub struct Requester {
    /// `User:ANONYMOUS` until clients are authenticated.
    pub principal: String,
    /// The client's address, in the form `/127.0.0.1`.
    pub client_host: Arc<str>,
    /// The same as a number; None if the broker itself asks.
    pub address: Option<IpAddr>,
}

impl Requester {
    /// The broker itself.
    pub fn broker() -> Requester {
        let client_host = Arc::from("this broker");
        Requester { principal: "User:ANONYMOUS".to_owned(), client_host, address: None }
    }
}

/// The answer to a forwarded request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response's body, encoded at the request's version.
    pub body: Bytes,
    /// Offset of the last metadata record written for the request, -1 if there was none or it is not
    /// known. The caller waits until the broker has applied it.
    pub offset: Offset,
}
