//! Acknowledgements: carried out at once, then written, and answered when they are.

use super::led::{Led, Written};
use super::partition::{Acknowledgement, check_acknowledgements};
use super::session::SessionKey;
use super::settings::GroupSettings;
use super::{SharePartitions, of_group};
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::types::TopicIdPartition;
use kafka_protocol::error::ResponseError;
use std::sync::Arc;

/// Acknowledgements that are carried out, but not written. What was released is not available yet,
/// so a fetch that comes first finds other records.
#[must_use]
#[derive(Debug)]
pub struct Acknowledging(Vec<(TopicIdPartition, Result<Option<Change>>)>);

#[derive(Debug)]
struct Change {
    led: Arc<Led>,
    written: Option<Written>,
}

impl SharePartitions {
    /// Carries out what a member says about its records: of each partition all of it, or nothing
    /// and the reason.
    pub fn acknowledge(
        &self,
        key: &SessionKey,
        settings: &GroupSettings,
        said: &[(TopicIdPartition, Vec<Acknowledgement<'_>>)],
        may_renew: bool,
    ) -> Acknowledging {
        let (of_group, image) = (of_group(&key.group), self.image.load());
        let each = said.iter().map(|(id, batches)| {
            let check = self.check_acknowledged(&image, *id, batches, may_renew);
            let change = check.and_then(|()| match &batches[..] {
                [] => Ok(None),
                batches => {
                    let led = self.find(&of_group, *id).filter(|led| led.is_usable());
                    let led = led.ok_or(ResponseError::UnknownTopicOrPartition)?;
                    let written = led.acknowledge(settings, &key.member, batches)?;
                    Ok(Some(Change { led, written }))
                }
            });
            (*id, change)
        });
        Acknowledging(each.collect())
    }

    fn check_acknowledged(
        &self,
        image: &Image,
        id: TopicIdPartition,
        batches: &[Acknowledgement],
        may_renew: bool,
    ) -> Result<()> {
        let topic = image.topics.by_id(id.topic_id).ok_or(ResponseError::UnknownTopicId)?;
        check_acknowledgements(batches, may_renew)?;
        match topic.partition(id.partition) {
            Some(_) => Ok(()),
            None => Err(ResponseError::UnknownTopicOrPartition.into()),
        }
    }
}

impl Acknowledging {
    /// Has all of it written.
    pub fn write(&self) {
        for change in self.0.iter().filter_map(|(_, change)| change.as_ref().ok()?.as_ref()) {
            change.led.flush();
        }
    }

    /// How it ended, after `write`.
    pub async fn written(self) -> Vec<(TopicIdPartition, Result<()>)> {
        let mut results = Vec::with_capacity(self.0.len());
        for (id, change) in self.0 {
            let written = change.map(|change| change.and_then(|change| change.written));
            let result = match written {
                Ok(Some(written)) => written.await.unwrap_or(Err(Error::Closed)),
                other => other.map(|_| ()),
            };
            results.push((id, result));
        }
        results
    }
}
