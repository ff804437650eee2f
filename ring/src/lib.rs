//! Placement: which devices hold the replicas of an object.
//!
//! A key is hashed with the cluster's secret ([`PlacementKey`]) to a [`PlacementHash`], whose top bits are its
//! [`Partition`]; the [`Ring`] is an explicit, versioned table from partition to devices, in preference order.
//! Placement never depends on how the table was computed: the table *is* the placement.
//!
//! The modules, in reading order:
//!
//! - [`device`] and [`placement`]: the nouns.
//! - [`ring`]: the table, what makes it valid, and the lookups.
//! - [`file`](mod@file): the ring as bytes, with every byte explained.
//! - [`mod@build`] and [`mod@edit`]: the first table, and the next one with as few moves as possible.
//! - [`report`]: balance, dispersion and movement, for people and for tests.
//! - `topology`, `shares`, `rendezvous`, `assignment`, `settle`, `preference`: how tables are computed.
//!
//! This crate does no I/O, reads no clock and draws no random numbers: the same input gives the same table.

mod assignment;
pub mod build;
pub mod device;
pub mod edit;
pub mod file;
pub mod placement;
mod preference;
mod rendezvous;
pub mod report;
pub mod ring;
mod settle;
mod shares;
mod topology;

pub use build::{build, partition_bits_for};
pub use device::{Device, DeviceId, NodeId, ZoneId};
pub use edit::edit;
pub use file::FileError;
pub use placement::{Partition, PlacementHash, PlacementKey};
pub use report::{Balance, DeviceBalance, Dispersion, Move, Movement};
pub use ring::{Ring, RingError};
