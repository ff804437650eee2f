//! Operations that change objects, and what is told of an object. Reading is in [`super::read`].

use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    ETAG, EXPIRES, LAST_MODIFIED,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::{Action, Guarded};
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    Conditions, Deleted, Digest, ETagStyle, Error, Match, Md5, NewObject, ObjectId, ObjectInfo,
    ObjectMetadata, ObjectStore as _, Timestamp, VersionId, Versioning,
};

use super::account::add_item;
use super::answer;
use super::content_type;
use super::date;
use super::declared;
use super::expiry::Expiry;
use super::headers::{self, Dates, Owner};
use super::joined;
use super::listing::CONTENT_TYPE_UNKNOWN;
use super::refusal::{self, Refusal};
use super::symlink;
use super::versions;
use crate::body::RequestBody;
use crate::large::DynamicManifest;

/// PUT of an object.
#[derive(Debug)]
pub struct PutObject {
    pub id: ObjectId,
    pub metadata: ObjectMetadata,
    pub expiry: Expiry,
    pub conditions: Conditions,
    /// What the bytes must hash to, where the caller said so.
    pub md5: Option<Md5>,
    /// `None`: the body is chunked, and its length isn't known.
    pub bytes: Option<u64>,
}

/// POST to an object: its metadata is replaced, and the content type where one is given.
#[derive(Debug)]
pub struct PostObject {
    pub id: ObjectId,
    pub metadata: ObjectMetadata,
    pub expiry: Expiry,
    pub conditions: Conditions,
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
    let (metadata, expiry, conditions) = parse_written(&id, request)?;
    Ok(PutObject { id, metadata, expiry, conditions, md5: declared::md5(request)?, bytes })
}

/// What the head of a PUT says of the object, and under which conditions it is stored.
pub(super) fn parse_written(
    id: &ObjectId,
    request: &HeaderMap,
) -> Result<(ObjectMetadata, Expiry, Conditions), Refusal> {
    let conditions = conditions_of_new(request)?;
    let (metadata, expiry) = parse_said(id, request)?;
    let content_type = Some(content_type::of_new(request, &id.key)?);
    Ok((ObjectMetadata { content_type, ..metadata }, expiry, conditions))
}

/// Under which conditions a PUT is carried out.
pub(super) fn conditions_of_new(request: &HeaderMap) -> Result<Conditions, Refusal> {
    let conditions = write_conditions(request)?;
    if matches!(conditions.if_none_match, Match::OneOf(_)) {
        return Err(Refusal::Malformed("If-None-Match only supports *".into()));
    }
    Ok(conditions)
}

/// What a head says of an object, without guesses.
pub(super) fn parse_said(id: &ObjectId, request: &HeaderMap) -> Result<(ObjectMetadata, Expiry), Refusal> {
    if request.get("x-object-manifest").is_some_and(HeaderValue::is_empty) {
        return Err(Refusal::Malformed(DYNAMIC_MANIFEST_FORM.into()));
    }
    let content_type = content_type::said(request, &id.key)?;
    Ok((ObjectMetadata { content_type, ..stored_headers(request)? }, Expiry::parse(request)?))
}

pub(super) fn parse_post(id: ObjectId, head: &Parts) -> Result<PostObject, Refusal> {
    let request = &head.headers;
    symlink::refuse_in_post(request)?;
    let content_type = content_type::given(request)?;
    Ok(PostObject {
        id,
        metadata: ObjectMetadata { content_type, ..stored_headers(request)? },
        expiry: Expiry::parse(request)?,
        conditions: write_conditions(request)?,
    })
}

pub(super) fn parse_delete(id: ObjectId, head: &Parts) -> Result<DeleteObject, Refusal> {
    let request = &head.headers;
    match headers::text(request, "x-if-delete-at")?.map(str::parse::<f64>) {
        None => Ok(DeleteObject { id, version: None, conditions: write_conditions(request)? }),
        Some(Ok(_)) => Err(Refusal::NotOffered("X-If-Delete-At".into())),
        Some(Err(_)) => Err(Refusal::Malformed("Bad X-If-Delete-At header value".into())),
    }
}

/// Conditions of a write; beyond Swift, which knows `If-None-Match: *` alone.
/// `If-Modified-Since` means nothing there (RFC 9110, section 13.1.3).
fn write_conditions(request: &HeaderMap) -> Result<Conditions, Refusal> {
    let since = Dates::parse(request)?.unmodified_since;
    let since = since.map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000)));
    Ok(Conditions { if_unmodified_since: since, ..headers::conditions(request)? })
}

const DYNAMIC_MANIFEST_FORM: &str = "X-Object-Manifest must be in the format container/prefix";

/// `X-Object-Manifest`, as it was given.
fn dynamic_manifest(request: &HeaderMap) -> Result<Option<String>, Refusal> {
    match headers::stored_text(request, "x-object-manifest")? {
        Some(given) if DynamicManifest::parse(&given).is_none() || given.contains(['?', '&']) => {
            Err(Refusal::Malformed(DYNAMIC_MANIFEST_FORM.into()))
        }
        given => Ok(given),
    }
}

