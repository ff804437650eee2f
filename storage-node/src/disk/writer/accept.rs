//! Accepting a value, and storing blobs.

use bytes::Bytes;
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobOwner, BlobRef, Block, CarriedBody, Checksum, Garbage, NewBlob, ReplicaError,
};
use martlet_register::Standing;

use super::{Changes, Undone, Writer};
use crate::disk::error::DiskError;
use crate::disk::index::blobs::{self, Place, StoredBlob, block_checksums_kept};
use crate::disk::index::counters::Counted;
use crate::disk::index::{garbage, rows};
use crate::disk::owner;
use crate::disk::segment::RecordHeader;
use crate::disk::since::Since;

/// Bodies up to this length are kept in the index, where their entry still fits into a page with others.
/// `docs/formats.md` has the measurement.
pub(super) const INLINE_BYTES_MAX: u64 = 768;

/// Whether it is refused when the disk is nearly full.
pub(super) fn is_new_data(request: &Accept) -> bool {
    request.state.value.is_live() || request.body.is_some()
}

impl Writer {
    /// Everything is checked before anything is changed: a job that isn't done leaves no trace in its group.
    pub(super) fn accept(&mut self, request: &Accept, changes: &mut Changes) -> Result<(), Undone> {
        let row = &request.row.row;
        let before = rows::head(&self.parts.connection, row)?;
        let accepted = before.map(|head| head.ballot);
        if accepted == Some(request.ballot) {
            // Asked again; its first answer was lost. Neither a seal nor a full disk undoes it.
            return Ok(());
        }
        // What removes a row can't be lost to a seal: it passes.
        let is_write = request.state.value.is_live();
        if is_write && self.parts.seals.get(&row.table).is_some_and(|token| !token.lets_in(request.seal)) {
            return Err(ReplicaError::Sealed.into());
        }
        // Promises were looked at when the accept was let in. The floor for forgotten tombstones may have risen since,
        // in an earlier transaction; here it is exact.
        let floor = self.parts.registers.forgotten(&request.row);
        Standing { floor, promised: None, accepted }.accept(request.ballot).map_err(ReplicaError::from)?;
        if changes.nearly_full && is_new_data(request) {
            return Err(ReplicaError::Full.into());
        }
        if before.is_some_and(|head| head.hash != request.row.hash) {
            return Err(ReplicaError::Invalid("the row has another placement hash").into());
        }
        self.check_blobs(request)?;

        if let Some(CarriedBody { blob, bytes }) = &request.body {
            let new = NewBlob { id: blob.id, hash: blob.hash, owner: BlobOwner::Row(request.row.clone()) };
            self.store_blob(&new, *blob, &blocks_of(blob, bytes), changes)?;
        }
        self.queue_garbage(request)?;
        let connection = &self.parts.connection;
        rows::upsert(connection, &request.row, request.ballot, &request.state)?;
        if let Some(head) = before {
            changes.tally.subtract(row.table, &row.key, head.into());
        }
        let weight = request.state.value.weight();
        changes.tally.add(
            row.table,
            &row.key,
            Counted { hash: request.row.hash, ballot: request.ballot, weight },
        );
        changes.written = true;
        Ok(())
    }

    /// A value is accepted only where all blobs are that it places there.
    fn check_blobs(&self, request: &Accept) -> Result<(), Undone> {
        let carried = request.body.as_ref().map(|body| body.blob.id);
        let mut missing = Vec::new();
        for blob in request.state.value.blobs() {
            let is_here = blob.hash != request.row.hash
                || carried == Some(blob.id)
                || blobs::exists(&self.parts.connection, blob.id)?;
            if !is_here {
                missing.push(blob.id);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(ReplicaError::MissingBlobs(missing).into()) }
    }

    fn queue_garbage(&self, request: &Accept) -> Result<(), DiskError> {
        let known = Since::now(self.parts.clocks.present());
        let kept = request.state.value.blobs();
        for blob in &request.garbage {
            if !kept.iter().any(|kept| kept.id == blob.id) {
                let entry = Garbage { blob: *blob, row: request.row.clone(), ballot: request.ballot };
                garbage::insert(&self.parts.connection, &entry, known)?;
            }
        }
        Ok(())
    }

    /// Stores a blob in the index or in the segment, unless it is here already.
    pub(super) fn store_blob(
        &mut self,
        new: &NewBlob,
        blob: BlobRef,
        blocks: &[Block],
        changes: &mut Changes,
    ) -> Result<(), DiskError> {
        if blobs::exists(&self.parts.connection, new.id)? {
            return Ok(());
        }
        let body: Vec<Bytes> = blocks.iter().map(|block| block.bytes.clone()).collect();
        let checksums: Vec<Checksum> = blocks.iter().map(|block| block.checksum).collect();
        let place = if blob.bytes <= INLINE_BYTES_MAX {
            Place::Inline(body.concat().into())
        } else {
            let header = RecordHeader {
                id: new.id,
                hash: new.hash,
                body_bytes: blob.bytes,
                checksum: blob.checksum,
                owner: owner::encode(&new.owner),
                blocks: checksums.clone(),
                commits_before: self.parts.state.commits,
            };
            let extent = self.parts.appender.gather(&header, &body);
            *changes.segments.entry(extent.segment).or_default() += extent.record_bytes().cast_signed();
            Place::Segment(extent)
        };
        let blocks = block_checksums_kept(&blob, &place, checksums);
        let known = Since::now(self.parts.clocks.present());
        let stored = StoredBlob { blob, owner: new.owner.clone(), known, place, blocks };
        blobs::insert(&self.parts.connection, &stored)?;
        changes.written = true;
        Ok(())
    }
}

/// A carried body whose checksum has been checked.
fn blocks_of(blob: &BlobRef, bytes: &Bytes) -> Vec<Block> {
    if bytes.len() <= BLOCK_BYTES {
        return vec![Block { checksum: blob.checksum, bytes: bytes.clone() }];
    }
    bytes.chunks(BLOCK_BYTES).map(|block| Block::new(bytes.slice_ref(block))).collect()
}
