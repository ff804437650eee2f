//! Rows in the index.

use bytes::Bytes;
use martlet_protocol::{RowAddress, RowKey, RowState, RowValue, TableId, Tombstone, Weight};
use martlet_register::{Accepted, Ballot, State};
use martlet_ring::PlacementHash;
use rusqlite::{Connection, Row, params};

use super::codec::{
    Checks, ballot_bytes, ballot_of, blob_refs_bytes, blob_refs_of, copied, lineage_bytes, lineage_of,
    signed, unsigned,
};
use crate::disk::error::DiskError;

/// What a decision and the counters need to know of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowHead {
    pub hash: PlacementHash,
    pub ballot: Ballot,
    pub weight: Weight,
    pub live: bool,
}

/// Covers what listings, decisions and counters use: the upper half of the column `checks`.
pub(super) fn head_check(row: (&[u8], &[u8]), head: &RowHead, entry: Option<&[u8]>) -> u32 {
    let (table, key) = row;
    Checks::new()
        .field(table)
        .field(key)
        .number(head.hash.0)
        .field(&ballot_bytes(head.ballot))
        .number(head.weight.objects)
        .number(head.weight.bytes)
        .number(u64::from(head.live))
        .field(entry.unwrap_or_default())
        .half()
}

/// Covers the rest: the lower half of the column `checks`.
pub(super) fn rest_check(row: (&[u8], &[u8]), lineage: &[u8], blobs: &[u8], record: &[u8]) -> u32 {
    Checks::new().field(row.0).field(row.1).field(lineage).field(blobs).field(record).half()
}

pub(super) fn split_checks(checks: i64) -> (u32, u32) {
    let checks = unsigned(checks);
    ((checks >> 32) as u32, (checks & 0xffff_ffff) as u32)
}

/// Reads columns `hash, ballot, checks, objects, bytes, entry` from `first` on, and checks them.
pub(super) fn head_of<'row>(
    row: &'row Row<'_>,
    first: usize,
    table: TableId,
    key: &[u8],
) -> Result<(RowHead, Option<&'row [u8]>), DiskError> {
    let entry = row.get_ref(first + 5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let ballot = row.get_ref(first + 1)?.as_blob().ok().and_then(ballot_of);
    let head = RowHead {
        hash: PlacementHash(unsigned(row.get(first)?)),
        ballot: ballot.ok_or_else(|| damaged(table, key))?,
        weight: Weight { objects: unsigned(row.get(first + 3)?), bytes: unsigned(row.get(first + 4)?) },
        live: entry.is_some(),
    };
    let (expected, _) = split_checks(row.get(first + 2)?);
    if head_check((table.as_bytes(), key), &head, entry) != expected {
        return Err(damaged(table, key));
    }
    Ok((head, entry))
}

fn damaged(table: TableId, key: &[u8]) -> DiskError {
    DiskError::damaged(
        format!("row {:?} of {table:?}", key.escape_ascii().to_string()),
        "its checksum is wrong",
    )
}

/// What is accepted for a row, without its value.
pub fn head(connection: &Connection, row: &RowKey) -> Result<Option<RowHead>, DiskError> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, ballot, checks, objects, bytes, entry FROM rows WHERE tbl = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query(params![row.table.as_bytes(), row.key.as_ref()])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    Ok(Some(head_of(found, 0, row.table, &row.key)?.0))
}

/// The keys of a table's rows that begin so.
pub fn keys_below(connection: &Connection, table: TableId, prefix: &[u8]) -> Result<Vec<Bytes>, DiskError> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM rows WHERE tbl = ?1 AND key >= ?2 ORDER BY key")?;
    let mut rows = statement.query(params![table.as_bytes(), prefix])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        if !key.starts_with(prefix) {
            break;
        }
        keys.push(copied(key));
    }
    Ok(keys)
}

