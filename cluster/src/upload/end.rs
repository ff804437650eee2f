//! How an upload ends, or doesn't.

use std::sync::Arc;

use martlet_model::{Error, Noun, ObjectId, Result, UploadId};
use martlet_protocol::{RowState, RowValue, SealToken, TableId};

use super::{Place, find_open, parts_devices};
use crate::cluster::Shared;
use crate::container::delete::note_dropped;
use crate::container::seal;
use crate::record::dropped::Dropped;
use crate::record::live;
use crate::record::upload::UploadRow;
use crate::row::Verdict;
use crate::row::change::change;

/// Aborts an open upload.
pub(crate) async fn abort(shared: &Arc<Shared>, id: &ObjectId, upload: UploadId) -> Result<()> {
    let place = Place::find(shared, id, upload).await?;
    let (row, token) = mark(shared, &place).await?;
    // Parts that are under way are refused from here on. Where the seal doesn't arrive, the clearing worker seals later.
    let devices = parts_devices(shared, row.parts);
    drop(seal::seal_one(shared, &devices, row.parts, token, row.seal.lifted()).await);
    end(shared, &place, &row, token).await
}

/// Marks an open upload as being ended by us, so that nobody else ends it otherwise.
pub(crate) async fn mark(shared: &Arc<Shared>, place: &Place) -> Result<(UploadRow, SealToken)> {
    loop {
        find_open(shared, place).await?;
        let token = shared.new_seal();
        let decide = |predecessor: Option<&RowState>| match present(predecessor) {
            Err(error) => Verdict::Leave(Err(error)),
            Ok(None) => Verdict::Leave(Err(Error::NotFound(Noun::Upload))),
            Ok(Some(row)) if row.seal.token().is_some() => Verdict::Leave(Ok(None)),
            Ok(Some(row)) => {
                let sealed = UploadRow { seal: row.seal.sealed(token), ..row };
                Verdict::Write { value: sealed.to_value(), answer: Some(sealed) }
            }
        };
        // `None`: somebody else was faster, and is waited for.
        if let Some(row) = change(shared, &place.row(shared), None, decide).await? {
            return Ok((row, token));
        }
    }
}

/// Ends a marked upload. What is left of it is noted first, so that it is cleared away whatever happens.
pub(crate) async fn end(
    shared: &Arc<Shared>,
    place: &Place,
    row: &UploadRow,
    token: SealToken,
) -> Result<()> {
    let left =
        Dropped::Parts { parts: row.parts, token, upload: place.row_key(), object: place.object_key() };
    note_dropped(shared, &left).await?;
    let decide = |predecessor: Option<&RowState>| match present(predecessor) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Leave(Ok(())),
        Ok(Some(row)) if row.seal.token() == Some(token) => {
            Verdict::Write { value: RowValue::Tombstone, answer: () }
        }
        Ok(Some(_)) => Verdict::Leave(Err(Error::Unavailable("an upload was opened again meanwhile"))),
    };
    change(shared, &place.row(shared), None, decide).await
}

/// Opens a marked upload again. The seal is lifted only if the row says so: an ended upload stays sealed.
pub(crate) async fn reopen(
    shared: &Arc<Shared>,
    place: &Place,
    parts: TableId,
    token: SealToken,
) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match present(predecessor) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(Some(row)) if row.seal.token() == Some(token) => {
            let value = UploadRow { seal: row.seal.opened(), ..row }.to_value();
            Verdict::Write { value, answer: true }
        }
        Ok(Some(_) | None) => Verdict::Leave(Ok(false)),
    };
    if change(shared, &place.row(shared), None, decide).await? {
        seal::lift_at(shared, &parts_devices(shared, parts), &[parts], &[token]).await;
    }
    Ok(())
}

fn present(state: Option<&RowState>) -> Result<Option<UploadRow>> {
    Ok(live(state).map(UploadRow::read).transpose()?)
}
