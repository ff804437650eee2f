//! The objects that clients work on: few at a time, so that they meet, and others after a while,
//! so that no object's history gets long.

use std::sync::{Mutex, MutexGuard, PoisonError};

use martlet_testkit::Seeded;

use crate::content::Tag;

/// A container, and one that keeps versions.
pub(crate) const CONTAINERS: [&str; 2] = ["box", "kept"];
/// Objects at a time; the last few are in the container that keeps versions.
const SLOTS: usize = 20;
const KEPT_SLOTS: usize = 5;
/// After so many calls a slot goes on with another object.
const CALLS_MAX: u32 = 200;
/// The same for calls whose outcome nobody knows.
const UNKNOWN_MAX: u32 = 12;

/// The objects that are worked on now.
pub(crate) struct Field {
    slots: Vec<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    calls: u32,
    unknown: u32,
    seen: Option<Tag>,
}

/// One of them, as it is known at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) slot: usize,
    pub(crate) generation: u32,
    /// What was there when somebody looked last.
    pub(crate) seen: Option<Tag>,
}

impl Field {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn choose(&self, random: &mut Seeded) -> Spot {
        let slot = random.below(SLOTS);
        let now = self.slot(slot);
        Spot { slot, generation: now.generation, seen: now.seen }
    }

    /// The container of a spot, with what its paths have in common.
    pub(crate) fn prefix(slot: usize) -> String {
        let container = CONTAINERS[usize::from(SLOTS - KEPT_SLOTS <= slot)];
        format!("{container}/{slot:02}-")
    }

    /// Notes a call, and what it has shown to be there now, if it has.
    #[expect(clippy::option_option, reason = "whether something is known, and what: there or not")]
    pub(crate) fn note(&self, spot: &Spot, is_known: bool, seen: Option<Option<Tag>>) {
        let mut now = self.slot(spot.slot);
        if now.generation != spot.generation {
            return;
        }
        now.calls += 1;
        now.unknown += u32::from(!is_known);
        if let Some(seen) = seen {
            now.seen = seen;
        }
        if CALLS_MAX <= now.calls || UNKNOWN_MAX <= now.unknown {
            *now = Slot { generation: now.generation + 1, ..Slot::default() };
        }
    }

    fn slot(&self, slot: usize) -> MutexGuard<'_, Slot> {
        self.slots[slot].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spot {
    pub(crate) fn path(&self) -> String {
        format!("{}{:04}", Field::prefix(self.slot), self.generation)
    }
}
