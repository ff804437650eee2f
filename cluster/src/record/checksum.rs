//! Clients' checksums as bytes: part of the records of objects, parts and uploads.

use martlet_model::{ChecksumAlgorithm, ChecksumKind, ChecksumPlan, StoredChecksum};
use serde::{Deserialize, Serialize};

use super::RecordError;

/// A checksum.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ChecksumTwin<'a> {
    plan: PlanTwin,
    value: &'a [u8],
}

/// An algorithm, and what it is taken over.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct PlanTwin {
    algorithm: AlgorithmTwin,
    kind: KindTwin,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum AlgorithmTwin {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum KindTwin {
    FullObject,
    Composite,
}

impl<'a> ChecksumTwin<'a> {
    pub(super) fn of(checksum: &'a StoredChecksum) -> Self {
        let StoredChecksum { algorithm, kind, value } = checksum;
        Self { plan: PlanTwin::from(ChecksumPlan { algorithm: *algorithm, kind: *kind }), value }
    }

    pub(super) fn checksum(&self) -> Result<StoredChecksum, RecordError> {
        let ChecksumPlan { algorithm, kind } = self.plan.into();
        if self.value.len() != algorithm.bytes() {
            return Err(RecordError::Broken("checksum"));
        }
        Ok(StoredChecksum { algorithm, kind, value: self.value.into() })
    }
}

impl From<ChecksumPlan> for PlanTwin {
    fn from(plan: ChecksumPlan) -> Self {
        let algorithm = match plan.algorithm {
            ChecksumAlgorithm::Crc32 => AlgorithmTwin::Crc32,
            ChecksumAlgorithm::Crc32c => AlgorithmTwin::Crc32c,
            ChecksumAlgorithm::Crc64Nvme => AlgorithmTwin::Crc64Nvme,
            ChecksumAlgorithm::Sha1 => AlgorithmTwin::Sha1,
            ChecksumAlgorithm::Sha256 => AlgorithmTwin::Sha256,
        };
        let kind = match plan.kind {
            ChecksumKind::FullObject => KindTwin::FullObject,
            ChecksumKind::Composite => KindTwin::Composite,
        };
        Self { algorithm, kind }
    }
}

impl From<PlanTwin> for ChecksumPlan {
    fn from(twin: PlanTwin) -> Self {
        let algorithm = match twin.algorithm {
            AlgorithmTwin::Crc32 => ChecksumAlgorithm::Crc32,
            AlgorithmTwin::Crc32c => ChecksumAlgorithm::Crc32c,
            AlgorithmTwin::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
            AlgorithmTwin::Sha1 => ChecksumAlgorithm::Sha1,
            AlgorithmTwin::Sha256 => ChecksumAlgorithm::Sha256,
        };
        let kind = match twin.kind {
            KindTwin::FullObject => ChecksumKind::FullObject,
            KindTwin::Composite => ChecksumKind::Composite,
        };
        Self { algorithm, kind }
    }
}
