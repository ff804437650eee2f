//! The memory of bodies between link and disk: of all devices of a process together, however many streams there are.
//!
//! While streams are few, each works in large steps. Beyond that, streams work block by block,
//! and what each has in memory by itself is the block that it has in hand.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Blocks of uploads that are gathered or being written: 4 MiB.
const GATHERED_BLOCKS_MAX: usize = 64;

/// Blocks of downloads that are read before they are wanted: 4 MiB.
const AHEAD_BLOCKS_MAX: usize = 64;

static GATHERED: Semaphore = Semaphore::const_new(GATHERED_BLOCKS_MAX);
static AHEAD: Semaphore = Semaphore::const_new(AHEAD_BLOCKS_MAX);

/// Room for so many blocks, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _permit: SemaphorePermit<'static>,
}

impl Room {
    /// To gather one more block of an upload, if there is room.
    pub(super) fn to_gather() -> Option<Self> {
        Self::of(&GATHERED, 1)
    }

    /// To read so many blocks ahead, if there is room.
    pub(super) fn to_read_ahead(blocks: u32) -> Option<Self> {
        Self::of(&AHEAD, blocks)
    }

    fn of(budget: &'static Semaphore, blocks: u32) -> Option<Self> {
        budget.try_acquire_many(blocks).ok().map(|permit| Self { _permit: permit })
    }
}
