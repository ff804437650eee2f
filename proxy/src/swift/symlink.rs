//! Symbolic links, in Swift's words: making, showing and following them.

mod follow;
mod making;

use axum::response::Response;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};
use martlet_auth::Guarded;
use martlet_model::{
    AccountName, BodyError, Conditions, ContainerId, Error, Link, Md5, ObjectId, ObjectInfo, ObjectMetadata,
    Timestamp,
};

use super::answer;
use super::content_type;
use super::copy;
use super::declared;
use super::expiry::Expiry;
use super::headers;
use super::joined;
use super::object;
use super::query::Query;
use super::refusal::Refusal;
use super::slo::quoted;
use crate::body::RequestBody;
use crate::links::{LINKS_COUNT_MAX, LinkError};

pub(super) use follow::{behind, opened, told};
pub(super) use making::{Making, NewLink};

const TARGET: &str = "x-symlink-target";
const TARGET_ACCOUNT: &str = "x-symlink-target-account";
const TARGET_ETAG: &str = "x-symlink-target-etag";
const TARGET_BYTES: &str = "x-symlink-target-bytes";

/// The content type of a link whose maker said none.
const CONTENT_TYPE: &str = "application/symlink";

/// What is meant by the name of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// What it stands for.
    #[default]
    Followed,
    /// Itself (`symlink=get`).
    Shown,
}

/// PUT of a link.
#[derive(Debug)]
pub struct PutLink {
    pub id: ObjectId,
    /// Not pinned yet.
    pub link: Link,
    /// What the ETag of its target has to be, now and for ever.
    pub etag: Option<String>,
    pub metadata: ObjectMetadata,
    pub expiry: Expiry,
    pub conditions: Conditions,
    /// What no bytes must hash to, where the caller said so.
    pub md5: Option<Md5>,
}

/// Whether a PUT makes a link.
pub(super) fn is_link(request: &HeaderMap) -> bool {
    request.contains_key(TARGET)
}

/// Reads what a reader means by the name of a link.
pub(super) fn meant(query: &Query<'_>) -> Result<Links, Refusal> {
    match query.text("symlink")? {
        None => Ok(Links::Followed),
        Some("get") => Ok(Links::Shown),
        Some(_) => Err(Refusal::NotOffered("symlink".into())),
    }
}

pub(super) fn parse_put(id: ObjectId, head: &Parts, query: &Query<'_>) -> Result<PutLink, Refusal> {
    let request = &head.headers;
    if let Some(name) = ["version-id", joined::PARAMETER].into_iter().find(|name| query.contains(name)) {
        return Err(Refusal::NotOffered(format!("X-Symlink-Target with {name}").into()));
    }
    if declared::bytes(request)?.is_some_and(|bytes| 0 < bytes) {
        return Err(not_empty());
    }
    let link = target(&id, request)?;
    if link.target(&id) == id {
        return Err(targets_itself());
    }
    let (said, expiry) = object::parse_said(&id, request)?;
    if said.dynamic_manifest.is_some() {
        return Err(is_manifest_too());
    }
    let content_type = content_type::said(request, &id.key)?;
    Ok(PutLink {
        link,
        etag: target_etag(request)?,
        metadata: ObjectMetadata { content_type, ..said },
        expiry,
        conditions: object::conditions_of_new(request)?,
        md5: declared::md5(request)?,
        id,
    })
}

fn target(id: &ObjectId, request: &HeaderMap) -> Result<Link, Refusal> {
    const FORM: &str = "X-Symlink-Target header must be of the form <container name>/<object name>";
    let given = headers::text(request, TARGET)?.unwrap_or_default();
    if given.starts_with('/') || given.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f")) {
        return Err(Refusal::Precondition(FORM.into()));
    }
    let account = target_account(request)?;
    let found = copy::object_of(account.as_ref().unwrap_or(&id.container.account), given, FORM)?;
    Ok(Link { account, container: found.container.name, key: found.key, pin: None })
}

/// The account that a link's target is in, where a request says so.
fn target_account(request: &HeaderMap) -> Result<Option<AccountName>, Refusal> {
    copy::account_of(request, TARGET_ACCOUNT)
}

