//! Answers, and how things are written in them.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_model::{
    ChecksumKind, Content, ETagStyle, ObjectInfo, ObjectMetadata, StoredChecksum, Timestamp, VersionId,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::checksum;
use super::object::Overrides;
use super::xml::Writer;

/// What an object is when its writer didn't say.
const CONTENT_TYPE_UNKNOWN: &str = "binary/octet-stream";

/// What `encoding-type=url` leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(super) fn xml(document: Writer) -> Response {
    let mut response = Response::new(Body::from(document.finish()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// What was written: its ETag, its version, and the checksum that came with it.
pub(super) fn stored(info: &ObjectInfo) -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    set(headers, ETAG, &quoted_etag(&info.content));
    set_written_version(headers, info);
    set_whole_checksum(headers, info);
    response
}

pub(super) fn set_version(headers: &mut HeaderMap, version: VersionId) {
    set(headers, HeaderName::from_static("x-amz-version-id"), &version.to_string());
}

/// A writer isn't told of the null version: without versioning, and while it is suspended, there is nothing to tell apart.
pub(super) fn set_written_version(headers: &mut HeaderMap, info: &ObjectInfo) {
    if let Some(version @ VersionId::Id(_)) = info.version {
        set_version(headers, version);
    }
}

pub(super) fn set_delete_marker(headers: &mut HeaderMap) {
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
}

/// The checksum of all of an object, if it has one.
pub(super) fn set_whole_checksum(headers: &mut HeaderMap, info: &ObjectInfo) {
    if let Some(sum) = &info.checksum {
        let name = HeaderName::from_static(checksum::header(sum.algorithm));
        set(headers, name, &checksum::show_of(sum, &info.content));
        let kind = checksum::kind_name(sum.kind);
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(kind));
    }
}

/// The checksum of a part; `kind` is that of the object's, if it has one.
pub(super) fn set_checksum(headers: &mut HeaderMap, sum: &StoredChecksum, kind: Option<ChecksumKind>) {
    set(headers, HeaderName::from_static(checksum::header(sum.algorithm)), &checksum::show(sum));
    if let Some(kind) = kind {
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum::kind_name(kind)));
    }
}

/// 304: what a cache has is still right.
pub(super) fn not_modified(info: &ObjectInfo) -> Response {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(headers, ETAG, &quoted_etag(&info.content));
    set(headers, LAST_MODIFIED, &http_date(info.modified));
    if let Some(version) = info.version {
        set_version(headers, version);
    }
    if let Some(cache_control) = &info.metadata.cache_control {
        set(headers, CACHE_CONTROL, cache_control);
    }
    response
}

/// The headers of an object that is read; `bytes` of it are in the answer.
pub(super) fn describe(headers: &mut HeaderMap, info: &ObjectInfo, bytes: u64, overrides: &Overrides) {
    let ObjectInfo { content, metadata, modified, version, annotations, checksum: _, shape: _ } = info;
    headers.reserve(8 + metadata.user.iter().count());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    set(headers, ETAG, &quoted_etag(content));
    set(headers, LAST_MODIFIED, &http_date(*modified));
    if let Some(version) = version {
        set_version(headers, *version);
    }
    if !annotations.tags.is_empty() {
        headers.insert("x-amz-tagging-count", HeaderValue::from(annotations.tags.len()));
    }
    let ObjectMetadata {
        content_type,
        content_encoding,
        content_disposition,
        content_language,
        cache_control,
        expires,
        delete_at: _,
        dynamic_manifest: _,
        user,
    } = metadata;
    let content_type = content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN);
    for (name, stored, overriding) in [
        (CONTENT_TYPE, Some(content_type), &overrides.content_type),
        (CONTENT_ENCODING, content_encoding.as_deref(), &overrides.content_encoding),
        (CONTENT_DISPOSITION, content_disposition.as_deref(), &overrides.content_disposition),
        (CONTENT_LANGUAGE, content_language.as_deref(), &overrides.content_language),
        (CACHE_CONTROL, cache_control.as_deref(), &overrides.cache_control),
        (EXPIRES, expires.as_deref(), &overrides.expires),
    ] {
        if let Some(value) = overriding.as_deref().or(stored) {
            set(headers, name, value);
        }
    }
    let mut unsayable: u32 = 0;
    for (name, value) in user.iter() {
        let name = HeaderName::from_bytes(format!("x-amz-meta-{name}").as_bytes());
        match (name, HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => unsayable += 1,
        }
    }
    if unsayable > 0 {
        headers.insert("x-amz-missing-meta", HeaderValue::from(unsayable));
    }
}

/// Sets a header, unless it has characters that no header can have.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

pub(super) fn quoted_etag(content: &Content) -> String {
    format!("\"{}\"", content.etag(ETagStyle::S3))
}

/// As headers have it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_seconds()))
}

/// As documents have it: `1994-11-06T08:49:37.000Z`. S3 tells whole seconds, the same as in headers:
/// clients compare the two.
pub(super) fn iso_date(at: Timestamp) -> String {
    let seconds = i64::try_from(at.as_seconds()).ok();
    let at = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()).unwrap_or_default()
}

/// As `encoding-type=url` has it.
pub(super) fn url_encoded(name: &[u8]) -> String {
    percent_encode(name, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let at = Timestamp::from_micros(784_111_777_123_999);
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(iso_date(at), "1994-11-06T08:49:37.000Z");
        assert_eq!(iso_date(Timestamp::from_micros(0)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn url_encoding() {
        assert_eq!(url_encoded("a/b c+\u{1}ü".as_bytes()), "a/b%20c%2B%01%C3%BC");
    }
}
