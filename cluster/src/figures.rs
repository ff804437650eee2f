//! A cluster in figures, as one process sees it and works on it.

use martlet_meter::Counter;
use martlet_ring::DeviceId;

/// What has gone wrong and what was put right since the start of the process. Read while it is written.
#[derive(Debug, Default)]
pub struct ClusterFigures {
    /// Rows that couldn't be read or changed because too few of their replicas answered.
    pub rows_without_quorum: Counter,
    /// Changes of rows of which nobody knows whether they were made.
    pub changes_unknown: Counter,
    /// Bodies that too few devices took.
    pub bodies_without_quorum: Counter,
    /// Bodies that no device could be found for that has them undamaged.
    pub bodies_unreadable: Counter,
    /// Listings and counts that too few devices answered.
    pub listings_without_quorum: Counter,
    /// Counts of tables of which one replica was believed, since a majority didn't agree in time.
    pub counts_estimated: Counter,
    /// Blobs that some of their devices missed when they were stored, and that are noted to be delivered.
    pub blobs_missed: Counter,
    /// Copies that devices were given of blobs that they missed, or of which their own was damaged.
    pub blobs_mended: Counter,
    /// Rows that were proposed once more because their replicas differed, or one couldn't read its own.
    pub rows_leveled: Counter,
    pub scrubbed_bytes: Counter,
    /// Blobs that the scrubber found damaged.
    pub scrubbed_damaged: Counter,
    /// Blobs that a row refers to and that no device has any more.
    pub blobs_lost: Counter,
    /// Blobs that nobody referred to any more, and that were removed.
    pub garbage_removed: Counter,
    /// Blobs that no row ever referred to, and that were removed.
    pub orphans_removed: Counter,
    pub tombstones_removed: Counter,
    /// Objects whose time had come.
    pub expired_removed: Counter,
    /// Tables of deleted containers that were cleared away.
    pub tables_cleared: Counter,
}

/// How a device answers, as far as this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceHealth {
    pub device: DeviceId,
    /// Whether it is asked like any other, rather than last.
    pub is_trusted: bool,
    /// Questions that it failed to answer, or not in time.
    pub failures: u64,
}
