//! DeleteTopics (ControllerApis.deleteTopics).

use super::view::{ControllerResult, View, explained, item_error};
use crate::codec::messages::TopicName;
use crate::codec::messages::delete_topics_request::DeleteTopicsRequest;
use crate::codec::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use crate::codec::schema::metadata::RemoveTopicRecord;
use crate::error::{Error, Result};
use crate::metadata::record::MetadataRecord;
use crate::metadata::topics::Topic;
use crate::types::uuid_to_text;
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The names and ids requested; those requested more than once are kept apart.
#[derive(Default)]
struct TopicsToDelete {
    names: BTreeSet<TopicName>,
    names_twice: BTreeSet<TopicName>,
    ids: BTreeSet<Uuid>,
    ids_twice: BTreeSet<Uuid>,
}

impl View<'_> {
    /// Deletes topics by name or id; each succeeds or fails on its own.
    pub fn delete_topics(
        self,
        request: &DeleteTopicsRequest,
        version: i16,
    ) -> ControllerResult<DeleteTopicsResponse> {
        if !self.config.delete_topic_enable {
            return ControllerResult::unchanged(disabled(request, version));
        }
        let mut results = Vec::new();
        let asked = self.collect(request, &mut results);
        let mut deleted: BTreeMap<Uuid, &Topic> = BTreeMap::new();
        for &id in &asked.ids {
            match self.image.topics.by_id(id) {
                Some(topic) => drop(deleted.insert(id, topic)),
                None => results.push(failed(None, id, unknown_id(id))),
            }
        }
        for name in &asked.names {
            let Some(topic) = self.image.topics.by_name(name) else {
                results.push(failed(Some(name), Uuid::nil(), unknown_name(name)));
                continue;
            };
            let by_id = asked.ids_twice.contains(&topic.id);
            if by_id || deleted.insert(topic.id, topic).is_some() {
                deleted.remove(&topic.id);
                let message = "The request names this topic by its name and by its id";
                let error = explained(ResponseError::InvalidRequest, message);
                results.push(failed(Some(name), topic.id, error));
            }
        }
        let records = deleted
            .keys()
            .map(|&topic_id| MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id }));
        let records = records.collect();
        results.extend(deleted.values().map(|topic| {
            DeletableTopicResult::default()
                .with_name(Some(name_of(topic)))
                .with_topic_id(topic.id)
                .with_error_message(None)
        }));
        let response = DeleteTopicsResponse::default().with_responses(results);
        ControllerResult { records, response }
    }

    fn collect(
        self,
        request: &DeleteTopicsRequest,
        results: &mut Vec<DeletableTopicResult>,
    ) -> TopicsToDelete {
        let mut asked = TopicsToDelete::default();
        for name in &request.topic_names {
            once(&mut asked.names, &mut asked.names_twice, name.clone());
        }
        for topic in &request.topics {
            match &topic.name {
                None if topic.topic_id.is_nil() => {
                    let message = "A topic has neither a name nor an id";
                    let error = explained(ResponseError::InvalidRequest, message);
                    results.push(failed(None, Uuid::nil(), error));
                }
                None => once(&mut asked.ids, &mut asked.ids_twice, topic.topic_id),
                Some(name) if topic.topic_id.is_nil() => {
                    once(&mut asked.names, &mut asked.names_twice, name.clone());
                }
                Some(name) => {
                    let message = "Give the topic's name or its id, not both";
                    let error = explained(ResponseError::InvalidRequest, message);
                    results.push(failed(Some(name), topic.topic_id, error));
                }
            }
        }
        for name in &asked.names_twice {
            let error = explained(ResponseError::InvalidRequest, "Duplicate topic name.");
            results.push(failed(Some(name), Uuid::nil(), error));
        }
        for &id in &asked.ids_twice {
            let error = explained(ResponseError::InvalidRequest, "Duplicate topic id.");
            results.push(failed(None, id, error));
        }
        asked
    }
}

fn once<T: Ord + Clone>(once: &mut BTreeSet<T>, twice: &mut BTreeSet<T>, item: T) {
    if twice.contains(&item) || !once.insert(item.clone()) {
        once.remove(&item);
        twice.insert(item);
    }
}

fn name_of(topic: &Topic) -> TopicName {
    TopicName(super::view::text(&*topic.name))
}

fn unknown_name(name: &TopicName) -> Error {
    explained(ResponseError::UnknownTopicOrPartition, format!("No topic is named {}", **name))
}

fn unknown_id(id: Uuid) -> Error {
    explained(ResponseError::UnknownTopicId, format!("No topic has the id {}", uuid_to_text(id)))
}

fn failed(name: Option<&TopicName>, id: Uuid, error: Error) -> DeletableTopicResult {
    let (code, message) = item_error(&Result::<()>::Err(error));
    DeletableTopicResult::default()
        .with_name(name.cloned())
        .with_topic_id(id)
        .with_error_code(code)
        .with_error_message(message)
}

/// The response while `delete.topic.enable` is false.
fn disabled(request: &DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let code = if version < 3 {
        ResponseError::InvalidRequest
    } else {
        ResponseError::TopicDeletionDisabled
    };
    let by_name = request.topic_names.iter().map(|name| (Some(name), Uuid::nil()));
    let topics = request.topics.iter().map(|topic| (topic.name.as_ref(), topic.topic_id));
    let results = by_name.chain(topics).map(|(name, id)| failed(name, id, Error::Code(code)));
    DeleteTopicsResponse::default().with_responses(results.collect())
}
