//! Whether anything refers to a blob, and giving its space back if nothing does.

mod versions;

use std::sync::Arc;

use martlet_model::Result;
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

/// What the devices of a blob know of it; `None`: one of them didn't answer.
/// A device on which a row refers to the blob knows nothing.
pub(super) async fn facts(shared: &Arc<Shared>, blob: &BlobRef) -> Option<Vec<BlobFact>> {
    let devices = shared.devices_of(blob.hash);
    let before = u128::from_be_bytes(blob.id.0).checked_sub(1).map(|id| BlobId(id.to_be_bytes()));
    let question = |replica: Arc<dyn Replica>| async move { replica.unreferenced(before, 1).await };
    let outcomes = ask(&devices, patience(shared), question, |_| false).await;
    let facts = outcomes.into_iter().map(|outcome| outcome.and_then(Answered::ok));
    let facts: Option<Vec<Vec<BlobFact>>> = facts.collect();
    Some(facts?.into_iter().flatten().filter(|fact| fact.blob.id == blob.id).collect())
}

/// Gives the space of a blob back everywhere. Who can't be reached is asked again in another round.
pub(super) async fn reclaim(shared: &Arc<Shared>, blob: &BlobRef) -> Fate {
    let devices = shared.devices_of(blob.hash);
    let id = blob.id;
    let question = |replica: Arc<dyn Replica>| async move { replica.reclaim(vec![id]).await };
    let outcomes = ask(&devices, patience(shared), question, |_| false).await;
    let is_everywhere = outcomes.iter().all(|outcome| matches!(outcome, Some(Ok(()))));
    if is_everywhere { Fate::Removed } else { Fate::Undecided }
}

pub(super) fn patience(shared: &Shared) -> Patience {
    let deadline = shared.options.answer_deadline;
    Patience { straggler_delay: deadline, deadline }
}
