//! S3's access control lists, of buckets and of objects.
//!
//! Source: "Access control list (ACL) overview" of the Amazon S3 user guide.
//!
//! What a permission opens:
//!
//! | permission | on a bucket | on an object |
//! | --- | --- | --- |
//! | READ | listing objects, versions and uploads | getting it, and any version of it |
//! | WRITE | storing and removing objects | nothing |
//! | `READ_ACP` | reading the ACL | reading the ACL |
//! | `WRITE_ACP` | changing the ACL | changing the ACL |
//! | `FULL_CONTROL` | all of these | all of these |
//!
//! The owner may read and change the ACL, whatever it says.

mod request;
mod stored;

pub use request::{AclError, AclRequest, CannedAcl, GrantRequest, GranteeName};
pub use stored::AclDamaged;

use crate::identity::CanonicalId;

/// The most grants that an ACL has.
pub const GRANTS_COUNT_MAX: usize = 100;

/// Who may do what with a bucket or an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    pub owner: CanonicalId,
    /// In the order in which they were given. At most [`GRANTS_COUNT_MAX`].
    pub grants: Vec<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    User(CanonicalId),
    Group(Group),
}

/// Sets of users that have a name of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Everybody, known or not.
    AllUsers,
    /// Every user of the cluster.
    AuthenticatedUsers,
    /// Who writes access logs: nobody here.
    LogDelivery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

impl Acl {
    /// The ACL of what was stored without one: everything for the owner.
    pub fn private(owner: CanonicalId) -> Self {
        let grantee = Grantee::User(owner.clone());
        Self { owner, grants: vec![Grant { grantee, permission: Permission::FullControl }] }
    }

    /// Whether the ACL gives a user, or with `None` somebody unknown, the permission.
    pub fn permits(&self, user: Option<&CanonicalId>, permission: Permission) -> bool {
        let as_owner =
            user == Some(&self.owner) && matches!(permission, Permission::ReadAcp | Permission::WriteAcp);
        as_owner
            || self.grants.iter().any(|grant| grant.permission.covers(permission) && grant.grantee.is(user))
    }

    /// What is left of it for people who are named.
    #[must_use]
    pub fn without_public_grants(mut self) -> Self {
        self.grants.retain(|grant| !grant.grantee.is_public());
        self
    }

    /// Whether it grants anything to people who can't be named: to everybody, or to every user.
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }
}

impl Grantee {
    fn is_public(&self) -> bool {
        match self {
            Self::Group(Group::AllUsers | Group::AuthenticatedUsers) => true,
            Self::Group(Group::LogDelivery) | Self::User(_) => false,
        }
    }

    fn is(&self, user: Option<&CanonicalId>) -> bool {
        match self {
            Self::User(id) => user == Some(id),
            Self::Group(Group::AllUsers) => true,
            Self::Group(Group::AuthenticatedUsers) => user.is_some(),
            Self::Group(Group::LogDelivery) => false,
        }
    }
}

impl Group {
    pub const ALL: [Self; 3] = [Self::AllUsers, Self::AuthenticatedUsers, Self::LogDelivery];

    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.uri() == uri)
    }

    pub fn uri(self) -> &'static str {
        match self {
            Self::AllUsers => "http://acs.amazonaws.com/groups/global/AllUsers",
            Self::AuthenticatedUsers => "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
            Self::LogDelivery => "http://acs.amazonaws.com/groups/s3/LogDelivery",
        }
    }
}

impl Permission {
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp, Self::FullControl];

    /// Reads what stands in XML, e.g. `READ_ACP`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }

    fn covers(self, other: Self) -> bool {
        self == other || self == Self::FullControl
    }
}

#[cfg(test)]
mod tests;
