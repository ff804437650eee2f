//! A storage node's devices: each a directory that keeps rows in SQLite and bytes in files.
//!
//! [`Device`] implements [`martlet_protocol::Replica`]. It is opened with [`DeviceOptions`] and belongs to one cluster
//! under one [`DeviceIdentity`]. `docs/formats.md` describes every byte of its directory.
//!
//! - [`disk`]: everything that touches the disk; synchronous, on a device's own threads.
//! - [`figures`]: a device in figures.
//! - `door`: where async code meets those threads, at bounded queues.
//!
//! **Invariant:** this crate knows no accounts, buckets or HTTP: rows are opaque bytes.

pub mod clock;
mod device;
pub mod disk;
mod door;
pub mod figures;
pub mod identity;
pub mod options;

pub use clock::{SteadyClock, SystemSteadyClock};
pub use device::Device;
pub use disk::files::{DiskFile, FileLock, Files, SystemFiles};
pub use disk::start::OpenError;
pub use figures::{DeviceFigures, DeviceState};
pub use identity::{ClusterId, DeviceIdentity};
pub use options::{CHECKPOINT_LOG_PAGES, DeviceOptions, GARBAGE_GRACE, RESERVE_BYTES, UNFOLDED_BYTES_MAX};
