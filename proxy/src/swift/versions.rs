//! Object versions: the same that S3 sees, in Swift's words.

use std::collections::VecDeque;

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream, try_join};
use http::header::ACCEPT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::limits::LISTING_ENTRIES_MAX;
use martlet_model::{
    Conditions, ContainerId, ContainerStore as _, ETagStyle, Error, ListEntry, ListQuery, Noun, ObjectId,
    ObjectKey, ObjectStore as _, VersionEntry, VersionId, VersionKind, VersionQuery, Versioning,
};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::archive::DELETE_MARKER;
use crate::duplicate::duplicate;

use super::answer;
use super::container;
use super::declared;
use super::format::{Format, Negotiated, negotiate};
use super::headers;
use super::identify::View;
use super::listing;
use super::login::PATH_SEGMENT;
use super::paging::Order;
use super::query::Query;
use super::refusal::Refusal;

const IN_PATH: &AsciiSet = &PATH_SEGMENT.remove(b'/');

/// How many markers are looked at together.
const MARKERS_COUNT_MAX: usize = 1000;
/// How many removals of markers are under way at once.
const REMOVALS_COUNT_MAX: usize = 8;

/// GET of a container with `versions`.
#[derive(Debug)]
pub struct ListVersions {
    pub id: ContainerId,
    pub page: ListQuery,
    pub marker: Option<(Bytes, Option<VersionId>)>,
    pub order: Order,
}

/// PUT of an object with `version-id`: that version becomes the current one.
#[derive(Debug)]
pub struct PutVersion {
    pub id: ObjectId,
    pub version: VersionId,
}

/// Reads the page that is asked for. It comes as JSON alone.
pub(super) fn parse_list(id: ContainerId, head: &Parts, query: &Query<'_>) -> Result<ListVersions, Refusal> {
    let accept = headers::text(&head.headers, ACCEPT.as_str())?.unwrap_or_default();
    let takes_anything = accept.is_empty() || accept.contains("*/*");
    let is_json = if query.contains("format") {
        query.text("format")?.is_some_and(|format| format.eq_ignore_ascii_case("json"))
    } else {
        takes_anything || negotiate(query, &head.headers)?.format == Format::Json
    };
    if !is_json {
        return Err(Refusal::NotAcceptable);
    }
    let page = query.listing()?;
    let version = query.text("version_marker")?.map(|text| read_id(text, "invalid version_marker param"));
    let marker = match (page.marker.clone(), version.transpose()?) {
        (None, Some(_)) => {
            return Err(Refusal::Malformed("version_marker param requires marker".into()));
        }
        // No version has such an id: nothing of the key has been passed.
        (Some(key), Some(Named::Unknown)) => Some((key, Some(VersionId::Null))),
        (Some(key), Some(Named::Known(version))) => Some((key, Some(version))),
        (key, None) => key.map(|key| (key, None)),
    };
    Ok(ListVersions { id, page, marker, order: query.order()? })
}

/// What a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Known(VersionId),
    /// A point in time, by which Swift itself names versions; none is named so here.
    Unknown,
}

fn read_id(text: &str, complaint: &'static str) -> Result<Named, Refusal> {
    if let Some(version) = VersionId::parse(text) {
        return Ok(Named::Known(version));
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Named::Unknown),
        _ => Err(Refusal::Malformed(complaint.into())),
    }
}

/// The version that a request names; an empty name is none.
pub(super) fn parse_id(query: &Query<'_>) -> Result<Option<VersionId>, Refusal> {
    let Some(text) = query.text("version-id")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    match read_id(text, "Invalid version parameter")? {
        Named::Known(version) => Ok(Some(version)),
        Named::Unknown => Err(Error::NotFound(Noun::Version).into()),
    }
}

/// A version that was there before versioning has no name of its own, so it can't be made current.
pub(super) fn parse_put(id: ObjectId, version: VersionId, head: &Parts) -> Result<PutVersion, Refusal> {
    if version == VersionId::Null {
        return Err(Refusal::Malformed("Invalid version parameter".into()));
    }
    match declared::bytes(&head.headers)? {
        Some(0) => Ok(PutVersion { id, version }),
        _ => Err(Refusal::Malformed("PUT version-id requests require a zero byte body".into())),
    }
}

