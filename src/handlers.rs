//! The API table and what all handlers share.
//!
//! To add an API, write one file, one `mod` line and one row of the table: ApiVersions is answered
//! from the table and `dispatch` follows it. All handlers have the same signature:
//! `pub(super) async fn handle(cx: &Context, request: XRequest) -> Result<Reply>`.
//! An error that has no field in the response closes the connection.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_replica_log_dirs;
mod alter_share_group_offsets;
mod api_versions;
mod authorize;
mod brokers;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_share_group_offsets;
mod delete_share_group_state;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_delegation_token;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_share_group_offsets;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod end_txn;
mod fetch;
mod find_coordinator;
mod forward;
mod heartbeat;
mod init_producer_id;
mod initialize_share_group_state;
mod join_group;
mod large;
mod latest_offsets;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod read_share_group_state;
mod read_share_group_state_summary;
mod sasl_authenticate;
mod sasl_handshake;
mod session;
mod share_acknowledge;
mod share_fetch;
mod share_group_describe;
mod share_group_heartbeat;
mod share_partitions;
mod streams_group_describe;
mod streams_group_heartbeat;
mod sync_group;
mod throttle;
mod txn_offset_commit;
mod write_share_group_state;
mod write_txn_markers;

pub use session::{Session, Software};

use crate::clock::Clock;
use crate::codec::messages as kafka;
use crate::codec::{self, Checked, Reply, RequestHeader};
use crate::config::LiveConfig;
use crate::controller;
use crate::coordinator::{
    Groups, InternalTopics, Persister, RequestContext, ShareStates, Transactions,
};
use crate::disk::FileRange;
use crate::error::{Error, Result};
use crate::metadata::Image;
use crate::peers::Peers;
use crate::replica::Replicas;
use crate::share::SharePartitions;
use arc_swap::ArcSwap;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::Encodable;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use tokio::sync::watch;

/// One row of the API table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// Kafka's number for the API.
    pub key: i16,
    /// Kafka's name for the API.
    pub name: &'static str,
    /// The lowest version that is advertised.
    pub min: i16,
    /// The highest version that is served.
    pub max: i16,
    /// The listeners on which it is served.
    pub on: On,
}

/// The kinds of listeners on which an API is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Broker listeners only.
    Broker,
    /// Broker and controller listeners.
    Both,
}

/// The half of the node that a listener belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The broker, which serves clients.
    Broker,
    /// The controller: the listener is in `controller.listener.names`.
    Controller,
}

impl Api {
    /// Whether the API is served on a listener of this half.
    pub fn is_on(&self, endpoint: Endpoint) -> bool {
        endpoint == Endpoint::Broker || self.on == On::Both
    }
}

/// Declares the table. A `handled` row names the handler's file and the request's type; requests of
/// a `forwarded` row go to the controller unchanged. So do those of a `clustered` row, which other
/// nodes than this one can serve; without them it does what the rows above say.
macro_rules! apis {
    (
        handled { $($key:literal $name:ident $min:literal..=$max:literal $on:ident
            => $file:ident($request:ty);)* }
        forwarded { $($fkey:literal $fname:ident $fmin:literal..=$fmax:literal $fon:ident;)* }
        clustered { $($ckey:literal $cname:ident $cmin:literal..=$cmax:literal;)* }
    ) => {
        /// Every API that klamm serves.
        pub const TABLE: &[Api] = &[
            $(Api { key: $key, name: stringify!($name), min: $min, max: $max, on: On::$on },)*
            $(Api { key: $fkey, name: stringify!($fname), min: $fmin, max: $fmax, on: On::$fon },)*
        ];

        /// The APIs that only controllers on other nodes serve.
        const CLUSTERED: &[Api] = &[$(Api {
            key: $ckey,
            name: stringify!($cname),
            min: $cmin,
            max: $cmax,
            on: On::Broker,
        },)*];

        /// The APIs that Kafka's brokers forward.
        const FORWARDABLE: &[i16] = &[$($fkey,)* $($ckey,)*];

        async fn handle(cx: &Context, request: Checked) -> Result<Reply> {
            match cx.header.api_key {
                key if cx.is_clustered(key) => Box::pin(forward::handle(cx, request)).await,
                // Each on the heap, so that the small ones do not take as much memory as the largest.
                $($key => Box::pin($file::handle(cx, request.decode::<$request>()?)).await,)*
                $($fkey => Box::pin(forward::handle(cx, request)).await,)*
                key => Err(Error::corrupt(format!("API key {key}"))),
            }
        }
    };
}

