//! A device in figures, for those who run it.

use martlet_meter::{DURATION_MICROS, GROUP_SIZES, Histogram};

/// What a device has done since it was opened. Read while it is written.
#[derive(Debug)]
pub struct DeviceFigures {
    /// Jobs that the writer carried out at once.
    pub group_jobs: Histogram,
    /// How long a group took: deciding, syncing and committing; in microseconds.
    pub group_micros: Histogram,
    /// How long the syncs took that a group with something new ends with: the segment's, if bodies went into it, and the
    /// commit's; in microseconds.
    pub sync_micros: Histogram,
}

/// How a device stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// Whether it has failed, and answers nothing any more.
    pub has_failed: bool,
    /// Jobs that wait for the writer.
    pub writes_queued: usize,
    /// Reads that wait for a thread.
    pub reads_queued: usize,
    /// Pieces of large blobs that wait for a thread.
    pub blob_writes_queued: usize,
    /// What the disk says that it has left.
    pub free_bytes: u64,
    /// Blobs that were let go of, and whose space hasn't been given back yet.
    pub garbage_blobs: u64,
}

impl Default for DeviceFigures {
    fn default() -> Self {
        Self {
            group_jobs: Histogram::new(GROUP_SIZES),
            group_micros: Histogram::new(DURATION_MICROS),
            sync_micros: Histogram::new(DURATION_MICROS),
        }
    }
}
