//! Storing an object of one body.

use std::sync::Arc;

use martlet_model::{Conditions, Content, Digest, NewObject, ObjectId, ObjectInfo, Result};

use super::expiry;
use super::keeper::Keeper;
use super::place::Placing;
use crate::blob::receive::{Data, Home, Incoming, Received, receive};
use crate::cluster::Shared;

/// Takes the body, and commits. The commit goes on when the caller leaves.
pub(super) async fn put(shared: &Arc<Shared>, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
    let keeper = Keeper::of(shared, id).await?;
    let NewObject { metadata, conditions, md5, bytes, body, annotations, checksum, shape } = new;
    let incoming = Incoming { body, bytes, md5 };
    let received = receive(shared, incoming, Home::WithRow(keeper.head().row)).await?;
    let stored = Content { bytes: received.bytes, digest: Digest::Whole(received.md5) };
    let (content, shape) = shape.settled(stored);
    let info = ObjectInfo {
        annotations,
        // The body has ended: now it is known.
        checksum: checksum.get(),
        shape,
        ..ObjectInfo::new(content, metadata, shared.now())
    };
    shared.background.carry_through(commit(keeper, received, info, conditions)).await
}

async fn commit(
    keeper: Keeper,
    received: Received,
    info: ObjectInfo,
    conditions: Conditions,
) -> Result<ObjectInfo> {
    expiry::note(&keeper, info.metadata.delete_at).await?;
    let blobs = received.blobs();
    // Until the body has been accepted.
    let _room = received.room;
    let (body, staged) = match received.data {
        Data::Carried(body) => (Some(body), None),
        Data::Staged(staged) => (None, Some(staged)),
    };
    Placing { keeper, info, origin: None, blobs, conditions, staged }.run(body).await
}
