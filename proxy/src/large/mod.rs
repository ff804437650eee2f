//! Objects that are made of other objects, read as one: Swift's static and dynamic large objects.
//!
//! A *static* one keeps a list of its segments ([`manifest`]), each with the ETag and the length that it must have.
//! A *dynamic* one names a container and how its segments begin ([`dynamic`]); they are listed anew by every reader.
//! Both dialects read through [`get`] and [`head`], which give of a plain object what the store gives;
//! [`plan`] says which bytes of which segments are wanted, and [`reader`] streams them.
//!
//! **Invariant:** segments are read with the rights of the reader, and never with those of who made the object.

mod dynamic;
pub(crate) mod manifest;
mod plan;
mod reader;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use martlet_auth::Guarded;
use martlet_model::{
    ByteRange, Conditions, Content, Digest, Download, ETagStyle, Error, Match, Md5, ObjectId, ObjectInfo,
    ObjectMetadata, ObjectStore as _, ObjectStream, PartLayout, PartNumber, Read, Shape, Span, Unmet,
    VersionId,
};

pub(crate) use dynamic::{DynamicManifest, SEGMENTS_COUNT_MAX};
pub(crate) use plan::{Piece, Segment, SegmentOf, joined};

/// Manifests within manifests, the outermost included (Swift: `max_manifest_depth`).
pub(crate) const DEPTH_MAX: usize = 10;

/// The longest list of segments that is read: what 1000 segments with the longest names take in JSON, with room.
const LIST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What is found where an object is asked for.
pub(crate) enum Found {
    /// The bytes that were asked for.
    Plain(Download),
    /// An object of whose bytes none have been read; the range is still to be applied.
    Large(Large),
}

/// An object and where its bytes are.
#[derive(Debug)]
pub(crate) struct Large {
    /// What a reader is told: length and ETag are those of all segments together.
    pub(crate) info: ObjectInfo,
    pub(crate) segments: Vec<Segment>,
    /// The MD5 of the list of segments, where there is one.
    pub(crate) list_md5: Option<Md5>,
}

