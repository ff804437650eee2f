//! Reading what has been committed, on a connection of one's own, behind nobody.

use std::sync::Arc;

use bytes::Bytes;
use martlet_protocol::{
    BLOCK_BYTES, BlobFact, BlobId, BlobRef, BlobStanding, Block, BlockBuffer, Garbage, HeldBlob, ListRows,
    ListTables, ReadRow, RowAddress, RowKey, RowPage, RowReply, RowValue, Survey, SurveyPage, TableCounters,
    TableId, TablePage, Tombstone, Want,
};
use martlet_register::{Accepted, Ballot};
use martlet_ring::Partition;
use rusqlite::Connection;

use super::blob_file::BlobFile;
use super::counted::Counted;
use super::error::DiskError;
use super::files::Files;
use super::index::blobs::{self, Place, StoredBlob};
use super::index::{garbage, in_snapshot, list, rows, survey, unreferenced};
use super::layout::Layout;
use super::segment::Segments;
use super::since::{Present, Since};
use super::sums::Sums;

/// What is at least as long is read into a buffer for a whole block.
const LENT_BYTES_MIN: usize = BLOCK_BYTES / 2;

/// One reader thread's view of the device.
#[derive(Debug)]
pub struct Reader {
    pub connection: Connection,
    pub files: Arc<dyn Files>,
    pub layout: Layout,
    pub segments: Arc<Segments>,
    pub sums: Arc<Sums>,
    pub counted: Arc<Counted>,
    pub partition_bits: u8,
}

/// A blob whose blocks can be read without the index.
#[derive(Clone, Debug)]
pub struct BlobSource {
    stored: Arc<StoredBlob>,
    bytes: Bytes,
    file: Option<BlobFile>,
    segments: Arc<Segments>,
}

impl Reader {
    pub fn accepted(&self, row: &RowKey) -> Result<Option<Accepted<RowValue>>, DiskError> {
        rows::accepted(&self.connection, row)
    }

    pub fn accepted_ballot(&self, row: &RowKey) -> Result<Option<Ballot>, DiskError> {
        Ok(rows::head(&self.connection, row)?.map(|head| head.ballot))
    }

    pub fn read(&self, request: &ReadRow) -> Result<RowReply, DiskError> {
        match request.want {
            Want::Ballot => Ok(RowReply::Ballot(self.accepted_ballot(&request.row.row)?)),
            Want::Value => Ok(RowReply::Value { accepted: self.accepted(&request.row.row)?, body: None }),
            Want::ValueAndBody { bytes_max } => self.read_with_body(&request.row, bytes_max),
        }
    }

    pub fn list(&self, request: &ListRows) -> Result<RowPage, DiskError> {
        list::list(&self.connection, request, self.partition_bits)
    }

    pub fn counters(&self, tables: &[TableId]) -> Result<Vec<TableCounters>, DiskError> {
        self.counted.of_tables(&self.connection, tables)
    }

    pub fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, DiskError> {
        rows::tombstones(&self.connection, limit)
    }

    pub fn garbage_count(&self) -> Result<u64, DiskError> {
        Ok(garbage::count(&self.connection)?)
    }

    /// What the disk has left.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        let free = self.files.free_bytes(self.layout.root());
        free.map_err(|error| DiskError::of_sync("ask for the free space", error))
    }

    pub fn garbage(&self, until: Since, limit: usize) -> Result<Vec<Garbage>, DiskError> {
        garbage::oldest(&self.connection, until, limit)
    }

    pub fn unreferenced(
        &self,
        after: Option<BlobId>,
        limit: usize,
        present: Present,
    ) -> Result<(Vec<BlobFact>, Option<BlobId>), DiskError> {
        unreferenced::page(&self.connection, after, limit, present)
    }

    pub fn digests(&self, partitions: &[Partition]) -> Result<Vec<u64>, DiskError> {
        self.sums.digests(&self.connection, partitions)
    }

    pub fn tables(&self, request: &ListTables) -> Result<TablePage, DiskError> {
        in_snapshot(&self.connection, || survey::tables(&self.connection, request))
    }

    pub fn survey(&self, request: &Survey) -> Result<SurveyPage, DiskError> {
        survey::rows(&self.connection, request, self.partition_bits)
    }

    /// How the index has a blob.
    pub fn inspect(&self, id: BlobId) -> Result<BlobStanding, DiskError> {
        match blobs::find(&self.connection, id) {
            Ok(Some(stored)) => Ok(BlobStanding::Held(held(stored))),
            Ok(None) => Ok(BlobStanding::Absent),
            Err(DiskError::Damaged { what, why }) => {
                tracing::warn!(%what, %why, "a damaged index entry");
                Ok(BlobStanding::EntryDamaged)
            }
            Err(error) => Err(error),
        }
    }

    /// Blobs among the next ones, and where to look on; `None`: there are no more.
    pub fn held(
        &self,
        after: Option<BlobId>,
        limit: usize,
    ) -> Result<(Vec<HeldBlob>, Option<BlobId>), DiskError> {
        let (stored, next) = blobs::after(&self.connection, after, limit)?;
        Ok((stored.into_iter().map(held).collect(), next))
    }

    pub fn freed(&self, limit: usize) -> Result<Vec<garbage::Freed>, DiskError> {
        Ok(garbage::freed(&self.connection, limit)?)
    }

    pub fn open_blob(&self, id: BlobId) -> Result<Option<BlobSource>, DiskError> {
        blobs::find(&self.connection, id)?.map(|stored| self.source(stored)).transpose()
    }

    fn read_with_body(&self, row: &RowAddress, bytes_max: u64) -> Result<RowReply, DiskError> {
        // One snapshot for both, so that the blob is there if the row says so.
        let (accepted, stored) = in_snapshot(&self.connection, || self.row_and_blob(row, bytes_max))?;
        let body = match stored {
            Some(stored) => Some(self.source(stored)?.read_whole()?),
            None => None,
        };
        Ok(RowReply::Value { accepted, body })
    }

    fn row_and_blob(
        &self,
        row: &RowAddress,
        bytes_max: u64,
    ) -> Result<(Option<Accepted<RowValue>>, Option<StoredBlob>), DiskError> {
        let accepted = self.accepted(&row.row)?;
        let blobs = accepted.as_ref().map_or(&[][..], |accepted| accepted.state.value.blobs());
        let [blob] = blobs else { return Ok((accepted, None)) };
        if blob.hash != row.hash || blob.bytes > bytes_max {
            return Ok((accepted, None));
        }
        let stored = blobs::find(&self.connection, blob.id)?;
        let gone =
            || DiskError::damaged(format!("blob {:?}", blob.id), "the row refers to it, and it isn't here");
        Ok((accepted.clone(), Some(stored.ok_or_else(gone)?)))
    }

    fn source(&self, stored: StoredBlob) -> Result<BlobSource, DiskError> {
        let file = match stored.place {
            Place::File => Some(BlobFile::open(self.files.as_ref(), &self.layout, &stored.blob)?),
            Place::Inline(_) | Place::Segment(_) => None,
        };
        let bytes = match &stored.place {
            Place::Inline(body) => body.clone(),
            Place::Segment(_) | Place::File => Bytes::new(),
        };
        Ok(BlobSource { stored: Arc::new(stored), bytes, file, segments: self.segments.clone() })
    }
}

