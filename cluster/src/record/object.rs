//! An object's row, in its container's table of objects, under the object's key.

use martlet_model::{Content, Digest, Md5, ObjectInfo, Timestamp, UploadId};
use martlet_protocol::{BlobRef, RowValue, Weight};
use serde::{Deserialize, Serialize};

use super::metadata::MetadataTwin;
use super::{Live, RecordError, decode, encode};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) info: ObjectInfo,
    /// The multipart upload that made it.
    pub(crate) origin: Option<Origin>,
    /// Its bytes, in order.
    pub(crate) blobs: Vec<BlobRef>,
}

/// The upload that an object was joined in, and where its parts begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) upload: UploadId,
    /// Number and bytes of each part.
    pub(crate) parts: Vec<(u16, u64)>,
}

/// What a listing shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedObject {
    pub(crate) content: Content,
    pub(crate) content_type: Option<String>,
    pub(crate) modified: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin<'a> {
    bytes: u64,
    digest: DigestTwin,
    content_type: Option<&'a str>,
    modified_micros: u64,
}

#[derive(Serialize, Deserialize)]
enum DigestTwin {
    Whole([u8; 16]),
    Parts { of_binary: [u8; 16], of_hex: [u8; 16], count: u16 },
}

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    #[serde(borrow)]
    metadata: MetadataTwin<'a>,
    origin: Option<OriginTwin>,
}

#[derive(Serialize, Deserialize)]
struct OriginTwin {
    upload: [u8; 16],
    parts: Vec<(u16, u64)>,
}

impl ObjectRow {
    pub(crate) fn into_value(self) -> RowValue {
        let Self { info, origin, blobs } = self;
        let entry = encode(&EntryTwin {
            bytes: info.content.bytes,
            digest: DigestTwin::from(info.content.digest),
            content_type: info.metadata.content_type.as_deref(),
            modified_micros: info.modified.as_micros(),
        });
        let origin = origin.map(|origin| OriginTwin { upload: origin.upload.0, parts: origin.parts });
        let record = encode(&RecordTwin { metadata: MetadataTwin::of(&info.metadata), origin });
        let weight = Weight { objects: 1, bytes: info.content.bytes };
        RowValue::Live { entry, record, weight, blobs }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let entry: EntryTwin<'_> = decode("object entry", live.entry)?;
        let record: RecordTwin<'_> = decode("object", live.record)?;
        let origin =
            record.origin.map(|origin| Origin { upload: UploadId(origin.upload), parts: origin.parts });
        let metadata = record.metadata.metadata(entry.content_type)?;
        let info = ObjectInfo::new(entry.content(), metadata, Timestamp::from_micros(entry.modified_micros));
        Ok(Self { info, origin, blobs: live.blobs.to_vec() })
    }
}

pub(crate) fn listed(entry: &[u8]) -> Result<ListedObject, RecordError> {
    let twin: EntryTwin<'_> = decode("object entry", entry)?;
    Ok(ListedObject {
        content: twin.content(),
        content_type: twin.content_type.map(str::to_owned),
        modified: Timestamp::from_micros(twin.modified_micros),
    })
}

impl EntryTwin<'_> {
    fn content(&self) -> Content {
        Content { bytes: self.bytes, digest: Digest::from(&self.digest) }
    }
}

impl From<Digest> for DigestTwin {
    fn from(digest: Digest) -> Self {
        match digest {
            Digest::Whole(md5) => Self::Whole(md5.0),
            Digest::Parts { of_binary, of_hex, count } => {
                Self::Parts { of_binary: of_binary.0, of_hex: of_hex.0, count }
            }
        }
    }
}

impl From<&DigestTwin> for Digest {
    fn from(twin: &DigestTwin) -> Self {
        match *twin {
            DigestTwin::Whole(md5) => Self::Whole(Md5(md5)),
            DigestTwin::Parts { of_binary, of_hex, count } => {
                Self::Parts { of_binary: Md5(of_binary), of_hex: Md5(of_hex), count }
            }
        }
    }
}

impl From<ObjectInfo> for ListedObject {
    fn from(info: ObjectInfo) -> Self {
        Self { content: info.content, content_type: info.metadata.content_type, modified: info.modified }
    }
}