/// What is kept of a request's head besides the content type and the end.
fn stored_headers(request: &HeaderMap) -> Result<ObjectMetadata, Refusal> {
    if request.contains_key("x-static-large-object") {
        let text = "X-Static-Large-Object is a reserved header. To create a static large object add query param \
                    multipart-manifest=put.";
        return Err(Refusal::Malformed(text.into()));
    }
    Ok(ObjectMetadata {
        content_type: None,
        content_encoding: headers::stored_text(request, CONTENT_ENCODING.as_str())?,
        content_disposition: headers::stored_text(request, CONTENT_DISPOSITION.as_str())?,
        content_language: headers::stored_text(request, CONTENT_LANGUAGE.as_str())?,
        cache_control: headers::stored_text(request, CACHE_CONTROL.as_str())?,
        expires: headers::stored_text(request, EXPIRES.as_str())?,
        delete_at: None,
        dynamic_manifest: dynamic_manifest(request)?,
        user: headers::metadata(request, Owner::Object)?,
    })
}

pub(super) async fn put(
    command: PutObject,
    body: RequestBody,
    store: &Guarded,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let PutObject { id, metadata, expiry, conditions, md5, bytes } = command;
    let metadata = ObjectMetadata { delete_at: expiry.resolve(now)?, ..metadata };
    let body = body.into_stream(PUT_BYTES_MAX);
    let info = store.put(&id, NewObject { md5, bytes, ..NewObject::new(metadata, conditions, body) }).await?;
    Ok(created(&info))
}

/// 201, with what tells the new state from others.
pub(super) fn created(info: &ObjectInfo) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, etag(info));
    headers.insert(LAST_MODIFIED, last_modified(info));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::HTML));
    versions::show(&mut headers, info.version.filter(|version| *version != VersionId::Null));
    answer::empty(StatusCode::CREATED, headers)
}

pub(super) async fn post(command: PostObject, store: &Guarded, now: Timestamp) -> Result<Response, Refusal> {
    let PostObject { id, metadata, expiry, conditions } = command;
    let metadata = ObjectMetadata { delete_at: expiry.resolve(now)?, ..metadata };
    let info = store.set_metadata(&id, metadata, &conditions).await?;
    Ok(match info.shape.link() {
        Some(link) => symlink::redirected(&id, link),
        None => answer::accepted(HeaderMap::new()),
    })
}

pub(super) async fn delete(command: DeleteObject, store: &Guarded) -> Result<Response, Refusal> {
    let DeleteObject { id, version, conditions } = command;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::HTML));
    if let Some(version) = versions::settled(version, &id, store).await? {
        versions::remove(&id, version, &conditions, store).await?;
        versions::show(&mut headers, Some(version));
        versions::show_current(&mut headers, &id, store).await?;
        return Ok(answer::empty(StatusCode::NO_CONTENT, headers));
    }
    let deleted = remove(&id, &conditions, store).await?;
    versions::show(&mut headers, deleted.version.filter(|version| *version != VersionId::Null));
    // A marker may have been left all the same.
    Ok(if deleted.was_there {
        answer::empty(StatusCode::NO_CONTENT, headers)
    } else {
        answer::whole(StatusCode::NOT_FOUND, headers, answer::HTML, refusal::page(404))
    })
}

/// Removes the current version, whoever asks for it: DELETE, a bulk request, or the removal of a large object.
pub(super) async fn remove(
    id: &ObjectId,
    conditions: &Conditions,
    store: &Guarded,
) -> Result<Deleted, Refusal> {
    // That a marker is left isn't told to anybody who may not write.
    store.allow_object(Action::DeleteObject, id, None).await?;
    Ok(match store.unguarded().recent_container(&id.container).await?.versioning {
        Versioning::Suspended => store.withdraw(id, None, conditions).await?,
        Versioning::Off | Versioning::Enabled => store.delete(id, None, conditions).await?,
    })
}

/// Whether what is read is newer, or older, than the reader wants it.
pub(super) fn check_dates(dates: Dates, info: &ObjectInfo) -> Result<(), Refusal> {
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
    if let Some(manifest) = &info.metadata.dynamic_manifest {
        headers.insert("x-object-manifest", answer::header_value(manifest));
    }
    if let Some(end) = info.metadata.delete_at {
        headers.insert("x-delete-at", HeaderValue::from(end.as_seconds()));
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

/// Without quotes: that is how Swift's clients know it. Those of objects that are made of others have them, as in Swift.
pub(super) fn etag(info: &ObjectInfo) -> HeaderValue {
    let etag = info.content.etag(ETagStyle::Swift);
    match info.content.digest {
        Digest::Whole(_) => answer::header_value(&etag),
        Digest::Parts { .. } => answer::header_value(&format!("\"{etag}\"")),
    }
}

pub(super) fn last_modified(info: &ObjectInfo) -> HeaderValue {
    answer::header_value(&date::last_modified(info.modified))
}
