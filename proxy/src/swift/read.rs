//! GET and HEAD of objects, whatever they are made of.

use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::{
    ByteRange, Conditions, Content, Digest, ETagStyle, Error, Match, Md5, Noun, ObjectId, ObjectInfo,
    ObjectStore as _, ObjectStream, Read, Shape, Span, Unmet, VersionId,
};

use super::answer;
use super::headers::{self, Dates, IfRange};
use super::joined::{self, ManifestForm};
use super::listing::CONTENT_TYPE_UNKNOWN;
use super::object::{check_dates, render};
use super::query::Query;
use super::ranges::{self, Multipart, PART_END};
use super::refusal::Refusal;
use super::symlink::{self, Links};
use super::versions;
use crate::body;
use crate::large::{self, Found, Large, LargeError, Piece};
use crate::request_id::RequestId;

/// GET of an object.
#[derive(Clone, Debug)]
pub struct GetObject {
    pub id: ObjectId,
    pub reading: Reading,
    /// None: the whole object.
    pub ranges: Vec<ByteRange>,
    pub if_range: IfRange,
}

/// HEAD of an object.
#[derive(Clone, Debug)]
pub struct HeadObject {
    pub id: ObjectId,
    pub reading: Reading,
}

/// What GET and HEAD have in common.
#[derive(Clone, Debug)]
pub struct Reading {
    /// `None`: the current one.
    pub version: Option<VersionId>,
    pub conditions: Conditions,
    pub dates: Dates,
    /// The list of segments is meant rather than what they give together.
    pub manifest: Option<ManifestForm>,
    /// One part of an object that has several, counted from 1. Where there are none it means nothing, as in Swift.
    pub part: Option<usize>,
    pub links: Links,
}

impl Reading {
    pub(super) fn parse(
        version: Option<VersionId>,
        request: &HeaderMap,
        query: &Query<'_>,
    ) -> Result<Self, Refusal> {
        let part = query.text("part-number")?.map(part_number).transpose()?;
        if part.is_some() && request.contains_key("range") {
            let text = "Range requests are not supported with part number queries";
            return Err(Refusal::Malformed(text.into()));
        }
        Ok(Self {
            version,
            conditions: headers::conditions(request)?,
            dates: Dates::parse(request)?,
            manifest: joined::manifest_form(query)?,
            part,
            links: symlink::meant(query)?,
        })
    }
}

impl Reading {
    /// With the version as the store knows it.
    pub(super) async fn settled(self, id: &ObjectId, store: &Guarded) -> Result<Self, Refusal> {
        Ok(Self { version: versions::settled(self.version, id, store).await?, ..self })
    }
}

impl GetObject {
    /// The same, of the current version of another object.
    pub(super) fn at(&self, id: &ObjectId) -> Self {
        Self { id: id.clone(), reading: Reading { version: None, ..self.reading.clone() }, ..self.clone() }
    }
}

impl HeadObject {
    /// The same, of the current version of another object.
    pub(super) fn at(&self, id: &ObjectId) -> Self {
        Self { id: id.clone(), reading: Reading { version: None, ..self.reading.clone() } }
    }
}

fn part_number(text: &str) -> Result<usize, Refusal> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or(Refusal::Malformed("Part number must be an integer greater than 0".into()))
}

pub(super) fn parse_get(
    id: ObjectId,
    version: Option<VersionId>,
    head: &Parts,
    query: &Query<'_>,
) -> Result<GetObject, Refusal> {
    let request = &head.headers;
    Ok(GetObject {
        id,
        reading: Reading::parse(version, request, query)?,
        ranges: ranges::parse(request)?,
        if_range: headers::if_range(request)?,
    })
}

pub(super) fn parse_head(
    id: ObjectId,
    version: Option<VersionId>,
    head: &Parts,
    query: &Query<'_>,
) -> Result<HeadObject, Refusal> {
    Ok(HeadObject { id, reading: Reading::parse(version, &head.headers, query)? })
}

/// An object that is about to be sent.
pub(super) struct Opened {
    pub(super) info: ObjectInfo,
    list_md5: Option<Md5>,
    /// Where one of its parts was asked for.
    parts_count: Option<usize>,
    pub(super) extent: Extent,
    pub(super) body: ObjectStream,
}

/// How much of it is sent.
pub(super) enum Extent {
    Whole,
    Part(Span),
    /// Several parts, each with a head of its own. `bytes` is the length of the body.
    Parts {
        boundary: String,
        bytes: u64,
    },
}

