//! Blobs that one of their devices missed when they were stored: noted, kept elsewhere meanwhile, and delivered.
//!
//! A blob with a place of its own (a part, a segment of a large body) needs a majority of its devices to be stored.
//! Where one of them was away, a row in a system table says so before the write is answered: the row is a register like
//! any other, and survives whatever the data survives. Another device, the next in the order of the ring, gets the
//! copy that the absent one missed. Once that one is back it gets its own, and the other's is given up.
//!
//! Blobs that lie with their row need no note: a replica that missed one hasn't accepted the row either,
//! and gets both when its rows are brought level.

mod note;

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::Result;
use martlet_protocol::{BlobId, BlobOwner, BlobRef, BlobStanding, RowState, RowValue};
use martlet_ring::{DeviceId, Partition, PlacementHash};

use self::note::MissedBlob;
use super::mend::{Mended, mend, standing};
use crate::blob::copy::{Onto, copy};
use crate::cluster::{MISSED, Shared};
use crate::device::{Device, healthy_first};
use crate::list::{Found, Lister, Question};
use crate::record::live;
use crate::row::change::change;
use crate::row::{Access, Guard, Verdict};
use crate::workers::is_owned;

/// Devices beyond its own that are tried for a blob.
const HANDOFFS_TRIED: usize = 4;

/// What one pass over missed blobs did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deliveries {
    pub(super) delivered: usize,
    pub(super) waiting: usize,
}

/// The devices that stand in for a blob's own, in the order in which they are tried: those that follow on the ring.
pub(crate) fn handoffs(shared: &Shared, hash: PlacementHash) -> Vec<Arc<Device>> {
    let homes = shared.ring.devices_of_hash(hash).to_vec();
    let others = shared.ring.devices().len() - homes.len();
    let count = u32::try_from(shared.ring.partition_count()).unwrap_or(u32::MAX);
    let first = shared.ring.partition_of(hash).0;
    let mut found: Vec<DeviceId> = Vec::new();
    for offset in 1..count {
        for &device in shared.ring.devices_of(Partition((first + offset) % count)) {
            if !homes.contains(&device) && !found.contains(&device) {
                found.push(device);
            }
        }
        if found.len() >= HANDOFFS_TRIED.min(others) {
            break;
        }
    }
    found.into_iter().take(HANDOFFS_TRIED).filter_map(|id| shared.device(id).cloned()).collect()
}

/// Whether a blob lies where its own id places it.
pub(crate) fn lies_apart(shared: &Shared, blob: BlobId, hash: PlacementHash) -> bool {
    shared.hash_blob(blob) == hash
}

/// Notes that some of a blob's devices don't have it, and has another one keep it for them, in the background.
///
/// If the note can't be written, the blob is as safe as its majority, and a full pass finds what is missing.
pub(crate) async fn note(shared: &Arc<Shared>, blob: BlobRef, owner: BlobOwner, missing: Vec<DeviceId>) {
    let missed = MissedBlob { blob, owner, missing, kept_by: None };
    if let Err(error) = write(shared, &missed).await {
        tracing::warn!(blob = ?blob.id, %error, "it couldn't be noted that a device misses a blob");
        return;
    }
    shared.figures.blobs_missed.increment();
    let worker = shared.clone();
    shared.background.spawn(async move { keep_elsewhere(&worker, missed).await });
}

/// Delivers what devices missed that are back, as far as the notes are this device's to look after.
pub(super) async fn deliver(
    shared: &Arc<Shared>,
    is_ours: impl Fn(PlacementHash) -> bool,
) -> Result<Deliveries> {
    let mut lister = Lister::new(shared, Question::all(MISSED, Guard::None));
    let mut deliveries = Deliveries::default();
    while let Some(Found::Row { key, entry }) = lister.next().await? {
        if !is_ours(shared.address(MISSED, key.clone()).hash) {
            continue;
        }
        let missed = MissedBlob::read(&key, &entry)?;
        match deliver_one(shared, &missed).await {
            Ok(true) => deliveries.delivered += 1,
            Ok(false) => deliveries.waiting += 1,
            Err(error) => {
                tracing::debug!(blob = ?missed.blob.id, %error, "a delivery is left for another pass");
                deliveries.waiting += 1;
            }
        }
    }
    Ok(deliveries)
}

