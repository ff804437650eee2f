//! A body on its way in: read once, hashed once, carried along or staged.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{BodyError, ByteStream, Error, Md5, Result};
use martlet_protocol::{
    BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Block, BlockBuffer, CARRIED_BYTES_MAX, CarriedBody, Checksum,
    RowAddress,
};
use martlet_ring::PlacementHash;
use md5::{Digest as _, Md5 as Md5Hasher};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::BLOB_BYTES_MAX;
use super::stage::{Stage, Staged};
use crate::cluster::Shared;

/// What all bodies together may have in memory that ride in accepts. Beyond it, bodies are staged block by block.
const CARRIED_BYTES_IN_ALL_MAX: usize = 32 * 1024 * 1024;
const CARRIED_UNIT_BYTES: usize = 1024;

/// A body, and what its sender said of it.
pub(crate) struct Incoming {
    pub(crate) body: ByteStream,
    pub(crate) bytes: Option<u64>,
    pub(crate) md5: Option<Md5>,
}

/// Where a body's bytes shall lie.
pub(crate) enum Home {
    /// With the object's row if they are few, with its hash if they are one blob, else by blob.
    WithRow(RowAddress),
    /// Every blob by its own id.
    Apart(BlobOwner),
}

/// A body that arrived whole and right.
pub(crate) struct Received {
    pub(crate) bytes: u64,
    pub(crate) md5: Md5,
    pub(crate) data: Data,
    /// For what is carried, until it has been accepted.
    pub(crate) room: Option<Room>,
}

/// The memory of bodies that ride in accepts, of all requests together.
#[derive(Debug)]
pub(crate) struct CarriedRoom(Arc<Semaphore>);

/// A body's share of it, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

pub(crate) enum Data {
    /// Rides in the accept.
    Carried(CarriedBody),
    /// Is durable at majorities, or there is none.
    Staged(Staged),
}

/// Reads a body to its end. An error leaves nothing behind.
pub(crate) async fn receive(shared: &Arc<Shared>, incoming: Incoming, home: Home) -> Result<Received> {
    let receiving = async {
        let mut intake =
            Intake { body: incoming.body, declared: incoming.bytes, bytes: 0, hasher: Md5Hasher::new() };
        let mut room = match &home {
            Home::WithRow(_) => shared.carried.take(incoming.bytes),
            Home::Apart(_) => None,
        };
        let carried_max = if room.is_some() { CARRIED_BYTES_MAX } else { 0 };
        let head = intake.head(carried_max).await?;
        let data = match (&home, head) {
            (Home::WithRow(row), Head::Whole(bytes)) if !bytes.is_empty() => {
                let blob = blob_of(shared.new_blob(), row.hash, &bytes);
                Data::Carried(CarriedBody { blob, bytes })
            }
            (_, Head::Whole(_)) => Data::Staged(Staged::none(shared)),
            (home, Head::Begun(chunks)) => {
                room = None;
                Data::Staged(stage_all(shared, &mut intake, chunks, home).await?)
            }
        };
        let md5 = intake.finish(incoming.md5)?;
        Ok(Received { bytes: intake.bytes, md5, data, room })
    };
    timeout(shared.options.upload_deadline, receiving).await.unwrap_or(Err(BodyError::TooSlow.into()))
}

impl CarriedRoom {
    /// Room for a body of this length, if it may be carried at all and there is room.
    /// With the length declared, nothing is held back that will have to be staged in the end.
    fn take(&self, declared: Option<u64>) -> Option<Room> {
        let bytes = usize::try_from(declared.unwrap_or(CARRIED_BYTES_MAX as u64)).ok()?;
        let units = u32::try_from(bytes.div_ceil(CARRIED_UNIT_BYTES)).ok()?;
        let permit = (bytes <= CARRIED_BYTES_MAX).then(|| self.0.clone().try_acquire_many_owned(units))?;
        permit.ok().map(|permit| Room { _permit: permit })
    }
}

impl Default for CarriedRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CARRIED_BYTES_IN_ALL_MAX / CARRIED_UNIT_BYTES)))
    }
}

impl Received {
    pub(crate) fn blobs(&self) -> Vec<BlobRef> {
        match &self.data {
            Data::Carried(body) => vec![body.blob],
            Data::Staged(staged) => staged.blobs().to_vec(),
        }
    }
}

fn blob_of(id: BlobId, hash: PlacementHash, bytes: &Bytes) -> BlobRef {
    BlobRef { id, hash, bytes: bytes.len() as u64, checksum: Checksum::of(bytes) }
}

/// The body, counted and hashed as it passes.
struct Intake {
    body: ByteStream,
    declared: Option<u64>,
    bytes: u64,
    hasher: Md5Hasher,
}

/// The beginning of a body.
enum Head {
    /// That was all.
    Whole(Bytes),
    /// There is more.
    Begun(Vec<Bytes>),
}

impl Intake {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(chunk) = self.body.next().await else { return Ok(None) };
        let chunk = chunk?;
        self.bytes += chunk.len() as u64;
        if self.bytes > PUT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        match self.declared {
            Some(declared) if self.bytes > declared => {
                return Err(BodyError::TooLarge { bytes_max: declared }.into());
            }
            _ => {}
        }
        self.hasher.update(&chunk);
        Ok(Some(chunk))
    }

    /// Reads up to the end, or until there are more than `bytes_max`.
    async fn head(&mut self, bytes_max: usize) -> Result<Head> {
        let mut chunks = Vec::new();
        while let Some(chunk) = self.next().await? {
            chunks.push(chunk);
            if self.bytes > bytes_max as u64 {
                return Ok(Head::Begun(chunks));
            }
        }
        let whole = match &chunks[..] {
            [] => Bytes::new(),
            [chunk] => chunk.clone(),
            chunks => chunks.concat().into(),
        };
        Ok(Head::Whole(whole))
    }

    fn finish(&mut self, expected: Option<Md5>) -> Result<Md5> {
        if let Some(declared) = self.declared.filter(|declared| self.bytes < *declared) {
            return Err(BodyError::Truncated { received: self.bytes, declared }.into());
        }
        let computed = Md5(self.hasher.finalize_reset().into());
        match expected {
            Some(expected) if expected != computed => Err(Error::Md5Mismatch { expected, computed }),
            _ => Ok(computed),
        }
    }
}