pub(super) async fn get(
    command: GetObject,
    store: &Guarded,
    request: RequestId,
) -> Result<Response, Refusal> {
    let command = GetObject { reading: command.reading.settled(&command.id, store).await?, ..command };
    let (opened, found_at) = open(&command, store, request).await?;
    let mut headers = described(&opened.info, opened.list_md5, command.reading.manifest);
    if let Some(count) = opened.parts_count {
        headers.insert("x-parts-count", HeaderValue::from(count));
    }
    match found_at {
        None => versions::locate(&mut headers, &command.id, (command.reading.version, opened.info.version)),
        Some(id) => {
            headers.insert(CONTENT_LOCATION, answer::header_value(&symlink::path(&id)));
        }
    }
    let status = extend(&mut headers, &opened.info, &opened.extent);
    Ok(answer::with_body(status, headers, body::download(opened.body, request)))
}

/// Opens the object as asked, or what it stands for; then it is told where that is.
pub(super) async fn open(
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
pub(super) async fn open_here(
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

/// The list of segments as an object of its own. `None`: there is none, and the stored bytes are what is wanted.
///
/// The parts of an object that S3 joined are no objects, so its list of segments is empty.
async fn manifest_of(
    id: &ObjectId,
    reading: &Reading,
    form: ManifestForm,
    store: &Guarded,
) -> Result<Option<Large>, Refusal> {
    let (info, list) = large::look_at_manifest(store, id, reading.version).await?;
    let subject = match list {
        Some(list) => {
            let shown = match form {
                ManifestForm::Stored => list,
                ManifestForm::Raw | ManifestForm::Copied => Bytes::from(large::manifest::raw(
                    large::manifest::decode(&list)
                        .ok_or(Error::Damaged("a list of segments that isn't one"))?,
                )),
            };
            of_list(info, shown)
        }
        None if joined::is_joined(&info) && form != ManifestForm::Copied => {
            of_list(info, Bytes::from_static(b"[]"))
        }
        None => return Ok(None),
    };
    check_conditions(&reading.conditions, &subject.info)?;
    Ok(Some(subject))
}

fn of_list(info: ObjectInfo, list: Bytes) -> Large {
    let list_md5 = Md5::of(&list);
    let content = Content { bytes: list.len() as u64, digest: Digest::Whole(list_md5) };
    let shape = Shape::SegmentList { list_bytes: content.bytes, list_md5: Some(list_md5) };
    Large::of_bytes(ObjectInfo { content, shape, ..info }, list)
}

fn check_conditions(conditions: &Conditions, info: &ObjectInfo) -> Result<(), Refusal> {
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())).into(),
        Unmet::PreconditionFailed | Unmet::NothingToMatch => Refusal::Unmatched(Box::new(info.clone())),
    })
}

struct PartOf {
    subject: Large,
    span: Span,
    count: usize,
}

async fn part_of(
    id: &ObjectId,
    reading: &Reading,
    number: usize,
    store: &Guarded,
) -> Result<Option<PartOf>, Refusal> {
    if reading.manifest.is_some() {
        return Ok(None);
    }
    let look = large::look(store, id, reading.version, &reading.conditions).await;
    let subject = explained(look, id, reading, store).await?;
    if !joined::is_joined(&subject.info) {
        return Ok(None);
    }
    check_dates(reading.dates, &subject.info)?;
    let lengths: Vec<u64> = match subject.list_md5 {
        Some(_) => subject.segments.iter().map(large::Segment::bytes).collect(),
        None => store.layout(id, subject.info.version).await?.iter().map(|part| part.bytes).collect(),
    };
    let Some(length) = lengths.get(number - 1) else {
        return Err(Refusal::NoSuchPart {
            info: Box::new(subject.info),
            count: lengths.len(),
            is_head: false,
        });
    };
    let start = lengths[..number - 1].iter().sum();
    Ok(Some(PartOf { subject, span: Span { start, end: start + length }, count: lengths.len() }))
}

pub(super) async fn head(command: HeadObject, store: &Guarded) -> Result<Response, Refusal> {
    let reading = command.reading.settled(&command.id, store).await?;
    let command = HeadObject { reading, ..command };
    match (head_here(&command, store).await, command.reading.links) {
        (Err(Refusal::Store(Error::Link(link))), Links::Followed) => {
            symlink::told(&command, link, store).await
        }
        (Err(Refusal::Store(Error::Link(link))), Links::Shown) => {
            check_conditions(&command.reading.conditions, &link)?;
            check_dates(command.reading.dates, &link)?;
            let mut headers = described(&link, None, None);
            let status = extend(&mut headers, &link, &Extent::Whole);
            Ok(answer::empty(status, headers))
        }
        (outcome, _) => outcome,
    }
}

