//! The contract's part on objects.

mod write;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use martlet_model::{
    AnnotationsChange, Conditions, ContainerId, Deleted, Download, Error, ListQuery, NewObject, Noun,
    ObjectEntry, ObjectId, ObjectInfo, ObjectKey, ObjectMetadata, ObjectStore, Page, PartLayout, Read,
    Result, Span, Unmet, VersionId, VersionPage, VersionQuery,
};

use crate::blob::READ_TOGETHER_BYTES_MAX;
use crate::blob::download::{download, verified};
use crate::cluster::{ClusterStore, Shared};
use crate::container::find;
use crate::list::{Lister, Question, page};
use crate::record::live;
use crate::record::object::{ObjectRow, listed};
use crate::row::Access;
use crate::row::read::{Depth, Found, read};
pub(crate) use write::check_write;

#[async_trait]
impl ObjectStore for ClusterStore {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        let container = find(&self.shared, id).await?;
        let question = Question::of_query(container.row.objects, container.guard(), query);
        page(Lister::new(&self.shared, question), query.limit, |key, entry| {
            let listed = listed(entry)?;
            Ok(ObjectEntry {
                key: ObjectKey::parse(key)?,
                content: listed.content,
                content_type: listed.content_type,
                modified: listed.modified,
                version: None,
            })
        })
        .await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        write::put(&self.shared, id, new).await
    }

    async fn get(&self, id: &ObjectId, request: Read) -> Result<Download> {
        let depth = Depth::Body { bytes_max: READ_TOGETHER_BYTES_MAX };
        let (row, found) = read_object(&self.shared, id, depth).await?;
        check_read(&row.info, &request.conditions)?;
        let span = match request.range {
            None => Span::whole(row.info.content.bytes),
            Some(range) => range
                .of(row.info.content.bytes)
                .ok_or_else(|| Error::RangeUnsatisfiable(Box::new(row.info.clone())))?,
        };
        let together = match (&row.blobs[..], found.body) {
            ([blob], Some(body)) => verified(blob, body),
            _ => None,
        };
        let body = match (together, usize::try_from(span.start), usize::try_from(span.end)) {
            (Some(body), Ok(start), Ok(end)) => {
                let wanted = body.slice(start..end);
                Box::pin(stream::once(std::future::ready(Ok(wanted))))
            }
            _ => download(&self.shared, &row.blobs, span),
        };
        Ok(Download { info: row.info, span, body })
    }

    async fn head(&self, id: &ObjectId, _: Option<VersionId>, conditions: &Conditions) -> Result<ObjectInfo> {
        let (row, _) = read_object(&self.shared, id, Depth::Value).await?;
        check_read(&row.info, conditions)?;
        Ok(row.info)
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let (shared, id, conditions) = (self.shared.clone(), id.clone(), conditions.clone());
        self.shared
            .background
            .carry_through(async move { write::set_metadata(&shared, &id, &metadata, &conditions).await })
            .await
    }

    async fn annotate(&self, _: &ObjectId, _: Option<VersionId>, _: AnnotationsChange) -> Result<ObjectInfo> {
        Err(Error::Unavailable("annotations"))
    }

    async fn versions(&self, _: &ContainerId, _: &VersionQuery) -> Result<VersionPage> {
        Err(Error::Unavailable("versions"))
    }

    async fn layout(&self, _: &ObjectId, _: Option<VersionId>) -> Result<Vec<PartLayout>> {
        Err(Error::Unavailable("layouts"))
    }

    async fn delete(&self, id: &ObjectId, _: Option<VersionId>, conditions: &Conditions) -> Result<Deleted> {
        let (shared, id, conditions) = (self.shared.clone(), id.clone(), conditions.clone());
        self.shared
            .background
            .carry_through(async move { write::delete(&shared, &id, &conditions).await })
            .await?;
        Ok(Deleted { version: None, is_delete_marker: false })
    }
}

/// The object's row, and its bytes where they came along.
async fn read_object(shared: &Arc<Shared>, id: &ObjectId, depth: Depth) -> Result<(ObjectRow, Found)> {
    let access = access(shared, id).await?;
    let found = read(shared, &access, depth).await?;
    let live = live(found.state.as_ref()).ok_or(Error::NotFound(Noun::Object))?;
    Ok((ObjectRow::read(live)?, found))
}

/// The object's row in its container.
async fn access(shared: &Arc<Shared>, id: &ObjectId) -> Result<Access> {
    let container = find(shared, &id.container).await?;
    Ok(Access::within(shared, &container, container.row.objects, id.key.as_bytes().clone()))
}

fn check_read(info: &ObjectInfo, conditions: &Conditions) -> Result<()> {
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())),
        Unmet::NothingToMatch | Unmet::PreconditionFailed => Error::PreconditionFailed,
    })
}
