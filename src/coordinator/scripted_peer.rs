//! A broker over loopback of which a test decides the answers to one API.

use crate::codec::messages::api_versions_response::ApiVersion;
use crate::codec::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::codec::{self, Chunk, Reply};
use crate::config::{Config, LiveConfig};
use crate::metadata::{Broker, Image};
use crate::peers::Peers;
use arc_swap::ArcSwap;
use bytes::Bytes;
use kafka_protocol::protocol::{Encodable, Request};
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The id of the broker that answers.
pub const PEER: i32 = 2;

/// Peers of whom only `PEER` answers. It serves `R` in these versions; without an answer it closes
/// the connection.
pub async fn peer<R: Request + Send>(
    versions: RangeInclusive<i16>,
    answer: impl Fn(i16, R) -> Option<R::Response> + Send + Sync + 'static,
) -> Arc<Peers>
where
    R::Response: Encodable + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (answer, versions) = (Arc::clone(&answer), versions.clone());
            tokio::spawn(async move { serve::<R>(socket, &versions, &*answer).await });
        }
    });
    let broker = Broker {
        id: PEER,
        epoch: 1,
        incarnation_id: uuid::Uuid::nil(),
        listeners: vec![("PLAINTEXT".into(), "127.0.0.1".into(), port, 0)],
        rack: None,
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        cordoned_log_dirs: Vec::new(),
        features: Vec::new(),
    };
    let brokers = [(PEER, Arc::new(broker))].into_iter().collect();
    let images = Arc::new(ArcSwap::from_pointee(Image { brokers, ..Image::default() }));
    Peers::new(LiveConfig::from(Config::default()), images)
}

async fn serve<R: Request>(
    mut socket: TcpStream,
    versions: &RangeInclusive<i16>,
    answer: &(impl Fn(i16, R) -> Option<R::Response> + Sync),
) where
    R::Response: Encodable,
{
    while let Ok(size) = socket.read_i32().await {
        let mut frame = vec![0; size as usize];
        socket.read_exact(&mut frame).await.unwrap();
        let frame = Bytes::from(frame);
        let header = codec::decode_header(&frame).unwrap();
        let (api, version) = (header.api_key, header.api_version);
        let reply = if api == ApiVersionsRequest::KEY {
            let served = ApiVersion::default()
                .with_api_key(R::KEY)
                .with_min_version(*versions.start())
                .with_max_version(*versions.end());
            let response = ApiVersionsResponse::default().with_api_keys(vec![served]);
            codec::encode(api, version, header.correlation_id, &response)
        } else {
            assert!(versions.contains(&version), "version {version} was not offered");
            let request = codec::check(api, version, frame, header.size).unwrap();
            let request = request.decode::<R>().unwrap();
            let Some(response) = answer(version, request) else { return };
            codec::encode(api, version, header.correlation_id, &response)
        };
        let Reply::Frame(chunks) = reply else { panic!("it can be encoded") };
        for chunk in chunks {
            let Chunk::Bytes(bytes) = chunk else { panic!("no file is sent") };
            socket.write_all(&bytes).await.unwrap();
        }
    }
}