/// Tells of the object as asked; a link is the store's refusal [`Error::Link`].
pub(super) async fn head_here(command: &HeadObject, store: &Guarded) -> Result<Response, Refusal> {
    let HeadObject { id, reading } = command;
    if let Some(number) = reading.part
        && let Some(part) = part_of(id, reading, number, store).await.map_err(Refusal::without_words)?
    {
        let PartOf { subject, span, count } = part;
        let mut headers = described(&subject.info, subject.list_md5, None);
        headers.insert("x-parts-count", HeaderValue::from(count));
        let status = extend(&mut headers, &subject.info, &Extent::Part(span));
        return Ok(answer::empty(status, headers));
    }
    let (info, list_md5) = subject_of(id, reading, store).await?;
    check_dates(reading.dates, &info)?;
    let mut headers = described(&info, list_md5, reading.manifest);
    versions::locate(&mut headers, id, (reading.version, info.version));
    let status = extend(&mut headers, &info, &Extent::Whole);
    Ok(answer::empty(status, headers))
}

async fn subject_of(
    id: &ObjectId,
    reading: &Reading,
    store: &Guarded,
) -> Result<(ObjectInfo, Option<Md5>), Refusal> {
    let Some(form) = reading.manifest else {
        let look = large::look(store, id, reading.version, &reading.conditions).await;
        let Large { info, list_md5, .. } = explained(look, id, reading, store).await?;
        return Ok((info, list_md5));
    };
    if let Some(manifest) = manifest_of(id, reading, form, store).await? {
        return Ok((manifest.info, None));
    }
    let found = store.head(id, reading.version, &reading.conditions).await.map_err(LargeError::from);
    Ok((explained(found, id, reading, store).await?, None))
}

/// The headers that don't depend on how much of the object is sent.
fn described(info: &ObjectInfo, list_md5: Option<Md5>, manifest: Option<ManifestForm>) -> HeaderMap {
    let mut headers = render(info);
    if let Some(link) = info.shape.link() {
        symlink::describe(&mut headers, link);
    }
    if let Some(md5) = list_md5 {
        headers.insert("x-manifest-etag", answer::header_value(&md5.to_string()));
    }
    if manifest.is_some() && matches!(info.shape, Shape::SegmentList { .. }) {
        headers.insert("x-static-large-object", HeaderValue::from_static("True"));
        if manifest == Some(ManifestForm::Stored) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
    }
    headers
}

/// Adds how much of the object is sent, and says under which status that is.
fn extend(headers: &mut HeaderMap, info: &ObjectInfo, extent: &Extent) -> StatusCode {
    let total = info.content.bytes;
    match extent {
        Extent::Whole => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(total));
            StatusCode::OK
        }
        Extent::Part(span) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(span.bytes()));
            let value = format!("bytes {}-{}/{total}", span.start, span.end.saturating_sub(1));
            headers.insert(CONTENT_RANGE, answer::header_value(&value));
            StatusCode::PARTIAL_CONTENT
        }
        Extent::Parts { boundary, bytes } => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(*bytes));
            let value = format!("multipart/byteranges;boundary={boundary}");
            headers.insert(CONTENT_TYPE, answer::header_value(&value));
            StatusCode::PARTIAL_CONTENT
        }
    }
}

/// Says of which object a reader's condition doesn't hold, where that can still be told.
/// Where there is none, Swift takes `If-Match: *` for the question whether there is.
pub(super) async fn explained<T>(
    found: Result<T, LargeError>,
    id: &ObjectId,
    reading: &Reading,
    store: &Guarded,
) -> Result<T, Refusal> {
    let error = match found {
        Ok(found) => return Ok(found),
        Err(LargeError::Store(error)) => error,
        Err(broken @ LargeError::Broken(_)) => return Err(broken.into()),
    };
    Err(match error {
        Error::PreconditionFailed => {
            let none = Conditions::none(ETagStyle::Swift);
            let present = large::head(store, id, reading.version, &none).await;
            present.map_or(error.into(), |info| Refusal::Unmatched(Box::new(info)))
        }
        Error::RangeUnsatisfiable(info) => match check_dates(reading.dates, &info) {
            Ok(()) => Error::RangeUnsatisfiable(info).into(),
            Err(refusal) => refusal,
        },
        Error::NotFound(Noun::Object) | Error::NothingToMatch => match reading.conditions.if_match {
            Match::Any => Error::NothingToMatch.into(),
            Match::Unset | Match::OneOf(_) => Error::NotFound(Noun::Object).into(),
        },
        error => error.into(),
    })
}
