//! Values as columns.

use std::cell::Cell;

use bytes::Bytes;
use martlet_protocol::{BlobId, BlobRef, Checksum};
use martlet_register::{Ancestors, Ballot, ProposerId};
use martlet_ring::PlacementHash;

use crate::disk::fields::Fields;

/// SQLite's integers are signed; ours are kept bit by bit.
pub(super) const fn signed(value: u64) -> i64 {
    value.cast_signed()
}

pub(super) const fn unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}

/// Time, then proposer: bytes compare as ballots do.
pub(super) fn ballot_bytes(ballot: Ballot) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&ballot.time.to_be_bytes());
    bytes[8..].copy_from_slice(&ballot.proposer.0.to_be_bytes());
    bytes
}

pub(super) fn ballot_from(fields: &mut Fields<'_>) -> Option<Ballot> {
    Some(Ballot { time: fields.u64()?, proposer: ProposerId(fields.u64()?) })
}

pub(super) fn ballot_of(bytes: &[u8]) -> Option<Ballot> {
    let mut fields = Fields(bytes);
    let ballot = ballot_from(&mut fields)?;
    fields.is_empty().then_some(ballot)
}

/// Nothing for a first state under its own ballot, which most rows are; else
/// the change, the horizon and the ancestors, newest first.
pub(super) fn lineage_bytes(ballot: Ballot, change: Ballot, ancestors: &Ancestors) -> Vec<u8> {
    if change == ballot && ancestors.is_complete() && ancestors.newest_first().is_empty() {
        return Vec::new();
    }
    let named = [change, ancestors.horizon()];
    named.iter().chain(ancestors.newest_first()).flat_map(|ballot| ballot_bytes(*ballot)).collect()
}

pub(super) fn lineage_of(ballot: Ballot, bytes: &[u8]) -> Option<(Ballot, Ancestors)> {
    if bytes.is_empty() {
        return Some((ballot, Ancestors::none(Ballot::ZERO)));
    }
    let mut fields = Fields(bytes);
    let (change, horizon) = (ballot_from(&mut fields)?, ballot_from(&mut fields)?);
    let mut newest_first = Vec::with_capacity(fields.0.len() / 16);
    while !fields.is_empty() {
        newest_first.push(ballot_from(&mut fields)?);
    }
    Some((change, Ancestors::from_parts(horizon, &newest_first).ok()?))
}

const WITH_THE_ROW: u8 = 0;
const ELSEWHERE: u8 = 1;

/// ```text
/// 0  id 16   bytes 8   checksum 8            a blob with the row's own hash
/// 1  id 16   bytes 8   checksum 8   hash 8   any other
/// ```
pub(super) fn blob_refs_bytes(row_hash: PlacementHash, blobs: &[BlobRef]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(41 * blobs.len());
    for blob in blobs {
        bytes.push(if blob.hash == row_hash { WITH_THE_ROW } else { ELSEWHERE });
        bytes.extend_from_slice(&blob.id.0);
        bytes.extend_from_slice(&blob.bytes.to_be_bytes());
        bytes.extend_from_slice(&blob.checksum.0.to_be_bytes());
        if blob.hash != row_hash {
            bytes.extend_from_slice(&blob.hash.0.to_be_bytes());
        }
    }
    bytes
}

pub(super) fn blob_refs_of(row_hash: PlacementHash, bytes: &[u8]) -> Option<Vec<BlobRef>> {
    let mut fields = Fields(bytes);
    let mut blobs = Vec::new();
    while !fields.is_empty() {
        let kind = fields.u8()?;
        let id = BlobId(fields.array()?);
        let bytes = fields.u64()?;
        let checksum = Checksum(fields.u64()?);
        let hash = match kind {
            WITH_THE_ROW => row_hash,
            ELSEWHERE => PlacementHash(fields.u64()?),
            _ => return None,
        };
        blobs.push(BlobRef { id, hash, bytes, checksum });
    }
    Some(blobs)
}

pub(super) fn checksums_bytes(checksums: &[Checksum]) -> Vec<u8> {
    checksums.iter().flat_map(|checksum| checksum.0.to_be_bytes()).collect()
}

pub(super) fn checksums_of(bytes: &[u8]) -> Option<Vec<Checksum>> {
    let (chunks, []) = bytes.as_chunks::<8>() else { return None };
    Some(chunks.iter().map(|chunk| Checksum(u64::from_be_bytes(*chunk))).collect())
}

pub(super) fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// CRC-64/NVME over fields of different lengths, each after its length, so that nothing can shift between them.
///
/// The fields are gathered first: one run over them costs a fraction of many short ones.
pub(super) struct Checks(Vec<u8>);

thread_local! {
    /// Room for the fields, kept from one row to the next: a listing checks thousands.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Checks {
    pub(super) fn new() -> Self {
        let mut room = ROOM.take();
        room.clear();
        Self(room)
    }

    #[must_use]
    pub(super) fn number(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    #[must_use]
    pub(super) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn whole(self) -> u64 {
        let checksum = Checksum::of(&self.0).0;
        ROOM.set(self.0);
        checksum
    }

    /// The upper half, where two checks share a column.
    pub(super) fn half(self) -> u32 {
        (self.whole() >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballot(time: u64) -> Ballot {
        Ballot { time, proposer: ProposerId(u64::MAX - time) }
    }

    #[test]
    fn ballots_sort_as_their_bytes() {
        assert!(ballot_bytes(ballot(1)) < ballot_bytes(ballot(2)));
        assert_eq!(ballot_of(&ballot_bytes(ballot(7))), Some(ballot(7)));
        assert_eq!(ballot_of(&[0; 15]), None);
    }

    #[test]
    fn a_lineage_comes_back_as_it_was() {
        let longer = Ancestors::from_parts(ballot(1), &[ballot(5), ballot(3)]).unwrap();
        for (change, ancestors) in [(ballot(9), Ancestors::none(Ballot::ZERO)), (ballot(8), longer)] {
            let bytes = lineage_bytes(ballot(9), change, &ancestors);
            assert_eq!(lineage_of(ballot(9), &bytes), Some((change, ancestors)));
        }
        assert!(lineage_bytes(ballot(9), ballot(9), &Ancestors::none(Ballot::ZERO)).is_empty());
        assert_eq!(lineage_of(ballot(9), &[0; 20]), None);
    }

    #[test]
    fn blob_references_come_back_as_they_were() {
        let blob = |hash| BlobRef {
            id: BlobId([1; 16]),
            hash: PlacementHash(hash),
            bytes: 5,
            checksum: Checksum(6),
        };
        let blobs = vec![blob(7), blob(8)];
        let bytes = blob_refs_bytes(PlacementHash(7), &blobs);
        assert_eq!(bytes.len(), 33 + 41);
        assert_eq!(blob_refs_of(PlacementHash(7), &bytes), Some(blobs));
        assert_eq!(blob_refs_of(PlacementHash(7), &bytes[..50]), None);
    }
}
