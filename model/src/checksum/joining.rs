//! The CRC of bytes, from those of the pieces that they were cut into.
//!
//! A CRC is the remainder of a polynomial over the field of two elements. That of two pieces one after the other is that of
//! the first, times x to the number of bits in the second, plus that of the second: what the CRC starts from and what
//! it is changed by in the end is the same in all that are offered here, and falls out.
//! The usual way squares a matrix for each bit of the length, which takes seconds for 10,000 parts;
//! with polynomials it takes milliseconds.

use super::ChecksumAlgorithm;

/// Takes the CRCs of pieces, in their order.
pub(super) struct Joining {
    field: Field,
    sum: u64,
    /// A length in bytes, and what it multiplies by: pieces are mostly of one length.
    last: (u64, u64),
}

impl Joining {
    /// `None`: the algorithm is no CRC.
    pub(super) fn of(algorithm: ChecksumAlgorithm) -> Option<Self> {
        let field = Field::of(algorithm)?;
        Some(Self { field, sum: 0, last: (0, field.one()) })
    }

    pub(super) fn add(&mut self, bytes: u64, crc: u64) {
        if self.last.0 != bytes {
            self.last = (bytes, self.field.after(bytes));
        }
        self.sum = self.field.product(self.sum, self.last.1) ^ crc;
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum
    }
}

/// Polynomials modulo that of a CRC, the constant term in the highest bit.
#[derive(Clone, Copy)]
struct Field {
    /// Without its highest power.
    modulus: u64,
    bits: u32,
}

impl Field {
    const fn of(algorithm: ChecksumAlgorithm) -> Option<Self> {
        match algorithm {
            ChecksumAlgorithm::Crc32 => Some(Self { modulus: 0xedb8_8320, bits: 32 }),
            ChecksumAlgorithm::Crc32c => Some(Self { modulus: 0x82f6_3b78, bits: 32 }),
            ChecksumAlgorithm::Crc64Nvme => Some(Self { modulus: 0x9a6c_9329_ac4b_c9b5, bits: 64 }),
            ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
        }
    }

    const fn one(self) -> u64 {
        1 << (self.bits - 1)
    }

    const fn times_x(self, polynomial: u64) -> u64 {
        (polynomial >> 1) ^ if polynomial & 1 == 1 { self.modulus } else { 0 }
    }

    fn product(self, one: u64, other: u64) -> u64 {
        let (mut sum, mut shifted) = (0, other);
        for bit in (0..self.bits).rev() {
            if one >> bit & 1 == 1 {
                sum ^= shifted;
            }
            shifted = self.times_x(shifted);
        }
        sum
    }

    /// What a CRC is multiplied by when so many bytes follow: x to the power of their bits.
    fn after(self, bytes: u64) -> u64 {
        let of_byte = (0..8).fold(self.one(), |polynomial, _| self.times_x(polynomial));
        let (mut power, mut square, mut left) = (self.one(), of_byte, bytes);
        while left > 0 {
            if left & 1 == 1 {
                power = self.product(power, square);
            }
            square = self.product(square, square);
            left >>= 1;
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use crc_fast::{checksum, checksum_combine};
    use proptest::prelude::*;

    use super::*;

    const CRCS: [ChecksumAlgorithm; 3] =
        [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme];

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(pieces: Vec<Vec<u8>>) {
            for algorithm in CRCS {
                let of = |bytes: &[u8]| checksum(algorithm.crc().unwrap(), bytes);
                let mut joining = Joining::of(algorithm).unwrap();
                for piece in &pieces {
                    joining.add(piece.len() as u64, of(piece));
                }
                prop_assert_eq!(joining.sum(), of(&pieces.concat()));
            }
        }

        #[test]
        fn lengths_that_no_test_can_read_are_joined_as_others_join_them(
            one: u32, other: u32, bytes in 0..u64::MAX / 8,
        ) {
            for algorithm in CRCS {
                let mut joining = Joining::of(algorithm).unwrap();
                joining.add(1, one.into());
                joining.add(bytes, other.into());
                let expected = checksum_combine(algorithm.crc().unwrap(), one.into(), other.into(), bytes);
                prop_assert_eq!(joining.sum(), expected);
            }
        }
    }

    #[test]
    fn a_hash_of_the_whole_cannot_be_had_from_those_of_pieces() {
        assert!(Joining::of(ChecksumAlgorithm::Sha256).is_none());
    }
}
