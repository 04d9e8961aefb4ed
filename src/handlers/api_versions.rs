//! ApiVersions (18): what this listener serves, from the API table, and the cluster's features.

use super::{Context, TABLE};
use crate::codec::schema::message::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::codec::schema::message::{ApiVersionsRequest, ApiVersionsResponse};
use crate::codec::{self, Reply};
use crate::error::Result;
use crate::metadata::features;
use kafka_protocol::error::ResponseError;

pub(super) const KEY: i16 = 18;

pub(super) async fn handle(cx: &Context, request: ApiVersionsRequest) -> Result<Reply> {
    let mut response = described(cx);
    if cx.api_version >= 3 && !valid(&request) {
        response = ApiVersionsResponse {
            error_code: ResponseError::InvalidRequest.code(),
            ..ApiVersionsResponse::default()
        };
    }
    Ok(cx.reply(&response))
}

/// The answer to a version nobody knows: version 0, so that any client can read it, with the
/// versions it may ask with.
pub(super) fn unsupported(cx: &Context) -> Reply {
    let response = ApiVersionsResponse {
        error_code: ResponseError::UnsupportedVersion.code(),
        api_keys: api_keys(cx).into_iter().filter(|api| api.api_key == KEY).collect(),
        ..ApiVersionsResponse::default()
    };
    codec::encode(KEY, 0, cx.correlation_id, &response)
}

fn described(cx: &Context) -> ApiVersionsResponse {
    let image = cx.image();
    // Up to version 3 a client cannot read a feature that begins at level 0 (KAFKA-17011).
    let shown = |(_, min, _): &&(&str, i16, i16)| cx.api_version >= 4 || *min > 0;
    let supported = features::SUPPORTED.iter().filter(shown);
    let supported = supported.map(|(name, min, max)| SupportedFeatureKey {
        name: (*name).to_owned(),
        min_version: *min,
        max_version: *max,
    });
    let finalized = image.finalized_features().into_iter();
    let finalized = finalized.map(|(name, level)| FinalizedFeatureKey {
        name,
        max_version_level: level,
        min_version_level: level,
    });
    ApiVersionsResponse {
        api_keys: api_keys(cx),
        supported_features: supported.collect(),
        finalized_features_epoch: image.offset,
        finalized_features: finalized.collect(),
        ..ApiVersionsResponse::default()
    }
}

fn api_keys(cx: &Context) -> Vec<ApiVersion> {
    let mut keys: Vec<ApiVersion> = TABLE
        .iter()
        .filter(|api| api.is_on(cx.endpoint))
        .map(|api| ApiVersion { api_key: api.key, min_version: api.min, max_version: api.max })
        .collect();
    keys.sort_by_key(|api| api.api_key);
    keys
}

/// Software name and version must be words of letters, digits, '-' and '.' (KIP-511).
fn valid(request: &ApiVersionsRequest) -> bool {
    [&request.client_software_name, &request.client_software_version].into_iter().all(|word| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(word.chars().next())
            && edge(word.chars().next_back())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    })
}
