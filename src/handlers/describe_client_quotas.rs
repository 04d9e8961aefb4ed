//! DescribeClientQuotas (48): checks the filter and finds nothing, as there are no quotas yet
//! (ClientQuotasImage.describe).

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_client_quotas_request::ComponentData;
use crate::codec::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse, StrBytes};
use crate::error::{Error, Result};
use kafka_protocol::error::ResponseError;
use std::collections::HashSet;

/// The match types of a filter's component (DescribeClientQuotasRequest).
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

pub(super) async fn handle(cx: &Context, request: DescribeClientQuotasRequest) -> Result<Reply> {
    let response = DescribeClientQuotasResponse::default();
    let response = match check(&request.components) {
        Ok(()) => {
            response.with_error_message(Some(StrBytes::default())).with_entries(Some(Vec::new()))
        }
        Err(error) => response
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string))
            .with_entries(None),
    };
    Ok(cx.reply(&response))
}

fn check(components: &[ComponentData]) -> Result<()> {
    let mut types = HashSet::new();
    for component in components {
        let entity_type = component.entity_type.as_str();
        if entity_type.is_empty() {
            return invalid("Invalid empty entity type.");
        }
        if !types.insert(entity_type) {
            return invalid(format!("The filter has {entity_type} twice"));
        }
        if !matches!(entity_type, "user" | "client-id" | "ip") {
            let message = format!("Unsupported entity type {entity_type}");
            return Err(Error::Explained(ResponseError::UnsupportedVersion, message));
        }
        check_match(component)?;
    }
    if types.contains("ip") && types.len() > 1 {
        return invalid("Invalid entity filter component combination.");
    }
    Ok(())
}

fn check_match(component: &ComponentData) -> Result<()> {
    let has_name = component._match.is_some();
    match component.match_type {
        EXACT if !has_name => {
            invalid(format!("A match by name of {} needs a name", &*component.entity_type))
        }
        kind @ (DEFAULT | SPECIFIED) if has_name => {
            let kind = if kind == DEFAULT { "the default" } else { "any" };
            invalid(format!("A match of {kind} {} takes no name", &*component.entity_type))
        }
        EXACT | DEFAULT | SPECIFIED => Ok(()),
        other => invalid(format!("Unknown match type {other}")),
    }
}

fn invalid(message: impl Into<String>) -> Result<()> {
    Err(Error::Explained(ResponseError::InvalidRequest, message.into()))
}
