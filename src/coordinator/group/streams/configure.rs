//! Matches a topology with the existing topics: how many tasks each subtopology has, how many
//! partitions its internal topics need, and which of these topics are missing
//! (InternalTopicManager, RepartitionTopics, CopartitionedTopicsEnforcer, ChangelogTopics).

use super::topology::{Topology, unexpected};
use crate::codec::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::codec::messages::streams_group_heartbeat_response::Status;
use crate::codec::schema::group::streams_group_topology_value::{
    CopartitionGroup, Subtopology, TopicInfo,
};
use crate::coordinator::text;
use crate::error::{Error, Result};
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, BTreeSet};

/// The most topics that a message names.
const NAMED_TOPICS: usize = 3;

/// A status in a heartbeat's answer (StreamsGroupHeartbeatResponse.Status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusCode {
    /// The member runs an older topology than the group.
    StaleTopology,
    /// Topics that the application reads do not exist.
    MissingSourceTopics,
    /// Topics that are read together have different numbers of partitions.
    IncorrectlyPartitionedTopics,
    /// Repartition or changelog topics do not exist yet.
    MissingInternalTopics,
    /// A member asked for the whole application to be stopped.
    ShutdownApplication,
    /// The target assignment has not been made yet.
    AssignmentDelayed,
}

impl StatusCode {
    /// The number in the answer.
    pub fn code(self) -> i8 {
        match self {
            StatusCode::StaleTopology => 0,
            StatusCode::MissingSourceTopics => 1,
            StatusCode::IncorrectlyPartitionedTopics => 2,
            StatusCode::MissingInternalTopics => 3,
            StatusCode::ShutdownApplication => 4,
            StatusCode::AssignmentDelayed => 5,
        }
    }

    /// The status of an answer.
    pub fn with_detail(self, detail: &str) -> Status {
        Status::default().with_status_code(self.code()).with_status_detail(text(detail))
    }
}

/// A topology that has been matched with the topics (ConfiguredTopology).
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// Epoch of the topology.
    pub epoch: i32,
    /// The subtopologies by id; None if the topics do not allow them to run.
    pub subtopologies: Option<BTreeMap<String, ConfiguredSubtopology>>,
    /// What keeps the topology from running, if anything does.
    pub problem: Option<(StatusCode, String)>,
    /// The internal topics that are needed and do not exist.
    pub missing: BTreeMap<String, InternalTopic>,
}

impl Configured {
    /// Whether all topics are as they should be.
    pub fn is_ready(&self) -> bool {
        self.problem.is_none()
    }
}

/// A subtopology whose numbers are known (ConfiguredSubtopology).
#[derive(Clone, Debug, PartialEq)]
pub struct ConfiguredSubtopology {
    /// The number of its tasks, which is the largest number of partitions among its sources.
    pub tasks: i32,
    /// The topics that it reads and that others created.
    pub source_topics: BTreeSet<String>,
    /// The topics that it writes for another subtopology.
    pub repartition_sink_topics: BTreeSet<String>,
    /// The topics that it reads and another subtopology writes.
    pub repartition_source_topics: BTreeMap<String, InternalTopic>,
    /// The topics that its stores are restored from.
    pub state_changelog_topics: BTreeMap<String, InternalTopic>,
}

/// An internal topic that the group needs (ConfiguredInternalTopic).
#[derive(Clone, Debug, PartialEq)]
pub struct InternalTopic {
    /// The number of partitions.
    pub partitions: i32,
    /// The replication factor; 0 for the broker's default.
    pub replication_factor: i16,
    pub configs: BTreeMap<String, String>,
}

impl InternalTopic {
    /// The topic in the form of CreateTopics.
    pub fn creatable(&self, name: &str) -> CreatableTopic {
        let config = |(key, value): (&String, &String)| {
            CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
        };
        let replication_factor =
            if self.replication_factor == 0 { -1 } else { self.replication_factor };
        CreatableTopic::default()
            .with_name(text(name).into())
            .with_num_partitions(self.partitions)
            .with_replication_factor(replication_factor)
            .with_configs(self.configs.iter().map(config).collect())
    }
}

/// Why a topology does not run.
enum Refusal {
    /// The group continues with this status.
    Status(StatusCode, String),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Error(error)
    }
}

