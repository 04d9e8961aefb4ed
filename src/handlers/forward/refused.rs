//! The responses to requests that no controller has answered: each names its error where clients
//! look for it, once or for each thing that was asked for.

use crate::codec::Checked;
use crate::codec::messages as kafka;
use crate::codec::messages::*;
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::{Encodable, Request};
use std::collections::BTreeSet;

/// An error of a request as a whole.
struct Refused {
    code: i16,
    message: Option<StrBytes>,
}

/// The body of the response to a forwarded request that failed.
pub(super) fn response(
    api_key: i16,
    request: Checked,
    code: ResponseError,
    message: Option<&str>,
) -> Result<Bytes> {
    let message = message.map_or_else(|| code.to_string(), str::to_owned);
    let refused = Refused { code: code.code(), message: Some(StrBytes::from_string(message)) };
    refused.answer(api_key, request)
}

/// One line for each API: the type of its request, and the method that makes its response.
macro_rules! answers {
    ($($type:ident => $method:ident;)*) => {
        fn answer(self, api_key: i16, request: Checked) -> Result<Bytes> {
            let version = request.version();
            match api_key {
                $(<$type as Request>::KEY => {
                    encoded(version, &self.$method(request.decode::<$type>()?))
                })*
                _ => Err(Error::Code(ResponseError::UnsupportedVersion)),
            }
        }
    };
}

/// Methods that only set the error of the response as a whole.
macro_rules! whole {
    ($($method:ident($request:ident) -> $response:ident { $($with:ident: $field:ident),* })*) => {
        $(fn $method(self, _: $request) -> $response {
            $response::default()$(.$with(self.$field))*
        })*
    };
}

impl Refused {
    answers! {
        CreateTopicsRequest => create_topics;
        DeleteTopicsRequest => delete_topics;
        CreateAclsRequest => create_acls;
        DeleteAclsRequest => delete_acls;
        AlterConfigsRequest => replace_configs;
        CreatePartitionsRequest => create_partitions;
        CreateDelegationTokenRequest => create_token;
        RenewDelegationTokenRequest => renew_token;
        ExpireDelegationTokenRequest => expire_token;
        ElectLeadersRequest => elect_leaders;
        IncrementalAlterConfigsRequest => alter_configs;
        AlterPartitionReassignmentsRequest => alter_reassignments;
        ListPartitionReassignmentsRequest => list_reassignments;
        AlterClientQuotasRequest => alter_quotas;
        AlterUserScramCredentialsRequest => alter_credentials;
        DescribeQuorumRequest => describe_quorum;
        UpdateFeaturesRequest => update_features;
        UnregisterBrokerRequest => unregister_broker;
        AddRaftVoterRequest => add_voter;
        RemoveRaftVoterRequest => remove_voter;
        UnregisterControllerRequest => unregister_controller;
    }

    whole! {
        create_token(CreateDelegationTokenRequest) -> CreateDelegationTokenResponse
            { with_error_code: code }
        renew_token(RenewDelegationTokenRequest) -> RenewDelegationTokenResponse
            { with_error_code: code }
        expire_token(ExpireDelegationTokenRequest) -> ExpireDelegationTokenResponse
            { with_error_code: code }
        describe_quorum(DescribeQuorumRequest) -> DescribeQuorumResponse { with_error_code: code }
        update_features(UpdateFeaturesRequest) -> UpdateFeaturesResponse
            { with_error_code: code, with_error_message: message }
        unregister_broker(UnregisterBrokerRequest) -> UnregisterBrokerResponse
            { with_error_code: code, with_error_message: message }
        add_voter(AddRaftVoterRequest) -> AddRaftVoterResponse
            { with_error_code: code, with_error_message: message }
        remove_voter(RemoveRaftVoterRequest) -> RemoveRaftVoterResponse
            { with_error_code: code, with_error_message: message }
        unregister_controller(UnregisterControllerRequest) -> UnregisterControllerResponse
            { with_error_code: code, with_error_message: message }
    }

