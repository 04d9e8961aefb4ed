#![allow(clippy::unwrap_used)]
use super::*;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const HOME: &str = "127.0.0.1";
const AWAY: &str = "10.0.0.1";

fn config(settings: &[(&str, &str)]) -> LiveConfig {
    config_of(settings).into()
}

fn config_of(settings: &[(&str, &str)]) -> Config {
    let own = [
        ("listeners", "PLAINTEXT://:1,IN://:2"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,IN:PLAINTEXT"),
    ];
    let all = own.iter().chain(settings);
    let all = all.map(|(name, value)| (name.to_string(), value.to_string()));
    Config::new(all.collect()).unwrap()
}

fn quotas(config: &LiveConfig) -> Arc<Quotas> {
    Quotas::new(&config.get(), &Open::default())
}

async fn admit(
    quotas: &Arc<Quotas>,
    config: &LiveConfig,
    listener: &str,
    from: &str,
) -> Result<Place, String> {
    let address = from.parse().unwrap();
    quotas.admit(&listener.into(), address, config, |_| {}).await
}

/// Opens connections from `rows` one after the other and keeps them. The third column says whether
/// the connection gets a place.
async fn check(settings: &[(&str, &str)], rows: &[(&str, &str, bool)]) {
    let config = config(settings);
    let quotas = quotas(&config);
    let mut places = Vec::new();
    for (at, (listener, from, expected)) in rows.iter().enumerate() {
        let mut admitted = pin!(admit(&quotas, &config, listener, from));
        let admitted = match tokio::time::timeout(Duration::from_millis(50), &mut admitted).await {
            Ok(admitted) => admitted.map_err(|why| assert!(!why.is_empty())).ok(),
            Err(_) => None,
        };
        assert_eq!(admitted.is_some(), *expected, "{settings:?}: {listener} {from}, number {at}");
        places.extend(admitted);
    }
    drop(places);
    let state = quotas.state();
    assert_eq!((state.total, quotas.open.load(Ordering::Relaxed)), (0, 0));
    assert!(state.by_address.is_empty() && state.by_listener.is_empty(), "{state:?}");
}

#[tokio::test]
async fn each_limit_counts_its_own() {
    const ANY: &str = "PLAINTEXT";
    check(
        &[("max.connections.per.ip", "1")],
        &[(ANY, HOME, true), (ANY, HOME, false), (ANY, AWAY, true), ("IN", AWAY, false)],
    )
    .await;
    check(
        &[("max.connections.per.ip", "1"), ("max.connections.per.ip.overrides", "localhost:2")],
        &[(ANY, HOME, true), (ANY, HOME, true), (ANY, HOME, false), (ANY, AWAY, true)],
    )
    .await;
    check(
        &[("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:1")],
        &[(ANY, AWAY, false), ("IN", "::ffff:127.0.0.1", true), (ANY, HOME, false)],
    )
    .await;
    check(
        &[("listener.name.in.max.connections", "1")],
        &[("IN", HOME, true), ("IN", AWAY, false), (ANY, AWAY, true)],
    )
    .await;
    check(
        &[("max.connections", "1"), ("inter.broker.listener.name", "IN")],
        &[(ANY, HOME, true), (ANY, AWAY, false), ("IN", HOME, true), ("IN", AWAY, true)],
    )
    .await;
}

#[tokio::test]
async fn who_waits_goes_on_when_another_leaves_or_the_setting_changes() {
    let one = config(&[("max.connections", "1"), ("inter.broker.listener.name", "IN")]);
    let quotas = quotas(&one);
    let first = admit(&quotas, &one, "PLAINTEXT", HOME).await.unwrap();
    let mut second = pin!(admit(&quotas, &one, "PLAINTEXT", HOME));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(second.as_mut().poll(&mut context), Poll::Pending));
    drop(first);
    let _second = second.await.unwrap();

    let told = Mutex::new(Vec::new());
    let (listener, address) = ("PLAINTEXT".into(), HOME.parse().unwrap());
    let third = quotas.admit(&listener, address, &one, |why| told.lock().unwrap().push(why));
    let mut third = pin!(third);
    assert!(matches!(third.as_mut().poll(&mut context), Poll::Pending));
    one.set(config_of(&[("max.connections", "2")]));
    third.await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1, "said once");
}

/// A connection between brokers takes the place of the longest idle one of another listener.
#[tokio::test]
async fn who_was_idle_for_longest_makes_room() {
    let config = config(&[("max.connections", "3"), ("inter.broker.listener.name", "IN")]);
    let quotas = quotas(&config);
    let mut tasks = Vec::new();
    for (at, listener) in [(7, "PLAINTEXT"), (5, "PLAINTEXT"), (1, "IN")] {
        let place = admit(&quotas, &config, listener, HOME).await.unwrap();
        let (id, peer) = (place.id(), SocketAddr::new(HOME.parse().unwrap(), at as u16));
        let mut task = None;
        quotas.note(&id, peer, Activity::new(at.into()), || {
            let spawned = tokio::spawn(async move {
                std::future::pending::<()>().await;
                drop(place);
            });
            let handle = spawned.abort_handle();
            task = Some(spawned);
            handle
        });
        tasks.push(task.unwrap());
    }
    let told = Mutex::new(String::new());
    let (listener, address) = ("IN".into(), HOME.parse().unwrap());
    let tell = |why| *told.lock().unwrap() = why;
    let _in = quotas.admit(&listener, address, &config, tell).await.unwrap();
    assert!(tasks.remove(1).await.unwrap_err().is_cancelled(), "the one of 5");
    assert!(told.lock().unwrap().contains("127.0.0.1:5"));
    assert!(tasks.iter().all(|task| !task.is_finished()));
    let _more = admit(&quotas, &config, "IN", HOME).await.unwrap();
    assert!(tasks.remove(0).await.unwrap_err().is_cancelled(), "the one of 7");
    let _still_more = admit(&quotas, &config, "IN", HOME).await.unwrap();
    assert!(!tasks[0].is_finished(), "brokers' own stay");
}

#[test]
fn connections_come_at_their_rate() {
    let mut state = Counts::default();
    let rates = |all, own| [(None, Some(all)), (Some("IN".into()), own)];
    let start = Instant::now();
    let mut take = |all, own, now| state.take_turns(rates(all, own), now);
    for _ in 0..10 {
        assert_eq!(take(10, None, start), None, "so many as a second has");
    }
    let next = take(10, None, start).unwrap();
    assert!(next > start && next <= start + Duration::from_millis(101), "{:?}", next - start);
    assert_eq!(take(10, None, next), None);
    assert!(take(10, None, next).is_some());
    let later = start + Duration::from_secs(60);
    assert_eq!(take(1000, Some(1), later), None);
    let next = take(1000, Some(1), later).unwrap();
    assert!(next > later + Duration::from_millis(900), "{:?}", next - later);
    assert_eq!(take(i64::from(i32::MAX), None, later), None, "no rate is no limit");
}

#[tokio::test]
async fn the_last_descriptors_are_for_files() {
    let config = config(&[]);
    let open = Open::default();
    let (one, other) = (Quotas::new(&config.get(), &open), Quotas::new(&config.get(), &open));
    let _place = admit(&one, &config, "IN", HOME).await.unwrap();
    open.store(one.open_max, Ordering::Relaxed);
    let why = admit(&other, &config, "IN", HOME).await.unwrap_err();
    assert!(why.contains("ulimit -n"), "{why}");
}
