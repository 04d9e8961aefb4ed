//! The share partitions led here (SharePartitionManager): they let the members of share groups
//! fetch records and acknowledge them.
//!
//! ```text
//! SharePartitions  one method per API; sessions; finds share partitions
//!   fetch          waits until there is something to acquire, reads it (reading) and acquires it
//!   Led            a share partition: opened once, changed under its lock, written in order
//!     SharePartition   (partition) who has which records; sync, takes `now`
//!   ShareSessions  (session) what each member fetches
//!   Locks          the time of all acquired records
//!   DeadLetters    what becomes of records that a group gives up
//! ```

mod dead_letters;
mod fetch;
mod led;
mod locks;
mod partition;
mod reading;
mod session;
mod settings;

use crate::clock::Clock;
use crate::config::LiveConfig;
use crate::coordinator::Persister;
use crate::coordinator::internal_topics::InternalTopics;
use crate::coordinator::share::SharePartitionKey;
use crate::error::{Error, Result};
use crate::metadata::features::SHARE_VERSION;
use crate::metadata::{Delta, Image};
use crate::replica::Replicas;
use crate::sync::{lock, read, write};
use crate::types::{NO_EPOCH, TopicIdPartition};
use arc_swap::ArcSwap;
use dead_letters::DeadLetters;
pub use fetch::{Delivered, ShareFetch};
use kafka_protocol::error::ResponseError;
use led::{Led, Tools};
use locks::Locks;
pub use partition::{Acknowledgement, AcquireMode, Acquired, check_acknowledgements};
pub use session::{Accepted, ConnectionId, SessionKey, SessionRequest, ShareSessions, Told};
pub use settings::GroupSettings;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use uuid::Uuid;

/// All share partitions that this broker leads, and the sessions of those who fetch from them.
#[derive(Debug)]
pub struct SharePartitions {
    config: LiveConfig,
    image: Arc<ArcSwap<Image>>,
    replicas: Arc<Replicas>,
    tools: Arc<Tools>,
    sessions: Mutex<ShareSessions>,
    led: RwLock<BTreeMap<SharePartitionKey, Arc<Led>>>,
}

impl SharePartitions {
    /// None yet; members bring them by fetching.
    pub fn new(
        config: LiveConfig,
        clock: Clock,
        image: Arc<ArcSwap<Image>>,
        replicas: Arc<Replicas>,
        persister: Arc<Persister>,
        topics: Arc<InternalTopics>,
    ) -> Arc<SharePartitions> {
        let dead_letters = DeadLetters::new(
            config.clone(),
            clock.clone(),
            image.clone(),
            replicas.clone(),
            topics,
        );
        let sessions = config.get().group_share_max_share_sessions.max(0) as usize;
        Arc::new(SharePartitions {
            config,
            image,
            replicas,
            tools: Arc::new(Tools { clock, persister, dead_letters, locks: Locks::default() }),
            sessions: Mutex::new(ShareSessions::new(sessions)),
            led: RwLock::default(),
        })
    }

    /// Drops the share partitions that this broker does not lead any more, and all if the cluster
    /// has given up share groups. Call it after `Replicas::apply`.
    pub fn apply(&self, image: &Image, delta: &Delta) {
        let has_groups = image.feature(SHARE_VERSION) > 0;
        let has_changed = !delta.changed_topics.is_empty() || !delta.deleted_topics.is_empty();
        if has_groups && !has_changed {
            return;
        }
        if !has_groups {
            self.sessions().clear();
        }
        write(&self.led).retain(|_, led| {
            let stays = has_groups && led.is_led();
            if !stays {
                led.drop_now();
            }
            stays
        });
    }

    /// Ends the locks of acquired records in time. One task runs this.
    pub async fn keep_time(&self) {
        self.tools.locks.keep_time(&self.tools.clock).await;
    }

