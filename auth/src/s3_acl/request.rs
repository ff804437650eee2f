//! ACLs as callers ask for them: canned, in headers, or grant by grant in XML.

use http::{HeaderMap, HeaderValue};

use super::{Acl, GRANTS_COUNT_MAX, Grant, Grantee, Group, Permission};
use crate::identity::CanonicalId;
use crate::users::Users;

const CANNED: &str = "x-amz-acl";
const GRANT_HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
    ("x-amz-grant-full-control", Permission::FullControl),
];

/// An ACL that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclRequest {
    Canned(CannedAcl),
    /// These grants, and none for the owner unless it is among them.
    Grants(Vec<GrantRequest>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRequest {
    pub grantee: GranteeName,
    pub permission: Permission,
}

/// Who is meant, as the caller names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GranteeName {
    Id(String),
    Email(String),
    /// The URI of a group.
    Uri(String),
}

/// The ACLs that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannedAcl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    /// On an object: its owner, and the bucket's owner to read. On a bucket as [`CannedAcl::Private`].
    BucketOwnerRead,
    /// On an object: its owner, and the bucket's owner. On a bucket as [`CannedAcl::Private`].
    BucketOwnerFullControl,
    LogDeliveryWrite,
}

/// Why an ACL can't be had.
#[derive(Debug, thiserror::Error)]
pub enum AclError {
    /// S3: `InvalidArgument`.
    #[error("{0} is not a canned ACL that is offered")]
    UnknownCanned(String),
    /// S3: `InvalidRequest`.
    #[error("Specifying both Canned ACLs and Header Grants is not allowed")]
    CannedAndGrants,
    /// S3: `InvalidArgument`.
    #[error("the header {header} is not a list of id=, emailAddress= and uri=")]
    MalformedHeader { header: &'static str },
    /// S3: `InvalidArgument`.
    #[error("Invalid id")]
    UnknownId(String),
    /// S3: `InvalidArgument`.
    #[error("Invalid group uri")]
    UnknownGroup(String),
    /// S3: `UnresolvableGrantByEmailAddress`.
    #[error("The e-mail address you provided does not match any account on record.")]
    UnknownEmail(String),
    /// S3: `MalformedACLError`.
    #[error("an ACL has at most {GRANTS_COUNT_MAX} grants")]
    TooManyGrants,
    /// Users can't be looked up now.
    #[error(transparent)]
    Users(#[from] martlet_model::Error),
}

impl AclRequest {
    /// Reads `x-amz-acl` and the `x-amz-grant-` headers; `None`: the request asks for no ACL.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, AclError> {
        let mut canned = headers.get_all(CANNED).iter();
        let grants = Self::grants(headers)?;
        match (canned.next(), canned.next()) {
            (None, _) if grants.is_empty() => Ok(None),
            (None, _) => Ok(Some(Self::Grants(grants))),
            (Some(_), _) if !grants.is_empty() => Err(AclError::CannedAndGrants),
            (Some(value), None) => {
                let name = String::from_utf8_lossy(value.as_bytes());
                CannedAcl::parse(&name).map(|canned| Some(Self::Canned(canned)))
            }
            (Some(_), Some(value)) => {
                Err(AclError::UnknownCanned(String::from_utf8_lossy(value.as_bytes()).into_owned()))
            }
        }
    }

    fn grants(headers: &HeaderMap) -> Result<Vec<GrantRequest>, AclError> {
        let mut grants = Vec::new();
        for (header, permission) in GRANT_HEADERS {
            for value in headers.get_all(header) {
                let grantees = grantees(value).ok_or(AclError::MalformedHeader { header })?;
                grants.extend(grantees.into_iter().map(|grantee| GrantRequest { grantee, permission }));
            }
        }
        Ok(grants)
    }

    /// The ACL that is asked for: `owner` is that of the bucket or the object that it will stand on.
    ///
    /// The owner of an object's bucket is asked for apart; for a bucket both are the same.
    pub async fn resolve(
        &self,
        owner: &CanonicalId,
        bucket_owner: &CanonicalId,
        users: &dyn Users,
    ) -> Result<Acl, AclError> {
        let requests = match self {
            Self::Canned(canned) => return Ok(canned.acl(owner, bucket_owner)),
            Self::Grants(requests) => requests,
        };
        if requests.len() > GRANTS_COUNT_MAX {
            return Err(AclError::TooManyGrants);
        }
        let mut grants = Vec::with_capacity(requests.len());
        for GrantRequest { grantee, permission } in requests {
            grants.push(Grant { grantee: grantee.resolve(users).await?, permission: *permission });
        }
        Ok(Acl { owner: owner.clone(), grants })
    }
}

impl GranteeName {
    async fn resolve(&self, users: &dyn Users) -> Result<Grantee, AclError> {
        match self {
            Self::Id(text) => {
                let found = users.by_id(&CanonicalId::new(text.as_str())).await?;
                found
                    .map(|user| Grantee::User(user.id.clone()))
                    .ok_or_else(|| AclError::UnknownId(text.clone()))
            }
            Self::Email(text) => {
                let found = users.by_email(text).await?;
                let grantee = found.map(|user| Grantee::User(user.id.clone()));
                grantee.ok_or_else(|| AclError::UnknownEmail(text.clone()))
            }
            Self::Uri(uri) => {
                Group::from_uri(uri).map(Grantee::Group).ok_or_else(|| AclError::UnknownGroup(uri.clone()))
            }
        }
    }
}

impl CannedAcl {
    pub fn parse(name: &str) -> Result<Self, AclError> {
        Ok(match name {
            "private" => Self::Private,
            "public-read" => Self::PublicRead,
            "public-read-write" => Self::PublicReadWrite,
            "authenticated-read" => Self::AuthenticatedRead,
            "bucket-owner-read" => Self::BucketOwnerRead,
            "bucket-owner-full-control" => Self::BucketOwnerFullControl,
            "log-delivery-write" => Self::LogDeliveryWrite,
            other => return Err(AclError::UnknownCanned(other.to_owned())),
        })
    }

