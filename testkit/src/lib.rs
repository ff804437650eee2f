//! What tests are made with: an in-memory store, the suite that every store must pass, a clock that can be turned.
//!
//! - [`conformance`]: the contract of `martlet_model::store` as tests, for every store there is.
//! - [`MemoryStore`]: the contract at its simplest; the reference for all others.
//! - [`MemoryReplica`]: a storage device in memory, with every fault that a cluster must survive.
//! - [`SimulatedClock`]: the time of day as the test wants it.
//! - [`linearizability`]: whether a history of one object can be explained by some order.
//! - [`Seeded`]: random numbers that come again with the same seed.

pub mod clock;
pub mod conformance;
pub mod linearizability;
pub mod memory;
pub mod replica;
pub mod seeded;

pub use clock::SimulatedClock;
pub use memory::MemoryStore;
pub use replica::{Faults, MemoryReplica, Reach};
pub use seeded::Seeded;
