//! How often what was measured fell between which bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts measurements by fixed upper bounds, and adds them up.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds: the last is for what is above all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// What a [`Histogram`] has counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Of each upper bound, included: how many measurements lie above the bound before it and not above this one.
    pub below: Vec<(u64, u64)>,
    /// How many lie above all bounds.
    pub above: u64,
    pub sum: u64,
}

impl Histogram {
    /// `bounds` in ascending order.
    pub fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bounds ascend");
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub fn record(&self, value: u64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        self.counts[index].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// For bounds in microseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Measurements that are made meanwhile may be in it or not.
    pub fn spread(&self) -> Spread {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Spread {
            below: self.bounds.iter().copied().zip(counts).collect(),
            above: self.counts[self.bounds.len()].load(Ordering::Relaxed),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl Spread {
    /// How many measurements there were.
    pub fn count(&self) -> u64 {
        self.below.iter().map(|(_, count)| count).sum::<u64>() + self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_counts_under_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1000] {
            histogram.record(value);
        }
        let spread = histogram.spread();
        assert_eq!(spread, Spread { below: vec![(10, 2), (20, 2)], above: 2, sum: 1062 });
        assert_eq!(spread.count(), 6);
    }

    #[test]
    fn durations_are_counted_in_microseconds() {
        let histogram = Histogram::new(crate::DURATION_MICROS);
        histogram.record_duration(Duration::from_millis(3));
        let spread = histogram.spread();
        assert_eq!((spread.sum, spread.count()), (3000, 1));
        assert!(spread.below.contains(&(5_000, 1)));
    }
}
