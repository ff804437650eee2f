//! The digest by which replicas see whether they hold the same rows.

use std::hash::Hasher;

use martlet_register::Ballot;
use siphasher::sip::SipHasher24;

/// A row's share in the digest of its table and partition: SipHash-2-4 under an all-zero key, of
/// the key's length in 64 bits, the key, and the ballot as time and proposer. Integers are big-endian.
///
/// The shares are added with wrapping, so the order of changes doesn't matter and each can be taken back.
/// Part of the protocol between nodes: it must never change.
pub fn row_digest(key: &[u8], ballot: Ballot) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(&(key.len() as u64).to_be_bytes());
    hasher.write(key);
    hasher.write(&ballot.time.to_be_bytes());
    hasher.write(&ballot.proposer.0.to_be_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use martlet_register::ProposerId;

    #[test]
    fn the_digest_never_changes() {
        let ballot = Ballot { time: 1_700_000_000_000_000, proposer: ProposerId(7) };
        assert_eq!(row_digest(b"photos/martlet.jpg", ballot), 16_515_739_222_721_302_656);
    }
}
