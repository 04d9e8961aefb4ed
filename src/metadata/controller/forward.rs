//! Requests that a broker passes on: decoded, carried out, answered in bytes.

use super::configs::{Change, Operation, Resource, is_known_type};
use super::journal::Requester;
use super::state::State;
use super::update_features::raised_kraft_version;
use super::view::{explained, item_error, text};
use super::{Answer, Forwarded};
use crate::error::{Error, Result};
use crate::types::Offset;
use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response as replaced;
use kafka_protocol::messages::incremental_alter_configs_response as altered;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};
use std::collections::{BTreeMap, BTreeSet};

/// AlterConfigOp.OpType.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Carries out a request. An error is one of the request as a whole; errors of its items are in
/// the answer.
pub(super) fn forward(state: &mut State, request: &Forwarded) -> Result<Answer> {
    state.requester = Requester::of(request);
    let answer = carry_out(state, request);
    state.requester = Requester::default();
    answer
}

fn carry_out(state: &mut State, request: &Forwarded) -> Result<Answer> {
    let version = request.api_version;
    match ApiKey::try_from(request.api_key).map_err(|()| ResponseError::UnsupportedVersion)? {
        ApiKey::CreateTopics => {
            let outcome = state.view().create_topics(&decode(request)?);
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::DeleteTopics => {
            let outcome = state.view().delete_topics(&decode(request)?, version);
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::CreatePartitions => {
            let outcome = state.view().create_partitions(&decode(request)?);
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::AlterConfigs => answer(version, replace_configs(state, &decode(request)?)?),
        ApiKey::IncrementalAlterConfigs => {
            answer(version, alter_configs(state, &decode(request)?)?)
        }
        ApiKey::UpdateFeatures => {
            answer(version, update_features(state, &decode(request)?, version)?)
        }
        ApiKey::ElectLeaders => {
            let outcome = state.view().elect_leaders(&decode(request)?);
            answer(version, state.conclude(outcome)?)
        }
        _ => forward_rare(state, request),
    }
}

fn update_features(
    state: &mut State,
    request: &UpdateFeaturesRequest,
    version: i16,
) -> Result<(UpdateFeaturesResponse, Offset)> {
    let current = state.kraft_version();
    let outcome = state.view().update_features(request, version, current);
    let raised = raised_kraft_version(request, current);
    let offset = match raised.filter(|_| outcome.response.error_code == 0) {
        Some(level) => state.raise_kraft_version(level)?,
        None => -1,
    };
    let (response, last) = state.conclude(outcome)?;
    Ok((response, last.max(offset)))
}

/// The rest of `carry_out`.
fn forward_rare(state: &mut State, request: &Forwarded) -> Result<Answer> {
    let version = request.api_version;
    match ApiKey::try_from(request.api_key).map_err(|()| ResponseError::UnsupportedVersion)? {
        ApiKey::AlterPartitionReassignments => {
            let outcome = state.view().alter_reassignments(&decode(request)?);
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::ListPartitionReassignments => {
            answer(version, (state.view().list_reassignments(&decode(request)?), -1))
        }
        ApiKey::DescribeQuorum => {
            let described = state.quorum_state().describe(&decode(request)?, version);
            answer(version, (described, -1))
        }
        ApiKey::AlterPartition => {
            let outcome = state.view().alter_partition(&decode(request)?, version)?;
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::AssignReplicasToDirs => {
            let outcome = state.view().assign_replicas(&decode(request)?)?;
            answer(version, state.conclude(outcome)?)
        }
        ApiKey::UnregisterBroker => answer(version, unregister_broker(state, &decode(request)?)?),
        _ => Err(Error::Code(ResponseError::UnsupportedVersion)),
    }
}

fn decode<R: Decodable>(request: &Forwarded) -> Result<R> {
    R::decode(&mut request.body.clone(), request.api_version).map_err(|error| {
        let message = format!("request {} v{}: {error}", request.api_key, request.api_version);
        explained(ResponseError::InvalidRequest, message)
    })
}

fn answer<M: Encodable>(version: i16, (response, offset): (M, Offset)) -> Result<Answer> {
    let mut body = BytesMut::new();
    response
        .encode(&mut body, version)
        .map_err(|error| explained(ResponseError::UnknownServerError, error.to_string()))?;
    Ok(Answer { body: body.freeze(), offset })
}

/// A resource with its changes as a request has them: (key, operation, value).
type Asked<'a> = (Resource, Vec<(&'a str, i8, Option<&'a str>)>);

/// What is refused before anything is looked up (ConfigAdminManager.preprocess).
fn preprocess(
    asked: Vec<Asked<'_>>,
    change: impl Fn(&[(&str, i8, Option<&str>)]) -> Result<Change>,
) -> Vec<(Resource, Result<Change>)> {
    let mut times: BTreeMap<Resource, usize> = BTreeMap::new();
    for (resource, _) in &asked {
        *times.entry(resource.clone()).or_default() += 1;
    }
    let refuse = |message: String| Err(explained(ResponseError::InvalidRequest, message));
    let checked = asked.into_iter().map(|(resource, configs)| {
        let keys: BTreeSet<&str> = configs.iter().map(|(key, ..)| *key).collect();
        let missing =
            configs.iter().filter(|(_, operation, value)| value.is_none() && *operation != DELETE);
        let missing: Vec<&str> = missing.map(|(key, ..)| *key).collect();
        let change = if times[&resource] > 1 {
            refuse("Each resource must appear at most once.".to_owned())
        } else if keys.len() < configs.len() {
            refuse("Error due to duplicate config keys".to_owned())
        } else if !missing.is_empty() {
            refuse(format!("Null value not supported for : {}", missing.join(", ")))
        } else if !is_known_type(resource.0) {
            refuse(format!("Unknown resource type {}", resource.0))
        } else {
            change(&configs)
        };
        (resource, change)
    });
    checked.collect()
}

fn alter_configs(
    state: &mut State,
    request: &IncrementalAlterConfigsRequest,
) -> Result<(IncrementalAlterConfigsResponse, Offset)> {
    let asked = request.resources.iter().map(|resource| {
        let configs = resource
            .configs
            .iter()
            .map(|config| (config.name.as_str(), config.config_operation, config.value.as_deref()));
        ((resource.resource_type, resource.resource_name.to_string()), configs.collect())
    });
    let changes = preprocess(asked.collect(), |configs| {
        let operation = |&(key, operation, value): &(&str, i8, Option<&str>)| {
            let value = value.unwrap_or_default().to_owned();
            let operation = match operation {
                SET => Operation::Set(value),
                DELETE => Operation::Delete,
                APPEND => Operation::Append(value),
                SUBTRACT => Operation::Subtract(value),
                other => {
                    let message = format!("Unknown operations type {other}");
                    return Err(explained(ResponseError::InvalidRequest, message));
                }
            };
            Ok((key.to_owned(), operation))
        };
        configs.iter().map(operation).collect::<Result<_>>().map(Change::Some)
    });
    let outcome = state.view().alter_configs(changes).unless(request.validate_only);
    let (results, offset) = state.conclude(outcome)?;
    let responses = results.into_iter().map(|((resource_type, name), result)| {
        let (code, message) = item_error(&result);
        altered::AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource_type)
            .with_resource_name(text(name))
    });
    let response = IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
    Ok((response, offset))
}

fn replace_configs(
    state: &mut State,
    request: &AlterConfigsRequest,
) -> Result<(AlterConfigsResponse, Offset)> {
    let asked = request.resources.iter().map(|resource| {
        let configs = resource.configs.iter();
        let configs = configs.map(|config| (config.name.as_str(), SET, config.value.as_deref()));
        ((resource.resource_type, resource.resource_name.to_string()), configs.collect())
    });
    let changes = preprocess(asked.collect(), |configs| {
        let configs =
            configs.iter().map(|(key, _, value)| ((*key).to_owned(), value.map(str::to_owned)));
        Ok(Change::All(configs.collect()))
    });
    let outcome = state.view().alter_configs(changes).unless(request.validate_only);
    let (results, offset) = state.conclude(outcome)?;
    let responses = results.into_iter().map(|((resource_type, name), result)| {
        let (code, message) = item_error(&result);
        replaced::AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource_type)
            .with_resource_name(text(name))
    });
    Ok((AlterConfigsResponse::default().with_responses(responses.collect()), offset))
}

fn unregister_broker(
    state: &mut State,
    request: &UnregisterBrokerRequest,
) -> Result<(UnregisterBrokerResponse, Offset)> {
    match state.view().unregister_broker(request.broker_id.0) {
        Ok(outcome) => {
            let ((), offset) = state.conclude(outcome)?;
            Ok((UnregisterBrokerResponse::default(), offset))
        }
        Err(error) => {
            let (code, message) = item_error(&Err::<(), _>(error));
            let response = UnregisterBrokerResponse::default();
            Ok((response.with_error_code(code).with_error_message(message), -1))
        }
    }
}
