//! DescribeCluster (60): the brokers or, on a controller's listener, the controllers.

use super::brokers::{self, CLUSTER_OPERATIONS};
use super::{Context, Endpoint};
use crate::codec::Reply;
use crate::codec::messages::describe_cluster_response::DescribeClusterBroker;
use crate::codec::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse, StrBytes};
use crate::error::Result;
use crate::metadata::Image;
use kafka_protocol::error::ResponseError;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) async fn handle(cx: &Context, request: DescribeClusterRequest) -> Result<Reply> {
    let served = match cx.session.endpoint {
        Endpoint::Broker => BROKERS,
        Endpoint::Controller => CONTROLLERS,
    };
    if request.endpoint_type != served {
        return Ok(cx.reply(&refusal(request.endpoint_type, cx.header.api_version)));
    }
    let image = cx.image();
    let mut response = DescribeClusterResponse::default()
        .with_endpoint_type(served)
        .with_cluster_id(StrBytes::from_string(image.cluster_id.to_string()));
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if served == CONTROLLERS {
        response.brokers = controllers(&image, &cx.session.listener);
        // The only voter is the leader. If it has no such listener, there is no address to give.
        response.controller_id = response.brokers.first().map_or(BrokerId(-1), |us| us.broker_id);
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

/// The controllers' addresses on `listener`; a controller without it is left out.
fn controllers(image: &Image, listener: &str) -> Vec<DescribeClusterBroker> {
    let controllers = image.controllers.values().filter_map(|controller| {
        let point = controller.end_points.iter().find(|point| point.name == listener)?;
        Some(
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(controller.controller_id))
                .with_host(StrBytes::from_string(point.host.clone()))
                .with_port(i32::from(point.port)),
        )
    });
    controllers.collect()
}

/// The answer to a wrong endpoint type (AuthHelper.computeDescribeClusterResponse).
fn refusal(asked: i8, version: i16) -> DescribeClusterResponse {
    let (code, message) = match asked {
        CONTROLLERS => (
            ResponseError::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type \
             CONTROLLER"
                .to_owned(),
        ),
        BROKERS => (
            ResponseError::MismatchedEndpointType,
            "This is a controller's listener; ask a broker's for the brokers".to_owned(),
        ),
        other => {
            let message = format!("Unsupported endpoint type {other}");
            (ResponseError::UnsupportedEndpointType, message)
        }
    };
    let code = if version == 0 { ResponseError::InvalidRequest } else { code };
    DescribeClusterResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
