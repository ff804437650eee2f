//! Objects that have parts, as Swift's clients meet them: static large objects.
//!
//! Those that S3 joined from parts are among them: `X-Static-Large-Object` keeps a client from comparing the ETag
//! with the MD5 of the bytes. Their parts belong to the object and go with it, so `?multipart-manifest=get` shows none,
//! and a client that removes what it sees there removes nothing.

use martlet_model::{Digest, ObjectInfo};

use super::query::Query;
use super::refusal::Refusal;

/// The parameter that speaks of a manifest rather than of what it stands for.
pub(super) const PARAMETER: &str = "multipart-manifest";

/// In which form a list of segments is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestForm {
    /// With all that is known of the segments.
    Stored,
    /// As it could be put again (`format=raw`).
    Raw,
    /// The same, for a copy: what has no list of segments is copied as it is.
    Copied,
}

/// The form that a reader asks for; `None`: what the manifest stands for.
pub(super) fn manifest_form(query: &Query<'_>) -> Result<Option<ManifestForm>, Refusal> {
    match (query.text(PARAMETER)?, query.text("format")?) {
        (None, _) => Ok(None),
        (Some("get"), Some("raw")) => Ok(Some(ManifestForm::Raw)),
        (Some("get"), _) => Ok(Some(ManifestForm::Stored)),
        (Some(other), _) => Err(Refusal::NotOffered(format!("{PARAMETER}={other} here").into())),
    }
}

/// Whether the object is a static large one to Swift's clients.
pub(super) fn is_joined(info: &ObjectInfo) -> bool {
    matches!(info.content.digest, Digest::Parts { .. }) && info.metadata.dynamic_manifest.is_none()
}
