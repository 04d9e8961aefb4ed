//! How fast a user or a client may go on. As fast as it likes: there are no quotas.

use super::Context;
use crate::codec::Reply;

/// Called for each request that has been handled, before its answer leaves.
///
/// Quotas (KIP-13, KIP-124) will charge the request here to its principal and client id, and tell
/// the session until when its connection starts nothing more (KIP-219).
pub(super) fn charge(_cx: &Context, _reply: &Reply) {}