apis! {
    handled {
        0  Produce                 0..=13 Broker => produce(kafka::ProduceRequest);
        1  Fetch                   4..=18 Broker => fetch(kafka::FetchRequest);
        2  ListOffsets             1..=11 Broker => list_offsets(kafka::ListOffsetsRequest);
        3  Metadata                0..=13 Broker => metadata(kafka::MetadataRequest);
        8  OffsetCommit            2..=10 Broker => offset_commit(kafka::OffsetCommitRequest);
        9  OffsetFetch             1..=10 Broker => offset_fetch(kafka::OffsetFetchRequest);
        10 FindCoordinator         0..=6  Broker => find_coordinator(kafka::FindCoordinatorRequest);
        11 JoinGroup               0..=9  Broker => join_group(kafka::JoinGroupRequest);
        12 Heartbeat               0..=4  Broker => heartbeat(kafka::HeartbeatRequest);
        13 LeaveGroup              0..=5  Broker => leave_group(kafka::LeaveGroupRequest);
        14 SyncGroup               0..=5  Broker => sync_group(kafka::SyncGroupRequest);
        15 DescribeGroups          0..=6  Broker => describe_groups(kafka::DescribeGroupsRequest);
        16 ListGroups              0..=5  Broker => list_groups(kafka::ListGroupsRequest);
        17 SaslHandshake           0..=1  Both   => sasl_handshake(kafka::SaslHandshakeRequest);
        18 ApiVersions             0..=5  Both   => api_versions(kafka::ApiVersionsRequest);
        21 DeleteRecords           0..=2  Broker => delete_records(kafka::DeleteRecordsRequest);
        22 InitProducerId          0..=5  Broker => init_producer_id(kafka::InitProducerIdRequest);
        23 OffsetForLeaderEpoch    2..=4  Broker => offset_for_leader_epoch(kafka::OffsetForLeaderEpochRequest);
        24 AddPartitionsToTxn      0..=5  Broker => add_partitions_to_txn(kafka::AddPartitionsToTxnRequest);
        25 AddOffsetsToTxn         0..=4  Broker => add_offsets_to_txn(kafka::AddOffsetsToTxnRequest);
        26 EndTxn                  0..=5  Broker => end_txn(kafka::EndTxnRequest);
        27 WriteTxnMarkers         1..=2  Broker => write_txn_markers(kafka::WriteTxnMarkersRequest);
        28 TxnOffsetCommit         0..=6  Broker => txn_offset_commit(kafka::TxnOffsetCommitRequest);
        29 DescribeAcls            1..=3  Both   => describe_acls(kafka::DescribeAclsRequest);
        30 CreateAcls              1..=3  Both   => create_acls(kafka::CreateAclsRequest);
        31 DeleteAcls              1..=3  Both   => delete_acls(kafka::DeleteAclsRequest);
        32 DescribeConfigs         1..=4  Both   => describe_configs(kafka::DescribeConfigsRequest);
        34 AlterReplicaLogDirs     1..=2  Broker => alter_replica_log_dirs(kafka::AlterReplicaLogDirsRequest);
        35 DescribeLogDirs         1..=5  Broker => describe_log_dirs(kafka::DescribeLogDirsRequest);
        36 SaslAuthenticate        0..=2  Both   => sasl_authenticate(kafka::SaslAuthenticateRequest);
        41 DescribeDelegationToken 1..=3  Both   => describe_delegation_token(kafka::DescribeDelegationTokenRequest);
        42 DeleteGroups            0..=3  Broker => delete_groups(kafka::DeleteGroupsRequest);
        47 OffsetDelete            0..=0  Broker => offset_delete(kafka::OffsetDeleteRequest);
        48 DescribeClientQuotas    0..=1  Broker => describe_client_quotas(kafka::DescribeClientQuotasRequest);
        50 DescribeUserScramCredentials 0..=0 Both   => describe_user_scram_credentials(kafka::DescribeUserScramCredentialsRequest);
        60 DescribeCluster         0..=2  Both   => describe_cluster(kafka::DescribeClusterRequest);
        61 DescribeProducers       0..=0  Broker => describe_producers(kafka::DescribeProducersRequest);
        65 DescribeTransactions    0..=0  Broker => describe_transactions(kafka::DescribeTransactionsRequest);
        66 ListTransactions        0..=2  Broker => list_transactions(kafka::ListTransactionsRequest);
        68 ConsumerGroupHeartbeat  0..=1  Broker => consumer_group_heartbeat(kafka::ConsumerGroupHeartbeatRequest);
        69 ConsumerGroupDescribe   0..=1  Broker => consumer_group_describe(kafka::ConsumerGroupDescribeRequest);
        74 ListConfigResources     0..=1  Broker => list_config_resources(kafka::ListConfigResourcesRequest);
        75 DescribeTopicPartitions 0..=0  Broker => describe_topic_partitions(kafka::DescribeTopicPartitionsRequest);
        76 ShareGroupHeartbeat     1..=1  Broker => share_group_heartbeat(kafka::ShareGroupHeartbeatRequest);
        77 ShareGroupDescribe      1..=1  Broker => share_group_describe(kafka::ShareGroupDescribeRequest);
        78 ShareFetch              1..=2  Broker => share_fetch(kafka::ShareFetchRequest);
        79 ShareAcknowledge        1..=2  Broker => share_acknowledge(kafka::ShareAcknowledgeRequest);
        83 InitializeShareGroupState 0..=0 Broker => initialize_share_group_state(kafka::InitializeShareGroupStateRequest);
        84 ReadShareGroupState     0..=0 Broker => read_share_group_state(kafka::ReadShareGroupStateRequest);
        85 WriteShareGroupState    0..=1 Broker => write_share_group_state(kafka::WriteShareGroupStateRequest);
        86 DeleteShareGroupState   0..=0 Broker => delete_share_group_state(kafka::DeleteShareGroupStateRequest);
        87 ReadShareGroupStateSummary 0..=1 Broker => read_share_group_state_summary(kafka::ReadShareGroupStateSummaryRequest);
        88 StreamsGroupHeartbeat   0..=1  Broker => streams_group_heartbeat(kafka::StreamsGroupHeartbeatRequest);
        89 StreamsGroupDescribe    0..=1  Broker => streams_group_describe(kafka::StreamsGroupDescribeRequest);
        90 DescribeShareGroupOffsets 0..=1 Broker => describe_share_group_offsets(kafka::DescribeShareGroupOffsetsRequest);
        91 AlterShareGroupOffsets  0..=0  Broker => alter_share_group_offsets(kafka::AlterShareGroupOffsetsRequest);
        92 DeleteShareGroupOffsets 0..=0  Broker => delete_share_group_offsets(kafka::DeleteShareGroupOffsetsRequest);
    }
    forwarded {
        19 CreateTopics                2..=7 Both;
        20 DeleteTopics                1..=6 Both;
        33 AlterConfigs                0..=2 Both;
        37 CreatePartitions            0..=3 Both;
        43 ElectLeaders                0..=2 Both;
        44 IncrementalAlterConfigs     0..=1 Both;
        45 AlterPartitionReassignments 0..=1 Both;
        46 ListPartitionReassignments  0..=0 Both;
        55 DescribeQuorum              0..=2 Both;
        57 UpdateFeatures              0..=2 Both;
        64 UnregisterBroker            0..=0 Both;
    }
    clustered {
        30 CreateAcls                 1..=3;
        31 DeleteAcls                 1..=3;
        38 CreateDelegationToken      1..=3;
        39 RenewDelegationToken       1..=2;
        40 ExpireDelegationToken      1..=2;
        49 AlterClientQuotas          0..=1;
        51 AlterUserScramCredentials  0..=0;
        80 AddRaftVoter               0..=1;
        81 RemoveRaftVoter            0..=0;
        94 UnregisterController       0..=0;
    }
}

