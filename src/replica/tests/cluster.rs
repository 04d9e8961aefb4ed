//! One broker's partitions, driven by metadata records that the tests write.

use crate::clock::Clock;
use crate::codec::schema::metadata::register_broker_record::BrokerEndpoint;
use crate::codec::schema::metadata::{
    BrokerRegistrationChangeRecord, ConfigRecord, PartitionChangeRecord, PartitionRecord,
    RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
};
use crate::config::{Compression, Config, LiveConfig};
use crate::disk::Disk;
use crate::log::manager::LogManager;
use crate::metadata::features;
use crate::metadata::record::MetadataRecord;
use crate::metadata::{BROKER_CONFIG, Image, Loader, TOPIC_CONFIG};
use crate::record::Batch;
use crate::record::builder::BatchBuilder;
use crate::replica::Replicas;
use crate::replica::partition::Partition;
use crate::types::{BrokerId, Timestamp, TopicIdPartition};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tempfile::TempDir;
use uuid::Uuid;

/// The current time, unless a test changes it.
pub const NOW: Timestamp = 1_700_000_000_000;

/// A batch of `count` records written at NOW.
pub fn batch(count: usize) -> Batch {
    let mut builder = BatchBuilder::new(0, Compression::Uncompressed);
    for n in 0..count {
        builder.append(NOW, None, Some(format!("value {n}").as_bytes()), &[]);
    }
    builder.build()
}

/// Broker 1, with its metadata.
pub struct Cluster {
    pub replicas: Arc<Replicas>,
    pub images: ArcSwap<Image>,
    pub clock: Arc<AtomicI64>,
    loader: Loader,
    pub config: LiveConfig,
    disk: Disk,
    pub dir: TempDir,
}

impl Cluster {
    pub fn new() -> Cluster {
        Cluster::on(Disk::Os)
    }

    pub fn on(disk: Disk) -> Cluster {
        Cluster::with_dirs(disk, &["data"])
    }

    /// A broker with several log directories of these names in `dir`.
    pub fn with_dirs(disk: Disk, names: &[&str]) -> Cluster {
        let dir = TempDir::new().unwrap();
        let log_dirs = names.iter().map(|name| dir.path().join(name).to_str().unwrap().to_owned());
        let log_dirs = log_dirs.collect::<Vec<_>>().join(",");
        let properties = [("node.id", "1"), ("log.dirs", log_dirs.as_str())];
        let properties: BTreeMap<String, String> =
            properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let config = LiveConfig::from(Config::new(properties).unwrap());
        let clock = Arc::new(AtomicI64::new(NOW));
        let images = ArcSwap::default();
        let replicas = open(&disk, &config, &clock);
        let loader = Loader::new("a cluster");
        let mut cluster = Cluster { replicas, images, clock, loader, config, disk, dir };
        cluster.publish();
        cluster
    }

    /// Opens everything again, as after the process ended.
    pub fn restart(&mut self) {
        let idle = LiveConfig::from(Config::new(self.idle_properties()).unwrap());
        // The old replicas hold the lock on the log directory, so they must be dropped first.
        self.replicas = open(&self.disk, &idle, &self.clock);
        self.replicas = open(&self.disk, &self.config, &self.clock);
        self.publish();
    }

    fn idle_properties(&self) -> BTreeMap<String, String> {
        let log_dir = self.dir.path().join("idle").to_str().unwrap().to_owned();
        [("node.id".to_owned(), "1".to_owned()), ("log.dirs".to_owned(), log_dir)].into()
    }

    pub fn partition(&self, topic_id: Uuid, partition: i32) -> Arc<Partition> {
        self.replicas.partition(TopicIdPartition { topic_id, partition }).unwrap()
    }

