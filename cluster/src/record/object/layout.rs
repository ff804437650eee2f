//! The parts that an object was joined from: up to 10,000, and hardly ever asked for.
//! They are kept as bytes, so that reading the object doesn't read them.

use bytes::Bytes;
use martlet_model::{PartInfo, PartLayout, PartNumber, StoredChecksum};

use crate::record::RecordError;
use crate::record::checksum::ChecksumTwin;

/// The parts in order, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout(Bytes);

impl Layout {
    pub(crate) fn of_parts(parts: &[PartInfo]) -> Self {
        Self::of(parts.iter().map(|part| (part.number.get(), part.bytes, part.checksum.as_ref())))
    }

    /// # Panics
    /// Never: writing plain structs to memory can't fail.
    pub(super) fn of<'a>(parts: impl Iterator<Item = (u16, u64, Option<&'a StoredChecksum>)>) -> Self {
        let encode = |encoded: Vec<u8>, (number, bytes, checksum): (u16, u64, Option<&StoredChecksum>)| {
            let twin = (number, bytes, checksum.map(ChecksumTwin::of));
            postcard::to_extend(&twin, encoded).expect("plain structs encode")
        };
        Self(parts.fold(Vec::new(), encode).into())
    }

    /// What was read from a row.
    pub(super) fn stored(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn parts(&self) -> Result<Vec<PartLayout>, RecordError> {
        let broken = RecordError::Broken("layout");
        let (mut parts, mut rest) = (Vec::new(), &self.0[..]);
        while !rest.is_empty() {
            let (twin, after): ((u16, u64, Option<ChecksumTwin<'_>>), _) =
                postcard::take_from_bytes(rest).map_err(|_| broken)?;
            let (number, bytes, checksum) = twin;
            parts.push(PartLayout {
                number: PartNumber::new(number).ok_or(broken)?,
                bytes,
                checksum: checksum.map(|checksum| checksum.checksum()).transpose()?,
            });
            rest = after;
        }
        Ok(parts)
    }
}