/// The lowest version that is served. Produce's versions below 3 are only advertised, because old
/// versions of librdkafka look for them.
fn served_from(api: &Api) -> i16 {
    if api.key == 0 { 3 } else { api.min }
}

/// What is shared by all requests and lives as long as the broker.
#[derive(Debug)]
pub struct Parts {
    /// The settings in effect.
    pub config: LiveConfig,
    /// The only source of wall time.
    pub clock: Clock,
    /// The broker epoch: the offset of this broker's registration in the metadata log.
    pub broker_epoch: i64,
    /// The connections to the other brokers.
    pub peers: Arc<Peers>,
    /// The partitions that this broker hosts.
    pub replicas: Arc<Replicas>,
    /// The groups that this broker coordinates.
    pub groups: Arc<Groups>,
    /// The transactional ids that this broker coordinates.
    pub transactions: Arc<Transactions>,
    /// The share partitions that this broker coordinates.
    pub share_states: Arc<ShareStates>,
    /// The way to the coordinators of all share partitions.
    pub persister: Arc<Persister>,
    /// The share partitions that this broker leads.
    pub share: Arc<SharePartitions>,
    /// Creates the topics that coordinators need.
    pub internal_topics: Arc<InternalTopics>,
    /// The controller, through which all metadata is changed.
    pub controller: controller::Client,
    /// The image that this broker has applied: the logs and coordinators it asks for exist.
    pub image: Arc<ArcSwap<Image>>,
    /// The offset up to which the metadata log has been applied, for those that wait for it.
    pub applied: watch::Receiver<i64>,
}

impl Parts {
    /// Waits until this broker has applied the metadata log up to `offset`.
    pub async fn wait_until_applied(&self, offset: i64) -> Result<()> {
        let mut applied = self.applied.clone();
        applied.wait_for(|at| *at >= offset).await.map(|_| ()).map_err(|_| Error::Closed)
    }
}

