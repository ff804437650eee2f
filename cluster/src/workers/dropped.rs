//! Dropped tables: the open uploads of deleted containers, what is left of older versions there,
//! and the parts of uploads that have ended.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use martlet_model::Result;
use martlet_protocol::{BlobId, RowKey, RowState, RowValue, Scope, SealToken, TableId, TableKind};

use super::{Fate, Round};
use crate::cluster::{ClusterStore, DROPPED, Shared};
use crate::container::delete::has_uploads;
use crate::container::seal;
use crate::list::{Found, Lister, Question};
use crate::record::container::SealState;
use crate::record::dropped::Dropped;
use crate::record::live;
use crate::record::upload::{UploadRow, of_row_key};
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Guard, Verdict};
use crate::upload::{part, parts_devices};

/// How many rows of a dropped table are removed at once.
const REMOVED_AT_ONCE: usize = 16;

/// Clears what is left in dropped tables, at most `limit` tables: rows become tombstones, their blobs garbage.
///
/// A table is cleared only if the container or upload that it belonged to is seen to have ended,
/// and under its seal, so that nothing can be written to it any more.
pub async fn clear_dropped(store: &ClusterStore, limit: usize) -> Result<Round> {
    let shared = &store.shared;
    let mut lister = Lister::new(shared, Question { expected: limit, ..Question::all(DROPPED, Guard::None) });
    let mut round = Round::default();
    for _ in 0..limit {
        let Some(found) = lister.next().await? else { break };
        if let Found::Row { key, entry } = found {
            let fate = clear(shared, &key, &entry).await;
            if let Err(error) = &fate {
                tracing::debug!(%error, "a dropped table is left for another round");
            }
            round.count(&fate);
        }
    }
    shared.figures.tables_cleared.add(round.removed as u64);
    Ok(round)
}

async fn clear(shared: &Arc<Shared>, key: &Bytes, entry: &[u8]) -> Result<Fate> {
    let fate = match Dropped::read(key, entry)? {
        Dropped::Uploads { uploads, token, container, objects } => {
            match has_uploads(value_of(shared, &container).await?.as_ref(), uploads)? {
                // The deletion was undone, and will note the table again should it be repeated.
                Some(SealState::Open { .. }) => Fate::Removed,
                Some(SealState::Sealed { .. }) => Fate::Kept,
                None => {
                    clear_uploads(shared, uploads, token, objects).await?;
                    clear_versions(shared, objects.sibling(TableKind::Versions), token).await?;
                    Fate::Removed
                }
            }
        }
        Dropped::Parts { parts, token, upload, object } => {
            if live(value_of(shared, &upload).await?.as_ref()).is_some() {
                Fate::Kept
            } else {
                clear_parts(shared, parts, (token, &[]), &object).await?;
                Fate::Removed
            }
        }
    };
    if fate == Fate::Removed {
        forget(shared, key, entry).await?;
    }
    Ok(fate)
}

/// Takes the note away, unless somebody has written it anew: the deletion may have been undone and done again.
async fn forget(shared: &Arc<Shared>, key: &Bytes, entry: &[u8]) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match predecessor.and_then(|state| state.value.entry()) {
        Some(present) if present[..] == *entry => Verdict::Write { value: RowValue::Tombstone, answer: () },
        _ => Verdict::Leave(Ok(())),
    };
    change(shared, &Access::open(shared, DROPPED, key.clone()), None, decide).await
}

async fn clear_uploads(
    shared: &Arc<Shared>,
    uploads: TableId,
    token: SealToken,
    objects: TableId,
) -> Result<()> {
    let sealed = Some(seal::seal(shared, &[uploads], token, &[]).await?);
    let question = Question { sealed, ..Question::all(uploads, Guard::None) };
    let mut lister = Lister::new(shared, question);
    while let Some(found) = lister.next().await? {
        let row = found.name().clone();
        let access = Access::sealed(shared, uploads, row.clone(), token);
        let state = read_value(shared, &access).await?;
        let Some(live) = live(state.as_ref()) else { continue };
        let upload = UploadRow::read(live)?;
        let (key, _) = of_row_key(&row)?;
        let object = RowKey { table: objects, key: key.as_bytes().clone() };
        // A completion that was under way can't commit any more: the objects' table is sealed for good.
        let others: Vec<SealToken> =
            upload.seal.lifted().iter().copied().chain(upload.seal.token()).collect();
        clear_parts(shared, upload.parts, (token, &others), &object).await?;
        remove(shared, &access).await?;
    }
    Ok(())
}

/// What changes that died have left beside the objects of a container in which nothing lived any more.
async fn clear_versions(shared: &Arc<Shared>, versions: TableId, token: SealToken) -> Result<()> {
    let sealed = Some(seal::seal(shared, &[versions], token, &[]).await?);
    let question = Question { sealed, scope: Scope::All, ..Question::all(versions, Guard::None) };
    let mut lister = Lister::new(shared, question);
    while let Some(found) = lister.next().await? {
        remove(shared, &Access::sealed(shared, versions, found.name().clone(), token)).await?;
    }
    Ok(())
}

/// Removes all parts of an upload. Those that the object is made of let go of their blobs without making garbage of them.
async fn clear_parts(
    shared: &Arc<Shared>,
    parts: TableId,
    (token, others): (SealToken, &[SealToken]),
    object: &RowKey,
) -> Result<()> {
    let devices = parts_devices(shared, parts);
    let sealed = Some(seal::seal_one(shared, &devices, parts, token, others).await?);
    let object = value_of(shared, object).await?;
    let used = object.iter().flat_map(|state| state.value.blobs().iter().map(|blob| blob.id));
    let used: Arc<HashSet<BlobId>> = Arc::new(used.collect());
    let question = Question { sealed, ..part::question(shared, parts, Guard::None) };
    let mut lister = Lister::new(shared, question);
    let mut rows = Vec::new();
    while let Some(found) = lister.next().await? {
        rows.push(found.name().clone());
    }
    stream::iter(rows)
        .map(|key| {
            let access = Access { spared: Some(used.clone()), ..Access::sealed(shared, parts, key, token) };
            async move { remove(shared, &access).await }
        })
        .buffer_unordered(REMOVED_AT_ONCE)
        .try_collect()
        .await
}

async fn remove(shared: &Arc<Shared>, access: &Access) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match live(predecessor) {
        Some(_) => Verdict::Write { value: RowValue::Tombstone, answer: () },
        None => Verdict::Leave(Ok(())),
    };
    change(shared, access, None, decide).await
}

async fn value_of(shared: &Arc<Shared>, row: &RowKey) -> Result<Option<RowState>> {
    read_value(shared, &Access::open(shared, row.table, row.key.clone())).await
}