    /// The sessions of all members.
    pub fn sessions(&self) -> MutexGuard<'_, ShareSessions> {
        lock(&self.sessions)
    }

    /// The settings of a group.
    pub fn settings(&self, group: &str) -> GroupSettings {
        GroupSettings::of(group, &self.image.load(), &self.config.get())
    }

    /// Carries out what a member says about its records, of each partition or nothing and the
    /// reason.
    pub async fn acknowledge(
        &self,
        key: &SessionKey,
        said: &[(TopicIdPartition, Vec<Acknowledgement<'_>>)],
        may_renew: bool,
    ) -> Vec<(TopicIdPartition, Result<()>)> {
        let settings = self.settings(&key.group);
        let image = self.image.load_full();
        let begun: Vec<_> = said
            .iter()
            .map(|(id, batches)| {
                let written =
                    self.begin_acknowledge(&image, key, *id, batches, &settings, may_renew);
                (*id, written)
            })
            .collect();
        let mut results = Vec::with_capacity(begun.len());
        for (id, written) in begun {
            let result = match written {
                Ok(Some(written)) => written.await.unwrap_or(Err(Error::Closed)),
                other => other.map(|_| ()),
            };
            results.push((id, result));
        }
        results
    }

    fn begin_acknowledge(
        &self,
        image: &Image,
        key: &SessionKey,
        id: TopicIdPartition,
        batches: &[Acknowledgement],
        settings: &GroupSettings,
        may_renew: bool,
    ) -> Result<Option<led::Written>> {
        let Some(topic) = image.topics.by_id(id.topic_id) else {
            return Err(ResponseError::UnknownTopicId.into());
        };
        check_acknowledgements(batches, may_renew)?;
        if topic.partition(id.partition).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let led = self.find(&share_key(&key.group, id)).filter(|led| led.is_usable());
        match led {
            Some(led) => led.acknowledge(settings, &key.member, batches),
            None => Err(ResponseError::UnknownTopicOrPartition.into()),
        }
    }

    /// Ends a member's session, and gives back what it has. SHARE_SESSION_NOT_FOUND.
    pub fn end_session(&self, key: &SessionKey) -> Result<()> {
        let partitions = self.sessions().end(key)?;
        self.ended(key, &partitions);
        Ok(())
    }

    /// Ends the sessions of a connection that is closed.
    pub fn disconnected(&self, connection: ConnectionId) {
        let ended = self.sessions().disconnected(connection);
        for (key, partitions) in ended {
            self.ended(&key, &partitions);
        }
    }

    fn ended(&self, key: &SessionKey, partitions: &[TopicIdPartition]) {
        let of_group = SharePartitionKey::new(key.group.clone(), Uuid::nil(), 0);
        for id in partitions {
            if let Some(led) = self.find(&of_group.with_partition(id.topic_id, id.partition)) {
                led.release(&key.member);
            }
        }
        if !self.sessions().has_group(&key.group) {
            let first = SharePartitionKey::new(key.group.clone(), Uuid::nil(), i32::MIN);
            let of_group: Vec<_> = read(&self.led)
                .range(first..)
                .take_while(|(at, _)| at.group() == &*key.group)
                .map(|(_, led)| Arc::clone(led))
                .collect();
            of_group.iter().for_each(|led| led.leave());
        }
    }

    fn find(&self, key: &SharePartitionKey) -> Option<Arc<Led>> {
        read(&self.led).get(key).cloned()
    }

    /// The share partition of a group, which is opened if it is not known. UNKNOWN_TOPIC_ID,
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER or KAFKA_STORAGE_ERROR.
    fn led(
        &self,
        group: &Arc<str>,
        id: TopicIdPartition,
        settings: &GroupSettings,
    ) -> Result<Arc<Led>> {
        let key = share_key(group, id);
        if let Some(led) = self.find(&key).filter(|led| led.is_usable()) {
            return Ok(led);
        }
        let image = self.image.load();
        let topic = image.topics.by_id(id.topic_id).ok_or(ResponseError::UnknownTopicId)?;
        if topic.partition(id.partition).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        let log = self.replicas.leader(id, NO_EPOCH)?;
        let mut all = write(&self.led);
        if let Some(led) = all.get(&key).filter(|led| led.is_usable()) {
            return Ok(Arc::clone(led));
        }
        let led = Led::new(&self.tools, key.clone(), log);
        let old = all.insert(key, Arc::clone(&led));
        drop(all);
        if let Some(old) = old {
            old.drop_now();
        }
        led.open(*settings);
        Ok(led)
    }
}

fn share_key(group: &Arc<str>, id: TopicIdPartition) -> SharePartitionKey {
    SharePartitionKey::new(Arc::clone(group), id.topic_id, id.partition)
}
