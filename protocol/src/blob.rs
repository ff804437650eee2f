//! Blobs: immutable bytes with a unique id.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use martlet_ring::PlacementHash;

use crate::checksum::Checksum;
use crate::replica::ReplicaError;
use crate::row::RowAddress;

/// Blobs are checked, stored and sent in blocks of this size; only the last may be shorter.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// Identifies a blob; random, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

/// A blob as a row refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRef {
    pub id: BlobId,
    /// What places it: the row's own hash for small and single-part data, `PlacementKey::hash_blob` otherwise.
    pub hash: PlacementHash,
    pub bytes: u64,
    /// Over all of its bytes.
    pub checksum: Checksum,
}

/// A blob to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlob {
    pub id: BlobId,
    pub hash: PlacementHash,
    pub owner: BlobOwner,
}

/// The rows that may refer to a blob. A sweep asks them before it takes the blob for lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobOwner {
    /// An object's row.
    Row(RowAddress),
    /// A part's row, and the object's row that refers to it once the upload is complete.
    ///
    /// They must be asked in this order: an object's row refers to the blob before its part's row ceases to.
    PartOf { part: RowAddress, object: RowAddress },
}

/// A piece of a blob: `BLOCK_BYTES` of it, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub checksum: Checksum,
    pub bytes: Bytes,
}

/// Which blocks of a blob to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBlob {
    pub id: BlobId,
    /// The first block, counted from 0.
    pub first: u32,
    /// How many blocks; the stream ends earlier where the blob does.
    pub count: u32,
}

/// Blocks in order. The sender has checked each, and the receiver checks it again.
pub type BlockStream = Pin<Box<dyn Stream<Item = Result<Block, ReplicaError>> + Send>>;

/// Takes a blob's blocks in order. Dropping it abandons the blob, and leaves nothing behind.
#[async_trait]
pub trait BlobWriter: Send {
    /// Every block but the last has `BLOCK_BYTES`. Waits while the device is busy.
    async fn write(&mut self, block: Block) -> Result<(), ReplicaError>;
    /// `Ok`: the blob is durable and can be referred to.
    async fn finish(self: Box<Self>) -> Result<(), ReplicaError>;
}

impl Block {
    pub fn new(bytes: Bytes) -> Self {
        Self { checksum: Checksum::of(&bytes), bytes }
    }

    /// Are these the bytes that were sent?
    pub fn is_intact(&self) -> bool {
        Checksum::of(&self.bytes) == self.checksum
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}
