//! CRC-64/NVME: of bytes, and of bytes that come piece by piece.

use std::fmt;
use std::sync::LazyLock;

/// CRC-64/NVME.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(pub u64);

/// The checksum of bytes that come piece by piece. A piece whose checksum is known isn't read again.
#[derive(Clone, Copy, Debug)]
pub struct RunningChecksum(Checksum);

/// The polynomial, bits reflected.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// What a step does to each bit of a checksum. All of it is linear, so the rest follows.
type Step = [u64; 64];

impl Checksum {
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// Of two pieces, one after the other: `self` is the first one's, `second` the second one's.
    #[must_use]
    pub fn join(self, second: Self, second_bytes: usize) -> Self {
        let powers = STEPS.iter().enumerate().filter(|(power, _)| (second_bytes >> power) & 1 == 1);
        Self(powers.fold(self.0, |checksum, (_, step)| apply(step, checksum)) ^ second.0)
    }
}

impl RunningChecksum {
    pub fn update(&mut self, bytes: &[u8]) {
        self.add(Checksum::of(bytes), bytes.len());
    }

    /// The next piece, of which the checksum is known.
    pub fn add(&mut self, piece: Checksum, piece_bytes: usize) {
        self.0 = self.0.join(piece, piece_bytes);
    }

    /// Over everything so far.
    pub fn checksum(&self) -> Checksum {
        self.0
    }
}

impl Default for RunningChecksum {
    fn default() -> Self {
        Self(Checksum::of(b""))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What 1, 2, 4, … more bytes do to the checksum of what comes before them, by the powers of two.
static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    let mut bit: Step = std::array::from_fn(|bit| (1_u64 << bit) >> 1);
    bit[0] = POLYNOMIAL;
    let byte = (0..3).fold(bit, |step, _| twice(&step));
    std::iter::successors(Some(byte), |step| Some(twice(step))).take(usize::BITS as usize).collect()
});

fn twice(step: &Step) -> Step {
    step.map(|once| apply(step, once))
}

fn apply(step: &Step, checksum: u64) -> u64 {
    let bits = step.iter().enumerate();
    bits.fold(0, |sum, (bit, effect)| sum ^ (effect & 0_u64.wrapping_sub((checksum >> bit) & 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_64_nvme() {
        // The check value of the CRC catalogue.
        assert_eq!(Checksum::of(b"123456789"), Checksum(0xae8b_1486_0a79_9888));
    }

    #[test]
    fn a_checksum_can_be_made_piece_by_piece() {
        let mut running = RunningChecksum::default();
        assert_eq!(running.checksum(), Checksum::of(b""));
        running.update(b"12345");
        assert_eq!(running.checksum(), Checksum::of(b"12345"));
        running.update(b"6789");
        assert_eq!(running.checksum(), Checksum::of(b"123456789"));
    }

    #[test]
    fn checksums_of_pieces_of_any_length_join() {
        let bytes: Vec<u8> =
            (0..200_000_u32).map(|number| u8::try_from(number * 7919 % 251).unwrap()).collect();
        for second_bytes in [0, 1, 2, 3, 255, 4096, 65_535, 65_536, 65_537, 131_072, 199_999, 200_000] {
            let (first, second) = bytes.split_at(bytes.len() - second_bytes);
            let joined = Checksum::of(first).join(Checksum::of(second), second.len());
            assert_eq!(joined, Checksum::of(&bytes), "{second_bytes} bytes");
        }
    }

    #[test]
    fn pieces_in_another_order_have_another_checksum() {
        let (one, other) = (Checksum::of(b"one"), Checksum::of(b"other"));
        assert_ne!(one.join(other, 5), other.join(one, 3));
    }
}
