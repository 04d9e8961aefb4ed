//! Subscriptions by regular expression. The heartbeat that brings an expression does not wait for
//! its topics: a timer resolves it afterwards and writes the topics down, so that a replay need not
//! match again (GroupMetadataManager.maybeUpdateRegularExpressions, TopicRegexResolver).

use super::heartbeat::{Change, Subscribed};
use super::{ConsumerGroup, ConsumerOutcome, Resolved};
use crate::coordinator::group::modern::refuse;
use crate::coordinator::group::record::Record;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::turn::Turn;
use crate::coordinator::pattern::Pattern;
use crate::error::Result;
use crate::types::Timestamp;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeSet;

/// The least time between two resolutions. All expressions of a group are resolved together.
const MIN_REFRESH_INTERVAL_MS: i64 = 10_000;

impl Change<'_> {
    /// Moves a member from one expression to another, and has expressions resolved if it is time.
    pub fn subscribe_by_regex(&mut self, turn: &mut Turn<'_>) -> Result<Subscribed> {
        let group = self.group;
        let new = self.updated.regex();
        let changed = self.updated.own.topic_regex != self.member.own.topic_regex;
        let mut bumps_epoch = false;
        let mut is_new = false;
        if changed {
            for unused in group.regexes_without(&[&self.member], Some(&self.updated)) {
                self.records.push(Record::consumer_regex(&group.id, unused, None));
            }
            match new {
                Some(regex) if group.subscribers_by(regex) == 0 => {
                    check(regex)?;
                    is_new = true;
                }
                // Until it is resolved there is nothing to assign.
                Some(regex) => bumps_epoch = group.resolved().contains_key(regex),
                None => bumps_epoch = self.member.regex().is_some(),
            }
        }
        if is_new || self.should_refresh(turn) {
            let timer = Timer::Regexes(group.id.clone());
            if !turn.timers.is_set(&timer) && may_refresh(turn.now, group) {
                turn.set_timer(timer, 0);
            }
        }
        Ok(Subscribed { changed, bumps_epoch })
    }

    /// Whether an expression is unresolved, or topics were created since, or the last resolution is
    /// old.
    fn should_refresh(&self, turn: &Turn<'_>) -> bool {
        let group = self.group;
        if group.regexes().next().is_none() {
            return false;
        }
        let regexes = group.regexes_after(&self.member, &self.updated);
        let interval_ms = i64::from(turn.config.group_consumer_regex_refresh_interval_ms);
        let is_outdated = match last_refresh(group) {
            None => true,
            Some((at, version)) => version < turn.topics_made_at || turn.now > at + interval_ms,
        };
        !regexes.is_empty() && (regexes.len() != group.resolved().len() || is_outdated)
    }
}

impl ConsumerGroup {
    /// Resolves the expressions of the group.
    pub fn resolve_regexes(&self, turn: &mut Turn<'_>) -> ConsumerOutcome {
        let mut own = self.own.clone();
        let mut records = Vec::new();
        let mut bump = false;
        for regex in self.regexes() {
            let topics = match Pattern::compile(regex) {
                Ok(pattern) => {
                    let names = turn.image.topics.iter().map(|topic| &*topic.name);
                    names.filter(|name| pattern.is_match(name)).map(str::to_owned).collect()
                }
                // It was checked when it came, so another broker accepted it.
                Err(reason) => {
                    tracing::error!(
                        group = &*self.id,
                        regex,
                        reason,
                        "invalid regular expression; it matches no topics"
                    );
                    BTreeSet::new()
                }
            };
            let before = self.resolved().get(regex);
            bump |= match before {
                Some(before) => before.topics != topics,
                None => !topics.is_empty(),
            };
            let found = Resolved { topics, version: turn.image.offset, timestamp: turn.now };
            records.push(Record::consumer_regex(&self.id, regex, Some(&found)));
            own.set_resolved(regex, Some(found));
        }
        let hash = turn.topic_hashes.of_all(turn.image, own.topic_names());
        if bump || hash != self.metadata_hash {
            let (id, epoch) = (&self.id, self.epoch + 1);
            records.push(Record::consumer_epoch(id, epoch, hash));
            tracing::info!("group {id} moves to epoch {epoch}: its expressions match other topics");
        }
        ConsumerOutcome::replay(records, ())
    }
}

fn may_refresh(now: Timestamp, group: &ConsumerGroup) -> bool {
    last_refresh(group).is_none_or(|(at, _)| now > at + MIN_REFRESH_INTERVAL_MS)
}

/// When the expressions were last resolved, and with which image.
fn last_refresh(group: &ConsumerGroup) -> Option<(Timestamp, i64)> {
    group.resolved().values().next().map(|resolved| (resolved.timestamp, resolved.version))
}

fn check(regex: &str) -> Result<()> {
    Pattern::compile(regex).map(drop).or_else(|reason| {
        let message = format!("SubscribedTopicRegex `{regex}` cannot be compiled: {reason}.");
        refuse(ResponseError::InvalidRegularExpression, message)
    })
}
