//! An open upload's row, in its container's table of uploads.
//!
//! The row's key is the object's key, a zero byte and the upload's id:
//! keys have no zero byte, so the order is by key and then by id.

use bytes::{BufMut, Bytes, BytesMut};
use martlet_model::{NewUpload, ObjectKey, Timestamp, UploadId};
use martlet_protocol::{RowValue, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::annotations::AnnotationsTwin;
use super::checksum::PlanTwin;
use super::container::{SealState, SealTwin};
use super::metadata::{FirstMetadataTwin, MetadataTwin};
use super::{FIRST, Live, RecordError, SECOND, decode, encode, encode_as, format_of, parse};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadRow {
    pub(crate) initiated: Timestamp,
    /// What the object will be.
    pub(crate) new: NewUpload,
    pub(crate) parts: TableId,
    /// Sealed: the upload is being completed.
    pub(crate) seal: SealState,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin {
    initiated_micros: u64,
}

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    content_type: Option<&'a str>,
    #[serde(borrow)]
    metadata: MetadataTwin<'a>,
    parts: [u8; 16],
    seal: SealTwin,
    #[serde(borrow)]
    annotations: AnnotationsTwin<'a>,
    checksum: Option<PlanTwin>,
}

/// The record in the first format.
#[derive(Deserialize)]
struct FirstRecordTwin<'a> {
    content_type: Option<&'a str>,
    #[serde(borrow)]
    metadata: FirstMetadataTwin<'a>,
    parts: [u8; 16],
    seal: SealTwin,
}

impl UploadRow {
    pub(crate) fn to_value(&self) -> RowValue {
        let entry = encode(&EntryTwin { initiated_micros: self.initiated.as_micros() });
        let NewUpload { metadata, annotations, checksum } = &self.new;
        let record = encode_as(
            SECOND,
            &RecordTwin {
                content_type: metadata.content_type.as_deref(),
                metadata: MetadataTwin::of(metadata),
                parts: *self.parts.as_bytes(),
                seal: SealTwin::from(&self.seal),
                annotations: AnnotationsTwin::of(annotations),
                checksum: checksum.map(PlanTwin::from),
            },
        );
        RowValue::Live { entry, record, weight: Weight { objects: 1, bytes: 0 }, blobs: Vec::new() }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let initiated = listed(live.entry)?;
        match format_of("upload", live.record)? {
            (FIRST, record) => {
                let twin: FirstRecordTwin<'_> = parse("upload", record)?;
                let metadata = twin.metadata.metadata(twin.content_type)?;
                let new = NewUpload { metadata, ..NewUpload::default() };
                Ok(Self { initiated, new, parts: table(twin.parts)?, seal: twin.seal.into() })
            }
            (SECOND, record) => {
                let twin: RecordTwin<'_> = parse("upload", record)?;
                let new = NewUpload {
                    metadata: twin.metadata.metadata(twin.content_type)?,
                    annotations: twin.annotations.annotations(),
                    checksum: twin.checksum.map(Into::into),
                };
                Ok(Self { initiated, new, parts: table(twin.parts)?, seal: twin.seal.into() })
            }
            _ => Err(RecordError::UnknownVersion("upload")),
        }
    }
}

/// When a listed upload was begun.
pub(crate) fn listed(entry: &[u8]) -> Result<Timestamp, RecordError> {
    let twin: EntryTwin = decode("upload entry", entry)?;
    Ok(Timestamp::from_micros(twin.initiated_micros))
}

/// The key of an upload's row.
pub(crate) fn row_key(key: &[u8], upload: UploadId) -> Bytes {
    let mut row_key = BytesMut::with_capacity(key.len() + 17);
    row_key.put_slice(key);
    row_key.put_u8(0);
    row_key.put_slice(&upload.0);
    row_key.freeze()
}

/// The object's key and the upload's id that a row's key was made of.
pub(crate) fn of_row_key(row_key: &Bytes) -> Result<(ObjectKey, UploadId), RecordError> {
    let broken = RecordError::Broken("upload key");
    let split = row_key.len().checked_sub(17).ok_or(broken)?;
    let (key, rest) = row_key.split_at(split);
    let (zero, id) = rest.split_first().ok_or(broken)?;
    match (zero, <[u8; 16]>::try_from(id)) {
        (0, Ok(id)) => {
            let key = ObjectKey::parse(row_key.slice_ref(key)).map_err(|_| broken)?;
            Ok((key, UploadId(id)))
        }
        _ => Err(broken),
    }
}
