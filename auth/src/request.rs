//! What is known of a request when it is decided whether it may be.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, REFERER, USER_AGENT};
use http::request::Parts;
use martlet_model::{AccountName, Annotations, ContainerId, ObjectId, Tags, Timestamp, VersionId};

use crate::account_acl::AccountRight;
use crate::grants::GrantsCache;
use crate::identity::Identity;
use crate::target::Target;

/// What is acted on.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    Account(&'a AccountName),
    Container(&'a ContainerId),
    Object(&'a ObjectId),
}

/// Where a request comes from, and what it says, whatever it is about. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub now: Timestamp,
    /// `None`: not known.
    pub client: Option<IpAddr>,
    pub transport: Transport,
    /// `None`: no request of a client's, but something that the server does by itself.
    pub head: Option<Arc<Parts>>,
    pub absence: Absence,
    /// Kept from request to request.
    pub grants: Arc<GrantsCache>,
}

/// How the request came to the server, or to whatever ends TLS in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Plain,
    Tls,
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signing {
    /// `None`: it stands in the form.
    pub(crate) version: Option<SigningVersion>,
    pub(crate) place: SigningPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigningVersion {
    V2,
    V4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigningPlace {
    Header,
    Query,
    Form,
}

/// Who is told that something isn't there. Others are denied, whether it is there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Of a container, its owner; of an object, whoever might read it.
    Swift,
    /// Of a container, everybody; of an object, whoever might list it.
    S3,
}

/// Somebody wants something, and this is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub identity: &'a Identity,
    pub resource: Resource<'a>,
    pub context: &'a RequestContext,
    pub details: Details<'a>,
    /// What the account's ACL lets the caller do.
    pub right: AccountRight,
}

/// What policies may ask of some actions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Details<'a> {
    /// The version that is asked for by its id.
    pub version: Option<VersionId>,
    /// What is to be listed.
    pub listing: Option<Listing<'a>>,
    /// The tags that the object is to get.
    pub new_tags: Option<&'a Tags>,
    /// What is said of the object that is there; `None`: it isn't known, or there is none.
    pub object: Option<&'a Annotations>,
}

/// What part of a container is to be listed.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    pub prefix: &'a [u8],
    pub delimiter: Option<&'a [u8]>,
}

impl Resource<'_> {
    pub fn account(&self) -> &AccountName {
        match self {
            Self::Account(account) => account,
            Self::Container(container) => &container.account,
            Self::Object(object) => &object.container.account,
        }
    }

    pub fn container(&self) -> Option<&ContainerId> {
        match self {
            Self::Account(_) => None,
            Self::Container(container) => Some(container),
            Self::Object(object) => Some(&object.container),
        }
    }
}

impl RequestContext {
    /// A context in which nothing is known but the time.
    pub fn bare(now: Timestamp) -> Self {
        Self {
            now,
            client: None,
            transport: Transport::Plain,
            head: None,
            absence: Absence::Swift,
            grants: Arc::default(),
        }
    }

    pub(crate) fn referer(&self) -> Option<Cow<'_, str>> {
        self.header(REFERER.as_str())
    }

    pub(crate) fn user_agent(&self) -> Option<Cow<'_, str>> {
        self.header(USER_AGENT.as_str())
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.head.as_ref()?.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()))
    }

    /// How the request says that it is signed; `None`: not in S3's way.
    pub(crate) fn signing(&self) -> Option<Signing> {
        let head = self.head.as_ref()?;
        let authorization = self.header(AUTHORIZATION.as_str());
        let in_header = |scheme: &str| authorization.as_ref().is_some_and(|text| text.starts_with(scheme));
        let in_query = |name: &str| self.parameter(name).is_some();
        let signing = |version, place| Some(Signing { version, place });
        if in_header("AWS4-HMAC-SHA256") {
            signing(Some(SigningVersion::V4), SigningPlace::Header)
        } else if in_header("AWS ") {
            signing(Some(SigningVersion::V2), SigningPlace::Header)
        } else if in_query("X-Amz-Signature") {
            signing(Some(SigningVersion::V4), SigningPlace::Query)
        } else if in_query("Signature") {
            signing(Some(SigningVersion::V2), SigningPlace::Query)
        } else if head.method == Method::POST && self.is_form() {
            signing(None, SigningPlace::Form)
        } else {
            None
        }
    }

    fn is_form(&self) -> bool {
        self.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("multipart/form-data"))
    }

    /// The first query parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let target = Target::parse(&self.head.as_ref()?.uri).ok()?;
        let found = target.query.iter().find(|parameter| *parameter.name == *name.as_bytes())?;
        Some(String::from_utf8_lossy(&found.value).into_owned())
    }
}