fn held(stored: StoredBlob) -> HeldBlob {
    HeldBlob { blob: stored.blob, owner: stored.owner }
}

impl BlobSource {
    pub fn blob(&self) -> &BlobRef {
        &self.stored.blob
    }

    pub fn blocks_count(&self) -> u64 {
        self.stored.blob.bytes.div_ceil(BLOCK_BYTES as u64)
    }

    /// Blocks from `first` on, each checked; fewer where the blob ends.
    pub fn read(&self, first: u64, count: u64) -> Result<Vec<Block>, DiskError> {
        let block_bytes = BLOCK_BYTES as u64;
        let start = first.saturating_mul(block_bytes).min(self.stored.blob.bytes);
        let end = first.saturating_add(count).saturating_mul(block_bytes).min(self.stored.blob.bytes);
        let of_file = match (&self.stored.place, &self.file) {
            (Place::File, Some(file)) => Some(file.checksums(first, (end - start).div_ceil(block_bytes))?),
            (Place::File, None) => return Err(self.damaged("its file isn't open")),
            _ => None,
        };
        let mut blocks = Vec::new();
        for (index, from) in (start..end).step_by(BLOCK_BYTES).enumerate() {
            let block = Block::new(self.read_bytes(from, end.min(from + block_bytes))?);
            let expected = match &of_file {
                Some(checksums) => checksums.get(index).copied(),
                None => {
                    usize::try_from(first).ok().and_then(|first| self.stored.block_checksum(first + index))
                }
            };
            if expected != Some(block.checksum) {
                return Err(self.damaged(&format!("the checksum of block {} is wrong", first + index as u64)));
            }
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// At most a block's bytes, not yet checked.
    fn read_bytes(&self, start: u64, end: u64) -> Result<Bytes, DiskError> {
        let bytes_count = usize::try_from(end - start).unwrap_or(usize::MAX);
        let into = |buffer: &mut [u8]| match (&self.stored.place, &self.file) {
            (Place::Segment(extent), _) => self.segments.read(*extent, start, buffer),
            (_, Some(file)) => file.read(start, buffer),
            (_, None) => Err(self.damaged("its file isn't open")),
        };
        match self.stored.place {
            Place::Inline(_) if self.bytes.len() as u64 != self.stored.blob.bytes => {
                Err(self.damaged("it has another length"))
            }
            Place::Inline(_) => {
                Ok(self.bytes.slice(usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0)))
            }
            _ if bytes_count < LENT_BYTES_MIN => {
                let mut buffer = vec![0; bytes_count];
                into(&mut buffer)?;
                Ok(buffer.into())
            }
            _ => {
                let mut buffer = BlockBuffer::take();
                into(&mut buffer.block()[..bytes_count])?;
                Ok(buffer.into_block(bytes_count))
            }
        }
    }

    /// All bytes of a blob that fits into memory.
    pub fn read_whole(&self) -> Result<Bytes, DiskError> {
        let mut blocks = self.read(0, self.blocks_count())?;
        match blocks.len() {
            0 => Ok(Bytes::new()),
            1 => Ok(blocks.swap_remove(0).bytes),
            _ => {
                let mut whole = Vec::with_capacity(usize::try_from(self.stored.blob.bytes).unwrap_or(0));
                for block in &blocks {
                    whole.extend_from_slice(&block.bytes);
                }
                Ok(whole.into())
            }
        }
    }

    fn damaged(&self, why: &str) -> DiskError {
        DiskError::damaged(format!("blob {:?}", self.stored.blob.id), why)
    }
}
