//! Limits the rate of a user or a client. There are no quotas yet.

use super::Context;

/// Called with each response before it is encoded, as the throttle time is one of its fields; with
/// the answer of the controller to a forwarded request, and with `()` if there is no response.
///
/// Quotas (KIP-13, KIP-124) will charge the request to its principal and client id here, and tell
/// the session until when the connection must not start another request (KIP-219).
pub(super) fn charge<M>(_cx: &Context, _response: &M) {}
