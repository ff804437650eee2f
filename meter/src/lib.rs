//! Instruments: counts, levels and distributions that are read while they are written.
//!
//! Each crate that does something worth counting keeps a plain struct of instruments, and whoever runs the process
//! reads it. An instrument is a few atomic numbers: using one takes some nanoseconds, no lock and no allocation.
//!
//! **Invariant:** this crate knows no names, labels or formats; those belong to whoever shows the figures.

mod histogram;

use std::sync::atomic::{AtomicU64, Ordering};

pub use histogram::{Histogram, Spread};

/// Upper bounds, in microseconds, for how long something took.
pub const DURATION_MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

/// Upper bounds for how many were done at once.
pub const GROUP_SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Something that only ever grows, from 0 at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are at the moment.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// One more; [`Level::fall`] has to follow.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_grows() {
        let counter = Counter::default();
        counter.increment();
        counter.add(41);
        assert_eq!(counter.get(), 42);
    }

    #[test]
    fn a_level_rises_and_falls() {
        let level = Level::default();
        level.rise();
        level.rise();
        level.fall();
        assert_eq!(level.get(), 1);
    }
}
