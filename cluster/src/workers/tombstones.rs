//! Tombstones: removed once every replica of the row has confirmed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{ReadRow, Replica, RowReply, RowState, RowValue, Tombstone, Want};
use martlet_ring::DeviceId;

use super::references::patience;
use super::{Fate, Round, unknown_device};
use crate::cluster::{ClusterStore, Shared};
use crate::device::{Device, suspects};
use crate::fanout::ask;
use crate::row::change::change;
use crate::row::{Access, Guard, Verdict};

/// The most tombstones of a device that one round looks through.
const WINDOW_MAX: usize = 8192;

/// Looks at some of a device's tombstones, at most `limit`, and forgets those that all replicas hold under one ballot.
///
/// A replica that still held what was deleted could bring it back: without everybody's word nothing is forgotten.
/// Where replicas that can all be reached differ, the row is brought to one state, and is for the next round.
/// Those that have to wait for a device which is away are passed over, so that the others don't wait behind them.
pub async fn remove_tombstones(store: &ClusterStore, device: DeviceId, limit: usize) -> Result<Round> {
    let shared = &store.shared;
    let own = shared.device(device).ok_or_else(|| unknown_device(device))?;
    let mut round = Round::default();
    let mut confirmed: BTreeMap<DeviceId, Vec<Tombstone>> = BTreeMap::new();
    let (tombstones, waiting) = ripe(shared, own, limit).await?;
    round.undecided += waiting;
    for tombstone in tombstones {
        let fate = confirm(shared, &tombstone).await;
        if fate == Fate::Removed {
            for &replica in shared.ring.devices_of_hash(tombstone.row.hash) {
                confirmed.entry(replica).or_default().push(tombstone.clone());
            }
        }
        round.count(&Ok(fate));
    }
    for (replica, tombstones) in confirmed {
        if let Some(replica) = shared.device(replica) {
            // Who isn't reached now keeps the tombstone, and finds the others' floors above it next time.
            replica.note(&replica.replica.forget(tombstones).await);
        }
    }
    shared.figures.tombstones_removed.add(round.removed as u64);
    Ok(round)
}

/// The oldest tombstones all of whose replicas seem to be there, at most `limit`, and how many were passed over.
async fn ripe(shared: &Shared, own: &Device, limit: usize) -> Result<(Vec<Tombstone>, usize)> {
    let mut window = limit;
    loop {
        let answer = own.replica.tombstones(window).await;
        let found = answer.map_err(|error| Error::Internal(Box::new(error)))?;
        let is_whole_window = found.len() >= window;
        let is_away = |tombstone: &Tombstone| {
            suspects(&shared.devices_of(tombstone.row.hash)).is_some_and(|suspects| suspects.contains(&true))
        };
        let (waiting, mut ripe): (Vec<_>, Vec<_>) = found.into_iter().partition(is_away);
        let is_last = !is_whole_window || WINDOW_MAX <= window;
        if is_last || limit <= ripe.len() {
            ripe.truncate(limit);
            return Ok((ripe, waiting.len()));
        }
        window = window.saturating_mul(4).min(WINDOW_MAX);
    }
}

async fn confirm(shared: &Arc<Shared>, tombstone: &Tombstone) -> Fate {
    let devices = shared.devices_of(tombstone.row.hash);
    let question = |replica: Arc<dyn Replica>| {
        let request = ReadRow { row: tombstone.row.clone(), want: Want::Ballot };
        async move { replica.read(request).await }
    };
    let outcomes = ask(&devices, patience(shared), question, |_| false).await;
    let mut ballots = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Some(Ok(RowReply::Ballot(ballot))) => ballots.push(ballot),
            _ => return Fate::Undecided,
        }
    }
    if ballots.iter().all(|ballot| *ballot == Some(tombstone.ballot)) {
        return Fate::Removed;
    }
    let access = Access { row: tombstone.row.clone(), seal: None, guard: Guard::None, spared: None };
    let decide = |predecessor: Option<&RowState>| match predecessor.map(|state| &state.value) {
        // Accepted by everybody under a new ballot, also by who missed the first one.
        Some(RowValue::Tombstone) => Verdict::Write { value: RowValue::Tombstone, answer: Fate::Kept },
        Some(RowValue::Live { .. }) | None => Verdict::Leave(Ok(Fate::Kept)),
    };
    change(shared, &access, None, decide).await.unwrap_or(Fate::Undecided)
}
