//! ApiVersions (18): the APIs that this listener serves, and the cluster's features.

use super::{Api, Context, FORWARDABLE, Session, Software};
use crate::client::Ranges;
use crate::codec::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use crate::codec::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::codec::{self, Reply};
use crate::error::Result;
use crate::metadata::features;
use kafka_protocol::error::ResponseError;

pub(super) const KEY: i16 = 18;

pub(super) async fn handle(cx: &Context, request: ApiVersionsRequest) -> Result<Reply> {
    // Before version 3 clients do not say which software they are.
    if cx.header.api_version >= 3 {
        if !valid(&request) {
            let code = ResponseError::InvalidRequest.code();
            return Ok(cx.reply(&ApiVersionsResponse::default().with_error_code(code)));
        }
        note(&cx.session, request);
    }
    Ok(cx.reply(&described(cx)))
}

/// Records the client's software in its session.
fn note(session: &Session, request: ApiVersionsRequest) {
    session.software.get_or_init(|| {
        let name = request.client_software_name.to_string();
        let version = request.client_software_version.to_string();
        tracing::debug!(peer = %session.peer, "the client is {name} {version}");
        Software { name, version }
    });
}

/// Answers an unknown version. The response is of version 0, which every client can read, and names
/// the versions of ApiVersions that the client may use instead.
pub(super) fn unsupported(cx: &Context) -> Reply {
    let response = ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(api_keys(cx).into_iter().filter(|api| api.api_key == KEY).collect());
    codec::encode(KEY, 0, cx.header.correlation_id, &response)
}

fn described(cx: &Context) -> ApiVersionsResponse {
    let image = cx.image();
    // Before version 4 clients cannot read a feature whose lowest level is 0 (KAFKA-17011).
    let shown = |(_, min, _): &&(&str, i16, i16)| cx.header.api_version >= 4 || *min > 0;
    let supported = features::SUPPORTED.iter().filter(shown);
    let supported = supported.map(|&(name, min, max)| {
        SupportedFeatureKey::default()
            .with_name(name.into())
            .with_min_version(min)
            .with_max_version(max)
    });
    let finalized = image.finalized_features().into_iter();
    let finalized = finalized.map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(name.into())
            .with_max_version_level(level)
            .with_min_version_level(level)
    });
    ApiVersionsResponse::default()
        .with_api_keys(api_keys(cx))
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(image.offset)
        .with_finalized_features(finalized.collect())
}

fn api_keys(cx: &Context) -> Vec<ApiVersion> {
    let controller = cx.parts.controller.ranges();
    let versions = |api: &Api| {
        let (min, max) = common(api, controller.as_deref())?;
        let versions = ApiVersion::default().with_api_key(api.key);
        Some(versions.with_min_version(min).with_max_version(max))
    };
    let mut keys: Vec<ApiVersion> = cx.served().filter_map(versions).collect();
    keys.sort_by_key(|api| api.api_key);
    keys
}

/// The lowest and the highest version of an API that we serve, and, if it is forwarded, the active
/// `controller` too, as far as that is known; None if there is none.
fn common(api: &Api, controller: Option<&Ranges>) -> Option<(i16, i16)> {
    let ours = (api.min, api.max);
    let Some(ranges) = controller.filter(|_| FORWARDABLE.contains(&api.key)) else {
        return Some(ours);
    };
    let (min, max) = *ranges.get(&api.key)?;
    let common = (min.max(ours.0), max.min(ours.1));
    (common.0 <= common.1).then_some(common)
}

/// Whether name and version of the client's software consist of letters, digits, '-' and '.', and
/// begin and end with a letter or digit (KIP-511).
fn valid(request: &ApiVersionsRequest) -> bool {
    [&request.client_software_name, &request.client_software_version].into_iter().all(|word| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(word.chars().next())
            && edge(word.chars().next_back())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, On};
    use super::*;

    #[test]
    fn a_forwarded_api_has_the_versions_that_the_controller_has_too() {
        let api = |key| Api { key, name: "", min: 2, max: 7, on: On::Both };
        let check = |key, controller: Option<(i16, i16)>, expected| {
            let ranges: Ranges = controller.map(|range| (key, range)).into_iter().collect();
            assert_eq!(common(&api(key), Some(&ranges)), expected, "{key} {controller:?}");
        };
        check(19, Some((0, 5)), Some((2, 5)));
        check(19, Some((3, 9)), Some((3, 7)));
        check(19, Some((8, 9)), None);
        check(19, None, None);
        check(3, None, Some((2, 7)));
        assert_eq!(common(&api(19), None), Some((2, 7)), "not known yet");
    }

    #[test]
    fn a_session_keeps_the_first_name_of_its_client() {
        let peer = ([127, 0, 0, 1], 50_000).into();
        let session = Session::new("PLAINTEXT".into(), Endpoint::Broker, peer);
        let software = |name: &str, version: &str| Software {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(session.software.get(), None);
        for Software { name, version } in [software("librdkafka", "2.6.0"), software("other", "1")]
        {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(name.into())
                .with_client_software_version(version.into());
            note(&session, request);
            assert_eq!(session.software.get(), Some(&software("librdkafka", "2.6.0")));
        }
    }
}