    fn create_topics(self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let topics = request.topics.into_iter().map(|topic| {
            create_topics_response::CreatableTopicResult::default()
                .with_name(topic.name)
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn delete_topics(self, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        let topic = |name, id| {
            delete_topics_response::DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(self.code)
        };
        let topics = request.topics.into_iter().map(|asked| topic(asked.name, asked.topic_id));
        let by_name = request.topic_names.into_iter();
        let by_name = by_name.map(|name| topic(Some(name), uuid::Uuid::nil()));
        DeleteTopicsResponse::default().with_responses(topics.chain(by_name).collect())
    }

    fn create_acls(self, request: CreateAclsRequest) -> CreateAclsResponse {
        let result = create_acls_response::AclCreationResult::default()
            .with_error_code(self.code)
            .with_error_message(self.message);
        CreateAclsResponse::default().with_results(vec![result; request.creations.len()])
    }

    fn delete_acls(self, request: DeleteAclsRequest) -> DeleteAclsResponse {
        let result = delete_acls_response::DeleteAclsFilterResult::default()
            .with_error_code(self.code)
            .with_error_message(self.message);
        DeleteAclsResponse::default().with_filter_results(vec![result; request.filters.len()])
    }

    fn replace_configs(self, request: AlterConfigsRequest) -> AlterConfigsResponse {
        let resources = request.resources.into_iter().map(|resource| {
            alter_configs_response::AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        AlterConfigsResponse::default().with_responses(resources.collect())
    }

    fn alter_configs(
        self,
        request: IncrementalAlterConfigsRequest,
    ) -> IncrementalAlterConfigsResponse {
        let resources = request.resources.into_iter().map(|resource| {
            incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        IncrementalAlterConfigsResponse::default().with_responses(resources.collect())
    }

    fn create_partitions(self, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
        let topics = request.topics.into_iter().map(|topic| {
            create_partitions_response::CreatePartitionsTopicResult::default()
                .with_name(topic.name)
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        CreatePartitionsResponse::default().with_results(topics.collect())
    }

    fn elect_leaders(self, request: ElectLeadersRequest) -> ElectLeadersResponse {
        let topics = request.topic_partitions.unwrap_or_default().into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                elect_leaders_response::PartitionResult::default()
                    .with_partition_id(partition)
                    .with_error_code(self.code)
                    .with_error_message(self.message.clone())
            });
            elect_leaders_response::ReplicaElectionResult::default()
                .with_topic(topic.topic)
                .with_partition_result(partitions.collect())
        });
        ElectLeadersResponse::default()
            .with_error_code(self.code)
            .with_replica_election_results(topics.collect())
    }

    fn alter_reassignments(
        self,
        request: AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        use kafka::alter_partition_reassignments_response as answer;
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|partition| {
                answer::ReassignablePartitionResponse::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(self.code)
                    .with_error_message(self.message.clone())
            });
            answer::ReassignableTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions.collect())
        });
        AlterPartitionReassignmentsResponse::default()
            .with_responses(topics.collect())
            .with_error_code(self.code)
            .with_error_message(self.message.clone())
    }

    fn list_reassignments(
        self,
        request: ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        use kafka::list_partition_reassignments_response as answer;
        let topics = request.topics.unwrap_or_default().into_iter().map(|topic| {
            let partitions = topic.partition_indexes.into_iter().map(|partition| {
                answer::OngoingPartitionReassignment::default().with_partition_index(partition)
            });
            answer::OngoingTopicReassignment::default()
                .with_name(topic.name)
                .with_partitions(partitions.collect())
        });
        ListPartitionReassignmentsResponse::default()
            .with_topics(topics.collect())
            .with_error_code(self.code)
            .with_error_message(self.message)
    }

    fn alter_quotas(self, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
        use kafka::alter_client_quotas_response as answer;
        let entries = request.entries.into_iter().map(|entry| {
            let entity = entry.entity.into_iter().map(|entity| {
                answer::EntityData::default()
                    .with_entity_type(entity.entity_type)
                    .with_entity_name(entity.entity_name)
            });
            answer::EntryData::default()
                .with_entity(entity.collect())
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        AlterClientQuotasResponse::default().with_entries(entries.collect())
    }

    fn alter_credentials(
        self,
        request: AlterUserScramCredentialsRequest,
    ) -> AlterUserScramCredentialsResponse {
        let deleted = request.deletions.into_iter().map(|deletion| deletion.name.to_string());
        let set = request.upsertions.into_iter().map(|upsertion| upsertion.name.to_string());
        let users: BTreeSet<String> = deleted.chain(set).collect();
        let users = users.into_iter().map(|user| {
            alter_user_scram_credentials_response::AlterUserScramCredentialsResult::default()
                .with_user(StrBytes::from_string(user))
                .with_error_code(self.code)
                .with_error_message(self.message.clone())
        });
        AlterUserScramCredentialsResponse::default().with_results(users.collect())
    }
}

fn encoded(version: i16, response: &impl Encodable) -> Result<Bytes> {
    let mut body = BytesMut::new();
    match response.encode(&mut body, version) {
        Ok(()) => Ok(body.freeze()),
        Err(error) => Err(Error::corrupt(format!("response v{version}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::FORWARDABLE;
    use super::*;
    use crate::codec;

    /// Each API with the body of an empty request of its highest version, and what the response to
    /// it says when that is decoded.
    macro_rules! requests {
        ($($type:ident $version:literal),*) => {[$({
            let mut body = BytesMut::new();
            $type::default().encode(&mut body, $version).unwrap();
            let said = |body| {
                let response = codec::decode_response::<$type>(body, $version);
                format!("{:?}", response.unwrap())
            };
            let said: fn(Bytes) -> String = said;
            (<$type as Request>::KEY, $version, body.freeze(), said)
        }),*]};
    }

    #[test]
    fn every_forwarded_api_has_a_response_for_failures() {
        let requests = requests!(
            CreateTopicsRequest 7, DeleteTopicsRequest 6, CreateAclsRequest 3,
            DeleteAclsRequest 3, AlterConfigsRequest 2, CreatePartitionsRequest 3,
            CreateDelegationTokenRequest 3, RenewDelegationTokenRequest 2,
            ExpireDelegationTokenRequest 2, ElectLeadersRequest 2,
            IncrementalAlterConfigsRequest 1, AlterPartitionReassignmentsRequest 1,
            ListPartitionReassignmentsRequest 0, AlterClientQuotasRequest 1,
            AlterUserScramCredentialsRequest 0, DescribeQuorumRequest 2, UpdateFeaturesRequest 2,
            UnregisterBrokerRequest 0, AddRaftVoterRequest 1, RemoveRaftVoterRequest 0,
            UnregisterControllerRequest 0
        );
        let keys = requests.clone().map(|(key, ..)| key);
        let mut of_whole = Vec::new();
        for (key, version, body, said) in requests {
            let request = codec::check(key, version, body, 0).unwrap();
            let body = response(key, request, ResponseError::RequestTimedOut, Some("why"));
            if said(body.unwrap()).contains("error_code: 7") {
                of_whole.push(key);
            }
        }
        assert_eq!(of_whole, [38, 39, 40, 43, 45, 46, 55, 57, 64, 80, 81, 94]);
        assert!(
            FORWARDABLE.iter().all(|key| keys.contains(key)) && keys.len() == FORWARDABLE.len()
        );
    }

    #[test]
    fn each_topic_is_told() {
        let names = ["a", "b"].map(|name| TopicName(StrBytes::from_static_str(name)));
        let mut body = BytesMut::new();
        let request = DeleteTopicsRequest::default().with_topic_names(names.to_vec());
        request.encode(&mut body, 5).unwrap();
        let request = codec::check(20, 5, body.freeze(), 0).unwrap();
        let body = response(20, request, ResponseError::RequestTimedOut, None).unwrap();
        let response = codec::decode_response::<DeleteTopicsRequest>(body, 5).unwrap();
        let told = response.responses.iter().map(|topic| (topic.name.clone(), topic.error_code));
        assert!(told.eq(names.map(|name| (Some(name), 7))));
    }
}
