//! Counters by table and partition: gathered for a group, noted with it, and folded into their table later.

use std::collections::BTreeMap;

use martlet_protocol::{PartitionCounters, TableCounters, TableId, Weight};
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};
use rusqlite::{Connection, OptionalExtension, params};

use super::changes::Unfolded;
use super::codec::{signed, unsigned};
use super::rows::RowHead;
use crate::disk::digest::row_digest;
use crate::disk::error::DiskError;

/// How the rows of one table and partition have changed. All sums wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub rows: i64,
    pub objects: u64,
    pub bytes: u64,
    pub digest: u64,
}

/// Changes by table and partition.
pub type Changes = BTreeMap<(TableId, Partition), Change>;

/// The changes of a group.
#[derive(Debug)]
pub struct Tally {
    partition_bits: u8,
    changes: Changes,
}

impl Change {
    pub fn add(&mut self, other: Self) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.objects = self.objects.wrapping_add(other.objects);
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

impl Tally {
    pub fn new(partition_bits: u8) -> Self {
        Self { partition_bits, changes: Changes::new() }
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

    pub fn changes(&self) -> &Changes {
        &self.changes
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

/// Adds changes to what is counted. A partition without rows has no counters.
pub fn write(connection: &Connection, changes: &Changes) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(
        "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tbl, part) DO UPDATE SET rows = ?3, \
         objects = ?4, bytes = ?5, digest = ?6",
    )?;
    let mut remove = connection.prepare_cached("DELETE FROM counters WHERE tbl = ?1 AND part = ?2")?;
    for ((table, partition), change) in changes {
        if *change == Change::default() {
            continue;
        }
        let mut sum = *change;
        if let Some(before) = folded(connection, *table, *partition)? {
            sum.add(before);
        }
        if sum.rows == 0 {
            remove.execute(params![table.as_bytes(), partition.0])?;
        } else {
            let (objects, bytes, digest) = (signed(sum.objects), signed(sum.bytes), signed(sum.digest));
            add.execute(params![table.as_bytes(), partition.0, sum.rows, objects, bytes, digest])?;
        }
    }
    Ok(())
}

fn folded(connection: &Connection, table: TableId, partition: Partition) -> rusqlite::Result<Option<Change>> {
    let mut statement = connection
        .prepare_cached("SELECT rows, objects, bytes, digest FROM counters WHERE tbl = ?1 AND part = ?2")?;
    statement.query_row(params![table.as_bytes(), partition.0], change_of).optional()
}

/// Of columns `rows, objects, bytes, digest`.
fn change_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        rows: row.get(0)?,
        objects: unsigned(row.get(1)?),
        bytes: unsigned(row.get(2)?),
        digest: unsigned(row.get(3)?),
    })
}

/// Everything that is counted, as of one snapshot: the one in which it is made and asked.
pub struct Counters<'a> {
    connection: &'a Connection,
    unfolded: Changes,
}

impl<'a> Counters<'a> {
    pub fn read(connection: &'a Connection) -> Result<Self, DiskError> {
        Ok(Self { connection, unfolded: Unfolded::read(connection)?.counters })
    }

    /// Goes through the digests of all tables. One partition may be visited several times: the sum counts.
    pub fn each_digest(&self, mut visit: impl FnMut(Partition, u64)) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached("SELECT part, digest FROM counters")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(Partition(row.get(0)?), unsigned(row.get(1)?));
        }
        self.unfolded.iter().for_each(|((_, partition), change)| visit(*partition, change.digest));
        Ok(())
    }

    pub fn of_table(&self, table: TableId) -> rusqlite::Result<TableCounters> {
        let partitions = self.changes_of(table)?;
        let partitions = partitions.iter().filter_map(|(partition, sum)| counted(*partition, *sum));
        Ok(TableCounters { table, partitions: partitions.collect() })
    }

    /// All that has ever changed in a table, by partition.
    pub fn changes_of(&self, table: TableId) -> rusqlite::Result<BTreeMap<Partition, Change>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT rows, objects, bytes, digest, part FROM counters WHERE tbl = ?1 ORDER BY part",
        )?;
        let mut rows = statement.query(params![table.as_bytes()])?;
        let mut sums = BTreeMap::new();
        while let Some(row) = rows.next()? {
            sums.insert(Partition(row.get(4)?), change_of(row)?);
        }
        let range = (table, Partition(0))..=(table, Partition(u32::MAX));
        for ((_, partition), change) in self.unfolded.range(range) {
            sums.entry(*partition).or_default().add(*change);
        }
        sums.retain(|_, sum| sum.rows != 0);
        Ok(sums)
    }

    pub fn of_partition(
        &self,
        table: TableId,
        partition: Partition,
    ) -> rusqlite::Result<Option<PartitionCounters>> {
        let mut sum = folded(self.connection, table, partition)?.unwrap_or_default();
        sum.add(self.unfolded.get(&(table, partition)).copied().unwrap_or_default());
        Ok(counted(partition, sum))
    }

    /// The next table of which something is counted, or has been.
    pub fn next_table(&self, after: Option<TableId>) -> Result<Option<TableId>, DiskError> {
        let mut statement =
            self.connection.prepare_cached("SELECT tbl FROM counters WHERE tbl > ?1 ORDER BY tbl LIMIT 1")?;
        let bound = after.as_ref().map_or(&[][..], |table| table.as_bytes());
        let next: Option<[u8; 16]> = statement.query_row(params![bound], |row| row.get(0)).optional()?;
        let unknown = || DiskError::damaged("index", "counters name no table");
        let next = next.map(|next| TableId::from_bytes(next).ok_or_else(unknown)).transpose()?;
        let is_next = |(table, _): &&(TableId, Partition)| after.is_none_or(|after| after < *table);
        let fresh = self.unfolded.keys().find(is_next).map(|(table, _)| *table);
        Ok(next.into_iter().chain(fresh).min())
    }
}

/// `None`: a partition without rows.
pub fn counted(partition: Partition, sum: Change) -> Option<PartitionCounters> {
    let weight = Weight { objects: sum.objects, bytes: sum.bytes };
    (sum.rows != 0).then_some(PartitionCounters { partition, weight, digest: sum.digest })
}
