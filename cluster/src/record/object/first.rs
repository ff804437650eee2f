//! The first format of an object's row: read, no longer written. Its entry is the beginning of the second's.

use martlet_model::{Content, Digest, Md5, ObjectInfo, Shape, Timestamp, UploadId};
use martlet_protocol::BlobRef;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::{ListedKind, ListedObject, ObjectRow, Origin, StoredObject, StoredVersion};
use crate::record::metadata::FirstMetadataTwin;
use crate::record::{RecordError, parse};

#[derive(Serialize, Deserialize)]
pub(super) struct EntryTwin<'a> {
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

#[derive(Deserialize)]
struct RecordTwin<'a> {
    #[serde(borrow)]
    metadata: FirstMetadataTwin<'a>,
    origin: Option<OriginTwin>,
}

#[derive(Deserialize)]
struct OriginTwin {
    upload: [u8; 16],
    parts: Vec<(u16, u64)>,
}

pub(super) fn read(
    listed: &ListedObject,
    record: &[u8],
    blobs: &[BlobRef],
) -> Result<ObjectRow, RecordError> {
    let twin: RecordTwin<'_> = parse("object", record)?;
    let origin = twin.origin.map(|origin| Origin {
        upload: UploadId(origin.upload),
        layout: Layout::of(origin.parts.iter().map(|(number, bytes)| (*number, *bytes, None))),
    });
    let metadata = twin.metadata.metadata(listed.content_type.as_deref())?;
    let info = ObjectInfo::new(listed.content, metadata, listed.modified);
    let object = StoredObject { info, origin, blobs: blobs.to_vec() };
    Ok(ObjectRow { version: StoredVersion::Object(object), history: None })
}

impl<'a> EntryTwin<'a> {
    pub(super) fn of(content: Content, content_type: Option<&'a str>, modified: Timestamp) -> Self {
        let digest = DigestTwin::from(content.digest);
        Self { bytes: content.bytes, digest, content_type, modified_micros: modified.as_micros() }
    }

    pub(super) fn listed(&self) -> ListedObject {
        ListedObject {
            content: Content { bytes: self.bytes, digest: Digest::from(&self.digest) },
            content_type: self.content_type.map(str::to_owned),
            modified: Timestamp::from_micros(self.modified_micros),
            version: None,
            delete_at: None,
            kind: ListedKind::Object(Shape::Plain),
        }
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
