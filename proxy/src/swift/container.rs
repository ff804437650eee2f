//! Operations on containers.

use axum::response::Response;
use futures_util::try_join;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::{
    Claim, ContainerChange, ContainerId, ContainerInfo, ContainerStore as _, Created, Error, ListQuery,
    NewContainer, ObjectStore as _, Usage, UserMetadata,
};

use super::account::add_metadata;
use super::answer;
use super::capabilities::STORAGE_POLICY;
use super::date;
use super::format::{Negotiated, negotiate};
use super::headers::{self, Owner};
use super::identify::View;
use super::link_keys::LINK_KEYS;
use super::listing;
use super::paging::{self, Order};
use super::query::Query;
use super::refusal::Refusal;
use super::settings::{self, Asked};
use super::versions;

/// GET of a container.
#[derive(Debug)]
pub struct ListObjects {
    pub id: ContainerId,
    pub query: ListQuery,
    pub order: Order,
    pub extent: Extent,
    pub negotiated: Negotiated,
}

/// What of the names that begin alike is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    All,
    /// `path`: what lies directly in the directory that the prefix names.
    Directory,
}

/// HEAD of a container.
#[derive(Debug)]
pub struct HeadContainer {
    pub id: ContainerId,
    pub negotiated: Negotiated,
}

/// PUT of a container, or POST to one: its metadata changes item by item.
#[derive(Debug)]
pub struct ChangeContainer {
    pub id: ContainerId,
    pub changes: UserMetadata,
    pub settings: Asked,
}

pub(super) fn parse_list(id: ContainerId, head: &Parts, query: &Query<'_>) -> Result<ListObjects, Refusal> {
    let mut listing = query.listing()?;
    let directory = query.directory()?;
    let extent = if directory.is_some() { Extent::Directory } else { Extent::All };
    if let Some(directory) = directory {
        listing.prefix = directory;
        listing.delimiter = Some("/".into());
    }
    let (order, negotiated) = (query.order()?, negotiate(query, &head.headers)?);
    Ok(ListObjects { id, query: listing, order, extent, negotiated })
}

pub(super) fn parse_head(id: ContainerId, head: &Parts, query: &Query<'_>) -> Result<HeadContainer, Refusal> {
    Ok(HeadContainer { id, negotiated: negotiate(query, &head.headers)? })
}

pub(super) fn parse_change(id: ContainerId, head: &Parts) -> Result<ChangeContainer, Refusal> {
    match headers::text(&head.headers, "x-storage-policy")? {
        None | Some("") => {}
        Some(policy) if policy.eq_ignore_ascii_case(STORAGE_POLICY) => {}
        Some(policy) => {
            return Err(Refusal::Malformed(format!("Invalid X-Storage-Policy \"{policy}\"").into()));
        }
    }
    let changes = headers::metadata(&head.headers, Owner::Container)?;
    Ok(ChangeContainer { id, changes, settings: settings::parse(&head.headers)? })
}

impl ChangeContainer {
    /// As Swift does, what is for owners alone is left out of what others ask for, who may change the rest.
    async fn permitted(self, store: &Guarded) -> Result<Self, Refusal> {
        match View::of(store, &self.id.account).await? {
            View::Owner => Ok(self),
            View::Guest => {
                let items = self.changes.iter().filter(|(name, _)| !LINK_KEYS.contains(name));
                let items = items.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let changes = UserMetadata::collect(items).map_err(Error::from)?;
                Ok(Self { id: self.id, changes, settings: self.settings.without_access() })
            }
        }
    }
}

pub(super) async fn list(command: ListObjects, store: &Guarded) -> Result<Response, Refusal> {
    let ListObjects { id, query, order, extent, negotiated } = command;
    let of_container = &id;
    let fetch = |query: ListQuery| async move {
        match extent {
            Extent::All => store.list(of_container, &query).await,
            Extent::Directory => paging::of_directory(store, of_container, query).await,
        }
    };
    let page = paging::ordered(query, order, fetch);
    let (info, usage, entries) = try_join!(store.container(&id), store.usage(&id), page)?;
    let body = listing::objects(&id, &entries, negotiated.format);
    let view = View::of(store, &id.account).await?;
    Ok(answer::listing(render(&info, usage, view), negotiated, body))
}

