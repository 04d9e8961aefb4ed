//! Whole batches into an image: control records, and transactions that count as a whole or not at
//! all (MetadataBatchLoader).

use super::control::ControlRecord;
use super::delta::Changes;
use super::record::MetadataRecord;
use super::{Delta, Image, Published, features};
use crate::codec::schema::raft::VotersRecord;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::Timestamp;
use std::sync::Arc;

/// What the log has said so far.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    /// With all that was read, an open transaction too.
    pub image: Image,
    /// Since the last `take`.
    changes: Changes,
    /// As it was before the open transaction.
    before_transaction: Option<Box<(Image, Changes)>>,
    /// The voters that the log names; None while the settings do (`kraft.version` 0).
    pub voters: Option<VotersRecord>,
    /// When the last record was written.
    pub timestamp: Timestamp,
}

impl Loader {
    /// Nothing is known yet.
    pub fn new(cluster_id: &str) -> Loader {
        Loader {
            image: Image { cluster_id: Arc::from(cluster_id), ..Image::default() },
            changes: Changes::default(),
            before_transaction: None,
            voters: None,
            timestamp: 0,
        }
    }

    /// Applies one batch of the log.
    pub fn load_batch(&mut self, batch: &Batch) -> Result<()> {
        if batch.is_control() {
            self.load_control_batch(batch)?;
        } else {
            for record in decode_batch(batch)? {
                self.replay(&record)?;
            }
        }
        self.image.offset = batch.last_offset();
        self.image.epoch = batch.leader_epoch();
        self.timestamp = batch.max_timestamp();
        Ok(())
    }

    /// Applies the control records of a batch, of the log or of a snapshot.
    pub fn load_control_batch(&mut self, batch: &Batch) -> Result<()> {
        for record in batch.records(i32::MAX as usize)? {
            match ControlRecord::decode(&record)? {
                ControlRecord::KRaftVersion(level) => {
                    self.image.kraft_version = level;
                    self.changes.features = true;
                }
                ControlRecord::Voters(voters) => self.voters = Some(voters),
                ControlRecord::SnapshotHeader(header) => {
                    self.timestamp = header.last_contained_log_timestamp;
                }
                ControlRecord::LeaderChange(_) | ControlRecord::SnapshotFooter => {}
            }
        }
        Ok(())
    }

    /// Applies one record.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<()> {
        match record {
            MetadataRecord::BeginTransaction(_) => {
                if self.in_transaction() {
                    return Err(Error::corrupt("metadata log: a transaction within another"));
                }
                let before = (self.image.clone(), self.changes.clone());
                self.before_transaction = Some(Box::new(before));
            }
            MetadataRecord::EndTransaction(_) => {
                self.before_transaction.take().ok_or_else(no_transaction)?;
            }
            MetadataRecord::AbortTransaction(_) => {
                let before = self.before_transaction.take().ok_or_else(no_transaction)?;
                (self.image, self.changes) = *before;
            }
            record => self.image.replay(record, &mut self.changes)?,
        }
        Ok(())
    }

    /// Whether a transaction has begun and not ended.
    pub fn in_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }

    /// The step since the last call, to be published.
    pub fn take(&mut self) -> Published {
        assert!(!self.in_transaction(), "half a transaction is nobody's business");
        let delta: Delta = std::mem::take(&mut self.changes).finish();
        Published { image: Arc::new(self.image.clone()), delta: Arc::new(delta) }
    }
}

/// The metadata records of a data batch.
pub(crate) fn decode_batch(batch: &Batch) -> Result<Vec<MetadataRecord>> {
    let records = batch.records(i32::MAX as usize)?;
    records
        .into_iter()
        .map(|record| known(MetadataRecord::decode(record.value.unwrap_or_default())?))
        .collect()
}

/// A feature's level decides what the records mean, so one that is not known is as bad as a record
/// that is not. The level of kraft.version is not in such a record (KAFKA-18979).
fn known(record: MetadataRecord) -> Result<MetadataRecord> {
    match &record {
        MetadataRecord::FeatureLevel(feature) if feature.name != features::KRAFT_VERSION => {
            features::check_level(&feature.name, feature.feature_level)?;
        }
        _ => {}
    }
    Ok(record)
}

fn no_transaction() -> Error {
    Error::corrupt("metadata log: the end of a transaction that did not begin")
}