    /// Creates a topic with this broker as the only replica of each partition.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Uuid {
        let topic_id = Uuid::new_v4();
        self.write(MetadataRecord::Topic(TopicRecord { name: name.to_owned(), topic_id }));
        for partition_id in 0..partitions {
            self.write(MetadataRecord::Partition(PartitionRecord {
                partition_id,
                topic_id,
                replicas: vec![1],
                isr: vec![1],
                leader: 1,
                leader_epoch: 0,
                partition_epoch: 0,
                ..PartitionRecord::default()
            }));
        }
        self.publish();
        topic_id
    }

    pub fn delete_topic(&mut self, topic_id: Uuid) {
        self.forget_topic(topic_id);
        self.publish();
    }

    /// Deletes the topic without telling the broker yet.
    pub fn forget_topic(&mut self, topic_id: Uuid) {
        self.write(MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id }));
    }

    pub fn change(
        &mut self,
        topic_id: Uuid,
        partition_id: i32,
        change: impl FnOnce(&mut PartitionChangeRecord),
    ) {
        let mut record =
            PartitionChangeRecord { topic_id, partition_id, ..PartitionChangeRecord::default() };
        change(&mut record);
        self.write(MetadataRecord::PartitionChange(record));
        self.publish();
    }

    pub fn configure(&mut self, topic: &str, name: &str, value: &str) {
        self.write_config(TOPIC_CONFIG, topic, name, value);
    }

    /// Sets a default of all brokers.
    pub fn configure_broker(&mut self, name: &str, value: &str) {
        self.write_config(BROKER_CONFIG, "", name, value);
    }

    pub fn write_config(
        &mut self,
        resource_type: i8,
        resource_name: &str,
        name: &str,
        value: &str,
    ) {
        self.write(MetadataRecord::Config(ConfigRecord {
            resource_type,
            resource_name: resource_name.to_owned(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
        }));
        self.publish();
    }

    /// Registers a broker in this epoch, in a rack of its own, with the listener `CLIENTS`.
    pub fn register(&mut self, broker_id: BrokerId, broker_epoch: i64, fenced: bool) {
        let (name, host) = ("CLIENTS".to_owned(), "localhost".to_owned());
        let record = RegisterBrokerRecord {
            broker_id,
            broker_epoch,
            fenced,
            rack: Some(format!("rack {broker_id}")),
            end_points: vec![BrokerEndpoint { name, host, ..BrokerEndpoint::default() }],
            ..RegisterBrokerRecord::default()
        };
        self.write(MetadataRecord::RegisterBroker(record));
    }

    /// Fences a broker or lets it run, or tells that it is about to stop.
    pub fn change_broker(&mut self, id: BrokerId, epoch: i64, fenced: i8, stopping: i8) {
        let record = BrokerRegistrationChangeRecord {
            broker_id: id,
            broker_epoch: epoch,
            fenced,
            in_controlled_shutdown: stopping,
            ..BrokerRegistrationChangeRecord::default()
        };
        self.write(MetadataRecord::BrokerRegistrationChange(record));
    }

    /// Lets the controller process the reported log directories.
    pub fn assign(&mut self) {
        let newest = features::NEWEST_METADATA_VERSION;
        let Some(request) = self.replicas.next_assignments(1, newest) else { return };
        for directory in request.directories {
            for topic in directory.topics {
                for partition in topic.partitions {
                    self.write(MetadataRecord::PartitionChange(PartitionChangeRecord {
                        topic_id: topic.topic_id,
                        partition_id: partition.partition_index,
                        directories: Some(vec![directory.id]),
                        ..PartitionChangeRecord::default()
                    }));
                }
            }
        }
        self.publish();
    }

    pub fn write(&mut self, record: MetadataRecord) {
        self.loader.replay(&record).unwrap();
    }

    /// Lets the broker see what was written.
    pub fn publish(&mut self) {
        let published = self.loader.take();
        let (config, _) = published.image.broker_config(&self.config.get());
        self.config.set(config);
        self.replicas.apply(&published.image, &published.delta).unwrap();
        self.images.store(published.image);
    }
}

fn open(disk: &Disk, config: &LiveConfig, clock: &Arc<AtomicI64>) -> Arc<Replicas> {
    let mut logs = LogManager::open(disk.clone(), config).unwrap();
    logs.claim().unwrap();
    logs.unmark().unwrap();
    logs.format("a cluster", 1).unwrap();
    Replicas::new(config.clone(), Clock::Manual(Arc::clone(clock)), logs)
}