fn target_etag(request: &HeaderMap) -> Result<Option<String>, Refusal> {
    let given = headers::text(request, TARGET_ETAG)?.map(headers::bare_etag).filter(|etag| !etag.is_empty());
    if given.is_some_and(|etag| etag.contains([';', '"', '\\'])) {
        return Err(Refusal::Malformed("Bad X-Symlink-Target-Etag format".into()));
    }
    Ok(given.map(str::to_owned))
}

fn not_empty() -> Refusal {
    Refusal::Malformed("Symlink requests require a zero byte body".into())
}

/// A change of metadata doesn't make a link, nor another one.
pub(super) fn refuse_in_post(request: &HeaderMap) -> Result<(), Refusal> {
    if is_link(request) {
        return Err(Refusal::Malformed("A PUT request is required to set a symlink target".into()));
    }
    Ok(())
}

/// What a copy is to stand for, as far as the request says it. What it leaves open is as with the link that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopiedLink {
    /// `None`: the copy is a link if what is copied is one.
    target: Option<Link>,
    account: Option<AccountName>,
    /// An empty one: the copy stands for whatever is there.
    etag: Option<String>,
}

impl CopiedLink {
    pub(super) fn parse(copy: &ObjectId, request: &HeaderMap) -> Result<Self, Refusal> {
        let target = if is_link(request) { Some(target(copy, request)?) } else { None };
        let etag = match target_etag(request)? {
            None if request.contains_key(TARGET_ETAG) => Some(String::new()),
            etag => etag,
        };
        Ok(Self { target, account: target_account(request)?, etag })
    }

    /// What the copy at `id`, of which `said` is said, stands for, and the ETag of that; `None`: it is no link.
    pub(super) fn of(
        self,
        from: &ObjectInfo,
        (id, said): (&ObjectId, &ObjectMetadata),
    ) -> Result<Option<(Link, Option<String>)>, Refusal> {
        let copied = from.shape.link();
        let Some(target) = self.target.or_else(|| copied.cloned()) else { return Ok(None) };
        if said.dynamic_manifest.is_some() {
            return Err(is_manifest_too());
        }
        if copied.is_none() && from.content.bytes > 0 {
            return Err(not_empty());
        }
        let account = self.account.or_else(|| copied.and_then(|link| link.account.clone()));
        let link = Link { account, ..target };
        if link.target(id) == *id {
            return Err(targets_itself());
        }
        let pin = copied.and_then(|link| link.pin);
        let etag = self.etag.or_else(|| pin.map(|pin| pin.md5.to_string()));
        Ok(Some((link, etag.filter(|etag| !etag.is_empty()))))
    }
}

fn is_manifest_too() -> Refusal {
    Refusal::Malformed("X-Object-Manifest can't be given with X-Symlink-Target".into())
}

fn targets_itself() -> Refusal {
    Refusal::Malformed("Symlink cannot target itself".into())
}

pub(super) async fn put(
    command: PutLink,
    body: RequestBody,
    store: &Guarded,
    now: Timestamp,
) -> Result<Response, Refusal> {
    body.collect(0).await.map_err(|error| match error {
        BodyError::TooLarge { .. } => not_empty(),
        error => Error::from(error).into(),
    })?;
    let PutLink { id, link, etag, metadata, expiry, conditions, md5 } = command;
    let metadata = ObjectMetadata { delete_at: expiry.resolve(now)?, ..metadata };
    let new = NewLink { link, etag, metadata, conditions, md5 };
    Ok(object::created(&Making { id, new }.carry_out(store).await?))
}

/// The answer to a POST that has changed a link's own metadata: who meant the target asks again there.
pub(super) fn redirected(id: &ObjectId, link: &Link) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, answer::header_value(&path(&link.target(id))));
    if let Some(pin) = link.pin {
        headers.insert(HeaderName::from_static(TARGET_ETAG), answer::header_value(&pin.md5.to_string()));
    }
    let text = "The metadata is that of the symbolic link now. To change the target, ask there.";
    answer::whole(StatusCode::TEMPORARY_REDIRECT, headers, answer::PLAIN, text.to_owned())
}

/// Adds what is said of a link itself.
pub(super) fn describe(headers: &mut HeaderMap, link: &Link) {
    let mut say = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), answer::header_value(value));
    };
    say(TARGET, &name(link));
    if let Some(account) = &link.account {
        say(TARGET_ACCOUNT, &quoted(account.as_str()));
    }
    if let Some(pin) = link.pin {
        say(TARGET_ETAG, &pin.md5.to_string());
        say(TARGET_BYTES, &pin.bytes.to_string());
    }
}

