//! Limits the rate of a user or a client. There are no quotas yet.

use super::Context;
use crate::codec::Reply;

/// Called for each request that has been handled, before its response is written.
///
/// Quotas (KIP-13, KIP-124) will charge the request to its principal and client id here, and tell
/// the session until when the connection must not start another request (KIP-219).
pub(super) fn charge(_cx: &Context, _reply: &Reply) {}
