//! Reading one row.

use bytes::Bytes;
use martlet_register::{Accepted, Ballot};

use crate::row::{RowAddress, RowValue};

/// Reads what a replica has accepted for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRow {
    pub row: RowAddress,
    pub want: Want,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Ballot,
    Value,
    /// The value, and the bytes where it refers to exactly one blob, of at most `bytes_max`, that lives with the row.
    ValueAndBody {
        bytes_max: u64,
    },
}

/// The answer. A row that the replica has never accepted anything for has no `Accepted`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a reply lives for one call, and boxing would cost every read an allocation"
)]
pub enum RowReply {
    Ballot(Option<Ballot>),
    Value {
        accepted: Option<Accepted<RowValue>>,
        /// Checked against its block checksums by the sender; the receiver checks it against the blob's.
        body: Option<Bytes>,
    },
}
