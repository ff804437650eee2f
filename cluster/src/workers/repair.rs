//! Repair, one pass at a time.

use martlet_model::Result;
use martlet_ring::DeviceId;

use super::unknown_device;
use crate::cluster::ClusterStore;
pub use crate::repair::rows::RepairRound;

/// Compares the replicas of the partitions that a device leads, and brings rows level on which they differ.
///
/// It leads those whose first device it is, and those whose earlier devices can't be reached at the moment.
/// Where everybody holds the same, a pass is one short question to each device.
pub async fn repair(store: &ClusterStore, device: DeviceId) -> Result<RepairRound> {
    let shared = &store.shared;
    shared.device(device).ok_or_else(|| unknown_device(device))?;
    Ok(crate::repair::rows::repair(shared, device).await)
}
