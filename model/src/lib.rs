//! The nouns that both dialects share, and the contract between dialects and storage.
//!
//! Reading order: [`name`] and [`time`], what an object is ([`content`], [`metadata`], [`object`], [`version`]), what a container says of itself ([`settings`]),
//! what a caller may ask ([`condition`], [`range`], [`listing`]), and then the contract in [`store`].
//!
//! **Invariant:** this crate does no I/O, reads no clock, and knows neither HTTP nor SQL.
//! **Invariant:** no type here is `Serialize`; whoever puts one on a disk or a wire has a twin of their own.

pub mod body;
pub mod checksum;
pub mod condition;
pub mod container;
pub mod content;
pub mod error;
pub mod limits;
pub mod link;
pub mod listing;
pub mod metadata;
pub mod name;
pub mod object;
pub mod range;
pub mod settings;
pub mod store;
pub mod time;
pub mod upload;
pub mod version;

pub use body::{BodyError, ByteStream, ChunkSignature};
pub use checksum::{ChecksumAlgorithm, ChecksumCell, ChecksumKind, ChecksumPlan, StoredChecksum};
pub use condition::{Conditions, Match, Unmet};
pub use container::{
    AccountInfo, Claim, ContainerChange, ContainerEntry, ContainerInfo, Created, NewContainer, Usage,
};
pub use content::{Content, Digest, ETagStyle, Md5};
pub use error::{Error, Noun, Result};
pub use link::{Link, Pin};
pub use listing::{ListEntry, ListQuery, Page};
pub use metadata::{ObjectMetadata, Tags, UserMetadata};
pub use name::{AccountName, ContainerId, ContainerName, NameError, ObjectId, ObjectKey};
pub use object::{
    Annotations, AnnotationsChange, Download, NewObject, NewShape, ObjectEntry, ObjectInfo, ObjectStream,
    PartLayout, Read, Shape,
};
pub use range::{ByteRange, Span};
pub use settings::{Setting, Settings, SettingsChange};
pub use store::{ContainerStore, DocumentKind, DocumentStore, Expect, ObjectStore, Store, UploadStore};
pub use time::{Clock, Timestamp};
pub use upload::{
    ChosenPart, Completion, NewPart, NewUpload, PartInfo, PartNumber, UploadEntry, UploadError, UploadId,
    UploadInfo, UploadQuery,
};
pub use version::{Deleted, VersionEntry, VersionId, VersionKind, VersionPage, VersionQuery, Versioning};
