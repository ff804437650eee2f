//! Listing the rows of a table.

use bytes::Bytes;
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};

use crate::row::TableId;

/// Asks for a table's next rows in the order of their keys' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRows {
    pub table: TableId,
    /// Only rows of this partition.
    pub partition: Option<Partition>,
    /// Only keys that begin so.
    pub prefix: Bytes,
    /// Keys that share the part up to the first delimiter after the prefix are answered as one [`ListedPrefix`].
    pub delimiter: Option<Bytes>,
    /// Only keys after this one. A common prefix equal to it isn't answered, nor are the keys below that prefix.
    pub after: Option<Bytes>,
    /// Only keys before this one.
    pub before: Option<Bytes>,
    /// The most items of the page.
    pub limit: usize,
    pub scope: Scope,
}

/// Which live rows a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that count as objects. One that counts for none is answered like a tombstone:
    /// without an entry, and as no evidence for a common prefix.
    Counted,
    All,
}

/// A page of what one replica holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPage {
    /// In ascending order of key or prefix; tombstones are among them.
    pub items: Vec<ListedItem>,
    /// How far the page goes: everything that the replica holds up to and including this key or prefix is in it.
    /// `None`: to the end of the question.
    pub through: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedItem {
    Row(ListedRow),
    Prefix(ListedPrefix),
}

/// A row as one replica has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    pub key: Bytes,
    pub hash: PlacementHash,
    pub ballot: Ballot,
    /// `None`: a tombstone, or a live row that the listing doesn't show.
    pub entry: Option<Bytes>,
}

/// A common prefix under which this replica has a live row, and the first such row as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPrefix {
    pub prefix: Bytes,
    pub key: Bytes,
    pub hash: PlacementHash,
    pub ballot: Ballot,
}
