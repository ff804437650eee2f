//! Counters by table and partition: gathered for a group, written once with it.

use std::collections::BTreeMap;

use martlet_protocol::{PartitionCounters, TableCounters, TableId, Weight};
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};
use rusqlite::{Connection, params};

use super::codec::{signed, unsigned};
use super::rows::RowHead;
use crate::disk::digest::row_digest;

/// How the rows of one table and partition have changed. All sums wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    rows: i64,
    objects: u64,
    bytes: u64,
    digest: u64,
}

/// The changes of a group.
#[derive(Debug)]
pub struct Tally {
    partition_bits: u8,
    changes: BTreeMap<(TableId, Partition), Change>,
}

impl Tally {
    pub fn new(partition_bits: u8) -> Self {
        Self { partition_bits, changes: BTreeMap::new() }
    }

    /// A row is stored.
    pub fn add(&mut self, table: TableId, key: &[u8], row: Counted) {
        let change = self.change(table, row.hash);
        change.rows += 1;
        change.objects = change.objects.wrapping_add(row.weight.objects);
        change.bytes = change.bytes.wrapping_add(row.weight.bytes);
        change.digest = change.digest.wrapping_add(row_digest(key, row.ballot));
    }

    /// A row is replaced or dropped.
    pub fn subtract(&mut self, table: TableId, key: &[u8], row: Counted) {
        let change = self.change(table, row.hash);
        change.rows -= 1;
        change.objects = change.objects.wrapping_sub(row.weight.objects);
        change.bytes = change.bytes.wrapping_sub(row.weight.bytes);
        change.digest = change.digest.wrapping_sub(row_digest(key, row.ballot));
    }

    /// Writes the changes. A partition without rows has no counters.
    pub fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut add = connection.prepare_cached(
            "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tbl, part) DO UPDATE SET rows = ?3, \
             objects = ?4, bytes = ?5, digest = ?6",
        )?;
        let mut read = connection.prepare_cached(
            "SELECT rows, objects, bytes, digest FROM counters WHERE tbl = ?1 AND part = ?2",
        )?;
        let mut remove = connection.prepare_cached("DELETE FROM counters WHERE tbl = ?1 AND part = ?2")?;
        for ((table, partition), change) in &self.changes {
            if *change == Change::default() {
                continue;
            }
            let mut sum = *change;
            let mut before = read.query(params![table.as_bytes(), partition.0])?;
            if let Some(row) = before.next()? {
                sum.rows += row.get::<_, i64>(0)?;
                sum.objects = sum.objects.wrapping_add(unsigned(row.get(1)?));
                sum.bytes = sum.bytes.wrapping_add(unsigned(row.get(2)?));
                sum.digest = sum.digest.wrapping_add(unsigned(row.get(3)?));
            }
            drop(before);
            if sum.rows == 0 {
                remove.execute(params![table.as_bytes(), partition.0])?;
            } else {
                let (objects, bytes, digest) = (signed(sum.objects), signed(sum.bytes), signed(sum.digest));
                add.execute(params![table.as_bytes(), partition.0, sum.rows, objects, bytes, digest])?;
            }
        }
        Ok(())
    }

    /// What the digest of each partition changes by, table by table.
    pub fn digests(&self) -> impl Iterator<Item = (Partition, u64)> {
        self.changes.iter().map(|((_, partition), change)| (*partition, change.digest))
    }

    fn change(&mut self, table: TableId, hash: PlacementHash) -> &mut Change {
        self.changes.entry((table, hash.partition(self.partition_bits))).or_default()
    }
}

/// What of a row is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub hash: PlacementHash,
    pub ballot: Ballot,
    pub weight: Weight,
}

impl From<RowHead> for Counted {
    fn from(head: RowHead) -> Self {
        Self { hash: head.hash, ballot: head.ballot, weight: head.weight }
    }
}

/// Goes through the digests of all tables.
pub fn each_digest(connection: &Connection, mut visit: impl FnMut(Partition, u64)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT part, digest FROM counters")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(Partition(row.get(0)?), unsigned(row.get(1)?));
    }
    Ok(())
}

pub fn of_table(connection: &Connection, table: TableId) -> rusqlite::Result<TableCounters> {
    let mut statement = connection
        .prepare_cached("SELECT part, objects, bytes, digest FROM counters WHERE tbl = ?1 ORDER BY part")?;
    let partitions = statement.query_map(params![table.as_bytes()], |row| {
        let weight = Weight { objects: unsigned(row.get(1)?), bytes: unsigned(row.get(2)?) };
        Ok(PartitionCounters { partition: Partition(row.get(0)?), weight, digest: unsigned(row.get(3)?) })
    })?;
    Ok(TableCounters { table, partitions: partitions.collect::<rusqlite::Result<_>>()? })
}
