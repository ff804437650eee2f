//! Storing again, elsewhere, what a version of an object is.

use futures_util::TryStreamExt as _;
use martlet_model::{
    BodyError, ChecksumCell, Conditions, Digest, Download, ETagStyle, Error, NewObject, ObjectId, ObjectInfo,
    ObjectStore, Read, Result, Shape, VersionId,
};

/// Stores what `from` names at `to`, with everything that is said of it, if `conditions` hold there.
///
/// The bytes stream through. A list of segments stays the list that it is;
/// what was joined from parts is one piece then, and has the ETag of one.
pub(crate) async fn duplicate<F: ObjectStore + ?Sized, T: ObjectStore + ?Sized>(
    from: (&F, &ObjectId, Option<VersionId>),
    to: (&T, &ObjectId),
    conditions: Conditions,
) -> Result<ObjectInfo> {
    let (source, id, version) = from;
    let read = Read { version, conditions: Conditions::none(ETagStyle::Swift), range: None };
    let copy = copy_of(source.get(id, read).await?, conditions);
    let (target, id) = to;
    target.put(id, copy).await
}

fn copy_of(download: Download, conditions: Conditions) -> NewObject {
    let Download { info, body, .. } = download;
    let bytes = info.stored_bytes();
    let (md5, segments) = match (info.shape, info.content.digest) {
        (Shape::Plain, Digest::Whole(md5)) => (Some(md5), None),
        (Shape::Plain, Digest::Parts { .. }) => (None, None),
        (Shape::SegmentList { .. }, _) => (None, Some(info.content)),
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
        segments,
        ..NewObject::new(info.metadata, conditions, body)
    }
}
