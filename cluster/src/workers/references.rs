//! Whether anything refers to a blob, and giving its space back if nothing does.

mod versions;

use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{
    BlobFact, BlobId, BlobOwner, BlobRef, ReadRow, Replica, RowAddress, RowState, TableKind, Want,
};

use super::Fate;
use crate::cluster::Shared;
use crate::device::Answered;
use crate::fanout::{Patience, ask};
use crate::record::version::head_of;
use crate::row::change::settle;
use crate::row::read::read_value;
use crate::row::{Access, Guard};
use versions::Below;

/// Whether any of the rows that may refer to a blob does, in the order in which they must be asked.
pub(crate) async fn is_owned(shared: &Arc<Shared>, blob: BlobId, owner: &BlobOwner) -> Result<bool> {
    match owner {
        BlobOwner::Row(row) => refers(shared, row, blob).await,
        BlobOwner::PartOf { part, object } => {
            Ok(refers(shared, part, blob).await? || refers(shared, object, blob).await?)
        }
    }
}

/// Whether a row's value refers to a blob, now or ever after. An error says nothing.
///
/// The bytes of an object pass from its head to an older version's row and back: all of a key's rows are asked.
pub(super) async fn refers(shared: &Arc<Shared>, row: &RowAddress, blob: BlobId) -> Result<bool> {
    match row.row.table.kind() {
        TableKind::Objects => versions::refer(shared, row, Below::All, blob).await,
        // A version's bytes are in its own row, or in the head while it is the current one.
        TableKind::Versions => versions::refer(shared, &head_of(row), Below::One(row), blob).await,
        TableKind::System | TableKind::Containers | TableKind::Uploads | TableKind::Parts => {
            Ok(names(settled(shared, row).await?.as_ref(), blob))
        }
    }
}

/// The row's value, and no value that was accepted later can be taken up any more.
async fn settled(shared: &Arc<Shared>, row: &RowAddress) -> Result<Option<RowState>> {
    let access = Access { row: row.clone(), seal: None, guard: Guard::None, spared: None };
    if is_agreed(shared, row).await {
        read_value(shared, &access).await
    } else {
        settle(shared, &access).await
    }
}

fn names(state: Option<&RowState>, blob: BlobId) -> bool {
    state.is_some_and(|state| state.value.blobs().iter().any(|known| known.id == blob))
}

/// Whether all replicas of a row have accepted the same.
async fn is_agreed(shared: &Arc<Shared>, row: &RowAddress) -> bool {
    let question = |replica: Arc<dyn Replica>| {
        let request = ReadRow { row: row.clone(), want: Want::Ballot };
        async move { replica.read(request).await }
    };
    let outcomes = ask(&shared.devices_of(row.hash), patience(shared), question, |_| false).await;
    let first = outcomes.first().cloned().flatten();
    matches!(first, Some(Ok(_))) && outcomes.iter().all(|outcome| *outcome == first)
}

/// What one of a blob's devices knows of it; `Ok(None)`: none of them knows anything.
/// A device on which a row refers to the blob knows nothing.
pub(super) async fn fact(shared: &Arc<Shared>, blob: &BlobRef) -> Result<Option<BlobFact>> {
    let devices = shared.devices_of(blob.hash);
    let before = u128::from_be_bytes(blob.id.0).checked_sub(1).map(|id| BlobId(id.to_be_bytes()));
    let question = |replica: Arc<dyn Replica>| async move { replica.unreferenced(before, 1).await };
    let outcomes = ask(&devices, patience(shared), question, |_| false).await;
    let is_complete = outcomes.iter().all(|outcome| matches!(outcome, Some(Ok(_))));
    let known = outcomes.into_iter().flatten().flat_map(Answered::unwrap_or_default);
    match known.into_iter().find(|fact| fact.blob.id == blob.id) {
        None if !is_complete => Err(Error::Unavailable("a device didn't say what it knows of a blob")),
        fact => Ok(fact),
    }
}

/// Gives the space of a blob back everywhere. Who can't be reached is asked again in another round.
pub(super) async fn reclaim(shared: &Arc<Shared>, blob: &BlobRef) -> Fate {
    let given = reclaim_at_homes(shared, blob).await;
    if given.iter().all(|given| *given) { Fate::Removed } else { Fate::Undecided }
}

/// The same; says which of the blob's devices have done it.
pub(super) async fn reclaim_at_homes(shared: &Arc<Shared>, blob: &BlobRef) -> Vec<bool> {
    let devices = shared.devices_of(blob.hash);
    let id = blob.id;
    let question = |replica: Arc<dyn Replica>| async move { replica.reclaim(vec![id]).await };
    let outcomes = ask(&devices, patience(shared), question, |_| false).await;
    outcomes.iter().map(|outcome| matches!(outcome, Some(Ok(())))).collect()
}

pub(super) fn patience(shared: &Shared) -> Patience {
    let deadline = shared.options.answer_deadline;
    Patience { straggler_delay: deadline, deadline }
}
