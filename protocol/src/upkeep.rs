//! Counters, seals, and what removal leaves behind.

use martlet_register::Ballot;
use martlet_ring::Partition;

use crate::blob::{BlobOwner, BlobRef};
use crate::row::{RowAddress, TableId, Weight};

/// What one replica counts in one table, by partition; partitions without rows are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCounters {
    pub table: TableId,
    pub partitions: Vec<PartitionCounters>,
}

/// Kept in the same transaction as the rows, so exact at every moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionCounters {
    pub partition: Partition,
    /// The sum of the rows' weights.
    pub weight: Weight,
    /// The wrapping sum of a keyless 64-bit hash of (key, ballot) over the rows, tombstones included:
    /// replicas with the same digest hold the same rows.
    pub digest: u64,
}

/// Who sealed a table. A sealed table refuses every accept of a live value that doesn't carry the token. Random.
///
/// Tombstones pass: a removal can't be lost, and a replica that missed one must be able to learn of it
/// also in a table that stays sealed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealToken(pub [u8; 16]);

impl SealToken {
    /// Passes every seal, in an accept that repeats a value which is known to be chosen: whoever sealed the table finds
    /// that value at every majority, whether one more replica accepts it or not. Nobody seals with it.
    pub const CHOSEN: Self = Self([0xff; 16]);

    /// Whether a table that is sealed with this token takes an accept that carries that one.
    pub fn lets_in(self, carried: Option<Self>) -> bool {
        carried == Some(self) || carried == Some(Self::CHOSEN)
    }
}

/// A blob that an accepted value no longer refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garbage {
    pub blob: BlobRef,
    /// The row that referred to it; its majority must be asked before the blob is removed.
    pub row: RowAddress,
    /// The ballot of the value that let go of it.
    pub ballot: Ballot,
}

/// A blob that no row on its own device refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobFact {
    pub blob: BlobRef,
    pub owner: BlobOwner,
    /// How long this process has known the blob, by a clock that never jumps.
    pub known_for_seconds: u64,
    /// Whether the device was opened again since it was stored.
    pub predates_opening: bool,
}

/// A row that has been removed, as a replica remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    pub row: RowAddress,
    pub ballot: Ballot,
}
