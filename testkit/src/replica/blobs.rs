//! Blobs: staged, read, lost and damaged.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use martlet_protocol::{
    BLOCK_BYTES, BlobId, BlobRef, BlobWriter, Block, BlockStream, NewBlob, ReadBlob, ReplicaError,
    RunningChecksum,
};
use tokio::time::Instant;

use super::MemoryReplica;
use super::device::{Blob, Device};

impl Device {
    pub(super) fn stage(
        &mut self,
        blob: NewBlob,
        replica: MemoryReplica,
    ) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.write(blob, replica, Place::Free)
    }

    pub(super) fn restage(
        &mut self,
        blob: NewBlob,
        replica: MemoryReplica,
    ) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.write(blob, replica, Place::Taken)
    }

    fn write(
        &self,
        blob: NewBlob,
        replica: MemoryReplica,
        place: Place,
    ) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        if self.faults.is_full {
            return Err(ReplicaError::Full);
        }
        Ok(Box::new(Writer { blob, blocks: Vec::new(), replica, run: self.run, place }))
    }

    pub(super) fn read_blob(&self, request: &ReadBlob) -> Result<BlockStream, ReplicaError> {
        let blob = self.blobs.get(&request.id).ok_or_else(|| ReplicaError::MissingBlobs(vec![request.id]))?;
        let (first, count) = (request.first as usize, request.count as usize);
        let chosen = blob.blocks.iter().skip(first).take(count).map(|block| {
            if block.is_intact() {
                Ok(block.clone())
            } else {
                Err(ReplicaError::Damaged(format!("{:?}", request.id)))
            }
        });
        Ok(Box::pin(stream::iter(chosen.collect::<Vec<_>>())))
    }

    pub(super) fn damage_blob(&mut self, blob: BlobId) {
        if let Some(block) = self.blobs.get_mut(&blob).and_then(|blob| blob.blocks.last_mut()) {
            block.bytes = flipped(&block.bytes);
        }
    }

    pub(super) fn forge_blob(&mut self, blob: BlobId) {
        if let Some(block) = self.blobs.get_mut(&blob).and_then(|blob| blob.blocks.last_mut()) {
            *block = Block::new(flipped(&block.bytes));
        }
    }
}

#[derive(Debug)]
struct Writer {
    blob: NewBlob,
    blocks: Vec<Block>,
    replica: MemoryReplica,
    run: u64,
    place: Place,
}

/// Whether the blob goes where nothing is, or in the place of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    Taken,
}

impl Blob {
    /// Whether its bytes are those that were stored.
    pub(super) fn is_sound(&self) -> bool {
        let mut checksum = RunningChecksum::default();
        for block in &self.blocks {
            checksum.update(&block.bytes);
        }
        self.blocks.iter().all(Block::is_intact) && checksum.checksum() == self.reference.checksum
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, block: Block) -> Result<(), ReplicaError> {
        self.replica.arrive().await?;
        if self.blocks.last().is_some_and(|last| last.bytes.len() != BLOCK_BYTES) {
            return Err(ReplicaError::Invalid("a block after the last one"));
        }
        if block.bytes.is_empty() || block.bytes.len() > BLOCK_BYTES {
            return Err(ReplicaError::Invalid("a block of another size"));
        }
        if !block.is_intact() {
            return Err(ReplicaError::Damaged("a block on its way in".to_owned()));
        }
        self.blocks.push(block);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), ReplicaError> {
        let Self { blob, blocks, replica, run, place } = *self;
        replica
            .serve(|device| {
                if device.run != run {
                    return Err(ReplicaError::Unreachable("the device has been restarted".to_owned()));
                }
                let bytes = blocks.iter().map(|block| block.bytes.len() as u64).sum();
                let mut checksum = RunningChecksum::default();
                for block in &blocks {
                    checksum.update(&block.bytes);
                }
                let checksum = checksum.checksum();
                let reference = BlobRef { id: blob.id, hash: blob.hash, bytes, checksum };
                let new = Blob { reference, owner: blob.owner, blocks, known_since: Instant::now(), run };
                match (device.blobs.get_mut(&blob.id), place) {
                    (None, _) => {
                        device.blobs.insert(blob.id, new);
                    }
                    (Some(_), Place::Free) => {}
                    (Some(old), Place::Taken) if old.reference == new.reference => old.blocks = new.blocks,
                    (Some(_), Place::Taken) => {
                        return Err(ReplicaError::Invalid("the bytes aren't those of the blob"));
                    }
                }
                Ok(())
            })
            .await
    }
}

pub(super) fn cut(bytes: &Bytes) -> Vec<Block> {
    bytes.chunks(BLOCK_BYTES).map(|block| Block::new(bytes.slice_ref(block))).collect()
}

pub(super) fn joined(blocks: &[Block]) -> Bytes {
    match blocks {
        [block] => block.bytes.clone(),
        blocks => blocks.iter().flat_map(|block| &block.bytes).copied().collect(),
    }
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut flipped = bytes.to_vec();
    if let Some(byte) = flipped.last_mut() {
        *byte ^= 0x10;
    }
    flipped.into()
}
