//! From a refusal to its code and its words: what it says by itself, whatever the request was.

use std::borrow::Cow;
use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use martlet_auth::sigv2::SigV2Error;
use martlet_auth::sigv4::{SKEW_SECONDS_MAX, SigV4Error};
use martlet_model::limits::{OBJECT_BYTES_MAX, PART_BYTES_MIN};
use martlet_model::metadata::MetadataError;
use martlet_model::{BodyError, Error, Md5, NameError, Noun, UploadError};

use super::code::{self, Code};
use super::details::octets;
use super::{Argument, Refusal, access};

/// The words of an answer: a code, a sentence, and elements that say more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) code: Code,
    pub(super) message: Cow<'static, str>,
    pub(super) details: Vec<(&'static str, String)>,
}

/// Says of `MalformedXML` and the like what is wrong: S3 leaves its clients to guess.
const PROBLEM: &str = "Problem";

impl Words {
    pub(super) fn of(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.sentence), details: Vec::new() }
    }

    pub(super) fn saying(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..self }
    }

    pub(super) fn with(mut self, element: &'static str, value: impl Display) -> Self {
        self.details.push((element, value.to_string()));
        self
    }
}

impl Refusal {
    pub(super) fn words(&self) -> Words {
        match self {
            Self::Store(error) => of_store(error),
            Self::Signature(error) => of_signature(error),
            Self::SignatureV2(error) => of_signature_v2(*error),
            Self::Target(error) => Words::of(code::INVALID_URI).with(PROBLEM, error),
            Self::NoSuchAccessKey => Words::of(code::INVALID_ACCESS_KEY_ID),
            Self::InvalidToken => Words::of(code::INVALID_TOKEN),
            Self::NotOffered(what) => {
                Words::of(code::NOT_IMPLEMENTED).saying(format!("{what} is not offered"))
            }
            Self::Argument(Argument { name, message, value }) => {
                let words =
                    Words::of(code::INVALID_ARGUMENT).saying(message.clone()).with("ArgumentName", name);
                match value {
                    Some(value) => words.with("ArgumentValue", value),
                    None => words,
                }
            }
            Self::Request(problem) => Words::of(code::INVALID_REQUEST).saying(*problem),
            Self::BucketName => Words::of(code::INVALID_BUCKET_NAME),
            Self::MethodNotAllowed => Words::of(code::METHOD_NOT_ALLOWED),
            Self::MalformedXml(problem) => Words::of(code::MALFORMED_XML).with(PROBLEM, problem),
            Self::NoContentLength => Words::of(code::MISSING_CONTENT_LENGTH),
            Self::InvalidDigest => Words::of(code::INVALID_DIGEST),
            Self::DocumentMismatch { expected, computed } => {
                of_digests(&STANDARD.encode(expected.0), computed)
            }
            Self::LocationConstraint => Words::of(code::ILLEGAL_LOCATION),
            Self::BucketAlreadyOwnedByYou => Words::of(code::BUCKET_ALREADY_OWNED_BY_YOU),
            Self::NotConfigured(code) => Words::of(*code),
            Self::Policy(error) => Words::of(code::MALFORMED_POLICY).saying(error.to_string()),
            Self::Cors(refusal) => access::of_cors(refusal),
            Self::Acl(refusal) => access::of_acl(refusal),
            Self::Form(refusal) => access::of_form(refusal),
            Self::Tag(problem) => Words::of(code::INVALID_TAG).saying(*problem),
            Self::VersioningConfiguration => Words::of(code::ILLEGAL_VERSIONING),
            Self::ChecksumValue(header) => {
                Words::of(code::INVALID_REQUEST).saying(format!("Value for {header} header is invalid."))
            }
            Self::Link(error) => Words::of(code::INVALID_OBJECT_STATE).saying(error.to_string()),
            Self::Part { upload, number, etag } => Words::of(code::INVALID_PART)
                .with("UploadId", upload)
                .with("PartNumber", number.get())
                .with("ETag", etag),
            Self::PartNumber => Words::of(code::INVALID_PART_NUMBER),
            Self::NoKey => Words::of(code::USER_KEY_MUST_BE_SPECIFIED),
        }
    }
}

