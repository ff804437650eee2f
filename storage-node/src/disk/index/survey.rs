//! What repair goes through: tables by partition, and a table's rows with their ballots.

use bytes::Bytes;
use martlet_protocol::{
    ListTables, PartitionCounters, RowStanding, Survey, SurveyDepth, SurveyPage, SurveyedRow, TableCounters,
    TableId, TablePage,
};
use martlet_ring::{Partition, PlacementHash};
use rusqlite::{Connection, Row, params};

use super::codec::{blob_refs_of, copied, lineage_of, unsigned};
use super::counters::Counters;
use super::rows::{head_of, rest_check, split_checks};
use crate::disk::error::DiskError;

/// The most tables and rows of a page.
pub const PAGE_ITEMS_MAX: usize = 10_000;

/// Counters and rows that a page passes over: long enough to be quick, short enough to leave the thread to others.
const STEPS_MAX: usize = 16 * 1024;

/// So many partitions are looked up in each table; for more, all of a table's counters are read.
const PARTITIONS_SOUGHT_MAX: usize = 8;

/// The next tables that have rows in some partitions. Within one snapshot.
pub fn tables(connection: &Connection, request: &ListTables) -> Result<TablePage, DiskError> {
    let limit = request.limit.min(PAGE_ITEMS_MAX);
    let mut page = TablePage { tables: Vec::new(), through: None };
    let counters = Counters::read(connection)?;
    let (mut after, mut steps) = (request.after, 0);
    while let Some(table) = counters.next_table(after)? {
        if page.tables.len() >= limit || steps >= STEPS_MAX {
            page.through = after;
            return Ok(page);
        }
        let (partitions, seen) = counters_of(&counters, table, &request.partitions)?;
        if !partitions.is_empty() {
            page.tables.push(TableCounters { table, partitions });
        }
        (after, steps) = (Some(table), steps + seen);
    }
    Ok(page)
}

/// What is counted in some partitions, and how many counters were looked at.
fn counters_of(
    counters: &Counters<'_>,
    table: TableId,
    partitions: &[Partition],
) -> Result<(Vec<PartitionCounters>, usize), DiskError> {
    if partitions.len() > PARTITIONS_SOUGHT_MAX {
        let mut counted = counters.of_table(table)?.partitions;
        let seen = counted.len();
        counted.retain(|counters| partitions.binary_search(&counters.partition).is_ok());
        return Ok((counted, seen));
    }
    let mut counted = Vec::new();
    for &partition in partitions {
        counted.extend(counters.of_partition(table, partition)?);
    }
    Ok((counted, partitions.len()))
}

/// The next rows of a table in some partitions. A row that can't be read is among them, as damaged.
pub fn rows(connection: &Connection, request: &Survey, partition_bits: u8) -> Result<SurveyPage, DiskError> {
    let limit = request.limit.min(PAGE_ITEMS_MAX);
    let mut statement = connection.prepare_cached(
        "SELECT key, hash, ballot, checks, objects, bytes, entry, lineage, blobs, record FROM rows \
         WHERE tbl = ?1 AND key >= ?2 ORDER BY key",
    )?;
    let start = request.after.as_ref().map_or(Vec::new(), |after| [after.as_ref(), &[0]].concat());
    let mut rows = statement.query(params![request.table.as_bytes(), start])?;
    let mut page = SurveyPage { rows: Vec::new(), through: None };
    let (mut last, mut steps) = (None, 0);
    while let Some(row) = rows.next()? {
        if page.rows.len() >= limit || steps >= STEPS_MAX {
            page.through = last;
            return Ok(page);
        }
        let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let hash = PlacementHash(unsigned(row.get(1)?));
        if request.partitions.binary_search(&hash.partition(partition_bits)).is_ok() {
            let standing = standing(row, request, key)?;
            page.rows.push(SurveyedRow { key: copied(key), hash, standing });
        }
        steps += 1;
        // Only the key that ends the page is needed.
        if page.rows.len() >= limit || steps >= STEPS_MAX {
            last = Some(Bytes::copy_from_slice(key));
        }
    }
    Ok(page)
}

fn standing(row: &Row<'_>, request: &Survey, key: &[u8]) -> Result<RowStanding, DiskError> {
    match sound(row, request, key) {
        Err(DiskError::Damaged { what, why }) => {
            tracing::warn!(%what, %why, "a damaged row");
            Ok(RowStanding::Damaged)
        }
        other => other,
    }
}

fn sound(row: &Row<'_>, request: &Survey, key: &[u8]) -> Result<RowStanding, DiskError> {
    let (head, _) = head_of(row, 1, request.table, key)?;
    let ballot = head.ballot;
    let blobs = match request.depth {
        SurveyDepth::Ballots => Vec::new(),
        SurveyDepth::Blobs => {
            let column = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
            let (lineage, blobs, record) = (column(7)?, column(8)?, column(9)?);
            let (_, expected) = split_checks(row.get(3)?);
            let is_sound = rest_check((request.table.as_bytes(), key), lineage, blobs, record) == expected
                && lineage_of(ballot, lineage).is_some();
            let blobs = is_sound.then(|| blob_refs_of(head.hash, blobs)).flatten();
            blobs.ok_or_else(|| DiskError::damaged("a row's record", "its checksum is wrong"))?
        }
    };
    Ok(if head.live { RowStanding::Live { ballot, blobs } } else { RowStanding::Tombstone { ballot } })
}
