//! DescribeUserScramCredentials (50): the users in the metadata and their mechanisms
//! (ScramImage.describe). klamm asks nobody for a password; Kafka's brokers may.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::describe_user_scram_credentials_request::UserName;
use crate::codec::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use crate::codec::messages::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, StrBytes,
};
use crate::error::Result;
use crate::metadata::security::Security;
use kafka_protocol::error::ResponseError;
use std::collections::BTreeMap;

pub(super) async fn handle(
    cx: &Context,
    request: DescribeUserScramCredentialsRequest,
) -> Result<Reply> {
    let response = DescribeUserScramCredentialsResponse::default()
        .with_error_message(Some(StrBytes::default()))
        .with_results(results(&cx.image().security, request.users.unwrap_or_default()));
    Ok(cx.reply(&response))
}

/// What is known of each user, or of all users if none is named.
fn results(security: &Security, users: Vec<UserName>) -> Vec<DescribeUserScramCredentialsResult> {
    let mut asked: BTreeMap<StrBytes, usize> = BTreeMap::new();
    for UserName { name, .. } in users {
        *asked.entry(name).or_default() += 1;
    }
    if asked.is_empty() {
        let all = security.scram.keys().map(|(_, user)| StrBytes::from_string(user.clone()));
        asked = all.map(|user| (user, 1)).collect();
    }
    asked.into_iter().map(|(user, times)| result(security, user, times)).collect()
}

fn result(security: &Security, user: StrBytes, times: usize) -> DescribeUserScramCredentialsResult {
    let credentials = credentials(security, &user);
    let (error, message) = if times > 1 {
        (ResponseError::DuplicateResource, "The request names a user twice")
    } else if credentials.is_empty() {
        (ResponseError::ResourceNotFound, "No SCRAM credentials are kept for the user")
    } else {
        let result = DescribeUserScramCredentialsResult::default().with_user(user);
        return result.with_credential_infos(credentials);
    };
    DescribeUserScramCredentialsResult::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_string(format!("{message}: {user}"))))
        .with_user(user)
}

fn credentials(security: &Security, user: &str) -> Vec<CredentialInfo> {
    let of_user = security.scram.iter().filter(|((_, name), _)| name == user);
    let info = |mechanism: i8, iterations: i32| {
        CredentialInfo::default().with_mechanism(mechanism).with_iterations(iterations)
    };
    of_user.map(|((mechanism, _), record)| info(*mechanism, record.iterations)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::schema::metadata::UserScramCredentialRecord;
    use std::sync::Arc;

    #[test]
    fn users_are_described_with_their_mechanisms() {
        let mut security = Security::default();
        for (mechanism, user, iterations) in [(1, "a", 4096), (2, "a", 8192), (2, "b", 16384)] {
            let record = UserScramCredentialRecord { iterations, ..Default::default() };
            security.scram.insert((mechanism, user.to_owned()), Arc::new(record));
        }
        let described = |users: &[&'static str]| {
            let users = users.iter().map(|name| StrBytes::from_static_str(name));
            let users = users.map(|name| UserName::default().with_name(name)).collect();
            let results = results(&security, users);
            let result = |result: DescribeUserScramCredentialsResult| {
                let infos = result.credential_infos.iter();
                let infos = infos.map(|info| (info.mechanism, info.iterations)).collect::<Vec<_>>();
                (result.user.to_string(), result.error_code, infos)
            };
            results.into_iter().map(result).collect::<Vec<_>>()
        };
        let a = || ("a".to_owned(), 0, vec![(1, 4096), (2, 8192)]);
        let b = || ("b".to_owned(), 0, vec![(2, 16384)]);
        assert_eq!(described(&[]), [a(), b()]);
        assert_eq!(described(&["b"]), [b()]);
        let missing = ResponseError::ResourceNotFound.code();
        assert_eq!(described(&["c", "a"]), [a(), ("c".to_owned(), missing, vec![])]);
        let twice = ResponseError::DuplicateResource.code();
        assert_eq!(described(&["b", "b"]), [("b".to_owned(), twice, vec![])]);
    }
}
