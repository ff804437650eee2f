//! Changes of objects: decided on the true predecessor.

use std::sync::Arc;

use martlet_model::{
    Conditions, Content, Digest, Error, NewObject, Noun, ObjectId, ObjectInfo, ObjectMetadata, Result,
    Timestamp, Unmet,
};
use martlet_protocol::{RowState, RowValue};

use super::access;
use crate::blob::receive::{Data, Home, Incoming, Received, receive};
use crate::cluster::Shared;
use crate::record::live;
use crate::record::object::{ListedObject, ObjectRow, listed};
use crate::row::change::change;
use crate::row::{Access, Verdict};

/// Takes the body, and commits. The commit goes on when the caller leaves.
pub(super) async fn put(shared: &Arc<Shared>, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
    let access = access(shared, id).await?;
    let NewObject { metadata, conditions, md5, bytes, body, .. } = new;
    let incoming = Incoming { body, bytes, md5 };
    let received = receive(shared, incoming, Home::WithRow(access.row.clone())).await?;
    let worker = shared.clone();
    shared
        .background
        .carry_through(async move { commit(&worker, &access, received, metadata, conditions).await })
        .await
}

async fn commit(
    shared: &Arc<Shared>,
    access: &Access,
    mut received: Received,
    metadata: ObjectMetadata,
    conditions: Conditions,
) -> Result<ObjectInfo> {
    let content = Content { bytes: received.bytes, digest: Digest::Whole(received.md5) };
    let blobs = received.blobs();
    let body = match &received.data {
        Data::Carried(body) => Some(body.clone()),
        Data::Staged(_) => None,
    };
    let decide = |predecessor: Option<&RowState>| {
        let modified = match allowed(predecessor, &conditions) {
            Ok(previous) => shared.now().not_before(previous),
            Err(error) => return Verdict::Leave(Err(error)),
        };
        if let Data::Staged(staged) = &mut received.data {
            staged.commit();
        }
        let info = ObjectInfo::new(content, metadata.clone(), modified);
        let row = ObjectRow { info: info.clone(), origin: None, blobs: blobs.clone() };
        Verdict::Write { value: row.into_value(), answer: info }
    };
    change(shared, access, body, decide).await
}

pub(super) async fn set_metadata(
    shared: &Arc<Shared>,
    id: &ObjectId,
    metadata: &ObjectMetadata,
    conditions: &Conditions,
) -> Result<ObjectInfo> {
    let access = access(shared, id).await?;
    let decide = |predecessor: Option<&RowState>| {
        let Some(live) = live(predecessor) else {
            return Verdict::Leave(Err(Error::NotFound(Noun::Object)));
        };
        if let Err(error) = allowed(predecessor, conditions) {
            return Verdict::Leave(Err(error));
        }
        let mut row = match ObjectRow::read(live) {
            Ok(row) => row,
            Err(error) => return Verdict::Leave(Err(error.into())),
        };
        let content_type = metadata.content_type.clone().or(row.info.metadata.content_type);
        row.info.metadata = ObjectMetadata { content_type, ..metadata.clone() };
        row.info.modified = shared.now().not_before(Some(row.info.modified));
        let answer = row.info.clone();
        Verdict::Write { value: row.into_value(), answer }
    };
    change(shared, &access, None, decide).await
}

pub(super) async fn delete(shared: &Arc<Shared>, id: &ObjectId, conditions: &Conditions) -> Result<()> {
    let access = access(shared, id).await?;
    let decide = |predecessor: Option<&RowState>| match allowed(predecessor, conditions) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Leave(Err(Error::NotFound(Noun::Object))),
        Ok(Some(_)) => Verdict::Write { value: RowValue::Tombstone, answer: () },
    };
    change(shared, &access, None, decide).await
}

/// Whether the object may be replaced or removed; then its present date, if there is one.
pub(super) fn allowed(predecessor: Option<&RowState>, conditions: &Conditions) -> Result<Option<Timestamp>> {
    let present = live(predecessor).map(|live| listed(live.entry)).transpose()?;
    let previous = present.as_ref().map(|present| present.modified);
    check_write(present, conditions)?;
    Ok(previous)
}

/// Conditions look at the content and the date alone: the entry is enough.
pub(crate) fn check_write(present: Option<ListedObject>, conditions: &Conditions) -> Result<()> {
    if conditions.is_none() {
        return Ok(());
    }
    let present =
        present.map(|present| ObjectInfo::new(present.content, ObjectMetadata::default(), present.modified));
    conditions.check_write(present.as_ref()).map_err(|unmet| match unmet {
        Unmet::NothingToMatch => Error::NothingToMatch,
        Unmet::PreconditionFailed | Unmet::NotModified => Error::PreconditionFailed,
    })
}
