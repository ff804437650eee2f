//! The two voices of an error: a status and AWS's code. One line a case.

use martlet_model::metadata::MetadataError;
use martlet_model::{ChunkSignature, Content, Digest, ObjectInfo, ObjectMetadata, Timestamp, UploadError};

use super::*;

fn info() -> Box<ObjectInfo> {
    let content = Content { bytes: 0, digest: Digest::Whole(Md5::of(b"")) };
    Box::new(ObjectInfo::new(content, ObjectMetadata::default(), Timestamp::from_micros(0)))
}

#[track_caller]
fn check(refusal: impl Into<Refusal>, status: u16, code: &str) {
    let found = refusal.into().words().code;
    assert_eq!((found.status.as_u16(), found.name), (status, code));
}

#[test]
fn errors_of_the_store() {
    let part = PartNumber::new(1).unwrap();
    check(Error::NotFound(Noun::Account), 404, "NoSuchBucket");
    check(Error::NotFound(Noun::Container), 404, "NoSuchBucket");
    check(Error::NotFound(Noun::Object), 404, "NoSuchKey");
    check(Error::NotFound(Noun::Upload), 404, "NoSuchUpload");
    check(Error::NameTaken, 409, "BucketAlreadyExists");
    check(Error::NotEmpty, 409, "BucketNotEmpty");
    check(Error::Denied, 403, "AccessDenied");
    check(Error::PreconditionFailed, 412, "PreconditionFailed");
    check(Error::NothingToMatch, 404, "NoSuchKey");
    check(Error::RangeUnsatisfiable(info()), 416, "InvalidRange");
    check(Error::Md5Mismatch { expected: Md5::of(b"a"), computed: Md5::of(b"b") }, 400, "BadDigest");
    check(Error::Metadata(MetadataError::TooLarge { bytes: 1 }), 400, "MetadataTooLarge");
    check(Error::Upload(UploadError::InvalidPart(part)), 400, "InvalidPart");
    check(Error::Upload(UploadError::InvalidPartOrder), 400, "InvalidPartOrder");
    check(Error::Upload(UploadError::PartTooSmall { number: part, bytes: 1 }), 400, "EntityTooSmall");
    check(Error::Upload(UploadError::NoParts), 400, "MalformedXML");
    check(Error::TooLarge, 400, "EntityTooLarge");
    check(Error::OutOfSpace, 507, "InsufficientStorage");
    check(Error::Unavailable(""), 503, "ServiceUnavailable");
    check(Error::Damaged(""), 500, "InternalError");
    check(Error::Internal("".into()), 500, "InternalError");
}

/// What can't be known is never a success and never a failed condition.
#[test]
fn an_unknown_outcome_is_to_be_tried_again() {
    check(Error::OutcomeUnknown, 503, "ServiceUnavailable");
}

#[test]
fn errors_of_bodies_and_names() {
    check(BodyError::Truncated { received: 1, declared: 2 }, 400, "IncompleteBody");
    check(BodyError::WrongLength { received: 1, declared: 2 }, 400, "IncompleteBody");
    check(BodyError::ChunkTooSmall { next: 2, bytes: 1 }, 403, "InvalidChunkSizeError");
    check(BodyError::BadChecksum { name: "x-amz-checksum-crc32" }, 400, "InvalidRequest");
    check(BodyError::Disconnected, 400, "IncompleteBody");
    check(BodyError::BadFraming("a chunk"), 400, "IncompleteBody");
    check(BodyError::TooLarge { bytes_max: 1 }, 400, "EntityTooLarge");
    check(BodyError::Sha256Mismatch { computed: [0; 32] }, 400, "XAmzContentSHA256Mismatch");
    let chunk = ChunkSignature { claimed: String::new(), string_to_sign: String::new() };
    check(BodyError::ChunkSignatureMismatch(Box::new(chunk)), 403, "SignatureDoesNotMatch");
    check(BodyError::ChecksumMismatch { algorithm: "CRC32" }, 400, "BadDigest");
    check(BodyError::BadTrailer("x"), 400, "MalformedTrailerError");
    check(BodyError::TooSlow, 400, "RequestTimeout");
    check(NameError::TooLong { bytes: 1025, bytes_max: 1024 }, 400, "KeyTooLongError");
    check(NameError::NotUtf8, 400, "InvalidURI");
    check(NameError::ForbiddenByte(0), 400, "InvalidURI");
}

#[test]
fn errors_of_signatures() {
    check(SigV4Error::NotOffered("x"), 501, "NotImplemented");
    check(SigV4Error::Malformed("x"), 400, "AuthorizationHeaderMalformed");
    check(SigV4Error::WrongRegion { expected: "x".to_owned() }, 400, "AuthorizationHeaderMalformed");
    check(SigV4Error::NoDate, 403, "AccessDenied");
    check(SigV4Error::MalformedQuery("x"), 400, "AuthorizationQueryParametersError");
    check(SigV4Error::SignedTwice, 400, "InvalidArgument");
    check(SigV4Error::NotYetValid, 403, "AccessDenied");
    check(SigV4Error::Expired, 403, "AccessDenied");
    check(SigV4Error::Skewed, 403, "RequestTimeTooSkewed");
    check(SigV4Error::UnsignedHeader("x".to_owned()), 403, "AccessDenied");
    check(SigV4Error::NoPayloadHash, 400, "InvalidRequest");
    check(SigV4Error::UntoldPayloadHash, 400, "InvalidRequest");
    check(SigV4Error::BadPayloadHash, 400, "InvalidArgument");
    check(SigV4Error::SignatureMismatch, 403, "SignatureDoesNotMatch");
    check(SigV2Error::Malformed, 400, "InvalidArgument");
    check(SigV2Error::SignedTwice, 400, "InvalidArgument");
    check(SigV2Error::MalformedQuery, 403, "AccessDenied");
    check(SigV2Error::NoDate, 403, "AccessDenied");
    check(SigV2Error::BadExpires, 403, "AccessDenied");
    check(SigV2Error::Expired, 403, "AccessDenied");
    check(SigV2Error::Skewed, 403, "RequestTimeTooSkewed");
    check(SigV2Error::SignatureMismatch, 403, "SignatureDoesNotMatch");
    check(Refusal::NoSuchAccessKey, 403, "InvalidAccessKeyId");
    check(Refusal::InvalidToken, 400, "InvalidToken");
}

#[test]
fn what_is_not_the_clients_business_is_not_said() {
    for error in [Error::Internal("a secret".into()), Error::Damaged("a secret")] {
        assert!(!format!("{:?}", Refusal::from(error).words()).contains("secret"));
    }
}
