//! Whom a statement is about.

use super::parse::MalformedPolicy;
use crate::identity::{CanonicalId, Identity, User};
use crate::swift_acl::short;

const IAM: &str = "arn:aws:iam::";

/// The name by which policies know a user, e.g. `arn:aws:iam::test:user/tester` for `test:tester` of `AUTH_test`.
pub fn user_arn(user: &User) -> String {
    format!("{IAM}{}:user/{}", short(user.account.as_str()), user.name)
}

/// The name by which policies know all users of an account, e.g. `arn:aws:iam::test:root`.
pub fn account_arn(account: &martlet_model::AccountName) -> String {
    format!("{IAM}{}:root", short(account.as_str()))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Principal {
    /// `*`: also who hasn't said who they are.
    Everybody,
    /// All users of an account, which is named without its prefix.
    Account(String),
    User {
        account: String,
        name: String,
    },
    Canonical(CanonicalId),
}

impl Principal {
    /// Reads what stands under `AWS`: `*`, an account, or an ARN of an account or a user.
    pub(super) fn parse_aws(text: &str) -> Result<Self, MalformedPolicy> {
        let invalid = || MalformedPolicy::InvalidPrincipal(text.to_owned());
        if text == "*" {
            return Ok(Self::Everybody);
        }
        if text.is_empty() || text.contains(['*', '?']) {
            return Err(invalid());
        }
        let Some(rest) = text.strip_prefix(IAM) else {
            let is_name = !text.contains([':', '/']);
            return if is_name { Ok(Self::Account(short(text).to_owned())) } else { Err(invalid()) };
        };
        let (account, who) = rest.split_once(':').ok_or_else(invalid)?;
        let account = short(account).to_owned();
        match who.split_once('/') {
            None if who == "root" && !account.is_empty() => Ok(Self::Account(account)),
            // Other stores know users by their ids alone.
            Some(("user", id)) if account.is_empty() && !id.is_empty() => {
                Ok(Self::Canonical(CanonicalId::new(id)))
            }
            Some(("user", name)) if !name.is_empty() => Ok(Self::User { account, name: name.to_owned() }),
            _ => Err(invalid()),
        }
    }

    pub(super) fn is(&self, identity: &Identity) -> bool {
        let user = match (self, identity.as_user()) {
            (Self::Everybody, _) => return true,
            (_, None) => return false,
            (_, Some(user)) => user,
        };
        let own_account = short(user.account.as_str());
        match self {
            Self::Everybody => true,
            Self::Account(account) => account == own_account,
            Self::User { account, name } => account == own_account && *name == user.name,
            Self::Canonical(id) => *id == user.id,
        }
    }
}
