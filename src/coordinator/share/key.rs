//! A share partition: a partition as a share group sees it (SharePartitionKey).

use crate::types::{java_hash, java_hash_on, uuid_from_text, uuid_to_text};
use std::sync::Arc;
use uuid::Uuid;

/// A partition as a share group sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharePartitionKey {
    group: Arc<str>,
    topic_id: Uuid,
    partition: i32,
    /// The hash of the group, which may have many share partitions and a long name.
    group_hash: i32,
}

impl SharePartitionKey {
    /// A partition of a topic, as the group `group.id` sees it.
    pub fn new(group: impl Into<Arc<str>>, topic_id: Uuid, partition: i32) -> SharePartitionKey {
        let group = group.into();
        let group_hash = java_hash(&group);
        SharePartitionKey { group, topic_id, partition, group_hash }
    }

    /// Another partition, as the same group sees it.
    pub fn with_partition(&self, topic_id: Uuid, partition: i32) -> SharePartitionKey {
        SharePartitionKey { topic_id, partition, ..self.clone() }
    }

    /// Reads `group:topic id:partition`, where the group may contain colons; None if it is not valid.
    pub fn parse(text: &str) -> Option<SharePartitionKey> {
        // As in Kafka, colons at the end do not matter.
        let mut parts = text.trim_end_matches(':').rsplitn(3, ':');
        let partition = parts.next()?.parse().ok()?;
        let topic_id = uuid_from_text(parts.next()?)?;
        let group = parts.next().filter(|group| !group.trim().is_empty())?;
        Some(SharePartitionKey::new(group, topic_id, partition))
    }

    /// `group.id`.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The id of the topic.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// The index of the partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Java's hash of the text that `parse` reads, which places the share partition in
    /// `__share_group_state`.
    pub fn java_hash(&self) -> i32 {
        let topic_id = uuid_to_text(self.topic_id);
        java_hash_on(self.group_hash, &format!(":{topic_id}:{}", self.partition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_end() {
        let id = "AAAAAAAAAAAAAAAAAAAAAQ";
        for (text, group) in [(format!("g:{id}:0"), "g"), (format!(":a:b:{id}:0"), ":a:b")] {
            let key = SharePartitionKey::parse(&text).unwrap();
            assert_eq!((key.group(), key.partition()), (group, 0));
            assert_eq!(key.java_hash(), java_hash(&text));
            let other = key.with_partition(Uuid::nil(), 7);
            let text = format!("{group}:{}:7", uuid_to_text(Uuid::nil()));
            assert_eq!(other, SharePartitionKey::parse(&text).unwrap());
        }
        let key = SharePartitionKey::parse(&format!("g:{id}:-1::")).unwrap();
        assert_eq!((key.topic_id, key.partition), (Uuid::from_u128(1), -1));
        for text in ["", "g", ":::", "g:0"] {
            assert_eq!(SharePartitionKey::parse(text), None, "{text}");
        }
        for text in [format!("{id}:0"), format!(" :{id}:0"), format!("g:{id}:x"), "g:x:0".into()] {
            assert_eq!(SharePartitionKey::parse(&text), None, "{text}");
        }
    }
}