pub(super) async fn head(command: HeadContainer, store: &Guarded) -> Result<Response, Refusal> {
    let (info, usage) = try_join!(store.container(&command.id), store.usage(&command.id))?;
    let view = View::of(store, &command.id.account).await?;
    Ok(answer::headers_alone(render(&info, usage, view), command.negotiated))
}

pub(super) async fn put(command: ChangeContainer, store: &Guarded) -> Result<Response, Refusal> {
    let ChangeContainer { id, changes: metadata, settings } = command.permitted(store).await?;
    let (settings, versioning) = settings.settled(&id, store).await?;
    let new = NewContainer { metadata, claim: Claim::IfFree, settings, versioning };
    Ok(match store.create_container(&id, new).await? {
        Created::New => answer::empty(StatusCode::CREATED, HeaderMap::new()),
        Created::Existing => answer::accepted(HeaderMap::new()),
    })
}

pub(super) async fn post(command: ChangeContainer, store: &Guarded) -> Result<Response, Refusal> {
    let ChangeContainer { id, changes: metadata, settings } = command.permitted(store).await?;
    let (settings, versioning) = settings.settled(&id, store).await?;
    store.update_container(&id, ContainerChange { metadata, settings, versioning }).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT, HeaderMap::new()))
}

pub(super) async fn delete(id: ContainerId, store: &Guarded) -> Result<Response, Refusal> {
    remove(&id, store).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT, HeaderMap::new()))
}

/// Removes a container in which a client of Swift's finds nothing, whoever asks for it: DELETE, or a bulk request.
pub(super) async fn remove(id: &ContainerId, store: &Guarded) -> Result<(), Error> {
    match store.delete_container(id).await {
        Err(Error::NotEmpty) if versions::clear_markers(id, store).await? => store.delete_container(id).await,
        outcome => outcome,
    }
}

pub(super) fn render(info: &ContainerInfo, usage: Usage, view: View) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-container-object-count", HeaderValue::from(usage.objects));
    headers.insert("x-container-bytes-used", HeaderValue::from(usage.bytes));
    headers.insert("x-timestamp", answer::timestamp(info.created));
    headers.insert("last-modified", answer::header_value(&date::last_modified(info.modified)));
    headers.insert("x-storage-policy", HeaderValue::from_static(STORAGE_POLICY));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    settings::render(&mut headers, info, view);
    add_metadata(&mut headers, Owner::Container, &info.metadata, view);
    headers
}

#[cfg(test)]
mod tests {
    use http::Request;
    use martlet_model::{AccountName, ContainerName, Settings, Timestamp, Versioning};

    use super::*;

    fn id() -> ContainerId {
        ContainerId {
            account: AccountName::parse(b"AUTH_a").unwrap(),
            name: ContainerName::parse(b"box").unwrap(),
        }
    }

    #[track_caller]
    fn check_policy(policy: &str, expected: Result<(), u16>) {
        let request = Request::put("/v1/AUTH_a/box").header("X-Storage-Policy", policy).body(()).unwrap();
        let found = parse_change(id(), &request.into_parts().0);
        assert_eq!(found.map(|_| ()).map_err(|refusal| refusal.status()), expected, "{policy}");
    }

    #[test]
    fn there_is_one_storage_policy() {
        check_policy("Policy-0", Ok(()));
        check_policy("policy-0", Ok(()));
        check_policy("", Ok(()));
        check_policy("gold", Err(400));
    }

    #[test]
    fn counters_are_never_absent() {
        let info = ContainerInfo {
            metadata: UserMetadata::collect([("color".to_owned(), "blue".to_owned())]).unwrap(),
            created: Timestamp::from_micros(1_500_000),
            modified: Timestamp::from_micros(784_111_776_000_001),
            settings: Settings::default(),
            versioning: Versioning::Off,
        };
        let headers = render(&info, Usage::default(), View::Owner);
        assert_eq!(headers["x-container-object-count"], "0");
        assert_eq!(headers["x-container-bytes-used"], "0");
        assert_eq!(headers["x-timestamp"], "0000000001.50000");
        assert_eq!(headers["last-modified"], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(headers["x-container-meta-color"], "blue");
        assert_eq!(headers["x-storage-policy"], "Policy-0");
    }
}
