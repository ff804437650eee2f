//! Whether nothing lies in partitions that are about to move.

use std::collections::BTreeSet;

use martlet_protocol::{BlobId, Replica, ReplicaError, SealToken, TableId};
use martlet_ring::Partition;

use crate::devices::Replicas;

/// How many blobs are looked at together.
const BLOBS_COUNT: usize = 1000;
/// A seal that nobody holds: lifting it changes nothing, but is done only after everything that a device has queued.
const NO_SEAL: (TableId, SealToken) = (TableId::system(0), SealToken([0; 16]));

/// `Err`: why the partitions can't move. Whatever was admitted before has been answered or given up by now,
/// and nothing is admitted any more.
pub(super) async fn check(devices: &Replicas, moved: &[Partition], bits: u8) -> Result<(), String> {
    let wanted: BTreeSet<Partition> = moved.iter().copied().collect();
    for (id, device) in devices {
        let held = look(&**device, moved, &wanted, bits).await;
        match held {
            Ok(0) => {}
            Ok(count) => {
                return Err(format!(
                    "{id} holds data in {count} or more of the {} partitions that would move, and moving data isn't \
                     offered yet",
                    moved.len()
                ));
            }
            Err(error) => return Err(format!("{id} can't say what it holds: {error}")),
        }
    }
    Ok(())
}

/// In how many of the partitions something was found; blobs are looked at until one is found.
async fn look(
    device: &dyn Replica,
    moved: &[Partition],
    wanted: &BTreeSet<Partition>,
    bits: u8,
) -> Result<usize, ReplicaError> {
    let (table, token) = NO_SEAL;
    device.unseal(table, token).await?;
    let digests = device.digests(moved.to_vec()).await?;
    let with_rows = digests.iter().filter(|digest| **digest != 0).count();
    if with_rows > 0 {
        return Ok(with_rows);
    }
    let mut after: Option<BlobId> = None;
    loop {
        let held = device.held(after, BLOBS_COUNT).await?;
        if held.iter().any(|held| wanted.contains(&held.blob.hash.partition(bits))) {
            return Ok(1);
        }
        match held.last() {
            Some(last) if held.len() >= BLOBS_COUNT => after = Some(last.blob.id),
            _ => return Ok(0),
        }
    }
}
