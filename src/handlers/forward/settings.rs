//! AlterConfigs and IncrementalAlterConfigs in a cluster: this broker refuses settings that it could
//! not apply, and forwards the rest (ConfigAdminManager).

use super::{Context, ask, forward};
use crate::codec::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, StrBytes, alter_configs_response,
    incremental_alter_configs_response,
};
use crate::codec::{self, Checked, Reply};
use crate::error::{Error, Result};
use bytes::BytesMut;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::{Decodable, Request};
use std::collections::HashMap;

/// Declares how a request is carried out: `$refused` finds what the broker refuses, and the response
/// is put together in the order of the request.
macro_rules! carry_out {
    ($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $item:ty, $refused:ident) => {
        $(#[$doc])*
        pub(super) async fn $name(cx: &Context, request: Checked) -> Result<Reply> {
            let asked: $request = request.clone().decode()?;
            let refused = cx.parts.controller.$refused(&asked, &cx.parts.config.get());
            if refused.iter().all(Option::is_none) {
                return forward(cx, request).await;
            }
            let mut rest = asked.clone();
            let mut is_refused = refused.iter().map(Option::is_some);
            rest.resources.retain(|_| !is_refused.next().unwrap_or(false));
            let answered = if rest.resources.is_empty() {
                <$response>::default()
            } else {
                let mut body = ask(cx, repacked(cx, &request, &rest)?).await?;
                <$response>::decode(&mut body, cx.header.api_version).map_err(unreadable)?
            };
            let mut answers: HashMap<(i8, StrBytes), (i16, Option<StrBytes>)> = answered
                .responses
                .into_iter()
                .map(|r| ((r.resource_type, r.resource_name), (r.error_code, r.error_message)))
                .collect();
            let items = asked.resources.into_iter().zip(refused).map(|(resource, refused)| {
                let id = (resource.resource_type, resource.resource_name);
                let (code, message) = match refused {
                    Some(error) => said(&error),
                    None => answers.remove(&id).unwrap_or(UNANSWERED),
                };
                <$item>::default()
                    .with_resource_type(id.0)
                    .with_resource_name(id.1)
                    .with_error_code(code)
                    .with_error_message(message)
            });
            Ok(cx.reply(&<$response>::default().with_responses(items.collect())))
        }
    };
}

carry_out! {
    /// Changes single settings.
    alter(IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse,
    incremental_alter_configs_response::AlterConfigsResourceResponse, refused_alterations
}

carry_out! {
    /// Replaces all settings of a resource.
    replace(AlterConfigsRequest) -> AlterConfigsResponse,
    alter_configs_response::AlterConfigsResourceResponse, refused_replacements
}

/// What is said of a resource that the controller's response lacks: UNKNOWN_SERVER_ERROR.
const UNANSWERED: (i16, Option<StrBytes>) = (-1, None);

fn said(error: &Error) -> (i16, Option<StrBytes>) {
    (error.code().code(), error.message().map(StrBytes::from_string))
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    tracing::error!("the controller's answer to a change of settings is not readable: {error}");
    ResponseError::UnknownServerError.into()
}

/// The request with another body, behind the header as it came.
fn repacked<R: Request>(cx: &Context, request: &Checked, body: &R) -> Result<Checked> {
    let (key, version, size) = (cx.header.api_key, cx.header.api_version, cx.header.size);
    let mut frame = BytesMut::from(request.frame().get(..size).unwrap_or_default());
    body.encode(&mut frame, version)
        .map_err(|error| Error::corrupt(format!("request of API {key} v{version}: {error}")))?;
    codec::check(key, version, frame.freeze(), size)
}
