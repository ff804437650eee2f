//! Orphans: blobs that were staged and that no row ever came to refer to.

use std::sync::Arc;
use std::time::Duration;

use martlet_model::{Error, Result};
use martlet_protocol::{BlobFact, BlobId};
use martlet_ring::DeviceId;

use super::references::{is_owned, reclaim};
use super::{Fate, Round, unknown_device};
use crate::cluster::{ClusterStore, Shared};
use crate::device::Device;
use crate::options::ORPHAN_AGE_MIN;

/// One round of a sweep over a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrphanSweep {
    pub round: Round,
    /// Where the next round goes on; `None`: the device has been gone through.
    pub next: Option<BlobId>,
}

/// Who may still be at work on a staged blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stagers {
    /// Proxies in any process.
    Anywhere,
    /// Only this process, which has opened the devices itself: what was staged before that is nobody's work any more.
    ThisProcess,
}

/// When a blob that no row refers to is nobody's work any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrphanRule {
    pub stagers: Stagers,
    /// How long it has to be known, by a clock that never jumps. What is shorter than an upload may take its bytes
    /// away from under it.
    pub age_min: Duration,
}

impl OrphanRule {
    /// What is safe whatever is uploaded.
    pub const fn standard(stagers: Stagers) -> Self {
        Self { stagers, age_min: ORPHAN_AGE_MIN }
    }
}

/// Looks at a device's unreferenced blobs after `after`, at most `limit`.
///
/// A blob is taken for lost only once nobody can be at work on it any more, as `rule` says, and the majorities of all
/// rows that may refer to it have said that they don't.
pub async fn sweep_orphans(
    store: &ClusterStore,
    device: DeviceId,
    after: Option<BlobId>,
    limit: usize,
    rule: OrphanRule,
) -> Result<OrphanSweep> {
    let shared = &store.shared;
    let device = shared.device(device).ok_or_else(|| unknown_device(device))?;
    let facts = match device.replica.unreferenced(after, limit).await {
        Ok(facts) => facts,
        Err(error) => return Err(Error::Internal(Box::new(error))),
    };
    let next = facts.last().map(|fact| fact.blob.id).filter(|_| facts.len() >= limit);
    let mut round = Round::default();
    for fact in facts {
        let fate = if is_at_work(&fact, rule) {
            Ok(Fate::Kept)
        } else {
            match is_owned(shared, fact.blob.id, &fact.owner).await {
                Ok(true) => Ok(Fate::Kept),
                Ok(false) => Ok(reclaim_here_too(shared, device, &fact).await),
                Err(error) => Err(error),
            }
        };
        round.count(&fate);
    }
    shared.figures.orphans_removed.add(round.removed as u64);
    Ok(OrphanSweep { round, next })
}

/// Gives the blob's space back at its own devices, and on this one, which may have kept it in another's stead.
async fn reclaim_here_too(shared: &Arc<Shared>, device: &Arc<Device>, fact: &BlobFact) -> Fate {
    let fate = reclaim(shared, &fact.blob).await;
    let is_home = shared.ring.devices_of_hash(fact.blob.hash).contains(&device.id);
    if is_home || device.replica.reclaim(vec![fact.blob.id]).await.is_ok() { fate } else { Fate::Undecided }
}

/// Whether somebody may still be about to refer to the blob.
fn is_at_work(fact: &BlobFact, rule: OrphanRule) -> bool {
    let is_left_over = rule.stagers == Stagers::ThisProcess && fact.predates_opening;
    !is_left_over && fact.known_for_seconds < rule.age_min.as_secs()
}
