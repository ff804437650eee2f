//! Why a request isn't carried out, and how S3 says so.
//!
//! A [`Refusal`] is a situation. [`words`] gives it a code out of the one table in [`code`], and the words for it;
//! [`details`] adds what it repeats of the request.

mod access;
pub(super) mod code;
mod details;
mod words;

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderValue, Method};
use martlet_auth::TargetError;
use martlet_auth::policy::MalformedPolicy;
use martlet_auth::sigv2::SigV2Error;
use martlet_auth::sigv4::SigV4Error;
use martlet_model::{BodyError, Error, Md5, NameError, Noun, PartNumber, UploadId};

use super::answer;
use super::cors::CorsRefusal;
use super::xml::Writer;
use crate::dialect::About;
use crate::journal::Cause;
use crate::links::LinkError;
use code::Code;

pub use access::{AclRefusal, FormRefusal};

/// Why a request isn't carried out.
#[derive(Debug)]
pub enum Refusal {
    Store(Error),
    Signature(SigV4Error),
    SignatureV2(SigV2Error),
    Target(TargetError),
    /// Nobody has that access key.
    NoSuchAccessKey,
    /// Temporary credentials, of which there are none.
    InvalidToken,
    /// It exists in S3, and not here.
    NotOffered(String),
    /// A parameter or header, and what is wrong with it.
    Argument(Argument),
    /// The request as a whole makes no sense.
    Request(&'static str),
    BucketName,
    MethodNotAllowed,
    MalformedXml(&'static str),
    NoContentLength,
    /// `Content-MD5` isn't the base64 of 16 bytes.
    InvalidDigest,
    /// A document that isn't the one that `Content-MD5` is of.
    DocumentMismatch {
        expected: Md5,
        computed: Md5,
    },
    LocationConstraint,
    BucketAlreadyOwnedByYou,
    /// A document that a bucket doesn't have, by AWS's code for that.
    NotConfigured(Code),
    Policy(MalformedPolicy),
    Cors(CorsRefusal),
    Acl(AclRefusal),
    Form(FormRefusal),
    /// What is wrong with a tag, or with all of them.
    Tag(&'static str),
    /// Nothing is said about what versioning should be.
    VersioningConfiguration,
    /// The value of this header isn't a checksum of its kind.
    ChecksumValue(&'static str),
    /// A part that an upload is to be completed with isn't there as it is named.
    Part {
        upload: UploadId,
        number: PartNumber,
        etag: String,
    },
    /// An object doesn't have so many parts.
    PartNumber,
    /// A key that is to be removed has no letters.
    NoKey,
    /// A link can't be followed.
    Link(LinkError),
}

/// A parameter or header that has no meaning as it is.
#[derive(Debug)]
pub struct Argument {
    name: &'static str,
    message: Cow<'static, str>,
    /// What it was, where that is worth repeating.
    value: Option<String>,
}

impl Refusal {
    /// `problem` goes on behind the name.
    pub(super) fn argument(name: &'static str, problem: &'static str) -> Self {
        Self::Argument(Argument { name, message: format!("{name}: {problem}").into(), value: None })
    }

    /// The same in S3's own words, which repeat what was given.
    pub(super) fn invalid(name: &'static str, message: &'static str, value: &str) -> Self {
        Self::Argument(Argument { name, message: message.into(), value: Some(value.to_owned()) })
    }

    /// The answer; of a failure that isn't the client's it carries the cause along, for the log.
    /// `host_bucket` is the bucket that the host names, if it does.
    pub(super) fn into_response(self, about: &About, host_bucket: Option<&str>) -> Response {
        if let Self::Store(Error::NotModified(info)) = &self {
            return answer::not_modified(info);
        }
        let mut response = self.document(about, host_bucket);
        if let Some(cause) = self.cause() {
            response.extensions_mut().insert(cause);
        }
        let headers = response.headers_mut();
        match &self {
            Self::Store(Error::RangeUnsatisfiable(info)) => {
                answer::set(headers, CONTENT_RANGE, &format!("bytes */{}", info.content.bytes));
            }
            Self::Store(Error::NotFound(Noun::Object)) => {
                headers.insert("x-amz-delete-marker", HeaderValue::from_static("false"));
            }
            Self::Store(Error::DeleteMarker { version, modified, is_current }) => {
                answer::set_version(headers, *version);
                answer::set_delete_marker(headers);
                answer::set(headers, LAST_MODIFIED, &answer::http_date(*modified));
                if !is_current {
                    headers.insert(ALLOW, HeaderValue::from_static("DELETE"));
                }
            }
            Self::Store(Error::Body(_)) | Self::NoContentLength => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    /// Code and message, for an answer that reports on several things.
    pub(super) fn told(&self, about: &About) -> (&'static str, String) {
        if let Some(Cause(cause)) = self.cause() {
            tracing::warn!(request = %about.id, cause, "a part of a request failed");
        }
        let words = self.words();
        (words.code.name, words.message.into_owned())
    }

    fn document(&self, about: &About, host_bucket: Option<&str>) -> Response {
        let words = self.words();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = words.code.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if about.head.method == Method::HEAD {
            return response;
        }
        let mut xml = Writer::error();
        xml.text("Code", words.code.name).text("Message", &words.message);
        for (element, value) in words.details.iter().chain(&details::of_request(self, about, host_bucket)) {
            xml.lines(element, value);
        }
        let id = about.id.to_string();
        xml.text("RequestId", &id).text("HostId", &id);
        *response.body_mut() = xml.finish().into();
        response
    }

    fn cause(&self) -> Option<Cause> {
        let Self::Store(error) = self else { return None };
        match error {
            Error::Internal(_)
            | Error::Damaged(_)
            | Error::Unavailable(_)
            | Error::OutcomeUnknown
            | Error::OutOfSpace => Some(Cause::of(error)),
            _ => None,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Store(error) => Self::Store(error),
            error => Self::Link(error),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Store(error.into())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SigV4Error> for Refusal {
    fn from(error: SigV4Error) -> Self {
        Self::Signature(error)
    }
}

impl From<SigV2Error> for Refusal {
    fn from(error: SigV2Error) -> Self {
        Self::SignatureV2(error)
    }
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

#[cfg(test)]
mod tests;
