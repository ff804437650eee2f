//! Many removals in one request: `?bulk-delete`, with a name a line.
//!
//! The answer is always 200; what really came of it stands in the body, where clients look for it.

use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::{Guarded, Identity};
use martlet_model::limits::{CONTAINER_NAME_BYTES_MAX, OBJECT_KEY_BYTES_MAX};
use martlet_model::{AccountName, Conditions, ETagStyle, Error};
use percent_encoding::percent_decode;

use super::answer;
use super::container;
use super::declared;
use super::format::{self, Format};
use super::headers;
use super::heartbeat::{self, First};
use super::object;
use super::path::Target;
use super::refusal::{Refusal, Words};
use super::report::{Report, status_line};
use super::slo::quoted;
use crate::body::RequestBody;

/// The most names of one request (Swift: `max_deletes_per_request`).
pub(super) const NAMES_COUNT_MAX: usize = 10_000;
/// After how many failures the rest is left (Swift: `max_failed_deletes`).
pub(super) const FAILURES_COUNT_MAX: usize = 1000;
/// How many removals are under way at once.
const REMOVALS_COUNT_MAX: usize = 8;
/// The longest line: a name of which every byte is encoded.
const LINE_BYTES_MAX: usize = 3 * (CONTAINER_NAME_BYTES_MAX + OBJECT_KEY_BYTES_MAX + 2);

/// What goes ahead of the report in XML, where that is long in coming.
const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// POST or DELETE of names.
#[derive(Debug)]
pub struct DeleteMany {
    pub account: AccountName,
    /// Why the request is refused in its report, if it is.
    pub refusal: Option<Refusal>,
    pub format: Format,
}

pub(super) fn parse(account: AccountName, head: &Parts) -> DeleteMany {
    let request = &head.headers;
    let (format, refusal) = match format::accepted(request) {
        Ok(format) => (format, check(request).err()),
        Err(_) => (Format::Plain, Some(Refusal::NotAcceptable)),
    };
    DeleteMany { account, refusal, format }
}

/// Names come as text, and it is known where they end.
fn check(request: &HeaderMap) -> Result<(), Refusal> {
    let content_type = headers::text(request, CONTENT_TYPE.as_str())?;
    if content_type.is_some_and(|given| !given.is_empty() && !given.starts_with("text/plain")) {
        return Err(Refusal::NotAcceptable);
    }
    declared::bytes(request).map(drop)
}

pub(super) async fn delete(command: DeleteMany, body: RequestBody, store: &Guarded) -> Response {
    let DeleteMany { account, refusal, format } = command;
    let names = match refusal {
        Some(refusal) => Err(refusal),
        None => names(body).await,
    };
    let work = match names {
        Err(refusal) => Err(refused(Tally::default(), &refusal)),
        Ok(names) => Ok((names, store.clone())),
    };
    respond(format, "delete", async move {
        match work {
            Err(report) => report,
            Ok((names, store)) => remove_all(&account, names, &store).await,
        }
    })
    .await
}

/// 200, with the report of `work` once it is done; `root` is what that is called in XML.
pub(super) async fn respond(
    format: Format,
    root: &'static str,
    work: impl Future<Output = Report> + Send + 'static,
) -> Response {
    let first = match format {
        Format::Xml | Format::TextXml => XML_DECLARATION,
        Format::Plain | Format::Json => " ",
    };
    let report = async move { work.await.render(format, root) };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    answer::with_body(StatusCode::OK, headers, heartbeat::body(report, First::Later(first)).await)
}

/// The names that a body has, decoded; a line without one is skipped.
async fn names(body: RequestBody) -> Result<Vec<Bytes>, Refusal> {
    let mut stream = body.into_stream(u64::MAX);
    let (mut names, mut rest) = (Vec::new(), BytesMut::new());
    while let Some(bytes) = stream.try_next().await.map_err(Error::from)? {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = rest.split_to(end + 1);
            push(&mut names, &line)?;
        }
        if rest.len() > LINE_BYTES_MAX {
            return Err(Refusal::Malformed("Invalid File Name".into()));
        }
    }
    push(&mut names, &rest)?;
    Ok(names)
}

