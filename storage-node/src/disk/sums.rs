//! The digest of each partition over all of its tables, in memory.
//!
//! Counters are kept by table and partition, and with ten thousand tables a sum over all of them takes a scan that
//! is too long to be made every few seconds. So it is made once, when somebody first asks; from then on every commit
//! adds what it has changed.
//!
//! A scan sees the index as of some commit, and commits go on meanwhile. Each is numbered: what was committed after
//! the scan's snapshot is noted while the scan goes on, and added afterwards; what comes from before it is passed over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use martlet_ring::Partition;
use rusqlite::Connection;

use super::error::DiskError;
use super::index::counters::Counters;
use super::index::{self, state};

/// Shared by the writer, who adds, and the readers, who ask.
#[derive(Debug)]
pub struct Sums {
    partition_bits: u8,
    state: Mutex<State>,
    /// Held by the one who scans.
    scan: Mutex<()>,
}

/// ```text
/// Unknown ──somebody asks──► Scanning ──► Known
///    ▲                          └─failed─┐
///    └───────────────────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    Unknown,
    Scanning(Vec<Committed>),
    Known {
        sums: Vec<u64>,
        /// The number of the last commit that the scan saw.
        as_of: u64,
    },
}

/// What one commit has added to a partition's digest.
#[derive(Clone, Copy, Debug)]
struct Committed {
    commit: u64,
    partition: Partition,
    added: u64,
}

impl Sums {
    pub fn new(partition_bits: u8) -> Self {
        Self { partition_bits, state: Mutex::new(State::Unknown), scan: Mutex::new(()) }
    }

    /// Takes notice of a commit, after it.
    pub fn committed(&self, commit: u64, changes: impl Iterator<Item = (Partition, u64)>) {
        match &mut *self.state() {
            State::Unknown => {}
            State::Scanning(noted) => {
                noted.extend(changes.map(|(partition, added)| Committed { commit, partition, added }));
            }
            State::Known { sums, as_of } => {
                for (partition, added) in changes {
                    add(sums, *as_of, Committed { commit, partition, added });
                }
            }
        }
    }

    /// The digests of these partitions. A partition that the device doesn't know has none.
    pub fn digests(&self, connection: &Connection, partitions: &[Partition]) -> Result<Vec<u64>, DiskError> {
        let digest =
            |sums: &[u64], partition: &Partition| sums.get(partition.0 as usize).copied().unwrap_or_default();
        let scanning = self.scan.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*self.state(), State::Known { .. }) {
            self.scan(connection)?;
        }
        drop(scanning);
        match &*self.state() {
            State::Known { sums, .. } => {
                Ok(partitions.iter().map(|partition| digest(sums, partition)).collect())
            }
            State::Unknown | State::Scanning(_) => {
                Err(DiskError::damaged("index", "the digests couldn't be added up"))
            }
        }
    }

    fn scan(&self, connection: &Connection) -> Result<(), DiskError> {
        // Before the snapshot is taken: a commit that it doesn't see is noted.
        *self.state() = State::Scanning(Vec::new());
        let scanned = self.snapshot(connection);
        let mut state = self.state();
        let State::Scanning(noted) = std::mem::replace(&mut *state, State::Unknown) else { return Ok(()) };
        let (mut sums, as_of) = scanned?;
        for committed in noted {
            add(&mut sums, as_of, committed);
        }
        *state = State::Known { sums, as_of };
        Ok(())
    }

    fn snapshot(&self, connection: &Connection) -> Result<(Vec<u64>, u64), DiskError> {
        index::in_snapshot(connection, || {
            let as_of = state::read(connection)?.commits;
            let mut sums = vec![0_u64; 1 << self.partition_bits];
            Counters::read(connection)?.each_digest(|partition, digest| {
                if let Some(sum) = sums.get_mut(partition.0 as usize) {
                    *sum = sum.wrapping_add(digest);
                }
            })?;
            Ok((sums, as_of))
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(sums: &mut [u64], as_of: u64, committed: Committed) {
    if as_of < committed.commit
        && let Some(sum) = sums.get_mut(committed.partition.0 as usize)
    {
        *sum = sum.wrapping_add(committed.added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sums: &Sums) -> Vec<u64> {
        match &*sums.state() {
            State::Known { sums, .. } => sums.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_scan_has_seen_is_not_added_again() {
        let sums = Sums::new(1);
        *sums.state() = State::Known { sums: vec![10, 20], as_of: 5 };
        sums.committed(5, [(Partition(0), 7)].into_iter());
        assert_eq!(known(&sums), [10, 20]);
        sums.committed(6, [(Partition(0), 7), (Partition(1), u64::MAX), (Partition(9), 1)].into_iter());
        assert_eq!(known(&sums), [17, 19]);
    }
}
