//! Asks the controller to change ISRs (AlterPartitionManager): one request at a time, with all
//! changes that have come up meanwhile.

use super::Replicas;
use super::partition::{Asked, IsrCommitted};
use crate::codec::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use crate::codec::messages::{AlterPartitionRequest, AlterPartitionResponse};
use crate::controller;
use crate::error::Result;
use crate::types::{BrokerId, TopicIdPartition};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The version of AlterPartition that is sent. All controllers that klamm can join have it.
const VERSION: i16 = 3;
/// How long to wait before a request is repeated.
const RETRY: Duration = Duration::from_millis(50);

impl Replicas {
    /// Sends the changes of ISRs as they come up. One task runs this.
    pub async fn send_isr_changes(&self, controller: &controller::Client, broker_epoch: i64) {
        loop {
            self.common.isr_changes.wait().await;
            let Some((asked, request)) = self.next_isr_request(broker_epoch) else { continue };
            let answer = controller.alter_partition(request, VERSION).await;
            let again = self.conclude(asked, answer);
            if !again.is_empty() {
                tokio::time::sleep(RETRY).await;
                self.ask_again(again);
            }
        }
    }

    /// All changes that are wanted now, and the request for them; None if there are none.
    pub(super) fn next_isr_request(
        &self,
        broker_epoch: i64,
    ) -> Option<(Vec<Asked>, AlterPartitionRequest)> {
        let asked = self.common.isr_changes.take();
        if asked.is_empty() {
            return None;
        }
        let request = request(&asked, self.common.broker_id, broker_epoch);
        Some((asked, request))
    }

    /// Takes in what came of the request; returns the changes that have to be asked for again.
    pub(super) fn conclude(
        &self,
        asked: Vec<Asked>,
        answer: Result<AlterPartitionResponse>,
    ) -> Vec<Asked> {
        match answer.and_then(checked) {
            Ok(response) => self.take_in_isrs(asked, response),
            Err(error) => {
                tracing::warn!(%error, "the controller did not hear of changed ISRs");
                asked
            }
        }
    }

    pub(super) fn ask_again(&self, again: Vec<Asked>) {
        for Asked { partition, .. } in again {
            self.common.isr_changes.add(partition.id(), &Arc::downgrade(&partition));
        }
    }

    /// Gives each partition its answer; returns those that have to ask again. A partition without
    /// an answer is one of them.
    fn take_in_isrs(&self, asked: Vec<Asked>, response: AlterPartitionResponse) -> Vec<Asked> {
        let mut answers = answers(response);
        let mut again = Vec::new();
        for asked in asked {
            let concluded = match answers.remove(&asked.partition.id()) {
                Some(answer) => {
                    let now = self.clock.now();
                    asked.partition.conclude_isr_change(&asked.change, answer, now)
                }
                None => Ok(true),
            };
            // An error means that the partition is offline or gone.
            if concluded.unwrap_or(false) {
                again.push(asked);
            }
        }
        again
    }

    /// Looks for followers that are too far behind to stay in the ISR, or to be waited for until
    /// they join it. Called about every half of `replica.lag.time.max.ms`.
    pub fn shrink_isrs(&self) {
        let now = self.clock.now();
        for partition in self.all() {
            let looked = partition.shrink_isr(now).and_then(|()| partition.reconsider(now));
            if let Err(error) = looked {
                let name = partition.topic_partition();
                tracing::debug!("{name}: ISR not checked: {error}");
            }
        }
    }
}

fn request(asked: &[Asked], id: BrokerId, broker_epoch: i64) -> AlterPartitionRequest {
    let mut topics: BTreeMap<_, Vec<PartitionData>> = BTreeMap::new();
    for Asked { partition, change } in asked {
        let members = change.isr.iter().map(|(member, epoch)| {
            let epoch = if *member == id { broker_epoch } else { *epoch };
            BrokerState::default().with_broker_id((*member).into()).with_broker_epoch(epoch)
        });
        // The recovery state is RECOVERED: with the first change of its ISR, a leader that was
        // elected uncleanly tells that it has begun.
        let data = PartitionData::default()
            .with_partition_index(partition.index())
            .with_leader_epoch(change.leader_epoch)
            .with_partition_epoch(change.partition_epoch)
            .with_new_isr_with_epochs(members.collect());
        topics.entry(partition.topic_id()).or_default().push(data);
    }
    let topics = topics
        .into_iter()
        .map(|(id, partitions)| TopicData::default().with_topic_id(id).with_partitions(partitions));
    AlterPartitionRequest::default()
        .with_broker_id(id.into())
        .with_broker_epoch(broker_epoch)
        .with_topics(topics.collect())
}

fn checked(response: AlterPartitionResponse) -> Result<AlterPartitionResponse> {
    match ResponseError::try_from_code(response.error_code) {
        None => Ok(response),
        Some(error) => Err(error.into()),
    }
}

fn answers(
    response: AlterPartitionResponse,
) -> HashMap<TopicIdPartition, Result<IsrCommitted, ResponseError>> {
    let mut answers = HashMap::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let id =
                TopicIdPartition { topic_id: topic.topic_id, partition: partition.partition_index };
            let answer = match ResponseError::try_from_code(partition.error_code) {
                Some(error) => Err(error),
                None => Ok(IsrCommitted {
                    isr: partition.isr.iter().map(|id| id.0).collect(),
                    leader_epoch: partition.leader_epoch,
                    partition_epoch: partition.partition_epoch,
                }),
            };
            answers.insert(id, answer);
        }
    }
    answers
}
