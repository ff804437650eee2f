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
#[derive(Debug)]
pub struct Appender {
    /// `None`: the newest segment isn't open for appending; the next record begins a new one.
    file: Option<Arc<dyn DiskFile>>,
    /// As of the last transaction.
    committed: Tail,
    /// The pieces of the records that were gathered since.
    gathered: Vec<Bytes>,
    tail: Tail,
}

static ZEROS: [u8; 4096] = [0; 4096];
const _: () = assert!(ZEROS.len() as u64 == ALIGNMENT_BYTES);

impl Appender {
    /// `file` is `None` where the segment can't be continued.
    pub fn new(committed: Tail, file: Option<Arc<dyn DiskFile>>) -> Self {
        Self { file, committed, gathered: Vec::new(), tail: committed }
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
        self.gathered.push(Bytes::from_static(&ZEROS[..padding]));
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
        let file = self.file.as_ref().ok_or_else(|| DiskError::damaged("segment", "none is open"))?;
        let pieces: Vec<IoSlice<'_>> =
            self.gathered.iter().filter(|piece| !piece.is_empty()).map(|piece| IoSlice::new(piece)).collect();
        file.write_at(&pieces, self.committed.end)
            .map_err(|error| DiskError::of_write("append to a segment", error))?;
        file.sync().map_err(|error| DiskError::of_sync("sync a segment", error))
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
