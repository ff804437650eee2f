//! Bytes: on their way in ([`receive`], [`stage`]), out ([`download`]), and between replicas ([`copy`]).

pub(crate) mod copy;
pub(crate) mod download;
pub(crate) mod receive;
pub(crate) mod stage;

/// The largest blob: what one disk has to hold in one piece, and what has to be read again when one block is bad.
pub(crate) const BLOB_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A body up to this size comes along with the first answer to a read; longer ones are streamed.
pub(crate) const READ_TOGETHER_BYTES_MAX: u64 = 256 * 1024;
