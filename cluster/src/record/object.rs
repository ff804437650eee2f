//! A version of an object: a head in its container's table of objects under the object's key,
//! or an older one in the table of versions beside it (see [`super::version`]).

mod first;
mod layout;
mod link;

use martlet_model::{
    Content, Digest, Md5, ObjectInfo, ObjectMetadata, Shape, Timestamp, UploadId, VersionId,
};
use martlet_protocol::{BlobRef, RowValue, Weight};
use serde::{Deserialize, Serialize};

use super::annotations::AnnotationsTwin;
use super::checksum::ChecksumTwin;
use super::metadata::MetadataTwin;
use super::version::{History, HistoryTwin, IdTwin};
use super::{FIRST, Live, RecordError, SECOND, encode_as, format_of, parse};
pub(crate) use layout::Layout;
use link::LinkTwin;

/// A row of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) version: StoredVersion,
    /// Of a head whose container's versioning has been on when it was written. An older version has none.
    pub(crate) history: Option<History>,
}

/// What a version is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are objects")]
pub(crate) enum StoredVersion {
    Object(StoredObject),
    DeleteMarker { id: VersionId, modified: Timestamp },
}

/// An object with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredObject {
    /// `version` is `None` where versioning had never been on when it was written.
    pub(crate) info: ObjectInfo,
    /// The multipart upload that made it.
    pub(crate) origin: Option<Origin>,
    /// Its bytes, in order.
    pub(crate) blobs: Vec<BlobRef>,
}

/// The upload that an object was joined in, and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) upload: UploadId,
    pub(crate) layout: Layout,
}

/// What a listing shows of a version, and what a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedObject {
    pub(crate) content: Content,
    pub(crate) content_type: Option<String>,
    pub(crate) modified: Timestamp,
    pub(crate) version: Option<VersionId>,
    pub(crate) delete_at: Option<Timestamp>,
    pub(crate) kind: ListedKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListedKind {
    Object(Shape),
    DeleteMarker,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin<'a> {
    #[serde(borrow)]
    first: first::EntryTwin<'a>,
    version: Option<IdTwin>,
    delete_at_micros: Option<u64>,
    #[serde(borrow)]
    kind: KindTwin<'a>,
}

#[derive(Serialize, Deserialize)]
enum KindTwin<'a> {
    Plain,
    /// Written no more, but read: the list's MD5 wasn't kept.
    SegmentList {
        list_bytes: u64,
    },
    DeleteMarker,
    HashedList {
        list_bytes: u64,
        list_md5: [u8; 16],
    },
    #[serde(borrow)]
    Link(LinkTwin<'a>),
}

/// The layout of an object that was joined from parts follows it, to the end.
#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    #[serde(borrow)]
    metadata: MetadataTwin<'a>,
    #[serde(borrow)]
    annotations: AnnotationsTwin<'a>,
    #[serde(borrow)]
    checksum: Option<ChecksumTwin<'a>>,
    upload: Option<[u8; 16]>,
    history: Option<HistoryTwin>,
}

const NO_CONTENT: Content = Content { bytes: 0, digest: Digest::Whole(Md5([0; 16])) };

impl ObjectRow {
    pub(crate) fn into_value(self) -> RowValue {
        let history = self.history.as_ref().map(HistoryTwin::from);
        match self.version {
            StoredVersion::Object(object) => object.into_value(history),
            StoredVersion::DeleteMarker { id, modified } => marker_value(id, modified, history),
        }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let listed = listed(live.entry)?;
        match format_of("object", live.record)? {
            (FIRST, record) => first::read(&listed, record, live.blobs),
            (SECOND, record) => {
                let broken = |_| RecordError::Broken("object");
                let (twin, layout): (RecordTwin<'_>, _) =
                    postcard::take_from_bytes(record).map_err(broken)?;
                if twin.upload.is_none() && !layout.is_empty() {
                    return Err(RecordError::Broken("object"));
                }
                let upload = twin.upload.map(UploadId);
                let layout = Layout::stored(live.record.slice_ref(layout));
                let origin = upload.map(|upload| Origin { upload, layout });
                let history = twin.history.map(History::from);
                let shape = match &listed.kind {
                    ListedKind::Object(shape) => shape.clone(),
                    ListedKind::DeleteMarker => return Ok(Self { version: listed.marker(), history }),
                };
                let info = ObjectInfo {
                    content: listed.content,
                    metadata: twin.metadata.metadata(listed.content_type.as_deref())?,
                    modified: listed.modified,
                    version: listed.version,
                    annotations: twin.annotations.annotations(),
                    checksum: twin.checksum.map(|checksum| checksum.checksum()).transpose()?,
                    shape,
                };
                let object = StoredObject { info, origin, blobs: live.blobs.to_vec() };
                Ok(Self { version: StoredVersion::Object(object), history })
            }
            _ => Err(RecordError::UnknownVersion("object")),
        }
    }
}

impl StoredVersion {
    /// A version that was written before versioning was on is the null version.
    pub(crate) fn id(&self) -> VersionId {
        match self {
            Self::Object(object) => object.info.version.unwrap_or(VersionId::Null),
            Self::DeleteMarker { id, .. } => *id,
        }
    }

