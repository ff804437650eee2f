//! A document's row, in the system table of documents, under its kind's number and its key.
//!
//! The entry is the document, since documents are listed whole. The record is empty.

use bytes::{BufMut, Bytes, BytesMut};
use martlet_model::DocumentKind;
use martlet_protocol::{RowValue, Weight};

use super::{FIRST, RecordError, format_of};

pub(crate) fn to_value(document: &[u8]) -> RowValue {
    let entry = [&[FIRST], document].concat().into();
    let weight = Weight { objects: 1, bytes: 0 };
    RowValue::Live { entry, record: Bytes::new(), weight, blobs: Vec::new() }
}

pub(crate) fn read(entry: &Bytes) -> Result<Bytes, RecordError> {
    match format_of("document", entry)? {
        (FIRST, document) => Ok(entry.slice_ref(document)),
        _ => Err(RecordError::UnknownVersion("document")),
    }
}

/// The key of a document's row.
pub(crate) fn row_key(kind: DocumentKind, key: &[u8]) -> Bytes {
    let mut row_key = BytesMut::with_capacity(key.len() + 1);
    row_key.put_u8(match kind {
        DocumentKind::User => 1,
        DocumentKind::AccountAcl => 2,
    });
    row_key.put_slice(key);
    row_key.freeze()
}
