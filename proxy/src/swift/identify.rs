//! Who sent a request: a token tells, or a signed link vouches for whoever holds it.

use std::sync::Arc;

use http::request::Parts;
use martlet_auth::swift_acl::ACCOUNT_PREFIX;
use martlet_auth::{Guarded, Identity, Role, User, token};
use martlet_model::{AccountName, Error, Timestamp};

use crate::dialect::About;

use super::Swift;
use super::headers;
use super::path::Target;
use super::refusal::{Realm, Refusal};
use super::temp_url;

/// What the names of accounts begin with that services keep for the accounts of users.
const SERVICE_PREFIX: &str = "SERVICE_";

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
            return self.at_service(identity, head, now).await;
        }
        match Target::parse(head.uri.path())?.account() {
            None => Ok(Identity::Anonymous),
            Some(account) => Err(Refusal::Unauthorized { realm: Realm::Account(account.to_string()) }),
        }
    }

    /// The user as an owner of what a service keeps for the user's account, where a service vouches for the request.
    /// Neither may do anything there alone.
    async fn at_service(&self, caller: Identity, head: &Parts, now: Timestamp) -> Result<Identity, Refusal> {
        let Some(token) = headers::text(&head.headers, "x-service-token")? else { return Ok(caller) };
        let target = Target::parse(head.uri.path())?;
        let (Some(user), Some(account)) = (caller.as_user(), target.account()) else { return Ok(caller) };
        let kept_for = account.as_str().strip_prefix(SERVICE_PREFIX);
        let own = user.account.as_str().strip_prefix(ACCOUNT_PREFIX);
        if kept_for.is_none() || kept_for != own || user.role != Role::Owner {
            return Ok(caller);
        }
        let service = token::identify(&self.tokens, &*self.users, token, now).await?;
        let vouches =
            service.as_ref().and_then(Identity::as_user).is_some_and(|user| user.role == Role::Service);
        if !vouches {
            return Ok(caller);
        }
        Ok(Identity::User(Arc::new(User { account: account.clone(), ..User::clone(user) })))
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
    pub(super) async fn of(store: &Guarded, account: &AccountName) -> Result<Self, Error> {
        Ok(if store.owns(account).await? { Self::Owner } else { Self::Guest })
    }
}
