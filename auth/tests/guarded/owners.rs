//! A store in which every call is made by an owner of the account that it is about.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_auth::{Guarded, Identity, Role};
use martlet_model::{
    AccountInfo, AccountName, AnnotationsChange, Completion, Conditions, ContainerChange, ContainerEntry,
    ContainerId, ContainerInfo, ContainerName, ContainerStore, Created, Deleted, DocumentKind, DocumentStore,
    Download, Expect, ListQuery, NewContainer, NewObject, NewPart, NewUpload, ObjectEntry, ObjectId,
    ObjectInfo, ObjectMetadata, ObjectStore, Page, PartInfo, PartLayout, PartNumber, Read, Result, Store,
    UploadEntry, UploadId, UploadInfo, UploadQuery, UploadStore, Usage, UserMetadata, VersionId, VersionPage,
    VersionQuery,
};

#[derive(Debug)]
pub(crate) struct Owners(Arc<dyn Store>);

impl Owners {
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    fn of(&self, account: &AccountName) -> Guarded {
        super::guarded(&self.0, Identity::user(account.clone(), "owner", Role::Owner))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ContainerStore for Owners {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        self.of(account).account(account).await
    }

    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        self.of(account).account_metadata(account).await
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        self.of(account).update_account(account, changes).await
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.of(account).containers(account, query).await
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.of(&id.account).create_container(id, new).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.of(&id.account).container(id).await
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.of(&id.account).recent_container(id).await
    }
    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        self.of(&id.account).usage(id).await
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.of(&id.account).update_container(id, change).await
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.of(&id.account).delete_container(id).await
    }

    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        super::guarded(&self.0, Identity::Anonymous).bucket_owner(name).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Owners {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        self.of(&id.account).list(id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        self.of(&id.container.account).put(id, new).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        self.of(&id.container.account).get(id, read).await
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.of(&id.container.account).head(id, version, conditions).await
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.of(&id.container.account).set_metadata(id, metadata, conditions).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.of(&id.container.account).delete(id, version, conditions).await
    }

    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.of(&id.container.account).withdraw(id, version, conditions).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        self.of(&id.container.account).annotate(id, version, change).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        self.of(&id.account).versions(id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        self.of(&id.container.account).layout(id, version).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DocumentStore for Owners {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        self.0.document(kind, key).await
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        self.0.put_document(kind, key, document, expect).await
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        self.0.remove_document(kind, key, expect).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        self.0.documents(kind, after, limit).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl UploadStore for Owners {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        self.of(&id.container.account).begin_upload(id, new).await
    }

    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        self.of(&id.container.account).upload(id, upload).await
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.of(&id.container.account).put_part(id, upload, part).await
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.of(&id.container.account).parts(id, upload, after, limit).await
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        self.of(&id.account).uploads(id, query).await
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        self.of(&id.container.account).complete_upload(id, upload, completion).await
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.of(&id.container.account).abort_upload(id, upload).await
    }
}
