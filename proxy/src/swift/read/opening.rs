//! Opening an object for whoever wants its bytes.

use bytes::Bytes;
use martlet_auth::Guarded;
use martlet_model::{
    ByteRange, Conditions, ETagStyle, Error, Match, Md5, ObjectId, ObjectInfo, ObjectStore as _,
    ObjectStream, Read, Span,
};

use super::GetObject;
use super::subject::{check_conditions, explained, manifest_of, part_of};
use crate::large::{self, Found, Large, LargeError, Piece};
use crate::request_id::RequestId;
use crate::swift::headers::IfRange;
use crate::swift::listing::CONTENT_TYPE_UNKNOWN;
use crate::swift::object::check_dates;
use crate::swift::ranges::{self, Multipart, PART_END};
use crate::swift::refusal::Refusal;
use crate::swift::symlink::{self, Links};

/// An object that is about to be sent.
pub(in crate::swift) struct Opened {
    pub(in crate::swift) info: ObjectInfo,
    pub(super) list_md5: Option<Md5>,
    /// Where one of its parts was asked for.
    pub(super) parts_count: Option<usize>,
    pub(in crate::swift) extent: Extent,
    pub(in crate::swift) body: ObjectStream,
}

/// How much of it is sent.
pub(in crate::swift) enum Extent {
    Whole,
    Part(Span),
    /// Several parts, each with a head of its own. `bytes` is the length of the body.
    Parts {
        boundary: String,
        bytes: u64,
    },
}

/// Opens the object as asked, or what it stands for; then it is told where that is.
pub(in crate::swift) async fn open(
    command: &GetObject,
    store: &Guarded,
    request: RequestId,
) -> Result<(Opened, Option<ObjectId>), Refusal> {
    match (open_here(command, store, request).await, command.reading.links) {
        (Err(Refusal::Store(Error::Link(link))), Links::Followed) => {
            let (opened, id) = symlink::opened(command, link, store, request).await?;
            Ok((opened, Some(id)))
        }
        (Err(Refusal::Store(Error::Link(link))), Links::Shown) => {
            check_conditions(&command.reading.conditions, &link)?;
            let itself = Large::of_bytes(*link, Bytes::new());
            Ok((open_parts(command, itself, &command.ranges, store, request).await?, None))
        }
        (outcome, _) => Ok((outcome?, None)),
    }
}

/// Opens the object as asked; a link is the store's refusal [`Error::Link`].
pub(in crate::swift) async fn open_here(
    command: &GetObject,
    store: &Guarded,
    request: RequestId,
) -> Result<Opened, Refusal> {
    let reading = &command.reading;
    if let Some(number) = reading.part
        && let Some(part) = part_of(&command.id, reading, number, store).await?
    {
        let opened = open_large(part.subject, Some(part.span), store).await?;
        return Ok(Opened { parts_count: Some(part.count), ..opened });
    }
    let ranges = if command.if_range == IfRange::Date { &[][..] } else { &command.ranges };
    if let Some(form) = reading.manifest {
        return match manifest_of(&command.id, reading, form, store).await? {
            Some(manifest) => open_parts(command, manifest, ranges, store, request).await,
            None => open_stored(command, ranges.first().copied(), store).await,
        };
    }
    if ranges.len() > 1 {
        let look = large::look(store, &command.id, reading.version, &reading.conditions).await;
        let subject = explained(look, &command.id, reading, store).await?;
        // As in Swift several ranges of a dynamic large object mean the whole.
        let is_dynamic = subject.info.metadata.dynamic_manifest.is_some();
        let ranges = if is_dynamic { &[][..] } else { ranges };
        return open_parts(command, subject, ranges, store, request).await;
    }
    open_one(command, ranges.first().copied(), store).await
}

