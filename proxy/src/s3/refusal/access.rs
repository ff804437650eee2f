//! Refusals about who may do what: ACLs, policies, forms, and pages of other origins.

use martlet_auth::policy::MalformedPolicy;
use martlet_auth::post_policy::PostError;
use martlet_auth::s3_acl::AclError;

use super::Refusal;
use super::code;
use super::words::{Words, of_store};
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

pub(super) fn of_acl(refusal: &AclRefusal) -> Words {
    let code = match refusal {
        AclRefusal::Request(error) => match error {
            AclError::UnknownCanned(_)
            | AclError::MalformedHeader { .. }
            | AclError::UnknownId(_)
            | AclError::UnknownGroup(_) => code::INVALID_ARGUMENT,
            AclError::CannedAndGrants => code::INVALID_REQUEST,
            AclError::UnknownEmail(_) => code::UNRESOLVABLE_EMAIL,
            AclError::TooManyGrants => code::MALFORMED_ACL,
            AclError::Users(error) => return of_store(error),
        },
        AclRefusal::Malformed(problem) => return Words::of(code::MALFORMED_ACL).with("Problem", problem),
        AclRefusal::Disabled => code::ACL_NOT_SUPPORTED,
        AclRefusal::BesideOwnership => code::ACL_WITH_OWNERSHIP,
        AclRefusal::Missing => code::MISSING_SECURITY_HEADER,
        AclRefusal::UnexpectedContent => code::UNEXPECTED_CONTENT,
    };
    Words::of(code).saying(refusal.to_string())
}

pub(super) fn of_form(refusal: &FormRefusal) -> Words {
    let code = match refusal {
        FormRefusal::NotAForm => code::PRECONDITION_FAILED,
        FormRefusal::NoFile => code::FILES_IN_POST,
        FormRefusal::TooSmall => code::ENTITY_TOO_SMALL,
        FormRefusal::Form(error) => match error {
            FormError::NotAForm | FormError::Malformed(_) => code::MALFORMED_POST,
            FormError::FieldTooLarge { .. } => code::POST_FIELDS_TOO_LONG,
            FormError::Body(error) => return of_store(&error.clone().into()),
        },
        FormRefusal::Post(error) => match error {
            PostError::Malformed(_) => code::MALFORMED_POST,
            PostError::MissingField(_) | PostError::BadField(_) => code::INVALID_ARGUMENT,
            PostError::InvalidPolicy(_) => code::INVALID_POLICY_DOCUMENT,
            PostError::SignatureMismatch => return Words::of(code::SIGNATURE_DOES_NOT_MATCH),
            PostError::Expired | PostError::ConditionFailed(_) | PostError::ExtraField(_) => {
                code::ACCESS_DENIED
            }
        },
    };
    Words::of(code).saying(refusal.to_string())
}

pub(super) fn of_cors(refusal: &CorsRefusal) -> Words {
    let code = match refusal {
        CorsRefusal::NoOrigin | CorsRefusal::BadMethod(_) => code::BAD_REQUEST,
        CorsRefusal::Disabled | CorsRefusal::NotAllowed => code::ACCESS_FORBIDDEN,
    };
    Words::of(code).saying(refusal.to_string())
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
