//! COPY of objects, and PUT with `X-Copy-From`: within a container, across containers and across accounts.
//!
//! The source is read as GET reads it, conditions and range included, with the rights of the caller.

use axum::response::Response;
use futures_util::TryStreamExt as _;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use martlet_auth::Guarded;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::store::whole_body;
use martlet_model::{
    AccountName, Conditions, Digest, ETagStyle, Error, NewObject, ObjectId, ObjectInfo, ObjectMetadata,
    ObjectStore as _, Shape, Timestamp, UserMetadata, VersionId,
};
use percent_encoding::percent_decode_str;

use super::account::add_item;
use super::answer;
use super::date;
use super::expiry::Expiry;
use super::format::Format;
use super::headers::{self, Owner};
use super::joined::ManifestForm;
use super::object;
use super::path::Target;
use super::query::Query;
use super::read::{self, Extent, GetObject, Opened, Reading};
use super::refusal::Refusal;
use super::slo::{self, Made, NewLarge, quoted};
use super::symlink::{CopiedLink, Making, NewLink};
use crate::request_id::RequestId;
use crate::trouble::Trouble;

/// A copy of an object.
#[derive(Debug)]
pub struct CopyObject {
    /// How the source is read.
    pub source: GetObject,
    pub target: ObjectId,
    /// What the copy is said to be; what is left open is taken from the source.
    pub metadata: ObjectMetadata,
    pub expiry: Expiry,
    pub kept: Kept,
    /// What the copy stands for, where it is a link.
    pub(super) link: CopiedLink,
}

/// What of the source's metadata the copy gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All that the request doesn't replace.
    Rest,
    /// `X-Fresh-Metadata`: none but the content type.
    ContentType,
}

/// Whether a PUT is a copy.
pub(super) fn is_copy(request: &HeaderMap) -> bool {
    request.get("x-copy-from").is_some_and(|from| !from.is_empty())
}

/// COPY of `source` to where `Destination` says.
pub(super) fn parse_copy(
    source: ObjectId,
    version: Option<VersionId>,
    head: &Parts,
    query: &Query<'_>,
) -> Result<CopyObject, Refusal> {
    const NAME: &str = "destination";
    const FORM: &str = "Destination header must be of the form <container name>/<object name>";
    let request = &head.headers;
    let Some(given) = headers::text(request, NAME)?.filter(|given| !given.is_empty()) else {
        return Err(Refusal::Precondition("Destination header required".into()));
    };
    let account = account_of(request, "destination-account")?.unwrap_or(source.container.account.clone());
    let target = object_of(&account, given, FORM)?;
    parse((source, version), target, head, query)
}

/// PUT of `target` with what `X-Copy-From` names.
pub(super) fn parse_put(
    target: ObjectId,
    version: Option<VersionId>,
    head: &Parts,
    query: &Query<'_>,
) -> Result<CopyObject, Refusal> {
    const FORM: &str = "X-Copy-From header must be of the form <container name>/<object name>";
    let request = &head.headers;
    let given = headers::text(request, "x-copy-from")?.unwrap_or_default();
    let account = account_of(request, "x-copy-from-account")?.unwrap_or(target.container.account.clone());
    let source = object_of(&account, given, FORM)?;
    parse((source, version), target, head, query)
}

