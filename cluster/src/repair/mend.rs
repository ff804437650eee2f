//! Gives a device a sound copy of a blob that it misses, or of which its own is damaged.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use martlet_protocol::{BlobId, BlobOwner, BlobRef, BlobStanding, InspectBlobs, InspectDepth, ReplicaError};
use martlet_ring::DeviceId;

use super::asking::{answer_of, ask_each};
use super::missed::{handoffs, lies_apart};
use crate::blob::copy::{Onto, copy};
use crate::cluster::Shared;
use crate::device::{Answered, Device};

/// Copies that readers have asked for and that go on at once. What is beyond that is found by the next scrub.
const MENDING_MAX: usize = 16;

/// What became of a blob on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// The device has got a sound copy.
    Copied,
    /// Nobody else has the blob. If a row refers to it, it is lost; if none does, it is about to be reclaimed.
    Nowhere,
    /// Somebody couldn't be asked, or the copy failed.
    Undecided,
}

/// Copies a blob to a device from whoever has it undamaged.
///
/// A blob that is missing gets the owner that the others know, so that the sweeps of all devices ask the same rows.
/// One that is damaged is replaced only once the new bytes are durable and known to be the right ones.
pub(super) async fn mend(shared: &Shared, blob: &BlobRef, to: DeviceId) -> Mended {
    let Some(target) = shared.device(to).cloned() else { return Mended::Undecided };
    let onto = match standing(shared, &target, blob.id).await {
        Ok(BlobStanding::Absent) => Onto::Free,
        Ok(BlobStanding::Held(_) | BlobStanding::Damaged(_) | BlobStanding::EntryDamaged) => Onto::Taken,
        Err(_) => return Mended::Undecided,
    };
    let (holders, is_complete) = holders(shared, blob, to).await;
    let Some((_, owner)) = holders.first() else {
        return if is_complete { Mended::Nowhere } else { Mended::Undecided };
    };
    let owner = owner.clone();
    let sources: Vec<Arc<Device>> = holders.into_iter().map(|(device, _)| device).collect();
    match copy(shared, (blob, &owner), sources.iter(), &target, onto).await {
        Ok(()) => {
            shared.figures.blobs_mended.increment();
            Mended::Copied
        }
        Err(error) => {
            tracing::warn!(device = %to, blob = ?blob.id, %error, "a blob couldn't be copied");
            Mended::Undecided
        }
    }
}

/// The other devices whose index has this very blob, and whose it is; and whether all have been heard.
async fn holders(shared: &Shared, blob: &BlobRef, but: DeviceId) -> (Vec<(Arc<Device>, BlobOwner)>, bool) {
    let mut devices = shared.devices_of(blob.hash);
    if lies_apart(shared, blob.id, blob.hash) {
        devices.extend(handoffs(shared, blob.hash));
    }
    devices.retain(|device| device.id != but);
    let questions: Vec<_> = devices.into_iter().map(|device| (device, blob.id)).collect();
    let ask = |replica: Arc<dyn martlet_protocol::Replica>, id| async move {
        replica.inspect(InspectBlobs { blobs: vec![id], depth: InspectDepth::Index }).await
    };
    let (mut holders, mut is_complete) = (Vec::new(), true);
    for (device, answer) in ask_each(questions, shared.options.answer_deadline, ask).await {
        match (answer.as_deref(), shared.device(device)) {
            (Ok([BlobStanding::Held(held)]), Some(device)) if held.blob == *blob => {
                holders.push((device.clone(), held.owner.clone()));
            }
            (Ok([_]), _) => {}
            _ => is_complete = false,
        }
    }
    (holders, is_complete)
}

pub(super) async fn standing(shared: &Shared, device: &Device, blob: BlobId) -> Answered<BlobStanding> {
    let call = device.replica.inspect(InspectBlobs { blobs: vec![blob], depth: InspectDepth::Index });
    let mut standings = answer_of(device, shared.options.answer_deadline, call).await?;
    standings.pop().ok_or(ReplicaError::Invalid("an answer about no blob"))
}

/// Blobs that a reader found damaged or missing, and that are being replaced.
#[derive(Debug, Default)]
pub(crate) struct Mending {
    under_way: Mutex<HashSet<(BlobId, DeviceId)>>,
}

impl Mending {
    fn under_way(&self) -> MutexGuard<'_, HashSet<(BlobId, DeviceId)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `false`: somebody is at it, or too many are being replaced already.
    fn begin(&self, what: (BlobId, DeviceId)) -> bool {
        let mut under_way = self.under_way();
        under_way.len() < MENDING_MAX && under_way.insert(what)
    }
}

/// Replaces a blob in the background that a device couldn't give to a reader.
pub(crate) fn mend_later(shared: &Arc<Shared>, blob: BlobRef, device: DeviceId) {
    let what = (blob.id, device);
    if !shared.mending.begin(what) {
        return;
    }
    let worker = shared.clone();
    shared.background.spawn(async move {
        let outcome = mend(&worker, &blob, device).await;
        tracing::info!(%device, blob = ?blob.id, ?outcome, "a blob that couldn't be read");
        worker.mending.under_way().remove(&what);
    });
}
