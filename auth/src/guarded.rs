//! The guard around the store.

use std::sync::Arc;

use async_trait::async_trait;
use martlet_model::{
    AccountInfo, AccountName, AnnotationsChange, Completion, Conditions, ContainerChange, ContainerEntry,
    ContainerId, ContainerInfo, ContainerName, ContainerStore, Created, Deleted, Download, ListQuery,
    NewContainer, NewObject, NewPart, NewUpload, ObjectEntry, ObjectId, ObjectInfo, ObjectMetadata,
    ObjectStore, Page, PartInfo, PartLayout, PartNumber, Read, Result, Store, UploadEntry, UploadId,
    UploadInfo, UploadQuery, UploadStore, Usage, UserMetadata, VersionId, VersionPage, VersionQuery,
};

use crate::decision::{Action, Resource, decide};
use crate::identity::Identity;

/// A store that does for a caller only what the caller may.
///
/// A dialect holds nothing but this, so no operation can forget to ask.
#[derive(Clone, Debug)]
pub struct Guarded {
    store: Arc<dyn Store>,
    identity: Identity,
}

impl Guarded {
    pub fn new(store: Arc<dyn Store>, identity: Identity) -> Self {
        Self { store, identity }
    }

    /// On whose behalf the store is used.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    fn allow(&self, action: Action, resource: Resource<'_>) -> Result<()> {
        Ok(decide(&self.identity, action, resource)?)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ContainerStore for Guarded {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        self.allow(Action::Inspect, Resource::Account(account))?;
        self.store.account(account).await
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        self.allow(Action::Configure, Resource::Account(account))?;
        self.store.update_account(account, changes).await
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.allow(Action::List, Resource::Account(account))?;
        self.store.containers(account, query).await
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.allow(Action::Create, Resource::Container(id))?;
        self.store.create_container(id, new).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.allow(Action::Inspect, Resource::Container(id))?;
        self.store.container(id).await
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.allow(Action::Inspect, Resource::Container(id))?;
        self.store.recent_container(id).await
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        self.allow(Action::Inspect, Resource::Container(id))?;
        self.store.usage(id).await
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.allow(Action::Configure, Resource::Container(id))?;
        self.store.update_container(id, change).await
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.allow(Action::Remove, Resource::Container(id))?;
        self.store.delete_container(id).await
    }

    /// Open to everybody: whether a bucket's name is taken is public in S3, which tells 403 from 404.
    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        self.store.bucket_owner(name).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Guarded {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        self.allow(Action::List, Resource::Container(id))?;
        self.store.list(id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.put(id, new).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        self.allow(Action::Read, Resource::Object(id))?;
        self.store.get(id, read).await
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.allow(Action::Read, Resource::Object(id))?;
        self.store.head(id, version, conditions).await
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.set_metadata(id, metadata, conditions).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.annotate(id, version, change).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.allow(Action::Delete, Resource::Object(id))?;
        self.store.delete(id, version, conditions).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        self.allow(Action::List, Resource::Container(id))?;
        self.store.versions(id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        self.allow(Action::Read, Resource::Object(id))?;
        self.store.layout(id, version).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl UploadStore for Guarded {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.begin_upload(id, new).await
    }

    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        self.allow(Action::List, Resource::Object(id))?;
        self.store.upload(id, upload).await
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.put_part(id, upload, part).await
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.allow(Action::List, Resource::Object(id))?;
        self.store.parts(id, upload, after, limit).await
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        self.allow(Action::List, Resource::Container(id))?;
        self.store.uploads(id, query).await
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        self.allow(Action::Write, Resource::Object(id))?;
        self.store.complete_upload(id, upload, completion).await
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.allow(Action::Delete, Resource::Object(id))?;
        self.store.abort_upload(id, upload).await
    }
}