/// Stages what has been read and what is still to come, blob after blob.
async fn stage_all(
    shared: &Arc<Shared>,
    intake: &mut Intake,
    chunks: Vec<Bytes>,
    home: &Home,
) -> Result<Staged> {
    let mut plan = Plan::of(shared, home, intake.declared);
    let mut cutter = Cutter::default();
    for chunk in chunks {
        plan.take(&mut cutter, chunk).await?;
    }
    while let Some(chunk) = intake.next().await? {
        plan.take(&mut cutter, chunk).await?;
    }
    if let Some(block) = cutter.rest() {
        plan.write(block).await?;
    }
    plan.end_blob().await?;
    Ok(plan.staged)
}

/// The blobs of a body: those that are finished, and the one that is being written.
struct Plan<'a> {
    shared: &'a Arc<Shared>,
    owner: BlobOwner,
    /// The row's own hash, if the whole body goes into one blob beside the row.
    beside_row: Option<PlacementHash>,
    stage: Option<Stage>,
    staged: Staged,
}

impl<'a> Plan<'a> {
    fn of(shared: &'a Arc<Shared>, home: &Home, declared: Option<u64>) -> Self {
        let is_one_blob = declared.is_some_and(|bytes| bytes <= BLOB_BYTES_MAX);
        let (owner, beside_row) = match home {
            Home::WithRow(row) => (BlobOwner::Row(row.clone()), is_one_blob.then_some(row.hash)),
            Home::Apart(owner) => (owner.clone(), None),
        };
        Self { shared, owner, beside_row, stage: None, staged: Staged::none(shared) }
    }

    async fn take(&mut self, cutter: &mut Cutter, mut chunk: Bytes) -> Result<()> {
        while let Some(block) = cutter.cut(&mut chunk) {
            self.write(block).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.stage.as_ref().is_some_and(|stage| stage.bytes() >= BLOB_BYTES_MAX) {
            self.end_blob().await?;
        }
        let stage = match &mut self.stage {
            Some(stage) => stage,
            none => {
                let id = self.shared.new_blob();
                let hash = self.beside_row.unwrap_or_else(|| self.shared.hash_blob(id));
                none.insert(Stage::begin(self.shared, hash, id, self.owner.clone()).await?)
            }
        };
        stage.write(Block::new(bytes)).await
    }

    async fn end_blob(&mut self) -> Result<()> {
        if let Some(stage) = self.stage.take() {
            self.staged.add(stage.finish().await?);
        }
        Ok(())
    }
}

/// Cuts chunks of any size into blocks.
#[derive(Default)]
struct Cutter {
    partial: Option<Partial>,
}

/// A block that isn't whole yet.
struct Partial {
    buffer: BlockBuffer,
    bytes: usize,
}

impl Cutter {
    /// The next whole block, taken off the front of `chunk`; what doesn't fill one is kept for the next chunk.
    fn cut(&mut self, chunk: &mut Bytes) -> Option<Bytes> {
        if chunk.is_empty() {
            return None;
        }
        let partial = self.partial.get_or_insert_with(|| Partial { buffer: BlockBuffer::take(), bytes: 0 });
        let taken = chunk.split_to(chunk.len().min(BLOCK_BYTES - partial.bytes));
        partial.buffer.block()[partial.bytes..][..taken.len()].copy_from_slice(&taken);
        partial.bytes += taken.len();
        if partial.bytes < BLOCK_BYTES { None } else { self.rest() }
    }

    fn rest(&mut self) -> Option<Bytes> {
        self.partial.take().map(|partial| partial.buffer.into_block(partial.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_whatever_the_chunks_are() {
        for chunk_bytes in [1, 7, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let body: Bytes = (0..3 * BLOCK_BYTES + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut cutter = Cutter::default();
            let mut blocks = Vec::new();
            for chunk in body.chunks(chunk_bytes) {
                let mut chunk = body.slice_ref(chunk);
                while let Some(block) = cutter.cut(&mut chunk) {
                    blocks.push(block);
                }
            }
            assert!(blocks.iter().all(|block| block.len() == BLOCK_BYTES));
            assert!(
                blocks
                    .iter()
                    .all(|block| block.as_ptr().addr() % martlet_protocol::BLOCK_ALIGNMENT_BYTES == 0)
            );
            blocks.extend(cutter.rest());
            assert_eq!(blocks.concat(), body, "chunks of {chunk_bytes}");
        }
    }

    #[test]
    fn bodies_beyond_the_memory_for_carrying_are_staged() {
        let (room, largest) = (CarriedRoom::default(), CARRIED_BYTES_MAX as u64);
        assert!(room.take(Some(largest + 1)).is_none(), "that one never rides");
        let mut taken = Vec::new();
        while let Some(one) = room.take(Some(largest)) {
            taken.push(one);
        }
        assert_eq!(taken.len() * CARRIED_BYTES_MAX, CARRIED_BYTES_IN_ALL_MAX);
        assert!(room.take(Some(1)).is_none() && room.take(None).is_none());
        taken.pop();
        assert!(room.take(None).is_some(), "a length that isn't declared may be the largest");
    }
}
