//! Blobs in the index: where they are, whose they are, and their checksums.

use bytes::Bytes;
use martlet_protocol::{BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Checksum};
use martlet_ring::PlacementHash;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codec::{Checks, checksums_bytes, checksums_of, copied, signed, unsigned};
use crate::disk::error::DiskError;
use crate::disk::owner;
use crate::disk::segment::Extent;
use crate::disk::since::Since;

/// Where a blob's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the index itself.
    Inline(Bytes),
    Segment(Extent),
    /// A file of its own, which carries its block checksums at its end.
    File,
}

/// A blob that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    pub blob: BlobRef,
    pub owner: BlobOwner,
    pub known: Since,
    pub place: Place,
    /// Of each block; a blob of a single block has it in `blob.checksum`, and one in a file has them there.
    pub blocks: Vec<Checksum>,
}

impl StoredBlob {
    /// The checksum of a block of a blob that isn't a file.
    pub fn block_checksum(&self, index: usize) -> Option<Checksum> {
        if self.blocks.is_empty() && index == 0 {
            Some(self.blob.checksum)
        } else {
            self.blocks.get(index).copied()
        }
    }
}

/// What the column `blocks` has to hold.
pub fn block_checksums_kept(blob: &BlobRef, place: &Place, blocks: Vec<Checksum>) -> Vec<Checksum> {
    let whole_is_enough = blob.bytes <= BLOCK_BYTES as u64 || *place == Place::File;
    if whole_is_enough { Vec::new() } else { blocks }
}

const COLUMNS: &str =
    "SELECT id, hash, bytes, checksum, checks, known, segment, position, owner, blocks, body FROM blobs";

pub fn find(connection: &Connection, id: BlobId) -> Result<Option<StoredBlob>, DiskError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
    let mut rows = statement.query(params![id.0])?;
    rows.next()?.map(stored).transpose()
}

/// The next blobs in the order of their ids, and the last id that was looked at; `None`: there are no more.
pub fn after(
    connection: &Connection,
    id: Option<BlobId>,
    limit: usize,
) -> Result<(Vec<StoredBlob>, Option<BlobId>), DiskError> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let from: &[u8] = id.as_ref().map_or(&[], |id| &id.0);
    let mut rows = statement.query(params![from, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        seen += 1;
        last = Some(BlobId(row.get(0)?));
        match stored(row) {
            Ok(blob) => found.push(blob),
            // It can't be known whose it is, so it can't be swept.
            Err(DiskError::Damaged { what, why }) => {
                tracing::warn!(%what, %why, "passed over a damaged index entry");
            }
            Err(error) => return Err(error),
        }
    }
    Ok((found, last.filter(|_| seen == limit)))
}

pub fn exists(connection: &Connection, id: BlobId) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blobs WHERE id = ?1")?;
    Ok(statement.query_row(params![id.0], |_| Ok(())).optional()?.is_some())
}

/// Adds a blob that isn't here.
pub fn insert(connection: &Connection, stored: &StoredBlob) -> rusqlite::Result<()> {
    let owner = owner::encode(&stored.owner);
    let blocks = checksums_bytes(&stored.blocks);
    let (extent, body) = match &stored.place {
        Place::Inline(body) => (None, Some(body.as_ref())),
        Place::Segment(extent) => (Some(*extent), None),
        Place::File => (None, None),
    };
    let mut statement = connection
        .prepare_cached("INSERT INTO blobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    statement.execute(params![
        stored.blob.id.0,
        signed(stored.blob.hash.0),
        signed(stored.blob.bytes),
        signed(stored.blob.checksum.0),
        signed(checks(&stored.blob, extent, &owner, &blocks)),
        stored.known.to_column(),
        extent.map(|extent| extent.segment),
        extent.map(|extent| signed(extent.position)),
        owner,
        blocks,
        body,
    ])?;
    Ok(())
}

pub fn remove(connection: &Connection, id: BlobId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM blobs WHERE id = ?1")?.execute(params![id.0])?;
    Ok(())
}

/// Adds to what a segment holds that is alive, and answers what it holds then.
pub fn change_segment(connection: &Connection, segment: u32, live_bytes: i64) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO segments VALUES (?1, ?2) \
         ON CONFLICT (number) DO UPDATE SET live_bytes = live_bytes + ?2 RETURNING live_bytes",
    )?;
    statement.query_row(params![segment, live_bytes], |row| row.get(0))
}

/// A segment that is no more.
pub fn remove_segment(connection: &Connection, segment: u32) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM segments WHERE number = ?1")?.execute(params![segment])?;
    Ok(())
}

/// Everything but the body, which has checksums of its own.
fn checks(blob: &BlobRef, extent: Option<Extent>, owner: &[u8], blocks: &[u8]) -> u64 {
    let (segment, position) =
        extent.map_or((0, 0), |extent| (u64::from(extent.segment) + 1, extent.position));
    Checks::new()
        .field(&blob.id.0)
        .number(blob.hash.0)
        .number(blob.bytes)
        .number(blob.checksum.0)
        .number(segment)
        .number(position)
        .field(owner)
        .field(blocks)
        .whole()
}

fn stored(row: &Row<'_>) -> Result<StoredBlob, DiskError> {
    let blob_ref = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
    let id = BlobId(row.get(0)?);
    let blob = BlobRef {
        id,
        hash: PlacementHash(unsigned(row.get(1)?)),
        bytes: unsigned(row.get(2)?),
        checksum: Checksum(unsigned(row.get(3)?)),
    };
    let extent = match (row.get(6)?, row.get::<_, Option<i64>>(7)?) {
        (Some(segment), Some(position)) => {
            Some(Extent { segment, position: unsigned(position), body_bytes: blob.bytes })
        }
        _ => None,
    };
    let (owner, blocks) = (blob_ref(8)?, blob_ref(9)?);
    if checks(&blob, extent, owner, blocks) != unsigned(row.get(4)?) {
        return Err(DiskError::damaged(format!("index entry of blob {id:?}"), "its checksum is wrong"));
    }
    let body = row.get_ref(10)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let place = match (extent, body) {
        (Some(extent), _) => Place::Segment(extent),
        (None, Some(body)) => Place::Inline(copied(body)),
        (None, None) => Place::File,
    };
    let undecoded = || DiskError::damaged(format!("index entry of blob {id:?}"), "it can't be decoded");
    Ok(StoredBlob {
        blob,
        owner: owner::decode(owner).ok_or_else(undecoded)?,
        known: Since::from_column(row.get(5)?),
        place,
        blocks: checksums_of(blocks).ok_or_else(undecoded)?,
    })
}
