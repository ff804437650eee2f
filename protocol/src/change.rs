//! The two rounds of a change.

use bytes::Bytes;
use martlet_register::{Accepted, Ballot};

use crate::blob::BlobRef;
use crate::row::{RowAddress, RowState, RowValue};
use crate::upkeep::SealToken;

/// Asks a replica to promise that it takes nothing below `ballot` any more, and what it has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    pub row: RowAddress,
    pub ballot: Ballot,
}

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    pub accepted: Option<Accepted<RowValue>>,
    /// The highest tombstone of the row's partition that this replica has dropped; see the register crate.
    pub forgotten: Ballot,
}

/// Asks a replica to store a value durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    pub row: RowAddress,
    pub ballot: Ballot,
    pub state: RowState,
    /// A small body rides along, and becomes durable with the row.
    pub body: Option<CarriedBody>,
    /// Blobs that the true predecessor referred to and this value doesn't:
    /// queued for removal in the same transaction, removed only after the row's majority has confirmed it.
    pub garbage: Vec<BlobRef>,
    /// Lets the holder of a seal write in the table that it has sealed.
    pub seal: Option<SealToken>,
}

/// A body that rides in an accept. Its blob is one of the value's, has the row's hash, and belongs to the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedBody {
    pub blob: BlobRef,
    /// The whole blob, at most [`CARRIED_BYTES_MAX`].
    pub bytes: Bytes,
}

/// The largest body that rides in an accept; larger ones are staged.
pub const CARRIED_BYTES_MAX: usize = 1024 * 1024;
