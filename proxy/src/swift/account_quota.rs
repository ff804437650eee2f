//! The quotas of an account: set by admins alone, seen by its owners.

use http::HeaderMap;
use martlet_auth::{Guarded, Role};
use martlet_model::{Error, UserMetadata};

use crate::quota::{ACCOUNT_BYTES, ACCOUNT_OBJECTS, ACCOUNT_POLICY_BYTES, ACCOUNT_POLICY_OBJECTS};

use super::answer;
use super::headers;
use super::refusal::Refusal;

/// The items of an account's metadata that are quotas, whichever header they are set by.
pub(super) const ITEMS: [&str; 4] =
    [ACCOUNT_BYTES, ACCOUNT_OBJECTS, ACCOUNT_POLICY_BYTES, ACCOUNT_POLICY_OBJECTS];

const PREFIX: &str = "x-account-quota-";

/// Adds what `X-Account-Quota-…` and `X-Remove-Account-Quota-…` say to other changes of an account's metadata.
/// A removal goes before a value.
pub(super) fn parse(request: &HeaderMap, changes: &UserMetadata) -> Result<UserMetadata, Refusal> {
    let is_item = |name: &str| ITEMS.iter().any(|item| name.strip_prefix("x-account-") == Some(*item));
    let given = request.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with(PREFIX));
    if let Some(unknown) = given.into_iter().find(|name| !is_item(name)) {
        let text = format!("{} names no quota that there is", answer::titled(unknown));
        return Err(Refusal::Malformed(text.into()));
    }
    let mut items: Vec<_> = changes.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for item in ITEMS {
        let is_removed = headers::text(request, &format!("x-remove-account-{item}"))?;
        if is_removed.is_some_and(|value| !value.is_empty()) {
            items.push((item.to_owned(), Vec::new()));
        } else if let Some(value) = headers::text(request, &format!("x-account-{item}"))? {
            items.push((item.to_owned(), value.into()));
        }
    }
    UserMetadata::collect(items).map_err(|error| Refusal::Malformed(error.to_string().into()))
}

/// Whether the caller may make these changes, as far as they are of quotas, and whether they can be.
pub(super) fn check(changes: &UserMetadata, store: &Guarded) -> Result<(), Refusal> {
    let mut quotas = changes.iter().filter(|(name, _)| ITEMS.contains(name)).peekable();
    if quotas.peek().is_none() {
        return Ok(());
    }
    if store.identity().as_user().is_none_or(|user| user.role != Role::Admin) {
        return Err(Error::Denied.into());
    }
    if quotas.all(|(_, value)| value.iter().all(u8::is_ascii_digit)) {
        Ok(())
    } else {
        Err(Refusal::Malformed("A quota must be a number".into()))
    }
}

/// The quotas that are set. That of bytes is shown under its older name as well.
pub(super) fn render(headers: &mut HeaderMap, metadata: &UserMetadata) {
    for (header, item) in [
        ("x-account-quota-bytes", ACCOUNT_BYTES),
        ("x-account-meta-quota-bytes", ACCOUNT_BYTES),
        ("x-account-quota-count", ACCOUNT_OBJECTS),
        ("x-account-quota-bytes-policy-policy-0", ACCOUNT_POLICY_BYTES),
        ("x-account-quota-count-policy-policy-0", ACCOUNT_POLICY_OBJECTS),
    ] {
        if let Some(value) = metadata.text(item).filter(|value| !value.is_empty()) {
            headers.insert(header, answer::header_value(value));
        }
    }
}
