//! The features of a cluster (KIP-584): which levels we support, which a new directory finalizes,
//! and what each `metadata.version` means.

use crate::error::{Error, Result};

/// Determines which metadata records the log may contain.
pub const METADATA_VERSION: &str = "metadata.version";
/// Eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";
/// Consumer groups (KIP-848).
pub const GROUP_VERSION: &str = "group.version";
/// Streams groups (KIP-1071).
pub const STREAMS_VERSION: &str = "streams.version";
/// Share groups (KIP-932); from level 2 on with dead letters (KIP-1191).
pub const SHARE_VERSION: &str = "share.version";
/// Voters in the metadata log instead of in the settings (KIP-853). A control record sets its
/// level.
pub const KRAFT_VERSION: &str = "kraft.version";

/// How transactions are recorded and how they end (KIP-890).
pub const TRANSACTION_VERSION: &str = "transaction.version";

/// 3.3-IV3, the oldest `metadata.version` that we open, as Kafka 4.3 and 4.4 do.
pub const OLDEST_METADATA_VERSION: i16 = 7;
/// 4.3-IV0, the `metadata.version` of a directory that we format.
pub const METADATA_VERSION_4_3: i16 = 30;
/// 4.4-IV2, the newest `metadata.version` that we open.
pub const NEWEST_METADATA_VERSION: i16 = 33;
/// 3.4-IV0: a registration can say that the broker migrates from ZooKeeper (KIP-866).
pub const ZK_MIGRATION: i16 = 8;
/// 3.5-IV2: SCRAM credentials are in the log (KIP-900).
const SCRAM: i16 = 11;
/// 3.6-IV2: delegation tokens are in the log.
const DELEGATION_TOKENS: i16 = 14;
/// 3.6-IV0: a leader keeps its epoch when its ISR shrinks (KAFKA-15021).
pub const EPOCH_SURVIVES_SHRINKING: i16 = 12;
/// 3.6-IV1: records can form a transaction (KIP-868).
pub const TRANSACTIONS: i16 = 13;
/// 3.7-IV0: controllers are registered (KIP-919).
pub const CONTROLLER_REGISTRATION: i16 = 15;
/// 3.7-IV2: brokers and partitions name their log directories (KIP-858).
pub const DIRECTORIES: i16 = 17;
/// 4.0-IV1: partitions have eligible leader replicas (KIP-966).
pub const ELR_RECORDS: i16 = 23;
/// 4.3-IV0: log directories can be cordoned (KIP-1066).
pub const CORDONED_LOG_DIRS: i16 = 30;

/// (name, lowest level, highest level) of the features that we register with. A directory must have
/// finalized nothing else for us to open it. All that Kafka 4.3 and 4.4 finalize by default is
/// included.
pub const SUPPORTED: [(&str, i16, i16); 7] = [
    (ELIGIBLE_LEADER_REPLICAS, 0, 1),
    (GROUP_VERSION, 0, 1),
    (KRAFT_VERSION, 0, 1),
    (METADATA_VERSION, OLDEST_METADATA_VERSION, NEWEST_METADATA_VERSION),
    (SHARE_VERSION, 0, 2),
    (STREAMS_VERSION, 0, 1),
    (TRANSACTION_VERSION, 0, 2),
];

/// What a directory that we format finalizes, as Kafka 4.3 does.
pub const FORMATTED: [(&str, i16); 6] = [
    (METADATA_VERSION, METADATA_VERSION_4_3),
    (ELIGIBLE_LEADER_REPLICAS, 1),
    (GROUP_VERSION, 1),
    (SHARE_VERSION, 1),
    (STREAMS_VERSION, 1),
    (TRANSACTION_VERSION, 2),
];

/// Refuses a level outside the range that we support.
pub fn check_level(name: &str, level: i16) -> Result<()> {
    let (least, greatest) = supported(name);
    if (least..=greatest).contains(&level) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "{name} is finalized at {level}, which is not known here (only {least} to {greatest} are)"
    )))
}

/// The lowest and highest level of a feature that we support; (0, 0) if we do not know it.
pub fn supported(name: &str) -> (i16, i16) {
    SUPPORTED
        .iter()
        .find(|(feature, ..)| *feature == name)
        .map_or((0, 0), |&(_, least, greatest)| (least, greatest))
}

/// The name of a `metadata.version`, such as `4.3-IV0`; the bare number if it has none.
pub fn metadata_version_name(level: i16) -> String {
    const NAMES: [&str; 27] = [
        "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2",
        "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0",
        "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
        "4.4-IV0", "4.4-IV1", "4.4-IV2",
    ];
    usize::try_from(level - OLDEST_METADATA_VERSION)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| level.to_string(), |name| (*name).to_owned())
}

/// Whether the records differ between two levels of `metadata.version`, so that a downgrade would
/// lose something (MetadataVersion.checkIfMetadataChanged).
pub fn changes_records(lower: i16, higher: i16) -> bool {
    const CHANGED: [i16; 11] = [
        ZK_MIGRATION,
        SCRAM,
        TRANSACTIONS,
        DELEGATION_TOKENS,
        CONTROLLER_REGISTRATION,
        DIRECTORIES,
        ELR_RECORDS,
        CORDONED_LOG_DIRS,
        // 4.4 changed the records of ACLs and controllers.
        31,
        32,
        33,
    ];
    CHANGED.iter().any(|&level| lower < level && level <= higher)
}
