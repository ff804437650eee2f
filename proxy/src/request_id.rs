//! Request ids: what a client quotes, and what the log is searched for.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

pub use martlet_request::RequestId;

/// Gives out request ids: a sequence that starts at random and looks so, and doesn't repeat itself.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// `seed` is a random number of this process.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub fn next(&self) -> RequestId {
        // One of 2^64 numbers is 0, and stands for another.
        let number = NonZeroU64::new(mixed(self.0.fetch_add(1, Ordering::Relaxed)));
        RequestId::new(number.unwrap_or(NonZeroU64::MAX))
    }
}

/// A permutation of the numbers that leaves no trace of their order (the finalizer of `SplitMix64`).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_do_not_repeat() {
        let ids = RequestIds::new(7);
        let seen: HashSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 10_000);
        assert_eq!(ids.next().to_string().len(), 18);
    }
}
