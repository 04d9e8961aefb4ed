//! AlterConfigs and IncrementalAlterConfigs: their requests and responses, one resource at a time.

use super::configs::{Change, Operation, Resource, is_known_type};
use super::state::ControllerState;
use super::view::{View, explained, item_error, text};
use crate::codec::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_response as replaced,
    incremental_alter_configs_response as altered,
};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::metadata::{BROKER_CONFIG, BROKER_LOGGER_CONFIG, Image};
use crate::types::Offset;
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, BTreeSet};

/// The values of AlterConfigOp.OpType.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A resource with the changes that a request lists: (key, operation, value).
type Asked<'a> = (Resource, Vec<(&'a str, i8, Option<&'a str>)>);

/// Refuses what is wrong whatever the current configs are (ConfigAdminManager.preprocess).
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
            refuse(format!("{} occurs more than once in the request", resource.1))
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

/// A resource with the change to its configs, or why it is refused.
pub(super) type Asks = Vec<(Resource, Result<Change>)>;

/// What an IncrementalAlterConfigs request asks for, resource by resource.
pub(super) fn alterations(request: &IncrementalAlterConfigsRequest) -> Asks {
    let asked = request.resources.iter().map(|resource| {
        let configs = resource
            .configs
            .iter()
            .map(|config| (config.name.as_str(), config.config_operation, config.value.as_deref()));
        ((resource.resource_type, resource.resource_name.to_string()), configs.collect())
    });
    preprocess(asked.collect(), |configs| {
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
    })
}

/// Carries out IncrementalAlterConfigs.
pub(super) fn alter(
    state: &mut ControllerState,
    request: &IncrementalAlterConfigsRequest,
) -> Result<(IncrementalAlterConfigsResponse, Offset)> {
    let changes = alterations(request);
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

/// What an AlterConfigs request asks for, resource by resource.
pub(super) fn replacements(request: &AlterConfigsRequest) -> Asks {
    let asked = request.resources.iter().map(|resource| {
        let configs = resource.configs.iter();
        let configs = configs.map(|config| (config.name.as_str(), SET, config.value.as_deref()));
        ((resource.resource_type, resource.resource_name.to_string()), configs.collect())
    });
    preprocess(asked.collect(), |configs| {
        let configs =
            configs.iter().map(|(key, _, value)| ((*key).to_owned(), value.map(str::to_owned)));
        Ok(Change::All(configs.collect()))
    })
}

/// Carries out AlterConfigs, which replaces all configs of a resource.
pub(super) fn replace(
    state: &mut ControllerState,
    request: &AlterConfigsRequest,
) -> Result<(AlterConfigsResponse, Offset)> {
    let changes = replacements(request);
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

/// Why a broker refuses a change of a resource's configs before it asks the controller: it is wrong
/// whatever the configs are, or the settings of this broker cannot be changed so; None for what the
/// controller decides. `image` and `config` are the broker's.
pub(super) fn refusals(asks: Asks, image: &Image, config: &Config) -> Vec<Option<Error>> {
    let view = View { image, config };
    let refusal = |(resource, change): (Resource, Result<Change>)| {
        if change.is_ok() && !matches!(resource.0, BROKER_CONFIG | BROKER_LOGGER_CONFIG) {
            return None;
        }
        let mut altered = view.alter_configs(vec![(resource, change)]).response;
        altered.pop().and_then(|(_, altered)| altered.err())
    };
    asks.into_iter().map(refusal).collect()
}
