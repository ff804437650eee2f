//! AWS's error codes: what each is called, its status, and the sentence that goes with it.
//!
//! Source: "Error responses" of the Amazon S3 API reference; the sentences are those that S3's servers send.

use http::StatusCode;

/// A code. Its sentence is what a refusal says, unless it knows more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    pub(super) status: StatusCode,
    pub(super) name: &'static str,
    pub(super) sentence: &'static str,
}

impl Code {
    const fn new(status: StatusCode, name: &'static str, sentence: &'static str) -> Self {
        Self { status, name, sentence }
    }

    const fn bad(name: &'static str, sentence: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, sentence)
    }

    const fn denied(name: &'static str, sentence: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, name, sentence)
    }

    const fn missing(name: &'static str, sentence: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, name, sentence)
    }

    const fn conflict(name: &'static str, sentence: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, name, sentence)
    }
}

const SCHEMA: &str =
    "The XML you provided was not well-formed or did not validate against our published schema";

// Who is asking, and whether they may.
pub(super) const ACCESS_DENIED: Code = Code::denied("AccessDenied", "Access Denied");
pub(super) const ACCESS_FORBIDDEN: Code = Code::denied("AccessForbidden", "Access Forbidden");
pub(super) const AUTHORIZATION_HEADER_MALFORMED: Code =
    Code::bad("AuthorizationHeaderMalformed", "The authorization header that you provided is not valid.");
