//! Where users are looked up.

mod admin;
mod chain;
mod record;
mod stored;

pub use admin::{KeyChange, NewUser, Random, UserAdmin, UserError};
pub use chain::ChainedUsers;
pub use record::{AccessKey, UserRecord};
pub use stored::{STALENESS_SECONDS_MAX, StoredUsers};

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use martlet_model::Result;

use crate::identity::{CanonicalId, Identity, Secret, User};

/// What a lookup by a public name gives: who it is, and the secret that proves it.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub identity: Identity,
    pub secret: Secret,
}

/// The users of a cluster. `Ok(None)` means that nobody has that name; an error, that it can't be told now.
#[async_trait]
pub trait Users: fmt::Debug + Send + Sync + 'static {
    /// The holder of an S3 access key, with the key's secret.
    async fn by_access_key(&self, access_key: &str) -> Result<Option<Credentials>>;
    /// The user with a Swift user name (`account:user`, as in `X-Auth-User`), with the key for `X-Auth-Key`.
    async fn by_swift_name(&self, swift_name: &str) -> Result<Option<Credentials>>;
    /// The user with an id, e.g. one that an ACL names.
    async fn by_id(&self, id: &CanonicalId) -> Result<Option<Arc<User>>>;
    /// The user with an e-mail address, whatever the case of its letters.
    async fn by_email(&self, email: &str) -> Result<Option<Arc<User>>>;
}

/// A fixed set of users, in memory.
#[derive(Debug, Default)]
pub struct UserTable {
    access_keys: HashMap<String, Credentials>,
    swift_names: HashMap<String, Credentials>,
}

impl UserTable {
    /// Gives `identity` an S3 access key; one of the same name is replaced.
    #[must_use]
    pub fn with_access_key(
        mut self,
        access_key: impl Into<String>,
        secret: Secret,
        identity: Identity,
    ) -> Self {
        self.access_keys.insert(access_key.into(), Credentials { identity, secret });
        self
    }

    /// Gives `identity` a Swift user name; one of the same name is replaced.
    #[must_use]
    pub fn with_swift_name(
        mut self,
        swift_name: impl Into<String>,
        secret: Secret,
        identity: Identity,
    ) -> Self {
        self.swift_names.insert(swift_name.into(), Credentials { identity, secret });
        self
    }

    /// The table is small: it holds who is configured, not who signs up.
    fn find(&self, is: impl Fn(&User) -> bool) -> Option<Arc<User>> {
        let credentials = self.access_keys.values().chain(self.swift_names.values());
        let mut users = credentials.filter_map(|credentials| credentials.identity.as_user());
        users.find(|user| is(user)).cloned()
    }
}

#[async_trait]
impl Users for UserTable {
    async fn by_access_key(&self, access_key: &str) -> Result<Option<Credentials>> {
        Ok(self.access_keys.get(access_key).cloned())
    }

    async fn by_swift_name(&self, swift_name: &str) -> Result<Option<Credentials>> {
        Ok(self.swift_names.get(swift_name).cloned())
    }

    async fn by_id(&self, id: &CanonicalId) -> Result<Option<Arc<User>>> {
        Ok(self.find(|user| user.id == *id))
    }

    async fn by_email(&self, email: &str) -> Result<Option<Arc<User>>> {
        Ok(self.find(|user| user.email.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(email))))
    }
}
