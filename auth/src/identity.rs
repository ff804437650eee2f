//! Identities, and the secrets that prove them.

use std::fmt;
use std::sync::Arc;

use martlet_model::AccountName;
use subtle::ConstantTimeEq as _;

use crate::bearer::Bearer;
use crate::swift_acl::short;

/// On whose behalf a request is carried out. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular: the request proved nothing.
    Anonymous,
    User(Arc<User>),
    /// Whoever holds a link or a form that a key of Swift's has signed.
    Bearer(Arc<Bearer>),
}

/// A user of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub account: AccountName,
    /// The name within the account, e.g. `tester`.
    pub name: String,
    pub role: Role,
    /// Who owns what the user stores, and what S3's ACLs name: the same for good, and no two users have the same.
    pub id: CanonicalId,
    /// What S3 shows next to the id.
    pub display_name: String,
    /// By which S3's ACLs may name the user when they are set.
    pub email: Option<String>,
}

/// The id by which S3 names a user: what AWS calls the canonical user id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalId(Arc<str>);

/// What a user may do without being granted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything in the own account.
    Owner,
    /// Nothing: the user has what grants give.
    Member,
    /// Everything in every account.
    Admin,
    /// Nothing in accounts of users: what services keep for users is in accounts of their own.
    Service,
}

/// A password or a signing secret. It has no way out except [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Identity {
    pub fn user(account: AccountName, name: impl Into<String>, role: Role) -> Self {
        User::new(account, name, role).into()
    }

    pub fn as_user(&self) -> Option<&Arc<User>> {
        match self {
            Self::Anonymous | Self::Bearer(_) => None,
            Self::User(user) => Some(user),
        }
    }

    /// The account that the caller belongs to.
    pub fn account(&self) -> Option<&AccountName> {
        self.as_user().map(|user| &user.account)
    }
}

impl From<User> for Identity {
    fn from(user: User) -> Self {
        Self::User(Arc::new(user))
    }
}

impl User {
    /// A user whose id and display name are the name by which Swift's clients log in, e.g. `test:tester`.
    /// `name` may be that as well, or what it has after the account.
    pub fn new(account: AccountName, name: impl Into<String>, role: Role) -> Self {
        let mut name = name.into();
        if let Some(rest) = name.strip_prefix(short(account.as_str())).and_then(|rest| rest.strip_prefix(':'))
        {
            name = rest.to_owned();
        }
        let swift_name = swift_name(&account, &name);
        Self {
            id: CanonicalId::new(swift_name.as_str()),
            display_name: swift_name,
            email: None,
            account,
            name,
            role,
        }
    }

    /// The name by which Swift's clients log in, e.g. `test:tester` for `tester` of `AUTH_test`.
    pub fn swift_name(&self) -> String {
        swift_name(&self.account, &self.name)
    }
}

fn swift_name(account: &AccountName, name: &str) -> String {
    format!("{}:{name}", short(account.as_str()))
}

impl CanonicalId {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Whether `claimed` is this secret, in a time that depends on the lengths alone.
    pub fn matches(&self, claimed: &str) -> bool {
        self.0.as_bytes().ct_eq(claimed.as_bytes()).into()
    }

    /// The secret itself, for deriving keys from it and for telling it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// In constant time, as [`Secret::matches`].
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_in_full_or_within_the_account() {
        let account = || AccountName::parse(b"AUTH_test").unwrap();
        let user = User::new(account(), "tester", Role::Owner);
        assert_eq!(user, User::new(account(), "test:tester", Role::Owner));
        assert_eq!((user.name.as_str(), user.swift_name()), ("tester", "test:tester".to_owned()));
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert!(!format!("{:?}", Secret::new("opensesame")).contains("sesame"));
    }

    #[test]
    fn a_secret_matches_itself_alone() {
        let secret = Secret::new("opensesame");
        assert!(secret.matches("opensesame"));
        for wrong in ["", "opensesam", "opensesame ", "Opensesame"] {
            assert!(!secret.matches(wrong));
        }
    }
}
