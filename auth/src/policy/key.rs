//! Condition keys: what a policy may ask of a request.

use std::borrow::Cow;

use martlet_model::Tags;

use super::parse::MalformedPolicy;
use super::principal::user_arn;
use crate::request::{Request, SigningPlace, SigningVersion, Transport};
use crate::swift_acl::short;

const COPY_SOURCE: &str = "x-amz-copy-source";

/// Something that is known of a request, or isn't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Plain(PlainKey),
    /// `s3:ExistingObjectTag/<name>`
    ExistingObjectTag(String),
    /// `s3:RequestObjectTag/<name>`
    RequestObjectTag(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainKey {
    SourceIp,
    Referer,
    UserAgent,
    SecureTransport,
    CurrentTime,
    EpochTime,
    Username,
    UserId,
    PrincipalArn,
    PrincipalAccount,
    PrincipalType,
    Prefix,
    Delimiter,
    MaxKeys,
    VersionId,
    SignatureVersion,
    AuthType,
    RequestObjectTagKeys,
    CopySource,
    /// The value of a header.
    Header(&'static str),
}

/// Keys by their names in lower case: capitals don't count in them.
const KEYS: [(&str, PlainKey); 30] = [
    ("aws:sourceip", PlainKey::SourceIp),
    ("aws:referer", PlainKey::Referer),
    ("aws:useragent", PlainKey::UserAgent),
    ("aws:securetransport", PlainKey::SecureTransport),
    ("aws:currenttime", PlainKey::CurrentTime),
    ("aws:epochtime", PlainKey::EpochTime),
    ("aws:username", PlainKey::Username),
    ("aws:userid", PlainKey::UserId),
    ("aws:principalarn", PlainKey::PrincipalArn),
    ("aws:principalaccount", PlainKey::PrincipalAccount),
    ("aws:principaltype", PlainKey::PrincipalType),
    ("s3:prefix", PlainKey::Prefix),
    ("s3:delimiter", PlainKey::Delimiter),
    ("s3:max-keys", PlainKey::MaxKeys),
    ("s3:versionid", PlainKey::VersionId),
    ("s3:signatureversion", PlainKey::SignatureVersion),
    ("s3:authtype", PlainKey::AuthType),
    ("s3:requestobjecttagkeys", PlainKey::RequestObjectTagKeys),
    ("s3:x-amz-copy-source", PlainKey::CopySource),
    ("s3:x-amz-acl", PlainKey::Header("x-amz-acl")),
    ("s3:x-amz-grant-read", PlainKey::Header("x-amz-grant-read")),
    ("s3:x-amz-grant-write", PlainKey::Header("x-amz-grant-write")),
    ("s3:x-amz-grant-read-acp", PlainKey::Header("x-amz-grant-read-acp")),
    ("s3:x-amz-grant-write-acp", PlainKey::Header("x-amz-grant-write-acp")),
    ("s3:x-amz-grant-full-control", PlainKey::Header("x-amz-grant-full-control")),
    ("s3:x-amz-metadata-directive", PlainKey::Header("x-amz-metadata-directive")),
    ("s3:x-amz-server-side-encryption", PlainKey::Header("x-amz-server-side-encryption")),
    ("s3:x-amz-storage-class", PlainKey::Header("x-amz-storage-class")),
    ("s3:x-amz-content-sha256", PlainKey::Header("x-amz-content-sha256")),
    ("s3:x-amz-website-redirect-location", PlainKey::Header("x-amz-website-redirect-location")),
];
const EXISTING_OBJECT_TAG: &str = "s3:existingobjecttag/";
const REQUEST_OBJECT_TAG: &str = "s3:requestobjecttag/";

impl Key {
    pub(super) fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let lower = text.to_ascii_lowercase();
        if let Some((_, key)) = KEYS.iter().find(|(name, _)| *name == lower) {
            return Ok(Self::Plain(*key));
        }
        let tag = |prefix: &str| lower.starts_with(prefix).then(|| text[prefix.len()..].to_owned());
        match (tag(EXISTING_OBJECT_TAG), tag(REQUEST_OBJECT_TAG)) {
            (Some(name), _) if !name.is_empty() => Ok(Self::ExistingObjectTag(name)),
            (_, Some(name)) if !name.is_empty() => Ok(Self::RequestObjectTag(name)),
            _ => Err(MalformedPolicy::UnknownKey(text.to_owned())),
        }
    }

    /// Whether who asks is known by it.
    pub(super) fn names_caller(&self) -> bool {
        matches!(
            self,
            Self::Plain(
                PlainKey::Username | PlainKey::UserId | PlainKey::PrincipalArn | PlainKey::PrincipalAccount
            )
        )
    }

    /// The single value that the request has for it.
    pub(super) fn value<'a>(&self, request: &Request<'a>) -> Option<Cow<'a, str>> {
        self.values(request).into_iter().next()
    }

    /// The values that the request has for it; none where it says nothing of it.
    pub(super) fn values<'a>(&self, request: &Request<'a>) -> Vec<Cow<'a, str>> {
        let details = request.details;
        match self {
            Self::Plain(PlainKey::RequestObjectTagKeys) => {
                let tags = details.new_tags.into_iter().flat_map(Tags::iter);
                tags.map(|(name, _)| name.into()).collect()
            }
            Self::Plain(PlainKey::CopySource) => copy_source(request),
            Self::Plain(key) => key.value(request).into_iter().collect(),
            Self::ExistingObjectTag(name) => {
                let value = details.object.and_then(|object| object.tags.get(name));
                value.map(Cow::from).into_iter().collect()
            }
            Self::RequestObjectTag(name) => {
                let value = details.new_tags.and_then(|tags| tags.get(name));
                value.map(Cow::from).into_iter().collect()
            }
        }
    }
}

