//! A share partition: a partition as a share group sees it (SharePartitionKey).

use crate::types::{uuid_from_text, uuid_to_text};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// A partition as a share group sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharePartitionKey {
    /// `group.id`.
    pub group: Arc<str>,
    /// The id of the topic.
    pub topic_id: Uuid,
    /// The index of the partition.
    pub partition: i32,
}

impl SharePartitionKey {
    /// Reads `group:topic id:partition`, where the group may contain colons; None if it is not valid.
    pub fn parse(text: &str) -> Option<SharePartitionKey> {
        // As in Kafka, colons at the end do not matter.
        let mut parts = text.trim_end_matches(':').rsplitn(3, ':');
        let partition = parts.next()?.parse().ok()?;
        let topic_id = uuid_from_text(parts.next()?)?;
        let group = parts.next().filter(|group| !group.trim().is_empty())?;
        Some(SharePartitionKey { group: group.into(), topic_id, partition })
    }
}

/// `group:topic id:partition`, which places it in a partition of `__share_group_state`.
impl fmt::Display for SharePartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.group, uuid_to_text(self.topic_id), self.partition)
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
            assert_eq!((&*key.group, key.partition), (group, 0));
            assert_eq!(key.to_string(), text);
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
