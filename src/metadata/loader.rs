//! Loads batches into an image (MetadataBatchLoader). A transaction in the log takes effect as a
//! whole or not at all.

use super::control::ControlRecord;
use super::delta::Changes;
use super::record::MetadataRecord;
use super::{Delta, Image, Published, features};
use crate::codec::schema::raft::VotersRecord;
use crate::error::{Error, Result};
use crate::record::Batch;
use crate::types::Timestamp;
use std::sync::Arc;

/// The state that the log has led to so far.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    /// Includes everything read, even records of an open transaction.
    pub image: Image,
    /// What changed since the last `take`.
    changes: Changes,
    /// Image and changes as they were before the open transaction began.
    before_transaction: Option<Box<(Image, Changes)>>,
    /// The voters in the log; None while they come from the settings (`kraft.version` 0).
    pub voters: Option<VotersRecord>,
    /// When the last record was written.
    pub timestamp: Timestamp,
}

impl Loader {
    /// The state before anything was read.
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

    /// Applies a control batch of the log or of a snapshot.
    pub fn load_control_batch(&mut self, batch: &Batch) -> Result<()> {
        for record in batch.records(i32::MAX as usize)? {
            match ControlRecord::decode(&record)? {
                ControlRecord::KRaftVersion(level) => self.image.kraft_version = level,
                ControlRecord::Voters(voters) => self.voters = Some(voters),
                ControlRecord::SnapshotHeader(header) => {
                    self.timestamp = header.last_contained_log_timestamp;
                }
                ControlRecord::LeaderChange(_) | ControlRecord::SnapshotFooter => {}
            }
        }
        Ok(())
    }

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

    /// Whether a transaction has begun and has not ended.
    pub fn in_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }

    /// Takes the step since the last call, to be published. No transaction may be open.
    pub fn take(&mut self) -> Published {
        assert!(!self.in_transaction(), "half a transaction is nobody's business");
        let delta: Delta = std::mem::take(&mut self.changes).finish();
        Published { image: Arc::new(self.image.clone()), delta: Arc::new(delta) }
    }
}

/// Decodes the metadata records of a data batch.
pub(crate) fn decode_batch(batch: &Batch) -> Result<Vec<MetadataRecord>> {
    let records = batch.records(i32::MAX as usize)?;
    records
        .into_iter()
        .map(|record| known(MetadataRecord::decode(record.value.unwrap_or_default())?))
        .collect()
}

/// Refuses an unknown feature level: levels determine what records mean, so it is as bad as an
/// unknown record. `kraft.version` is exempt because its level is not in these records
/// (KAFKA-18979).
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
