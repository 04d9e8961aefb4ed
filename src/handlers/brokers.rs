//! Brokers and partitions as the clients of one listener see them (KRaftMetadataCache).

use super::Context;
use crate::codec::messages as kafka;
use crate::codec::messages::StrBytes;
use crate::metadata::topics::reason_invalid;
use crate::metadata::{Broker, Image, Partition, Topic};
use crate::types::{BrokerId, LeaderEpoch};
use kafka_protocol::error::ResponseError;

/// A broker and its address on the listener on which the request came.
pub(super) struct Node {
    pub(super) id: kafka::BrokerId,
    pub(super) host: StrBytes,
    pub(super) port: i32,
    pub(super) rack: Option<StrBytes>,
    pub(super) fenced: bool,
}

/// The authorized operations of a topic, as a bit field of AclOperation codes: without an
/// authorizer all that apply to a topic.
pub(super) const TOPIC_OPERATIONS: i32 =
    1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// The authorized operations of the cluster, as in `TOPIC_OPERATIONS`.
pub(super) const CLUSTER_OPERATIONS: i32 =
    1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// All brokers that have the request's listener.
pub(super) fn nodes(cx: &Context, image: &Image) -> Vec<Node> {
    image.brokers.values().filter_map(|broker| node(cx, broker)).collect()
}

/// The broker's address, if it has the request's listener.
pub(super) fn node(cx: &Context, broker: &Broker) -> Option<Node> {
    let mut listeners = broker.listeners.iter();
    let (_, host, port, _) = listeners.find(|(name, ..)| **name == *cx.session.listener)?;
    Some(Node {
        id: broker.id.into(),
        host: StrBytes::from_string(host.clone()),
        port: i32::from(*port),
        rack: broker.rack.clone().map(StrBytes::from_string),
        fenced: broker.fenced,
    })
}

/// The current leaders that a response names for clients that asked the wrong broker (KIP-951).
/// They are collected while the response is built.
#[derive(Default)]
pub(super) struct Leaders(Vec<Node>);

impl Leaders {
    /// The leader of a partition, or -1, and its leader epoch, both from the image.
    pub(super) fn of(
        &mut self,
        cx: &Context,
        image: &Image,
        topic: &Topic,
        index: i32,
    ) -> (kafka::BrokerId, LeaderEpoch) {
        let partition = topic.partition(index);
        let (id, epoch) = partition.map_or((-1, -1), |found| (found.leader, found.leader_epoch));
        if self.0.iter().all(|known| known.id != id) {
            let alive = image.brokers.get(&id).filter(|broker| !broker.fenced);
            self.0.extend(alive.and_then(|broker| node(cx, broker)));
        }
        (id.into(), epoch)
    }

    /// The address of each leader, once; leaders without the request's listener are left out.
    pub(super) fn endpoints<E: From<Node>>(self) -> Vec<E> {
        self.0.into_iter().map(E::from).collect()
    }
}

/// Each response has a type of its own for these addresses.
macro_rules! endpoint {
    ($($response:ident),*) => {$(
        impl From<Node> for kafka::$response::NodeEndpoint {
            fn from(Node { id, host, port, rack, .. }: Node) -> Self {
                Self::default().with_node_id(id).with_host(host).with_port(port).with_rack(rack)
            }
        }
    )*};
}
endpoint!(fetch_response, produce_response, share_acknowledge_response, share_fetch_response);

/// The broker that responses name as "the controller": under KRaft any that is not fenced will do.
pub(super) fn any_alive(image: &Image) -> kafka::BrokerId {
    image.brokers.values().find(|broker| !broker.fenced).map_or(-1, |broker| broker.id).into()
}

/// A partition as the clients of one listener see it.
pub(super) struct PartitionView {
    pub(super) error: Option<ResponseError>,
    pub(super) leader: kafka::BrokerId,
    pub(super) replicas: Vec<kafka::BrokerId>,
    pub(super) isr: Vec<kafka::BrokerId>,
    pub(super) offline: Vec<kafka::BrokerId>,
}

pub(super) fn view(cx: &Context, image: &Image, partition: &Partition) -> PartitionView {
    let broker = |id: BrokerId| image.brokers.get(&id).filter(|broker| !broker.fenced);
    let leader = broker(partition.leader);
    let reachable = leader.is_some_and(|leader| node(cx, leader).is_some());
    let error = match (leader.is_some(), reachable) {
        (_, true) => None,
        (true, false) if cx.header.api_version >= 6 => Some(ResponseError::ListenerNotFound),
        (_, false) => Some(ResponseError::LeaderNotAvailable),
    };
    let offline = |id: &&BrokerId| broker(**id).is_none_or(|broker| node(cx, broker).is_none());
    PartitionView {
        error,
        leader: if reachable { partition.leader.into() } else { kafka::BrokerId(-1) },
        replicas: ids(&partition.replicas),
        isr: ids(&partition.isr),
        offline: partition.replicas.iter().filter(offline).map(|id| (*id).into()).collect(),
    }
}

pub(super) fn ids(brokers: &[BrokerId]) -> Vec<kafka::BrokerId> {
    brokers.iter().map(|id| (*id).into()).collect()
}

/// The error for a name that no topic may have; None if the name is valid (Topic.validate).
pub(super) fn name_error(topic: &str) -> Option<ResponseError> {
    reason_invalid(topic).map(|_| ResponseError::InvalidTopicException)
}

pub(super) fn topic_name(topic: &Topic) -> kafka::TopicName {
    StrBytes::from_string(topic.name.to_string()).into()
}
