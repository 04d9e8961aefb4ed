//! Our side of the fetch session with a leader (FetchSessionHandler): the leader remembers which
//! partitions are fetched and from where, so that a request names only what has changed.

use crate::codec::messages::FetchResponse;
use crate::codec::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use crate::replica::partition::Position;
use crate::types::{LeaderEpoch, TopicIdPartition};
use std::collections::{BTreeMap, BTreeSet};

/// What the leader was asked for in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The epoch in which it leads.
    pub epoch: LeaderEpoch,
    pub position: Position,
    pub max_bytes: i32,
}

/// The session. It begins with a request that names all partitions and has the epoch 0.
#[derive(Debug, Default)]
pub(super) struct LeaderSession {
    /// 0 before there is one.
    pub id: i32,
    /// The epoch of the next request.
    pub epoch: i32,
    asked: BTreeMap<TopicIdPartition, Asked>,
    /// What the leader must be told in the next request.
    news: BTreeSet<TopicIdPartition>,
    /// What the leader must forget with the next request.
    gone: BTreeSet<TopicIdPartition>,
}

impl LeaderSession {
    /// Whether the next request has to name all partitions.
    pub fn is_new(&self) -> bool {
        self.epoch == 0
    }

    /// Begins again; the leader drops the session that it may still have. The epoch is set back by
    /// `restart`.
    pub fn clear(&mut self) {
        self.asked.clear();
        self.news.clear();
        self.gone.clear();
    }

    /// The next request begins a new session. `is_known` tells whether the leader may still have
    /// the old one, which it then drops.
    pub fn restart(&mut self, is_known: bool) {
        self.epoch = 0;
        if !is_known {
            self.id = 0;
        }
    }

    /// Sets what is asked for in a partition; None if nothing is.
    pub fn set(&mut self, id: TopicIdPartition, asked: Option<Asked>) {
        match asked {
            Some(asked) => {
                if self.asked.insert(id, asked) != Some(asked) {
                    self.news.insert(id);
                }
                self.gone.remove(&id);
            }
            None => {
                if self.asked.remove(&id).is_some() {
                    self.gone.insert(id);
                }
                self.news.remove(&id);
            }
        }
    }

    /// What the last request asked for in a partition.
    pub fn asked(&self, id: &TopicIdPartition) -> Option<Asked> {
        self.asked.get(id).copied()
    }

    /// Whether there is nothing to ask for.
    pub fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.gone.is_empty()
    }

    /// What the next request names: partitions to fetch, partitions to forget.
    pub fn take_news(&mut self) -> (Vec<FetchTopic>, Vec<ForgottenTopic>) {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for id in std::mem::take(&mut self.news) {
            let Some(asked) = self.asked.get(&id) else { continue };
            let partition = FetchPartition::default()
                .with_partition(id.partition)
                .with_current_leader_epoch(asked.epoch)
                .with_fetch_offset(asked.position.offset)
                .with_last_fetched_epoch(asked.position.last_epoch)
                .with_log_start_offset(asked.position.log_start)
                .with_partition_max_bytes(asked.max_bytes);
            match topics.last_mut().filter(|topic| topic.topic_id == id.topic_id) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(
                    FetchTopic::default()
                        .with_topic_id(id.topic_id)
                        .with_partitions(vec![partition]),
                ),
            }
        }
        let mut forgotten: Vec<ForgottenTopic> = Vec::new();
        for id in std::mem::take(&mut self.gone) {
            match forgotten.last_mut().filter(|topic| topic.topic_id == id.topic_id) {
                Some(topic) => topic.partitions.push(id.partition),
                None => forgotten.push(
                    ForgottenTopic::default()
                        .with_topic_id(id.topic_id)
                        .with_partitions(vec![id.partition]),
                ),
            }
        }
        (topics, forgotten)
    }

    /// Goes on after an answer without an error. False if the answer does not fit the request; then
    /// the session begins again.
    pub fn accept(&mut self, response: &FetchResponse) -> bool {
        let topics = response.responses.iter();
        let ids = topics.flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(|partition| TopicIdPartition {
                topic_id: topic.topic_id,
                partition: partition.partition_index,
            })
        });
        let mut count = 0;
        let are_known = ids.inspect(|_| count += 1).all(|id| self.asked.contains_key(&id));
        let is_whole = !self.is_new() || count == self.asked.len();
        if !are_known || !is_whole {
            self.restart(true);
            return false;
        }
        match response.session_id {
            // The leader keeps no session for us.
            0 => self.restart(false),
            id if self.is_new() => (self.id, self.epoch) = (id, 1),
            _ => self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 },
        }
        true
    }
}
