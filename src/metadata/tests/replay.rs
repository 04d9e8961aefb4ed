//! Random histories: a snapshot holds exactly what was replayed.

use crate::codec::schema::metadata::client_quota_record::EntityData;
use crate::codec::schema::metadata::*;
use crate::disk::Disk;
use crate::metadata::control::ControlRecord;
use crate::metadata::loader::Loader;
use crate::metadata::record::MetadataRecord as R;
use crate::metadata::snapshot::{self, Head, SnapshotId};
use crate::metadata::{BROKER_CONFIG, Image, TOPIC_CONFIG, features};
use proptest::prelude::*;
use uuid::Uuid;

/// An event of a history. There are few names and ids, so that events affect the same things.
#[derive(Clone, Debug)]
enum Event {
    Topic { topic: u8, partitions: u8 },
    Remove { topic: u8 },
    Change { topic: u8, partition: u8, leader: i32, isr: Option<Vec<i32>>, elr: Option<Vec<i32>> },
    Config { topic: bool, name: u8, key: u8, value: Option<u8> },
    Feature { level: i16 },
    Broker { id: u8, fenced: bool },
    Fencing { id: u8, fenced: i8 },
    Unregister { id: u8 },
    ProducerIds { next: u16 },
    Acl { id: u8, gone: bool },
    Scram { user: u8, gone: bool },
    Token { id: u8, gone: bool },
    Quota { user: Option<u8>, key: u8, value: f64, gone: bool },
    ClearElr { topic: Option<u8> },
    Transaction { events: Vec<Event>, aborted: bool },
}

fn event() -> impl Strategy<Value = Event> {
    let isr = proptest::option::of(proptest::collection::vec(0..4i32, 0..3));
    let leaf = prop_oneof![
        4 => (0..6u8, 1..5u8).prop_map(|(topic, partitions)| Event::Topic { topic, partitions }),
        1 => (0..6u8).prop_map(|topic| Event::Remove { topic }),
        4 => (0..6u8, 0..5u8, -2..4i32, isr.clone(), isr).prop_map(
            |(topic, partition, leader, isr, elr)| Event::Change {
                topic, partition, leader, isr, elr
            }
        ),
        3 => (any::<bool>(), 0..6u8, 0..3u8, proptest::option::of(any::<u8>())).prop_map(
            |(topic, name, key, value)| Event::Config { topic, name, key, value }
        ),
        1 => (0..2i16).prop_map(|level| Event::Feature { level }),
        2 => (0..3u8, any::<bool>()).prop_map(|(id, fenced)| Event::Broker { id, fenced }),
        2 => (0..3u8, -1..2i8).prop_map(|(id, fenced)| Event::Fencing { id, fenced }),
        1 => (0..3u8).prop_map(|id| Event::Unregister { id }),
        1 => any::<u16>().prop_map(|next| Event::ProducerIds { next }),
        1 => (0..3u8, any::<bool>()).prop_map(|(id, gone)| Event::Acl { id, gone }),
        1 => (0..3u8, any::<bool>()).prop_map(|(user, gone)| Event::Scram { user, gone }),
        1 => (0..3u8, any::<bool>()).prop_map(|(id, gone)| Event::Token { id, gone }),
        1 => (proptest::option::of(0..3u8), 0..2u8, 0.5..9.5f64, any::<bool>()).prop_map(
            |(user, key, value, gone)| Event::Quota { user, key, value, gone }
        ),
        1 => proptest::option::of(0..6u8).prop_map(|topic| Event::ClearElr { topic }),
    ];
    leaf.prop_recursive(1, 8, 8, |event| {
        (proptest::collection::vec(event, 0..8), any::<bool>())
            .prop_map(|(events, aborted)| Event::Transaction { events, aborted })
    })
}

fn topic_name(topic: u8) -> String {
    format!("topic.{topic}")
}

