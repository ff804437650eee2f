//! Whose a blob is, as bytes: in the index, in segment records and at the end of blob files.

use bytes::Bytes;
use martlet_protocol::{BlobOwner, RowAddress, RowKey, TableId};
use martlet_ring::PlacementHash;

use super::fields::Fields;

const ROW: u8 = 0;
const PART_OF: u8 = 1;

/// ```text
/// 0  row                     1  row of the part, row of the object
/// row:  table 16   hash 8   key, counted in 32 bits
/// ```
pub fn encode(owner: &BlobOwner) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    match owner {
        BlobOwner::Row(row) => {
            bytes.push(ROW);
            encode_address(&mut bytes, row);
        }
        BlobOwner::PartOf { part, object } => {
            bytes.push(PART_OF);
            encode_address(&mut bytes, part);
            encode_address(&mut bytes, object);
        }
    }
    bytes
}

/// `None`: these bytes aren't an owner.
pub fn decode(bytes: &[u8]) -> Option<BlobOwner> {
    let mut fields = Fields(bytes);
    let owner = match fields.u8()? {
        ROW => BlobOwner::Row(decode_address(&mut fields)?),
        PART_OF => {
            let part = decode_address(&mut fields)?;
            BlobOwner::PartOf { part, object: decode_address(&mut fields)? }
        }
        _ => return None,
    };
    fields.is_empty().then_some(owner)
}

fn encode_address(bytes: &mut Vec<u8>, address: &RowAddress) {
    bytes.extend_from_slice(address.row.table.as_bytes());
    bytes.extend_from_slice(&address.hash.0.to_be_bytes());
    let key_bytes = u32::try_from(address.row.key.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&key_bytes.to_be_bytes());
    bytes.extend_from_slice(&address.row.key);
}

fn decode_address(fields: &mut Fields<'_>) -> Option<RowAddress> {
    let table = TableId::from_bytes(fields.array()?)?;
    let hash = PlacementHash(fields.u64()?);
    let key = Bytes::copy_from_slice(fields.counted()?);
    Some(RowAddress { row: RowKey { table, key }, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(key: &'static [u8]) -> RowAddress {
        let row = RowKey { table: TableId::system(1), key: Bytes::from_static(key) };
        RowAddress { row, hash: PlacementHash(u64::MAX - 1) }
    }

    #[test]
    fn owners_come_back_as_they_were() {
        for owner in [
            BlobOwner::Row(address(b"")),
            BlobOwner::Row(address(b"a/b")),
            BlobOwner::PartOf { part: address(b"1"), object: address(b"film") },
        ] {
            let bytes = encode(&owner);
            assert_eq!(decode(&bytes), Some(owner));
            assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
            assert_eq!(decode(&[bytes.as_slice(), b"x"].concat()), None);
        }
        assert_eq!(decode(&[7]), None);
    }
}
