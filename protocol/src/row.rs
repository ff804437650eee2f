//! Rows: the registers that hold everything that can change.

use std::fmt;

use bytes::Bytes;
use martlet_register::State;
use martlet_ring::{PlacementHash, PlacementKey};

use crate::blob::BlobRef;

/// A table of rows: the containers of an account, the objects of a container, the parts of an upload, …
///
/// The first byte says what kind of table it is; the rest is random, so a container that is deleted
/// and made again has another table, and old rows can't come back to life in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId([u8; 16]);

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// A table that every cluster has once: accounts, the bucket directory.
    System,
    /// The containers of one account.
    Containers,
    /// The objects of one container.
    Objects,
    /// The open uploads of one container.
    Uploads,
    /// The parts of one upload.
    Parts,
    /// The older versions of the objects of one container, beside the table of those objects.
    Versions,
}

/// By how many bytes a version's key is longer than its object's key, which it begins with.
pub const VERSION_SUFFIX_BYTES: usize = 26;

/// Names one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub table: TableId,
    pub key: Bytes,
}

/// A row, and the hash that places it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowAddress {
    pub row: RowKey,
    pub hash: PlacementHash,
}

/// A row's value, and what the register protocol needs to know of its history.
pub type RowState = State<RowValue>;

/// What a replica keeps of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowValue {
    Live {
        /// What a listing shows; opaque to the replica, short.
        entry: Bytes,
        /// Everything else; opaque to the replica.
        record: Bytes,
        /// What the row counts for in its table's counters.
        weight: Weight,
        /// Every blob that the value refers to.
        ///
        /// A blob whose hash equals the row's lives on the row's own devices,
        /// and a replica doesn't accept the value before it holds the blob.
        blobs: Vec<BlobRef>,
    },
    /// The row has been removed. It counts for nothing and refers to nothing.
    Tombstone,
}

/// A row's share in the counters of its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    pub objects: u64,
    pub bytes: u64,
}

impl TableId {
    pub const fn system(number: u8) -> Self {
        let mut id = [0; 16];
        id[15] = number;
        Self(id)
    }

    /// A table of `kind`, told from all others by 15 random bytes.
    pub fn new(kind: TableKind, random: [u8; 15]) -> Self {
        let mut id = [kind.byte(); 16];
        id[1..].copy_from_slice(&random);
        Self(id)
    }

    /// `None`: the bytes name a kind that this version doesn't know.
    pub fn from_bytes(id: [u8; 16]) -> Option<Self> {
        TableKind::of_byte(id[0]).map(|_| Self(id))
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The table of another kind with the same random bytes: a container's versions lie beside its objects.
    #[must_use]
    pub fn sibling(&self, kind: TableKind) -> Self {
        let mut id = self.0;
        id[0] = kind.byte();
        Self(id)
    }

    pub fn kind(&self) -> TableKind {
        TableKind::of_byte(self.0[0]).unwrap_or(TableKind::System)
    }
}

impl TableKind {
    const fn byte(self) -> u8 {
        match self {
            Self::System => 0,
            Self::Containers => 1,
            Self::Objects => 2,
            Self::Uploads => 3,
            Self::Parts => 4,
            Self::Versions => 5,
        }
    }

    const fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::System),
            1 => Some(Self::Containers),
            2 => Some(Self::Objects),
            3 => Some(Self::Uploads),
            4 => Some(Self::Parts),
            5 => Some(Self::Versions),
            _ => None,
        }
    }
}

impl RowKey {
    /// Where the row lives. The parts of one upload live together, so that sealing them asks few devices,
    /// and the versions of an object with the object's row, so that its bytes needn't move.
    pub fn address(self, placement: &PlacementKey) -> RowAddress {
        let hash = match self.table.kind() {
            TableKind::Versions => {
                let objects = self.table.sibling(TableKind::Objects);
                let key = &self.key[..self.key.len().saturating_sub(VERSION_SUFFIX_BYTES)];
                placement.hash_object(objects.as_bytes(), key)
            }
            TableKind::Parts => placement.hash_table(self.table.as_bytes()),
            TableKind::System | TableKind::Containers | TableKind::Objects | TableKind::Uploads => {
                placement.hash_object(self.table.as_bytes(), &self.key)
            }
        };
        RowAddress { row: self, hash }
    }
}

impl RowValue {
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    pub fn weight(&self) -> Weight {
        match self {
            Self::Live { weight, .. } => *weight,
            Self::Tombstone => Weight::default(),
        }
    }

    /// What a listing shows; a tombstone has nothing to show.
    pub fn entry(&self) -> Option<&Bytes> {
        match self {
            Self::Live { entry, .. } => Some(entry),
            Self::Tombstone => None,
        }
    }

    pub fn blobs(&self) -> &[BlobRef] {
        match self {
            Self::Live { blobs, .. } => blobs,
            Self::Tombstone => &[],
        }
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{:032x}", self.kind(), u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_it_is() {
        use TableKind::{Containers, Objects, Parts, Uploads, Versions};
        for kind in [Containers, Objects, Uploads, Parts, Versions] {
            let table = TableId::new(kind, [7; 15]);
            assert_eq!(table.kind(), kind);
            assert_eq!(TableId::from_bytes(*table.as_bytes()), Some(table));
        }
        assert_eq!(TableId::system(1).kind(), TableKind::System);
        assert_eq!(TableId::from_bytes([9; 16]), None);
    }

    #[test]
    fn a_version_lives_with_its_object() {
        let placement = PlacementKey::new([5; 16]);
        let objects = TableId::new(TableKind::Objects, [7; 15]);
        let object = RowKey { table: objects, key: "a/b".into() };
        let suffix = [0; VERSION_SUFFIX_BYTES];
        let key = [&b"a/b"[..], &suffix].concat().into();
        let version = RowKey { table: objects.sibling(TableKind::Versions), key };
        assert_eq!(version.address(&placement).hash, object.address(&placement).hash);
    }
}
