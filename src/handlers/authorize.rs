//! Whether a request may be served for who sends it. Everything may: there is no authentication
//! and there are no ACLs.

use super::{Api, Session};
use crate::error::Result;

/// Called for each request before its body is decoded; an error closes the connection.
///
/// A listener with SASL will let only ApiVersions, SaslHandshake and SaslAuthenticate pass here
/// until the session is authenticated. What ACLs allow depends on the topics and groups that a
/// request names, so handlers will ask for each of these, by a function of this file.
pub(super) fn authorize(_session: &Session, _api: &Api) -> Result<()> {
    Ok(())
}