/// The records of an event; none if what it refers to is not in the image.
fn records(image: &Image, event: &Event, id: &mut u128) -> Vec<R> {
    let found = |topic: u8| image.topics.by_name(&topic_name(topic));
    match event {
        Event::Topic { topic, partitions } if found(*topic).is_none() => {
            *id += 1;
            let topic_id = Uuid::from_u128(*id);
            let head = R::Topic(TopicRecord { name: topic_name(*topic), topic_id });
            let partition = |partition_id| {
                R::Partition(PartitionRecord {
                    partition_id,
                    topic_id,
                    replicas: vec![1],
                    isr: vec![1],
                    leader: 1,
                    directories: vec![Uuid::from_u128(99)],
                    ..Default::default()
                })
            };
            std::iter::once(head).chain((0..i32::from(*partitions)).map(partition)).collect()
        }
        Event::Remove { topic } => found(*topic)
            .map(|topic| R::RemoveTopic(RemoveTopicRecord { topic_id: topic.id }))
            .into_iter()
            .collect(),
        Event::Change { topic, partition, leader, isr, elr } => found(*topic)
            .filter(|topic| usize::from(*partition) < topic.partitions.len())
            .map(|topic| {
                R::PartitionChange(PartitionChangeRecord {
                    partition_id: i32::from(*partition),
                    topic_id: topic.id,
                    leader: *leader,
                    isr: isr.clone(),
                    eligible_leader_replicas: elr.clone(),
                    ..Default::default()
                })
            })
            .into_iter()
            .collect(),
        Event::ClearElr { topic } => {
            let known = topic.is_none_or(|topic| found(topic).is_some());
            let topic_name = topic.map(topic_name).unwrap_or_default();
            if known { vec![R::ClearElr(ClearElrRecord { topic_name })] } else { Vec::new() }
        }
        Event::Config { topic, name, key, value } if !*topic || found(*name).is_some() => {
            let broker_name = if *name == 0 { String::new() } else { name.to_string() };
            vec![R::Config(ConfigRecord {
                resource_type: if *topic { TOPIC_CONFIG } else { BROKER_CONFIG },
                resource_name: if *topic { topic_name(*name) } else { broker_name },
                name: format!("key.{key}"),
                value: value.map(|value| value.to_string()),
            })]
        }
        _ => other_records(image, event),
    }
}

fn other_records(image: &Image, event: &Event) -> Vec<R> {
    let epoch_of = |id: u8| image.brokers.get(&i32::from(id)).map(|broker| broker.epoch);
    let record = match event {
        Event::Feature { level } => R::FeatureLevel(FeatureLevelRecord {
            name: "group.version".to_owned(),
            feature_level: *level,
        }),
        Event::Broker { id, fenced } => R::RegisterBroker(RegisterBrokerRecord {
            broker_id: i32::from(*id),
            broker_epoch: epoch_of(*id).unwrap_or(7) + 1,
            fenced: *fenced,
            log_dirs: vec![Uuid::from_u128(u128::from(*id) + 1000)],
            rack: Some("r".to_owned()),
            ..Default::default()
        }),
        Event::Fencing { id, fenced } if epoch_of(*id).is_some() => {
            R::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                broker_id: i32::from(*id),
                broker_epoch: epoch_of(*id).unwrap(),
                fenced: *fenced,
                cordoned_log_dirs: (*fenced == 0).then(|| vec![Uuid::from_u128(5)]),
                ..Default::default()
            })
        }
        Event::Unregister { id } if epoch_of(*id).is_some() => {
            R::UnregisterBroker(UnregisterBrokerRecord {
                broker_id: i32::from(*id),
                broker_epoch: epoch_of(*id).unwrap(),
            })
        }
        Event::ProducerIds { next } => R::ProducerIds(ProducerIdsRecord {
            broker_id: 1,
            broker_epoch: 1,
            next_producer_id: i64::from(*next),
        }),
        _ => return security_records(event),
    };
    vec![record]
}

fn security_records(event: &Event) -> Vec<R> {
    let record = match event {
        Event::Acl { id, gone: true } => {
            R::RemoveAccessControlEntry(RemoveAccessControlEntryRecord { id: acl_id(*id) })
        }
        Event::Acl { id, .. } => R::AccessControlEntry(AccessControlEntryRecord {
            id: acl_id(*id),
            resource_name: "x".to_owned(),
            ..Default::default()
        }),
        Event::Scram { user, gone: true } => {
            R::RemoveUserScramCredential(RemoveUserScramCredentialRecord {
                name: user.to_string(),
                mechanism: 1,
            })
        }
        Event::Scram { user, .. } => R::UserScramCredential(UserScramCredentialRecord {
            name: user.to_string(),
            mechanism: 1,
            salt: vec![1, 2].into(),
            iterations: 4096,
            ..Default::default()
        }),
        Event::Token { id, gone: true } => {
            R::RemoveDelegationToken(RemoveDelegationTokenRecord { token_id: id.to_string() })
        }
        Event::Token { id, .. } => R::DelegationToken(DelegationTokenRecord {
            token_id: id.to_string(),
            owner: "User:a".to_owned(),
            ..Default::default()
        }),
        Event::Quota { user, key, value, gone } => R::ClientQuota(ClientQuotaRecord {
            entity: vec![EntityData {
                entity_type: "user".to_owned(),
                entity_name: user.map(|user| user.to_string()),
            }],
            key: format!("quota.{key}"),
            value: *value,
            remove: *gone,
        }),
        _ => return Vec::new(),
    };
    vec![record]
}

