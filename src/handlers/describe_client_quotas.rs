//! DescribeClientQuotas (48): the quotas in the metadata that a filter matches
//! (ClientQuotasImage.describe). klamm does not limit clients by them; Kafka's brokers do.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_client_quotas_request::ComponentData;
use crate::codec::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use crate::codec::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse, StrBytes};
use crate::error::{Error, Result};
use crate::metadata::security::{QuotaEntity, Security};
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashSet};

/// The match types of a filter's component (DescribeClientQuotasRequest).
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

pub(super) async fn handle(cx: &Context, request: DescribeClientQuotasRequest) -> Result<Reply> {
    let response = DescribeClientQuotasResponse::default();
    let response = match check(&request.components) {
        Ok(()) => response
            .with_error_message(Some(StrBytes::default()))
            .with_entries(Some(found(&cx.image().security, &request))),
        Err(error) => response
            .with_error_code(error.code().code())
            .with_error_message(error.message().map(StrBytes::from_string))
            .with_entries(None),
    };
    Ok(cx.reply(&response))
}

fn found(security: &Security, request: &DescribeClientQuotasRequest) -> Vec<EntryData> {
    let found = security.quotas.iter().filter(|(entity, _)| matches(entity, request));
    found.map(|(entity, limits)| entry(entity, limits)).collect()
}

/// Whether the entity has every component of the filter, and if it is strict, no other one.
fn matches(entity: &QuotaEntity, request: &DescribeClientQuotasRequest) -> bool {
    let has = |asked: &ComponentData| {
        entity.iter().any(|(kind, name)| {
            *kind == *asked.entity_type
                && (asked.match_type == SPECIFIED || name.as_deref() == asked._match.as_deref())
        })
    };
    (!request.strict || entity.len() == request.components.len())
        && request.components.iter().all(has)
}

fn entry(entity: &QuotaEntity, limits: &BTreeMap<String, f64>) -> EntryData {
    let text = |text: &String| StrBytes::from_string(text.clone());
    let entity = entity.iter().map(|(kind, name)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.as_ref().map(text))
    });
    let values = limits
        .iter()
        .map(|(key, value)| ValueData::default().with_key(text(key)).with_value(*value));
    EntryData::default().with_entity(entity.collect()).with_values(values.collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    type Entity = &'static [(&'static str, Option<&'static str>)];

    fn entity(parts: Entity) -> QuotaEntity {
        parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect()
    }

    fn text(text: &'static str) -> StrBytes {
        StrBytes::from_static_str(text)
    }

    #[test]
    fn a_filter_finds_the_entities_that_have_all_of_its_components() {
        let entities: [Entity; 5] = [
            &[("user", Some("a"))],
            &[("user", None)],
            &[("client-id", Some("c")), ("user", Some("a"))],
            &[("client-id", None)],
            &[("ip", Some("a"))],
        ];
        let mut security = Security::default();
        for (index, parts) in entities.iter().enumerate() {
            let limits = BTreeMap::from([("producer_byte_rate".to_owned(), index as f64)]);
            security.quotas.insert(entity(parts), Arc::new(limits));
        }
        let found = |strict, components: &[(&'static str, i8, Option<&'static str>)]| {
            let components = components.iter().map(|(kind, match_type, name)| {
                ComponentData::default()
                    .with_entity_type(text(kind))
                    .with_match_type(*match_type)
                    .with_match(name.map(text))
            });
            let request = DescribeClientQuotasRequest::default()
                .with_strict(strict)
                .with_components(components.collect());
            let mut found: Vec<usize> = found(&security, &request)
                .iter()
                .inspect(|entry| assert_eq!(entry.values[0].key, text("producer_byte_rate")))
                .map(|entry| entry.values[0].value as usize)
                .collect();
            found.sort_unstable();
            found
        };
        assert_eq!(found(false, &[]), [0, 1, 2, 3, 4]);
        assert_eq!(found(true, &[]), [0; 0]);
        assert_eq!(found(false, &[("user", EXACT, Some("a"))]), [0, 2]);
        assert_eq!(found(true, &[("user", EXACT, Some("a"))]), [0]);
        assert_eq!(found(false, &[("user", DEFAULT, None)]), [1]);
        assert_eq!(found(true, &[("user", SPECIFIED, None)]), [0, 1]);
        assert_eq!(found(true, &[("user", SPECIFIED, None), ("client-id", EXACT, Some("c"))]), [2]);
        assert_eq!(found(false, &[("user", EXACT, Some("b"))]), [0; 0]);
    }

    #[test]
    fn an_entry_names_the_default_by_no_name() {
        let limits = BTreeMap::from([("request_percentage".to_owned(), 200.0)]);
        let entry = entry(&entity(&[("client-id", Some("c")), ("user", None)]), &limits);
        let names: Vec<_> = entry.entity.iter().map(|part| part.entity_name.as_deref()).collect();
        assert_eq!(names, [Some("c"), None]);
        assert_eq!(entry.values[0].value, 200.0);
    }
}
