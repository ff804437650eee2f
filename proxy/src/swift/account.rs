//! Operations on accounts.

use axum::response::Response;
use futures_util::try_join;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use martlet_auth::{AccountAcl, Guarded};
use martlet_model::{AccountInfo, AccountName, ContainerStore as _, ListQuery, Timestamp, UserMetadata};

use super::account_quota;
use super::answer;
use super::format::{Negotiated, negotiate};
use super::headers::{self, Owner};
use super::identify::View;
use super::link_keys::LINK_KEYS;
use super::listing;
use super::paging::{self, Order};
use super::query::Query;
use super::refusal::Refusal;

/// GET of an account.
#[derive(Debug)]
pub struct ListContainers {
    pub account: AccountName,
    pub query: ListQuery,
    pub order: Order,
    pub negotiated: Negotiated,
}

/// HEAD of an account.
#[derive(Debug)]
pub struct HeadAccount {
    pub account: AccountName,
    pub negotiated: Negotiated,
}

/// POST to an account: its metadata changes item by item.
#[derive(Debug)]
pub struct PostAccount {
    pub account: AccountName,
    pub changes: UserMetadata,
    /// Who besides owners may do what in the account; `None`: that stays.
    pub acl: Option<AccountAcl>,
}

pub(super) fn parse_list(
    account: AccountName,
    head: &Parts,
    query: &Query<'_>,
) -> Result<ListContainers, Refusal> {
    Ok(ListContainers {
        account,
        query: query.listing()?,
        order: query.order()?,
        negotiated: negotiate(query, &head.headers)?,
    })
}

pub(super) fn parse_head(
    account: AccountName,
    head: &Parts,
    query: &Query<'_>,
) -> Result<HeadAccount, Refusal> {
    Ok(HeadAccount { account, negotiated: negotiate(query, &head.headers)? })
}

pub(super) fn parse_post(account: AccountName, head: &Parts) -> Result<PostAccount, Refusal> {
    let metadata = headers::metadata(&head.headers, Owner::Account)?;
    Ok(PostAccount {
        account,
        changes: account_quota::parse(&head.headers, &metadata)?,
        acl: parse_acl(&head.headers)?,
    })
}

const ACCESS_CONTROL: &str = "x-account-access-control";

/// An empty value takes it away, as an ACL does that grants nothing.
fn parse_acl(request: &HeaderMap) -> Result<Option<AccountAcl>, Refusal> {
    if !request.contains_key(ACCESS_CONTROL) {
        return Ok(None);
    }
    let raw = headers::stored_text(request, ACCESS_CONTROL)?.unwrap_or_default();
    let acl = AccountAcl::parse(&raw);
    acl.map(Some).map_err(|error| {
        Refusal::Malformed(format!("X-Account-Access-Control can't be understood: {error}").into())
    })
}

pub(super) async fn list(
    command: ListContainers,
    store: &Guarded,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let ListContainers { account, query, order, negotiated } = command;
    let of_account = &account;
    let fetch = |query| async move { store.containers(of_account, &query).await };
    let (info, entries) = try_join!(store.account(&account), paging::ordered(query, order, fetch))?;
    let body = listing::containers(&account, &entries, negotiated.format);
    let view = View::of(store, &account).await?;
    let mut headers = render(&info, now, view);
    show_acl(&mut headers, &account, store).await?;
    Ok(answer::listing(headers, negotiated, body))
}

pub(super) async fn head(command: HeadAccount, store: &Guarded, now: Timestamp) -> Result<Response, Refusal> {
    let info = store.account(&command.account).await?;
    let view = View::of(store, &command.account).await?;
    let mut headers = render(&info, now, view);
    show_acl(&mut headers, &command.account, store).await?;
    Ok(answer::headers_alone(headers, command.negotiated))
}

