//! The client APIs that the controller answers. Each request is decoded here, carried out, and
//! answered in bytes.

use super::envelope::{Answer, Forwarded};
use super::state::ControllerState;
use super::view::{explained, item_error};
use super::{alter_configs, update_features};
use crate::codec::messages::*;
use crate::error::{Error, Result};
use crate::types::Offset;
use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::{Encodable, Request};

/// Carries out a request. An error concerns the request as a whole; errors of single items are in
/// the answer.
pub(super) fn forward(state: &mut ControllerState, request: &Forwarded) -> Result<Answer> {
    state.in_name_of(request.by.clone(), |state| carry_out(state, request))
}

/// One line for each API: the type of its request, and an expression that yields the response and
/// the offset of the last record written for it, -1 if there was none.
macro_rules! apis {
    (|$state:ident, $request:ident, $version:ident| $($type:ident => $answer:expr;)*) => {
        fn carry_out($state: &mut ControllerState, forwarded: &Forwarded) -> Result<Answer> {
            let $version = forwarded.request.version();
            match forwarded.api_key {
                $(<$type as Request>::KEY => {
                    let $request: $type = forwarded.request.clone().decode()?;
                    answer($version, $answer)
                })*
                _ => Err(Error::Code(ResponseError::UnsupportedVersion)),
            }
        }
    };
}

apis! { |state, request, version|
    CreateTopicsRequest => state.change(|view| view.create_topics(&request));
    DeleteTopicsRequest => state.change(|view| view.delete_topics(&request, version));
    CreatePartitionsRequest => state.change(|view| view.create_partitions(&request));
    AlterConfigsRequest => alter_configs::replace(state, &request);
    IncrementalAlterConfigsRequest => alter_configs::alter(state, &request);
    ElectLeadersRequest => state.change(|view| view.elect_leaders(&request));
    AlterPartitionReassignmentsRequest => state.change(|view| view.alter_reassignments(&request));
    ListPartitionReassignmentsRequest => Ok((state.view().list_reassignments(&request), -1));
    DescribeQuorumRequest => Ok((state.quorum_state().describe(&request, version), -1));
    UpdateFeaturesRequest => update_features::update(state, &request, version);
    UnregisterBrokerRequest => unregister_broker(state, &request);
}

fn answer<M: Encodable>(version: i16, answered: Result<(M, Offset)>) -> Result<Answer> {
    let (response, offset) = answered?;
    let mut body = BytesMut::new();
    response
        .encode(&mut body, version)
        .map_err(|error| explained(ResponseError::UnknownServerError, error.to_string()))?;
    Ok(Answer { body: body.freeze(), offset })
}

fn unregister_broker(
    state: &mut ControllerState,
    request: &UnregisterBrokerRequest,
) -> Result<(UnregisterBrokerResponse, Offset)> {
    match state.view().unregister_broker(request.broker_id.0) {
        Ok(outcome) => {
            let ((), offset) = state.conclude(outcome)?;
            Ok((UnregisterBrokerResponse::default(), offset))
        }
        Err(error) => {
            let (code, message) = item_error(&Err::<(), _>(error));
            let response = UnregisterBrokerResponse::default();
            Ok((response.with_error_code(code).with_error_message(message), -1))
        }
    }
}
