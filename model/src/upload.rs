//! Multipart uploads: pieces that become an object in one step, and are invisible until then.

use std::fmt;

use bytes::Bytes;

use crate::body::ByteStream;
use crate::checksum::{self, ChecksumCell, ChecksumPlan, StoredChecksum};
use crate::condition::Conditions;
use crate::content::{Content, Md5};
use crate::limits::{PART_BYTES_MIN, PART_NUMBER_MAX};
use crate::metadata::ObjectMetadata;
use crate::name::ObjectKey;
use crate::object::{Annotations, PartLayout};
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
    /// The checksum that the part's sender chose, once the body has ended.
    pub checksum: ChecksumCell,
}

/// An upload to begin: what the object will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUpload {
    pub metadata: ObjectMetadata,
    pub annotations: Annotations,
    pub checksum: Option<ChecksumPlan>,
}

/// An open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    pub new: NewUpload,
    pub initiated: Timestamp,
}

/// How to complete an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub parts: Vec<ChosenPart>,
    /// Evaluated at commit, on the true predecessor.
    pub conditions: Conditions,
    /// How many bytes the object must have (`x-amz-mp-object-size`).
    pub bytes: Option<u64>,
    /// The checksum that the object must have.
    pub checksum: Option<StoredChecksum>,
}

/// A stored part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    pub number: PartNumber,
    pub bytes: u64,
    pub md5: Md5,
    pub modified: Timestamp,
    pub checksum: Option<StoredChecksum>,
}

/// A part as the caller names it on completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenPart {
    pub number: PartNumber,
    /// Without quotes.
    pub etag: String,
    /// The checksum that the caller believes it to have; compared where given.
    pub checksum: Option<StoredChecksum>,
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
    #[error("the parts have {bytes} bytes together, not {expected}")]
    WrongSize { bytes: u64, expected: u64 },
    /// The parts' checksums don't give the object's, or some have none of the kind that was announced.
    #[error("the checksum of the joined parts isn't the one that was given")]
    WrongChecksum,
}

impl Completion {
    /// Whether this is the completion that has made an object of `content` and `parts`:
    /// a client that hears no answer asks again, and must name the same parts.
    pub fn has_made(&self, content: &Content, parts: &[PartLayout]) -> bool {
        let named = self.parts.iter().zip(parts).map(|(named, part)| {
            (named.number == part.number).then_some((part.bytes, Md5::from_hex(&named.etag)?))
        });
        let named: Option<Vec<_>> = named.collect();
        self.parts.len() == parts.len() && named.is_some_and(|named| Content::joined(&named) == *content)
    }
}

/// What joining an upload's parts makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub parts: Vec<PartInfo>,
    pub content: Content,
    pub checksum: Option<StoredChecksum>,
}

/// The object that `completion` makes of the stored parts, if everything is as the caller thinks it is.
/// `plan` is what the upload said about checksums when it was begun; [`ChecksumPlan::UNSAID`] where it said nothing.
pub fn join(
    completion: &Completion,
    plan: Option<ChecksumPlan>,
    stored: impl Fn(PartNumber) -> Option<PartInfo>,
) -> Result<Joined, UploadError> {
    let parts = choose(&completion.parts, stored)?;
    let content = Content::joined(&parts.iter().map(|part| (part.bytes, part.md5)).collect::<Vec<_>>());
    if let Some(expected) = completion.bytes.filter(|expected| *expected != content.bytes) {
        return Err(UploadError::WrongSize { bytes: content.bytes, expected });
    }
    let checksums: Vec<_> = parts.iter().map(|part| (part.bytes, part.checksum.as_ref())).collect();
    let checksum = checksum::joined(plan.unwrap_or(ChecksumPlan::UNSAID), &checksums);
    // A part without a checksum is no reason to lose the object, unless somebody relies on the whole's.
    if completion.checksum.is_some() && completion.checksum != checksum {
        return Err(UploadError::WrongChecksum);
    }
    Ok(Joined { parts, content, checksum })
}

