//! Refusals about who may do what: ACLs, policies, forms, and pages of other origins.

use http::StatusCode;
use martlet_auth::policy::MalformedPolicy;
use martlet_auth::post_policy::PostError;
use martlet_auth::s3_acl::AclError;

use super::{Refusal, Words, store_words};
use crate::form::FormError;
use crate::s3::cors::CorsRefusal;

/// Why an ACL isn't set.
#[derive(Debug, thiserror::Error)]
pub enum AclRefusal {
    #[error(transparent)]
    Request(#[from] AclError),
    #[error("the ACL is malformed: {0}")]
    Malformed(&'static str),
    #[error("The bucket does not allow ACLs")]
    Disabled,
    /// Ownership that leaves no room for ACLs, beside an ACL that grants something.
    #[error("Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")]
    BesideOwnership,
    #[error("Your request was missing a required header: an ACL, which may also stand in the body")]
    Missing,
    #[error("This request does not support content: the ACL stands in headers already")]
    UnexpectedContent,
}

/// Why a form isn't accepted.
#[derive(Debug, thiserror::Error)]
pub enum FormRefusal {
    #[error("Bucket POST must be of the enclosure-type multipart/form-data")]
    NotAForm,
    #[error("POST requires exactly one file upload per request.")]
    NoFile,
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    TooSmall,
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    Post(#[from] PostError),
}

pub(super) fn acl_words(refusal: &AclRefusal) -> Words {
    let code = match refusal {
        AclRefusal::Request(error) => match error {
            AclError::UnknownCanned(_)
            | AclError::MalformedHeader { .. }
            | AclError::UnknownId(_)
            | AclError::UnknownGroup(_) => "InvalidArgument",
            AclError::CannedAndGrants => "InvalidRequest",
            AclError::UnknownEmail(_) => "UnresolvableGrantByEmailAddress",
            AclError::TooManyGrants => "MalformedACLError",
            AclError::Users(error) => return store_words(error),
        },
        AclRefusal::Malformed(_) => "MalformedACLError",
        AclRefusal::Disabled => "AccessControlListNotSupported",
        AclRefusal::BesideOwnership => "InvalidBucketAclWithObjectOwnership",
        AclRefusal::Missing => "MissingSecurityHeader",
        AclRefusal::UnexpectedContent => "UnexpectedContent",
    };
    Words { status: StatusCode::BAD_REQUEST, code, message: refusal.to_string() }
}

pub(super) fn form_words(refusal: &FormRefusal) -> Words {
    let bad = |code| (StatusCode::BAD_REQUEST, code);
    let (status, code) = match refusal {
        FormRefusal::NotAForm => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        FormRefusal::NoFile => bad("IncorrectNumberOfFilesInPostRequest"),
        FormRefusal::TooSmall => bad("EntityTooSmall"),
        FormRefusal::Form(error) => match error {
            FormError::NotAForm | FormError::Malformed(_) => bad("MalformedPOSTRequest"),
            FormError::FieldTooLarge { .. } => bad("MaxPostPreDataLengthExceeded"),
            FormError::Body(error) => return store_words(&error.clone().into()),
        },
        FormRefusal::Post(error) => match error {
            PostError::Malformed(_) => bad("MalformedPOSTRequest"),
            PostError::MissingField(_) | PostError::BadField(_) => bad("InvalidArgument"),
            PostError::InvalidPolicy(_) => bad("InvalidPolicyDocument"),
            PostError::SignatureMismatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            PostError::Expired | PostError::ConditionFailed(_) | PostError::ExtraField(_) => {
                (StatusCode::FORBIDDEN, "AccessDenied")
            }
        },
    };
    Words { status, code, message: refusal.to_string() }
}

pub(super) fn cors_words(refusal: &CorsRefusal) -> Words {
    let (status, code) = match refusal {
        CorsRefusal::NoOrigin | CorsRefusal::BadMethod(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
        CorsRefusal::Disabled | CorsRefusal::NotAllowed => (StatusCode::FORBIDDEN, "AccessForbidden"),
    };
    Words { status, code, message: refusal.to_string() }
}

impl From<AclRefusal> for Refusal {
    fn from(refusal: AclRefusal) -> Self {
        Self::Acl(refusal)
    }
}

impl From<AclError> for Refusal {
    fn from(error: AclError) -> Self {
        Self::Acl(error.into())
    }
}

impl From<FormRefusal> for Refusal {
    fn from(refusal: FormRefusal) -> Self {
        Self::Form(refusal)
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        Self::Form(error.into())
    }
}

impl From<PostError> for Refusal {
    fn from(error: PostError) -> Self {
        Self::Form(error.into())
    }
}

impl From<MalformedPolicy> for Refusal {
    fn from(error: MalformedPolicy) -> Self {
        Self::Policy(error)
    }
}

impl From<CorsRefusal> for Refusal {
    fn from(refusal: CorsRefusal) -> Self {
        Self::Cors(refusal)
    }
}
