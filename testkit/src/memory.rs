//! The store contract at its simplest: everything in one process, in sorted maps, under one lock.
//!
//! It is the reference: where another store and this one differ, one of them is wrong.

mod body;
mod containers;
mod documents;
mod history;
mod listing;
mod objects;
mod state;
mod uploads;
mod versions;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use martlet_model::{Clock, Timestamp};

use crate::clock::SimulatedClock;
use state::State;

/// An object store in memory. It forgets everything when it is dropped.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    /// Never held across an await; every method is one critical section after its body has been read.
    state: Mutex<State>,
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::new(State::default()) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With a clock that stands still.
impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Arc::new(SimulatedClock::default()))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("clock", &self.clock).finish_non_exhaustive()
    }
}
