//! The one authorization decision, for both dialects.
//!
//! In this order:
//!
//! 1. An admin may everything.
//! 2. What the bucket's policy denies, is denied, also to owners; they can always get at the policy itself.
//! 3. An owner may everything in the own account.
//! 4. The bearer of a signed link or form may what it says.
//! 5. Anybody may what the policy, an ACL of S3's, or one of Swift's opens: the container's, or the account's.
//!
//! To whom the account's ACL gives everything, is an owner.

use martlet_model::AccountName;

use crate::account_acl::AccountRight;
use crate::action::Action;
use crate::bearer::Bearer;
use crate::grants::ContainerGrants;
use crate::identity::{Identity, Role};
use crate::policy::Verdict;
use crate::request::{Request, Resource};

/// The caller isn't allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Denied;

impl From<Denied> for martlet_model::Error {
    fn from(_: Denied) -> Self {
        Self::Denied
    }
}

/// May this be done? `grants` are those of the container that the request is about.
pub fn decide(action: Action, request: &Request<'_>, grants: &ContainerGrants) -> Result<(), Denied> {
    let standing = Standing::of(request.identity, request.resource.account()).with(request.right);
    if standing == Standing::Admin {
        return Ok(());
    }
    let verdict = grants.verdict(action, request);
    if verdict == Verdict::Denied {
        return if standing == Standing::Owner && is_about_policy(action) { Ok(()) } else { Err(Denied) };
    }
    let may = match request.identity {
        _ if standing == Standing::Owner => true,
        Identity::Bearer(bearer) => bearer_may(bearer, action, request.resource),
        Identity::User(_) | Identity::Anonymous => {
            verdict == Verdict::Allowed || request.right.permits(action) || opens(grants, action, request)
        }
    };
    if may { Ok(()) } else { Err(Denied) }
}

/// Whether an ACL does; none of a container's says anything of the account.
fn opens(grants: &ContainerGrants, action: Action, request: &Request<'_>) -> bool {
    request.resource.container().is_some()
        && (grants.acl_opens(action, request) || grants.swift_opens(action, request))
}

/// What somebody is to an account, whatever it grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody who is let into every account.
    Admin,
    /// A user to whom the account belongs.
    Owner,
    /// Anybody else.
    Other,
}

impl Standing {
    pub fn of(identity: &Identity, account: &AccountName) -> Self {
        let Some(user) = identity.as_user() else { return Self::Other };
        match user.role {
            Role::Admin => Self::Admin,
            Role::Owner if user.account == *account => Self::Owner,
            Role::Owner | Role::Member | Role::Service => Self::Other,
        }
    }

    /// The same, with what the account's ACL gives.
    pub(crate) fn with(self, right: AccountRight) -> Self {
        match (self, right) {
            (Self::Other, AccountRight::Admin) => Self::Owner,
            (standing, _) => standing,
        }
    }
}

/// Who owns a bucket can't lock himself out of it.
pub(crate) fn is_about_policy(action: Action) -> bool {
    matches!(action, Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy)
}

fn bearer_may(bearer: &Bearer, action: Action, resource: Resource<'_>) -> bool {
    let object = match resource {
        Resource::Object(object) => Some(object),
        Resource::Account(_) | Resource::Container(_) => None,
    };
    match bearer {
        // A large object is read by listing and getting its segments.
        Bearer::Read(reach) => {
            matches!(action, Action::GetObject | Action::ListBucket)
                && reach.holds(resource.account(), resource.container().map(|container| &container.name))
        }
        Bearer::Put(own) => action == Action::PutObject && object == Some(own),
        Bearer::Post(own) => action == Action::UpdateObject && object == Some(own),
        Bearer::Delete(own) => action == Action::DeleteObject && object == Some(own),
        Bearer::PutBelow { container, prefix } => {
            action == Action::PutObject
                && object.is_some_and(|object| {
                    object.container == *container && object.key.as_bytes().starts_with(prefix)
                })
        }
    }
}

#[cfg(test)]
mod tests;
