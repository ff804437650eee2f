//! Objects on their way in and out.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

use crate::body::ByteStream;
use crate::checksum::{ChecksumCell, StoredChecksum};
use crate::condition::Conditions;
use crate::content::{Content, Digest, Md5};
use crate::error::Error;
use crate::link::Link;
use crate::metadata::{ObjectMetadata, Tags};
use crate::name::ObjectKey;
use crate::range::{ByteRange, Span};
use crate::time::Timestamp;
use crate::upload::PartNumber;
use crate::version::VersionId;

/// An object to store.
pub struct NewObject {
    pub metadata: ObjectMetadata,
    /// Evaluated at commit, on the true predecessor.
    pub conditions: Conditions,
    /// The MD5 that the bytes must have (`Content-MD5`, Swift's `ETag`).
    pub md5: Option<Md5>,
    /// The number of bytes that the body will have, where the caller said so; `body` holds it to that.
    pub bytes: Option<u64>,
    pub body: ByteStream,
    pub annotations: Annotations,
    /// The checksum that the writer's client chose, once the body has ended.
    pub checksum: ChecksumCell,
    pub shape: NewShape,
}

/// What the body of an object to store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NewShape {
    /// Its content.
    #[default]
    Plain,
    /// A list of segments, and this is what reading them in order gives.
    SegmentList(Content),
    /// Nothing: whoever says so sees to it that the body is empty.
    Link(Box<Link>),
}

/// What is said of an object by others than its writer, and changes without a new version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// The object's own ACL; its form is the affair of the crate `auth`.
    pub acl: Option<Bytes>,
    pub tags: Tags,
}

/// A change of [`Annotations`]; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationsChange {
    pub acl: Option<Bytes>,
    pub tags: Option<Tags>,
}

/// How to read an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// `None`: the current version.
    pub version: Option<VersionId>,
    pub conditions: Conditions,
    /// `None`: all of it.
    pub range: Option<ByteRange>,
}

/// What is known of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// What a reader gets; of an object made of segments, what they give together.
    pub content: Content,
    pub metadata: ObjectMetadata,
    pub modified: Timestamp,
    /// `None`: versioning has never been on in its container.
    pub version: Option<VersionId>,
    pub annotations: Annotations,
    pub checksum: Option<StoredChecksum>,
    pub shape: Shape,
}

/// What the stored bytes of an object are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Its content.
    #[default]
    Plain,
    /// A list of segments (Swift's static large object): this many bytes of it, with this MD5.
    /// `get` gives the list, whole; what it stands for is put together above the store.
    SegmentList {
        list_bytes: u64,
        /// `None`: it was stored before this was kept.
        list_md5: Option<Md5>,
    },
    /// None: it stands for another object. `get` and `head` fail with [`Error::Link`], whatever the conditions;
    /// it is followed above the store.
    Link(Box<Link>),
}

/// A part of an object that was joined from parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartLayout {
    pub number: PartNumber,
    pub bytes: u64,
    pub checksum: Option<StoredChecksum>,
}

/// Bytes on their way out; each has been checked against its checksum before it is here.
/// An error in the middle means that the rest can't be had: the connection must be broken, not ended.
pub type ObjectStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// An object as it is read.
pub struct Download {
    pub info: ObjectInfo,
    /// The bytes that `body` gives.
    pub span: Span,
    pub body: ObjectStream,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    pub key: ObjectKey,
    pub content: Content,
    pub content_type: Option<String>,
    pub modified: Timestamp,
    pub version: Option<VersionId>,
    pub shape: Shape,
}

impl NewObject {
    /// An object with nothing said about it but this.
    pub fn new(metadata: ObjectMetadata, conditions: Conditions, body: ByteStream) -> Self {
        Self {
            metadata,
            conditions,
            md5: None,
            bytes: None,
            body,
            annotations: Annotations::default(),
            checksum: ChecksumCell::default(),
            shape: NewShape::Plain,
        }
    }
}

impl ObjectInfo {
    /// An object with nothing known of it but this.
    pub fn new(content: Content, metadata: ObjectMetadata, modified: Timestamp) -> Self {
        Self {
            content,
            metadata,
            modified,
            version: None,
            annotations: Annotations::default(),
            checksum: None,
            shape: Shape::Plain,
        }
    }

    /// How many bytes are stored for it.
    pub fn stored_bytes(&self) -> u64 {
        self.shape.stored_bytes(&self.content)
    }
}

impl Shape {
    /// How many bytes are stored for an object of this shape and content.
    pub fn stored_bytes(&self, content: &Content) -> u64 {
        match self {
            Self::Plain => content.bytes,
            Self::SegmentList { list_bytes, .. } => *list_bytes,
            Self::Link(_) => 0,
        }
    }

    /// What it stands for, if it is a link.
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Link(link) => Some(link),
            Self::Plain | Self::SegmentList { .. } => None,
        }
    }
}

impl NewShape {
    /// The object's content and shape, once its body has been stored with this content.
    pub fn settled(self, stored: Content) -> (Content, Shape) {
        match self {
            Self::Plain => (stored, Shape::Plain),
            Self::SegmentList(content) => {
                let list_md5 = match stored.digest {
                    Digest::Whole(md5) => Some(md5),
                    Digest::Parts { .. } => None,
                };
                (content, Shape::SegmentList { list_bytes: stored.bytes, list_md5 })
            }
            Self::Link(link) => (stored, Shape::Link(link)),
        }
    }
}

impl Annotations {
    #[must_use]
    pub fn changed(self, change: &AnnotationsChange) -> Self {
        Self { acl: change.acl.clone().or(self.acl), tags: change.tags.clone().unwrap_or(self.tags) }
    }
}

impl fmt::Debug for NewObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewObject")
            .field("metadata", &self.metadata)
            .field("conditions", &self.conditions)
            .field("md5", &self.md5)
            .field("bytes", &self.bytes)
            .field("annotations", &self.annotations)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("info", &self.info).field("span", &self.span).finish_non_exhaustive()
    }
}
