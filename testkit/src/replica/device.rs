//! What a device holds, and what of it survives a restart.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use martlet_protocol::{BlobId, BlobOwner, BlobRef, Block, Garbage, RowValue, SealToken, TableId};
use martlet_register::{Accepted, Ballot, Floor, PromiseBound};
use martlet_ring::{Partition, PlacementHash};
use tokio::time::Instant;

use super::faults::Faults;
use crate::seeded::Seeded;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) partition_bits: u8,
    pub(super) faults: Faults,
    random: Seeded,
    pub(super) rows: BTreeMap<(TableId, Bytes), Row>,
    pub(super) blobs: BTreeMap<BlobId, Blob>,
    pub(super) seals: BTreeMap<TableId, SealToken>,
    /// Oldest first.
    pub(super) garbage: VecDeque<Garbage>,
    floors: BTreeMap<Partition, Floor>,
    pub(super) bound: PromiseBound,
    /// What `bound` was when the device started.
    bound_at_start: PromiseBound,
    /// Counts restarts, so that a blob begun before one can't be finished after it.
    pub(super) run: u64,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) hash: PlacementHash,
    pub(super) promised: Option<Ballot>,
    pub(super) accepted: Option<Accepted<RowValue>>,
}

#[derive(Debug)]
pub(super) struct Blob {
    pub(super) reference: BlobRef,
    pub(super) owner: BlobOwner,
    pub(super) blocks: Vec<Block>,
    pub(super) known_since: Instant,
    /// In which run of the device it was stored.
    pub(super) run: u64,
}

impl Device {
    pub(super) fn new(partition_bits: u8) -> Self {
        Self {
            partition_bits,
            faults: Faults::NONE,
            random: Seeded::new(0),
            rows: BTreeMap::new(),
            blobs: BTreeMap::new(),
            seals: BTreeMap::new(),
            garbage: VecDeque::new(),
            floors: BTreeMap::new(),
            bound: PromiseBound::default(),
            bound_at_start: PromiseBound::default(),
            run: 0,
        }
    }

    pub(super) fn restart(&mut self) {
        self.run += 1;
        self.bound_at_start = self.bound;
        for floor in self.floors.values_mut() {
            *floor = Floor::after_restart(floor.forgotten(), self.bound);
        }
        self.rows.retain(|_, row| row.accepted.is_some());
        for row in self.rows.values_mut() {
            row.promised = None;
        }
    }

    pub(super) fn loses_the_answer(&mut self) -> bool {
        self.faults.answers_lost_one_in.is_some_and(|count| self.random.one_in(count))
    }

    pub(super) fn partition_of(&self, hash: PlacementHash) -> Partition {
        hash.partition(self.partition_bits)
    }

    pub(super) fn floor(&mut self, hash: PlacementHash) -> &mut Floor {
        let start = Floor::after_restart(Ballot::ZERO, self.bound_at_start);
        let partition = self.partition_of(hash);
        self.floors.entry(partition).or_insert(start)
    }
}
