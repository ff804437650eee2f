//! Rows as bytes.
//!
//! Wire types are not domain types: each file has a twin of what it stores, and converts by hand.
//! Every entry and every record begins with a byte for its format version; the rest is `postcard`.
//! `docs/formats.md` describes them, and golden bytes in each file's tests hold them.

pub(crate) mod account;
mod annotations;
pub(crate) mod blob;
mod checksum;
pub(crate) mod container;
pub(crate) mod directory;
pub(crate) mod document;
pub(crate) mod dropped;
pub(crate) mod expiry;
#[cfg(test)]
mod golden;
pub(crate) mod metadata;
pub(crate) mod object;
pub(crate) mod part;
pub(crate) mod upload;
pub(crate) mod version;

use bytes::Bytes;
use martlet_model::Error;
use martlet_protocol::{RowState, RowValue};
use serde::{Deserialize, Serialize};

/// The format that everything began with, and the only one of most.
const FIRST: u8 = 1;
/// The second format: of objects, containers, uploads and parts.
const SECOND: u8 = 2;

/// Most entries and records are shorter than this, so that they are written without growing.
const USUAL_BYTES: usize = 64;

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

fn encode(record: &impl Serialize) -> Bytes {
    encode_as(FIRST, record)
}

/// # Panics
/// Never: writing plain structs to memory can't fail.
fn encode_as(format: u8, record: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(format);
    postcard::to_extend(record, bytes).expect("plain structs encode").into()
}

/// Reads what has one format so far.
fn decode<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, RecordError> {
    match format_of(what, bytes)? {
        (FIRST, rest) => parse(what, rest),
        _ => Err(RecordError::UnknownVersion(what)),
    }
}

/// The format's number, and what is in that format.
fn format_of<'a>(what: &'static str, bytes: &'a [u8]) -> Result<(u8, &'a [u8]), RecordError> {
    let (format, rest) = bytes.split_first().ok_or(RecordError::Broken(what))?;
    Ok((*format, rest))
}

fn parse<'a, T: Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, RecordError> {
    match postcard::take_from_bytes(bytes) {
        Ok((record, [])) => Ok(record),
        _ => Err(RecordError::Broken(what)),
    }
}
