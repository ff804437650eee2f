//! Versions of an object.

use std::fmt;

use bytes::Bytes;

use crate::content::{Content, Md5};
use crate::listing::ListEntry;
use crate::name::ObjectKey;
use crate::object::Shape;
use crate::time::Timestamp;

/// Names one version of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionId {
    /// The version that is written while versioning is off or suspended: there is at most one. Shown as `null`.
    Null,
    /// A version that was written while versioning was on; unguessable.
    Id([u8; 16]),
}

/// Whether a container keeps what is overwritten and removed.
///
/// ```text
/// Off ──► Enabled ◄──► Suspended
/// ```
/// There is no way back to `Off`: older versions may be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Versioning {
    /// Never turned on.
    #[default]
    Off,
    Enabled,
    /// Older versions are kept, writes go to the null version.
    Suspended,
}

/// What a removal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was removed, or the delete marker that was made; `None` where versioning is off.
    pub version: Option<VersionId>,
    /// Whether `version` is a delete marker: one that was made, or one that was removed by its id.
    pub is_delete_marker: bool,
    /// Whether there was something to remove: where a marker was made, an object that could be read until then.
    pub was_there: bool,
}

/// Which versions of a container to list: by key, and of one key the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionQuery {
    /// Only keys that begin so.
    pub prefix: Bytes,
    /// Keys that share the part up to the first delimiter after the prefix are shown as that part alone.
    pub delimiter: Option<Bytes>,
    /// Only versions after all of this key (or common prefix), or after this version of this key.
    pub after: Option<(Bytes, Option<VersionId>)>,
    /// The most entries of the page, common prefixes included. Zero gives an empty page.
    pub limit: usize,
}

/// A page of versions. Its last entry is the `after` that continues it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPage {
    pub entries: Vec<ListEntry<VersionEntry>>,
    pub is_truncated: bool,
}

/// A version in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionEntry {
    pub key: ObjectKey,
    pub version: VersionId,
    /// Whether it is the key's current version.
    pub is_latest: bool,
    pub modified: Timestamp,
    pub kind: VersionKind,
}

/// What a version is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionKind {
    Object { content: Content, content_type: Option<String>, shape: Shape },
    DeleteMarker,
}

impl VersionId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        Md5::from_hex(text).map(|bytes| Self::Id(bytes.0))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Id(bytes) => Md5(*bytes).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_id_is_read_as_it_is_shown() {
        for id in [VersionId::Null, VersionId::Id([0; 16]), VersionId::Id([0xab; 16])] {
            assert_eq!(VersionId::parse(&id.to_string()), Some(id));
        }
        for bad in ["", "NULL", "0", "zz"] {
            assert_eq!(VersionId::parse(bad), None);
        }
    }
}
