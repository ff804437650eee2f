//! Fills a device that was made anew in place of a lost one.
//!
//! An empty device that answered like any other would count towards majorities that it knows nothing of: what was
//! accepted by the lost device and one other would be outvoted by the empty one and a third. So whoever serves a device
//! that is being refilled has it answer no question about what a row is; it only accepts, and tells what it holds.
//! A proposer then needs all the others, and what it learns of them is proposed once more under a new ballot.
//!
//! The device knows enough once it has, of every partition, held the very same rows as each other replica: whatever was
//! chosen with the lost device's help is on one of these. What is written later than that it accepts, or misses as any
//! device may.
//!
//! The promises of the lost device are gone as well. The device must have been started with a floor above all of them.

use std::sync::Arc;

use martlet_model::Timestamp;
use martlet_register::Ballot;
use martlet_ring::{DeviceId, Partition};

use super::rows::{LOOKS, RepairRound, Way, compare, level_tables};
use crate::cluster::Shared;

/// What one pass over the partitions of a device has found and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefillRound {
    pub partitions: usize,
    /// Of those: partitions of which not every other replica answered.
    pub partitions_unknown: usize,
    /// Of those: partitions in which the device lacks something.
    pub partitions_different: usize,
    /// Rows that were proposed once more, so that the device accepts them.
    pub rows_leveled: usize,
    /// Rows that are left for another pass.
    pub rows_undecided: usize,
}

impl RefillRound {
    /// Whether the device held, at some moment of this pass, the same rows as all other replicas in every partition.
    pub fn is_complete(&self) -> bool {
        self.partitions_unknown == 0 && self.partitions_different == 0
    }
}

/// One pass. Ballots up to `floor` are refused by the device, so all that are made here are later.
pub(crate) async fn refill(shared: &Arc<Shared>, device: DeviceId, floor: Timestamp) -> RefillRound {
    // Whatever this process proposes from now on is above the floor.
    shared.next_ballot(Ballot::last_of(floor.as_micros()));
    let holds = |partition: &Partition| shared.ring.devices_of(*partition).contains(&device);
    let partitions: Vec<Partition> = shared.ring.partitions().filter(holds).collect();
    let found = compare(shared, &partitions, LOOKS).await;
    let mut leveled = RepairRound::default();
    if !found.different.is_empty() {
        level_tables(shared, (&found.different, Way::AsTold), &mut leveled).await;
    }
    RefillRound {
        partitions: partitions.len(),
        partitions_unknown: found.unknown.len(),
        partitions_different: found.different.len(),
        rows_leveled: leveled.rows_leveled,
        rows_undecided: leveled.rows_undecided,
    }
}
