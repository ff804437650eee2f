//! Operations on objects.

use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    ByteRange, Conditions, Download, ETagStyle, Error, Match, Md5, NewObject, Noun, ObjectId, ObjectInfo,
    ObjectMetadata, ObjectStore as _, Read, VersionId,
};

use crate::body::{self, RequestBody};
use crate::request_id::RequestId;

use super::account::add_item;
use super::answer;
use super::content_type;
use super::date;
use super::declared;
use super::headers::{self, Dates, IfRange, Owner};
use super::joined;
use super::listing::CONTENT_TYPE_UNKNOWN;
use super::refusal::{self, Refusal};
use super::versions;

/// PUT of an object.
#[derive(Debug)]
pub struct PutObject {
    pub id: ObjectId,
    pub metadata: ObjectMetadata,
    pub conditions: Conditions,
    /// What the bytes must hash to, where the caller said so.
    pub md5: Option<Md5>,
    /// `None`: the body is chunked, and its length isn't known.
    pub bytes: Option<u64>,
}

/// GET of an object.
#[derive(Debug)]
pub struct GetObject {
    pub id: ObjectId,
    /// `None`: the current version.
    pub version: Option<VersionId>,
    pub conditions: Conditions,
    pub dates: Dates,
    pub range: Option<ByteRange>,
    pub if_range: IfRange,
}

/// HEAD of an object.
#[derive(Debug)]
pub struct HeadObject {
    pub id: ObjectId,
    /// `None`: the current version.
    pub version: Option<VersionId>,
    pub conditions: Conditions,
    pub dates: Dates,
}

/// POST to an object: its metadata is replaced, and the content type where one is given.
#[derive(Debug)]
pub struct PostObject {
    pub id: ObjectId,
    pub metadata: ObjectMetadata,
}

/// DELETE of an object.
#[derive(Debug)]
pub struct DeleteObject {
    pub id: ObjectId,
    /// `None`: the current version.
    pub version: Option<VersionId>,
    pub conditions: Conditions,
}

pub(super) fn parse_put(id: ObjectId, head: &Parts) -> Result<PutObject, Refusal> {
    let request = &head.headers;
    let bytes = declared::bytes(request)?;
    let conditions = write_conditions(request)?;
    if matches!(conditions.if_none_match, Match::OneOf(_)) {
        return Err(Refusal::Malformed("If-None-Match only supports *".into()));
    }
    let content_type = Some(content_type::of_new(request, &id.key)?);
    let metadata = ObjectMetadata { content_type, ..stored_headers(request)? };
    Ok(PutObject { id, metadata, conditions, md5: declared::md5(request)?, bytes })
}

pub(super) fn parse_get(id: ObjectId, head: &Parts) -> Result<GetObject, Refusal> {
    let request = &head.headers;
    Ok(GetObject {
        id,
        version: None,
        conditions: headers::conditions(request)?,
        dates: Dates::parse(request)?,
        range: headers::range(request)?,
        if_range: headers::if_range(request)?,
    })
}

pub(super) fn parse_head(id: ObjectId, head: &Parts) -> Result<HeadObject, Refusal> {
    let request = &head.headers;
    Ok(HeadObject {
        id,
        version: None,
        conditions: headers::conditions(request)?,
        dates: Dates::parse(request)?,
    })
}

pub(super) fn parse_post(id: ObjectId, head: &Parts) -> Result<PostObject, Refusal> {
    let request = &head.headers;
    for name in ["if-match", "if-none-match", "if-unmodified-since"] {
        if request.contains_key(name) {
            return Err(Refusal::NotOffered(format!("{name} with POST").into()));
        }
    }
    let content_type = content_type::given(request)?;
    Ok(PostObject { id, metadata: ObjectMetadata { content_type, ..stored_headers(request)? } })
}

pub(super) fn parse_delete(id: ObjectId, head: &Parts) -> Result<DeleteObject, Refusal> {
    Ok(DeleteObject { id, version: None, conditions: write_conditions(&head.headers)? })
}

/// Conditions of a write. A date can't tell two states within one second apart, so none is taken for a write.
fn write_conditions(request: &HeaderMap) -> Result<Conditions, Refusal> {
    if request.contains_key("if-unmodified-since") {
        return Err(Refusal::NotOffered("If-Unmodified-Since with a write".into()));
    }
    headers::conditions(request)
}

