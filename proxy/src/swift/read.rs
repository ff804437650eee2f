//! GET and HEAD of objects, whatever they are made of.

mod opening;
mod subject;

use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::{ByteRange, Conditions, Error, Md5, ObjectId, ObjectInfo, Shape, VersionId};

use super::answer;
use super::headers::{self, Dates, IfRange};
use super::joined::{self, ManifestForm};
use super::object::{check_dates, render};
use super::query::Query;
use super::ranges;
use super::refusal::Refusal;
use super::symlink::{self, Links};
use super::versions;
use crate::body;
use crate::request_id::RequestId;

pub(super) use opening::{Extent, Opened, open, open_here};
use subject::{PartOf, check_conditions, part_of, subject_of};

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
