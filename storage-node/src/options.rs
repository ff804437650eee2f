//! How a device is opened.

use std::sync::Arc;
use std::time::Duration;

use martlet_model::Clock;

use crate::clock::SteadyClock;
use crate::disk::files::Files;
use crate::identity::DeviceIdentity;

/// How long a blob that was let go of stays, unless options say otherwise.
pub const GARBAGE_GRACE: Duration = Duration::from_mins(1);

/// New data is refused when less than this is free, so that removals still have room.
pub const RESERVE_BYTES: u64 = 128 * 1024 * 1024;

/// The length of the index's log, in pages of 4 KiB, from which it is copied into the index: 32 MiB.
/// A page that changes again meanwhile is copied once.
pub const CHECKPOINT_LOG_PAGES: u32 = 8192;

/// How much of what commits change again and again waits in the index, to be put where it belongs once for all of them.
/// Whoever asks for counters reads it.
pub const UNFOLDED_BYTES_MAX: usize = 128 * 1024;

/// How a device is opened.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Which device it has to be.
    pub identity: DeviceIdentity,
    /// Only ever compared with ballots; it may be wrong.
    pub wall: Arc<dyn Clock>,
    /// Measures how long something has been known.
    pub steady: Arc<dyn SteadyClock>,
    /// The file system for everything but the index.
    pub files: Arc<dyn Files>,
    /// The SQLite VFS through which the index is reached; `None`: the operating system's.
    pub vfs: Option<String>,
    pub garbage_grace: Duration,
    pub reserve_bytes: u64,
    pub checkpoint_log_pages: u32,
    /// How much may wait in the index to be put where it belongs, with what many commits change again and again.
    pub unfolded_bytes_max: usize,
}
