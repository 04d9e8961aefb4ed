//! `quorum-state`: who leads the metadata quorum, and in which epoch (FileQuorumStateStore).

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::types::{BrokerId, LeaderEpoch};
use std::path::Path;
use uuid::Uuid;

const QUORUM_STATE: &str = "quorum-state";
/// The `kraft.version` from which on the voters are in the log.
pub(super) const DYNAMIC_VOTERS: i16 = 1;

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Election {
    pub leader: Option<BrokerId>,
    pub epoch: LeaderEpoch,
}

impl Election {
    /// Reads the file in the metadata log's directory; epoch 0 without a leader if there is none. A
    /// torn file (power was lost while it was overwritten on a full disk) and an impossible epoch
    /// count as that too, because the records in the log carry their epochs.
    pub fn read(disk: &Disk, dir: &Path) -> Result<Election> {
        let path = dir.join(QUORUM_STATE);
        let Some(content) = disk.read_file(&path)? else { return Ok(Election::default()) };
        let state: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
        match state["data_version"].as_i64() {
            Some(0 | 1) => {}
            Some(version) => return Err(Error::unknown_version(&path, version, "0 and 1")),
            None => {
                tracing::warn!(path = %path.display(), "ignored a broken file");
                return Ok(Election::default());
            }
        }
        let number =
            |name: &str| state[name].as_i64().and_then(|number| i32::try_from(number).ok());
        // Each start uses up one epoch, so no real quorum gets that far.
        let is_possible = |epoch: &LeaderEpoch| (0..=LeaderEpoch::MAX / 2).contains(epoch);
        let Some(epoch) = number("leaderEpoch").filter(is_possible) else {
            let epoch = &state["leaderEpoch"];
            tracing::warn!(path = %path.display(), %epoch, "ignored an epoch that cannot be");
            return Ok(Election::default());
        };
        Ok(Election { leader: number("leaderId").filter(|id| *id >= 0), epoch })
    }

    /// Writes the file durably. Before the voters are in the log, `voters` names them.
    pub fn write(
        self,
        disk: &Disk,
        dir: &Path,
        kraft_version: i16,
        voters: &[BrokerId],
    ) -> Result<()> {
        let Election { leader, epoch } = self;
        let id = leader.unwrap_or(-1);
        let leader = format!(r#""leaderId":{id},"leaderEpoch":{epoch},"votedId":-1"#);
        let state = if kraft_version >= DYNAMIC_VOTERS {
            let nobody = crate::types::uuid_to_text(Uuid::nil());
            format!(r#"{{{leader},"votedDirectoryId":"{nobody}","data_version":1}}"#)
        } else {
            let voters = voters.iter().map(|id| format!(r#"{{"voterId":{id}}}"#));
            let voters = voters.collect::<Vec<_>>().join(",");
            let voters = format!(r#""currentVoters":[{voters}]"#);
            format!(r#"{{"clusterId":"",{leader},"appliedOffset":0,{voters},"data_version":0}}"#)
        };
        let path = dir.join(QUORUM_STATE);
        match disk.replace_file(&path, state.as_bytes()) {
            // The file fits into one disk sector, so overwriting it in place is atomic too.
            Err(error) if error.is_disk_full() => {
                let file = disk.open(&path)?;
                file.write_at(state.as_bytes(), 0)?;
                file.truncate(state.len() as u64)?;
                file.sync_data()
            }
            replaced => replaced,
        }
    }
}
