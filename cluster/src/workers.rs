//! What is done when nobody waits for it: garbage, orphans, tombstones, dropped tables, ended objects.
//!
//! Plain functions, one round each; whoever calls them keeps the schedule. Two of them at once do no harm.
//!
//! **Invariant:** nothing is deleted because somebody couldn't be reached. What can't be decided stays, for another round.

mod dropped;
mod expire;
mod garbage;
mod orphans;
mod references;
mod repair;
mod tombstones;

pub use dropped::clear_dropped;
pub use expire::expire;
pub use garbage::collect_garbage;
pub use orphans::{OrphanRule, OrphanSweep, Stagers, sweep_orphans};
pub(crate) use references::is_owned;
pub use repair::{
    BlobCursor, BlobRound, BlobSweep, RefillRound, RepairRound, ScrubBudget, ScrubRound, ScrubSweep, refill,
    repair, repair_blobs, scrub,
};
pub use tombstones::remove_tombstones;

use martlet_model::Error;
use martlet_ring::DeviceId;

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Removed for good.
    pub removed: usize,
    /// Still needed.
    pub kept: usize,
    /// Left for another round, because somebody who must be asked didn't answer.
    pub undecided: usize,
}

impl Round {
    fn count(&mut self, verdict: &Result<Fate, Error>) {
        match verdict {
            Ok(Fate::Removed) => self.removed += 1,
            Ok(Fate::Kept) => self.kept += 1,
            Ok(Fate::Undecided) | Err(_) => self.undecided += 1,
        }
    }
}

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
    Undecided,
}

fn unknown_device(_: DeviceId) -> Error {
    Error::Unavailable("the ring doesn't have this device")
}