/// Opens the whole object or one range of it. With `If-Range` the range counts only for the very object that it names.
async fn open_one(command: &GetObject, range: Option<ByteRange>, store: &Guarded) -> Result<Opened, Refusal> {
    let reading = &command.reading;
    let read = |conditions: Conditions, range| {
        let read = Read { version: reading.version, conditions, range };
        large::find(store, &command.id, read)
    };
    let conditions = &reading.conditions;
    let found = match (range, &command.if_range) {
        (Some(range), IfRange::ETag(tag)) if conditions.if_match == Match::Unset => {
            let pinned = Conditions { if_match: Match::OneOf(vec![tag.clone()]), ..conditions.clone() };
            match read(pinned, Some(range)).await {
                Err(LargeError::Store(Error::PreconditionFailed)) => {
                    (read(conditions.clone(), None).await, None)
                }
                outcome => (outcome, Some(range)),
            }
        }
        (Some(_), IfRange::ETag(_) | IfRange::Date) => (read(conditions.clone(), None).await, None),
        (range, _) => (read(conditions.clone(), range).await, range),
    };
    let (found, range) = match found {
        // The last bytes of nothing are nothing.
        (Err(LargeError::Store(Error::RangeUnsatisfiable(info))), Some(ByteRange::Last(1..)))
            if info.content.bytes == 0 =>
        {
            (read(conditions.clone(), None).await, None)
        }
        found => found,
    };
    match explained(found, &command.id, reading, store).await? {
        Found::Plain(download) => {
            check_dates(reading.dates, &download.info)?;
            let extent = range.map_or(Extent::Whole, |_| Extent::Part(download.span));
            Ok(Opened { info: download.info, list_md5: None, parts_count: None, extent, body: download.body })
        }
        Found::Large(large) => {
            check_dates(reading.dates, &large.info)?;
            let span = match large.span(range) {
                Err(_) if large.info.content.bytes == 0 && matches!(range, Some(ByteRange::Last(1..))) => {
                    None
                }
                span => range.map(|_| span).transpose()?,
            };
            open_large(large, span, store).await
        }
    }
}

/// Opens the stored bytes, whatever they stand for.
async fn open_stored(
    command: &GetObject,
    range: Option<ByteRange>,
    store: &Guarded,
) -> Result<Opened, Refusal> {
    let reading = &command.reading;
    let read = Read { version: reading.version, conditions: reading.conditions.clone(), range };
    let found = store.get(&command.id, read).await.map_err(LargeError::from);
    let download = explained(found, &command.id, reading, store).await?;
    check_dates(reading.dates, &download.info)?;
    let extent = range.map_or(Extent::Whole, |_| Extent::Part(download.span));
    Ok(Opened { info: download.info, list_md5: None, parts_count: None, extent, body: download.body })
}

async fn open_large(large: Large, part: Option<Span>, store: &Guarded) -> Result<Opened, Refusal> {
    let body = large.open(store, part.unwrap_or(Span::whole(large.info.content.bytes))).await?;
    let extent = part.map_or(Extent::Whole, Extent::Part);
    Ok(Opened { info: large.info, list_md5: large.list_md5, parts_count: None, extent, body })
}

/// Opens one or several ranges of an object that has been looked at.
async fn open_parts(
    command: &GetObject,
    subject: Large,
    ranges: &[ByteRange],
    store: &Guarded,
    request: RequestId,
) -> Result<Opened, Refusal> {
    let info = &subject.info;
    check_dates(command.reading.dates, info)?;
    let is_other = match &command.if_range {
        IfRange::Unset => false,
        IfRange::Date => true,
        IfRange::ETag(tag) => *tag != info.content.etag(ETagStyle::Swift),
    };
    if ranges.is_empty() || is_other {
        return open_large(subject, None, store).await;
    }
    let spans = ranges::spans(ranges, info.content.bytes)
        .ok_or_else(|| Error::RangeUnsatisfiable(Box::new(info.clone())))?;
    if let [span] = spans[..] {
        return open_large(subject, Some(span), store).await;
    }
    // Random by nature, and told in the same answer.
    let boundary = format!("{request}{request}");
    let content_type = info.metadata.content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN);
    let frame = Multipart { boundary: &boundary, content_type, bytes: info.content.bytes };
    let mut pieces = Vec::new();
    for span in &spans {
        pieces.push(Piece::Inline(frame.part_head(*span).into()));
        pieces.extend(subject.pieces(*span));
        pieces.push(Piece::Inline(PART_END.into()));
    }
    pieces.push(Piece::Inline(frame.end().into()));
    let bytes = frame.body_bytes(&spans);
    let body = large::open(store, pieces).await?;
    let Large { info, list_md5, .. } = subject;
    Ok(Opened { info, list_md5, parts_count: None, extent: Extent::Parts { boundary, bytes }, body })
}
