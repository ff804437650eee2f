//! Checksums that clients choose (S3's `x-amz-checksum-*`): stored with what they are of, and shown again.

mod joining;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use joining::Joining;

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a checksum of a multipart object is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumKind {
    /// The bytes of the object.
    FullObject,
    /// The checksums of its parts, in order. Shown with the number of parts behind a dash.
    Composite,
}

/// A checksum of an object or of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChecksum {
    pub algorithm: ChecksumAlgorithm,
    pub kind: ChecksumKind,
    /// Big-endian, as many bytes as the algorithm gives.
    pub value: Box<[u8]>,
}

/// What an upload has said about the checksum of the object that it will make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumPlan {
    pub algorithm: ChecksumAlgorithm,
    pub kind: ChecksumKind,
}

impl ChecksumPlan {
    /// What an object gets about which nobody has said anything, as in S3.
    pub const UNSAID: Self = Self { algorithm: ChecksumAlgorithm::Crc64Nvme, kind: ChecksumKind::FullObject };
}

/// Where the checksum of a body appears once the body has ended, verified: a trailer is known no sooner.
///
/// Whoever wraps the body fills it before the body's stream gives its end; the store looks at commit.
/// An empty one means that the body comes without.
#[derive(Clone, Debug, Default)]
pub struct ChecksumCell(Arc<OnceLock<StoredChecksum>>);

impl ChecksumAlgorithm {
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The CRC that it is, unless it is a hash.
    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// How many bytes a checksum has.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// Takes the checksum of bytes as they pass.
pub struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: HasherState,
}

enum HasherState {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
}

/// The checksum of an object that is joined from parts with these sizes and checksums.
///
/// `None`: a part has none of the plan's algorithm, or the algorithm can't be joined
/// (SHA-1 and SHA-256 of the whole can't be had from those of parts).
pub fn joined(plan: ChecksumPlan, parts: &[(u64, Option<&StoredChecksum>)]) -> Option<StoredChecksum> {
    let values = parts.iter().map(|(bytes, checksum)| {
        let fits = |checksum: &&StoredChecksum| checksum.algorithm == plan.algorithm;
        checksum.filter(fits).map(|checksum| (*bytes, &*checksum.value))
    });
    let values = values.collect::<Option<Vec<_>>>()?;
    let value = match plan.kind {
        ChecksumKind::Composite => {
            let mut hasher = ChecksumHasher::new(plan.algorithm);
            for (_, value) in &values {
                hasher.update(value);
            }
            hasher.finish().value
        }
        ChecksumKind::FullObject => {
            let mut joining = Joining::of(plan.algorithm)?;
            for (bytes, value) in &values {
                joining.add(*bytes, number(value));
            }
            joining.sum().to_be_bytes()[8 - plan.algorithm.bytes()..].into()
        }
    };
    Some(StoredChecksum { algorithm: plan.algorithm, kind: plan.kind, value })
}

fn number(big_endian: &[u8]) -> u64 {
    big_endian.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl ChecksumHasher {
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match (algorithm.crc(), algorithm) {
            (Some(crc), _) => HasherState::Crc(Crc::new(crc)),
            (None, ChecksumAlgorithm::Sha1) => HasherState::Sha1(Sha1::new()),
            (None, _) => HasherState::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HasherState::Crc(state) => state.update(bytes),
            HasherState::Sha1(state) => state.update(bytes),
            HasherState::Sha256(state) => state.update(bytes),
        }
    }

    pub fn finish(self) -> StoredChecksum {
        let value = match self.state {
            HasherState::Crc(state) => state.finalize().to_be_bytes()[8 - self.algorithm.bytes()..].into(),
            HasherState::Sha1(state) => state.finalize().as_slice().into(),
            HasherState::Sha256(state) => state.finalize().as_slice().into(),
        };
        StoredChecksum { algorithm: self.algorithm, kind: ChecksumKind::FullObject, value }
    }
}

impl fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChecksumHasher").field(&self.algorithm).finish()
    }
}

impl ChecksumCell {
    /// A second filling is ignored: the first has been verified.
    pub fn fill(&self, checksum: StoredChecksum) {
        drop(self.0.set(checksum));
    }

    pub fn get(&self) -> Option<StoredChecksum> {
        self.0.get().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> StoredChecksum {
        let mut hasher = ChecksumHasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn the_parts_of_a_crc_give_the_whole() {
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme] {
            let (one, two, three) = (of(algorithm, b"1234"), of(algorithm, b"5"), of(algorithm, b"6789"));
            let plan = ChecksumPlan { algorithm, kind: ChecksumKind::FullObject };
            let whole = joined(plan, &[(4, Some(&one)), (1, Some(&two)), (4, Some(&three))]);
            assert_eq!(whole, Some(of(algorithm, b"123456789")));
        }
    }

    /// 10,000 parts are completed within a second, of which this is the least.
    #[test]
    fn ten_thousand_checksums_are_joined_at_once() {
        let part = of(ChecksumAlgorithm::Crc64Nvme, b"x");
        let parts: Vec<_> = (0..10_000).map(|_| (5_000_000, Some(&part))).collect();
        let begun = std::time::Instant::now();
        assert!(joined(ChecksumPlan::UNSAID, &parts).is_some());
        assert!(begun.elapsed() < std::time::Duration::from_millis(500), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_composite_is_the_checksum_of_the_checksums() {
        for algorithm in ChecksumAlgorithm::ALL {
            let (one, two) = (of(algorithm, b"a"), of(algorithm, b"b"));
            let plan = ChecksumPlan { algorithm, kind: ChecksumKind::Composite };
            let composite = joined(plan, &[(1, Some(&one)), (1, Some(&two))]).unwrap();
            assert_eq!(composite.value, of(algorithm, &[&one.value[..], &two.value].concat()).value);
            assert_eq!(composite.kind, ChecksumKind::Composite);
        }
    }

    #[test]
    fn what_cannot_be_joined_has_no_checksum() {
        let one = of(ChecksumAlgorithm::Sha256, b"a");
        let plan = |kind| ChecksumPlan { algorithm: ChecksumAlgorithm::Sha256, kind };
        assert_eq!(joined(plan(ChecksumKind::FullObject), &[(1, Some(&one))]), None);
        assert_eq!(joined(plan(ChecksumKind::Composite), &[(1, Some(&one)), (1, None)]), None);
    }
}