pub(super) async fn post(command: PostAccount, store: &Guarded) -> Result<Response, Refusal> {
    account_quota::check(&command.changes, store)?;
    store.update_account(&command.account, &command.changes).await?;
    // Last, since it may take from the caller the right to do the rest.
    if let Some(acl) = &command.acl {
        store.set_account_acl(&command.account, acl).await?;
    }
    Ok(answer::empty(StatusCode::NO_CONTENT, HeaderMap::new()))
}

/// The account's ACL, where there is one, to owners.
async fn show_acl(headers: &mut HeaderMap, account: &AccountName, store: &Guarded) -> Result<(), Refusal> {
    if let Some(acl) = store.account_acl(account).await? {
        headers.insert(ACCESS_CONTROL, answer::header_value(&acl.text()));
    }
    Ok(())
}

/// The headers of an account. One that nobody has written to yet was made just `now`, as in Swift.
fn render(info: &AccountInfo, now: Timestamp, view: View) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-timestamp", answer::timestamp(info.created.unwrap_or(now)));
    headers.insert("x-account-container-count", HeaderValue::from(info.containers));
    headers.insert("x-account-object-count", HeaderValue::from(info.usage.objects));
    headers.insert("x-account-bytes-used", HeaderValue::from(info.usage.bytes));
    // There is one storage policy, so everything that the account has is stored under it.
    headers.insert("x-account-storage-policy-policy-0-container-count", HeaderValue::from(info.containers));
    headers.insert("x-account-storage-policy-policy-0-object-count", HeaderValue::from(info.usage.objects));
    headers.insert("x-account-storage-policy-policy-0-bytes-used", HeaderValue::from(info.usage.bytes));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    add_metadata(&mut headers, Owner::Account, &info.metadata, view);
    account_quota::render(&mut headers, &info.metadata);
    headers
}

/// Adds the metadata of an account or a container, in which an item without a value is none.
/// The keys that sign links are for owners alone.
pub(super) fn add_metadata(headers: &mut HeaderMap, owner: Owner, metadata: &UserMetadata, view: View) {
    let is_quota = |name: &str| owner == Owner::Account && account_quota::ITEMS.contains(&name);
    let is_shown = |name: &str| !is_quota(name) && (view == View::Owner || !LINK_KEYS.contains(&name));
    for (name, value) in metadata.iter().filter(|(name, value)| !value.is_empty() && is_shown(name)) {
        add_item(headers, owner, name, value);
    }
}

/// Adds one item of metadata. A name that another dialect took and that no header can have is left out.
pub(super) fn add_item(headers: &mut HeaderMap, owner: Owner, name: &str, value: &[u8]) {
    if let Ok(name) = HeaderName::try_from(format!("{}{name}", owner.prefix())) {
        headers.insert(name, answer::header_bytes(value));
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::Usage;

    use super::*;

    fn info(created: Option<Timestamp>) -> AccountInfo {
        let metadata = [("color".to_owned(), "blue".to_owned()), ("gone".to_owned(), String::new())];
        AccountInfo {
            metadata: UserMetadata::collect(metadata).unwrap(),
            created,
            containers: 1,
            usage: Usage { objects: 2, bytes: 3 },
        }
    }

    #[test]
    fn counters_are_never_absent() {
        let headers =
            render(&info(Some(Timestamp::from_micros(1_500_000))), Timestamp::from_micros(0), View::Owner);
        assert_eq!(headers["x-account-container-count"], "1");
        assert_eq!(headers["x-account-object-count"], "2");
        assert_eq!(headers["x-account-bytes-used"], "3");
        assert_eq!(headers["x-timestamp"], "0000000001.50000");
        assert_eq!(headers["x-account-meta-color"], "blue");
        assert!(!headers.contains_key("x-account-meta-gone"));
    }

    #[test]
    fn an_account_that_nobody_wrote_to_was_made_just_now() {
        let headers = render(&info(None), Timestamp::from_micros(7_000_000), View::Owner);
        assert_eq!(headers["x-timestamp"], "0000000007.00000");
    }
}
