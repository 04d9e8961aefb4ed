//! A start that fails half-way, or a broker that is never stopped, leaves nobody waiting.
#![allow(clippy::unwrap_used)]

use super::unserved::unserved;
use super::*;
use crate::codec::messages::create_topics_request::CreatableTopic;
use crate::codec::messages::{StrBytes, TopicName};
use crate::codec::schema::metadata::{
    AccessControlEntryRecord, DelegationTokenRecord, UserScramCredentialRecord,
};
use crate::controller::Requester;
use crate::coordinator::share::{DeliveryBatch, SharePartitionKey, ShareWrite};
use crate::disk::sim::{Fault, Sim};
use crate::metadata::{CLIENT_METRICS_CONFIG, Image, TOPIC_CONFIG};
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(log_dir: &str) -> Config {
    let settings = [("log.dirs", log_dir), ("listeners", "PLAINTEXT://127.0.0.1:0")];
    Config::new(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap()
}

/// Runs `life` in a runtime of its own; returns its result once nothing runs there any more.
fn ended<T: Send + 'static>(life: impl Future<Output = T> + Send + 'static) -> T {
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let came_to = runtime.block_on(life);
        drop(runtime);
        done.send(came_to)
    });
    waits.recv_timeout(PATIENCE).expect("somebody waits for ever")
}

#[test]
fn whoever_drops_a_broker_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path().to_str().unwrap());
    ended(async move { drop(Broker::start(config, Disk::Os, Clock::System).await.unwrap()) });
}

/// The settings of a broker only, whose controllers do not answer.
fn joining(log_dir: &str) -> Config {
    let settings = [
        ("log.dirs", log_dir),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("process.roles", "broker"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", "127.0.0.1:1"),
        ("controller.listener.names", "CONTROLLER"),
    ];
    Config::new(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap()
}

/// A node leads its own metadata log or follows that of others, and does not change sides.
#[test]
fn a_metadata_log_stays_with_who_led_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let state = dir.path().join("__cluster_metadata-0/quorum-state");
    ended(async move {
        let broker = Broker::start(config(&path), Disk::Os, Clock::System).await.unwrap();
        broker.stop().await.unwrap();
        let refused = Broker::start(joining(&path), Disk::Os, Clock::System).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("whose only controller was node.id=1 itself"), "{told}");
        let led = std::fs::read_to_string(&state).unwrap();
        std::fs::write(&state, led.replace("\"leaderId\":1", "\"leaderId\":101")).unwrap();
        let refused = Broker::start(config(&path), Disk::Os, Clock::System).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("node 101 led this metadata log"), "{told}");
    });
}

/// A broker that waited for a controller in vain has changed nothing of what it had closed.
#[test]
fn a_clean_stop_stays_one_while_no_controller_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let mark = dir.path().join(".kafka_cleanshutdown");
    let id = "AAAAAAAAAAAAAAAAAAAD6A";
    let meta = format!("version=1\ncluster.id=c\nnode.id=1\ndirectory.id={id}\n");
    std::fs::write(dir.path().join("meta.properties"), meta).unwrap();
    std::fs::write(&mark, r#"{"version":0,"brokerEpoch":7}"#).unwrap();
    ended(async move {
        let starting = Broker::start(joining(&path), Disk::Os, Clock::System);
        let waited = timeout(Duration::from_millis(300), starting).await;
        assert!(waited.is_err(), "{waited:?}");
    });
    assert!(mark.exists() && dir.path().join("__cluster_metadata-0").exists());
}

#[test]
fn states_of_share_partitions_are_kept_from_the_first_request_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path().to_str().unwrap());
    ended(async move {
        let broker = Broker::start(config, Disk::Os, Clock::System).await.unwrap();
        let parts = broker.parts().clone();
        let name = TopicName(StrBytes::from_static_str("t"));
        let topic = CreatableTopic::default().with_name(name).with_num_partitions(1);
        let topics = vec![topic.with_replication_factor(1)];
        let made = parts.internal_topics.create(Requester::broker(), topics).await.unwrap();
        let key = SharePartitionKey::new("g", made.topics[0].topic_id, 0);
        let persister = &parts.persister;
        persister.initialize(&key, 3, 7).await.unwrap();
        let batches = vec![DeliveryBatch { first: 9, last: 9, state: 2, count: 1 }];
        let write = ShareWrite {
            state_epoch: 3,
            leader_epoch: 1,
            start_offset: 8,
            delivery_complete_count: 1,
            batches: batches.clone(),
        };
        assert_eq!(persister.read(&key, 1).await.unwrap().start_offset, 7);
        persister.write(&key, write).await.unwrap();
        let read = persister.read(&key, 1).await.unwrap();
        assert_eq!((read.state_epoch, read.start_offset), (3, 8));
        assert!(read.batches.iter().eq(&batches));
        // What no attempt can change is answered at once.
        let fenced = persister.read(&key, 0).await.map_err(|error| error.code());
        assert_eq!(fenced, Err(ResponseError::FencedLeaderEpoch));
        persister.delete(&key).await.unwrap();
        assert_eq!(persister.summary(&key).await.unwrap().start_offset, -1);
        broker.stop().await.unwrap();
    });
}

/// Each disk call of a start fails once: with a disk error, or because the disk is full.
#[test]
fn a_start_that_fails_says_why_and_ends() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        let (mut after, mut refused) = (0, 0);
        loop {
            let sim = Sim::new(after);
            sim.fail(Some(Fault { after, kind, sync_only: false, is_end: false }));
            let start = Broker::start(config("/d"), Disk::Sim(sim.clone()), Clock::System);
            let reason = ended(async move { start.await.map(drop).err() });
            if sim.is_fault_ahead() {
                break;
            }
            assert!(!matches!(reason, Some(Error::Closed)), "{kind:?} after {after}: no reason");
            refused += usize::from(reason.is_some());
            after += 1;
        }
        assert!(refused > 5, "{kind:?}: of {after} calls {refused} are needed");
    }
}

#[test]
fn each_kind_of_what_nobody_serves_here_is_told() {
    assert_eq!(unserved(&Image::default()), []);
    let mut image = Image::default();
    let security = &mut image.security;
    security.acls.insert(Uuid::nil(), Arc::new(AccessControlEntryRecord::default()));
    let scram = Arc::new(UserScramCredentialRecord::default());
    security.scram.insert((1, "user".to_owned()), scram);
    let token = Arc::new(DelegationTokenRecord::default());
    security.delegation_tokens.insert("token".to_owned(), token);
    security.quotas.insert(Vec::new(), Arc::default());
    for (kind, name, value) in [
        (TOPIC_CONFIG, "remote.storage.enable", "true"),
        (TOPIC_CONFIG, "cleanup.policy", "compact"),
        (CLIENT_METRICS_CONFIG, "interval.ms", "1000"),
    ] {
        let configs = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        image.configs.insert((kind, name.to_owned()), Arc::new(configs));
    }
    let told: Vec<_> = unserved(&image).into_iter().map(|(what, _)| what).collect();
    let counts = [
        "1 access control entries",
        "1 SCRAM credentials",
        "1 delegation tokens",
        "1 client quotas",
        "1 client metrics subscriptions",
        "1 topics with remote.storage.enable=true",
    ];
    assert_eq!(told, counts.map(|count| format!("The metadata log has {count}")));
}
