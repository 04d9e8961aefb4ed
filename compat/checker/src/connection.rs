//! Requests by hand over one connection.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};
use klamm::codec::messages::{ApiKey, RequestHeader};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// After this the connection is given up and the request is sent again over a new one: shorter
/// than most pauses of the broker, so that it also gets requests twice.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Connection {
    address: String,
    socket: Option<TcpStream>,
    correlation: i32,
}

impl Connection {
    pub fn new(address: &str) -> Connection {
        Connection { address: address.to_owned(), socket: None, correlation: 0 }
    }

    /// Sends a request and does not wait for what comes of it.
    pub fn send_and_leave<R: Request>(&mut self, version: i16, request: &R) {
        let _ = self.send(version, request);
        self.socket = None;
    }

    /// Sends a request once; after an error the next one goes over a new connection.
    pub fn ask_once<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        let answered = self.send(version, request).and_then(|()| self.receive::<R>(version));
        if answered.is_err() {
            self.socket = None;
        }
        answered
    }

    fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation += 1;
        let key = ApiKey::try_from(R::KEY).map_err(|()| io::ErrorKind::InvalidInput)?;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("checker")));
        let mut body = BytesMut::new();
        header.encode(&mut body, key.request_header_version(version)).map_err(other)?;
        request.encode(&mut body, version).map_err(other)?;
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_u32(body.len() as u32);
        frame.put(body);
        if self.socket.is_none() {
            let socket = TcpStream::connect(&self.address)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            self.socket = Some(socket);
        }
        self.socket.as_mut().expect("just connected").write_all(&frame)
    }

    fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let socket = self.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut size = [0; 4];
        socket.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        socket.read_exact(&mut answer)?;
        let key = ApiKey::try_from(R::KEY).map_err(|()| io::ErrorKind::InvalidInput)?;
        let header = if key.response_header_version(version) == 0 { 4 } else { 5 };
        assert_eq!(answer[..4], self.correlation.to_be_bytes(), "an answer to another request");
        Ok(R::Response::decode(&mut Bytes::from(answer).slice(header..), version)
            .expect("an answer that can be decoded"))
    }
}

fn other(error: anyhow::Error) -> io::Error {
    io::Error::other(error)
}
