//! The contract's part on multipart uploads.

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    Completion, ContainerId, NewPart, NewUpload, ObjectId, ObjectInfo, PartInfo, PartNumber, Result,
    UploadEntry, UploadId, UploadInfo, UploadQuery, UploadStore,
};

use crate::cluster::ClusterStore;
use crate::container::find;
use crate::list::{Found, Lister, Question};
use crate::record::upload::{listed, of_row_key, row_key};
use crate::upload::{Place, begin, complete, end, find_open, part};

#[async_trait]
impl UploadStore for ClusterStore {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { begin(&shared, &id, new).await }).await
    }

    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        let place = Place::find(&self.shared, id, upload).await?;
        let row = find_open(&self.shared, &place).await?;
        Ok(UploadInfo { new: row.new, initiated: row.initiated })
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        part::put(&self.shared, id, upload, part).await
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        let place = Place::find(&self.shared, id, upload).await?;
        part::list(&self.shared, place, after, limit).await
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        let container = find(&self.shared, id).await?;
        let question = Question {
            prefix: query.prefix.clone(),
            after: query.after.as_ref().map(|(key, upload)| after_key(key, *upload)),
            expected: query.limit.saturating_add(1),
            ..Question::all(container.row.uploads, container.guard())
        };
        let mut lister = Lister::new(&self.shared, question);
        let mut entries = Vec::new();
        if query.limit == 0 {
            return Ok((entries, false));
        }
        while let Some(Found::Row { key, entry }) = lister.next().await? {
            if entries.len() == query.limit {
                return Ok((entries, true));
            }
            let (key, id) = of_row_key(&key)?;
            entries.push(UploadEntry { key, id, initiated: listed(&entry)? });
        }
        Ok((entries, false))
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared
            .background
            .carry_through(async move { complete::complete(&shared, &id, upload, completion).await })
            .await
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { end::abort(&shared, &id, upload).await }).await
    }
}

/// After this upload of the key, or after all of its uploads.
fn after_key(key: &Bytes, upload: Option<UploadId>) -> Bytes {
    row_key(key, upload.unwrap_or(UploadId([u8::MAX; 16])))
}
