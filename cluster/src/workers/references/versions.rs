//! The rows of one key: its head and its older versions.

use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{BlobId, RowAddress, RowKey, RowState, RowValue, Scope, TableKind};

use super::{names, settled};
use crate::cluster::Shared;
use crate::list::{Found, Lister, Question};
use crate::objects::head::Head;
use crate::record::version::Place;
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Guard, Verdict};

/// How often a key is looked at that changes while it is.
const LOOKS_MAX: usize = 4;

/// The rows below the head that may refer to a blob.
#[derive(Clone, Copy, Debug)]
pub(super) enum Below<'a> {
    All,
    One(&'a RowAddress),
}

/// Whether the head or an older version refers to a blob, now or ever after.
///
/// A blob that passes from one row to another is always named by one of them, but a look at one after the other
/// could miss it on both. Whatever passes changes the head: so it is looked at before and after the others.
pub(super) async fn refer(
    shared: &Arc<Shared>,
    head: &RowAddress,
    below: Below<'_>,
    blob: BlobId,
) -> Result<bool> {
    let access = Access { row: head.clone(), seal: None, guard: Guard::None, spared: None };
    for _ in 0..LOOKS_MAX {
        let state = settled(shared, head).await?;
        if names(state.as_ref(), blob) {
            return Ok(true);
        }
        let known = Head::read(state.as_ref())?;
        // It has never been kept, and this head is none that could be with the blob.
        if known.as_ref().is_some_and(|known| !known.is_versioned) {
            return Ok(false);
        }
        let is_below = match below {
            Below::All => is_anywhere_below(shared, head, known.as_ref(), blob).await?,
            Below::One(row) => is_at(shared, row, known.as_ref(), blob).await?,
        };
        if is_below {
            return Ok(true);
        }
        let value = |state: &Option<RowState>| state.as_ref().map(|state| state.value.clone());
        if value(&read_value(shared, &access).await?) == value(&state) {
            return Ok(false);
        }
    }
    Err(Error::Unavailable("an object changes too fast to say what it refers to"))
}

async fn is_anywhere_below(
    shared: &Arc<Shared>,
    address: &RowAddress,
    head: Option<&Head>,
    blob: BlobId,
) -> Result<bool> {
    let versions = address.row.table.sibling(TableKind::Versions);
    let question = Question {
        partition: Some(shared.ring.partition_of(address.hash)),
        prefix: Place::prefix(&address.row.key),
        scope: Scope::All,
        ..Question::all(versions, Guard::None)
    };
    let mut lister = Lister::new(shared, question);
    while let Some(Found::Row { key, .. }) = lister.next().await? {
        let row = RowAddress { row: RowKey { table: versions, key }, hash: address.hash };
        if is_at(shared, &row, head, blob).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether this row is an older version that refers to the blob.
/// One that refers to it and is none, because whoever wrote it died, is removed.
async fn is_at(shared: &Arc<Shared>, row: &RowAddress, head: Option<&Head>, blob: BlobId) -> Result<bool> {
    let access = Access { row: row.clone(), seal: None, guard: Guard::None, spared: None };
    if !names(read_value(shared, &access).await?.as_ref(), blob) {
        return Ok(false);
    }
    let (_, place) = Place::of_row_key(&row.row.key)?;
    // Somebody may just be about to put another version on top of the current one.
    if head.is_some_and(|head| head.history.has(place) || head.place() == place) {
        return Ok(true);
    }
    let decide = |_: Option<&RowState>| Verdict::Write { value: RowValue::Tombstone, answer: () };
    change(shared, &access, None, decide).await?;
    Ok(false)
}
