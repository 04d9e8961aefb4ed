//! ListGroups (16): the groups that this broker coordinates.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::{ListGroupsRequest, ListGroupsResponse, StrBytes};
use crate::error::Result;
use std::collections::HashSet;

/// The states of groups of all types.
const STATES: [&str; 8] = [
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Dead",
    "Empty",
    "Assigning",
    "Reconciling",
    "NotReady",
];
/// The types of groups.
const TYPES: [&str; 4] = ["classic", "consumer", "share", "streams"];

pub(super) async fn handle(cx: &Context, mut request: ListGroupsRequest) -> Result<Reply> {
    let mut response = ListGroupsResponse::default();
    let in_no_state = reduce(&mut request.states_filter, &STATES);
    if reduce(&mut request.types_filter, &TYPES) || in_no_state {
        return Ok(cx.reply(&response));
    }
    match cx.parts.groups.list_groups(&request).await {
        Ok(groups) => response.groups = groups,
        Err(error) => response.error_code = error.code().code(),
    }
    Ok(cx.reply(&response))
}

/// Reduces `filter` to the known names, each once, because each group is compared with all of it.
/// Returns true if the filter then lets no group pass.
fn reduce(filter: &mut Vec<StrBytes>, known: &[&'static str]) -> bool {
    let is_asked = !filter.is_empty();
    let mut seen = HashSet::new();
    filter.retain(|asked| {
        let name = known.iter().find(|known| asked.trim().eq_ignore_ascii_case(known));
        name.is_some_and(|name| seen.insert(*name))
    });
    is_asked && filter.is_empty()
}