/// Matches `topology` with the topics of `image`. Fails if the topology makes no sense.
pub fn configure(topology: &Topology, image: &Image) -> Result<Configured> {
    let epoch = topology.epoch;
    match (Configuring { topology, image, decided: BTreeMap::new() }).run() {
        Ok(configured) => Ok(configured),
        Err(Refusal::Status(status, message)) => {
            let problem = Some((status, message));
            Ok(Configured { epoch, subtopologies: None, problem, missing: BTreeMap::new() })
        }
        Err(Refusal::Error(error)) => Err(error),
    }
}

fn invalid(message: String) -> Refusal {
    Refusal::Error(Error::Explained(ResponseError::StreamsInvalidTopology, message))
}

fn badly_partitioned(message: String) -> Refusal {
    Refusal::Status(StatusCode::IncorrectlyPartitionedTopics, message)
}

struct Configuring<'a> {
    topology: &'a Topology,
    image: &'a Image,
    /// The numbers of partitions that internal topics need.
    decided: BTreeMap<String, i32>,
}

impl<'a> Configuring<'a> {
    fn run(mut self) -> Result<Configured, Refusal> {
        self.check_source_topics()?;
        self.decide_repartition_topics()?;
        self.enforce_copartitioning()?;
        self.decide_changelog_topics()?;
        let mut subtopologies = BTreeMap::new();
        for subtopology in self.subtopologies() {
            subtopologies.insert(subtopology.subtopology_id.clone(), self.configured(subtopology)?);
        }
        let missing = self.missing(&subtopologies)?;
        let problem = (!missing.is_empty()).then(|| {
            let names = summary(missing.keys());
            (
                StatusCode::MissingInternalTopics,
                format!(
                    "These internal topics do not exist yet: \
                                                         {names}"
                ),
            )
        });
        let epoch = self.topology.epoch;
        Ok(Configured { epoch, subtopologies: Some(subtopologies), problem, missing })
    }

    fn subtopologies(&self) -> impl Iterator<Item = &'a Subtopology> + use<'a> {
        self.topology.subtopologies.values()
    }

    /// The number of partitions that a topic has or needs.
    fn partitions(&self, topic: &str) -> Option<i32> {
        match self.image.topics.by_name(topic) {
            Some(topic) => i32::try_from(topic.partitions.len()).ok(),
            None => self.decided.get(topic).copied(),
        }
    }

