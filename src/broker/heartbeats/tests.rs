//! The session with a controller of which the test decides every answer.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::codec::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationResponse,
};
use crate::controller::scripted::{Controller, answer, config, decoded, leader, next, remote};
use std::sync::Arc;
use tokio::net::TcpStream;

const DUPLICATE_REGISTRATION: i16 = 101;
const SETTINGS: [(&str, &str); 2] =
    [("broker.heartbeat.interval.ms", "300"), ("initial.broker.registration.timeout.ms", "2000")];

/// Answers heartbeats with "fenced" until one is as `wanted`, and that one with `response`.
async fn until(
    stream: &mut TcpStream,
    wanted: impl Fn(&BrokerHeartbeatRequest) -> bool,
    response: BrokerHeartbeatResponse,
) {
    loop {
        let arrived = next(stream).await;
        let is_wanted = wanted(&decoded(&arrived));
        let response =
            if is_wanted { response.clone() } else { BrokerHeartbeatResponse::default() };
        answer(stream, &arrived.header, &response).await;
        if is_wanted {
            return;
        }
    }
}

#[tokio::test]
async fn a_broker_comes_says_what_it_wants_and_goes() {
    let mut controller = Controller::listen().await;
    let (client, leads) = remote(&SETTINGS);
    leads.send_replace(leader(3000, 1, &controller));
    let begun = tokio::spawn(async move {
        let request = BrokerRegistrationRequest::default().with_broker_id(1.into());
        Heartbeats::begin(Client::Remote(client), request, &config(&SETTINGS)).await
    });
    let mut stream = controller.connection().await;
    // The last life's session has not ended yet.
    for (error, epoch) in [(DUPLICATE_REGISTRATION, -1), (0, 42)] {
        let arrived = next(&mut stream).await;
        let response = BrokerRegistrationResponse::default().with_error_code(error);
        answer(&mut stream, &arrived.header, &response.with_broker_epoch(epoch)).await;
    }
    let (heartbeats, epoch) = begun.await.unwrap().unwrap();
    let heartbeats = Arc::new(heartbeats);
    assert_eq!(epoch, 42);
    let (_applied, follows) = watch::channel(7);
    heartbeats.follow(follows);
    let fenced = BrokerHeartbeatResponse::default;
    let waits = |beat: &BrokerHeartbeatRequest| beat.want_fence && !beat.want_shut_down;
    until(&mut stream, |b| waits(b) && b.current_metadata_offset == 7, fenced()).await;
    let running = tokio::spawn({
        let heartbeats = heartbeats.clone();
        async move { heartbeats.run().await }
    });
    until(&mut stream, |b| !b.want_fence && b.broker_epoch == 42, fenced()).await;
    assert!(heartbeats.seen().fenced && !running.is_finished());
    until(&mut stream, |b| !b.want_fence, fenced().with_is_fenced(false)).await;
    running.await.unwrap().unwrap();
    let lost = [Uuid::from_u128(9)];
    heartbeats.set_offline(&lost);
    until(&mut stream, |b| b.offline_log_dirs == lost, fenced().with_is_fenced(false)).await;
    heartbeats.set_full(true);
    until(&mut stream, |b| b.want_fence, fenced()).await;
    assert!(heartbeats.is_full());
    heartbeats.set_full(false);
    until(&mut stream, |b| !b.want_fence, fenced().with_is_fenced(false)).await;
    heartbeats.set_full(true);
    until(&mut stream, |b| b.want_fence, fenced()).await;
    let left = tokio::spawn(async move {
        let patience = Duration::from_secs(20);
        heartbeats.leave(patience, patience).await.map(|()| heartbeats.seen())
    });
    until(&mut stream, |b| b.want_shut_down && !b.want_fence, fenced().with_should_shut_down(true))
        .await;
    let seen = left.await.unwrap().unwrap();
    assert!(seen.may_leave && seen.offline == lost);
}

#[tokio::test]
async fn without_a_controller_a_broker_neither_comes_nor_stays() {
    let (client, _leads) = remote(&SETTINGS);
    let begun = Instant::now();
    let request = BrokerRegistrationRequest::default();
    let error = Heartbeats::begin(Client::Remote(client), request, &config(&SETTINGS)).await;
    assert!(error.unwrap_err().to_string().contains("has not registered this broker"));
    assert!(begun.elapsed() >= Duration::from_secs(2), "it has tried for the time it is given");
    let (wants, _wanted) = watch::channel(Wants::default());
    let nothing = Seen {
        fenced: false,
        may_leave: false,
        offline: Vec::new(),
        at: Instant::now(),
        refused: None,
    };
    let (_sees, seen) = watch::channel(nothing);
    let alone = Heartbeats { wants, seen };
    let (long, short) = (Duration::from_secs(600), Duration::from_millis(200));
    tokio::time::timeout(Duration::from_secs(10), alone.leave(long, short)).await.unwrap().unwrap();
}
