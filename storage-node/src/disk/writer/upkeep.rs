//! Seals, garbage, tombstones, and blob files.

use std::io;

use martlet_protocol::{BlobId, BlobRef, NewBlob, ReplicaError, SealToken, TableId, Tombstone};

use super::{Changes, Undone, Writer};
use crate::disk::error::DiskError;
use crate::disk::index::blobs::{self, Place, StoredBlob};
use crate::disk::index::garbage::{self, FreedSpace};
use crate::disk::index::{rows, seals, state};
use crate::disk::since::Since;

impl Writer {
    pub(super) fn record_file(
        &mut self,
        new: &NewBlob,
        blob: BlobRef,
        changes: &mut Changes,
    ) -> Result<(), Undone> {
        if blobs::exists(&self.parts.connection, new.id)? {
            return Ok(());
        }
        // An earlier blob with this id may have been removed while this one was being stored again. Its file is only
        // unlinked while it is noted as freed, so a file that is there now and isn't noted stays.
        if garbage::is_freed(&self.parts.connection, new.id)? {
            return Err(ReplicaError::Invalid("the blob is being removed").into());
        }
        match self.parts.files.open(&self.parts.layout.blob(new.id)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ReplicaError::Invalid("the blob has been removed").into());
            }
            Err(error) => return Err(Undone::Group(DiskError::of_sync("open a blob file", error))),
        }
        let known = Since::now(self.parts.clocks.present());
        let stored =
            StoredBlob { blob, owner: new.owner.clone(), known, place: Place::File, blocks: Vec::new() };
        blobs::insert(&self.parts.connection, &stored)?;
        changes.written = true;
        Ok(())
    }

    pub(super) fn withdraw_file(&mut self, id: BlobId, changes: &mut Changes) -> Result<(), Undone> {
        let connection = &self.parts.connection;
        if !blobs::exists(connection, id)? && !garbage::is_freed(connection, id)? {
            garbage::note(connection, &FreedSpace::File(id))?;
            changes.written = true;
        }
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        table: TableId,
        token: SealToken,
        changes: &mut Changes,
    ) -> Result<(), Undone> {
        match self.parts.seals.get(&table) {
            Some(held) if *held == token => return Ok(()),
            Some(_) => return Err(ReplicaError::Sealed.into()),
            None => {}
        }
        seals::insert(&self.parts.connection, table, token)?;
        self.parts.seals.insert(table, token);
        changes.written = true;
        Ok(())
    }

    pub(super) fn unseal(
        &mut self,
        table: TableId,
        token: SealToken,
        changes: &mut Changes,
    ) -> Result<(), Undone> {
        if self.parts.seals.get(&table) == Some(&token) {
            seals::remove(&self.parts.connection, table)?;
            self.parts.seals.remove(&table);
            changes.written = true;
        }
        Ok(())
    }

    pub(super) fn settle_garbage(&mut self, ids: &[BlobId], changes: &mut Changes) -> Result<(), Undone> {
        for id in ids {
            garbage::settle(&self.parts.connection, *id)?;
        }
        changes.written = true;
        Ok(())
    }

    /// The index forgets the blobs and notes their space, which the upkeep thread gives back afterwards.
    pub(super) fn reclaim(&mut self, ids: &[BlobId], changes: &mut Changes) -> Result<(), Undone> {
        for id in ids {
            let stored = match blobs::find(&self.parts.connection, *id) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(DiskError::Damaged { what, why }) => {
                    // Where its bytes are isn't certain, so they stay.
                    tracing::warn!(%what, %why, "a damaged index entry wasn't reclaimed");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            blobs::remove(&self.parts.connection, *id)?;
            garbage::note_freed(&self.parts.connection, &stored)?;
            if let Place::Segment(extent) = stored.place {
                *changes.segments.entry(extent.segment).or_default() -= extent.record_bytes().cast_signed();
            }
            changes.written = true;
        }
        Ok(())
    }

    pub(super) fn given_back(&mut self, numbers: &[i64], changes: &mut Changes) -> Result<(), Undone> {
        for number in numbers {
            garbage::given_back(&self.parts.connection, *number)?;
        }
        changes.written |= !numbers.is_empty();
        Ok(())
    }

    pub(super) fn forget(&mut self, tombstones: &[Tombstone], changes: &mut Changes) -> Result<(), Undone> {
        for tombstone in tombstones {
            let row = &tombstone.row.row;
            let head = match rows::head(&self.parts.connection, row) {
                Err(DiskError::Damaged { .. }) => continue,
                head => head?,
            };
            let Some(head) = head.filter(|head| !head.live && head.ballot == tombstone.ballot) else {
                continue;
            };
            // Before the commit: see `Registers`. By the hash on disk, which decides the partition.
            let mut address = tombstone.row.clone();
            address.hash = head.hash;
            let forgotten = self.parts.registers.raise_forgotten(&address, tombstone.ballot);
            let partition = head.hash.partition(self.parts.partition_bits);
            state::write_floor(&self.parts.connection, partition, forgotten)?;
            rows::remove(&self.parts.connection, row)?;
            changes.tally.subtract(row.table, &row.key, head.into());
            changes.written = true;
        }
        Ok(())
    }
}