/// What is accepted for a row.
pub fn accepted(connection: &Connection, row: &RowKey) -> Result<Option<Accepted<RowValue>>, DiskError> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, ballot, checks, objects, bytes, entry, lineage, blobs, record FROM rows \
         WHERE tbl = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query(params![row.table.as_bytes(), row.key.as_ref()])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let (head, entry) = head_of(found, 0, row.table, &row.key)?;
    let blob = |column| found.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
    let (lineage, blobs, record) = (blob(6)?, blob(7)?, blob(8)?);
    let (_, expected) = split_checks(found.get(2)?);
    if rest_check((row.table.as_bytes(), &row.key), lineage, blobs, record) != expected {
        return Err(damaged(row.table, &row.key));
    }
    let decoded = lineage_of(head.ballot, lineage).zip(blob_refs_of(head.hash, blobs));
    let ((change, ancestors), blobs) = decoded.ok_or_else(|| damaged(row.table, &row.key))?;
    let value = match entry {
        Some(entry) => {
            RowValue::Live { entry: copied(entry), record: copied(record), weight: head.weight, blobs }
        }
        None => RowValue::Tombstone,
    };
    Ok(Some(Accepted { ballot: head.ballot, state: State { change, ancestors, value } }))
}

/// Stores what is accepted, in the place of whatever was.
pub fn upsert(
    connection: &Connection,
    address: &RowAddress,
    ballot: Ballot,
    state: &RowState,
) -> rusqlite::Result<()> {
    let (table, key) = (address.row.table.as_bytes(), address.row.key.as_ref());
    let (entry, record): (Option<&[u8]>, &[u8]) = match &state.value {
        RowValue::Live { entry, record, .. } => (Some(entry), record),
        RowValue::Tombstone => (None, &[]),
    };
    let weight = state.value.weight();
    let head = RowHead { hash: address.hash, ballot, weight, live: entry.is_some() };
    let lineage = lineage_bytes(ballot, state.change, &state.ancestors);
    let blobs = blob_refs_bytes(address.hash, state.value.blobs());
    let head_half = u64::from(head_check((table, key), &head, entry));
    let checks = head_half << 32 | u64::from(rest_check((table, key), &lineage, &blobs, record));
    let mut statement = connection.prepare_cached(
        "INSERT INTO rows (tbl, key, hash, ballot, checks, objects, bytes, entry, lineage, blobs, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (tbl, key) DO UPDATE SET hash = ?3, ballot = ?4, checks = ?5, objects = ?6, bytes = ?7, \
         entry = ?8, lineage = ?9, blobs = ?10, record = ?11",
    )?;
    statement.execute(params![
        table,
        key,
        signed(address.hash.0),
        ballot_bytes(ballot),
        signed(checks),
        signed(weight.objects),
        signed(weight.bytes),
        entry,
        lineage,
        blobs,
        record,
    ])?;
    Ok(())
}

pub fn remove(connection: &Connection, row: &RowKey) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM rows WHERE tbl = ?1 AND key = ?2")?
        .execute(params![row.table.as_bytes(), row.key.as_ref()])?;
    Ok(())
}

/// Tombstones, oldest ballots first.
pub fn tombstones(connection: &Connection, limit: usize) -> Result<Vec<Tombstone>, DiskError> {
    let mut statement = connection.prepare_cached(
        "SELECT tbl, key, hash, ballot, checks, objects, bytes, entry FROM rows WHERE entry IS NULL \
         ORDER BY ballot LIMIT ?1",
    )?;
    let mut rows = statement.query(params![i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let table = row.get::<_, [u8; 16]>(0)?;
        let key = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let table =
            TableId::from_bytes(table).ok_or_else(|| DiskError::damaged("index", "a row names no table"))?;
        let head = match head_of(row, 2, table, key) {
            Ok((head, _)) => head,
            // The others mustn't wait for one that can't be read.
            Err(DiskError::Damaged { what, why }) => {
                tracing::warn!(%what, %why, "passed over a damaged row");
                continue;
            }
            Err(error) => return Err(error),
        };
        let address = RowAddress { row: RowKey { table, key: copied(key) }, hash: head.hash };
        found.push(Tombstone { row: address, ballot: head.ballot });
    }
    Ok(found)
}