/// What is kept of a request's head besides the content type.
fn stored_headers(request: &HeaderMap) -> Result<ObjectMetadata, Refusal> {
    Ok(ObjectMetadata {
        content_type: None,
        content_encoding: headers::stored_text(request, CONTENT_ENCODING.as_str())?,
        content_disposition: headers::stored_text(request, CONTENT_DISPOSITION.as_str())?,
        content_language: headers::stored_text(request, CONTENT_LANGUAGE.as_str())?,
        cache_control: headers::stored_text(request, CACHE_CONTROL.as_str())?,
        expires: headers::stored_text(request, EXPIRES.as_str())?,
        delete_at: None,
        dynamic_manifest: None,
        user: headers::metadata(request, Owner::Object)?,
    })
}

pub(super) async fn put(command: PutObject, body: RequestBody, store: &Guarded) -> Result<Response, Refusal> {
    let PutObject { id, metadata, conditions, md5, bytes } = command;
    let body = body.into_stream(PUT_BYTES_MAX);
    let info = store.put(&id, NewObject { md5, bytes, ..NewObject::new(metadata, conditions, body) }).await?;
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, etag(&info));
    headers.insert(LAST_MODIFIED, last_modified(&info));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::HTML));
    versions::show(&mut headers, info.version.filter(|version| *version != VersionId::Null));
    Ok(answer::empty(StatusCode::CREATED, headers))
}

pub(super) async fn get(
    command: GetObject,
    store: &Guarded,
    request: RequestId,
) -> Result<Response, Refusal> {
    let command =
        GetObject { version: versions::settled(command.version, &command.id, store).await?, ..command };
    let (opened, extent) = match open(&command, store).await {
        Err(Error::RangeUnsatisfiable(info)) => {
            check_dates(command.dates, &info)?;
            return Err(Error::RangeUnsatisfiable(info).into());
        }
        Err(error) => {
            return Err(described(error, (&command.id, command.version), &command.conditions, store).await);
        }
        Ok(opened) => opened,
    };
    check_dates(command.dates, &opened.info)?;
    let span = opened.span;
    let mut headers = render(&opened.info);
    versions::locate(&mut headers, &command.id, (command.version, opened.info.version));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(span.bytes()));
    let status = match extent {
        Extent::Whole => StatusCode::OK,
        Extent::Part => {
            let total = opened.info.content.bytes;
            let value = format!("bytes {}-{}/{total}", span.start, span.end.saturating_sub(1));
            headers.insert(CONTENT_RANGE, answer::header_value(&value));
            StatusCode::PARTIAL_CONTENT
        }
    };
    Ok(answer::with_body(status, headers, body::download(opened.body, request)))
}

/// How much of an object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Part,
}

/// Opens the object as asked. With `If-Range` the range counts only for the very object that it names.
async fn open(command: &GetObject, store: &Guarded) -> Result<(Download, Extent), Error> {
    let read = |conditions: Conditions, range| {
        store.get(&command.id, Read { version: command.version, conditions, range })
    };
    let conditions = &command.conditions;
    match (command.range, &command.if_range) {
        (Some(range), IfRange::Unset) => {
            return Ok((read(conditions.clone(), Some(range)).await?, Extent::Part));
        }
        (Some(range), IfRange::ETag(tag)) if conditions.if_match == Match::Unset => {
            let pinned = Conditions { if_match: Match::OneOf(vec![tag.clone()]), ..conditions.clone() };
            match read(pinned, Some(range)).await {
                Err(Error::PreconditionFailed) => {}
                outcome => return Ok((outcome?, Extent::Part)),
            }
        }
        _ => {}
    }
    Ok((read(conditions.clone(), None).await?, Extent::Whole))
}

pub(super) async fn head(command: HeadObject, store: &Guarded) -> Result<Response, Refusal> {
    let version = versions::settled(command.version, &command.id, store).await?;
    let info = match store.head(&command.id, version, &command.conditions).await {
        Err(error) => return Err(described(error, (&command.id, version), &command.conditions, store).await),
        Ok(info) => info,
    };
    check_dates(command.dates, &info)?;
    let mut headers = render(&info);
    versions::locate(&mut headers, &command.id, (version, info.version));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(info.content.bytes));
    Ok(answer::empty(StatusCode::OK, headers))
}

