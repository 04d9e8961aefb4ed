//! Replays records into an image, and writes the records that recreate one.

use super::delta::Changes;
use super::record::MetadataRecord;
use super::security::quota_entity;
use super::{BROKER_CONFIG, Broker, Image, TOPIC_CONFIG, features};
use crate::codec::schema::metadata::client_quota_record::EntityData;
use crate::codec::schema::metadata::*;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::types::BrokerId;
use std::sync::Arc;

impl Image {
    /// Applies one record (MetadataDelta.replay). An error means that we do not understand the log;
    /// the image must not be used afterwards.
    pub(super) fn replay(&mut self, record: &MetadataRecord, changes: &mut Changes) -> Result<()> {
        use MetadataRecord as R;
        match record {
            R::Topic(_)
            | R::Partition(_)
            | R::PartitionChange(_)
            | R::RemoveTopic(_)
            | R::ClearElr(_) => return self.replay_topic(record, changes),
            R::RegisterBroker(_)
            | R::UnregisterBroker(_)
            | R::FenceBroker(_)
            | R::UnfenceBroker(_)
            | R::BrokerRegistrationChange(_)
            | R::RegisterController(_)
            | R::UnregisterController(_) => return self.replay_cluster(record),
            R::AccessControlEntry(_)
            | R::RemoveAccessControlEntry(_)
            | R::UserScramCredential(_)
            | R::RemoveUserScramCredential(_)
            | R::DelegationToken(_)
            | R::RemoveDelegationToken(_)
            | R::ClientQuota(_) => self.replay_security(record),
            R::Config(record) => self.replay_config(record, changes),
            R::FeatureLevel(record) => return self.replay_feature(record),
            R::ProducerIds(record) => self.next_producer_id = record.next_producer_id,
            R::NoOp(_)
            | R::ZkMigrationState(_)
            | R::BeginTransaction(_)
            | R::EndTransaction(_)
            | R::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn replay_topic(&mut self, record: &MetadataRecord, changes: &mut Changes) -> Result<()> {
        match record {
            MetadataRecord::Topic(record) => {
                changes.topic_made(record.topic_id);
                self.topics.add(&record.name, record.topic_id)
            }
            MetadataRecord::Partition(record) => {
                changes.topic_changed(record.topic_id);
                self.topics.add_partition(record)
            }
            MetadataRecord::PartitionChange(record) => {
                changes.topic_changed(record.topic_id);
                self.topics.change_partition(record)
            }
            MetadataRecord::RemoveTopic(record) => {
                let topic = self.topics.remove(record.topic_id)?;
                if self.configs.remove(&(TOPIC_CONFIG, topic.name.to_string())).is_some() {
                    changes.config_changed(TOPIC_CONFIG, &topic.name);
                }
                changes.topic_deleted(topic);
                Ok(())
            }
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name, changes),
            _ => unreachable!("replay sends only these"),
        }
    }

    fn clear_elr(&mut self, topic_name: &str, changes: &mut Changes) -> Result<()> {
        let ids: Vec<_> = if topic_name.is_empty() {
            self.topics.iter().map(|topic| topic.id).collect()
        } else {
            let topic = self.topics.by_name(topic_name).ok_or_else(|| {
                Error::corrupt(format!("metadata log: no topic {topic_name} to clear"))
            })?;
            vec![topic.id]
        };
        for id in ids {
            if self.topics.clear_elr(id)? {
                changes.topic_changed(id);
            }
        }
        Ok(())
    }

    fn replay_cluster(&mut self, record: &MetadataRecord) -> Result<()> {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                self.brokers.insert(record.broker_id, Arc::new(Broker::from_record(record)));
            }
            MetadataRecord::UnregisterBroker(record) => {
                self.registered(record.broker_id, record.broker_epoch)?;
                self.brokers.remove(&record.broker_id);
            }
            MetadataRecord::FenceBroker(FenceBrokerRecord { id, epoch }) => {
                self.change_broker(&fencing(*id, *epoch, true))?;
            }
            MetadataRecord::UnfenceBroker(UnfenceBrokerRecord { id, epoch }) => {
                self.change_broker(&fencing(*id, *epoch, false))?;
            }
            MetadataRecord::BrokerRegistrationChange(record) => self.change_broker(record)?,
            MetadataRecord::RegisterController(record) => {
                self.controllers.insert(record.controller_id, Arc::new(record.clone()));
            }
            MetadataRecord::UnregisterController(record) => {
                self.controllers.remove(&record.controller_id);
            }
            _ => unreachable!("replay sends only these"),
        }
        Ok(())
    }

    fn registered(&self, id: BrokerId, epoch: i64) -> Result<&Arc<Broker>> {
        self.brokers.get(&id).filter(|broker| broker.epoch == epoch).ok_or_else(|| {
            Error::corrupt(format!("metadata log: no broker {id} with epoch {epoch}"))
        })
    }

    fn change_broker(&mut self, change: &BrokerRegistrationChangeRecord) -> Result<()> {
        let broker = self.registered(change.broker_id, change.broker_epoch)?.merge(change)?;
        self.brokers.insert(broker.id, Arc::new(broker));
        Ok(())
    }

    /// A broker's settings: those in the file of `config`, overridden by the metadata log's
    /// defaults for all brokers and then by its own. Overrides from an earlier image in `config`
    /// are ignored. The strings describe the dynamic values that were left out.
    pub fn broker_config(&self, config: &Config) -> (Config, Vec<String>) {
        let of_all = self.configs_of(BROKER_CONFIG, "");
        let own = self.configs_of(BROKER_CONFIG, &config.node_id.to_string());
        config.with_dynamic(&of_all, &own)
    }

    fn replay_config(&mut self, record: &ConfigRecord, changes: &mut Changes) {
        let resource = (record.resource_type, record.resource_name.clone());
        changes.config_changed(resource.0, &resource.1);
        let mut configs = (*self.configs_of(resource.0, &resource.1)).clone();
        match &record.value {
            Some(value) => configs.insert(record.name.clone(), value.clone()),
            None => configs.remove(&record.name),
        };
        if configs.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource, Arc::new(configs));
        }
    }

    fn replay_feature(&mut self, record: &FeatureLevelRecord) -> Result<()> {
        let FeatureLevelRecord { name, feature_level: level } = record;
        // KAFKA-18979: such records were written by mistake; a control record holds the level.
        if name == features::KRAFT_VERSION {
            return Ok(());
        }
        features::check_level(name, *level)?;
        if *level == 0 {
            self.features.remove(name);
        } else {
            self.features.insert(name.clone(), *level);
        }
        Ok(())
    }

    fn replay_security(&mut self, record: &MetadataRecord) {
        let security = &mut self.security;
        match record {
            MetadataRecord::AccessControlEntry(record) => {
                security.acls.insert(record.id, Arc::new(record.clone()));
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                security.acls.remove(&record.id);
            }
            MetadataRecord::UserScramCredential(record) => {
                let key = (record.mechanism, record.name.clone());
                security.scram.insert(key, Arc::new(record.clone()));
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                security.scram.remove(&(record.mechanism, record.name.clone()));
            }
            MetadataRecord::DelegationToken(record) => {
                let id = record.token_id.clone();
                security.delegation_tokens.insert(id, Arc::new(record.clone()));
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                security.delegation_tokens.remove(&record.token_id);
            }
            MetadataRecord::ClientQuota(record) => self.replay_quota(record),
            _ => unreachable!("replay sends only these"),
        }
    }

    fn replay_quota(&mut self, record: &ClientQuotaRecord) {
        let entity = quota_entity(record);
        let known = self.security.quotas.get(&entity);
        let mut quotas = known.map(|quotas| (**quotas).clone()).unwrap_or_default();
        if record.remove {
            quotas.remove(&record.key);
        } else {
            quotas.insert(record.key.clone(), record.value);
        }
        if quotas.is_empty() {
            self.security.quotas.remove(&entity);
        } else {
            self.security.quotas.insert(entity, Arc::new(quotas));
        }
    }

    /// The records that recreate this image, in the order of Kafka's snapshots
    /// (MetadataImage.write): features come first because they determine how to read the rest.
    pub(crate) fn to_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.feature_records()
            .chain(self.cluster_records())
            .chain(self.topic_records())
            .chain(self.config_records())
            .chain(self.quota_records())
            .chain(self.producer_ids_record())
            .chain(self.principal_records())
    }

    fn feature_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        let first = self.features.get_key_value(features::METADATA_VERSION);
        let others = self.features.iter().filter(|(name, _)| *name != features::METADATA_VERSION);
        first.into_iter().chain(others).map(|(name, level)| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: name.clone(),
                feature_level: *level,
            })
        })
    }

    fn cluster_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        let brokers = self.brokers.values();
        let brokers = brokers.map(|broker| MetadataRecord::RegisterBroker(broker.to_record()));
        let controllers = self.controllers.values();
        brokers.chain(controllers.map(|record| {
            MetadataRecord::RegisterController(RegisterControllerRecord::clone(record))
        }))
    }

    fn topic_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.topics.iter().flat_map(|topic| {
            let head = MetadataRecord::Topic(TopicRecord {
                name: topic.name.to_string(),
                topic_id: topic.id,
            });
            let partitions = topic.partitions.iter().zip(0..);
            std::iter::once(head).chain(partitions.map(|(partition, index)| {
                MetadataRecord::Partition(partition.to_record(topic.id, index))
            }))
        })
    }

    fn config_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.configs.iter().flat_map(|((resource_type, resource), configs)| {
            configs.iter().map(|(name, value)| {
                MetadataRecord::Config(ConfigRecord {
                    resource_type: *resource_type,
                    resource_name: resource.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                })
            })
        })
    }

    fn quota_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        self.security.quotas.iter().flat_map(|(entity, quotas)| {
            quotas.iter().map(|(key, value)| {
                let part = |(entity_type, entity_name): &(String, Option<String>)| EntityData {
                    entity_type: entity_type.clone(),
                    entity_name: entity_name.clone(),
                };
                MetadataRecord::ClientQuota(ClientQuotaRecord {
                    entity: entity.iter().map(part).collect(),
                    key: key.clone(),
                    value: *value,
                    remove: false,
                })
            })
        })
    }

    fn producer_ids_record(&self) -> Option<MetadataRecord> {
        (self.next_producer_id > 0).then(|| {
            MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: self.next_producer_id,
            })
        })
    }

    fn principal_records(&self) -> impl Iterator<Item = MetadataRecord> + '_ {
        let security = &self.security;
        let acls = security.acls.values();
        let acls = acls.map(|record| MetadataRecord::AccessControlEntry((**record).clone()));
        let scram = security.scram.values();
        let scram = scram.map(|record| MetadataRecord::UserScramCredential((**record).clone()));
        let tokens = security.delegation_tokens.values();
        let tokens = tokens.map(|record| MetadataRecord::DelegationToken((**record).clone()));
        acls.chain(scram).chain(tokens)
    }
}

fn fencing(id: BrokerId, epoch: i64, fenced: bool) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord {
        broker_id: id,
        broker_epoch: epoch,
        fenced: if fenced { 1 } else { -1 },
        ..Default::default()
    }
}
