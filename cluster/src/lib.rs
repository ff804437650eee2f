//! The store made of many devices: `martlet_model`'s contract over `martlet_protocol`'s replicas.
//!
//! Reading order:
//! - `cluster`: [`ClusterStore`], what it is made of and what it knows.
//! - `row`: one row, changed and read through the register protocol.
//! - `blob`: bytes on their way in, out, and from one replica to another.
//! - `list`: a table's rows merged from many devices; `counters`: how many there are.
//! - `containers`, `objects`, `uploads`: the three traits; `container` and `upload` hold their longer stories.
//! - `repair`: what a replica missed or lost is found and brought level.
//! - [`workers`]: what is done when nobody waits for it.
//! - [`figures`]: what went wrong and what was put right.
//! - `record`: rows as bytes. `fanout`, `device`, `background`: asking many.
//!
//! **Invariant:** nothing here knows HTTP or disks. **Invariant:** nothing is deleted because somebody couldn't be reached.

mod background;
mod blob;
mod cluster;
mod container;
mod containers;
mod counters;
mod device;
mod documents;
mod fanout;
pub mod figures;
mod list;
mod objects;
mod options;
mod placement;
mod random;
mod record;
mod repair;
mod row;
#[cfg(test)]
mod testing;
mod upload;
mod uploads;
pub mod workers;

pub use cluster::{ClusterParts, ClusterStore, MissingReplica};
pub use figures::{ClusterFigures, DeviceHealth};
pub use options::{LAGGARDS_MAX, ORPHAN_AGE_MIN, Options};
pub use random::{RandomSource, SeededRandom, SystemRandom};
pub use record::RecordError;
pub use repair::fsck::{
    ContainerFigures, Finding, FsckDepth, FsckOptions, FsckReport, KindCount, Problem, fsck,
};