fn push(names: &mut Vec<Bytes>, line: &[u8]) -> Result<(), Refusal> {
    let name: Vec<u8> = percent_decode(line.trim_ascii()).collect();
    if name.is_empty() {
        return Ok(());
    }
    if name.len() > LINE_BYTES_MAX {
        return Err(Refusal::Malformed("Invalid File Name".into()));
    }
    names.push(name.into());
    if names.len() > NAMES_COUNT_MAX {
        let text = format!("Maximum Bulk Deletes: {NAMES_COUNT_MAX} per request");
        return Err(Refusal::LargeManifest(text.into()));
    }
    Ok(())
}

/// Objects first, then containers: one may be empty only then.
async fn remove_all(account: &AccountName, names: Vec<Bytes>, store: &Guarded) -> Report {
    let mut tally = Tally::default();
    let (mut objects, mut containers) = (Vec::new(), Vec::new());
    for name in names {
        let shown = String::from_utf8_lossy(&name).into_owned();
        match Target::below(account, &name) {
            Ok(target @ Target::Object(_)) => objects.push((shown, target)),
            Ok(target) => containers.push((shown, target)),
            Err(refusal) => tally.add(&shown, refusal.status()),
        }
    }
    for targets in [objects, containers] {
        if let Err(refusal) = tally.remove(targets, store).await {
            return refused(tally, &refusal);
        }
    }
    tally.report()
}

/// What has come of some removals.
#[derive(Debug, Default)]
pub(super) struct Tally {
    deleted: u64,
    not_found: u64,
    pub(super) errors: Vec<(String, String)>,
    /// Whether something failed that isn't the caller's fault.
    has_server_error: bool,
}

impl Tally {
    /// Removes what is named, several at once and in no order. An error ends it before its end.
    pub(super) async fn remove(
        &mut self,
        targets: Vec<(String, Target)>,
        store: &Guarded,
    ) -> Result<(), Refusal> {
        let removal = |(name, target): (String, Target)| {
            let store = store.clone();
            async move {
                let status = remove(&target, &store).await;
                (name, status)
            }
        };
        let mut removals =
            stream::iter(targets.into_iter().map(removal)).buffer_unordered(REMOVALS_COUNT_MAX);
        while let Some((name, status)) = removals.next().await {
            self.add(&name, status);
            if status == 401 {
                return Err(Refusal::Unauthorized { realm: super::refusal::Realm::Unknown });
            }
            if self.errors.len() >= FAILURES_COUNT_MAX {
                return Err(Refusal::Malformed("Max delete failures exceeded".into()));
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, name: &str, status: u16) {
        match status {
            200..300 => self.deleted += 1,
            404 => self.not_found += 1,
            status => {
                self.has_server_error |= status >= 500;
                self.errors.push((quoted(name), status_line(status)));
            }
        }
    }

    pub(super) fn report(self) -> Report {
        let (status, text) = match (self.errors.is_empty(), self.has_server_error) {
            (false, true) => (502, ""),
            (false, false) => (400, ""),
            (true, _) if self.deleted + self.not_found == 0 => (400, "Invalid bulk delete."),
            (true, _) => (200, ""),
        };
        self.with(status, text)
    }

    fn with(self, status: u16, text: &str) -> Report {
        Report::of_errors(self.errors)
            .with("Response Status", status_line(status))
            .with("Response Body", text)
            .with("Number Deleted", self.deleted)
            .with("Number Not Found", self.not_found)
    }
}

/// The report of what was refused, or ended before its end.
pub(super) fn refused(tally: Tally, refusal: &Refusal) -> Report {
    match refusal.answer() {
        (status, Words::Plain(text) | Words::Html(text)) => tally.with(status, &text),
        (status, Words::Page | Words::Nothing) => tally.with(status, ""),
    }
}

/// Removes one thing, and gives the status that a request of its own would have had.
async fn remove(target: &Target, store: &Guarded) -> u16 {
    let outcome = match target {
        Target::Object(id) => object::remove(id, &Conditions::none(ETagStyle::Swift), store)
            .await
            .map(|deleted| deleted.was_there),
        Target::Container(id) => container::remove(id, store).await.map(|()| true).map_err(Refusal::from),
        _ => Err(Refusal::NoSuchPath),
    };
    match outcome {
        Ok(true) => 204,
        Ok(false) => 404,
        Err(refusal) => status_for(&refusal, store.identity()),
    }
}

/// Who is denied something and hasn't said who they are is asked to.
pub(super) fn status_for(refusal: &Refusal, identity: &Identity) -> u16 {
    match (refusal, identity) {
        (Refusal::Store(Error::Denied), Identity::Anonymous) => 401,
        (refusal, _) => refusal.status(),
    }
}