fn parse(
    (source, version): (ObjectId, Option<VersionId>),
    target: ObjectId,
    head: &Parts,
    query: &Query<'_>,
) -> Result<CopyObject, Refusal> {
    let request = &head.headers;
    let has_body = request.contains_key("transfer-encoding")
        || headers::text(request, CONTENT_LENGTH.as_str())?.is_some_and(|length| length != "0");
    if has_body {
        return Err(Refusal::Malformed("Copy requests require a zero byte body".into()));
    }
    let GetObject { id, reading, ranges, if_range } = read::parse_get(source, version, head, query)?;
    if ranges.len() > 1 {
        return Err(Refusal::NotOffered("A copy of several ranges".into()));
    }
    let manifest = reading.manifest.map(|_| ManifestForm::Copied);
    let source = GetObject { id, reading: Reading { manifest, ..reading }, ranges, if_range };
    let (metadata, expiry) = object::parse_said(&target, request)?;
    let fresh = headers::is_true(request, "x-fresh-metadata")?;
    let kept = if fresh { Kept::ContentType } else { Kept::Rest };
    let link = CopiedLink::parse(&target, request)?;
    Ok(CopyObject { source, target, metadata, expiry, kept, link })
}

pub(super) fn account_of(request: &HeaderMap, name: &str) -> Result<Option<AccountName>, Refusal> {
    let Some(given) = headers::text(request, name)?.filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    let decoded: Vec<u8> = percent_decode_str(given).collect();
    if decoded.contains(&b'/') {
        return Err(Refusal::Precondition("Account name cannot contain slashes".into()));
    }
    AccountName::parse(&decoded).map(Some).map_err(|_| Refusal::Precondition("Invalid account name".into()))
}

/// `container/object`, percent-encoded, with or without a slash in front.
pub(super) fn object_of(account: &AccountName, given: &str, form: &'static str) -> Result<ObjectId, Refusal> {
    let decoded: Vec<u8> = percent_decode_str(given).collect();
    let name = decoded.strip_prefix(b"/").unwrap_or(&decoded);
    match Target::below(account, name) {
        Ok(Target::Object(id)) if !name.starts_with(b"/") => Ok(id),
        Err(refusal @ Refusal::LongName(_)) => Err(refusal),
        Ok(_) | Err(_) => Err(Refusal::Precondition(form.into())),
    }
}

pub(super) async fn perform(
    command: CopyObject,
    store: &Guarded,
    now: Timestamp,
    request: RequestId,
) -> Result<Response, Refusal> {
    let CopyObject { source, target, metadata, expiry, kept, link } = command;
    let end = expiry.resolve(now)?;
    let source = GetObject { reading: source.reading.settled(&source.id, store).await?, ..source };
    let (opened, _) = read::open(&source, store, request).await?;
    let from = opened.info.clone();
    let is_manifest = source.reading.manifest.is_some();
    let metadata = merged(metadata, &from.metadata, kept)?;
    let metadata = ObjectMetadata {
        delete_at: match expiry {
            Expiry::Unsaid => metadata.delete_at,
            Expiry::Never | Expiry::At(_) | Expiry::After(_) => end,
        },
        dynamic_manifest: metadata.dynamic_manifest.or(from
            .metadata
            .dynamic_manifest
            .clone()
            .filter(|_| is_manifest)),
        ..metadata
    };
    let told = told(&source.id, &from, &metadata);
    let info = match (link.of(&from, (&target, &metadata))?, is_manifest, &from.shape) {
        (Some((link, etag)), ..) => {
            // One for a certain state is good only where that is what is there now.
            let conditions = Conditions::none(ETagStyle::Swift);
            let new = NewLink { link, etag, metadata, conditions, md5: None };
            Making { id: target, new }.carry_out(store).await?
        }
        (None, true, Shape::SegmentList { .. }) => {
            let list = opened.body.try_collect::<bytes::BytesMut>().await?.freeze();
            let new = NewLarge { metadata, conditions: Conditions::none(ETagStyle::Swift), etag: None };
            match slo::Making::of_list(target, &list, new)?.carry_out(store).await? {
                Made::Object(info) => *info,
                Made::Problems(errors) => return Ok(slo::problems(errors, Format::Plain)),
            }
        }
        _ => store_copy(opened, &target, metadata, store).await?,
    };
    let mut response = object::created(&info);
    response.headers_mut().extend(told);
    Ok(response)
}

