//! What repair asks: which rows and blobs a replica holds, compared cheaply and gone through page by page.

use bytes::Bytes;
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};

use crate::blob::{BlobId, BlobOwner, BlobRef};
use crate::row::TableId;
use crate::upkeep::TableCounters;

/// Asks which tables have rows in some partitions, in the order of the tables' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListTables {
    /// Ascending.
    pub partitions: Vec<Partition>,
    /// Only tables after this one.
    pub after: Option<TableId>,
    /// The most tables of the page.
    pub limit: usize,
}

/// A page of tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePage {
    /// Ascending; each with the counters of those of the asked partitions in which it has rows.
    pub tables: Vec<TableCounters>,
    /// How far the page goes: everything up to and including this table is in it. `None`: to the end.
    pub through: Option<TableId>,
}

/// Asks which rows of one table a replica holds in some partitions, in the order of their keys' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub table: TableId,
    /// Ascending.
    pub partitions: Vec<Partition>,
    /// Only keys after this one.
    pub after: Option<Bytes>,
    /// The most rows of the page.
    pub limit: usize,
    pub depth: SurveyDepth,
}

/// How closely to look at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyDepth {
    /// The ballot, checked with what a listing shows.
    Ballots,
    /// Everything is checked, and the blobs are named.
    Blobs,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyPage {
    /// Ascending by key.
    pub rows: Vec<SurveyedRow>,
    /// How far the page goes: everything up to and including this key is in it. `None`: to the end.
    pub through: Option<Bytes>,
}

/// A row that a replica has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedRow {
    pub key: Bytes,
    pub hash: PlacementHash,
    pub standing: RowStanding,
}

/// What a replica can say of a row that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowStanding {
    Live {
        ballot: Ballot,
        /// Empty where only ballots were asked for.
        blobs: Vec<BlobRef>,
    },
    Tombstone {
        ballot: Ballot,
    },
    /// It doesn't match its checksum.
    Damaged,
}

/// A blob that a device's index has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBlob {
    pub blob: BlobRef,
    pub owner: BlobOwner,
}

/// Asks how a device holds some blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectBlobs {
    pub blobs: Vec<BlobId>,
    pub depth: InspectDepth,
}

/// How closely to look at a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectDepth {
    /// What the index says.
    Index,
    /// Every byte is read and checked.
    Bytes,
}

/// How a device holds a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobStanding {
    Absent,
    Held(HeldBlob),
    /// The index has it, but its bytes are gone, or aren't what was stored.
    Damaged(HeldBlob),
    /// The index's own entry of it is damaged.
    EntryDamaged,
}

impl RowStanding {
    /// `None`: it can't be said.
    pub fn ballot(&self) -> Option<Ballot> {
        match self {
            Self::Live { ballot, .. } | Self::Tombstone { ballot } => Some(*ballot),
            Self::Damaged => None,
        }
    }
}
