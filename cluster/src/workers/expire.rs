//! Objects that have ended: removed once their time has come. A reader doesn't see them any more before that.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{Error, Noun, Result};
use martlet_protocol::{RowState, RowValue};

use super::{Fate, Round};
use crate::cluster::{ClusterStore, EXPIRIES, Shared};
use crate::container::find_now;
use crate::list::{Found, Lister, Question};
use crate::objects::keeper::Keeper;
use crate::objects::place::remove_ended;
use crate::record::expiry::{Expiry, end_of_second};
use crate::row::change::change;
use crate::row::{Access, Guard, Verdict};

/// Removes objects that have ended, at most `limit` of them, those first that ended first.
///
/// Only what has been noted is looked at, and what is removed is an object that has ended, as it is at that moment:
/// where somebody has written another one meanwhile, that stays. In a container with versions a delete marker comes on top.
pub async fn expire(store: &ClusterStore, limit: usize) -> Result<Round> {
    let shared = &store.shared;
    let before = Some(end_of_second(shared.now()));
    let question = Question { before, expected: limit, ..Question::all(EXPIRIES, Guard::None) };
    let mut lister = Lister::new(shared, question);
    let mut round = Round::default();
    for _ in 0..limit {
        let Some(Found::Row { key, entry }) = lister.next().await? else { break };
        let fate = end(shared, &key, &entry).await;
        if let Err(error) = &fate {
            tracing::debug!(%error, "an object that has ended is left for another round");
        }
        round.count(&fate);
    }
    shared.figures.expired_removed.add(round.removed as u64);
    Ok(round)
}

async fn end(shared: &Arc<Shared>, row_key: &Bytes, entry: &Bytes) -> Result<Fate> {
    let expiry = Expiry::read(row_key, entry)?;
    let removed = match find_now(shared, &expiry.container).await {
        Ok(container) if container.row.objects == expiry.objects => {
            let key = expiry.key.as_bytes().clone();
            remove_ended(Keeper { shared: shared.clone(), container, key }).await
        }
        Ok(_) | Err(Error::NotFound(_)) => Err(Error::NotFound(Noun::Object)),
        Err(error) => Err(error),
    };
    let fate = match removed {
        Ok(_) => Fate::Removed,
        Err(Error::NotFound(_)) => Fate::Kept,
        Err(error) => return Err(error),
    };
    // Who wrote the note may not have written the object yet.
    let patience = 2 * shared.options.change_deadline;
    let written_by =
        expiry.noted.as_micros().saturating_add(u64::try_from(patience.as_micros()).unwrap_or(u64::MAX));
    if written_by < shared.now().as_micros() {
        forget(shared, row_key, entry).await?;
    }
    Ok(fate)
}

/// Takes the note away, unless somebody has written it again.
async fn forget(shared: &Arc<Shared>, row_key: &Bytes, entry: &Bytes) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| {
        let present = predecessor.and_then(|state| state.value.entry());
        if present == Some(entry) {
            Verdict::Write { value: RowValue::Tombstone, answer: () }
        } else {
            Verdict::Leave(Ok(()))
        }
    };
    change(shared, &Access::open(shared, EXPIRIES, row_key.clone()), None, decide).await
}
