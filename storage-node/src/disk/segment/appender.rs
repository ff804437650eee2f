//! Appending records: gathered in memory, then written and synced at once.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::error::DiskError;
use crate::disk::files::DiskFile;

use super::SEGMENT_BYTES_MAX;
use super::record::{ALIGNMENT_BYTES, Extent, RecordHeader, pad_to_alignment};
use super::segments::Segments;

/// Where the next record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    pub segment: u32,
    pub end: u64,
}

/// Appends to the newest segment. Used by the writer alone.
///
/// Small groups are written where zeros have been written before: syncing then concerns their bytes alone,
/// and neither the file's length nor where its blocks are, which costs about as much again.
#[derive(Debug)]
pub struct Appender {
    /// `None`: the newest segment isn't open for appending; the next record begins a new one.
    file: Option<Arc<dyn DiskFile>>,
    /// Up to here the file has been written to and synced.
    zeroed_end: u64,
    /// As of the last transaction.
    committed: Tail,
    /// The pieces of the records that were gathered since.
    gathered: Vec<Bytes>,
    tail: Tail,
}

/// Where it can be written from past the page cache.
#[repr(align(4096))]
struct Zeros([u8; 64 * 1024]);

static ZEROS: Zeros = Zeros([0; 64 * 1024]);
const _: () = assert!(ALIGNMENT_BYTES <= ZEROS.0.len() as u64);

/// Zeros are written ahead as far as a segment is long, within these: what is small stays small.
const ZEROED_BYTES_MIN: u64 = 64 * 1024;
const ZEROED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// For longer groups zeros would cost more than they save.
const ZEROED_FOR_BYTES_MAX: u64 = 256 * 1024;

impl Appender {
    /// `file` is `None` where the segment can't be continued.
    pub fn new(committed: Tail, file: Option<Arc<dyn DiskFile>>) -> Self {
        Self { file, zeroed_end: 0, committed, gathered: Vec::new(), tail: committed }
    }

    /// Begins a new segment if the newest is full. Only between groups.
    pub fn roll(&mut self, segments: &Segments) -> Result<(), DiskError> {
        debug_assert!(self.gathered.is_empty(), "a group's records are in one segment");
        if self.file.is_some() && self.committed.end < SEGMENT_BYTES_MAX {
            return Ok(());
        }
        let segment = self.committed.segment + 1;
        self.file =
            Some(segments.create(segment).map_err(|error| DiskError::of_write("make a segment", error))?);
        self.zeroed_end = 0;
        self.committed = Tail { segment, end: 0 };
        self.tail = self.committed;
        Ok(())
    }

    /// Gathers a record, and says where it will be.
    pub fn gather(&mut self, header: &RecordHeader, body: &[Bytes]) -> Extent {
        let encoded = header.encode();
        let position = self.tail.end + encoded.len() as u64;
        let end = pad_to_alignment(position + header.body_bytes);
        let padding = usize::try_from(end - position - header.body_bytes).unwrap_or(0);
        self.gathered.push(encoded.into());
        self.gathered.extend(body.iter().filter(|piece| !piece.is_empty()).cloned());
        self.gathered.push(Bytes::from_static(&ZEROS.0[..padding]));
        self.tail.end = end;
        Extent { segment: self.tail.segment, position, body_bytes: header.body_bytes }
    }

    /// The tail to commit together with the gathered records; `None` if there are none.
    pub fn advanced(&self) -> Option<Tail> {
        (self.tail != self.committed).then_some(self.tail)
    }

    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// Writes and syncs what was gathered.
    pub fn flush(&mut self) -> Result<(), DiskError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let file = self.file.clone().ok_or_else(|| DiskError::damaged("segment", "none is open"))?;
        if self.zeroed_end < self.tail.end && self.tail.end - self.committed.end <= ZEROED_FOR_BYTES_MAX {
            self.zero_ahead(file.as_ref())?;
        }
        let pieces: Vec<IoSlice<'_>> =
            self.gathered.iter().filter(|piece| !piece.is_empty()).map(|piece| IoSlice::new(piece)).collect();
        file.write_at(&pieces, self.committed.end)
            .map_err(|error| DiskError::of_write("append to a segment", error))?;
        file.sync().map_err(|error| DiskError::of_sync("sync a segment", error))
    }

    fn zero_ahead(&mut self, file: &dyn DiskFile) -> Result<(), DiskError> {
        let start = self.zeroed_end.max(self.committed.end);
        let ahead = self.committed.end.clamp(ZEROED_BYTES_MIN, ZEROED_BYTES_MAX);
        let end = (self.tail.end + ahead).min(SEGMENT_BYTES_MAX.max(self.tail.end));
        let bytes = usize::try_from(end - start).unwrap_or(0);
        let mut pieces = vec![IoSlice::new(&ZEROS.0); bytes / ZEROS.0.len()];
        pieces.push(IoSlice::new(&ZEROS.0[..bytes % ZEROS.0.len()]));
        file.write_bulk(&pieces, start).map_err(|error| DiskError::of_write("lengthen a segment", error))?;
        file.sync().map_err(|error| DiskError::of_sync("sync a segment", error))?;
        self.zeroed_end = end;
        Ok(())
    }

    /// The transaction is committed.
    pub fn committed(&mut self) {
        self.gathered.clear();
        self.committed = self.tail;
    }

    /// The transaction is rolled back: what was written is overwritten by the next group.
    pub fn rolled_back(&mut self) {
        self.gathered.clear();
        self.tail = self.committed;
    }
}
