//! The scrubber: reads everything on a device, a little at a time, and replaces what is damaged.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use martlet_model::{Error, Result};
use martlet_protocol::{BlobId, BlobStanding, HeldBlob, InspectBlobs, InspectDepth};
use tokio::time::{Instant, sleep_until};

use super::asking::answer_of;
use super::mend::{Mended, mend};
use crate::cluster::Shared;
use crate::device::Device;

/// How much of a device is read, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubBudget {
    /// What the scrubber may read from one device in a second, on average over a few blobs.
    pub bytes_per_second: NonZeroU64,
    /// A round ends after this.
    pub bytes_max: u64,
}

/// What one round of a scrub found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubRound {
    pub blobs: usize,
    pub bytes: u64,
    /// Blobs whose bytes were gone, or weren't what was stored.
    pub damaged: usize,
    /// Of these: replaced from another device.
    pub replaced: usize,
}

/// One round of a scrub, and where the next one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubSweep {
    pub round: ScrubRound,
    /// `None`: the device has been gone through.
    pub next: Option<BlobId>,
}

/// Blobs that are named at once.
const BLOBS_AT_ONCE: usize = 64;
/// Blobs are read in questions of about this size, so that the pace is even.
const QUESTION_BYTES: u64 = 4 * 1024 * 1024;

/// Reads a device's blobs after `after`, checks every byte, and replaces what is damaged.
pub(crate) async fn scrub(
    shared: &Arc<Shared>,
    device: &Arc<Device>,
    after: Option<BlobId>,
    budget: ScrubBudget,
) -> Result<ScrubSweep> {
    let mut sweep = ScrubSweep { round: ScrubRound::default(), next: after };
    loop {
        let call = device.replica.held(sweep.next, BLOBS_AT_ONCE);
        let held = answer_of(device, shared.options.answer_deadline, call).await.map_err(in_vain)?;
        let is_last = held.len() < BLOBS_AT_ONCE;
        let mut rest = &held[..];
        while let Some(last) = question(rest).last() {
            let question = question(rest);
            rest = &rest[question.len()..];
            sweep.next = Some(last.blob.id);
            let started = Instant::now();
            let bytes = read(shared, device, question, &mut sweep.round).await?;
            sleep_until(started + time_for(bytes, budget.bytes_per_second)).await;
            if sweep.round.bytes >= budget.bytes_max && !(is_last && rest.is_empty()) {
                return Ok(sweep);
            }
        }
        if is_last {
            return Ok(ScrubSweep { next: None, ..sweep });
        }
    }
}

/// The first of these blobs that are read together.
fn question(held: &[HeldBlob]) -> &[HeldBlob] {
    let mut bytes = 0;
    let count = held.iter().take_while(|held| {
        let fits = bytes < QUESTION_BYTES;
        bytes += held.blob.bytes;
        fits
    });
    &held[..count.count()]
}

async fn read(
    shared: &Arc<Shared>,
    device: &Arc<Device>,
    question: &[HeldBlob],
    round: &mut ScrubRound,
) -> Result<u64> {
    let blobs = question.iter().map(|held| held.blob.id).collect();
    let call = device.replica.inspect(InspectBlobs { blobs, depth: InspectDepth::Bytes });
    let standings = answer_of(device, shared.options.copy_deadline, call).await.map_err(in_vain)?;
    let bytes = question.iter().map(|held| held.blob.bytes).sum();
    round.blobs += question.len();
    round.bytes += bytes;
    for standing in standings {
        if let BlobStanding::Damaged(held) = standing {
            round.damaged += 1;
            let outcome = mend(shared, &held.blob, device.id).await;
            tracing::warn!(device = %device.id, blob = ?held.blob.id, ?outcome, "a damaged blob");
            round.replaced += usize::from(outcome == Mended::Copied);
        }
    }
    Ok(bytes)
}

/// How long reading so much may take at the least.
fn time_for(bytes: u64, bytes_per_second: NonZeroU64) -> Duration {
    let micros = u128::from(bytes) * 1_000_000 / u128::from(bytes_per_second.get());
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn in_vain(error: martlet_protocol::ReplicaError) -> Error {
    Error::Internal(Box::new(error))
}