/// Why an object can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LargeError {
    #[error(transparent)]
    Store(#[from] Error),
    /// A segment is missing, has changed, or may not be read; or manifests are nested too deeply.
    #[error("the segments don't make up the object: {0}")]
    Broken(&'static str),
}

impl From<LargeError> for Error {
    fn from(error: LargeError) -> Self {
        match error {
            LargeError::Store(error) => error,
            LargeError::Broken(reason) => Self::Damaged(reason),
        }
    }
}

/// Reads an object, whatever it is made of, as `ObjectStore::get` reads a plain one.
pub(crate) async fn get(store: &Guarded, id: &ObjectId, read: Read) -> Result<Download, Error> {
    let range = read.range;
    match find(store, id, read).await? {
        Found::Plain(download) => Ok(download),
        Found::Large(large) => {
            let span = large.span(range)?;
            let body = large.open(store, span).await?;
            Ok(Download { info: large.info, span, body })
        }
    }
}

/// What is known of an object, whatever it is made of.
pub(crate) async fn head(
    store: &Guarded,
    id: &ObjectId,
    version: Option<VersionId>,
    conditions: &Conditions,
) -> Result<ObjectInfo, Error> {
    let found = store.head(id, version, conditions).await;
    match dynamic_manifest(store, id, version, found.as_ref()).await? {
        None => found,
        Some(info) => {
            let (info, _) = assemble_dynamic(store, id, info).await?;
            check(&info, conditions)?;
            Ok(info)
        }
    }
}

/// The parts of an object in order: those that it was joined from, or its segments. None of an object of one piece.
pub(crate) async fn layout(
    store: &Guarded,
    id: &ObjectId,
    info: &ObjectInfo,
) -> Result<Vec<PartLayout>, Error> {
    let is_dynamic = info.metadata.dynamic_manifest.is_some();
    match (&info.shape, info.content.digest) {
        (Shape::Plain, Digest::Whole(_)) | (Shape::Link(_), _) => Ok(Vec::new()),
        (Shape::Plain, Digest::Parts { .. }) if !is_dynamic => store.layout(id, info.version).await,
        (Shape::Plain | Shape::SegmentList { .. }, _) => {
            let large = look(store, id, info.version, &Conditions::none(ETagStyle::Swift)).await?;
            let parts = large.segments.iter().zip(1..).filter_map(|(segment, number)| {
                let number = PartNumber::new(number)?;
                Some(PartLayout { number, bytes: segment.bytes(), checksum: None })
            });
            Ok(parts.collect())
        }
    }
}

/// An object, and where its bytes are; none of them is read yet. A plain object is its own only segment.
pub(crate) async fn look(
    store: &Guarded,
    id: &ObjectId,
    version: Option<VersionId>,
    conditions: &Conditions,
) -> Result<Large, LargeError> {
    let found = store.head(id, version, conditions).await;
    if let Some(info) = dynamic_manifest(store, id, version, found.as_ref()).await? {
        return dynamic(store, id, info, conditions).await;
    }
    let info = found?;
    match info.shape {
        // The store gives no link.
        Shape::Plain | Shape::Link(_) => Ok(Large::of_plain(id, info)),
        Shape::SegmentList { .. } => {
            let read = Read { version: info.version, conditions: pinned(&info), range: None };
            match find(store, id, read).await? {
                Found::Large(large) => Ok(large),
                Found::Plain(download) => Ok(Large::of_plain(id, download.info)),
            }
        }
    }
}

/// The stored bytes of an object, whatever they stand for; of a static large object that is the list of its segments.
pub(crate) async fn look_at_manifest(
    store: &Guarded,
    id: &ObjectId,
    version: Option<VersionId>,
) -> Result<(ObjectInfo, Option<Bytes>), LargeError> {
    let none = Conditions::none(ETagStyle::Swift);
    let info = store.head(id, version, &none).await?;
    if info.shape == Shape::Plain {
        return Ok((info, None));
    }
    let read = Read { version: info.version, conditions: pinned(&info), range: None };
    let download = store.get(id, read).await?;
    Ok((download.info, Some(collect(download.body).await?)))
}

/// Finds an object; its bytes are opened where it is a plain one.
pub(crate) async fn find(store: &Guarded, id: &ObjectId, read: Read) -> Result<Found, LargeError> {
    let (version, conditions) = (read.version, read.conditions.clone());
    match store.get(id, read).await {
        Ok(download) if download.info.metadata.dynamic_manifest.is_some() => {
            Ok(Found::Large(dynamic(store, id, download.info, &conditions).await?))
        }
        Ok(download) if download.info.shape == Shape::Plain => Ok(Found::Plain(download)),
        Ok(download) => Ok(Found::Large(Large::of_list(id, download).await?)),
        Err(error) => match dynamic_manifest(store, id, version, Err(&error)).await? {
            Some(info) => Ok(Found::Large(dynamic(store, id, info, &conditions).await?)),
            None => Err(error.into()),
        },
    }
}

impl Large {
    pub(crate) fn of_plain(id: &ObjectId, info: ObjectInfo) -> Self {
        let bytes = info.content.bytes;
        let segment = SegmentOf {
            id: id.clone(),
            version: info.version,
            etag: info.content.etag(ETagStyle::Swift),
            bytes,
            span: Span::whole(bytes),
        };
        Self { info, segments: vec![Segment::Object(segment)], list_md5: None }
    }

    /// Bytes that are there already, to be read as an object.
    pub(crate) fn of_bytes(info: ObjectInfo, bytes: Bytes) -> Self {
        Self { info, segments: vec![Segment::Inline(bytes)], list_md5: None }
    }

    async fn of_list(id: &ObjectId, download: Download) -> Result<Self, LargeError> {
        let list = collect(download.body).await?;
        let segments = manifest::segments(&list, &id.container.account)
            .ok_or(LargeError::Broken("the list of segments can't be read"))?;
        Ok(Self { info: download.info, segments, list_md5: Some(Md5::of(&list)) })
    }

    /// The bytes that a range means in the object.
    pub(crate) fn span(&self, range: Option<ByteRange>) -> Result<Span, Error> {
        let bytes = self.info.content.bytes;
        match range {
            None => Ok(Span::whole(bytes)),
            Some(range) => {
                range.of(bytes).ok_or_else(|| Error::RangeUnsatisfiable(Box::new(self.info.clone())))
            }
        }
    }

    /// Opens the bytes of `span`: the first segment is there when this returns.
    pub(crate) async fn open(&self, store: &Guarded, span: Span) -> Result<ObjectStream, LargeError> {
        open(store, self.pieces(span)).await
    }

    /// What has to be read, in order, for the bytes of `span`.
    pub(crate) fn pieces(&self, span: Span) -> Vec<Piece> {
        plan::pieces(&self.segments, span, 1)
    }
}

/// Opens pieces one after the other as one stream; the first is there when this returns.
pub(crate) async fn open(store: &Guarded, pieces: Vec<Piece>) -> Result<ObjectStream, LargeError> {
    Ok(Box::pin(reader::Reader::start(store.clone(), pieces).await?))
}

/// What must hold so that an object is still the one that was looked at.
pub(crate) fn pinned(info: &ObjectInfo) -> Conditions {
    let etag = info.content.etag(ETagStyle::Swift);
    Conditions { if_match: Match::OneOf(vec![etag]), ..Conditions::none(ETagStyle::Swift) }
}

/// The dynamic manifest, if there is one where `found` came from.
/// Conditions and ranges that the store has looked at were not meant for the manifest itself.
async fn dynamic_manifest(
    store: &Guarded,
    id: &ObjectId,
    version: Option<VersionId>,
    found: Result<&ObjectInfo, &Error>,
) -> Result<Option<ObjectInfo>, Error> {
    let info = match found {
        Ok(info) => info,
        Err(Error::NotModified(info) | Error::RangeUnsatisfiable(info)) => &**info,
        Err(Error::PreconditionFailed) => {
            let present = store.head(id, version, &Conditions::none(ETagStyle::Swift)).await.ok();
            return Ok(present.filter(|info| info.metadata.dynamic_manifest.is_some()));
        }
        Err(_) => return Ok(None),
    };
    Ok(info.metadata.dynamic_manifest.is_some().then(|| info.clone()))
}

async fn dynamic(
    store: &Guarded,
    id: &ObjectId,
    info: ObjectInfo,
    conditions: &Conditions,
) -> Result<Large, LargeError> {
    let (info, segments) = assemble_dynamic(store, id, info).await?;
    check(&info, conditions)?;
    Ok(Large { info, segments, list_md5: None })
}

async fn assemble_dynamic(
    store: &Guarded,
    id: &ObjectId,
    info: ObjectInfo,
) -> Result<(ObjectInfo, Vec<Segment>), Error> {
    let ObjectMetadata { dynamic_manifest, .. } = &info.metadata;
    let manifest = DynamicManifest::parse(dynamic_manifest.as_deref().unwrap_or_default())
        .ok_or(Error::Damaged("a dynamic manifest that names no container"))?;
    let segments = dynamic::segments(store, &id.container.account, manifest).await?;
    let content: Content = joined(&segments);
    Ok((ObjectInfo { content, ..info }, segments))
}

fn check(info: &ObjectInfo, conditions: &Conditions) -> Result<(), Error> {
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())),
        Unmet::PreconditionFailed | Unmet::NothingToMatch => Error::PreconditionFailed,
    })
}

async fn collect(mut body: ObjectStream) -> Result<Bytes, LargeError> {
    let Some(first) = body.try_next().await? else { return Ok(Bytes::new()) };
    let Some(second) = body.try_next().await? else { return Ok(first) };
    let mut whole = bytes::BytesMut::from(&first[..]);
    whole.extend_from_slice(&second);
    while let Some(bytes) = body.try_next().await? {
        if whole.len() + bytes.len() > LIST_BYTES_MAX {
            return Err(LargeError::Broken("the list of segments is too long"));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}
