//! A user as the cluster keeps them: a document of its own, and small ones that lead to it.
//!
//! | key of the document | document |
//! | --- | --- |
//! | `user/` and the Swift name (`test:tester`) | the user, in JSON |
//! | `access-key/` and an S3 access key | the Swift name of its holder |
//! | `id/` and an id | the Swift name of the user |
//! | `email/` and an e-mail address in lower case | the Swift name of the user |
//!
//! What leads to a user counts only where the user's own document agrees.

use std::fmt;

use bytes::Bytes;
use martlet_model::{AccountName, Error, Result};
use serde::{Deserialize, Serialize};

use crate::identity::{CanonicalId, Identity, Role, Secret, User};

const VERSION: u8 = 1;
pub(super) const USERS: &str = "user/";
const ACCESS_KEYS: &str = "access-key/";
const IDS: &str = "id/";
const EMAILS: &str = "email/";

/// A user, with everything that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    pub user: User,
    /// For `X-Auth-Key`.
    pub swift_key: Secret,
    pub access_keys: Vec<AccessKey>,
}

/// A pair of keys for S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    pub key: String,
    pub secret: Secret,
}

/// By what a user is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lookup {
    SwiftName(String),
    AccessKey(String),
    Id(String),
    Email(String),
}

#[derive(Serialize, Deserialize)]
struct StoredUser {
    version: u8,
    account: String,
    name: String,
    role: StoredRole,
    id: String,
    display_name: String,
    email: Option<String>,
    swift_key: String,
    access_keys: Vec<StoredAccessKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredAccessKey {
    key: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredRole {
    Owner,
    Member,
    Admin,
    Service,
}

impl UserRecord {
    pub fn identity(&self) -> Identity {
        self.user.clone().into()
    }

    pub(super) fn encode(&self) -> Bytes {
        let user = &self.user;
        let access_keys = self
            .access_keys
            .iter()
            .map(|pair| StoredAccessKey { key: pair.key.clone(), secret: pair.secret.expose().to_owned() });
        let stored = StoredUser {
            version: VERSION,
            account: user.account.to_string(),
            name: user.name.clone(),
            role: user.role.into(),
            id: user.id.to_string(),
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            swift_key: self.swift_key.expose().to_owned(),
            access_keys: access_keys.collect(),
        };
        written(&stored).into()
    }

    pub(super) fn decode(document: &[u8]) -> Result<Self> {
        let stored: StoredUser =
            serde_json::from_slice(document).map_err(|_| Error::Damaged("a user's document"))?;
        if stored.version != VERSION {
            return Err(Error::Damaged("a user's document is of another version"));
        }
        let account = AccountName::parse(stored.account.as_bytes())?;
        let user = User {
            id: CanonicalId::new(stored.id),
            display_name: stored.display_name,
            email: stored.email,
            ..User::new(account, stored.name, stored.role.into())
        };
        let access_keys = stored.access_keys.into_iter();
        let access_keys =
            access_keys.map(|pair| AccessKey { key: pair.key, secret: Secret::new(pair.secret) });
        Ok(Self { user, swift_key: Secret::new(stored.swift_key), access_keys: access_keys.collect() })
    }

    /// What leads to the user, besides the name.
    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let access_keys = self.access_keys.iter().map(|pair| Lookup::AccessKey(pair.key.clone()));
        let email = self.user.email.as_deref().map(Lookup::email);
        std::iter::once(Lookup::Id(self.user.id.to_string())).chain(email).chain(access_keys).collect()
    }

    /// Whether the user agrees with what has led here.
    pub(super) fn is(&self, lookup: &Lookup) -> bool {
        match lookup {
            Lookup::SwiftName(name) => self.user.swift_name() == *name,
            other => self.lookups().contains(other),
        }
    }
}

impl Lookup {
    pub(super) fn email(address: &str) -> Self {
        Self::Email(address.to_lowercase())
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::SwiftName(text) | Self::AccessKey(text) | Self::Id(text) | Self::Email(text) => text,
        }
    }

    /// The key of its document.
    pub(super) fn document_key(&self) -> String {
        match self {
            Self::SwiftName(name) => format!("{USERS}{name}"),
            Self::AccessKey(key) => format!("{ACCESS_KEYS}{key}"),
            Self::Id(id) => format!("{IDS}{id}"),
            Self::Email(address) => format!("{EMAILS}{address}"),
        }
    }
}

#[expect(clippy::expect_used, reason = "text, lists and numbers can be written as JSON")]
fn written(stored: &StoredUser) -> Vec<u8> {
    serde_json::to_vec(stored).expect("text, lists and numbers can be written as JSON")
}

impl From<Role> for StoredRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Service => Self::Service,
        }
    }
}

impl From<StoredRole> for Role {
    fn from(stored: StoredRole) -> Self {
        match stored {
            StoredRole::Owner => Self::Owner,
            StoredRole::Member => Self::Member,
            StoredRole::Admin => Self::Admin,
            StoredRole::Service => Self::Service,
        }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwiftName(name) => write!(f, "the name {name}"),
            Self::AccessKey(key) => write!(f, "the access key {key}"),
            Self::Id(id) => write!(f, "the id {id}"),
            Self::Email(address) => write!(f, "the address {address}"),
        }
    }
}
