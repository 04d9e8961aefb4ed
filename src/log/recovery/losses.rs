//! Finds records that a log has lost although no crash explains it. This comes before anything is
//! changed, so that the next start finds the same.

use super::LogLoader;
use crate::disk::Access;
use crate::error::Result;
use crate::log::segment::{End, Lookup};
use crate::log::{Stopped, torn};
use crate::types::Offset;
use std::collections::BTreeSet;

impl LogLoader<'_> {
    /// Refuses a log that has lost records, as far as it is about to be read, and one that ends
    /// below `reached`. Returns where the last segment ends, unless there was a power loss.
    pub(super) fn refuse_losses(
        &self,
        broken: &BTreeSet<Offset>,
        unflushed: usize,
    ) -> Result<Option<End>> {
        let was_power_lost = self.options.stopped == Stopped::Unknown;
        let durable = if was_power_lost { unflushed } else { usize::MAX };
        let Some((last, sealed)) = self.segments.split_last() else {
            let is_lost = self.reached > 0;
            return if is_lost { Err(torn::gone(&self.dir, &self.witness)) } else { Ok(None) };
        };
        for (index, segment) in sealed.iter().enumerate().take(durable) {
            let is_read = index >= unflushed || broken.contains(&segment.base_offset());
            if is_read || segment.size() == 0 {
                segment.pass(self.limit_of(index), Access::Waiting)?;
            }
        }
        if was_power_lost {
            return Ok(None);
        }
        // Nothing else can be indexed in it.
        let limit = last.base_offset().saturating_add(1 << 31);
        let Lookup::Found(end) = last.follow(limit, Access::Waiting)? else { return Ok(None) };
        if end.offset < self.reached {
            let orphan = self.orphans.last().filter(|(base, _)| *base > last.base_offset());
            let witness = orphan.map_or(&self.witness, |(_, index)| index);
            return Err(last.cut_short(end, &format!("{witness} tells")));
        }
        Ok(Some(end))
    }

    /// Says which offsets are lost with the `.log` of an index. The index is kept between segments,
    /// because the file may be put back. Elsewhere, a deletion or a power loss has left it.
    pub(super) fn bury_orphans(&self) -> Result<()> {
        for (at, (base, name)) in self.orphans.iter().enumerate() {
            let is_next = at > 0 && self.orphans[at - 1].0 == *base;
            let index = self.dir.join(name);
            let path = index.display();
            let next = self.segments.partition_point(|segment| segment.base_offset() < *base);
            match self.segments.get(next).map(|behind| behind.base_offset() - 1) {
                Some(_) if next > 0 && is_next => {}
                Some(last) if next > 0 => tracing::warn!(
                    "{path} exists without its .log file: the offsets {base} to {last} are lost, \
                     unless you stop the broker and put that file back"
                ),
                _ => {
                    tracing::warn!(
                        "removed {path}: an index without its log, from offset {base} on"
                    );
                    self.disk.remove_file(&index)?;
                }
            }
        }
        Ok(())
    }
}
