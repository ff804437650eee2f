//! Multipart uploads: pieces that become an object in one step, and are invisible until then.

use std::fmt;

use bytes::Bytes;

use crate::body::ByteStream;
use crate::content::Md5;
use crate::limits::PART_NUMBER_MAX;
use crate::name::ObjectKey;
use crate::time::Timestamp;

/// Identifies one upload; unguessable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub [u8; 16]);

/// 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

/// A part to store. A part sent again replaces the earlier one.
pub struct NewPart {
    pub number: PartNumber,
    pub md5: Option<Md5>,
    pub bytes: Option<u64>,
    pub body: ByteStream,
}

/// A stored part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    pub number: PartNumber,
    pub bytes: u64,
    pub md5: Md5,
    pub modified: Timestamp,
}

/// A part as the caller names it on completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenPart {
    pub number: PartNumber,
    /// Without quotes.
    pub etag: String,
}

/// Which uploads of a container to list, by key and then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadQuery {
    pub prefix: Bytes,
    /// Only uploads after this key, or after this upload of this key.
    pub after: Option<(Bytes, Option<UploadId>)>,
    pub limit: usize,
}

/// An open upload in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadEntry {
    pub key: ObjectKey,
    pub id: UploadId,
    pub initiated: Timestamp,
}

/// Why an upload can't be completed as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    #[error("part {0:?} doesn't exist or has another ETag")]
    InvalidPart(PartNumber),
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("part {number:?} has {bytes} bytes and isn't the last")]
    PartTooSmall { number: PartNumber, bytes: u64 },
    #[error("no parts were named")]
    NoParts,
}

impl PartNumber {
    pub fn new(number: u16) -> Option<Self> {
        (1..=PART_NUMBER_MAX).contains(&number).then_some(Self(number))
    }

    pub const fn get(self) -> u16 {
        self.0
    }
}

impl UploadId {
    /// Reads the 32 hexadecimal digits that `Display` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        Md5::from_hex(text).map(|bytes| Self(bytes.0))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Md5(self.0).fmt(f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Md5(self.0).fmt(f)
    }
}

impl fmt::Debug for NewPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPart")
            .field("number", &self.number)
            .field("md5", &self.md5)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
