//! LeaveGroup (13): members leave a classic group, or an operator removes static members.

use super::Context;
use crate::codec::Reply;
use crate::codec::messages::leave_group_request::MemberIdentity;
use crate::codec::messages::leave_group_response::MemberResponse;
use crate::codec::messages::{LeaveGroupRequest, LeaveGroupResponse};
use crate::error::Result;
use kafka_protocol::error::ResponseError;

/// The first version in which several members may leave, each with an error of its own.
const BATCH_VERSION: i16 = 3;

pub(super) async fn handle(cx: &Context, mut request: LeaveGroupRequest) -> Result<Reply> {
    if cx.header.api_version < BATCH_VERSION {
        let member = MemberIdentity::default().with_member_id(request.member_id.clone());
        request.members = vec![member];
    }
    let mut response = LeaveGroupResponse::default();
    match cx.parts.groups.leave_group(&request).await {
        Ok(members) => response.members = members,
        // Here the group is unknown, and Kafka reports the error for each member.
        Err(error) if error.code() == ResponseError::UnknownMemberId => {
            response.members = request.members.iter().map(unknown).collect();
        }
        Err(error) => response.error_code = error.code().code(),
    }
    if cx.header.api_version < BATCH_VERSION
        && let Some(member) = response.members.pop()
    {
        response.error_code = member.error_code;
    }
    Ok(cx.reply(&response))
}

fn unknown(identity: &MemberIdentity) -> MemberResponse {
    MemberResponse::default()
        .with_member_id(identity.member_id.clone())
        .with_group_instance_id(identity.group_instance_id.clone())
        .with_error_code(ResponseError::UnknownMemberId.code())
}
