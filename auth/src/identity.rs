//! Identities, and the secrets that prove them.

use std::fmt;
use std::sync::Arc;

use martlet_model::AccountName;
use subtle::ConstantTimeEq as _;

/// On whose behalf a request is carried out. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular: the request proved nothing.
    Anonymous,
    User(Arc<User>),
}

/// A user of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub account: AccountName,
    /// The name within the account, e.g. `tester`.
    pub name: String,
    pub role: Role,
}

/// What a user may do in the own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
}

/// A password or a signing secret. It has no way out except [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Identity {
    pub fn user(account: AccountName, name: impl Into<String>, role: Role) -> Self {
        Self::User(Arc::new(User { account, name: name.into(), role }))
    }

    /// The account that the caller belongs to.
    pub fn account(&self) -> Option<&AccountName> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(&user.account),
        }
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

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