/// `true`: every device has what it missed, and the note is gone.
async fn deliver_one(shared: &Arc<Shared>, missed: &MissedBlob) -> Result<bool> {
    let mut is_done = true;
    // What no row refers to may have been given up at its own devices: nobody needs it back.
    if !is_abandoned(shared, missed).await? {
        for &device in &missed.missing {
            is_done &= has_or_gets(shared, &missed.blob, device).await;
        }
    }
    if !is_done {
        if missed.kept_by.is_none() {
            keep_elsewhere(shared, missed.clone()).await;
        }
        return Ok(false);
    }
    for device in handoffs(shared, missed.blob.hash) {
        let outcome = device.replica.reclaim(vec![missed.blob.id]).await;
        device.note(&outcome);
        // Only the one that is known to have it must have given it up.
        if outcome.is_err() && missed.kept_by == Some(device.id) {
            return Ok(false);
        }
    }
    remove(shared, missed).await?;
    Ok(true)
}

async fn has_or_gets(shared: &Shared, blob: &BlobRef, device: DeviceId) -> bool {
    let Some(target) = shared.device(device) else { return true };
    match standing(shared, target, blob.id).await {
        Ok(BlobStanding::Held(held)) if held.blob == *blob => true,
        Ok(_) => mend(shared, blob, device).await == Mended::Copied,
        Err(_) => false,
    }
}

/// Whether none of the blob's devices has it, and no row refers to it.
async fn is_abandoned(shared: &Arc<Shared>, missed: &MissedBlob) -> Result<bool> {
    for device in shared.devices_of(missed.blob.hash) {
        match standing(shared, &device, missed.blob.id).await {
            Ok(BlobStanding::Absent) => {}
            Ok(_) | Err(_) => return Ok(false),
        }
    }
    Ok(!is_owned(shared, missed.blob.id, &missed.owner).await?)
}

/// Gives a copy to the first device that takes it, and notes which.
async fn keep_elsewhere(shared: &Arc<Shared>, missed: MissedBlob) {
    let mut keepers = handoffs(shared, missed.blob.hash);
    let healthy = healthy_first(&mut keepers);
    keepers.truncate(healthy);
    let holders: Vec<_> = shared
        .devices_of(missed.blob.hash)
        .into_iter()
        .filter(|device| !missed.missing.contains(&device.id))
        .collect();
    for keeper in keepers {
        let what = (&missed.blob, &missed.owner);
        match copy(shared, what, holders.iter(), &keeper, Onto::Free).await {
            Ok(()) => {
                let kept = MissedBlob { kept_by: Some(keeper.id), ..missed };
                if let Err(error) = update(shared, &kept).await {
                    tracing::debug!(blob = ?kept.blob.id, %error, "it couldn't be noted who keeps a blob");
                }
                return;
            }
            Err(error) => tracing::debug!(device = %keeper.id, %error, "a device doesn't keep a blob"),
        }
    }
}

async fn write(shared: &Arc<Shared>, missed: &MissedBlob) -> Result<()> {
    let access = access(shared, missed);
    let decide = |predecessor: Option<&RowState>| {
        // One device may have failed sooner than another.
        let before = live(predecessor).map(|live| MissedBlob::read(&access.row.row.key, live.entry));
        match before.transpose() {
            Ok(before) => Verdict::Write { value: missed.and(before).to_value(), answer: () },
            Err(error) => Verdict::Leave(Err(error.into())),
        }
    };
    change(shared, &access, None, decide).await
}

/// Only where the note still is there.
async fn update(shared: &Arc<Shared>, missed: &MissedBlob) -> Result<()> {
    let value = missed.to_value();
    let decide = |predecessor: Option<&RowState>| match live(predecessor) {
        Some(_) => Verdict::Write { value: value.clone(), answer: () },
        None => Verdict::Leave(Ok(())),
    };
    change(shared, &access(shared, missed), None, decide).await
}

async fn remove(shared: &Arc<Shared>, missed: &MissedBlob) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match live(predecessor) {
        Some(_) => Verdict::Write { value: RowValue::Tombstone, answer: () },
        None => Verdict::Leave(Ok(())),
    };
    change(shared, &access(shared, missed), None, decide).await
}

fn access(shared: &Shared, missed: &MissedBlob) -> Access {
    Access::open(shared, MISSED, Bytes::copy_from_slice(&missed.blob.id.0))
}
