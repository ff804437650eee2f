//! From a name to a partition.
//!
//! The hash is SipHash-2-4 with a 128-bit key and a 64-bit result (Aumasson and Bernstein, "SipHash: a fast
//! short-input PRF", 2012): fixed by its paper, so that it means the same in every release, and keyed, so that
//! nobody without the key can choose names that all land on one partition.
//! What is hashed is one byte naming the domain, then the identifiers; equal bytes in two domains never collide
//! on purpose:
//!
//! ```text
//! object   'o'  table (16 bytes)  key (the rest)
//! blob     'b'  blob id (16 bytes)
//! table    't'  table (16 bytes)
//! ```
//!
//! Rows and blobs store the whole [`PlacementHash`], never the partition.

use siphasher::sip::SipHasher24;
use std::fmt;
use std::hash::Hasher;
use std::ops::RangeInclusive;

/// The cluster's placement secret. Changing it moves every object: it is made once, with the cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct PlacementKey([u8; 16]);

/// Where something lies on the ring, independently of how many partitions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlacementHash(pub u64);

/// A slot of the ring: one of 2^k.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

const DOMAIN_OBJECT: u8 = b'o';
const DOMAIN_BLOB: u8 = b'b';
const DOMAIN_TABLE: u8 = b't';

impl PlacementKey {
    /// `secret` must come from a source of cryptographic randomness.
    pub fn new(secret: [u8; 16]) -> Self {
        Self(secret)
    }

    /// The secret itself, for whoever stores it.
    pub fn secret(&self) -> &[u8; 16] {
        &self.0
    }

    /// Where the row of `key` in `table` lies, and the data that is stored with the row.
    pub fn hash_object(&self, table: &[u8; 16], key: &[u8]) -> PlacementHash {
        self.hash(DOMAIN_OBJECT, table, key)
    }

    /// Where a blob with a placement of its own lies: a part of an upload, a segment of a large body.
    pub fn hash_blob(&self, id: &[u8; 16]) -> PlacementHash {
        self.hash(DOMAIN_BLOB, id, b"")
    }

    /// Where what belongs to a whole table lies.
    pub fn hash_table(&self, table: &[u8; 16]) -> PlacementHash {
        self.hash(DOMAIN_TABLE, table, b"")
    }

    fn hash(&self, domain: u8, id: &[u8; 16], rest: &[u8]) -> PlacementHash {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[domain]);
        hasher.write(id);
        hasher.write(rest);
        PlacementHash(hasher.finish())
    }
}

impl fmt::Debug for PlacementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlacementKey(secret)")
    }
}

impl PlacementHash {
    /// The partition: the top `bits` bits.
    ///
    /// # Panics
    ///
    /// If `bits` is above 32; a ring has far fewer.
    #[expect(clippy::cast_possible_truncation, reason = "at most 32 bits are left")]
    pub fn partition(self, bits: u8) -> Partition {
        assert!(bits <= 32, "a partition number has at most 32 bits");
        // A shift by all 64 bits, for a ring of one partition, leaves nothing.
        Partition(self.0.checked_shr(64 - u32::from(bits)).unwrap_or(0) as u32)
    }
}

impl Partition {
    /// The hashes that lie in this partition of a ring with 2^`bits` partitions.
    ///
    /// # Panics
    ///
    /// If a ring with that many partitions doesn't have this one.
    pub fn hashes(self, bits: u8) -> RangeInclusive<PlacementHash> {
        assert!(bits <= 32 && u64::from(self.0) < 1 << bits, "the partition is one of the ring's");
        let free_bits = 64 - u32::from(bits);
        let first = u64::from(self.0).checked_shl(free_bits).unwrap_or(0);
        let last = first | u64::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
        PlacementHash(first)..=PlacementHash(last)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {}", self.0)
    }
}
