//! Security settings from the metadata log: kept and carried through snapshots, not yet enforced.

use crate::codec::schema::metadata::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, UserScramCredentialRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The entity that a quota applies to: sorted pairs of entity type and name, None for the default.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// ACLs, SCRAM credentials, delegation tokens and client quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// ACL id -> ACL.
    pub acls: imbl::OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    /// (mechanism, user) -> SCRAM credential.
    pub scram: imbl::OrdMap<(i8, String), Arc<UserScramCredentialRecord>>,
    /// Token id -> delegation token.
    pub delegation_tokens: imbl::OrdMap<String, Arc<DelegationTokenRecord>>,
    /// Entity -> (quota name -> limit).
    pub quotas: imbl::OrdMap<QuotaEntity, Arc<BTreeMap<String, f64>>>,
}

/// The entity that a quota record applies to.
pub(super) fn quota_entity(record: &ClientQuotaRecord) -> QuotaEntity {
    let mut entity: QuotaEntity = record
        .entity
        .iter()
        .map(|part| (part.entity_type.clone(), part.entity_name.clone()))
        .collect();
    entity.sort();
    entity
}
