//! From one replica to another.

use std::sync::Arc;

use futures_util::StreamExt;
use martlet_protocol::{
    BLOCK_BYTES, BlobOwner, BlobRef, BlobWriter, BlockStream, NewBlob, ReadBlob, ReplicaError,
    RunningChecksum,
};
use tokio::time::timeout;

use crate::cluster::Shared;
use crate::device::Device;

/// What a copy meets where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onto {
    /// Nothing. If the blob is there after all, it stays.
    Free,
    /// The blob itself, damaged; it is replaced.
    Taken,
}

/// Copies a blob to a device that misses it, from the first of the holders that has it undamaged.
pub(crate) async fn copy(
    shared: &Shared,
    (blob, owner): (&BlobRef, &BlobOwner),
    holders: impl Iterator<Item = &Arc<Device>>,
    to: &Device,
    onto: Onto,
) -> Result<(), ReplicaError> {
    let mut failure = ReplicaError::MissingBlobs(vec![blob.id]);
    for holder in holders {
        let copying = async {
            let request = ReadBlob { id: blob.id, first: 0, count: block_count(blob) };
            let blocks = holder.replica.read_blob(request).await?;
            let new = NewBlob { id: blob.id, hash: blob.hash, owner: owner.clone() };
            let writer = match onto {
                Onto::Free => to.replica.stage(new).await?,
                Onto::Taken => to.replica.restage(new).await?,
            };
            pour(blob, blocks, writer).await
        };
        match timeout(shared.options.copy_deadline, copying).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = ReplicaError::Unreachable("a copy took too long".to_owned()),
        }
    }
    Err(failure)
}

/// Writes the blocks, and finishes only if they are the blob's.
async fn pour(
    blob: &BlobRef,
    mut blocks: BlockStream,
    mut writer: Box<dyn BlobWriter>,
) -> Result<(), ReplicaError> {
    let (mut bytes, mut checksum) = (0, RunningChecksum::default());
    while let Some(block) = blocks.next().await {
        let block = block?;
        if !block.is_intact() {
            return Err(ReplicaError::Damaged("a block on its way".to_owned()));
        }
        let block_bytes = block.bytes.len() as u64;
        bytes += block_bytes;
        checksum.add(block.checksum, block.bytes.len());
        writer.write(block).await?;
    }
    if (bytes, checksum.checksum()) != (blob.bytes, blob.checksum) {
        return Err(ReplicaError::Damaged("a blob that isn't what its row says".to_owned()));
    }
    writer.finish().await
}

/// How many blocks a blob has.
pub(crate) fn block_count(blob: &BlobRef) -> u32 {
    u32::try_from(blob.bytes.div_ceil(BLOCK_BYTES as u64)).unwrap_or(u32::MAX)
}
