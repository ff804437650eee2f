//! The device on a simulated disk: the power fails at every moment, or the disk does, or both.
//!
//! A workload is carried out once, on a disk that logs every event ([`disk`], [`event`]).
//! For each moment of the log, [`crash`] makes the states that a power cut then can leave,
//! a device is opened on each, and [`check`] compares it with the reference ([`model`]):
//!
//! - What was answered is there, whole, with its counters, digests, queues and bytes.
//! - What was under way is there entirely or not at all.
//! - What was promised is still refused below the promise.
//! - No stray file is left, and the device goes on working; a second crash while it comes up does no harm.
//!
//! A disk that fails itself is another matter: see [`trial`]. And a harness that finds nothing proves nothing:
//! [`fault`] plants faults, each of which has to be found.
//!
//! `MARTLET_SEED` chooses other workloads and other crashes, and `MARTLET_CRASHES` how many states a test looks at.
//! A failure prints its seed, the number of the event, and what led to it. What chance decides is the same for the same
//! seed; in which order the device's threads come to the disk isn't, so a second run may number the events otherwise.

mod chance;
mod check;
mod crash;
mod disk;
mod drive;
mod event;
mod explore;
mod failing_disks;
mod fault;
mod model;
mod operation;
mod plan;
mod power_cuts;
mod tree;
mod trial;
mod workload;
