//! Garbage: blobs that an accepted value let go of.

use std::sync::Arc;

use martlet_model::Result;
use martlet_protocol::{BlobId, Garbage, Replica, RowAddress};
use martlet_ring::DeviceId;

use super::references::{fact, is_owned, patience, reclaim_at_homes, refers};
use super::{Fate, Round, unknown_device};
use crate::cluster::{ClusterStore, Shared};
use crate::fanout::ask;

/// Works through the oldest entries of a device's garbage queue, at most `limit`.
///
/// An entry says that *some* replica accepted a value without the blob: whether that value was chosen,
/// and whether anything else refers to the blob, is asked before its space is given back.
pub async fn collect_garbage(store: &ClusterStore, device: DeviceId, limit: usize) -> Result<Round> {
    let shared = &store.shared;
    let device = shared.device(device).ok_or_else(|| unknown_device(device))?;
    let entries = match device.replica.garbage(limit).await {
        Ok(entries) => entries,
        Err(error) => return Err(martlet_model::Error::Internal(Box::new(error))),
    };
    let mut round = Round::default();
    for entry in entries {
        let fate = collect(shared, &entry).await;
        if matches!(fate, Ok(Fate::Removed | Fate::Kept)) {
            settle(shared, &entry.row, entry.blob.id).await;
        }
        round.count(&fate);
    }
    shared.figures.garbage_removed.add(round.removed as u64);
    Ok(round)
}

async fn collect(shared: &Arc<Shared>, entry: &Garbage) -> Result<Fate> {
    if refers(shared, &entry.row, entry.blob.id).await? {
        return Ok(Fate::Kept);
    }
    // A blob beside its row belongs to that row alone. One with a place of its own may have passed to another row.
    if entry.blob.hash != entry.row.hash {
        // Where a device's rows refer to it, or where it already is gone, there is nothing to do here:
        // should the last reference vanish later, that makes an entry of its own, or an orphan.
        let Some(fact) = fact(shared, &entry.blob).await? else { return Ok(Fate::Kept) };
        if is_owned(shared, entry.blob.id, &fact.owner).await? {
            return Ok(Fate::Kept);
        }
    }
    // A device that is away has the blob left over, and finds that by the sweep once it is back.
    // Entries that waited for it would keep all others waiting that come after them.
    let is_anywhere = reclaim_at_homes(shared, &entry.blob).await.contains(&true);
    Ok(if is_anywhere { Fate::Removed } else { Fate::Undecided })
}

/// Takes the blob off the queues of all replicas of the row.
async fn settle(shared: &Arc<Shared>, row: &RowAddress, blob: BlobId) {
    let devices = shared.devices_of(row.hash);
    let question = |replica: Arc<dyn Replica>| async move { replica.settle_garbage(vec![blob]).await };
    drop(ask(&devices, patience(shared), question, |_| false).await);
}
