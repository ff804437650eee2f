//! Storing again, elsewhere, what a version of an object is.

use futures_util::{TryStreamExt as _, stream};
use martlet_model::{
    BodyError, ChecksumCell, Conditions, Digest, Download, ETagStyle, Error, NewObject, NewShape, ObjectId,
    ObjectInfo, ObjectStore, ObjectStream, Read, Result, Shape, VersionId,
};

/// Stores what `from` names at `to`, with everything that is said of it, if `conditions` hold there.
///
/// The bytes stream through. A list of segments stays the list that it is, and a link a link;
/// what was joined from parts is one piece then, and has the ETag of one.
pub(crate) async fn duplicate<F: ObjectStore + ?Sized, T: ObjectStore + ?Sized>(
    from: (&F, &ObjectId, Option<VersionId>),
    to: (&T, &ObjectId),
    conditions: Conditions,
) -> Result<ObjectInfo> {
    let (source, id, version) = from;
    let read = Read { version, conditions: Conditions::none(ETagStyle::Swift), range: None };
    let copy = match source.get(id, read).await {
        Err(Error::Link(info)) => copy_of(*info, Box::pin(stream::empty()), conditions),
        found => {
            let Download { info, body, .. } = found?;
            copy_of(info, body, conditions)
        }
    };
    let (target, id) = to;
    target.put(id, copy).await
}

fn copy_of(info: ObjectInfo, body: ObjectStream, conditions: Conditions) -> NewObject {
    let bytes = info.stored_bytes();
    let (md5, shape) = match (info.shape, info.content.digest) {
        (Shape::Plain, Digest::Whole(md5)) => (Some(md5), NewShape::Plain),
        (Shape::Plain, Digest::Parts { .. }) => (None, NewShape::Plain),
        (Shape::SegmentList { .. }, _) => (None, NewShape::SegmentList(info.content)),
        (Shape::Link(link), _) => (None, NewShape::Link(link)),
    };
    let checksum = ChecksumCell::default();
    if let Some(known) = info.checksum {
        checksum.fill(known);
    }
    // Bytes that can't be read break the copy off, as a client would that goes away.
    let body = Box::pin(body.map_err(|error: Error| {
        tracing::error!(%error, "a copy broke off");
        BodyError::Disconnected
    }));
    NewObject {
        md5,
        bytes: Some(bytes),
        annotations: info.annotations,
        checksum,
        shape,
        ..NewObject::new(info.metadata, conditions, body)
    }
}
