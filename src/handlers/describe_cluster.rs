//! DescribeCluster (60): the brokers, or on a controller's listener the controllers.

use super::brokers::{self, CLUSTER_OPERATIONS};
use super::{Context, Endpoint};
use crate::codec::Reply;
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::StrBytes;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) async fn handle(cx: &Context, request: DescribeClusterRequest) -> Result<Reply> {
    let served = match cx.endpoint {
        Endpoint::Broker => BROKERS,
        Endpoint::Controller => CONTROLLERS,
    };
    let asked = if cx.api_version == 0 { BROKERS } else { request.endpoint_type };
    if asked != served {
        return Ok(cx.reply(&mismatch(asked, served)));
    }
    let image = cx.image();
    let mut response = DescribeClusterResponse::default()
        .with_endpoint_type(served)
        .with_cluster_id(StrBytes::from_string(image.cluster_id.to_string()));
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if served == CONTROLLERS {
        response.controller_id = cx.parts.config.node_id.into();
        response.brokers = controllers(cx);
    } else {
        response.controller_id = brokers::any_alive(&image);
        let nodes = brokers::nodes(cx, &image).into_iter();
        let shown = nodes.filter(|node| !node.fenced || request.include_fenced_brokers);
        response.brokers = shown.map(described).collect();
    }
    Ok(cx.reply(&response))
}

fn described(node: brokers::Node) -> DescribeClusterBroker {
    DescribeClusterBroker::default()
        .with_broker_id(node.id)
        .with_host(node.host)
        .with_port(node.port)
        .with_rack(node.rack)
        .with_is_fenced(node.fenced)
}

/// This node, on the listener that was asked.
fn controllers(cx: &Context) -> Vec<DescribeClusterBroker> {
    let listeners = cx.parts.config.controller_listeners();
    let listener = listeners.into_iter().find(|listener| listener.name == *cx.listener);
    let node = listener.map(|listener| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(cx.parts.config.node_id))
            .with_host(StrBytes::from_string(listener.host))
            .with_port(i32::from(listener.port))
    });
    node.into_iter().collect()
}

fn mismatch(asked: i8, served: i8) -> DescribeClusterResponse {
    let (code, message) = match (asked, served) {
        (BROKERS | CONTROLLERS, BROKERS) => (
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type \
             CONTROLLER"
                .to_owned(),
        ),
        (BROKERS | CONTROLLERS, _) => (
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of \
             type BROKER"
                .to_owned(),
        ),
        (other, _) => {
            let message = format!("Unsupported endpoint type {other}");
            (ResponseError::UnsupportedEndpointType, message)
        }
    };
    DescribeClusterResponse::default()
        .with_endpoint_type(served)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
