//! Blobs and their owners.

use martlet_protocol::{BlobId, BlobOwner, BlobRef, Checksum, NewBlob, ReadBlob, RowAddress};
use martlet_ring::PlacementHash;

use super::{Malformed, Source, Wire, wire_newtype, wire_struct};

wire_newtype!(BlobId([u8; 16]));
wire_newtype!(Checksum(u64));
wire_struct!(BlobRef { id: BlobId, hash: PlacementHash, bytes: u64, checksum: Checksum });
wire_struct!(NewBlob { id: BlobId, hash: PlacementHash, owner: BlobOwner });
wire_struct!(ReadBlob { id: BlobId, first: u32, count: u32 });

const ROW: u8 = 0;
const PART_OF: u8 = 1;

impl Wire for BlobOwner {
    const BYTES_MIN: usize = 1 + RowAddress::BYTES_MIN;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Row(row) => {
                out.push(ROW);
                row.put(out);
            }
            Self::PartOf { part, object } => {
                out.push(PART_OF);
                part.put(out);
                object.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            ROW => RowAddress::take(from).map(Self::Row),
            PART_OF => Ok(Self::PartOf { part: RowAddress::take(from)?, object: RowAddress::take(from)? }),
            _ => Err(Malformed("a blob's owner")),
        }
    }
}
