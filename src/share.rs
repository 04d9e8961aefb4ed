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

mod acknowledge;
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
use crate::error::Result;
use crate::metadata::features::SHARE_VERSION;
use crate::metadata::{Delta, Image};
use crate::peers::Peers;
use crate::replica::Replicas;
use crate::sync::{lock, read, write};
use crate::types::{NO_EPOCH, TopicIdPartition};
pub use acknowledge::Acknowledging;
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
use std::mem;
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
        peers: Arc<Peers>,
        topics: Arc<InternalTopics>,
    ) -> Arc<SharePartitions> {
        let dead_letters = DeadLetters::new(
            config.clone(),
            clock.clone(),
            image.clone(),
            replicas.clone(),
            peers,
            topics,
        );
        let sessions = config.get().group_share_max_share_sessions.max(0) as usize;
        Arc::new(SharePartitions {
            config,
            image,
            replicas,
            tools: Arc::new(Tools {
                clock,
                persister,
                dead_letters,
                locks: Locks::new(),
                dropped: Mutex::default(),
            }),
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
            let stays = has_groups && led.is_led() && !led.is_dropped();
            if !stays {
                led.drop_now();
            }
            stays
        });
    }

    /// Ends the locks of acquired records in time. One task runs this.
    pub async fn keep_time(&self) {
        self.tools.locks.keep_time(&self.tools.clock, Led::expire).await;
    }

    /// The sessions of all members.
    pub fn sessions(&self) -> MutexGuard<'_, ShareSessions> {
        lock(&self.sessions)
    }

    /// The settings of a group.
    pub fn settings(&self, group: &str) -> GroupSettings {
        GroupSettings::of(group, &self.image.load(), &self.config.get())
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
        let of_group = of_group(&key.group);
        for led in partitions.iter().filter_map(|id| self.find(&of_group, *id)) {
            led.release(&key.member);
        }
        if !self.sessions().has_group(&key.group) {
            let of_group: Vec<_> = read(&self.led)
                .range(of_group..)
                .take_while(|(at, _)| at.group() == &*key.group)
                .map(|(_, led)| Arc::clone(led))
                .collect();
            of_group.iter().for_each(|led| led.leave());
        }
        self.forget_dropped();
    }

    /// Removes what has been dropped, at once or when its last write was done.
    fn forget_dropped(&self) {
        let dropped = mem::take(&mut *lock(&self.tools.dropped));
        if !dropped.is_empty() {
            let mut all = write(&self.led);
            for key in dropped {
                if all.get(&key).is_some_and(|led| led.is_dropped()) {
                    all.remove(&key);
                }
            }
        }
    }

    fn find(&self, of_group: &SharePartitionKey, id: TopicIdPartition) -> Option<Arc<Led>> {
        read(&self.led).get(&of_group.with_partition(id.topic_id, id.partition)).cloned()
    }

    /// The share partition of a group, which is opened if it is not known. UNKNOWN_TOPIC_ID,
    /// UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER or KAFKA_STORAGE_ERROR.
    fn led(
        &self,
        of_group: &SharePartitionKey,
        id: TopicIdPartition,
        settings: &GroupSettings,
    ) -> Result<Arc<Led>> {
        let usable = self.find(of_group, id).filter(|led| led.is_usable());
        if let Some(led) = usable {
            return Ok(led);
        }
        let image = self.image.load();
        let topic = image.topics.by_id(id.topic_id).ok_or(ResponseError::UnknownTopicId)?;
        if topic.partition(id.partition).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition.into());
        }
        let log = self.replicas.leader(id, NO_EPOCH)?;
        self.forget_dropped();
        let key = of_group.with_partition(id.topic_id, id.partition);
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

/// The first key that a share partition of a group could have, from which the others are made.
fn of_group(group: &Arc<str>) -> SharePartitionKey {
    SharePartitionKey::new(Arc::clone(group), Uuid::nil(), i32::MIN)
}
