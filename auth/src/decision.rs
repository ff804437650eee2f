//! The one authorization decision, for both dialects.

use martlet_model::{AccountName, ContainerId, ObjectId};

use crate::identity::{Identity, Role};

/// What a caller wants to do with a [`Resource`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See what is known of it, without its bytes.
    Inspect,
    /// Enumerate what is in it: containers, objects, uploads.
    List,
    /// Read an object's bytes.
    Read,
    /// Store or replace an object, or a piece of one.
    Write,
    /// Remove an object, or an upload.
    Delete,
    /// Make a container.
    Create,
    /// Remove a container.
    Remove,
    /// Change the metadata of an account or a container.
    Configure,
}

/// What is acted on.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    Account(&'a AccountName),
    Container(&'a ContainerId),
    Object(&'a ObjectId),
}

/// The caller isn't allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Denied;

impl From<Denied> for martlet_model::Error {
    fn from(_: Denied) -> Self {
        Self::Denied
    }
}

/// May `identity` do `action` on `resource`?
///
/// Today there is the owner rule alone: the users of an account may do everything in it, and nobody else anything.
/// Grants (ACLs and policies of both dialects) become another argument, and another reason to say yes.
pub fn decide(identity: &Identity, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
    match identity {
        Identity::User(user) if user.role == Role::Admin => Ok(()),
        Identity::User(user) if user.account == *resource.account() && allows(user.role, action) => Ok(()),
        Identity::User(_) | Identity::Anonymous | Identity::Bearer(_) => Err(Denied),
    }
}

/// What a role allows within the own account; a new role or action has to be thought of here.
fn allows(role: Role, action: Action) -> bool {
    match (role, action) {
        (
            Role::Owner,
            Action::Inspect
            | Action::List
            | Action::Read
            | Action::Write
            | Action::Delete
            | Action::Create
            | Action::Remove
            | Action::Configure,
        ) => true,
        (Role::Admin | Role::Member | Role::Service, _) => false,
    }
}

impl Resource<'_> {
    fn account(&self) -> &AccountName {
        match self {
            Self::Account(account) => account,
            Self::Container(container) => &container.account,
            Self::Object(object) => &object.container.account,
        }
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::{ContainerName, ObjectKey};

    use super::*;

    const ACTIONS: [Action; 8] = [
        Action::Inspect,
        Action::List,
        Action::Read,
        Action::Write,
        Action::Delete,
        Action::Create,
        Action::Remove,
        Action::Configure,
    ];

    fn account(name: &str) -> AccountName {
        AccountName::parse(name.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(identity: &Identity, expected: Result<(), Denied>) {
        let container =
            ContainerId { account: account("AUTH_a"), name: ContainerName::parse(b"box").unwrap() };
        let object = ObjectId { container: container.clone(), key: ObjectKey::parse("key").unwrap() };
        for action in ACTIONS {
            assert_eq!(decide(identity, action, Resource::Account(&container.account)), expected);
            assert_eq!(decide(identity, action, Resource::Container(&container)), expected);
            assert_eq!(decide(identity, action, Resource::Object(&object)), expected);
        }
    }

    #[test]
    fn an_owner_may_everything_in_the_own_account() {
        check(&Identity::user(account("AUTH_a"), "tester", Role::Owner), Ok(()));
    }

    #[test]
    fn a_user_of_another_account_may_nothing() {
        check(&Identity::user(account("AUTH_b"), "tester", Role::Owner), Err(Denied));
        check(&Identity::user(account("AUTH_a2"), "tester", Role::Owner), Err(Denied));
    }

    #[test]
    fn nobody_may_nothing() {
        check(&Identity::Anonymous, Err(Denied));
    }
}
