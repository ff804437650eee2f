//! The garbage queue, and the space that is still to be given back.

use martlet_protocol::{BlobId, BlobRef, Checksum, Garbage, RowAddress, RowKey, TableId};
use martlet_ring::PlacementHash;
use rusqlite::{Connection, Row, params};

use super::blobs::{Place, StoredBlob};
use super::codec::{Checks, ballot_bytes, ballot_of, copied, signed, unsigned};
use crate::disk::error::DiskError;
use crate::disk::segment::Extent;
use crate::disk::since::Since;

/// Queues a blob that an accepted value let go of. One that was queued before waits anew.
pub fn insert(connection: &Connection, garbage: &Garbage, known: Since) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT OR REPLACE INTO garbage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    statement.execute(params![
        garbage.blob.id.0,
        signed(garbage.blob.hash.0),
        signed(garbage.blob.bytes),
        signed(garbage.blob.checksum.0),
        garbage.row.row.table.as_bytes(),
        garbage.row.row.key.as_ref(),
        signed(garbage.row.hash.0),
        ballot_bytes(garbage.ballot),
        known.to_column(),
        signed(checks(garbage)),
    ])?;
    Ok(())
}

pub fn settle(connection: &Connection, blob: BlobId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM garbage WHERE blob = ?1")?.execute(params![blob.0])?;
    Ok(())
}

/// How many entries there are.
pub fn count(connection: &Connection) -> rusqlite::Result<u64> {
    // From the index over their ages, which is a small part of the table.
    let mut statement = connection.prepare_cached("SELECT COUNT(known) FROM garbage")?;
    statement.query_row([], |row| row.get(0)).map(unsigned)
}

/// The oldest entries that were queued up to `until`.
pub fn oldest(connection: &Connection, until: Since, limit: usize) -> Result<Vec<Garbage>, DiskError> {
    let mut statement = connection.prepare_cached(
        "SELECT blob, blob_hash, blob_bytes, blob_checksum, tbl, key, hash, ballot, checks FROM garbage \
         WHERE known <= ?1 ORDER BY known LIMIT ?2",
    )?;
    let mut rows = statement.query(params![until.to_column(), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // What can't be read isn't removed; the sweep finds its blob by its owner.
        if let Some(garbage) = garbage_of(row)? {
            found.push(garbage);
        } else {
            tracing::warn!("passed over a damaged entry of the garbage queue");
        }
    }
    Ok(found)
}

fn garbage_of(row: &Row<'_>) -> rusqlite::Result<Option<Garbage>> {
    let blob = BlobRef {
        id: BlobId(row.get(0)?),
        hash: PlacementHash(unsigned(row.get(1)?)),
        bytes: unsigned(row.get(2)?),
        checksum: Checksum(unsigned(row.get(3)?)),
    };
    let table = TableId::from_bytes(row.get(4)?);
    let ballot = row.get_ref(7)?.as_blob().ok().and_then(ballot_of);
    let Some((table, ballot)) = table.zip(ballot) else { return Ok(None) };
    let key = copied(row.get_ref(5)?.as_blob()?);
    let address = RowAddress { row: RowKey { table, key }, hash: PlacementHash(unsigned(row.get(6)?)) };
    let garbage = Garbage { blob, row: address, ballot };
    let intact = checks(&garbage) == unsigned(row.get(8)?);
    Ok(intact.then_some(garbage))
}

fn checks(garbage: &Garbage) -> u64 {
    Checks::new()
        .field(&garbage.blob.id.0)
        .number(garbage.blob.hash.0)
        .number(garbage.blob.bytes)
        .number(garbage.blob.checksum.0)
        .field(garbage.row.row.table.as_bytes())
        .field(&garbage.row.row.key)
        .number(garbage.row.hash.0)
        .field(&ballot_bytes(garbage.ballot))
        .whole()
}

/// Space that no blob has any more, and that hasn't been given back yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    pub number: i64,
    pub space: FreedSpace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreedSpace {
    File(BlobId),
    Extent(Extent),
    Segment(u32),
}

/// Notes the space of a blob whose row is removed in the same transaction.
pub fn note_freed(connection: &Connection, stored: &StoredBlob) -> rusqlite::Result<()> {
    match stored.place {
        Place::Inline(_) => Ok(()),
        Place::Segment(extent) => note(connection, &FreedSpace::Extent(extent)),
        Place::File => note(connection, &FreedSpace::File(stored.blob.id)),
    }
}

/// Notes a segment in which nothing is alive; the holes that were still to be punched in it go with it.
pub fn note_dead_segment(connection: &Connection, segment: u32) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM freed WHERE segment = ?1")?.execute(params![segment])?;
    note(connection, &FreedSpace::Segment(segment))
}

/// Notes space to be given back.
pub fn note(connection: &Connection, space: &FreedSpace) -> rusqlite::Result<()> {
    let (blob, segment, position, bytes) = match space {
        FreedSpace::File(id) => (Some(id.0), None, None, 0),
        FreedSpace::Extent(extent) => (None, Some(extent.segment), Some(extent.position), extent.body_bytes),
        FreedSpace::Segment(segment) => (None, Some(*segment), None, 0),
    };
    connection
        .prepare_cached("INSERT INTO freed (blob, segment, position, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![blob, segment, position.map(signed), signed(bytes)])?;
    Ok(())
}

pub fn freed(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Freed>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, blob, segment, position, bytes FROM freed ORDER BY number LIMIT ?1",
    )?;
    let freed = statement.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let blob: Option<[u8; 16]> = row.get(1)?;
        let segment: u32 = row.get::<_, Option<u32>>(2)?.unwrap_or_default();
        let position = row.get::<_, Option<i64>>(3)?.map(unsigned);
        let body_bytes = unsigned(row.get(4)?);
        let space = match (blob, position) {
            (Some(id), _) => FreedSpace::File(BlobId(id)),
            (None, Some(position)) => FreedSpace::Extent(Extent { segment, position, body_bytes }),
            (None, None) => FreedSpace::Segment(segment),
        };
        Ok(Freed { number: row.get(0)?, space })
    })?;
    freed.collect()
}

pub fn given_back(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM freed WHERE number = ?1")?.execute(params![number])?;
    Ok(())
}

/// Whether the file of a blob that was here is still to be removed.
pub fn is_freed(connection: &Connection, blob: BlobId) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM freed WHERE blob = ?1")?.exists(params![blob.0])
}