pub(super) fn of_store(error: &Error) -> Words {
    match error {
        Error::NotFound(Noun::Account | Noun::Container) => Words::of(code::NO_SUCH_BUCKET),
        Error::NotFound(Noun::Object)
        | Error::NothingToMatch
        | Error::DeleteMarker { is_current: true, .. } => Words::of(code::NO_SUCH_KEY),
        Error::NotFound(Noun::Upload) => Words::of(code::NO_SUCH_UPLOAD),
        Error::NotFound(Noun::Version) => Words::of(code::NO_SUCH_VERSION),
        Error::DeleteMarker { is_current: false, .. } => {
            Words::of(code::METHOD_NOT_ALLOWED).with("ResourceType", "DeleteMarker")
        }
        Error::VersioningStays => Words::of(code::INVALID_BUCKET_STATE).with(PROBLEM, error),
        Error::NameTaken => Words::of(code::BUCKET_ALREADY_EXISTS),
        Error::NotEmpty => Words::of(code::BUCKET_NOT_EMPTY),
        Error::Denied => Words::of(code::ACCESS_DENIED),
        Error::PreconditionFailed => Words::of(code::PRECONDITION_FAILED),
        // Whoever reads follows a link, and whoever writes means the link itself: no request can meet one.
        Error::Link(_) => Words::of(code::INVALID_OBJECT_STATE),
        Error::NotModified(_) => Words::of(code::NOT_MODIFIED),
        Error::RangeUnsatisfiable(info) => {
            Words::of(code::INVALID_RANGE).with("ActualObjectSize", info.content.bytes)
        }
        Error::Md5Mismatch { expected, computed } => of_digests(&expected.to_string(), computed),
        Error::Body(error) => of_body(error),
        Error::Name(error) => of_name(*error),
        Error::Metadata(error) => of_metadata(error),
        Error::Upload(error) => of_upload(error),
        Error::TooLarge => Words::of(code::ENTITY_TOO_LARGE).with("MaxSizeAllowed", OBJECT_BYTES_MAX),
        Error::QuotaExceeded => Words::of(code::QUOTA_EXCEEDED),
        Error::OutOfSpace => Words::of(code::INSUFFICIENT_STORAGE),
        Error::Unavailable(_) | Error::OutcomeUnknown => {
            Words::of(code::SERVICE_UNAVAILABLE).with(PROBLEM, error)
        }
        Error::Damaged(_) | Error::Internal(_) => Words::of(code::INTERNAL_ERROR),
    }
}

/// S3 shows the expected digest of an object in hexadecimal digits, and that of a document as it was sent.
fn of_digests(expected: &str, computed: &Md5) -> Words {
    Words::of(code::BAD_DIGEST)
        .with("ExpectedDigest", expected)
        .with("CalculatedDigest", STANDARD.encode(computed.0))
}

fn of_body(error: &BodyError) -> Words {
    match error {
        BodyError::ChunkSignatureMismatch(_) => Words::of(code::SIGNATURE_DOES_NOT_MATCH),
        BodyError::ChecksumMismatch { algorithm } => Words::of(code::BAD_DIGEST)
            .saying(format!("The {algorithm} you specified did not match the calculated checksum.")),
        BodyError::BadChecksum { name } => {
            Words::of(code::INVALID_REQUEST).saying(format!("Value for {name} trailing header is invalid."))
        }
        BodyError::BadTrailer(problem) => Words::of(code::MALFORMED_TRAILER).with(PROBLEM, problem),
        BodyError::Truncated { received, declared } | BodyError::WrongLength { received, declared } => {
            Words::of(code::INCOMPLETE_BODY)
                .with("NumberBytesExpected", declared)
                .with("NumberBytesProvided", received)
        }
        BodyError::Disconnected => {
            Words::of(code::INCOMPLETE_BODY).saying("The request body terminated unexpectedly")
        }
        BodyError::BadFraming(problem) => Words::of(code::INCOMPLETE_BODY)
            .saying("The request body terminated unexpectedly")
            .with(PROBLEM, problem),
        BodyError::ChunkTooSmall { next, bytes } => {
            Words::of(code::INVALID_CHUNK_SIZE).with("Chunk", next).with("BadChunkSize", bytes)
        }
        BodyError::TooLarge { bytes_max } => {
            Words::of(code::ENTITY_TOO_LARGE).with("MaxSizeAllowed", bytes_max)
        }
        BodyError::Sha256Mismatch { computed } => {
            Words::of(code::SHA256_MISMATCH).with("S3ComputedContentSHA256", octets(computed).concat())
        }
        BodyError::TooSlow => Words::of(code::REQUEST_TIMEOUT),
    }
}

fn of_name(error: NameError) -> Words {
    match error {
        NameError::TooLong { bytes, bytes_max } => {
            Words::of(code::KEY_TOO_LONG).with("Size", bytes).with("MaxSizeAllowed", bytes_max)
        }
        NameError::Empty | NameError::NotUtf8 | NameError::ForbiddenByte(_) => {
            Words::of(code::INVALID_URI).with(PROBLEM, error)
        }
    }
}

