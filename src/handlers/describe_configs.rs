//! DescribeConfigs (32): the settings of topics, brokers, groups and client metrics, with who set
//! them (ConfigHelper).

use super::Context;
use crate::codec::Reply;
use crate::config::{Config, Row};
use crate::error::{Error, Result};
use crate::metadata::topics::reason_invalid;
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, Image, TOPIC_CONFIG,
};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

pub(super) async fn handle(cx: &Context, request: DescribeConfigsRequest) -> Result<Reply> {
    let mut response = DescribeConfigsResponse::default();
    for resource in &request.resources {
        let answer = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        response.results.push(match rows(cx, resource) {
            Ok(rows) => answer.with_configs(
                rows.into_iter()
                    .filter(|row| is_asked(resource, &row.name))
                    .map(|row| entry(row, &request))
                    .collect(),
            ),
            Err(error) => answer
                .with_error_code(error.code().code())
                .with_error_message(error.message().map(StrBytes::from_string)),
        });
    }
    Ok(cx.reply(&response))
}

/// No list of keys, or an empty one, asks for all.
fn is_asked(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_deref().unwrap_or_default();
    keys.is_empty() || keys.iter().any(|key| key.as_str() == name)
}

fn rows(cx: &Context, resource: &DescribeConfigsResource) -> Result<Vec<Row>> {
    let image = cx.image();
    let name = resource.resource_name.as_str();
    let (config, _) = image.broker_config(&cx.parts.config);
    match resource.resource_type {
        TOPIC_CONFIG => topic_rows(&image, &config, name),
        BROKER_CONFIG if name.is_empty() => Ok(config.cluster_rows()),
        BROKER_CONFIG => own_id(cx, name, " or empty string,").map(|()| config.broker_rows()),
        BROKER_LOGGER_CONFIG if name.is_empty() => Err(invalid("Broker id must not be empty")),
        // Our logger's levels come from the environment and do not change while we run.
        BROKER_LOGGER_CONFIG => own_id(cx, name, "").map(|()| Vec::new()),
        CLIENT_METRICS_CONFIG if name.is_empty() => {
            Err(invalid("Client metrics subscription name must not be empty"))
        }
        GROUP_CONFIG if name.is_empty() => Err(invalid("Group name must not be empty")),
        CLIENT_METRICS_CONFIG => {
            Ok(config.client_metrics_rows(&image.configs_of(CLIENT_METRICS_CONFIG, name)))
        }
        GROUP_CONFIG => Ok(config.group_rows(&image.configs_of(GROUP_CONFIG, name))),
        other => Err(invalid(&format!("Unsupported resource type: {other}"))),
    }
}

fn topic_rows(image: &Image, config: &Config, topic: &str) -> Result<Vec<Row>> {
    if let Some(reason) = reason_invalid(topic) {
        let message = format!("Topic name is invalid: {reason}");
        return Err(Error::Explained(ResponseError::InvalidTopicException, message));
    }
    if image.topics.by_name(topic).is_none() {
        return Err(Error::Explained(ResponseError::UnknownTopicOrPartition, String::new()));
    }
    Ok(config.topic_rows(&image.configs_of(TOPIC_CONFIG, topic)))
}

/// A broker describes itself only.
fn own_id(cx: &Context, name: &str, alternative: &str) -> Result<()> {
    let id = cx.parts.config.node_id;
    match name.parse::<i32>() {
        Ok(asked) if asked == id => Ok(()),
        Ok(_) => Err(invalid(&format!(
            "Unexpected broker id, expected {id}{alternative} but received {name}"
        ))),
        Err(_) => Err(invalid(&format!("Broker id must be an integer, but it is: {name}"))),
    }
}

fn invalid(message: &str) -> Error {
    Error::Explained(ResponseError::InvalidRequest, message.to_owned())
}

fn entry(row: Row, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let text = StrBytes::from_string;
    let synonyms = if request.include_synonyms { row.synonyms } else { Vec::new() };
    let synonyms = synonyms.into_iter().map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(synonym.value.map(text))
            .with_source(synonym.source as i8)
    });
    DescribeConfigsResourceResult::default()
        .with_name(text(row.name))
        .with_value(row.value.map(text))
        .with_read_only(row.read_only)
        .with_config_source(row.source as i8)
        .with_is_sensitive(row.sensitive)
        .with_synonyms(synonyms.collect())
        .with_config_type(row.kind.map_or(0, |kind| kind as i8))
        .with_documentation(row.documentation.filter(|_| request.include_documentation).map(text))
}
