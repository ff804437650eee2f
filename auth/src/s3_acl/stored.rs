//! How an ACL is kept: a version, and postcard of the twin below.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Acl, GRANTS_COUNT_MAX, Grant, Grantee, Group, Permission};
use crate::identity::CanonicalId;

const VERSION: u8 = 1;

/// Bytes that no ACL of ours is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored ACL can't be read")]
pub struct AclDamaged;

/// The order of variants and fields is part of the format.
#[derive(Serialize, Deserialize)]
struct StoredAcl {
    owner: String,
    grants: Vec<(StoredGrantee, StoredPermission)>,
}

#[derive(Serialize, Deserialize)]
enum StoredGrantee {
    User(String),
    AllUsers,
    AuthenticatedUsers,
    LogDelivery,
}

#[derive(Serialize, Deserialize)]
enum StoredPermission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

impl Acl {
    /// What is stored with a bucket or an object.
    pub fn encode(&self) -> Bytes {
        let grants =
            self.grants.iter().map(|grant| (stored_grantee(&grant.grantee), grant.permission.into()));
        let stored = StoredAcl { owner: self.owner.as_str().to_owned(), grants: grants.collect() };
        written(&stored).into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, AclDamaged> {
        let (&VERSION, bytes) = bytes.split_first().ok_or(AclDamaged)? else { return Err(AclDamaged) };
        let (stored, rest) = postcard::take_from_bytes::<StoredAcl>(bytes).map_err(|_| AclDamaged)?;
        if !rest.is_empty() || stored.grants.len() > GRANTS_COUNT_MAX {
            return Err(AclDamaged);
        }
        let grants = stored
            .grants
            .into_iter()
            .map(|(grantee, permission)| Grant { grantee: grantee.into(), permission: permission.into() });
        Ok(Self { owner: CanonicalId::new(stored.owner), grants: grants.collect() })
    }
}

#[expect(clippy::expect_used, reason = "the buffer grows, and text and lists can be written")]
fn written(stored: &StoredAcl) -> Vec<u8> {
    postcard::to_extend(stored, vec![VERSION]).expect("a growing buffer takes everything")
}

fn stored_grantee(grantee: &Grantee) -> StoredGrantee {
    match grantee {
        Grantee::User(id) => StoredGrantee::User(id.as_str().to_owned()),
        Grantee::Group(Group::AllUsers) => StoredGrantee::AllUsers,
        Grantee::Group(Group::AuthenticatedUsers) => StoredGrantee::AuthenticatedUsers,
        Grantee::Group(Group::LogDelivery) => StoredGrantee::LogDelivery,
    }
}

impl From<StoredGrantee> for Grantee {
    fn from(stored: StoredGrantee) -> Self {
        match stored {
            StoredGrantee::User(id) => Self::User(CanonicalId::new(id)),
            StoredGrantee::AllUsers => Self::Group(Group::AllUsers),
            StoredGrantee::AuthenticatedUsers => Self::Group(Group::AuthenticatedUsers),
            StoredGrantee::LogDelivery => Self::Group(Group::LogDelivery),
        }
    }
}

impl From<Permission> for StoredPermission {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Read => Self::Read,
            Permission::Write => Self::Write,
            Permission::ReadAcp => Self::ReadAcp,
            Permission::WriteAcp => Self::WriteAcp,
            Permission::FullControl => Self::FullControl,
        }
    }
}

impl From<StoredPermission> for Permission {
    fn from(stored: StoredPermission) -> Self {
        match stored {
            StoredPermission::Read => Self::Read,
            StoredPermission::Write => Self::Write,
            StoredPermission::ReadAcp => Self::ReadAcp,
            StoredPermission::WriteAcp => Self::WriteAcp,
            StoredPermission::FullControl => Self::FullControl,
        }
    }
}
