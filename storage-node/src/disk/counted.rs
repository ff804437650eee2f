//! What is counted of the tables that are asked about, in memory.
//!
//! A listing tells how much its container holds, and to read that from the index takes a third of the listing's time.
//! So a table that was asked about stays in memory for a while, and every commit changes what is known of it.
//!
//! A table is read as of some commit, and commits go on meanwhile, as with [`super::sums`]: what was committed after the
//! snapshot is noted while the table is read, and added afterwards; what comes from before it is passed over.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use martlet_protocol::{TableCounters, TableId};
use martlet_ring::Partition;
use rusqlite::Connection;

use super::error::DiskError;
use super::index::counters::{Change, Changes, Counters, counted};
use super::index::{in_snapshot, state};

/// The most tables that are remembered.
const TABLES_MAX: usize = 64;

/// Who asks about more tables than this at once goes through all of them, and won't soon come back to one.
const REMEMBERED_AT_ONCE_MAX: usize = 4;

/// Shared by the writer, who adds, and the readers, who ask.
#[derive(Debug, Default)]
pub struct Counted {
    tables: Mutex<HashMap<TableId, Entry>>,
}

/// ```text
/// absent ──somebody asks──► Reading ──► Known ──too many are──► absent
///    ▲                         └─failed─┐
///    └──────────────────────────────────┘
/// ```
#[derive(Debug)]
enum Entry {
    Reading(Vec<(u64, Partition, Change)>),
    Known {
        partitions: BTreeMap<Partition, Change>,
        /// The number of the last commit that the reader saw.
        as_of: u64,
    },
}

/// One who reads a table. Without an end, what was noted meanwhile is forgotten.
struct Reading<'a> {
    counted: &'a Counted,
    table: TableId,
}

impl Counted {
    /// Takes notice of a commit, after it and before anybody is answered.
    pub fn committed(&self, commit: u64, changes: &Changes) {
        let mut tables = self.tables();
        if tables.is_empty() {
            return;
        }
        for ((table, partition), change) in changes {
            match tables.get_mut(table) {
                Some(Entry::Reading(noted)) => noted.push((commit, *partition, *change)),
                Some(Entry::Known { partitions, as_of }) if *as_of < commit => {
                    add(partitions, *partition, *change);
                }
                Some(Entry::Known { .. }) | None => {}
            }
        }
    }

    /// What is counted of these tables, in the same order.
    pub fn of_tables(
        &self,
        connection: &Connection,
        tables: &[TableId],
    ) -> Result<Vec<TableCounters>, DiskError> {
        let known: Vec<Option<TableCounters>> = tables.iter().map(|table| self.known(*table)).collect();
        if known.iter().all(Option::is_some) {
            return Ok(known.into_iter().flatten().collect());
        }
        // Before the snapshot is taken: a commit that it doesn't see is noted.
        let is_remembered = tables.len() <= REMEMBERED_AT_ONCE_MAX;
        let mut reading: Vec<Option<Reading<'_>>> =
            tables.iter().map(|table| if is_remembered { self.begin(*table) } else { None }).collect();
        in_snapshot(connection, || {
            let as_of = state::read(connection)?.commits;
            let counters = Counters::read(connection)?;
            let mut answers = Vec::with_capacity(tables.len());
            for ((table, known), reading) in tables.iter().zip(known).zip(&mut reading) {
                if let Some(known) = known {
                    answers.push(known);
                    continue;
                }
                let read = counters.changes_of(*table)?;
                answers.push(summary(*table, &read));
                if let Some(reading) = reading.take() {
                    reading.end(read, as_of);
                }
            }
            Ok(answers)
        })
    }

    fn known(&self, table: TableId) -> Option<TableCounters> {
        match self.tables().get(&table)? {
            Entry::Known { partitions, .. } => Some(summary(table, partitions)),
            Entry::Reading(_) => None,
        }
    }