impl PlainKey {
    fn value<'a>(self, request: &Request<'a>) -> Option<Cow<'a, str>> {
        let Request { context, details, .. } = *request;
        let user = request.identity.as_user();
        match self {
            Self::SourceIp => Some(context.client?.to_canonical().to_string().into()),
            Self::Referer => context.referer(),
            Self::UserAgent => context.user_agent(),
            Self::SecureTransport => Some((context.transport == Transport::Tls).to_string().into()),
            Self::CurrentTime | Self::EpochTime => Some(context.now.as_seconds().to_string().into()),
            Self::Username => Some(user?.name.as_str().into()),
            Self::UserId => Some(user?.id.as_str().into()),
            Self::PrincipalArn => Some(user_arn(user?).into()),
            Self::PrincipalAccount => Some(short(user?.account.as_str()).into()),
            Self::PrincipalType => Some(if user.is_some() { "User" } else { "Anonymous" }.into()),
            Self::Prefix => Some(String::from_utf8_lossy(details.listing?.prefix)),
            Self::Delimiter => Some(String::from_utf8_lossy(details.listing?.delimiter?)),
            Self::MaxKeys => {
                Some(context.parameter("max-keys").or_else(|| context.parameter("limit"))?.into())
            }
            Self::VersionId => Some(details.version?.to_string().into()),
            Self::SignatureVersion => Some(match context.signing()?.version? {
                SigningVersion::V2 => "AWS".into(),
                SigningVersion::V4 => "AWS4-HMAC-SHA256".into(),
            }),
            Self::AuthType => Some(match context.signing()?.place {
                SigningPlace::Header => "REST-HEADER".into(),
                SigningPlace::Query => "REST-QUERY-STRING".into(),
                SigningPlace::Form => "POST".into(),
            }),
            Self::Header(name) => context.header(name),
            Self::RequestObjectTagKeys | Self::CopySource => None,
        }
    }
}

/// `bucket/key`, decoded, with and without a slash before it: clients send both, and policies are written in both ways.
fn copy_source<'a>(request: &Request<'a>) -> Vec<Cow<'a, str>> {
    let Some(header) = request.context.header(COPY_SOURCE) else { return Vec::new() };
    let path = header.split_once("?versionId=").map_or(&*header, |(path, _)| path);
    let decoded = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    vec![format!("/{decoded}").into(), decoded.into_owned().into()]
}