/// The version as the store knows it. Versions are for owners, whatever grants say of the container.
pub(super) async fn settled(
    version: Option<VersionId>,
    id: &ObjectId,
    store: &Guarded,
) -> Result<Option<VersionId>, Refusal> {
    let Some(version) = version else { return Ok(None) };
    if View::of(store, &id.container.account).await? == View::Guest {
        return Err(Error::Denied.into());
    }
    match (store.recent_container(&id.container).await?.versioning, version) {
        (Versioning::Off, VersionId::Null) => Ok(None),
        (Versioning::Off, VersionId::Id(_)) => {
            let text = "version-aware operations require that the container is versioned";
            Err(Refusal::Malformed(text.into()))
        }
        (Versioning::Enabled | Versioning::Suspended, version) => Ok(Some(version)),
    }
}

pub(super) async fn list(command: ListVersions, store: &Guarded) -> Result<Response, Refusal> {
    let ListVersions { id, page, marker, order } = command;
    let entries = entries(&id, page, marker, order, store);
    let (info, usage, entries) = try_join!(store.container(&id), store.usage(&id), entries)?;
    let view = View::of(store, &id.account).await?;
    let negotiated = Negotiated::json();
    Ok(answer::listing(container::render(&info, usage, view), negotiated, listing::versions(&id, &entries)))
}

async fn entries(
    id: &ContainerId,
    page: ListQuery,
    marker: Option<(Bytes, Option<VersionId>)>,
    order: Order,
    store: &Guarded,
) -> Result<Vec<ListEntry<VersionEntry>>, Error> {
    let (after, before) = match order {
        Order::Ascending => (marker, page.end_marker.map(|key| (key, None))),
        Order::Descending => (page.end_marker.map(|key| (key, None)), marker),
    };
    let limit = page.limit;
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut query = VersionQuery {
        prefix: page.prefix,
        delimiter: page.delimiter,
        after,
        limit: if order == Order::Ascending { limit } else { LISTING_ENTRIES_MAX },
    };
    let mut kept = VecDeque::new();
    loop {
        let page = store.versions(id, &query).await?;
        query.after = page.entries.last().map(place);
        let end = page.entries.iter().position(|entry| has_reached(entry, before.as_ref()));
        let is_last = end.is_some() || !page.is_truncated || query.after.is_none();
        let found = page.entries.into_iter().take(end.unwrap_or(usize::MAX));
        kept.extend(found.filter(|entry| !is_null_marker(entry)));
        match order {
            Order::Ascending => kept.truncate(limit),
            Order::Descending => drop(kept.drain(..kept.len().saturating_sub(limit))),
        }
        match order {
            Order::Ascending if is_last || kept.len() == limit => return Ok(kept.into()),
            Order::Descending if is_last => return Ok(kept.into_iter().rev().collect()),
            Order::Ascending | Order::Descending => {}
        }
    }
}

/// A delete marker that is the null version: what S3 has where Swift has nothing.
fn is_null_marker(entry: &ListEntry<VersionEntry>) -> bool {
    matches!(
        entry,
        ListEntry::Item(VersionEntry { version: VersionId::Null, kind: VersionKind::DeleteMarker, .. })
    )
}

/// Removes what a container holds if that is nothing but markers that Swift's clients don't see.
/// `false`: there is something else, and nothing or not all was removed.
pub(super) async fn clear_markers(id: &ContainerId, store: &Guarded) -> Result<bool, Error> {
    let store = store.unguarded();
    let query = VersionQuery { prefix: Bytes::new(), delimiter: None, after: None, limit: MARKERS_COUNT_MAX };
    loop {
        let page = store.versions(id, &query).await?;
        if !page.entries.iter().all(is_null_marker) {
            return Ok(false);
        }
        let keys = page.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Item(item) => Some(item.key),
            ListEntry::Prefix(_) => None,
        });
        let remove = |key| async {
            let marker = ObjectId { container: id.clone(), key };
            store.delete(&marker, Some(VersionId::Null), &Conditions::none(ETagStyle::Swift)).await
        };
        let mut removals = stream::iter(keys.map(remove)).buffer_unordered(REMOVALS_COUNT_MAX);
        while let Some(removed) = removals.next().await {
            match removed {
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if !page.is_truncated {
            return Ok(true);
        }
    }
}

/// Removes a version, and leaves none current where it was the current one: older ones come back through S3 alone.
pub(super) async fn remove(
    id: &ObjectId,
    version: VersionId,
    conditions: &Conditions,
    store: &Guarded,
) -> Result<(), Refusal> {
    let version = match version {
        VersionId::Id(_) => Some(version),
        // So Swift calls the object itself, where no older version has that name.
        VersionId::Null => is_older_null(id, store).await?.then_some(version),
    };
    store.withdraw(id, version, conditions).await?;
    Ok(())
}

