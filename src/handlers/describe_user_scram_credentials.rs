//! DescribeUserScramCredentials (50): finds nothing, as there are no credentials yet
//! (ScramImage.describe).

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_user_scram_credentials_request::UserName;
use crate::codec::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use crate::codec::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, StrBytes,
};
use crate::error::Result;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

pub(super) async fn handle(
    cx: &Context,
    request: DescribeUserScramCredentialsRequest,
) -> Result<Reply> {
    let mut asked: BTreeMap<StrBytes, usize> = BTreeMap::new();
    for UserName { name, .. } in request.users.unwrap_or_default() {
        *asked.entry(name).or_default() += 1;
    }
    let results = asked.into_iter().map(|(user, times)| result(user, times)).collect();
    let response = DescribeUserScramCredentialsResponse::default()
        .with_error_message(Some(StrBytes::default()))
        .with_results(results);
    Ok(cx.reply(&response))
}

fn result(user: StrBytes, times: usize) -> DescribeUserScramCredentialsResult {
    let (error, message) = if times > 1 {
        (ResponseError::DuplicateResource, "The request names a user twice")
    } else {
        (ResponseError::ResourceNotFound, "No SCRAM credentials are kept for the user")
    };
    DescribeUserScramCredentialsResult::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(format!("{message}: {user}"))))
        .with_user(user)
}