fn of_metadata(error: &MetadataError) -> Words {
    Words::of(code::METADATA_TOO_LARGE).with(PROBLEM, error)
}

fn of_upload(error: &UploadError) -> Words {
    match error {
        UploadError::InvalidPart(number) => Words::of(code::INVALID_PART).with("PartNumber", number.get()),
        UploadError::InvalidPartOrder => Words::of(code::INVALID_PART_ORDER),
        UploadError::PartTooSmall { number, bytes } => Words::of(code::ENTITY_TOO_SMALL)
            .with("ProposedSize", bytes)
            .with("MinSizeAllowed", PART_BYTES_MIN)
            .with("PartNumber", number.get()),
        UploadError::NoParts => Words::of(code::MALFORMED_XML).with(PROBLEM, error),
        UploadError::WrongSize { bytes, expected } => Words::of(code::INVALID_REQUEST).saying(format!(
            "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {bytes}"
        )),
        UploadError::WrongChecksum => Words::of(code::BAD_DIGEST).saying(error.to_string()),
    }
}

const SIGNED_TWICE: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
    Signature query string parameter or the Authorization header should be specified";
const NO_DATE: &str = "AWS authentication requires a valid Date or x-amz-date header";
const PAYLOAD_HASH: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
    STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";

fn of_signature(error: &SigV4Error) -> Words {
    match error {
        SigV4Error::NotOffered(_) => Words::of(code::NOT_IMPLEMENTED).saying(error.to_string()),
        SigV4Error::Malformed(problem) => Words::of(code::AUTHORIZATION_HEADER_MALFORMED)
            .saying(format!("The authorization header is malformed; {problem}")),
        SigV4Error::WrongRegion { expected } => Words::of(code::AUTHORIZATION_HEADER_MALFORMED)
            .saying(format!(
                "The authorization header is malformed; the region is wrong; expecting '{expected}'"
            ))
            .with("Region", expected),
        SigV4Error::MalformedQuery(problem) => Words::of(code::AUTHORIZATION_QUERY).saying(*problem),
        SigV4Error::NoDate => Words::of(code::ACCESS_DENIED).saying(NO_DATE),
        SigV4Error::UnsignedHeader(name) => Words::of(code::ACCESS_DENIED)
            .saying("There were headers present in the request which were not signed")
            .with("HeadersNotSigned", name),
        SigV4Error::NotYetValid => Words::of(code::ACCESS_DENIED).saying("Request is not valid yet"),
        SigV4Error::Expired => Words::of(code::ACCESS_DENIED).saying("Request has expired"),
        SigV4Error::Skewed => skewed(),
        SigV4Error::NoPayloadHash | SigV4Error::UntoldPayloadHash => Words::of(code::INVALID_REQUEST)
            .saying("Missing required header for this request: x-amz-content-sha256"),
        SigV4Error::BadPayloadHash => Words::of(code::INVALID_ARGUMENT)
            .saying(PAYLOAD_HASH)
            .with("ArgumentName", "x-amz-content-sha256"),
        SigV4Error::SignedTwice => {
            Words::of(code::INVALID_ARGUMENT).saying(SIGNED_TWICE).with("ArgumentName", "Authorization")
        }
        SigV4Error::SignatureMismatch => Words::of(code::SIGNATURE_DOES_NOT_MATCH),
    }
}

fn of_signature_v2(error: SigV2Error) -> Words {
    match error {
        SigV2Error::Malformed => Words::of(code::INVALID_ARGUMENT)
            .saying("AWS authorization header is invalid. Expected AwsAccessKeyId:signature")
            .with("ArgumentName", "Authorization"),
        SigV2Error::SignedTwice => {
            Words::of(code::INVALID_ARGUMENT).saying(SIGNED_TWICE).with("ArgumentName", "Authorization")
        }
        SigV2Error::MalformedQuery => Words::of(code::ACCESS_DENIED).saying(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        ),
        SigV2Error::BadExpires => {
            Words::of(code::ACCESS_DENIED).saying("Invalid date (should be seconds since epoch)")
        }
        SigV2Error::NoDate => Words::of(code::ACCESS_DENIED).saying(NO_DATE),
        SigV2Error::Expired => Words::of(code::ACCESS_DENIED).saying("Request has expired"),
        SigV2Error::Skewed => skewed(),
        SigV2Error::SignatureMismatch => Words::of(code::SIGNATURE_DOES_NOT_MATCH),
    }
}

fn skewed() -> Words {
    Words::of(code::REQUEST_TIME_TOO_SKEWED).with("MaxAllowedSkewMilliseconds", SKEW_SECONDS_MAX * 1000)
}
