//! Repair, one pass at a time.

use martlet_model::{Result, Timestamp};
use martlet_protocol::BlobId;
use martlet_ring::DeviceId;

use super::unknown_device;
use crate::cluster::ClusterStore;
pub use crate::repair::blobs::{BlobCursor, BlobRound, BlobSweep};
pub use crate::repair::refill::RefillRound;
pub use crate::repair::rows::RepairRound;
pub use crate::repair::scrub::{ScrubBudget, ScrubRound, ScrubSweep};

/// Compares the replicas of the partitions that a device leads, and brings rows level on which they differ.
///
/// It leads those whose first device it is, and those whose earlier devices can't be reached at the moment.
/// Where everybody holds the same, a pass is one short question to each device.
pub async fn repair(store: &ClusterStore, device: DeviceId) -> Result<RepairRound> {
    let shared = &store.shared;
    shared.device(device).ok_or_else(|| unknown_device(device))?;
    let round = crate::repair::rows::repair(shared, device).await;
    shared.figures.rows_leveled.add(round.rows_leveled as u64);
    Ok(round)
}

/// Brings a device level that was made anew in place of a lost one, and that answers no question about rows yet;
/// `floor` is the time up to which it refuses ballots. See `repair::refill` for what makes it safe.
///
/// Once a round is complete, the device may answer like any other. Bytes that lie apart from their rows it gets
/// by [`repair_blobs`] for all devices.
pub async fn refill(store: &ClusterStore, device: DeviceId, floor: Timestamp) -> Result<RefillRound> {
    let shared = &store.shared;
    shared.device(device).ok_or_else(|| unknown_device(device))?;
    let round = crate::repair::refill::refill(shared, device, floor).await;
    shared.figures.rows_leveled.add(round.rows_leveled as u64);
    Ok(round)
}

/// Looks at about `limit` rows of the partitions that a device leads, after `after`: whether every device where they
/// place a blob has it, and whether every replica can read them. What is missing or damaged is copied or proposed anew.
///
/// Rounds from beginning to end are a full pass, which also finds what nobody has taken notice of when it was lost.
pub async fn repair_blobs(
    store: &ClusterStore,
    device: DeviceId,
    after: Option<BlobCursor>,
    limit: usize,
) -> Result<BlobSweep> {
    let shared = &store.shared;
    shared.device(device).ok_or_else(|| unknown_device(device))?;
    let sweep = crate::repair::blobs::repair_blobs(shared, device, after, limit).await;
    shared.figures.rows_leveled.add(sweep.round.rows_mended as u64);
    shared.figures.blobs_lost.add(sweep.round.lost as u64);
    Ok(sweep)
}

/// Reads a device's blobs after `after`, at the pace of the budget, and replaces from other devices what is damaged.
pub async fn scrub(
    store: &ClusterStore,
    device: DeviceId,
    after: Option<BlobId>,
    budget: ScrubBudget,
) -> Result<ScrubSweep> {
    let shared = &store.shared;
    let device = shared.device(device).ok_or_else(|| unknown_device(device))?;
    let sweep = crate::repair::scrub::scrub(shared, device, after, budget).await?;
    shared.figures.scrubbed_bytes.add(sweep.round.bytes);
    shared.figures.scrubbed_damaged.add(sweep.round.damaged as u64);
    Ok(sweep)
}
