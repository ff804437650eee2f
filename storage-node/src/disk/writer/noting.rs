//! What a group notes besides rows and blobs.

use std::collections::BTreeMap;

use super::WriterParts;
use crate::disk::error::DiskError;
use crate::disk::index::changes::{self, Unfolded};
use crate::disk::index::counters::Tally;
use crate::disk::index::state::DeviceState;
use crate::disk::index::{blobs, garbage};

/// What a group has left in the table `changes`.
pub(super) enum Noted {
    Nothing,
    Entry { bytes: usize },
    Folded,
}

impl WriterParts {
    /// Adds to what segments hold that is alive. Of the newest it is only noted: it changes with nearly every group.
    pub(super) fn count_segments(
        &self,
        changed: &BTreeMap<u32, i64>,
        next: &mut DeviceState,
    ) -> rusqlite::Result<()> {
        if next.tail.segment != self.state.tail.segment {
            next.tail_unlisted_bytes = 0;
        }
        for (segment, live_bytes) in changed {
            let mut live_bytes = *live_bytes;
            if *segment == next.tail.segment {
                next.tail_unlisted_bytes += live_bytes;
                continue;
            }
            if *segment == self.state.tail.segment {
                live_bytes += self.state.tail_unlisted_bytes;
            }
            let alive = blobs::change_segment(&self.connection, *segment, live_bytes)?;
            if alive == 0 {
                blobs::remove_segment(&self.connection, *segment)?;
                garbage::note_dead_segment(&self.connection, *segment)?;
            }
        }
        Ok(())
    }

    /// Notes the state and the counters, or folds them with all that were noted before.
    pub(super) fn note(&self, tally: &Tally, next: &mut DeviceState) -> rusqlite::Result<Noted> {
        let entry = changes::encode(next, tally.changes());
        if self.unfolded.bytes + entry.len() <= self.unfolded_bytes_max {
            changes::insert(&self.connection, next, &entry)?;
            return Ok(Noted::Entry { bytes: entry.len() });
        }
        let mut all = self.unfolded.counters.clone();
        for (key, change) in tally.changes() {
            all.entry(*key).or_default().add(*change);
        }
        changes::fold(&self.connection, next, &all)?;
        Ok(Noted::Folded)
    }

    /// Folds what is noted, so that the next start finds everything where it belongs.
    pub(super) fn fold(&mut self) -> Result<(), DiskError> {
        if self.unfolded.bytes == 0 {
            return Ok(());
        }
        let mut state = self.state;
        let transaction = self.connection.unchecked_transaction()?;
        changes::fold(&transaction, &mut state, &self.unfolded.counters)?;
        transaction.commit()?;
        (self.state, self.unfolded) = (state, Unfolded::default());
        Ok(())
    }
}
