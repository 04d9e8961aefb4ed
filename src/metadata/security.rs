//! What the log says about who may do what: kept and carried through snapshots, served later.

use crate::codec::schema::metadata::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, UserScramCredentialRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Whom a quota is for: (entity type, name; None is the default), ordered.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// ACLs, SCRAM credentials, delegation tokens and client quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// By their ids.
    pub acls: imbl::OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    /// By (mechanism, user).
    pub scram: imbl::OrdMap<(i8, String), Arc<UserScramCredentialRecord>>,
    /// By token id.
    pub delegation_tokens: imbl::OrdMap<String, Arc<DelegationTokenRecord>>,
    /// Quota key -> value, by entity.
    pub quotas: imbl::OrdMap<QuotaEntity, Arc<BTreeMap<String, f64>>>,
}

/// The entity that a quota record is about.
pub(super) fn quota_entity(record: &ClientQuotaRecord) -> QuotaEntity {
    let mut entity: QuotaEntity = record
        .entity
        .iter()
        .map(|part| (part.entity_type.clone(), part.entity_name.clone()))
        .collect();
    entity.sort();
    entity
}