async fn is_older_null(id: &ObjectId, store: &Guarded) -> Result<bool, Error> {
    let none = Conditions::none(ETagStyle::Swift);
    let look = async |version| match store.unguarded().head(id, version, &none).await {
        Err(Error::Link(link)) => Ok(*link),
        found => found,
    };
    match look(Some(VersionId::Null)).await {
        Ok(_) => Ok(look(None).await.is_ok_and(|current| current.version != Some(VersionId::Null))),
        Err(Error::NotFound(_) | Error::DeleteMarker { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where a page goes on after an entry.
fn place(entry: &ListEntry<VersionEntry>) -> (Bytes, Option<VersionId>) {
    match entry {
        ListEntry::Item(item) => (item.key.as_bytes().clone(), Some(item.version)),
        ListEntry::Prefix(prefix) => (prefix.clone(), None),
    }
}

fn has_reached(entry: &ListEntry<VersionEntry>, before: Option<&(Bytes, Option<VersionId>)>) -> bool {
    let (key, version) = place(entry);
    before.is_some_and(|(end, end_version)| match end_version {
        None => key >= *end,
        Some(end_version) => key > *end || (key == *end && version == Some(*end_version)),
    })
}

/// Makes an older version current: as a new one, which has what the older has.
/// One that is current already stays as it is.
pub(super) async fn put(command: PutVersion, store: &Guarded) -> Result<Response, Refusal> {
    let PutVersion { id, version } = command;
    let version = settled(Some(version), &id, store).await?;
    let none = Conditions::none(ETagStyle::Swift);
    let current = match store.head(&id, None, &none).await {
        Ok(info) => Some(info),
        Err(Error::Link(info)) => Some(*info),
        Err(Error::NotFound(Noun::Object) | Error::DeleteMarker { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let info = match current {
        Some(info) if info.version == version => info,
        _ => duplicate((store, &id, version), (store, &id), none).await?,
    };
    let mut headers = HeaderMap::new();
    headers.insert("etag", answer::header_value(&info.content.etag(ETagStyle::Swift)));
    show(&mut headers, info.version);
    Ok(answer::empty(StatusCode::CREATED, headers))
}

/// `X-Object-Version-Id`, where there is one to tell.
pub(super) fn show(headers: &mut HeaderMap, version: Option<VersionId>) {
    if let Some(version) = version {
        headers.insert("x-object-version-id", answer::header_value(&version.to_string()));
    }
}

/// `Content-Location`: where the version that was read as the current one is found for good.
pub(super) fn locate(
    headers: &mut HeaderMap,
    id: &ObjectId,
    (asked, found): (Option<VersionId>, Option<VersionId>),
) {
    if let (None, Some(version @ VersionId::Id(_))) = (asked, found) {
        let location = location_of(&id.container, &id.key, version);
        headers.insert("content-location", answer::header_value(&location));
    }
}

/// Where a version is found, percent-encoded.
pub(super) fn location_of(container: &ContainerId, key: &ObjectKey, version: VersionId) -> String {
    let path = format!("/v1/{}/{}/{}", container.account, container.name, key.as_str());
    format!("{}?version-id={version}", utf8_percent_encode(&path, IN_PATH))
}

/// Which version is current after one has been removed.
pub(super) async fn show_current(
    headers: &mut HeaderMap,
    id: &ObjectId,
    store: &Guarded,
) -> Result<(), Refusal> {
    let current = match store.head(id, None, &Conditions::none(ETagStyle::Swift)).await {
        Ok(info) => info.version.unwrap_or(VersionId::Null),
        Err(Error::Link(info)) => info.version.unwrap_or(VersionId::Null),
        Err(Error::NotFound(_) | Error::DeleteMarker { .. }) => VersionId::Null,
        Err(error) => return Err(error.into()),
    };
    headers.insert("x-object-current-version-id", answer::header_value(&current.to_string()));
    Ok(())
}

/// What is said of a delete marker that was asked for by its id.
pub(super) fn render_marker(headers: &mut HeaderMap, version: VersionId) {
    show(headers, Some(version));
    headers.insert("content-type", HeaderValue::from_static(DELETE_MARKER));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Option<VersionId>, u16>) {
        let raw = format!("version-id={text}");
        let found = parse_id(&Query::parse(Some(&raw)));
        assert_eq!(found.map_err(|refusal| refusal.status()), expected, "{text}");
    }

    #[test]
    fn versions_have_our_names_and_nobody_elses() {
        check("", Ok(None));
        check("null", Ok(Some(VersionId::Null)));
        check(&"ab".repeat(16), Ok(Some(VersionId::Id([0xab; 16]))));
        check("1234567890.12345", Err(404));
        for text in ["bad", "NaN", "-1", "inf", "1_2"] {
            check(text, Err(400));
        }
    }
}
