//! What tests are made with: an in-memory store, the suite that every store must pass, a clock that can be turned.
//!
//! - [`MemoryStore`]: the contract of `martlet_model::store` at its simplest; the reference for all others.
//! - [`SimulatedClock`]: the time of day as the test wants it.
//! - [`Seeded`]: random numbers that come again with the same seed.

pub mod clock;
pub mod memory;
pub mod seeded;

pub use clock::SimulatedClock;
pub use memory::MemoryStore;
pub use seeded::Seeded;