/// `container/object`, percent-encoded.
fn name(link: &Link) -> String {
    quoted(&format!("{}/{}", link.container, link.key.as_str()))
}

/// The path of an object, percent-encoded.
pub(super) fn path(id: &ObjectId) -> String {
    let name = quoted(&format!("{}/{}", id.container.name, id.key.as_str()));
    format!("/v1/{}/{name}", quoted(id.container.account.as_str()))
}

/// The path of what a link in this container stands for.
pub(super) fn path_from(link: &Link, container: &ContainerId) -> String {
    let account = link.account.as_ref().unwrap_or(&container.account);
    format!("/v1/{}/{}", quoted(account.as_str()), name(link))
}

/// What Swift says where a link can't be followed.
pub(super) fn words(error: &LinkError) -> String {
    match error {
        LinkError::TooMany => {
            format!("Too many levels of symbolic links, maximum allowed is {LINKS_COUNT_MAX}")
        }
        LinkError::Changed { found, pinned } => mismatch(found, &pinned.to_string()),
        LinkError::Contradiction => "X-Symlink-Target-Etag headers do not match".to_owned(),
        LinkError::Store(error) => error.to_string(),
    }
}

fn mismatch(found: &Md5, given: &str) -> String {
    format!("Object Etag '{found}' does not match X-Symlink-Target-Etag header '{given}'")
}

#[cfg(test)]
mod tests {
    use http::Request;
    use martlet_model::{ContainerName, ObjectKey};

    use super::*;

    fn id() -> ObjectId {
        let account = AccountName::parse(b"AUTH_a").unwrap();
        let name = ContainerName::parse(b"box").unwrap();
        ObjectId { container: ContainerId { account, name }, key: ObjectKey::parse("link").unwrap() }
    }

    fn parse(headers: &[(&str, &str)]) -> Result<PutLink, u16> {
        let mut request = Request::builder().method("PUT").uri("/v1/AUTH_a/box/link");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        parse_put(id(), &head, &Query::parse(head.uri.query())).map_err(|refusal| refusal.status())
    }

    #[track_caller]
    fn check(target: &str, expected: Result<&str, u16>) {
        let found = parse(&[("content-length", "0"), (TARGET, target)]);
        let found = found.map(|put| path(&put.link.target(&id())));
        assert_eq!(found.as_deref().map_err(|status| *status), expected, "{target}");
    }

    #[test]
    fn a_target_is_a_container_and_an_object() {
        check("c/o", Ok("/v1/AUTH_a/c/o"));
        check("c/a/b", Ok("/v1/AUTH_a/c/a/b"));
        check("c/a%2Fb c%20d", Ok("/v1/AUTH_a/c/a/b%20c%20d"));
        check("c/%C3%BC", Ok("/v1/AUTH_a/c/%C3%BC"));
        for form in ["", "c", "/c/o", "%2Fc/o", "c/"] {
            check(form, Err(412));
        }
        check("box/link", Err(400));
        let other = parse(&[("content-length", "0"), (TARGET, "box/link"), (TARGET_ACCOUNT, "AUTH_b")]);
        assert_eq!(path(&other.unwrap().link.target(&id())), "/v1/AUTH_b/box/link");
    }

    #[test]
    fn a_link_has_no_bytes() {
        assert_eq!(parse(&[("content-length", "1"), (TARGET, "c/o")]).err(), Some(400));
        assert!(parse(&[("transfer-encoding", "chunked"), (TARGET, "c/o")]).is_ok());
    }

    #[test]
    fn an_etag_is_taken_with_quotes_and_without() {
        for (given, expected) in
            [("\"abc\"", Ok(Some("abc"))), ("abc", Ok(Some("abc"))), ("", Ok(None)), ("a;b", Err(400))]
        {
            let found = parse(&[("content-length", "0"), (TARGET, "c/o"), (TARGET_ETAG, given)]);
            let found = found.map(|put| put.etag);
            assert_eq!(found.as_ref().map(|etag| etag.as_deref()).map_err(|status| *status), expected);
        }
    }
}