    /// What the name stands for. Groups come before the owner, as other stores show it.
    pub fn acl(self, owner: &CanonicalId, bucket_owner: &CanonicalId) -> Acl {
        let group = |group, permission| Grant { grantee: Grantee::Group(group), permission };
        let private = Acl::private(owner.clone());
        let before = match self {
            Self::Private | Self::BucketOwnerRead | Self::BucketOwnerFullControl => vec![],
            Self::PublicRead => vec![group(Group::AllUsers, Permission::Read)],
            Self::PublicReadWrite => {
                vec![group(Group::AllUsers, Permission::Read), group(Group::AllUsers, Permission::Write)]
            }
            Self::AuthenticatedRead => vec![group(Group::AuthenticatedUsers, Permission::Read)],
            Self::LogDeliveryWrite => {
                vec![
                    group(Group::LogDelivery, Permission::Write),
                    group(Group::LogDelivery, Permission::ReadAcp),
                ]
            }
        };
        let of_bucket_owner = match self {
            Self::BucketOwnerRead => Some(Permission::Read),
            Self::BucketOwnerFullControl => Some(Permission::FullControl),
            Self::Private
            | Self::PublicRead
            | Self::PublicReadWrite
            | Self::AuthenticatedRead
            | Self::LogDeliveryWrite => None,
        };
        let after = of_bucket_owner
            .filter(|_| owner != bucket_owner)
            .map(|permission| Grant { grantee: Grantee::User(bucket_owner.clone()), permission });
        Acl {
            owner: private.owner,
            grants: [before, private.grants].concat().into_iter().chain(after).collect(),
        }
    }
}

/// Reads `id="…", emailAddress="…", uri="…"`; the quotes may be missing.
fn grantees(value: &HeaderValue) -> Option<Vec<GranteeName>> {
    let text = str::from_utf8(value.as_bytes()).ok()?;
    text.split(',')
        .map(|item| {
            let (kind, name) = item.split_once('=')?;
            let name = name.trim();
            let name =
                name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name).to_owned();
            if name.is_empty() {
                return None;
            }
            match kind.trim() {
                kind if kind.eq_ignore_ascii_case("id") => Some(GranteeName::Id(name)),
                kind if kind.eq_ignore_ascii_case("emailAddress") => Some(GranteeName::Email(name)),
                kind if kind.eq_ignore_ascii_case("uri") => Some(GranteeName::Uri(name)),
                _ => None,
            }
        })
        .collect()
}
