//! Storing a blob once more, in the place of what is damaged or lost.

use martlet_protocol::{BlobRef, Block, NewBlob, ReplicaError};

use super::{Changes, Undone, Writer};
use crate::disk::error::DiskError;
use crate::disk::index::blobs::{self, Place, StoredBlob};
use crate::disk::index::garbage;

impl Writer {
    /// A blob that fits into a segment. What was stored before is given up in the same transaction.
    pub(super) fn replace_blob(
        &mut self,
        new: &NewBlob,
        blob: BlobRef,
        blocks: &[Block],
        changes: &mut Changes,
    ) -> Result<(), Undone> {
        let owner = match self.give_up(blob, changes)? {
            Some(old) => old.owner,
            None => new.owner.clone(),
        };
        let new = NewBlob { owner, ..new.clone() };
        Ok(self.store_blob(&new, blob, blocks, changes)?)
    }

    /// A blob whose file has been put in the place of its old one.
    pub(super) fn replace_file(
        &mut self,
        new: &NewBlob,
        blob: BlobRef,
        changes: &mut Changes,
    ) -> Result<(), Undone> {
        if let Ok(Some(stored)) = blobs::find(&self.parts.connection, blob.id)
            && stored.place == Place::File
        {
            return Ok(());
        }
        let owner = match self.give_up(blob, changes)? {
            Some(old) => old.owner,
            None => new.owner.clone(),
        };
        self.record_file(&NewBlob { owner, ..new.clone() }, blob, changes)
    }

    /// Takes what is stored of a blob out of the index, and answers it if it can be read.
    fn give_up(&mut self, blob: BlobRef, changes: &mut Changes) -> Result<Option<StoredBlob>, Undone> {
        let connection = &self.parts.connection;
        let stored = match blobs::find(connection, blob.id) {
            Ok(stored) => stored,
            Err(DiskError::Damaged { what, why }) => {
                // Where its bytes are isn't certain, so their space isn't given back.
                tracing::warn!(%what, %why, "a damaged index entry is replaced");
                blobs::remove(connection, blob.id)?;
                changes.written = true;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(stored) = stored else { return Ok(None) };
        if stored.blob != blob {
            return Err(ReplicaError::Invalid("the bytes aren't those of the blob").into());
        }
        blobs::remove(connection, blob.id)?;
        match stored.place {
            // The new one bears the same name.
            Place::File => {}
            Place::Inline(_) | Place::Segment(_) => garbage::note_freed(connection, &stored)?,
        }
        if let Place::Segment(extent) = stored.place {
            *changes.segments.entry(extent.segment).or_default() -= extent.record_bytes().cast_signed();
        }
        changes.written = true;
        Ok(Some(stored))
    }
}
