//! The time of day as a test wants it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use martlet_model::{Clock, Timestamp};

/// A clock that stands still until it is turned, also backwards.
#[derive(Debug)]
pub struct SimulatedClock {
    micros: AtomicU64,
}

/// Where a [`SimulatedClock`] begins: 2026-01-01, 00:00 UTC.
pub const SIMULATION_START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

impl SimulatedClock {
    pub fn at(start: Timestamp) -> Self {
        Self { micros: AtomicU64::new(start.as_micros()) }
    }

    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Turns it forwards.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for SimulatedClock {
    fn default() -> Self {
        Self::at(SIMULATION_START)
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_it_is_turned() {
        let clock = SimulatedClock::default();
        assert_eq!(clock.now(), SIMULATION_START);
        assert_eq!(clock.now(), SIMULATION_START);
        clock.advance(Duration::from_micros(5));
        assert_eq!(clock.now().as_micros(), SIMULATION_START.as_micros() + 5);
        clock.set(Timestamp::from_micros(1));
        assert_eq!(clock.now(), Timestamp::from_micros(1));
    }
}