/// The parts that `chosen` names, if they are what the caller thinks they are: in ascending order,
/// stored with that ETag, and large enough.
pub fn choose(
    chosen: &[ChosenPart],
    stored: impl Fn(PartNumber) -> Option<PartInfo>,
) -> Result<Vec<PartInfo>, UploadError> {
    let last = chosen.last().ok_or(UploadError::NoParts)?.number;
    if !chosen.is_sorted_by(|earlier, later| earlier.number < later.number) {
        return Err(UploadError::InvalidPartOrder);
    }
    let find = |part: &ChosenPart| {
        let is_meant = |stored: &PartInfo| {
            Md5::from_hex(&part.etag) == Some(stored.md5)
                && (part.checksum.is_none() || part.checksum == stored.checksum)
        };
        stored(part.number).filter(is_meant).ok_or(UploadError::InvalidPart(part.number))
    };
    let found = chosen.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    match found.iter().find(|part| part.number != last && part.bytes < PART_BYTES_MIN) {
        Some(small) => Err(UploadError::PartTooSmall { number: small.number, bytes: small.bytes }),
        None => Ok(found),
    }
}

impl PartInfo {
    /// The part as a piece of the object that it was joined to.
    pub fn layout(&self) -> PartLayout {
        PartLayout { number: self.number, bytes: self.bytes, checksum: self.checksum.clone() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ETagStyle;

    fn stored(number: PartNumber) -> Option<PartInfo> {
        let bytes = if number.get() == 2 { PART_BYTES_MIN - 1 } else { PART_BYTES_MIN };
        let modified = Timestamp::from_micros(0);
        let info = PartInfo { number, bytes, md5: Md5::of(b""), modified, checksum: None };
        (number.get() <= 3).then_some(info)
    }

    #[track_caller]
    fn check(numbers: &[u16], etag: &str, expected: Result<usize, UploadError>) {
        let number = |number: &u16| PartNumber::new(*number).unwrap();
        let part = |part: &u16| ChosenPart { number: number(part), etag: etag.to_owned(), checksum: None };
        let chosen: Vec<_> = numbers.iter().map(part).collect();
        assert_eq!(choose(&chosen, stored).map(|parts| parts.len()), expected);
    }

    #[test]
    fn a_completion_has_made_what_its_parts_are() {
        let number = |number| PartNumber::new(number).unwrap();
        let layout = |at, bytes| PartLayout { number: number(at), bytes, checksum: None };
        let part = |at, body: &[u8]| ChosenPart {
            number: number(at),
            etag: Md5::of(body).to_string(),
            checksum: None,
        };
        let completion = |parts: &[ChosenPart]| Completion {
            parts: parts.to_vec(),
            conditions: Conditions::none(ETagStyle::S3),
            bytes: None,
            checksum: None,
        };
        let content = Content::joined(&[(1, Md5::of(b"a")), (2, Md5::of(b"bb"))]);
        let made = [layout(1, 1), layout(3, 2)];
        let has_made = |parts: &[ChosenPart]| completion(parts).has_made(&content, &made);
        assert!(has_made(&[part(1, b"a"), part(3, b"bb")]));
        assert!(!has_made(&[part(1, b"a"), part(2, b"bb")]));
        assert!(!has_made(&[part(1, b"a"), part(3, b"other")]));
        assert!(!has_made(&[part(1, b"a")]));
        assert!(!has_made(&[part(1, b"a"), part(3, b"bb"), part(4, b"c")]));
        assert!(!has_made(&[]));
    }

    #[test]
    fn only_what_is_stored_and_large_enough_can_be_chosen() {
        let etag = &Md5::of(b"").to_string();
        let number = |number| PartNumber::new(number).unwrap();
        check(&[1, 3], etag, Ok(2));
        check(&[1, 2], &etag.to_uppercase(), Ok(2));
        check(&[], etag, Err(UploadError::NoParts));
        check(&[3, 1], etag, Err(UploadError::InvalidPartOrder));
        check(&[1, 1], etag, Err(UploadError::InvalidPartOrder));
        check(&[1, 4], etag, Err(UploadError::InvalidPart(number(4))));
        check(&[1], "other", Err(UploadError::InvalidPart(number(1))));
        let small = UploadError::PartTooSmall { number: number(2), bytes: PART_BYTES_MIN - 1 };
        check(&[2, 3], etag, Err(small));
    }
}
