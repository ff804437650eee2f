//! Rows as bytes.
//!
//! Wire types are not domain types: each file has a twin of what it stores, and converts by hand.
//! Every entry and every record begins with a byte for its format version; the rest is `postcard`.
//! `docs/formats.md` describes them, and golden bytes in each file's tests hold them.

pub(crate) mod account;
pub(crate) mod blob;
pub(crate) mod container;
pub(crate) mod directory;
pub(crate) mod dropped;
#[cfg(test)]
mod golden;
pub(crate) mod metadata;
pub(crate) mod object;
pub(crate) mod part;
pub(crate) mod upload;

use bytes::Bytes;
use martlet_model::Error;
use martlet_protocol::{RowState, RowValue};
use serde::{Deserialize, Serialize};

/// The only version there is so far of each.
const VERSION: u8 = 1;

/// Why a row can't be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("a row's {0} has a format that this release doesn't know")]
    UnknownVersion(&'static str),
    #[error("a row's {0} is not what its format says")]
    Broken(&'static str),
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::UnknownVersion(_) => Self::Damaged("a row has a format of a later release"),
            RecordError::Broken(_) => Self::Damaged("a row's record is broken"),
        }
    }
}

/// What a live row holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live<'a> {
    pub(crate) entry: &'a Bytes,
    pub(crate) record: &'a Bytes,
    pub(crate) blobs: &'a [martlet_protocol::BlobRef],
}

/// `None`: there is no row, or it has been removed.
pub(crate) fn live(state: Option<&RowState>) -> Option<Live<'_>> {
    match &state?.value {
        RowValue::Live { entry, record, blobs, .. } => Some(Live { entry, record, blobs }),
        RowValue::Tombstone => None,
    }
}

/// # Panics
/// Never: writing plain structs to memory can't fail.
fn encode(record: &impl Serialize) -> Bytes {
    postcard::to_extend(record, vec![VERSION]).expect("plain structs encode").into()
}

fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, RecordError> {
    let (version, rest) = bytes.split_first().ok_or(RecordError::Broken(what))?;
    if *version != VERSION {
        return Err(RecordError::UnknownVersion(what));
    }
    match postcard::take_from_bytes(rest) {
        Ok((record, [])) => Ok(record),
        _ => Err(RecordError::Broken(what)),
    }
}
