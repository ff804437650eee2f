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
use crate::object::{Download, NewObject, ObjectEntry, ObjectInfo, Read};
use crate::upload::{ChosenPart, NewPart, PartInfo, PartNumber, UploadEntry, UploadId, UploadQuery};

/// Everything that a dialect may ask of storage.
pub trait Store: ContainerStore + ObjectStore + UploadStore {}
impl<T: ContainerStore + ObjectStore + UploadStore> Store for T {}

/// Accounts and containers.
#[async_trait]
pub trait ContainerStore: fmt::Debug + Send + Sync + 'static {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo>;
    /// Merges `changes` into the account's metadata; an empty value removes.
    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()>;
    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>>;
    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created>;
    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo>;
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
    async fn head(&self, id: &ObjectId, conditions: &Conditions) -> Result<ObjectInfo>;
    /// Replaces the metadata and leaves the bytes. A `content_type` of `None` keeps the present one (Swift's POST).
    async fn set_metadata(&self, id: &ObjectId, metadata: ObjectMetadata) -> Result<ObjectInfo>;
    /// `Error::NotFound` where there is no object; what that means to a caller is the dialect's affair.
    async fn delete(&self, id: &ObjectId, conditions: &Conditions) -> Result<()>;
}

/// Multipart uploads.
#[async_trait]
pub trait UploadStore: fmt::Debug + Send + Sync + 'static {
    async fn begin_upload(&self, id: &ObjectId, metadata: ObjectMetadata) -> Result<UploadId>;
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
        parts: &[ChosenPart],
        conditions: &Conditions,
    ) -> Result<ObjectInfo>;
    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()>;
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