    pub(crate) fn modified(&self) -> Timestamp {
        match self {
            Self::Object(object) => object.info.modified,
            Self::DeleteMarker { modified, .. } => *modified,
        }
    }

    pub(crate) fn object(&self) -> Option<&StoredObject> {
        match self {
            Self::Object(object) => Some(object),
            Self::DeleteMarker { .. } => None,
        }
    }
}

impl StoredObject {
    fn into_value(self, history: Option<HistoryTwin>) -> RowValue {
        let Self { info, origin, blobs } = self;
        let entry = encode_as(
            SECOND,
            &EntryTwin {
                first: first::EntryTwin::of(
                    info.content,
                    info.metadata.content_type.as_deref(),
                    info.modified,
                ),
                version: info.version.map(IdTwin::from),
                delete_at_micros: info.metadata.delete_at.map(Timestamp::as_micros),
                kind: match &info.shape {
                    Shape::Plain => KindTwin::Plain,
                    Shape::SegmentList { list_bytes, list_md5: None } => {
                        KindTwin::SegmentList { list_bytes: *list_bytes }
                    }
                    Shape::SegmentList { list_bytes, list_md5: Some(Md5(list_md5)) } => {
                        KindTwin::HashedList { list_bytes: *list_bytes, list_md5: *list_md5 }
                    }
                    Shape::Link(link) => KindTwin::Link(LinkTwin::of(link)),
                },
            },
        );
        let record = RecordTwin {
            metadata: MetadataTwin::of(&info.metadata),
            annotations: AnnotationsTwin::of(&info.annotations),
            checksum: info.checksum.as_ref().map(ChecksumTwin::of),
            upload: origin.as_ref().map(|origin| origin.upload.0),
            history,
        };
        let mut record = encode_as(SECOND, &record);
        if let Some(origin) = origin {
            record = [&record[..], origin.layout.bytes()].concat().into();
        }
        let weight = Weight { objects: 1, bytes: info.stored_bytes() };
        RowValue::Live { entry, record, weight, blobs }
    }
}

fn marker_value(id: VersionId, modified: Timestamp, history: Option<HistoryTwin>) -> RowValue {
    let entry = EntryTwin {
        first: first::EntryTwin::of(NO_CONTENT, None, modified),
        version: Some(id.into()),
        delete_at_micros: None,
        kind: KindTwin::DeleteMarker,
    };
    let nothing = ObjectMetadata::default();
    let record = RecordTwin {
        metadata: MetadataTwin::of(&nothing),
        annotations: AnnotationsTwin::default(),
        checksum: None,
        upload: None,
        history,
    };
    RowValue::Live {
        entry: encode_as(SECOND, &entry),
        record: encode_as(SECOND, &record),
        weight: Weight::default(),
        blobs: Vec::new(),
    }
}

/// Reads an entry, of a head or of an older version.
pub(crate) fn listed(entry: &[u8]) -> Result<ListedObject, RecordError> {
    const WHAT: &str = "object entry";
    match format_of(WHAT, entry)? {
        (FIRST, entry) => Ok(parse::<first::EntryTwin<'_>>(WHAT, entry)?.listed()),
        (SECOND, entry) => {
            let twin: EntryTwin<'_> = parse(WHAT, entry)?;
            let kind = match twin.kind {
                KindTwin::Plain => ListedKind::Object(Shape::Plain),
                KindTwin::SegmentList { list_bytes } => {
                    ListedKind::Object(Shape::SegmentList { list_bytes, list_md5: None })
                }
                KindTwin::HashedList { list_bytes, list_md5 } => {
                    ListedKind::Object(Shape::SegmentList { list_bytes, list_md5: Some(Md5(list_md5)) })
                }
                KindTwin::DeleteMarker => ListedKind::DeleteMarker,
                KindTwin::Link(link) => ListedKind::Object(Shape::Link(Box::new(link.link()?))),
            };
            Ok(ListedObject {
                version: twin.version.map(VersionId::from),
                delete_at: twin.delete_at_micros.map(Timestamp::from_micros),
                kind,
                ..twin.first.listed()
            })
        }
        _ => Err(RecordError::UnknownVersion(WHAT)),
    }
}

impl ListedObject {
    /// Whether a reader sees an object here at this moment.
    pub(crate) fn is_object_at(&self, now: Timestamp) -> bool {
        self.kind != ListedKind::DeleteMarker && self.delete_at.is_none_or(|end| now < end)
    }

    fn marker(&self) -> StoredVersion {
        StoredVersion::DeleteMarker { id: self.version.unwrap_or(VersionId::Null), modified: self.modified }
    }
}

/// The value of an older version's row: it counts for bytes alone.
pub(crate) fn archived(version: StoredVersion) -> RowValue {
    match (ObjectRow { version, history: None }.into_value()) {
        RowValue::Live { entry, record, weight, blobs } => {
            RowValue::Live { entry, record, weight: Weight { objects: 0, ..weight }, blobs }
        }
        RowValue::Tombstone => RowValue::Tombstone,
    }
}
