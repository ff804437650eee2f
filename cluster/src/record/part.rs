//! A part's row, in its upload's table of parts, under the part's number as two big-endian bytes.
//!
//! The entry says everything, blobs included: an upload is completed from listings alone. The record is empty.

use bytes::Bytes;
use martlet_model::{Md5, PartInfo, PartNumber, Timestamp};
use martlet_protocol::{BlobRef, RowValue, Weight};
use serde::{Deserialize, Serialize};

use super::blob::BlobTwin;
use super::checksum::ChecksumTwin;
use super::{FIRST, RecordError, SECOND, encode_as, format_of, parse};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub(crate) info: PartInfo,
    pub(crate) blobs: Vec<BlobRef>,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin<'a> {
    first: FirstEntryTwin,
    #[serde(borrow)]
    checksum: Option<ChecksumTwin<'a>>,
}

/// The entry in the first format.
#[derive(Serialize, Deserialize)]
struct FirstEntryTwin {
    bytes: u64,
    md5: [u8; 16],
    modified_micros: u64,
    blobs: Vec<BlobTwin>,
}

impl PartRow {
    pub(crate) fn to_value(&self) -> RowValue {
        let first = FirstEntryTwin {
            bytes: self.info.bytes,
            md5: self.info.md5.0,
            modified_micros: self.info.modified.as_micros(),
            blobs: self.blobs.iter().map(BlobTwin::from).collect(),
        };
        let checksum = self.info.checksum.as_ref().map(ChecksumTwin::of);
        let entry = encode_as(SECOND, &EntryTwin { first, checksum });
        let weight = Weight { objects: 1, bytes: self.info.bytes };
        RowValue::Live { entry, record: Bytes::new(), weight, blobs: self.blobs.clone() }
    }

    pub(crate) fn read(key: &[u8], entry: &[u8]) -> Result<Self, RecordError> {
        let number = number(key)?;
        let (twin, checksum) = match format_of("part entry", entry)? {
            (FIRST, entry) => (parse::<FirstEntryTwin>("part entry", entry)?, None),
            (SECOND, entry) => {
                let twin: EntryTwin<'_> = parse("part entry", entry)?;
                (twin.first, twin.checksum)
            }
            _ => return Err(RecordError::UnknownVersion("part entry")),
        };
        let info = PartInfo {
            number,
            bytes: twin.bytes,
            md5: Md5(twin.md5),
            modified: Timestamp::from_micros(twin.modified_micros),
            checksum: checksum.map(|checksum| checksum.checksum()).transpose()?,
        };
        Ok(Self { info, blobs: twin.blobs.iter().map(BlobRef::from).collect() })
    }
}

/// The key of a part's row.
pub(crate) fn row_key(number: PartNumber) -> Bytes {
    Bytes::copy_from_slice(&number.get().to_be_bytes())
}

fn number(key: &[u8]) -> Result<PartNumber, RecordError> {
    let broken = RecordError::Broken("part key");
    let number = <[u8; 2]>::try_from(key).map_err(|_| broken)?;
    PartNumber::new(u16::from_be_bytes(number)).ok_or(broken)
}
