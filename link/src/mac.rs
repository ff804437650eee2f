//! What makes a record impossible to change, repeat, drop or reorder unnoticed.
//!
//! AEGIS-128X2 as a MAC (draft-irtf-cfrg-aegis-aead, "AEGIS as a Message Authentication Code"), with 128-bit keys
//! and tags. The nonce is the record's number in its direction, so no two records of a key share one,
//! and a record in another place has another tag.

use aegis::aegis128x2::Aegis128X2Mac;
use subtle::ConstantTimeEq;

/// Length of a tag in bytes.
pub const TAG_BYTES: usize = 16;

/// The key of one direction of one connection.
pub type MacKey = [u8; 16];

/// Makes or checks the tags of one direction, record by record.
#[derive(Debug)]
pub struct RecordMac {
    key: KeyOfRecords,
    /// The next record's number.
    number: u64,
}

struct KeyOfRecords(MacKey);

impl RecordMac {
    pub fn new(key: MacKey) -> Self {
        Self { key: KeyOfRecords(key), number: 0 }
    }

    /// The tag of the next record, which is made of these pieces.
    ///
    /// # Panics
    /// After 2^64 records, which no connection lives to see.
    pub fn next_tag<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) -> [u8; TAG_BYTES] {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.number.to_le_bytes());
        self.number = self.number.checked_add(1).expect("fewer records than 2^64");
        let mut mac = Aegis128X2Mac::<TAG_BYTES>::new_with_nonce(&self.key.0, &nonce);
        for piece in pieces {
            mac.update(piece);
        }
        mac.finalize()
    }

    /// Whether the next record is what the other side sent.
    #[must_use]
    pub fn check_next(&mut self, record: &[u8], tag: &[u8]) -> bool {
        self.next_tag(std::iter::once(record)).ct_eq(tag).into()
    }
}

impl std::fmt::Debug for KeyOfRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("secret")
    }
}
