//! What isn't fully redundant, counted row by row and blob by blob.
//!
//! Every row that any replica holds is compared on all of its replicas, and every blob of a live row is looked for on
//! all devices where it belongs. Rows stream by in the order of their keys, so memory doesn't grow with their number.
//! What looks wrong is looked at once more before it is counted: on a cluster that is in use, a write may be on one
//! replica sooner than on the next.

mod names;
mod report;

use std::sync::Arc;
use std::time::Duration;

use martlet_protocol::{
    BlobRef, InspectDepth, RowAddress, RowStanding, SurveyDepth, SurveyedRow, TableId, TableKind,
};
use martlet_register::Ballot;
use martlet_ring::{DeviceId, Partition};
use tokio::time::sleep;

pub use self::report::{ContainerFigures, Finding, FsckReport, KindCount, Problem};
use self::report::{Tally, Verdict};
use super::inspection::{BlobCheck, BlobFault, BlobFinding, check, still_refers};
use super::level::{Agreement, agreement};
use super::rows::differs;
use super::walk::{Rows, Tables, Walk};
use crate::cluster::{ClusterStore, Shared};

/// How closely to look, and how much to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FsckOptions {
    pub depth: FsckDepth,
    /// The most findings that are told one by one; all are counted.
    pub findings_max: usize,
}

/// How closely `fsck` looks at blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsckDepth {
    /// Each device's index is asked whether it has the blob.
    Index,
    /// Each device reads the blob and checks every byte.
    Bytes,
}

/// Rows that are checked at once, and about as many blobs.
const BATCH_ROWS: usize = 256;

/// How long a row on which replicas differ is given before it is looked at again.
const SECOND_LOOK_DELAY: Duration = Duration::from_millis(200);

/// Checks everything. It changes nothing, and may run while the cluster is in use.
///
/// What couldn't be asked is counted as unknown, never as fine: see [`FsckReport::is_sound`].
pub async fn fsck(store: &ClusterStore, options: FsckOptions) -> FsckReport {
    let shared = &store.shared;
    let mut tally = Tally::new(options.findings_max);
    let everything: Vec<Partition> = shared.ring.partitions().collect();
    let mut tables = Walk::new(shared, Tables, &everything, None);
    while let Some(group) = tables.next().await {
        check_table(shared, group.name, options, &mut tally).await;
    }
    // Whoever couldn't name its tables may have some that nobody else has.
    tally.unheard(tables.failed());
    tally.report(shared).await
}

/// A row whose blobs are still to be looked for.
struct Candidate {
    row: RowAddress,
    verdict: Verdict,
    blobs: Vec<BlobRef>,
}

async fn check_table(shared: &Arc<Shared>, table: TableId, options: FsckOptions, tally: &mut Tally) {
    let partitions = partitions_of(shared, table);
    let mut rows = Walk::new(shared, Rows { table, depth: SurveyDepth::Blobs }, &partitions, None);
    let (mut batch, mut blobs_count) = (Vec::new(), 0);
    loop {
        let group = rows.next().await;
        let is_last = group.is_none();
        if let Some(group) = group {
            let row = shared.address(table, group.name.clone());
            let candidate = examine(shared, row, &group.reports, rows.failed());
            blobs_count += candidate.blobs.len();
            batch.push(candidate);
        }
        if batch.len() >= BATCH_ROWS || blobs_count >= BATCH_ROWS || is_last {
            finish(shared, std::mem::take(&mut batch), options, tally).await;
            blobs_count = 0;
        }
        if is_last {
            tally.unheard(rows.failed());
            return;
        }
    }
}

/// The parts of one upload live together; other tables are spread over all partitions.
fn partitions_of(shared: &Shared, table: TableId) -> Vec<Partition> {
    match table.kind() {
        TableKind::Parts => {
            vec![shared.ring.partition_of(shared.address(table, bytes::Bytes::new()).hash)]
        }
        TableKind::System
        | TableKind::Containers
        | TableKind::Objects
        | TableKind::Uploads
        | TableKind::Versions => shared.ring.partitions().collect(),
    }
}

/// What the replicas said of a row at the first look.
fn examine(
    shared: &Shared,
    row: RowAddress,
    reports: &[(DeviceId, SurveyedRow)],
    failed: &[DeviceId],
) -> Candidate {
    let replicas = shared.ring.devices_of_hash(row.hash);
    let mut verdict = Verdict::of(row.row.clone());
    let mut latest: Option<(Ballot, &RowStanding)> = None;
    // Who can't say what it has isn't compared, and who didn't answer neither.
    let (mut sound, mut silent) = (Vec::new(), failed.to_vec());
    for (device, surveyed) in reports.iter().filter(|(device, _)| replicas.contains(device)) {
        match surveyed.standing.ballot() {
            None => {
                verdict.note(Problem::RowDamaged { device: *device });
                silent.push(*device);
                continue;
            }
            Some(ballot) if latest.is_none_or(|(highest, _)| highest < ballot) => {
                latest = Some((ballot, &surveyed.standing));
            }
            Some(_) => {}
        }
        sound.push((*device, surveyed.clone()));
    }
    if replicas.iter().any(|device| failed.contains(device)) {
        verdict.note(Problem::RowUnknown);
    }
    verdict.seems_different = differs(shared, &row, &sound, &silent);
    let blobs = match latest {
        Some((_, RowStanding::Live { blobs, .. })) => {
            verdict.is_live = true;
            blobs.clone()
        }
        _ => Vec::new(),
    };
    Candidate { row, verdict, blobs }
}

/// Looks again at what seemed wrong, looks for the blobs, and counts.
async fn finish(shared: &Arc<Shared>, batch: Vec<Candidate>, options: FsckOptions, tally: &mut Tally) {
    let depth = match options.depth {
        FsckDepth::Index => InspectDepth::Index,
        FsckDepth::Bytes => InspectDepth::Bytes,
    };
    if batch.iter().any(|candidate| candidate.verdict.seems_different) {
        sleep(SECOND_LOOK_DELAY).await;
    }
    let mut batch = batch;
    for candidate in batch.iter_mut().filter(|candidate| candidate.verdict.seems_different) {
        match agreement(shared, &candidate.row).await {
            Agreement::Full => {}
            Agreement::Partial => candidate.verdict.note(Problem::RowUnknown),
            Agreement::None { .. } => candidate.verdict.note(Problem::ReplicasDiffer),
        }
    }
    let checks: Vec<BlobCheck> = batch
        .iter()
        .enumerate()
        .flat_map(|(index, candidate)| candidate.blobs.iter().map(move |blob| BlobCheck::new(index, *blob)))
        .collect();
    for BlobFinding { row, blob, device, fault } in check(shared, &checks, depth).await {
        let Some(candidate) = batch.get_mut(row) else { continue };
        if still_refers(shared, &candidate.row, blob.id).await {
            let blob = blob.id;
            candidate.verdict.note(match fault {
                BlobFault::Missing => Problem::BlobMissing { device, blob },
                BlobFault::Damaged => Problem::BlobDamaged { device, blob },
                BlobFault::Unknown => Problem::BlobUnknown { device, blob },
            });
        }
    }
    for Candidate { verdict, blobs, .. } in batch {
        tally.count(verdict, &blobs);
    }
}
