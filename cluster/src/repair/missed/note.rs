//! A missed blob's row, in a system table, under the blob's id. The entry says everything; the record is empty.

use bytes::Bytes;
use martlet_protocol::{BlobId, BlobOwner, BlobRef, Checksum, RowAddress, RowKey, RowValue, TableId, Weight};
use martlet_ring::{DeviceId, PlacementHash};
use serde::{Deserialize, Serialize};

use crate::record::RecordError;

/// The only version there is so far.
const VERSION: u8 = 1;

/// A blob that some of its devices don't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissedBlob {
    pub(super) blob: BlobRef,
    pub(super) owner: BlobOwner,
    pub(super) missing: Vec<DeviceId>,
    /// Who has a copy in their stead.
    pub(super) kept_by: Option<DeviceId>,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin {
    hash: u64,
    bytes: u64,
    checksum: u64,
    owner: OwnerTwin,
    missing: Vec<u32>,
    kept_by: Option<u32>,
}

#[derive(Serialize, Deserialize)]
enum OwnerTwin {
    Row(AddressTwin),
    PartOf { part: AddressTwin, object: AddressTwin },
}

#[derive(Serialize, Deserialize)]
struct AddressTwin {
    table: [u8; 16],
    key: Vec<u8>,
    hash: u64,
}

impl MissedBlob {
    /// With what was known before.
    pub(super) fn and(&self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self.clone() };
        let mut missing: Vec<DeviceId> = self.missing.iter().chain(&before.missing).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        Self { missing, kept_by: self.kept_by.or(before.kept_by), ..self.clone() }
    }

    /// # Panics
    /// Never: writing plain structs to memory can't fail.
    pub(super) fn to_value(&self) -> RowValue {
        let twin = EntryTwin {
            hash: self.blob.hash.0,
            bytes: self.blob.bytes,
            checksum: self.blob.checksum.0,
            owner: OwnerTwin::from(&self.owner),
            missing: self.missing.iter().map(|device| device.0).collect(),
            kept_by: self.kept_by.map(|device| device.0),
        };
        let entry = postcard::to_extend(&twin, vec![VERSION]).expect("plain structs encode").into();
        let weight = Weight { objects: 1, bytes: 0 };
        RowValue::Live { entry, record: Bytes::new(), weight, blobs: Vec::new() }
    }

    pub(super) fn read(key: &[u8], entry: &[u8]) -> Result<Self, RecordError> {
        let broken = RecordError::Broken("note of a missed blob");
        let id = <[u8; 16]>::try_from(key).map_err(|_| broken)?;
        let twin: EntryTwin = match entry.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| broken)?,
            Some(_) => return Err(RecordError::UnknownVersion("note of a missed blob")),
            None => return Err(broken),
        };
        Ok(Self {
            blob: BlobRef {
                id: BlobId(id),
                hash: PlacementHash(twin.hash),
                bytes: twin.bytes,
                checksum: Checksum(twin.checksum),
            },
            owner: twin.owner.owner().ok_or(broken)?,
            missing: twin.missing.into_iter().map(DeviceId).collect(),
            kept_by: twin.kept_by.map(DeviceId),
        })
    }
}

impl OwnerTwin {
    /// `None`: it names no table that this release knows.
    fn owner(self) -> Option<BlobOwner> {
        Some(match self {
            Self::Row(row) => BlobOwner::Row(row.address()?),
            Self::PartOf { part, object } => {
                BlobOwner::PartOf { part: part.address()?, object: object.address()? }
            }
        })
    }
}

impl From<&BlobOwner> for OwnerTwin {
    fn from(owner: &BlobOwner) -> Self {
        match owner {
            BlobOwner::Row(row) => Self::Row(row.into()),
            BlobOwner::PartOf { part, object } => Self::PartOf { part: part.into(), object: object.into() },
        }
    }
}

impl AddressTwin {
    fn address(self) -> Option<RowAddress> {
        let table = TableId::from_bytes(self.table)?;
        let row = RowKey { table, key: self.key.into() };
        Some(RowAddress { row, hash: PlacementHash(self.hash) })
    }
}

impl From<&RowAddress> for AddressTwin {
    fn from(address: &RowAddress) -> Self {
        let RowAddress { row, hash } = address;
        Self { table: *row.table.as_bytes(), key: row.key.to_vec(), hash: hash.0 }
    }
}

#[cfg(test)]
mod tests {
    use martlet_protocol::TableKind;

    use super::*;

    #[test]
    fn a_note_comes_back_as_it_was() {
        let row = |kind, key: &'static str| RowAddress {
            row: RowKey { table: TableId::new(kind, [7; 15]), key: key.into() },
            hash: PlacementHash(9),
        };
        let part =
            BlobOwner::PartOf { part: row(TableKind::Parts, "p"), object: row(TableKind::Objects, "o") };
        for (owner, kept_by) in
            [(BlobOwner::Row(row(TableKind::Objects, "o")), None), (part, Some(DeviceId(4)))]
        {
            let blob =
                BlobRef { id: BlobId([3; 16]), hash: PlacementHash(5), bytes: 6, checksum: Checksum(7) };
            let missed = MissedBlob { blob, owner, missing: vec![DeviceId(1), DeviceId(2)], kept_by };
            let RowValue::Live { entry, .. } = missed.to_value() else { panic!("it is alive") };
            assert_eq!(MissedBlob::read(&blob.id.0, &entry), Ok(missed));
            assert!(MissedBlob::read(&blob.id.0, &entry[..entry.len() - 1]).is_err());
        }
    }
}
