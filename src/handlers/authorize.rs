//! Decides whether a request may be served. Every request may: there is no authentication and there
//! are no ACLs yet.

use super::{Api, Session};
use crate::error::Result;

/// Called for each request before its body is decoded. An error closes the connection.
///
/// On a listener with SASL it will let only ApiVersions, SaslHandshake and SaslAuthenticate pass
/// until the session is authenticated. ACLs depend on the topics and groups that a request names,
/// so handlers will check these through functions of this file.
pub(super) fn authorize(_session: &Session, _api: &Api) -> Result<()> {
    Ok(())
}
