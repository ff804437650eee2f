//! Every operation of the contract, as the actions that it is.

use std::sync::Arc;

use async_trait::async_trait;
use martlet_model::{
    AccountInfo, AccountName, Annotations, AnnotationsChange, Completion, Conditions, ContainerChange,
    ContainerEntry, ContainerId, ContainerInfo, ContainerName, ContainerStore, Created, Deleted, Download,
    ListQuery, NewContainer, NewObject, NewPart, NewUpload, ObjectEntry, ObjectId, ObjectInfo,
    ObjectMetadata, ObjectStore, Page, PartInfo, PartLayout, PartNumber, Read, Result, Tags, UploadEntry,
    UploadId, UploadInfo, UploadQuery, UploadStore, Usage, UserMetadata, VersionId, VersionPage,
    VersionQuery,
};

use super::Guarded;
use crate::action::Action;
use crate::request::{Details, Listing};

/// The action on the current version, or on one that is named.
fn of_version(version: Option<VersionId>, current: Action, named: Action) -> Action {
    if version.is_some() { named } else { current }
}

fn details(version: Option<VersionId>) -> Details<'static> {
    Details { version, ..Details::default() }
}

fn with_tags(tags: &Tags) -> Details<'_> {
    Details { new_tags: Some(tags), ..Details::default() }
}

impl Guarded {
    /// Whether the caller may store an object of which this is said.
    async fn allow_put(&self, id: &ObjectId, annotations: &Annotations) -> Result<()> {
        self.permit(Action::PutObject, id, with_tags(&annotations.tags)).await?;
        self.check_public_acl(&id.container, annotations.acl.as_ref()).await
    }

    async fn allow_piece(&self, id: &ObjectId) -> Result<()> {
        self.permit(Action::PutObject, id, Details::default()).await.map(drop)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ContainerStore for Guarded {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        self.allow_account(Action::InspectAccount, account).await?;
        self.store.account(account).await
    }

    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        self.allow_account(Action::InspectAccount, account).await?;
        self.store.account_metadata(account).await
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        self.allow_account(Action::ConfigureAccount, account).await?;
        self.store.update_account(account, changes).await
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.allow_account(Action::ListAllMyBuckets, account).await?;
        self.store.containers(account, query).await
    }

    /// Making one that is there already changes it.
    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.allow_account(Action::CreateBucket, &id.account).await?;
        if !new.settings.is_empty() || new.versioning.is_some() {
            let settings = new.settings.clone();
            let change =
                ContainerChange { settings, versioning: new.versioning, ..ContainerChange::default() };
            self.allow_change(id, &change).await?;
        }
        self.store.create_container(id, new).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.allow_container(Action::InspectBucket, id).await?;
        self.store.container(id).await
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.allow_container(Action::InspectBucket, id).await?;
        self.store.recent_container(id).await
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        self.allow_container(Action::InspectBucket, id).await?;
        self.store.usage(id).await
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.allow_change(id, &change).await?;
        self.store.update_container(id, change).await
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.allow_container(Action::DeleteBucket, id).await?;
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
        let listing = Listing { prefix: &query.prefix, delimiter: query.delimiter.as_deref() };
        self.allow_listing(Action::ListBucket, id, Some(listing)).await?;
        self.store.list(id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        self.allow_put(id, &new.annotations).await?;
        self.store.put(id, new).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        let action = of_version(read.version, Action::GetObject, Action::GetObjectVersion);
        let permit = self.permit(action, id, details(read.version)).await?;
        let outcome = self.store.get(id, read).await;
        permit.read(self, id, outcome, |download| &download.info.annotations)
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let action = of_version(version, Action::GetObject, Action::GetObjectVersion);
        self.look(action, id, version, conditions).await
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.permit(Action::UpdateObject, id, Details::default()).await?;
        self.store.set_metadata(id, metadata, conditions).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        if let Some(acl) = &change.acl {
            let action = of_version(version, Action::PutObjectAcl, Action::PutObjectVersionAcl);
            self.permit(action, id, details(version)).await?;
            self.check_public_acl(&id.container, Some(acl)).await?;
        }
        if let Some(tags) = &change.tags {
            let action = if tags.is_empty() {
                of_version(version, Action::DeleteObjectTagging, Action::DeleteObjectVersionTagging)
            } else {
                of_version(version, Action::PutObjectTagging, Action::PutObjectVersionTagging)
            };
            self.permit(action, id, Details { version, ..with_tags(tags) }).await?;
        }
        self.store.annotate(id, version, change).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        let action = of_version(version, Action::DeleteObject, Action::DeleteObjectVersion);
        self.permit(action, id, details(version)).await?;
        self.store.delete(id, version, conditions).await
    }

    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        let action = of_version(version, Action::DeleteObject, Action::DeleteObjectVersion);
        self.permit(action, id, details(version)).await?;
        self.store.withdraw(id, version, conditions).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        let listing = Listing { prefix: &query.prefix, delimiter: query.delimiter.as_deref() };
        self.allow_listing(Action::ListBucketVersions, id, Some(listing)).await?;
        self.store.versions(id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        let action = of_version(version, Action::GetObject, Action::GetObjectVersion);
        self.permit(action, id, details(version)).await?;
        self.store.layout(id, version).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl UploadStore for Guarded {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        self.allow_put(id, &new.annotations).await?;
        self.store.begin_upload(id, new).await
    }

    /// Who adds to an upload has to know what it is.
    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        if self.allow_piece(id).await.is_err() {
            self.permit(Action::ListMultipartUploadParts, id, Details::default()).await?;
        }
        self.store.upload(id, upload).await
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.allow_piece(id).await?;
        self.store.put_part(id, upload, part).await
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.permit(Action::ListMultipartUploadParts, id, Details::default()).await?;
        self.store.parts(id, upload, after, limit).await
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        let listing = Listing { prefix: &query.prefix, delimiter: None };
        self.allow_listing(Action::ListBucketMultipartUploads, id, Some(listing)).await?;
        self.store.uploads(id, query).await
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        self.allow_piece(id).await?;
        self.store.complete_upload(id, upload, completion).await
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.permit(Action::AbortMultipartUpload, id, Details::default()).await?;
        self.store.abort_upload(id, upload).await
    }
}
