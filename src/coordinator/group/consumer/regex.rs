//! Subscriptions by regular expression. The topics that match are looked up aside, after the
//! heartbeat that brought the expression was answered, and written down: a replay does not need to
//! match again (GroupMetadataManager.maybeUpdateRegularExpressions, TopicRegexResolver).

use super::super::GroupId;
use super::super::outcome::Outcome;
use super::super::record::Record;
use super::super::shard::Shard;
use super::super::timers::Timer;
use super::heartbeat::{Change, Subscribed, refuse};
use super::{ConsumerGroup, Resolved};
use crate::coordinator::pattern::Pattern;
use crate::error::Result;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

/// All expressions of a group are looked up at once, and not more often than this.
const MIN_REFRESH_INTERVAL_MS: i64 = 10_000;

impl Shard {
    /// Follows a member from one expression to another, and has expressions looked up if it is
    /// time.
    pub(super) fn subscribe_by_regex(&mut self, change: &mut Change) -> Result<Subscribed> {
        let group = change.group.clone();
        let new = change.updated.regex();
        let changed = change.updated.topic_regex != change.member.topic_regex;
        let mut bumps_epoch = false;
        let mut is_new = false;
        if changed {
            for unused in group.regexes_without(&[&change.member], Some(&change.updated)) {
                change.records.push(Record::consumer_regex(&group.id, unused, None));
            }
            match new {
                Some(regex) if group.subscribers_by(regex) == 0 => {
                    check(regex)?;
                    is_new = true;
                }
                // Until it is resolved there is nothing to assign.
                Some(regex) => bumps_epoch = group.resolved().contains_key(regex),
                None => bumps_epoch = change.member.regex().is_some(),
            }
        }
        if is_new || self.should_refresh(change.now, &group, change) {
            let timer = Timer::Regexes(group.id.clone());
            if !self.timers.is_set(&timer) && self.may_refresh(change.now, &group) {
                self.timers.set(timer, change.now);
            }
        }
        Ok(Subscribed { changed, bumps_epoch })
    }

    fn may_refresh(&self, now: Timestamp, group: &ConsumerGroup) -> bool {
        last_refresh(group).is_none_or(|(at, _)| now > at + MIN_REFRESH_INTERVAL_MS)
    }

    /// Something is not resolved, or topics were made since, or it was long ago.
    fn should_refresh(&self, now: Timestamp, group: &ConsumerGroup, change: &Change) -> bool {
        if !group.uses_regexes() {
            return false;
        }
        let regexes = group.regexes_after(&change.member, &change.updated);
        let interval_ms = i64::from(self.config.group_consumer_regex_refresh_interval_ms);
        let is_outdated = match last_refresh(group) {
            None => true,
            Some((at, version)) => version < self.topics_made_at || now > at + interval_ms,
        };
        !regexes.is_empty() && (regexes.len() != group.resolved().len() || is_outdated)
    }

    /// Looks up the expressions of a group.
    pub(in super::super) fn resolve_regexes(&mut self, now: Timestamp, id: &GroupId) -> Outcome {
        let Ok(group) = self.consumer(id).cloned() else { return Outcome::answer(()) };
        let mut resolved = ConsumerGroup::clone(&group);
        let mut records = Vec::new();
        let mut bump = false;
        for regex in group.regexes() {
            let topics = match Pattern::compile(regex) {
                Ok(pattern) => {
                    let names = self.image.topics.iter().map(|topic| &*topic.name);
                    names.filter(|name| pattern.is_match(name)).map(str::to_owned).collect()
                }
                // It was checked when it came; this is another broker's.
                Err(reason) => {
                    tracing::error!(group = &**id, regex, reason, "expression ignored");
                    BTreeSet::new()
                }
            };
            let before = group.resolved().get(regex);
            bump |= match before {
                Some(before) => before.topics != topics,
                None => !topics.is_empty(),
            };
            let found = Resolved { topics, version: self.image.offset, timestamp: now };
            records.push(Record::consumer_regex(id, regex, Some(&found)));
            resolved.set_resolved(regex, Some(found));
        }
        let hash = self.topic_hashes.of_all(&self.image, resolved.topic_names());
        if bump || hash != group.metadata_hash {
            let epoch = group.epoch + 1;
            records.push(Record::consumer_epoch(id, epoch, hash));
            tracing::info!("group {id} moves to epoch {epoch}: its expressions match other topics");
        }
        Outcome::replay(records, ())
    }
}

/// When the expressions were last looked up, and in which image.
fn last_refresh(group: &ConsumerGroup) -> Option<(Timestamp, i64)> {
    group.resolved().values().next().map(|resolved| (resolved.timestamp, resolved.version))
}

fn check(regex: &str) -> Result<()> {
    Pattern::compile(regex).map(drop).or_else(|reason| {
        let message =
            format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.");
        refuse(ResponseError::InvalidRegularExpression, message)
    })
}
