//! One record of a segment.
//!
//! ```text
//! 0   magic "MRTLREC1"                    8
//! 8   length of the header                4
//! 12  length of the body                  8
//! 20  index commits before this record    8   see `surviving_record`
//! 28  blob id                            16
//! 44  placement hash                      8
//! 52  checksum of the body                8
//! 60  length of the owner                 4
//! 64  owner                                   see `owner`
//!     checksum of each 64 KiB block     8 n
//!     checksum of the header              8   over everything above
//!     body
//!     zeros up to a multiple of 4 KiB
//! ```
//!
//! The index says where the body is and repeats its checksums, so reading needs no header.
//! The header makes a record explain itself: to whoever rebuilds an index, and to [`surviving_record`].

use martlet_protocol::{BLOCK_BYTES, BlobId, Checksum};
use martlet_ring::PlacementHash;

use crate::disk::fields::Fields;

/// Records begin at multiples of this, so that a hole gives back every byte of them.
pub const ALIGNMENT_BYTES: u64 = 4096;

/// The largest body that is stored in a segment; larger ones get a file.
pub const SEGMENT_BODY_BYTES_MAX: u64 = 1024 * 1024;

const MAGIC: &[u8; 8] = b"MRTLREC1";
const FIXED_BYTES: usize = 64;

/// A record's header, without its lengths and checksums of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    pub id: BlobId,
    pub hash: PlacementHash,
    pub body_bytes: u64,
    pub checksum: Checksum,
    pub owner: Vec<u8>,
    pub blocks: Vec<Checksum>,
    /// How many transactions the index had committed when the record was written.
    pub commits_before: u64,
}

/// Where a body is in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub segment: u32,
    /// Where the body begins. A header is shorter than 4 KiB, so the record begins at the last multiple of 4 KiB before.
    pub position: u64,
    pub body_bytes: u64,
}

impl RecordHeader {
    pub fn encode(&self) -> Vec<u8> {
        let header_bytes = FIXED_BYTES + self.owner.len() + 8 * self.blocks.len() + 8;
        debug_assert!(
            (header_bytes as u64) < ALIGNMENT_BYTES,
            "keys are short enough for a header below 4 KiB"
        );
        let mut bytes = Vec::with_capacity(header_bytes);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u32::try_from(header_bytes).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.body_bytes.to_be_bytes());
        bytes.extend_from_slice(&self.commits_before.to_be_bytes());
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.hash.0.to_be_bytes());
        bytes.extend_from_slice(&self.checksum.0.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(self.owner.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.owner);
        for block in &self.blocks {
            bytes.extend_from_slice(&block.0.to_be_bytes());
        }
        let checksum = Checksum::of(&bytes);
        bytes.extend_from_slice(&checksum.0.to_be_bytes());
        bytes
    }

    /// Reads the header at the beginning of `bytes`. `None`: there is none, or it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.array::<8>()? != *MAGIC {
            return None;
        }
        let header_bytes = usize::try_from(fields.u32()?).ok()?;
        let header = bytes.get(..header_bytes)?;
        let (content, checksum) = header.split_at_checked(header_bytes.checked_sub(8)?)?;
        if Checksum::of(content).0.to_be_bytes() != checksum {
            return None;
        }
        let body_bytes = fields.u64()?;
        let commits_before = fields.u64()?;
        let id = BlobId(fields.array()?);
        let hash = PlacementHash(fields.u64()?);
        let checksum = Checksum(fields.u64()?);
        let owner = fields.counted()?.to_vec();
        let blocks_count = usize::try_from(body_bytes).ok()?.div_ceil(BLOCK_BYTES);
        let blocks = (0..blocks_count).map(|_| fields.u64().map(Checksum)).collect::<Option<_>>()?;
        Some(Self { id, hash, body_bytes, checksum, owner, blocks, commits_before })
    }
}

impl Extent {
    pub fn record_start(self) -> u64 {
        self.position - self.position % ALIGNMENT_BYTES
    }

    pub fn record_bytes(self) -> u64 {
        pad_to_alignment(self.position + self.body_bytes) - self.record_start()
    }
}

pub fn pad_to_alignment(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT_BYTES)
}

/// Reads the header of a record that the index doesn't know of, written after what it does know.
///
/// After a crash there may be some, whose transaction wasn't committed. But the header also says how many transactions
/// had been committed *before* it was written; if the index knows fewer, then the index has lost some.
pub fn surviving_record(block: &[u8]) -> Option<u64> {
    RecordHeader::decode(block).map(|header| header.commits_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RecordHeader {
        RecordHeader {
            id: BlobId([3; 16]),
            hash: PlacementHash(4),
            body_bytes: 70_000,
            checksum: Checksum(5),
            owner: b"owner".to_vec(),
            blocks: vec![Checksum(6), Checksum(7)],
            commits_before: 8,
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let bytes = [header().encode(), vec![0; 5000]].concat();
        assert_eq!(RecordHeader::decode(&bytes), Some(header()));
    }

    #[test]
    fn a_header_with_a_flipped_bit_is_none() {
        let bytes = header().encode();
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(RecordHeader::decode(&flipped), None, "bit {at}");
        }
    }

    #[test]
    fn an_extent_knows_its_record() {
        let extent = Extent { segment: 0, position: 4096 + 100, body_bytes: 4096 };
        assert_eq!((extent.record_start(), extent.record_bytes()), (4096, 8192));
        let empty = Extent { segment: 0, position: 100, body_bytes: 0 };
        assert_eq!((empty.record_start(), empty.record_bytes()), (0, 4096));
    }
}
