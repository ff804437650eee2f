//! The rules that containers and accounts set for writes, whichever dialect a write comes by.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    AccountInfo, AccountName, AnnotationsChange, Clock, Completion, Conditions, ContainerChange,
    ContainerEntry, ContainerId, ContainerInfo, ContainerName, ContainerStore, Created, Deleted,
    DocumentKind, DocumentStore, Download, Error, Expect, ListQuery, NewContainer, NewObject, NewPart,
    NewUpload, ObjectEntry, ObjectId, ObjectInfo, ObjectMetadata, ObjectStore, Page, PartInfo, PartLayout,
    PartNumber, Read, Result, Store, UploadEntry, UploadId, UploadInfo, UploadQuery, UploadStore, Usage,
    UserMetadata, VersionId, VersionPage, VersionQuery,
};

use crate::archive::Archive;
use crate::quota::Quotas;

/// A store that holds writes to quotas, and keeps what is overwritten where a container wants it kept.
///
/// Where there is neither, it costs a look at the cached container and at the account's remembered quota.
#[derive(Debug)]
pub(crate) struct Ruled {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    quotas: Quotas,
}

/// Parts of an upload that are looked at together.
const PARTS_COUNT: usize = 1000;

impl Ruled {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { quotas: Quotas::new(store.clone(), clock.clone()), store, clock }
    }

    async fn archive(&self, id: &ContainerId) -> Result<Option<Archive>> {
        Ok(Archive::of(id, &*self.store.recent_container(id).await?))
    }

    /// Keeps what a write would replace.
    async fn keep(&self, id: &ObjectId, conditions: &Conditions) -> Result<()> {
        match self.archive(&id.container).await? {
            None => Ok(()),
            Some(archive) => archive.keep(&*self.store, id, conditions).await.map(drop),
        }
    }

    /// The bytes that the chosen parts of an upload have together.
    async fn bytes_of(&self, id: &ObjectId, upload: UploadId, completion: &Completion) -> Result<u64> {
        let chosen: HashSet<PartNumber> = completion.parts.iter().map(|chosen| chosen.number).collect();
        let is_chosen = |part: &PartInfo| chosen.contains(&part.number);
        let (mut bytes, mut after) = (0u64, None);
        loop {
            let (parts, is_truncated) = self.store.parts(id, upload, after, PARTS_COUNT).await?;
            after = parts.last().map(|part| part.number);
            bytes += parts.iter().filter(|part| is_chosen(part)).map(|part| part.bytes).sum::<u64>();
            if !is_truncated {
                return Ok(bytes);
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Ruled {
    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        let room = self.quotas.room(&id.container).await?;
        room.takes_object(new.bytes)?;
        self.keep(id, &new.conditions).await?;
        let body = room.holds(new.body);
        self.store.put(id, NewObject { body, ..new }).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        let archive = match version {
            None => self.archive(&id.container).await?,
            Some(_) => None,
        };
        match archive {
            None => self.store.delete(id, version, conditions).await,
            Some(archive) => archive.delete(&*self.store, id, conditions, self.clock.now()).await,
        }
    }

    /// Where versions are kept so, nothing is archived besides.
    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.store.withdraw(id, version, conditions).await
    }

    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        self.store.list(id, query).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        self.store.get(id, read).await
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.store.head(id, version, conditions).await
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.store.set_metadata(id, metadata, conditions).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        self.store.annotate(id, version, change).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        self.store.versions(id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        self.store.layout(id, version).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl UploadStore for Ruled {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        self.quotas.room(&id.container).await?.takes_object(None)?;
        self.store.begin_upload(id, new).await
    }

    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        self.store.upload(id, upload).await
    }

    /// A part that can't become part of an object isn't stored.
    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        let room = self.quotas.room(&id.container).await?;
        room.takes_bytes(part.bytes)?;
        let body = room.holds(part.body);
        self.store.put_part(id, upload, NewPart { body, ..part }).await
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.store.parts(id, upload, after, limit).await
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        self.store.uploads(id, query).await
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        let room = self.quotas.room(&id.container).await?;
        if room.is_limited() {
            match self.bytes_of(id, upload, &completion).await {
                Ok(bytes) => room.takes_object(Some(bytes))?,
                // Completed before, or never begun: the store knows.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.keep(id, &completion.conditions).await?;
        self.store.complete_upload(id, upload, completion).await
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.store.abort_upload(id, upload).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ContainerStore for Ruled {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        self.store.account(account).await
    }

    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        self.store.account_metadata(account).await
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        let outcome = self.store.update_account(account, changes).await;
        self.quotas.forget(account);
        outcome
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.store.containers(account, query).await
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.store.create_container(id, new).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.store.container(id).await
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.store.recent_container(id).await
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        self.store.usage(id).await
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.store.update_container(id, change).await
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.store.delete_container(id).await
    }

    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        self.store.bucket_owner(name).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DocumentStore for Ruled {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.document(kind, key).await
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        self.store.put_document(kind, key, document, expect).await
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        self.store.remove_document(kind, key, expect).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        self.store.documents(kind, after, limit).await
    }
}