    fn check_source_topics(&self) -> Result<(), Refusal> {
        let sources = self.subtopologies().flat_map(|subtopology| &subtopology.source_topics);
        let missing: BTreeSet<&String> =
            sources.filter(|topic| self.image.topics.by_name(topic).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Source topics {} are missing.", summary(missing.into_iter()));
        Err(Refusal::Status(StatusCode::MissingSourceTopics, message))
    }

    /// A repartition topic without a number of its own gets that of the widest source of the
    /// subtopology that writes it. Subtopologies feed each other, so this is repeated until all
    /// numbers are known.
    fn decide_repartition_topics(&mut self) -> Result<(), Refusal> {
        let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
        let sources =
            || self.subtopologies().flat_map(|subtopology| &subtopology.repartition_source_topics);
        counts.extend(sources().filter(|t| t.partitions != 0).map(|t| (&*t.name, t.partitions)));
        loop {
            let (mut unknown, mut progress) = (false, false);
            for subtopology in self.subtopologies() {
                for sink in &subtopology.repartition_sink_topics {
                    if counts.contains_key(sink.as_str()) {
                        continue;
                    }
                    match self.widest_source(subtopology, &counts) {
                        Some(count) => {
                            counts.insert(sink, count);
                            progress = true;
                        }
                        None => unknown = true,
                    }
                }
            }
            if !unknown {
                break;
            }
            if !progress {
                return Err(invalid(
                    "The partition counts of the repartition topics depend on each other in a \
                     circle."
                        .to_owned(),
                ));
            }
        }
        if sources().any(|topic| !counts.contains_key(topic.name.as_str())) {
            return Err(invalid(
                "A repartition topic is read by a subtopology and written by none, so it has no \
                 partition count."
                    .to_owned(),
            ));
        }
        self.decided = counts.into_iter().map(|(topic, count)| (topic.to_owned(), count)).collect();
        Ok(())
    }

    fn widest_source(
        &self,
        subtopology: &Subtopology,
        counts: &BTreeMap<&str, i32>,
    ) -> Option<i32> {
        let repartition = subtopology.repartition_source_topics.iter();
        let repartition = repartition.filter_map(|topic| counts.get(topic.name.as_str()).copied());
        let sources = subtopology.source_topics.iter().filter_map(|topic| self.partitions(topic));
        repartition.chain(sources).max()
    }

    /// Topics that are joined need equal numbers of partitions; numbers that are still free are
    /// adapted.
    fn enforce_copartitioning(&mut self) -> Result<(), Refusal> {
        let sources =
            self.subtopologies().flat_map(|subtopology| &subtopology.repartition_source_topics);
        let (fixed, flexible): (Vec<&TopicInfo>, Vec<&TopicInfo>) =
            sources.partition(|topic| topic.partitions != 0);
        let names = |topics: Vec<&'a TopicInfo>| -> BTreeSet<&'a str> {
            topics.into_iter().map(|topic| topic.name.as_str()).collect()
        };
        let (fixed, flexible) = (names(fixed), names(flexible));
        for subtopology in self.subtopologies() {
            for group in &subtopology.copartition_groups {
                let topics = copartitioned(subtopology, group)?;
                if topics.is_empty() {
                    continue;
                }
                let counts = self.copartition(&topics, &fixed, &flexible)?;
                self.decided.extend(counts);
            }
        }
        Ok(())
    }

    fn copartition(
        &self,
        topics: &BTreeSet<&str>,
        fixed: &BTreeSet<&str>,
        flexible: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, i32>, Refusal> {
        let mut repartition: BTreeMap<&str, i32> = BTreeMap::new();
        let mut others: BTreeMap<&str, i32> = BTreeMap::new();
        for topic in topics {
            let count = self.partitions_or_fail(topic)?;
            match fixed.contains(topic) || flexible.contains(topic) {
                true => repartition.insert(topic, count),
                false => others.insert(topic, count),
            };
        }
        let count = if !others.is_empty() {
            same_count(&others, &others)?
        } else if fixed.is_empty() {
            repartition.values().copied().max().unwrap_or(0)
        } else {
            // As in Kafka, these are all fixed topics of the topology, not only those of this
            // group.
            let mut all: BTreeMap<&str, i32> = BTreeMap::new();
            for topic in fixed {
                all.insert(topic, self.partitions_or_fail(topic)?);
            }
            same_count(&all, &repartition)?
        };
        let differing = repartition.iter().find(|&(t, &had)| fixed.contains(t) && had != count);
        if let Some((topic, had)) = differing {
            return Err(badly_partitioned(format!(
                "Repartition topic {topic} has {had} partitions, its source topic {count}."
            )));
        }
        Ok(repartition.into_keys().map(|topic| (topic.to_owned(), count)).collect())
    }

    fn decide_changelog_topics(&mut self) -> Result<(), Refusal> {
        let mut changelogs = BTreeMap::new();
        for subtopology in self.subtopologies() {
            let Some(widest) = self.widest(subtopology)? else {
                let id = &subtopology.subtopology_id;
                return Err(invalid(format!("Subtopology {id} reads no topic")));
            };
            for topic in &subtopology.state_changelog_topics {
                changelogs.insert(topic.name.clone(), widest);
            }
        }
        self.decided.extend(changelogs);
        Ok(())
    }

    fn widest(&self, subtopology: &Subtopology) -> Result<Option<i32>, Refusal> {
        let repartition = subtopology.repartition_source_topics.iter().map(|topic| &topic.name);
        let sources = subtopology.source_topics.iter().chain(repartition);
        let mut widest = None;
        for topic in sources {
            widest = widest.max(Some(self.partitions_or_fail(topic)?));
        }
        Ok(widest)
    }

    fn partitions_or_fail(&self, topic: &str) -> Result<i32, Refusal> {
        let unknown = || unexpected(&format!("Topic {topic} has no partition count"));
        Ok(self.partitions(topic).ok_or_else(unknown)?)
    }

    fn configured(&self, of: &Subtopology) -> Result<ConfiguredSubtopology, Refusal> {
        let mut internal = [BTreeMap::new(), BTreeMap::new()];
        let topics = [&of.repartition_source_topics, &of.state_changelog_topics];
        for (configured, topics) in internal.iter_mut().zip(topics) {
            for topic in topics {
                configured.insert(topic.name.clone(), self.internal_topic(topic)?);
            }
        }
        let [repartition_source_topics, state_changelog_topics] = internal;
        Ok(ConfiguredSubtopology {
            tasks: self.widest(of)?.unwrap_or(0),
            source_topics: of.source_topics.iter().cloned().collect(),
            repartition_sink_topics: of.repartition_sink_topics.iter().cloned().collect(),
            repartition_source_topics,
            state_changelog_topics,
        })
    }

    fn internal_topic(&self, topic: &TopicInfo) -> Result<InternalTopic, Refusal> {
        let partitions = match topic.partitions {
            0 => self.decided.get(&topic.name).copied().unwrap_or(0),
            count => count,
        };
        if partitions < 1 {
            return Err(unexpected("A topic needs a partition.").into());
        }
        let configs = topic.topic_configs.iter();
        Ok(InternalTopic {
            partitions,
            replication_factor: topic.replication_factor,
            configs: configs.map(|of| (of.key.clone(), of.value.clone())).collect(),
        })
    }

    fn missing(
        &self,
        subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    ) -> Result<BTreeMap<String, InternalTopic>, Refusal> {
        let mut missing = BTreeMap::new();
        for of in subtopologies.values() {
            let topics = of.repartition_source_topics.iter().chain(&of.state_changelog_topics);
            for (name, expected) in topics {
                let Some(topic) = self.image.topics.by_name(name) else {
                    missing.insert(name.clone(), expected.clone());
                    continue;
                };
                let (expected, found) = (expected.partitions, topic.partitions.len());
                if usize::try_from(expected) != Ok(found) {
                    return Err(badly_partitioned(format!(
                        "Topic {name} exists with {found} partitions, but the topology needs \
                         {expected}"
                    )));
                }
            }
        }
        Ok(missing)
    }
}

/// The topics that a group of indexes refers to.
fn copartitioned<'a>(
    of: &'a Subtopology,
    group: &CopartitionGroup,
) -> Result<BTreeSet<&'a str>, Refusal> {
    let at = |index: &i16| usize::try_from(*index).unwrap_or(usize::MAX);
    let sources = group.source_topics.iter();
    let sources = sources.map(|index| of.source_topics.get(at(index)).map(String::as_str));
    let repartition = group.repartition_source_topics.iter().map(|index| {
        let topic = of.repartition_source_topics.get(at(index));
        topic.map(|topic| topic.name.as_str())
    });
    let topics: Option<BTreeSet<&str>> = sources.chain(repartition).collect();
    let outside = || unexpected("Index out of bounds in a copartition group.");
    Ok(topics.ok_or_else(outside)?)
}

/// The common number of partitions of `topics`. If there are several numbers, the error names
/// `shown`.
fn same_count(topics: &BTreeMap<&str, i32>, shown: &BTreeMap<&str, i32>) -> Result<i32, Refusal> {
    let counts: BTreeSet<i32> = topics.values().copied().collect();
    if let [count] = counts.iter().copied().collect::<Vec<_>>()[..] {
        return Ok(count);
    }
    let shown: Vec<String> =
        shown.iter().map(|(topic, count)| format!("{topic}={count}")).collect();
    Err(badly_partitioned(format!(
        "These topics need one and the same number of partitions: {}",
        shown.join(", ")
    )))
}

/// The first names, and how many more there are.
fn summary<'a>(topics: impl ExactSizeIterator<Item = &'a String>) -> String {
    let others = topics.len().saturating_sub(NAMED_TOPICS);
    let named: Vec<&str> = topics.take(NAMED_TOPICS).map(String::as_str).collect();
    match others {
        0 => named.join(", "),
        _ => format!("{} and {others} additional topics", named.join(", ")),
    }
}

#[cfg(test)]
mod tests;
