//! Looking closely at blobs, without keeping a thread from other readers for long.

use std::sync::Arc;

use martlet_protocol::{BlobId, BlobStanding, InspectBlobs, InspectDepth, ReplicaError, RunningChecksum};

use super::Door;

/// The most blobs that are asked about at once.
const BLOBS_MAX: usize = 4096;

/// Blocks that one job reads: 512 KiB.
const BLOCKS_AT_ONCE: u64 = 8;

pub(super) async fn inspect(
    door: &Arc<Door>,
    request: InspectBlobs,
) -> Result<Vec<BlobStanding>, ReplicaError> {
    if request.blobs.len() > BLOBS_MAX {
        return Err(ReplicaError::Invalid("too many blobs at once"));
    }
    let InspectBlobs { blobs, depth } = request;
    let of_index = {
        let blobs = blobs.clone();
        move |reader: &crate::disk::reader::Reader| blobs.iter().map(|id| reader.inspect(*id)).collect()
    };
    let mut standings: Vec<BlobStanding> = door.read(of_index).await?;
    if depth == InspectDepth::Index {
        return Ok(standings);
    }
    for (id, standing) in blobs.into_iter().zip(&mut standings) {
        if let BlobStanding::Held(held) = standing {
            match check_bytes(door, id).await {
                Ok(()) => {}
                Err(ReplicaError::Damaged(why)) => {
                    tracing::warn!(blob = ?id, why, "a damaged blob");
                    *standing = BlobStanding::Damaged(held.clone());
                }
                // Reclaimed meanwhile.
                Err(ReplicaError::MissingBlobs(_)) => *standing = BlobStanding::Absent,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(standings)
}

/// Reads a blob from beginning to end.
async fn check_bytes(door: &Arc<Door>, id: BlobId) -> Result<(), ReplicaError> {
    let source = door.read(move |reader| reader.open_blob(id)).await?;
    let Some(source) = source else { return Err(ReplicaError::MissingBlobs(vec![id])) };
    let mut checksum = RunningChecksum::default();
    for first in (0..source.blocks_count()).step_by(usize::try_from(BLOCKS_AT_ONCE).unwrap_or(1)) {
        let piece = source.clone();
        let blocks = door.read(move |_| piece.read(first, BLOCKS_AT_ONCE)).await?;
        for block in &blocks {
            checksum.add(block.checksum, block.bytes.len());
        }
    }
    if checksum.checksum() == source.blob().checksum {
        Ok(())
    } else {
        Err(ReplicaError::Damaged("the blob's checksum is wrong".to_owned()))
    }
}