pub(super) const AUTHORIZATION_QUERY: Code = Code::bad(
    "AuthorizationQueryParametersError",
    "The authorization query parameters that you provided are not valid.",
);
pub(super) const INVALID_ACCESS_KEY_ID: Code =
    Code::denied("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
pub(super) const INVALID_TOKEN: Code =
    Code::bad("InvalidToken", "The provided token is malformed or otherwise invalid.");
pub(super) const QUOTA_EXCEEDED: Code = Code::denied("QuotaExceeded", "The quota would be exceeded");
pub(super) const REQUEST_TIME_TOO_SKEWED: Code = Code::denied(
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
);
pub(super) const SIGNATURE_DOES_NOT_MATCH: Code = Code::denied(
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. \
     Check your key and signing method.",
);

// What there is and isn't.
pub(super) const BUCKET_ALREADY_EXISTS: Code = Code::conflict(
    "BucketAlreadyExists",
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
     Please select a different name and try again.",
);
pub(super) const BUCKET_ALREADY_OWNED_BY_YOU: Code = Code::conflict(
    "BucketAlreadyOwnedByYou",
    "Your previous request to create the named bucket succeeded and you already own it.",
);
pub(super) const BUCKET_NOT_EMPTY: Code =
    Code::conflict("BucketNotEmpty", "The bucket you tried to delete is not empty");
pub(super) const INVALID_BUCKET_STATE: Code =
    Code::conflict("InvalidBucketState", "The request is not valid with the current state of the bucket.");
pub(super) const INVALID_OBJECT_STATE: Code =
    Code::conflict("InvalidObjectState", "The operation is not valid for the current state of the object.");
pub(super) const NO_SUCH_BUCKET: Code = Code::missing("NoSuchBucket", "The specified bucket does not exist");
pub(super) const NO_SUCH_KEY: Code = Code::missing("NoSuchKey", "The specified key does not exist.");
pub(super) const NO_SUCH_UPLOAD: Code = Code::missing(
    "NoSuchUpload",
    "The specified multipart upload does not exist. The upload ID may be invalid, \
     or the upload may have been aborted or completed.",
);
pub(super) const NO_SUCH_VERSION: Code =
    Code::missing("NoSuchVersion", "The specified version does not exist.");

// Documents that a bucket doesn't have.
pub(in crate::s3) const NO_SUCH_BUCKET_POLICY: Code =
    Code::missing("NoSuchBucketPolicy", "The bucket policy does not exist");
pub(in crate::s3) const NO_SUCH_CONFIGURATION: Code =
    Code::missing("NoSuchConfiguration", "The specified configuration does not exist.");
pub(in crate::s3) const NO_SUCH_CORS: Code =
    Code::missing("NoSuchCORSConfiguration", "The CORS configuration does not exist");
pub(in crate::s3) const NO_SUCH_LIFECYCLE: Code =
    Code::missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
pub(in crate::s3) const NO_SUCH_PUBLIC_ACCESS_BLOCK: Code = Code::missing(
    "NoSuchPublicAccessBlockConfiguration",
    "The public access block configuration was not found",
);
pub(in crate::s3) const NO_SUCH_TAG_SET: Code = Code::missing("NoSuchTagSet", "The TagSet does not exist");
pub(in crate::s3) const NO_SUCH_WEBSITE: Code =
    Code::missing("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");
pub(in crate::s3) const NO_OBJECT_LOCK: Code = Code::missing(
    "ObjectLockConfigurationNotFoundError",
    "Object Lock configuration does not exist for this bucket",
);
pub(in crate::s3) const NO_OWNERSHIP_CONTROLS: Code =
    Code::missing("OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
pub(in crate::s3) const NO_REPLICATION: Code =
    Code::missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
pub(in crate::s3) const NO_ENCRYPTION: Code = Code::missing(
    "ServerSideEncryptionConfigurationNotFoundError",
    "The server side encryption configuration was not found",
);

// What a request says.
pub(super) const BAD_REQUEST: Code = Code::bad("BadRequest", "Bad Request");
pub(super) const ILLEGAL_LOCATION: Code = Code::bad(
    "IllegalLocationConstraintException",
    "The specified location constraint is incompatible for the region specific endpoint this request was sent to.",
);
pub(super) const ILLEGAL_VERSIONING: Code =
    Code::bad("IllegalVersioningConfigurationException", "The Versioning element must be specified");
pub(super) const INVALID_ARGUMENT: Code = Code::bad("InvalidArgument", "Invalid Argument");
pub(super) const INVALID_BUCKET_NAME: Code =
    Code::bad("InvalidBucketName", "The specified bucket is not valid.");
pub(super) const INVALID_RANGE: Code =
    Code::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range is not satisfiable");
pub(super) const INVALID_REQUEST: Code = Code::bad("InvalidRequest", "Invalid Request");
pub(super) const INVALID_TAG: Code = Code::bad("InvalidTag", "The tag provided was not a valid tag.");
pub(super) const INVALID_URI: Code = Code::bad("InvalidURI", "Couldn't parse the specified URI.");
pub(super) const KEY_TOO_LONG: Code = Code::bad("KeyTooLongError", "Your key is too long");
pub(super) const MALFORMED_POLICY: Code =
    Code::bad("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'");
pub(super) const MALFORMED_XML: Code = Code::bad("MalformedXML", SCHEMA);
pub(super) const METADATA_TOO_LARGE: Code =
    Code::bad("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
pub(super) const METHOD_NOT_ALLOWED: Code = Code::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "MethodNotAllowed",
    "The specified method is not allowed against this resource.",
);
pub(super) const MISSING_CONTENT_LENGTH: Code = Code::new(
    StatusCode::LENGTH_REQUIRED,
    "MissingContentLength",
    "You must provide the Content-Length HTTP header.",
);
pub(super) const NOT_IMPLEMENTED: Code = Code::new(
    StatusCode::NOT_IMPLEMENTED,
    "NotImplemented",
    "A header you provided implies functionality that is not implemented",
);
pub(super) const NOT_MODIFIED: Code = Code::new(StatusCode::NOT_MODIFIED, "NotModified", "Not Modified");
pub(super) const PRECONDITION_FAILED: Code = Code::new(
    StatusCode::PRECONDITION_FAILED,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
);
pub(super) const UNEXPECTED_CONTENT: Code =
    Code::bad("UnexpectedContent", "This request does not support content");
pub(super) const USER_KEY_MUST_BE_SPECIFIED: Code =
    Code::bad("UserKeyMustBeSpecified", "The bucket POST must contain the specified field name.");

// Bodies.
pub(super) const BAD_DIGEST: Code =
    Code::bad("BadDigest", "The Content-MD5 you specified did not match what we received.");
pub(super) const ENTITY_TOO_LARGE: Code =
    Code::bad("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
pub(super) const ENTITY_TOO_SMALL: Code =
    Code::bad("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
pub(super) const INCOMPLETE_BODY: Code = Code::bad(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
);
pub(super) const INVALID_CHUNK_SIZE: Code = Code::denied(
    "InvalidChunkSizeError",
    "Only the last chunk is allowed to have a size less than 8192 bytes",
);
pub(super) const INVALID_DIGEST: Code =
    Code::bad("InvalidDigest", "The Content-MD5 you specified was invalid.");
pub(super) const MALFORMED_TRAILER: Code = Code::bad(
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed or did not conform to our published schema.",
);
pub(super) const REQUEST_TIMEOUT: Code = Code::bad(
    "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout period. \
     Idle connections will be closed.",
);
pub(super) const SHA256_MISMATCH: Code = Code::bad(
    "XAmzContentSHA256Mismatch",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
);

// Uploads.
pub(super) const INVALID_PART: Code = Code::bad(
    "InvalidPart",
    "One or more of the specified parts could not be found.  The part may not have been uploaded, \
     or the specified entity tag may not match the part's entity tag.",
);
pub(super) const INVALID_PART_NUMBER: Code = Code::new(
    StatusCode::RANGE_NOT_SATISFIABLE,
    "InvalidPartNumber",
    "The requested partnumber is not satisfiable",
);
pub(super) const INVALID_PART_ORDER: Code = Code::bad(
    "InvalidPartOrder",
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
);

// ACLs and forms.
pub(super) const ACL_NOT_SUPPORTED: Code =
    Code::bad("AccessControlListNotSupported", "The bucket does not allow ACLs");
pub(super) const ACL_WITH_OWNERSHIP: Code = Code::bad(
    "InvalidBucketAclWithObjectOwnership",
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
);
pub(super) const FILES_IN_POST: Code =
    Code::bad("IncorrectNumberOfFilesInPostRequest", "POST requires exactly one file upload per request.");
pub(super) const INVALID_POLICY_DOCUMENT: Code = Code::bad(
    "InvalidPolicyDocument",
    "The content of the form does not meet the conditions specified in the policy document.",
);
pub(super) const MALFORMED_ACL: Code = Code::bad("MalformedACLError", SCHEMA);
pub(super) const MALFORMED_POST: Code = Code::bad(
    "MalformedPOSTRequest",
    "The body of your POST request is not well-formed multipart/form-data.",
);
pub(super) const MISSING_SECURITY_HEADER: Code =
    Code::bad("MissingSecurityHeader", "Your request was missing a required header");
pub(super) const POST_FIELDS_TOO_LONG: Code = Code::bad(
    "MaxPostPreDataLengthExceeded",
    "Your POST request fields preceding the upload file were too large.",
);
pub(super) const UNRESOLVABLE_EMAIL: Code = Code::bad(
    "UnresolvableGrantByEmailAddress",
    "The e-mail address you provided does not match any account on record.",
);

// The server's own trouble.
pub(super) const INSUFFICIENT_STORAGE: Code =
    Code::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", "The devices are full");
pub(super) const INTERNAL_ERROR: Code = Code::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "InternalError",
    "We encountered an internal error. Please try again.",
);
pub(super) const SERVICE_UNAVAILABLE: Code =
    Code::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Service is unable to handle request.");
