//! Static large objects: made of a list of segments (`PUT ?multipart-manifest=put`), and removed with them.

mod given;
mod removal;

use std::collections::HashMap;

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, ETAG};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::store::whole_body;
use martlet_model::{
    AccountName, BodyError, Conditions, ETagStyle, Error, NewObject, NewShape, ObjectId, ObjectInfo,
    ObjectMetadata, ObjectStore as _, Timestamp,
};
use percent_encoding::utf8_percent_encode;

use super::answer;
use super::date;
use super::declared;
use super::expiry::Expiry;
use super::format::{self, Format};
use super::headers;
use super::heartbeat;
use super::login::PATH_SEGMENT;
use super::object;
use super::query::Query;
use super::refusal::{self, Refusal, Words};
use super::report::{Report, status_line};
use crate::body::RequestBody;
use crate::large::manifest::{self, StoredSegment};
use crate::large::{self, Segment};
use crate::links;

use given::GivenSegment;
pub(super) use removal::{DeleteLarge, delete, parse_delete};

/// The longest list of segments that is taken, in bytes (Swift: `max_manifest_size`).
pub(super) const MANIFEST_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most segments of a list that are objects (Swift: `max_manifest_segments`).
pub(super) const SEGMENTS_COUNT_MAX: usize = 1000;
/// How many segments are looked at at once.
const LOOKS_COUNT_MAX: usize = 8;

/// PUT of a list of segments.
#[derive(Debug)]
pub struct PutLarge {
    pub id: ObjectId,
    pub metadata: ObjectMetadata,
    pub expiry: Expiry,
    pub conditions: Conditions,
    /// The ETag that the object must get, where the caller said so.
    pub etag: Option<String>,
    /// In which format it is told what is wrong with the segments.
    pub format: Format,
    /// Signs of life are wanted while the segments are looked at.
    pub heartbeat: bool,
}

pub(super) fn parse_put(id: ObjectId, head: &Parts, query: &Query<'_>) -> Result<PutLarge, Refusal> {
    let request = &head.headers;
    if declared::bytes(request)?.is_some_and(|bytes| bytes > MANIFEST_BYTES_MAX) {
        return Err(too_large());
    }
    let etag = headers::text(request, ETAG.as_str())?.map(headers::bare_etag).filter(|etag| !etag.is_empty());
    let (metadata, expiry, conditions) = object::parse_written(&id, request)?;
    if metadata.dynamic_manifest.is_some() {
        let text = "X-Object-Manifest can't be given with a list of segments";
        return Err(Refusal::Malformed(text.into()));
    }
    Ok(PutLarge {
        id,
        metadata,
        expiry,
        conditions,
        etag: etag.map(str::to_ascii_lowercase),
        format: format::accepted(request).unwrap_or(Format::Plain),
        heartbeat: query.text("heartbeat")?.is_some_and(headers::is_yes),
    })
}

fn too_large() -> Refusal {
    Refusal::LargeManifest(format!("Manifest File > {MANIFEST_BYTES_MAX} bytes").into())
}

pub(super) async fn put(
    command: PutLarge,
    body: RequestBody,
    store: &Guarded,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let list = body.collect(MANIFEST_BYTES_MAX).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => too_large(),
        error => Error::from(error).into(),
    })?;
    let (format, heartbeat) = (command.format, command.heartbeat);
    let making = Making::new(command, &list, now)?;
    if !heartbeat {
        return match making.carry_out(store).await? {
            Made::Object(info) => Ok(object::created(&info)),
            Made::Problems(errors) => Ok(problems(errors, format)),
        };
    }
    let store = store.clone();
    let work = async move { reported(making.carry_out(&store).await).render(format, "upload") };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    let body = heartbeat::body(work, heartbeat::First::Now).await;
    Ok(answer::with_body(StatusCode::ACCEPTED, headers, body))
}

/// 400, with what is wrong with the segments.
pub(super) fn problems(errors: Vec<(String, String)>, format: Format) -> Response {
    let report = Report::of_errors(errors).render(format, "upload");
    answer::whole(StatusCode::BAD_REQUEST, HeaderMap::new(), format.content_type(), report)
}

/// What came of it, where the status has been sent long since.
fn reported(outcome: Result<Made, Refusal>) -> Report {
    match outcome {
        Ok(Made::Object(info)) => Report::default()
            .with("Response Status", status_line(201))
            .with("Response Body", "")
            .with("Etag", format!("\"{}\"", info.content.etag(ETagStyle::Swift)))
            .with("Last Modified", date::last_modified(info.modified)),
        Ok(Made::Problems(errors)) => {
            let report = Report::of_errors(errors).with("Response Status", status_line(400));
            report.with("Response Body", page_text(400))
        }
        Err(refusal) => {
            let (status, words) = refusal.answer();
            let text = match words {
                Words::Plain(text) | Words::Html(text) => text.into_owned(),
                Words::Page | Words::Nothing => page_text(status),
            };
            Report::default().with("Response Status", status_line(status)).with("Response Body", text)
        }
    }
}

