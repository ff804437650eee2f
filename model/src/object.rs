//! Objects on their way in and out.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

use crate::body::ByteStream;
use crate::condition::Conditions;
use crate::content::{Content, Md5};
use crate::error::Error;
use crate::metadata::ObjectMetadata;
use crate::name::ObjectKey;
use crate::range::{ByteRange, Span};
use crate::time::Timestamp;

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
}

/// How to read an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub conditions: Conditions,
    /// `None`: all of it.
    pub range: Option<ByteRange>,
}

/// What is known of an object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    pub content: Content,
    pub metadata: ObjectMetadata,
    pub modified: Timestamp,
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
}

impl fmt::Debug for NewObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewObject")
            .field("metadata", &self.metadata)
            .field("conditions", &self.conditions)
            .field("md5", &self.md5)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("info", &self.info).field("span", &self.span).finish_non_exhaustive()
    }
}
