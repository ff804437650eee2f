//! A reference to a blob, where it is part of an entry.

use martlet_protocol::{BlobId, BlobRef, Checksum};
use martlet_ring::PlacementHash;
use serde::{Deserialize, Serialize};

/// Hash and checksum are random bits: as eight little-endian bytes they are shorter than as varints.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BlobTwin {
    id: [u8; 16],
    hash: [u8; 8],
    bytes: u64,
    checksum: [u8; 8],
}

impl From<&BlobRef> for BlobTwin {
    fn from(blob: &BlobRef) -> Self {
        Self {
            id: blob.id.0,
            hash: blob.hash.0.to_le_bytes(),
            bytes: blob.bytes,
            checksum: blob.checksum.0.to_le_bytes(),
        }
    }
}

impl From<&BlobTwin> for BlobRef {
    fn from(twin: &BlobTwin) -> Self {
        Self {
            id: BlobId(twin.id),
            hash: PlacementHash(u64::from_le_bytes(twin.hash)),
            bytes: twin.bytes,
            checksum: Checksum(u64::from_le_bytes(twin.checksum)),
        }
    }
}
