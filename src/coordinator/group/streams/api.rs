//! The APIs of streams groups: which shard answers them.

use super::Heartbeat;
use super::request;
use crate::codec::schema::message::StreamsGroupHeartbeatRequest;
use crate::codec::schema::message::streams_group_describe_response::DescribedGroup;
use crate::coordinator::RequestContext;
use crate::coordinator::group::outcome::Outcome;
use crate::coordinator::group::{Groups, check_group_id};
use crate::error::Result;

impl Groups {
    /// A member of a streams group comes, stays or goes.
    pub async fn streams_heartbeat(
        &self,
        cx: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<Heartbeat> {
        request::check(request, cx.api_version)?;
        let slot = self.slot(&request.group_id)?;
        slot.run(|shard, now| shard.streams_heartbeat(now, cx, request)).await
    }

    /// Describes a streams group.
    pub async fn describe_streams(&self, group: &str) -> Result<DescribedGroup> {
        check_group_id(group)?;
        let slot = self.slot(group)?;
        slot.run(|shard, _| Ok(Outcome::answer(shard.describe_streams(group)))).await
    }
}