/// What a handler knows besides the request's body.
#[derive(Clone, Debug)]
pub struct Context {
    /// What all requests of the broker share.
    pub parts: Arc<Parts>,
    /// The connection on which the request came.
    pub session: Arc<Session>,
    /// The request's header: API, version, correlation id and client id.
    pub header: RequestHeader,
}

impl Context {
    /// Encodes a response as a frame.
    pub fn reply<M: Encodable>(&self, response: &M) -> Reply {
        self.reply_with_files(response, Vec::new())
    }

    /// As `reply`, for a response with records in files: each non-empty `records` field must be a
    /// `codec::splice::placeholder(len)`, and is replaced by the next element of `files`, whose
    /// lengths add up to `len`.
    pub fn reply_with_files<M: Encodable>(
        &self,
        response: &M,
        files: Vec<Vec<FileRange>>,
    ) -> Reply {
        throttle::charge(self, response);
        let RequestHeader { api_key, api_version, correlation_id, .. } = self.header;
        codec::encode_with_files(api_key, api_version, correlation_id, response, files)
    }

    /// The client, as a group coordinator wants to know it.
    fn caller(&self) -> RequestContext {
        RequestContext {
            api_version: self.header.api_version,
            client_id: self.header.client_id.clone().unwrap_or_default(),
            client_host: self.session.client_host.clone(),
        }
    }

    /// The metadata image that this broker has applied.
    pub fn image(&self) -> Arc<Image> {
        self.parts.image.load_full()
    }

    /// Whether the API is forwarded only because the controllers are other nodes.
    fn is_clustered(&self, api_key: i16) -> bool {
        self.parts.controller.is_remote() && CLUSTERED.iter().any(|api| api.key == api_key)
    }

    /// An API, if it is served on this connection.
    fn api(&self, api_key: i16) -> Option<&'static Api> {
        let table = if self.is_clustered(api_key) { CLUSTERED } else { TABLE };
        table.iter().find(|api| api.key == api_key && api.is_on(self.session.endpoint))
    }

    /// The APIs that are served on this connection.
    fn served(&self) -> impl Iterator<Item = &'static Api> {
        let clustered = if self.parts.controller.is_remote() { CLUSTERED } else { &[] };
        let is_own = |api: &&Api| clustered.iter().all(|other| other.key != api.key);
        let endpoint = self.session.endpoint;
        TABLE.iter().filter(is_own).chain(clustered).filter(move |api| api.is_on(endpoint))
    }
}

/// Checks that this broker serves the groups that `protocol` names and that the cluster has enabled
/// the `feature` they need; UNSUPPORTED_VERSION otherwise.
fn check_served(cx: &Context, protocol: &str, feature: &str) -> Result<()> {
    let config = cx.parts.config.get();
    let mut protocols = config.group_coordinator_rebalance_protocols.iter();
    match protocols.any(|served| served == protocol) {
        true => check_enabled(cx, feature),
        false => Err(ResponseError::UnsupportedVersion.into()),
    }
}

/// Checks that the cluster has enabled the `feature`; UNSUPPORTED_VERSION otherwise. This alone
/// decides about share groups, whose protocol is not among those that a broker may leave out.
fn check_enabled(cx: &Context, feature: &str) -> Result<()> {
    match cx.image().feature(feature) > 0 {
        true => Ok(()),
        false => Err(ResponseError::UnsupportedVersion.into()),
    }
}

/// The names of a request without repetitions, so that nothing is described twice.
fn each_once<T: Clone + Eq + Hash>(named: Vec<T>) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    named.into_iter().filter(move |name| seen.insert(name.clone()))
}

/// Serves one request, a frame with the header of `cx`: looks up its API, lets the guard check the
/// body, decodes it and calls the handler.
pub async fn dispatch(cx: Context, frame: Bytes) -> Result<Reply> {
    let RequestHeader { api_key, api_version, .. } = cx.header;
    let Some(api) = cx.api(api_key) else {
        return Err(Error::corrupt(format!("API key {api_key}, not served here")));
    };
    if api_version < served_from(api) || api_version > api.max {
        if api.key == api_versions::KEY {
            return Ok(api_versions::unsupported(&cx));
        }
        return Err(Error::corrupt(format!("version {api_version} of {}", api.name)));
    }
    authorize::authorize(&cx.session, api)?;
    let request = codec::check(api_key, api_version, frame, cx.header.size)?;
    if request.elements() > large::FROM_ELEMENTS {
        large::alone(Box::pin(handle(&cx, request))).await
    } else {
        handle(&cx, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_stands_once_in_the_table_and_the_guard_knows_its_versions() {
        for (at, api) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|other| other.key != api.key), "{}", api.name);
        }
        for api in TABLE.iter().chain(CLUSTERED) {
            for version in served_from(api)..=api.max {
                assert!(codec::guard::known(api.key, version), "{} {version}", api.name);
            }
        }
    }
}
