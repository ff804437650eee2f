//! The contract between dialects and storage.
//!
//! - A write is visible whole or not at all, and by every reader as soon as it has been acknowledged.
//! - `Ok` from a write means that a majority of replicas has it on stable storage.
//! - Every change of one object is linearizable, conditional ones included; a delete is a write.
//! - A listing shows every write that was acknowledged before it began.
//! - When a future of these is dropped, an upload may end unstored; a commit that has begun goes on.
//!
//! Conveniences are built outside of the traits, so that an implementation has nothing to forget.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::condition::Conditions;
use crate::container::{
    AccountInfo, ContainerChange, ContainerEntry, ContainerInfo, Created, NewContainer, Usage,
};
use crate::error::Result;
use crate::listing::{ListQuery, Page};
use crate::metadata::{ObjectMetadata, UserMetadata};
use crate::name::{AccountName, ContainerId, ContainerName, ObjectId};
use crate::object::{AnnotationsChange, Download, NewObject, ObjectEntry, ObjectInfo, PartLayout, Read};
use crate::upload::{
    Completion, NewPart, NewUpload, PartInfo, PartNumber, UploadEntry, UploadId, UploadInfo, UploadQuery,
};
use crate::version::{Deleted, VersionId, VersionPage, VersionQuery};

/// Everything that a dialect may ask of storage.
pub trait Store: ContainerStore + ObjectStore + UploadStore + DocumentStore {}
impl<T: ContainerStore + ObjectStore + UploadStore + DocumentStore> Store for T {}

/// Accounts and containers.
#[async_trait]
pub trait ContainerStore: fmt::Debug + Send + Sync + 'static {
    /// All about an account. Counts what is in each of its containers: not for every request.
    async fn account(&self, account: &AccountName) -> Result<AccountInfo>;
    /// An account's metadata alone, for which nothing is counted.
    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata>;
    /// Merges `changes` into the account's metadata; an empty value removes.
    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()>;
    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>>;
    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created>;
    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo>;
    /// The same, at most a second old: what every operation on objects looks at.
    /// A change that was made through this very store is seen at once.
    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>>;
    async fn usage(&self, id: &ContainerId) -> Result<Usage>;
    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()>;
    /// Removes an empty container; `Error::NotEmpty` otherwise. Open uploads don't count and are dropped with it.
    async fn delete_container(&self, id: &ContainerId) -> Result<()>;
    /// The account that the global bucket directory gives for a name.
    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>>;
}

/// Objects.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync + 'static {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>>;
    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo>;
    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download>;
    /// `version` of `None` is the current one.
    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo>;
    /// Replaces the current version's metadata and leaves the bytes; no version is made.
    /// A `content_type` of `None` keeps the present one (Swift's POST).
    /// Conditions are those of a write, evaluated on the current version.
    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo>;
    /// Changes what is said of a version; neither its date nor its bytes change.
    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo>;
    /// Without a version: removes the object, or where versioning is or was on puts a delete marker on top,
    /// also where there is no object. With one: removes that version for good;
    /// if it was the current one, the one before is current from then on, in the same step.
    ///
    /// `Error::NotFound` where there is nothing to remove; what that means to a caller is the dialect's affair.
    /// Conditions are evaluated on the version that is named, or on the current one.
    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted>;
    /// Takes an object away so that no version is current, where `delete` makes the one before current: Swift's way.
    /// Without a version: the current one stays as an older one, but for the null version, which goes for good.
    /// With one: removes that for good, which is all where it isn't the current one.
    ///
    /// Where older versions are left a delete marker stands on top: the null version,
    /// or one with an id of its own where an older one is an object that is the null version.
    /// One that is the null version is never left alone.
    /// Where versioning has never been on, it is `delete`. Errors and conditions are those of `delete`.
    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted>;
    /// All versions and delete markers, the current ones among them.
    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage>;
    /// The parts that the object was joined from, in order; none if it wasn't.
    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>>;
}

/// Multipart uploads.
#[async_trait]
pub trait UploadStore: fmt::Debug + Send + Sync + 'static {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId>;
    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo>;
    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo>;
    /// Parts in ascending order after `after`, at most `limit`, and whether there are more.
    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)>;
    /// Open uploads by key and then by id; the flag says whether there are more.
    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)>;
    /// Joins the chosen parts to the object, without copying them, and ends the upload.
    /// Saying it again after success gives the same answer while the object still is the one that it made.
    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo>;
    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()>;
}

/// Documents of the cluster itself, such as its users: few, small, and changed seldom.
#[async_trait]
pub trait DocumentStore: fmt::Debug + Send + Sync + 'static {
    /// The latest document, linearizable as objects are.
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>>;
    /// `Error::PreconditionFailed` if what is there isn't what `expect` says; nothing is changed then.
    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()>;
    /// `Error::PreconditionFailed` as above. Removing what isn't there is no error where that was expected.
    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()>;
    /// Keys and documents of a kind after `after`, in the order of the keys' bytes, at most `limit`,
    /// and whether there are more.
    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)>;
}

/// What a document of the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A user; see the crate `auth`.
    User,
    /// The ACL of an account (Swift's `X-Account-Access-Control`); see the crate `auth`.
    AccountAcl,
}

/// What must be there for a document to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    Anything,
    Nothing,
    /// Exactly this document.
    Document(Bytes),
}

/// A body that is already there whole; for tests and for small bodies.
pub fn whole_body(bytes: impl Into<Bytes>) -> crate::body::ByteStream {
    Box::pin(Once(Some(bytes.into())))
}

struct Once(Option<Bytes>);

impl futures_core::Stream for Once {
    type Item = std::result::Result<Bytes, crate::body::BodyError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}