fn acl_id(id: u8) -> Uuid {
    Uuid::from_u128(u128::from(id) + 500)
}

/// Encodes, decodes and replays the records of an event.
fn play(loader: &mut Loader, event: &Event, id: &mut u128) {
    let replay = |loader: &mut Loader, record: &R| {
        let decoded = R::decode(record.encode(features::METADATA_VERSION_4_3)).unwrap();
        assert_eq!(&decoded, record);
        loader.replay(&decoded).unwrap();
    };
    if let Event::Transaction { events, aborted } = event {
        let before = loader.image.clone();
        replay(loader, &R::BeginTransaction(BeginTransactionRecord { name: None }));
        for event in events {
            // Transactions do not nest.
            if !matches!(event, Event::Transaction { .. }) {
                play(loader, event, id);
            }
        }
        if *aborted {
            replay(loader, &R::AbortTransaction(AbortTransactionRecord { reason: None }));
            assert_eq!(loader.image, before);
        } else {
            replay(loader, &R::EndTransaction(EndTransactionRecord {}));
        }
        return;
    }
    for record in records(&loader.image, event, id) {
        replay(loader, &record);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(60)
    })]

    #[test]
    fn a_snapshot_holds_what_was_replayed(
        events in proptest::collection::vec(event(), 0..60),
        steps in 1..20usize,
    ) {
        let mut loader = Loader::new("c");
        let level = FeatureLevelRecord {
            name: features::METADATA_VERSION.to_owned(),
            feature_level: features::METADATA_VERSION_4_3,
        };
        loader.replay(&R::FeatureLevel(level)).unwrap();
        let (mut id, mut published) = (100_000, loader.take().image);
        for step in events.chunks(steps) {
            for event in step {
                play(&mut loader, event, &mut id);
            }
            let next = loader.take();
            check_delta(&published, &next);
            published = next.image;
        }
        let dir = tempfile::tempdir().unwrap();
        let snapshot_id = SnapshotId { offset: 42, epoch: 3 };
        let head = Head {
            last_contained_timestamp: 77,
            kraft_version: 1,
            voters: Some(ControlRecord::single_voter(1, Uuid::from_u128(9), &[])),
            metadata_version: features::METADATA_VERSION_4_3,
        };
        let records = loader.image.to_records();
        snapshot::write(&Disk::Os, dir.path(), snapshot_id, &head, records, 5).unwrap();
        let path = dir.path().join(snapshot_id.file_name());
        let contents = snapshot::read(&Disk::Os, &path).unwrap().unwrap();
        let mut loaded = Loader::new("c");
        snapshot::load(&mut loaded, snapshot_id, &contents).unwrap();
        prop_assert_eq!((loaded.image.kraft_version, loaded.timestamp), (1, 77));
        prop_assert_eq!(loaded.voters.map(ControlRecord::Voters), head.voters);
        let expected = Image { offset: 41, epoch: 3, kraft_version: 1, ..loader.image };
        prop_assert_eq!(loaded.image, expected);
    }
}

/// Asserts that a step's delta names everything that differs.
fn check_delta(before: &Image, step: &crate::metadata::Published) {
    let (image, delta) = (&step.image, &step.delta);
    for topic in image.topics.iter() {
        let same = before.topics.by_id(topic.id) == Some(topic);
        assert!(same || delta.changed_topics.contains(&topic.id), "{topic:?}");
    }
    for id in &delta.changed_topics {
        assert!(image.topics.by_id(*id).is_some(), "changed topics are there");
    }
    let gone = |id| before.topics.by_id(id).is_some() && image.topics.by_id(id).is_none();
    for topic in before.topics.iter().filter(|topic| gone(topic.id)) {
        assert!(delta.deleted_topics.iter().any(|deleted| deleted.id == topic.id));
    }
    assert!(delta.deleted_topics.iter().all(|topic| gone(topic.id)));
    for (resource, configs) in before.configs.iter().chain(image.configs.iter()) {
        let now = image.configs_of(resource.0, &resource.1);
        let same = before.configs_of(resource.0, &resource.1) == now && *configs == now;
        assert!(same || delta.changed_configs.contains(resource), "{resource:?}");
    }
}
