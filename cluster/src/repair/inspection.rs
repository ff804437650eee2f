//! Looks for blobs on all devices where they belong.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_protocol::{BlobId, BlobRef, BlobStanding, InspectBlobs, InspectDepth, RowAddress};
use martlet_ring::DeviceId;

use super::asking::answer_of;
use crate::blob::BLOB_BYTES_MAX;
use crate::cluster::Shared;
use crate::device::Device;
use crate::row::read::read_value;
use crate::row::{Access, Guard};

/// Blobs that a device is asked about at once.
const BLOBS_AT_ONCE: usize = 512;

/// A blob of a row, which is named by its place in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlobCheck {
    row: usize,
    blob: BlobRef,
}

impl BlobCheck {
    pub(super) fn new(row: usize, blob: BlobRef) -> Self {
        Self { row, blob }
    }
}

/// Something that is wrong with a blob on one of the devices where it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlobFinding {
    pub(super) row: usize,
    pub(super) blob: BlobRef,
    pub(super) device: DeviceId,
    pub(super) fault: BlobFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlobFault {
    Missing,
    Damaged,
    /// The device didn't answer.
    Unknown,
}

/// Asks all homes of these blobs, and gives what is wrong with which row's blobs.
pub(super) async fn check(
    shared: &Arc<Shared>,
    checks: &[BlobCheck],
    depth: InspectDepth,
) -> Vec<BlobFinding> {
    let mut of_device: BTreeMap<DeviceId, Vec<&BlobCheck>> = BTreeMap::new();
    for check in checks {
        for &device in shared.ring.devices_of_hash(check.blob.hash) {
            of_device.entry(device).or_default().push(check);
        }
    }
    let asking = of_device.into_iter().filter_map(|(id, checks)| {
        let device = shared.device(id)?.clone();
        Some(async move { check_at(shared, &device, &checks, depth).await })
    });
    futures_util::future::join_all(asking).await.into_iter().flatten().collect()
}

async fn check_at(
    shared: &Shared,
    device: &Device,
    checks: &[&BlobCheck],
    depth: InspectDepth,
) -> Vec<BlobFinding> {
    let mut found = Vec::new();
    for checks in batches(checks, depth) {
        let blobs: Vec<BlobId> = checks.iter().map(|check| check.blob.id).collect();
        let deadline = match depth {
            InspectDepth::Index => shared.options.answer_deadline,
            InspectDepth::Bytes => shared.options.copy_deadline,
        };
        let call = device.replica.inspect(InspectBlobs { blobs, depth });
        let standings = answer_of(device, deadline, call).await;
        let standings = standings.ok().filter(|standings| standings.len() == checks.len());
        for (index, check) in checks.iter().enumerate() {
            let standing = standings.as_ref().and_then(|standings| standings.get(index));
            let fault = match standing {
                Some(BlobStanding::Held(held)) if held.blob == check.blob => continue,
                Some(BlobStanding::Absent) => BlobFault::Missing,
                Some(_) => BlobFault::Damaged,
                None => BlobFault::Unknown,
            };
            let BlobCheck { row, blob } = **check;
            found.push(BlobFinding { row, blob, device: device.id, fault });
        }
    }
    found
}

/// Where every byte is read, no question is about more than the largest blob.
fn batches<'a>(checks: &'a [&'a BlobCheck], depth: InspectDepth) -> Vec<&'a [&'a BlobCheck]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, check) in checks.iter().enumerate() {
        let is_much = depth == InspectDepth::Bytes && bytes + check.blob.bytes > BLOB_BYTES_MAX;
        if start < index && (is_much || index - start >= BLOBS_AT_ONCE) {
            batches.push(&checks[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += check.blob.bytes;
    }
    if start < checks.len() {
        batches.push(&checks[start..]);
    }
    batches
}

/// Whether the row has the blob now. It may have been overwritten since it was looked at, and its blobs removed.
/// What can't be read may refer to anything.
pub(super) async fn still_refers(shared: &Arc<Shared>, row: &RowAddress, blob: BlobId) -> bool {
    let access = Access { row: row.clone(), seal: None, guard: Guard::None, spared: None };
    match read_value(shared, &access).await {
        Ok(state) => state.is_some_and(|state| state.value.blobs().iter().any(|known| known.id == blob)),
        Err(_) => true,
    }
}
