//! Why a request isn't carried out, and how S3 says so.

mod access;

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, LAST_MODIFIED};
use http::{HeaderValue, Method, StatusCode};
use martlet_auth::TargetError;
use martlet_auth::policy::MalformedPolicy;
use martlet_auth::sigv2::SigV2Error;
use martlet_auth::sigv4::SigV4Error;
use martlet_model::{BodyError, Error, NameError, Noun, UploadError};

use super::answer;
use super::cors::CorsRefusal;
use super::xml::Writer;
use crate::dialect::About;
use crate::journal::Cause;

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
    Argument {
        name: &'static str,
        problem: &'static str,
    },
    /// The request as a whole makes no sense.
    Request(&'static str),
    BucketName,
    MethodNotAllowed,
    MalformedXml(&'static str),
    NoContentLength,
    /// `Content-MD5` isn't the base64 of 16 bytes.
    InvalidDigest,
    LocationConstraint,
    BucketAlreadyOwnedByYou,
    /// A document that a bucket doesn't have, by AWS's code for that.
    NotConfigured(&'static str),
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
}

/// The words of an answer: a status, AWS's code, and a sentence.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn argument(name: &'static str, problem: &'static str) -> Self {
        Self::Argument { name, problem }
    }

    /// The answer; of a failure that isn't the client's it carries the cause along, for the log.
    pub(super) fn into_response(self, about: &About) -> Response {
        if let Self::Store(Error::NotModified(info)) = &self {
            return answer::not_modified(info);
        }
        let words = self.words();
        let mut response = words.response(&self, about);
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
            Self::Store(Error::Body(_)) => {
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
        (words.code, words.message)
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

    fn words(&self) -> Words {
        let words = |status, code, message: &str| Words { status, code, message: message.to_owned() };
        let bad = |code, message: &str| words(StatusCode::BAD_REQUEST, code, message);
        match self {
            Self::Store(error) => store_words(error),
            Self::Signature(error) => signature_words(error),
            Self::SignatureV2(error) => signature_v2_words(*error),
            Self::Target(error) => bad("InvalidURI", &error.to_string()),
            Self::NoSuchAccessKey => words(
                StatusCode::FORBIDDEN,
                "InvalidAccessKeyId",
                "the access key doesn't exist in our records",
            ),
            Self::InvalidToken => bad("InvalidToken", "there are no temporary credentials here"),
            Self::NotOffered(what) => {
                words(StatusCode::NOT_IMPLEMENTED, "NotImplemented", &format!("{what} is not offered"))
            }
            Self::Argument { name, problem } => bad("InvalidArgument", &format!("{name}: {problem}")),
            Self::Request(problem) => bad("InvalidRequest", problem),
            Self::BucketName => bad("InvalidBucketName", "the bucket's name is not valid"),
            Self::MethodNotAllowed => words(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "the method is not allowed on this resource",
            ),
            Self::MalformedXml(problem) => bad("MalformedXML", problem),
            Self::NoContentLength => words(
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLength",
                "the header Content-Length is required",
            ),
            Self::InvalidDigest => bad("InvalidDigest", "Content-MD5 is not the base64 of an MD5"),
            Self::LocationConstraint => {
                bad("IllegalLocationConstraintException", "there is no such region here")
            }
            Self::BucketAlreadyOwnedByYou => {
                words(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou", "the bucket is yours already")
            }
            Self::NotConfigured(code) => {
                words(StatusCode::NOT_FOUND, code, "the bucket has no such configuration")
            }
            Self::Policy(error) => bad("MalformedPolicy", &error.to_string()),
            Self::Cors(refusal) => access::cors_words(refusal),
            Self::Acl(refusal) => access::acl_words(refusal),
            Self::Form(refusal) => access::form_words(refusal),
            Self::Tag(problem) => bad("InvalidTag", problem),
            Self::VersioningConfiguration => bad(
                "IllegalVersioningConfigurationException",
                "the versioning configuration must have a Status",
            ),
            Self::ChecksumValue(header) => {
                bad("InvalidRequest", &format!("Value for {header} header is invalid."))
            }
        }
    }
}

impl Words {
    fn response(self, refusal: &Refusal, about: &About) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if about.head.method == Method::HEAD {
            return response;
        }
        let mut xml = Writer::error();
        xml.text("Code", self.code).text("Message", &self.message);
        if let Refusal::Signature(SigV4Error::WrongRegion { expected }) = refusal {
            xml.text("Region", expected);
        }
        xml.text("Resource", about.head.uri.path()).text("RequestId", &about.id.to_string());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        *response.body_mut() = xml.finish().into();
        response
    }
}

fn store_words(error: &Error) -> Words {
    let (status, code) = match error {
        Error::NotFound(Noun::Account | Noun::Container) => (StatusCode::NOT_FOUND, "NoSuchBucket"),
        Error::NotFound(Noun::Object)
        | Error::NothingToMatch
        | Error::DeleteMarker { is_current: true, .. } => (StatusCode::NOT_FOUND, "NoSuchKey"),
        Error::NotFound(Noun::Upload) => (StatusCode::NOT_FOUND, "NoSuchUpload"),
        Error::NotFound(Noun::Version) => (StatusCode::NOT_FOUND, "NoSuchVersion"),
        Error::DeleteMarker { is_current: false, .. } => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        Error::VersioningStays => (StatusCode::CONFLICT, "InvalidBucketState"),
        Error::NameTaken => (StatusCode::CONFLICT, "BucketAlreadyExists"),
        Error::NotEmpty => (StatusCode::CONFLICT, "BucketNotEmpty"),
        Error::Denied => (StatusCode::FORBIDDEN, "AccessDenied"),
        Error::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        Error::NotModified(_) => (StatusCode::NOT_MODIFIED, "NotModified"),
        Error::RangeUnsatisfiable(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        Error::Md5Mismatch { .. } => (StatusCode::BAD_REQUEST, "BadDigest"),
        Error::Body(error) => body_code(error),
        Error::Name(error) => (StatusCode::BAD_REQUEST, name_code(*error)),
        Error::Metadata(_) => (StatusCode::BAD_REQUEST, "MetadataTooLarge"),
        Error::Upload(error) => (StatusCode::BAD_REQUEST, upload_code(error)),
        Error::TooLarge => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
        Error::QuotaExceeded => (StatusCode::FORBIDDEN, "QuotaExceeded"),
        Error::OutOfSpace => (StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage"),
        Error::Unavailable(_) | Error::OutcomeUnknown => {
            (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
        }
        Error::Damaged(_) | Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    let message = match error {
        Error::Damaged(_) | Error::Internal(_) => "we encountered an internal error; please try again".into(),
        error => error.to_string(),
    };
    Words { status, code, message }
}

fn body_code(error: &BodyError) -> (StatusCode, &'static str) {
    let code = match error {
        BodyError::ChunkSignatureMismatch => return (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        BodyError::ChecksumMismatch { .. } => "BadDigest",
        BodyError::BadTrailer(_) => "MalformedTrailerError",
        BodyError::Truncated { .. } | BodyError::Disconnected | BodyError::BadFraming(_) => "IncompleteBody",
        BodyError::TooLarge { .. } => "EntityTooLarge",
        BodyError::Sha256Mismatch => "XAmzContentSHA256Mismatch",
        BodyError::TooSlow => "RequestTimeout",
    };
    (StatusCode::BAD_REQUEST, code)
}

fn name_code(error: NameError) -> &'static str {
    match error {
        NameError::TooLong { .. } => "KeyTooLongError",
        NameError::Empty | NameError::NotUtf8 | NameError::ForbiddenByte(_) => "InvalidURI",
    }
}

fn upload_code(error: &UploadError) -> &'static str {
    match error {
        UploadError::InvalidPart(_) => "InvalidPart",
        UploadError::InvalidPartOrder => "InvalidPartOrder",
        UploadError::PartTooSmall { .. } => "EntityTooSmall",
        UploadError::NoParts => "MalformedXML",
        UploadError::WrongSize { .. } => "InvalidRequest",
        UploadError::WrongChecksum => "BadDigest",
    }
}

fn signature_words(error: &SigV4Error) -> Words {
    let (status, code) = match error {
        SigV4Error::NotOffered(_) => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        SigV4Error::Malformed(_) | SigV4Error::WrongRegion { .. } => {
            (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed")
        }
        SigV4Error::MalformedQuery(_) => (StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError"),
        SigV4Error::NoDate
        | SigV4Error::UnsignedHeader(_)
        | SigV4Error::NotYetValid
        | SigV4Error::Expired => (StatusCode::FORBIDDEN, "AccessDenied"),
        SigV4Error::Skewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
        SigV4Error::NoPayloadHash => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        SigV4Error::BadPayloadHash | SigV4Error::SignedTwice => (StatusCode::BAD_REQUEST, "InvalidArgument"),
        SigV4Error::SignatureMismatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
    };
    Words { status, code, message: error.to_string() }
}

fn signature_v2_words(error: SigV2Error) -> Words {
    let (status, code) = match error {
        SigV2Error::Malformed | SigV2Error::SignedTwice => (StatusCode::BAD_REQUEST, "InvalidArgument"),
        SigV2Error::MalformedQuery | SigV2Error::NoDate | SigV2Error::Expired => {
            (StatusCode::FORBIDDEN, "AccessDenied")
        }
        SigV2Error::Skewed => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
        SigV2Error::SignatureMismatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
    };
    Words { status, code, message: error.to_string() }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
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