/// What Swift's page for a status says.
fn page_text(status: u16) -> String {
    let (title, sentence) = refusal::words(status);
    format!("{title}\n{sentence}")
}

/// An object to make of segments.
#[derive(Debug)]
pub(super) struct Making {
    id: ObjectId,
    metadata: ObjectMetadata,
    conditions: Conditions,
    etag: Option<String>,
    segments: Vec<GivenSegment>,
}

/// What came of it.
pub(super) enum Made {
    Object(Box<ObjectInfo>),
    /// Segments by name, percent-encoded, and what is wrong with each.
    Problems(Vec<(String, String)>),
}

impl Making {
    fn new(command: PutLarge, list: &Bytes, now: Timestamp) -> Result<Self, Refusal> {
        let PutLarge { id, metadata, expiry, conditions, etag, .. } = command;
        let metadata = ObjectMetadata { delete_at: expiry.resolve(now)?, ..metadata };
        Self::of_list(id, list, NewLarge { metadata, conditions, etag })
    }

    /// Reads the list; nothing is looked at yet.
    pub(super) fn of_list(id: ObjectId, list: &Bytes, new: NewLarge) -> Result<Self, Refusal> {
        let NewLarge { metadata, conditions, etag } = new;
        let segments = given::parse(list, &id)?;
        let objects = segments.iter().filter(|segment| matches!(segment, GivenSegment::Object(_))).count();
        if objects > SEGMENTS_COUNT_MAX {
            let text = format!("Number of object-backed segments must be <= {SEGMENTS_COUNT_MAX}");
            return Err(Refusal::LargeManifest(text.into()));
        }
        Ok(Self { id, metadata, conditions, etag, segments })
    }

    /// Looks at the segments, and stores the list if they are as it says.
    pub(super) async fn carry_out(self, store: &Guarded) -> Result<Made, Refusal> {
        let account = &self.id.container.account;
        let looks = looks(&self.segments, account, store).await;
        let (mut list, mut problems) = (Vec::with_capacity(self.segments.len()), Vec::new());
        for (index, segment) in self.segments.iter().enumerate() {
            let is_last = index + 1 == self.segments.len();
            match segment {
                GivenSegment::Inline(data) => list.push(StoredSegment::Inline { data: data.clone() }),
                GivenSegment::Object(given) => match looks.get(given.path.as_str()) {
                    Some(Ok(info)) => match given.check(info, is_last) {
                        Ok(stored) => list.push(stored),
                        Err(found) => problems
                            .extend(found.into_iter().map(|text| (quoted(&given.path), text.to_owned()))),
                    },
                    Some(Err(status)) => problems.push((quoted(&given.path), status.clone())),
                    None => problems.push((quoted(&given.path), status_line(404))),
                },
            }
        }
        if !problems.is_empty() {
            return Ok(Made::Problems(problems));
        }
        let segments: Option<Vec<Segment>> =
            list.iter().cloned().map(|stored| stored.read(account)).collect();
        let segments = segments.ok_or(Error::Damaged("a list of segments that can't be read again"))?;
        let content = large::joined(&segments);
        if self.etag.is_some_and(|etag| etag != content.etag(ETagStyle::Swift)) {
            return Err(Refusal::ImpossibleETag);
        }
        let list = manifest::encode(&list);
        let new = NewObject {
            bytes: Some(list.len() as u64),
            shape: NewShape::SegmentList(content),
            ..NewObject::new(self.metadata, self.conditions, whole_body(list))
        };
        Ok(Made::Object(Box::new(store.put(&self.id, new).await?)))
    }
}

/// What is said of a large object besides its segments.
pub(super) struct NewLarge {
    pub(super) metadata: ObjectMetadata,
    pub(super) conditions: Conditions,
    pub(super) etag: Option<String>,
}

/// What is known of every object that is named, or the status under which it can't be known.
async fn looks(
    segments: &[GivenSegment],
    account: &AccountName,
    store: &Guarded,
) -> HashMap<String, Result<ObjectInfo, String>> {
    let paths: std::collections::HashSet<_> = segments
        .iter()
        .filter_map(|segment| match segment {
            GivenSegment::Inline(_) => None,
            GivenSegment::Object(given) => Some(given.path.clone()),
        })
        .collect();
    let look = |path: String| {
        let id = manifest::split_name(account, &path);
        let store = store.clone();
        async move {
            let Some(id) = id else { return (path, Err(status_line(412))) };
            let found = links::head(&store, &id).await;
            (path, found.map_err(|error| status_line(Refusal::from(error).status())))
        }
    };
    stream::iter(paths.into_iter().map(look)).buffer_unordered(LOOKS_COUNT_MAX).collect().await
}

/// A name as reports show it; slashes stay.
pub(super) fn quoted(name: &str) -> String {
    name.split('/')
        .map(|part| utf8_percent_encode(part, PATH_SEGMENT).to_string())
        .collect::<Vec<_>>()
        .join("/")
}