pub(super) async fn post(command: PostObject, store: &Guarded) -> Result<Response, Refusal> {
    store.set_metadata(&command.id, command.metadata, &Conditions::none(ETagStyle::Swift)).await?;
    Ok(answer::accepted(HeaderMap::new()))
}

pub(super) async fn delete(command: DeleteObject, store: &Guarded) -> Result<Response, Refusal> {
    let DeleteObject { id, version, conditions } = command;
    let mut headers = HeaderMap::new();
    if let Some(version) = versions::settled(version, &id, store).await? {
        store.delete(&id, Some(version), &conditions).await?;
        versions::show(&mut headers, Some(version));
        versions::show_current(&mut headers, &id, store).await?;
        return Ok(answer::empty(StatusCode::NO_CONTENT, headers));
    }
    let is_there = versions::is_there(&id, store).await?;
    let deleted = store.delete(&id, None, &conditions).await?;
    versions::show(&mut headers, deleted.version.filter(|version| *version != VersionId::Null));
    Ok(if is_there {
        answer::empty(StatusCode::NO_CONTENT, headers)
    } else {
        answer::whole(StatusCode::NOT_FOUND, headers, answer::HTML, refusal::page(404))
    })
}

/// Says of which object a reader's condition doesn't hold, where that can still be told.
/// Where there is none, Swift takes `If-Match: *` for the question whether there is.
async fn described(
    error: Error,
    (id, version): (&ObjectId, Option<VersionId>),
    conditions: &Conditions,
    store: &Guarded,
) -> Refusal {
    match error {
        Error::PreconditionFailed => {
            let present = store.head(id, version, &Conditions::none(ETagStyle::Swift)).await;
            present.map_or(error.into(), |info| Refusal::Unmatched(Box::new(info)))
        }
        Error::NotFound(Noun::Object) | Error::NothingToMatch => match conditions.if_match {
            Match::Any => Error::NothingToMatch.into(),
            Match::Unset | Match::OneOf(_) => Error::NotFound(Noun::Object).into(),
        },
        error => error.into(),
    }
}

/// Whether what is read is newer, or older, than the reader wants it.
fn check_dates(dates: Dates, info: &ObjectInfo) -> Result<(), Refusal> {
    let modified = date::shown_seconds(info.modified);
    if dates.unmodified_since.is_some_and(|since| modified > since) {
        return Err(Refusal::Unmatched(Box::new(info.clone())));
    }
    if dates.modified_since.is_some_and(|since| modified <= since) {
        return Err(Error::NotModified(Box::new(info.clone())).into());
    }
    Ok(())
}

/// What tells one state of an object from another.
pub(super) fn render_state(info: &ObjectInfo) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, etag(info));
    headers.insert(LAST_MODIFIED, last_modified(info));
    headers.insert("x-timestamp", answer::timestamp(info.modified));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    versions::show(&mut headers, info.version);
    if joined::is_joined(info) {
        headers.insert("x-static-large-object", HeaderValue::from_static("True"));
    }
    headers
}

/// The headers of an object, without those that depend on how much of it is sent.
pub(super) fn render(info: &ObjectInfo) -> HeaderMap {
    let metadata = &info.metadata;
    let mut headers = render_state(info);
    let content_type = metadata.content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN);
    headers.insert(CONTENT_TYPE, answer::header_value(content_type));
    let optional = [
        (CONTENT_ENCODING, &metadata.content_encoding),
        (CONTENT_DISPOSITION, &metadata.content_disposition),
        (CONTENT_LANGUAGE, &metadata.content_language),
        (CACHE_CONTROL, &metadata.cache_control),
        (EXPIRES, &metadata.expires),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            headers.insert(name, answer::header_value(value));
        }
    }
    for (name, value) in metadata.user.iter() {
        add_item(&mut headers, Owner::Object, name, value);
    }
    headers
}

/// Without quotes: that is how Swift's clients know it.
fn etag(info: &ObjectInfo) -> HeaderValue {
    answer::header_value(&info.content.etag(ETagStyle::Swift))
}

fn last_modified(info: &ObjectInfo) -> HeaderValue {
    answer::header_value(&date::last_modified(info.modified))
}
