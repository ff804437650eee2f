//! Who sent a request: a token tells, or a signed link vouches for whoever holds it.

use std::sync::Arc;

use http::request::Parts;
use martlet_auth::{Guarded, Identity, token};
use martlet_model::{AccountName, Timestamp};

use crate::dialect::About;

use super::Swift;
use super::headers;
use super::path::Target;
use super::refusal::{Realm, Refusal};
use super::temp_url;

impl Swift {
    /// A signed link goes before a token, as in Swift: whoever sends both is whom the link is for.
    pub(super) async fn identified(&self, about: &About) -> Result<Identity, Refusal> {
        let now = self.clock.now();
        if let Some(bearer) = temp_url::bearer(about, &*self.store, now).await? {
            return Ok(Identity::Bearer(Arc::new(bearer)));
        }
        self.of_token(&about.head, now).await
    }

    /// Whose token the request carries. Where no token is asked for, none needs to be good.
    async fn of_token(&self, head: &Parts, now: Timestamp) -> Result<Identity, Refusal> {
        let Some(token) = headers::either(&head.headers, "x-auth-token", "x-storage-token")? else {
            return Ok(Identity::Anonymous);
        };
        if let Some(identity) = token::identify(&self.tokens, &*self.users, token, now).await? {
            return Ok(identity);
        }
        match Target::parse(head.uri.path())?.account() {
            None => Ok(Identity::Anonymous),
            Some(account) => Err(Refusal::Unauthorized { realm: Realm::Account(account.to_string()) }),
        }
    }
}

/// How much a caller sees of an account and its containers, of what they may see at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Also who else may do what, and the keys that sign links.
    Owner,
    Guest,
}

impl View {
    pub(super) fn of(store: &Guarded, account: &AccountName) -> Self {
        if store.owns(account) { Self::Owner } else { Self::Guest }
    }
}
