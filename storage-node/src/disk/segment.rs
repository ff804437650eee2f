//! Segments: append-only files of records, each a blob of up to about 1 MiB.

mod appender;
mod record;
mod segments;

pub use appender::{Appender, Tail};
pub use record::{
    ALIGNMENT_BYTES, Extent, RecordHeader, SEGMENT_BODY_BYTES_MAX, pad_to_alignment, surviving_record,
};
pub use segments::Segments;

/// A segment isn't continued beyond this length.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
