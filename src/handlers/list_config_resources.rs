//! ListConfigResources (74): the resources that can have settings, by type (KIP-1142).

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::list_config_resources_response::ConfigResource;
use crate::codec::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse, StrBytes};
use crate::error::Result;
use crate::metadata::{
    BROKER_CONFIG, BROKER_LOGGER_CONFIG, CLIENT_METRICS_CONFIG, GROUP_CONFIG, Image, TOPIC_CONFIG,
};
use kafka_protocol::error::ResponseError;

/// All types, in the order in which Kafka lists them.
const TYPES: [i8; 5] =
    [GROUP_CONFIG, CLIENT_METRICS_CONFIG, BROKER_LOGGER_CONFIG, BROKER_CONFIG, TOPIC_CONFIG];

pub(super) async fn handle(cx: &Context, request: ListConfigResourcesRequest) -> Result<Reply> {
    // Version 0 was called ListClientMetricsResources.
    let known: &[i8] = if cx.header.api_version == 0 { &[CLIENT_METRICS_CONFIG] } else { &TYPES };
    let asked = &request.resource_types;
    if asked.iter().any(|resource_type| !known.contains(resource_type)) {
        let response = ListConfigResourcesResponse::default()
            .with_error_code(ResponseError::UnsupportedVersion.code());
        return Ok(cx.reply(&response));
    }
    let image = cx.image();
    let shown = known.iter().filter(|known| asked.is_empty() || asked.contains(known));
    let resources = shown.flat_map(|resource_type| {
        names(&image, *resource_type).into_iter().map(|name| {
            ConfigResource::default()
                .with_resource_type(*resource_type)
                .with_resource_name(StrBytes::from_string(name))
        })
    });
    let response =
        ListConfigResourcesResponse::default().with_config_resources(resources.collect());
    Ok(cx.reply(&response))
}

fn names(image: &Image, resource_type: i8) -> Vec<String> {
    match resource_type {
        TOPIC_CONFIG => image.topics.iter().map(|topic| topic.name.to_string()).collect(),
        BROKER_CONFIG | BROKER_LOGGER_CONFIG => image.brokers.keys().map(i32::to_string).collect(),
        // A group or client metrics subscription is listed only if it has settings.
        _ => {
            let of_type = image.configs.keys().filter(|(of, _)| *of == resource_type);
            of_type.map(|(_, name)| name.clone()).collect()
        }
    }
}
