//! Repair: rows and blobs that a replica missed or lost are found and brought level.
//!
//! - [`rows`]: the replicas of a partition compare digests, then tables, then ballots, and go down only where they
//!   differ; a row that differs is proposed once more as it is, so that all of its replicas accept it.
//! - [`blobs`]: every device where a row places a blob is asked whether it has it; [`scrub`]: a device reads what it has.
//!   [`mend`] copies what is missing or damaged from whoever has it sound.
//! - [`refill`]: a device that was made anew in place of a lost one gets all that it should have.
//! - [`missed`]: blobs that a device missed when they were stored are noted, kept elsewhere, and delivered.
//! - [`fsck`]: counts, row by row and blob by blob, what isn't fully redundant.
//! - `walk`: pages of several devices merged by name. `asking`: one question each to many devices.
//!
//! **Invariant:** a row is only ever changed through the register protocol, and only to what it is.

mod asking;
pub(crate) mod blobs;
pub(crate) mod fsck;
mod inspection;
mod level;
pub(crate) mod mend;
pub(crate) mod missed;
pub(crate) mod refill;
mod responsibility;
pub(crate) mod rows;
pub(crate) mod scrub;
mod walk;
