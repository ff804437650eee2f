//! Blobs: every device where a row places one has it, and rows are what was stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use martlet_protocol::{BlobId, BlobRef, InspectDepth, RowAddress, RowStanding, SurveyDepth, TableId};
use martlet_register::Ballot;
use martlet_ring::{DeviceId, Partition};

use super::inspection::{BlobCheck, BlobFault, check, still_refers};
use super::level::propose_again;
use super::mend::{Mended, mend};
use super::responsibility::led_by;
use super::walk::{Group, Rows, Tables, Walk};
use crate::cluster::Shared;

/// Blobs that are copied at once.
const COPIES_AT_ONCE: usize = 4;

/// What one round of a pass over rows and their blobs found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobRound {
    /// Rows that were looked at.
    pub rows: usize,
    /// Blobs that they refer to.
    pub blobs: usize,
    /// Copies that devices were given of blobs that they missed, or whose entry was damaged.
    pub copied: usize,
    /// Rows that were proposed once more because a replica's copy was damaged.
    pub rows_mended: usize,
    /// Blobs that no device has any more, although a row refers to them.
    pub lost: usize,
    /// Left for another pass: somebody couldn't be asked, or a copy failed.
    pub undecided: usize,
}

/// One round of a pass, and where the next one goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobSweep {
    pub round: BlobRound,
    /// `None`: everything has been gone through.
    pub next: Option<BlobCursor>,
}

/// How far a pass has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCursor {
    table: TableId,
    /// Everything up to and including this row of the table. `None`: the table is done.
    key: Option<Bytes>,
}

/// Looks at about `limit` rows of the partitions that a device leads.
pub(crate) async fn repair_blobs(
    shared: &Arc<Shared>,
    device: DeviceId,
    after: Option<BlobCursor>,
    limit: usize,
) -> BlobSweep {
    let partitions = led_by(shared, device);
    let mut sweep = BlobSweep { round: BlobRound::default(), next: None };
    let mut done = None;
    if let Some(BlobCursor { table, key }) = after {
        done = Some(table);
        if let Some(key) = key {
            let through = mend_rows(shared, (table, Some(key)), &partitions, (limit, &mut sweep.round)).await;
            if let Some(key) = through {
                sweep.next = Some(BlobCursor { table, key: Some(key) });
                return sweep;
            }
        }
    }
    let mut tables = Walk::new(shared, Tables, &partitions, done.as_ref());
    while let Some(Group { name: table, .. }) = tables.next().await {
        let rest = limit.saturating_sub(sweep.round.rows);
        let through = mend_rows(shared, (table, None), &partitions, (rest, &mut sweep.round)).await;
        if through.is_some() || sweep.round.rows >= limit {
            sweep.next = Some(BlobCursor { table, key: through });
            break;
        }
    }
    sweep
}

/// Looks at rows of a table after a key, and answers the last one if there may be more.
async fn mend_rows(
    shared: &Arc<Shared>,
    (table, after): (TableId, Option<Bytes>),
    partitions: &[Partition],
    (limit, round): (usize, &mut BlobRound),
) -> Option<Bytes> {
    let pages = Rows { table, depth: SurveyDepth::Blobs };
    let mut rows = Walk::new(shared, pages, partitions, after.as_ref());
    let (mut seen, mut checks, mut addresses) = (0, Vec::new(), Vec::new());
    let mut last = None;
    while seen < limit {
        let Some(group) = rows.next().await else {
            last = None;
            break;
        };
        seen += 1;
        last = Some(group.name.clone());
        let row = shared.address(table, group.name.clone());
        if let Some(holder) = damaged_elsewhere(&group) {
            match propose_again(shared, &row, &[holder]).await {
                Ok(()) => round.rows_mended += 1,
                Err(_) => round.undecided += 1,
            }
        }
        let blobs = latest_blobs(&group);
        checks.extend(blobs.iter().map(|blob| BlobCheck::new(addresses.len(), *blob)));
        addresses.push(row);
    }
    round.rows += seen;
    round.blobs += checks.len();
    mend_blobs(shared, &addresses, &checks, round).await;
    last
}

/// If a device can't read its copy of a row: who has the latest one.
fn damaged_elsewhere(group: &Group<Rows>) -> Option<DeviceId> {
    let is_damaged = group.reports.iter().any(|(_, row)| row.standing == RowStanding::Damaged);
    let sound = group.reports.iter().filter_map(|(id, row)| Some((row.standing.ballot()?, *id)));
    sound.max().filter(|_| is_damaged).map(|(_, holder)| holder)
}

fn latest_blobs(group: &Group<Rows>) -> &[BlobRef] {
    let standings = group.reports.iter().map(|(_, row)| &row.standing);
    let with_ballot = standings.filter_map(|standing| Some((standing.ballot()?, standing)));
    let latest = with_ballot.max_by_key(|(ballot, _): &(Ballot, _)| *ballot);
    match latest {
        Some((_, RowStanding::Live { blobs, .. })) => blobs,
        _ => &[],
    }
}

async fn mend_blobs(shared: &Arc<Shared>, rows: &[RowAddress], checks: &[BlobCheck], round: &mut BlobRound) {
    let mut to_mend: BTreeSet<(BlobId, DeviceId)> = BTreeSet::new();
    let mut work = Vec::new();
    for found in check(shared, checks, InspectDepth::Index).await {
        match found.fault {
            // A blob may be referred to twice, and is copied once.
            BlobFault::Missing | BlobFault::Damaged => {
                if to_mend.insert((found.blob.id, found.device)) {
                    work.push(found);
                }
            }
            BlobFault::Unknown => round.undecided += 1,
        }
    }
    let mending = work.into_iter().map(|found| async move {
        let row = &rows[found.row];
        if !still_refers(shared, row, found.blob.id).await {
            return None;
        }
        Some(mend(shared, &found.blob, found.device).await)
    });
    let mut outcomes = stream::iter(mending).buffer_unordered(COPIES_AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Some(Mended::Copied) => round.copied += 1,
            Some(Mended::Nowhere) => round.lost += 1,
            Some(Mended::Undecided) => round.undecided += 1,
            None => {}
        }
    }
}
