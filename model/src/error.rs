//! What can go wrong, as situations that a caller can act on.

use crate::body::BodyError;
use crate::content::Md5;
use crate::metadata::MetadataError;
use crate::name::NameError;
use crate::object::ObjectInfo;
use crate::time::Timestamp;
use crate::upload::UploadError;
use crate::version::VersionId;

pub type Result<T> = std::result::Result<T, Error>;

/// What is missing or in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Account,
    Container,
    Object,
    /// A version of an object that may have others.
    Version,
    Upload,
}

/// Why the store didn't do what it was asked.
///
/// Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such {0:?}")]
    NotFound(Noun),
    /// The bucket's name is claimed by another account.
    #[error("the bucket name belongs to another account")]
    NameTaken,
    #[error("the container is not empty")]
    NotEmpty,
    /// The caller isn't allowed to.
    #[error("not allowed")]
    Denied,
    /// A condition on a write, or `If-Match` on a read, doesn't hold.
    #[error("a precondition failed")]
    PreconditionFailed,
    /// `If-Match` on an object that doesn't exist.
    #[error("there is no object to match")]
    NothingToMatch,
    /// What was asked for is a delete marker. `is_current`: it was asked for as the object, not by its id.
    #[error("a delete marker")]
    DeleteMarker { version: VersionId, modified: Timestamp, is_current: bool },
    /// What was asked for stands for another object; this is what is known of it, and all that it has.
    #[error("a link to another object")]
    Link(Box<ObjectInfo>),
    /// Versioning can't be turned off again.
    #[error("versioning can only be suspended")]
    VersioningStays,
    /// The reader's copy is still good.
    #[error("not modified")]
    NotModified(Box<ObjectInfo>),
    #[error("the range lies outside of the object")]
    RangeUnsatisfiable(Box<ObjectInfo>),
    #[error("the body has MD5 {computed}, not {expected}")]
    Md5Mismatch { expected: Md5, computed: Md5 },
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("the object would be larger than is allowed")]
    TooLarge,
    /// More would be stored in the account or in the container than its quota allows.
    #[error("the quota would be exceeded")]
    QuotaExceeded,
    /// No room for new data; reads and deletes go on.
    #[error("the devices are full")]
    OutOfSpace,
    /// Too few replicas answered. Nothing is known to be changed, and the caller may try again.
    #[error("too few replicas can be reached: {0}")]
    Unavailable(&'static str),
    /// The change was sent, and whether it took effect can't be learnt. Never reported as success or as a failed condition.
    #[error("the outcome is not known")]
    OutcomeUnknown,
    /// Data that should be there is damaged or missing on every replica that could be asked.
    #[error("the data can't be read undamaged: {0}")]
    Damaged(&'static str),
    /// Something that isn't the caller's business; the log has it.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}
