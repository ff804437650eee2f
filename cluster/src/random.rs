//! Where unguessable ids and random delays come from.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Random bytes. Passed as an argument, so that a simulation can repeat itself.
pub trait RandomSource: fmt::Debug + Send + Sync + 'static {
    fn fill(&self, target: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

/// The same numbers for the same seed: for simulations, where nobody needs to be kept from guessing.
#[derive(Debug)]
pub struct SeededRandom {
    state: Mutex<u64>,
}

impl SeededRandom {
    pub const fn new(seed: u64) -> Self {
        Self { state: Mutex::new(seed) }
    }
}

impl RandomSource for SystemRandom {
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done without it.
    fn fill(&self, target: &mut [u8]) {
        getrandom::fill(target).expect("randomness of the operating system");
    }
}

impl RandomSource for SeededRandom {
    /// `SplitMix64` (Steele, Lea and Flood, 2014).
    fn fill(&self, target: &mut [u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in target.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(random: &dyn RandomSource) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