async fn store_copy(
    opened: Opened,
    target: &ObjectId,
    metadata: ObjectMetadata,
    store: &Guarded,
) -> Result<ObjectInfo, Refusal> {
    let (bytes, md5) = match (opened.extent, opened.info.content.digest) {
        (Extent::Part(span), _) => (span.bytes(), None),
        (_, Digest::Whole(md5)) => (opened.info.content.bytes, Some(md5)),
        (_, Digest::Parts { .. }) => (opened.info.content.bytes, None),
    };
    if bytes > PUT_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    let is_large = matches!(opened.info.content.digest, Digest::Parts { .. });
    let trouble = Trouble::default();
    let conditions = Conditions::none(ETagStyle::Swift);
    let body = if bytes == 0 { whole_body("") } else { trouble.watch(opened.body) };
    let new = NewObject { md5, bytes: Some(bytes), ..NewObject::new(metadata, conditions, body) };
    store.put(target, new).await.map_err(|error| match trouble.explain(error) {
        Error::Damaged(reason) if is_large => Refusal::BrokenManifest(reason),
        error => error.into(),
    })
}

/// What the copy is said to be.
fn merged(said: ObjectMetadata, of_source: &ObjectMetadata, kept: Kept) -> Result<ObjectMetadata, Refusal> {
    let content_type = said.content_type.clone().or_else(|| of_source.content_type.clone());
    if kept == Kept::ContentType {
        return Ok(ObjectMetadata { content_type, ..said });
    }
    let of_source = of_source.clone();
    let items = of_source.user.iter().chain(said.user.iter());
    let items = items.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(ObjectMetadata {
        content_type,
        content_encoding: said.content_encoding.or(of_source.content_encoding),
        content_disposition: said.content_disposition.or(of_source.content_disposition),
        content_language: said.content_language.or(of_source.content_language),
        cache_control: said.cache_control.or(of_source.cache_control),
        expires: said.expires.or(of_source.expires),
        delete_at: of_source.delete_at,
        dynamic_manifest: said.dynamic_manifest,
        user: UserMetadata::collect(items).map_err(martlet_model::Error::from)?,
    })
}

/// What the answer tells of source and copy.
fn told(source: &ObjectId, from: &ObjectInfo, metadata: &ObjectMetadata) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut tell = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), answer::header_value(value));
    };
    let name = format!("{}/{}", source.container.name, source.key.as_str());
    tell("x-copied-from", &quoted(&name));
    tell("x-copied-from-account", &quoted(source.container.account.as_str()));
    tell("x-copied-from-last-modified", &date::last_modified(from.modified));
    if let Some(VersionId::Id(_)) = from.version {
        tell("x-copied-from-version-id", &from.version.map(|id| id.to_string()).unwrap_or_default());
    }
    if let Some(end) = metadata.delete_at {
        tell("x-delete-at", &end.as_seconds().to_string());
    }
    for (name, value) in metadata.user.iter() {
        add_item(&mut headers, Owner::Object, name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Result<(&str, &str), u16>) {
        let account = AccountName::parse(b"AUTH_a").unwrap();
        let found = object_of(&account, given, "form").map_err(|refusal| refusal.status());
        let found =
            found.as_ref().map(|id| (id.container.name.as_str(), id.key.as_str())).map_err(|status| *status);
        assert_eq!(found, expected, "{given}");
    }

    #[test]
    fn a_place_is_a_container_and_an_object() {
        check("c/o", Ok(("c", "o")));
        check("/c/o", Ok(("c", "o")));
        check("/c/a/b", Ok(("c", "a/b")));
        check("c/%C3%BC%2Fx", Ok(("c", "ü/x")));
        check("c//o", Ok(("c", "/o")));
        for given in ["", "/", "c", "/c", "c/", "//c/o", "c/%ff", "c/%00"] {
            check(given, Err(412));
        }
        check(&format!("c/{}", "o".repeat(1025)), Err(400));
    }
}
