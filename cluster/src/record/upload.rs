//! An open upload's row, in its container's table of uploads.
//!
//! The row's key is the object's key, a zero byte and the upload's id:
//! keys have no zero byte, so the order is by key and then by id.

use bytes::{BufMut, Bytes, BytesMut};
use martlet_model::{ObjectKey, ObjectMetadata, Timestamp, UploadId};
use martlet_protocol::{RowValue, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::container::{SealState, SealTwin};
use super::metadata::MetadataTwin;
use super::{Live, RecordError, decode, encode};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadRow {
    pub(crate) initiated: Timestamp,
    pub(crate) metadata: ObjectMetadata,
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
}

impl UploadRow {
    pub(crate) fn to_value(&self) -> RowValue {
        let entry = encode(&EntryTwin { initiated_micros: self.initiated.as_micros() });
        let record = encode(&RecordTwin {
            content_type: self.metadata.content_type.as_deref(),
            metadata: MetadataTwin::of(&self.metadata),
            parts: *self.parts.as_bytes(),
            seal: SealTwin::from(&self.seal),
        });
        RowValue::Live { entry, record, weight: Weight { objects: 1, bytes: 0 }, blobs: Vec::new() }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let twin: RecordTwin<'_> = decode("upload", live.record)?;
        Ok(Self {
            initiated: listed(live.entry)?,
            metadata: twin.metadata.metadata(twin.content_type)?,
            parts: table(twin.parts)?,
            seal: twin.seal.into(),
        })
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
