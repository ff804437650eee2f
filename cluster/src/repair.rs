//! Repair: rows and blobs that a replica missed or lost are found and brought level.
//!
//! - [`rows`]: the replicas of a partition compare digests, then tables, then ballots, and go down only where they
//!   differ; a row that differs is proposed once more as it is, so that all of its replicas accept it.
//! - [`fsck`]: counts, row by row and blob by blob, what isn't fully redundant.
//! - `walk`: pages of several devices merged by name. `asking`: one question each to many devices.
//!
//! **Invariant:** a row is only ever changed through the register protocol, and only to what it is.

mod asking;
pub(crate) mod fsck;
mod level;
mod responsibility;
pub(crate) mod rows;
mod walk;