    /// `None`: somebody else reads the table, or it is known.
    fn begin(&self, table: TableId) -> Option<Reading<'_>> {
        let mut tables = self.tables();
        if tables.contains_key(&table) {
            return None;
        }
        if tables.len() >= TABLES_MAX {
            tables.retain(|_, entry| matches!(entry, Entry::Reading(_)));
        }
        tables.insert(table, Entry::Reading(Vec::new()));
        Some(Reading { counted: self, table })
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<TableId, Entry>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading<'_> {
    fn end(self, mut partitions: BTreeMap<Partition, Change>, as_of: u64) {
        let mut tables = self.counted.tables();
        if let Some(Entry::Reading(noted)) = tables.remove(&self.table) {
            for (_, partition, change) in noted.into_iter().filter(|(commit, ..)| as_of < *commit) {
                add(&mut partitions, partition, change);
            }
            tables.insert(self.table, Entry::Known { partitions, as_of });
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut tables = self.counted.tables();
        if let Some(Entry::Reading(_)) = tables.get(&self.table) {
            tables.remove(&self.table);
        }
    }
}

fn add(partitions: &mut BTreeMap<Partition, Change>, partition: Partition, change: Change) {
    let sum = partitions.entry(partition).or_default();
    sum.add(change);
    if sum.rows == 0 {
        partitions.remove(&partition);
    }
}

fn summary(table: TableId, partitions: &BTreeMap<Partition, Change>) -> TableCounters {
    let partitions = partitions.iter().filter_map(|(partition, sum)| counted(*partition, *sum));
    TableCounters { table, partitions: partitions.collect() }
}

#[cfg(test)]
mod tests {
    use martlet_protocol::TableKind;

    use super::*;

    fn table() -> TableId {
        TableId::new(TableKind::Objects, [1; 15])
    }

    fn changes(partition: u32, rows: i64, bytes: u64) -> Changes {
        Changes::from([((table(), Partition(partition)), Change { rows, objects: 1, bytes, digest: 1 })])
    }

    fn bytes_of(counted: &Counted) -> Option<Vec<(u32, u64)>> {
        let partitions = counted.known(table())?.partitions;
        Some(partitions.iter().map(|counters| (counters.partition.0, counters.weight.bytes)).collect())
    }

    #[test]
    fn what_is_committed_while_a_table_is_read_is_counted_once() {
        let counted = Counted::default();
        let reading = counted.begin(table()).unwrap();
        assert!(counted.begin(table()).is_none(), "one reads it");
        counted.committed(5, &changes(0, 1, 10));
        counted.committed(6, &changes(0, 1, 20));
        assert_eq!(bytes_of(&counted), None);
        let seen = BTreeMap::from([(Partition(0), Change { rows: 1, objects: 1, bytes: 10, digest: 1 })]);
        reading.end(seen, 5);
        assert_eq!(bytes_of(&counted), Some(vec![(0, 30)]));
        counted.committed(5, &changes(0, 1, 1000));
        counted.committed(7, &changes(3, 1, 5));
        assert_eq!(bytes_of(&counted), Some(vec![(0, 30), (3, 5)]));
        counted.committed(8, &changes(3, -1, 5_u64.wrapping_neg()));
        assert_eq!(bytes_of(&counted), Some(vec![(0, 30)]), "a partition without rows isn't mentioned");
    }

    #[test]
    fn who_fails_to_read_a_table_leaves_nothing_behind() {
        let counted = Counted::default();
        drop(counted.begin(table()));
        assert!(counted.tables().is_empty());
    }

    #[test]
    fn only_so_many_tables_are_remembered() {
        let counted = Counted::default();
        for number in 0..=TABLES_MAX {
            let table = TableId::new(TableKind::Objects, [u8::try_from(number).unwrap(); 15]);
            counted.begin(table).unwrap().end(BTreeMap::new(), 1);
        }
        assert_eq!(counted.tables().len(), 1);
    }
}
