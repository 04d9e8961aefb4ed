//! Work beside requests: deletes the records of `__share_group_state` that no share partition needs
//! any more. Nothing else does: the topic is not compacted, and its records do not expire.

use super::machine::ShareMachine;
use crate::coordinator::runtime::Slot;
use crate::coordinator::state_machine::Outcome;
use crate::error::Result;
use std::sync::Arc;

/// Deletes the records of one partition as often as its machine says, for as long as it is here.
pub async fn serve(slot: Arc<Slot<ShareMachine>>) {
    while slot.wait_for_work().await {
        if let Err(error) = prune(&slot).await {
            let partition = slot.log().index();
            tracing::warn!(partition, %error, "cannot delete old records of share groups' state");
        }
    }
}

async fn prune(slot: &Slot<ShareMachine>) -> Result<()> {
    // The answer comes once the snapshots that make older records redundant are replicated.
    let redundant = slot.run(|machine, _| Ok(Outcome::answer(machine.take_redundant()))).await?;
    match redundant {
        Some(before) => slot.log().delete_records(before).map(drop),
        None => Ok(()),
    }
}
