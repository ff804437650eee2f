//! The contract's part on objects.
//!
//! [`head`]: a key's row and what comes on top of it; [`keeper`]: its older versions.
//! [`place`], [`remove`], [`amend`]: the changes. [`find`], [`list`]: the questions. [`expiry`]: when objects end.

mod amend;
pub(crate) mod expiry;
mod find;
pub(crate) mod head;
pub(crate) mod keeper;
mod list;
pub(crate) mod place;
mod put;
mod remove;

use async_trait::async_trait;
use futures_util::stream;
use martlet_model::{
    AnnotationsChange, Conditions, ContainerId, Deleted, Download, Error, ListQuery, NewObject, ObjectEntry,
    ObjectId, ObjectInfo, ObjectMetadata, ObjectStore, Page, PartLayout, Read, Result, Shape, Span, Unmet,
    VersionId, VersionPage, VersionQuery,
};

use crate::blob::READ_TOGETHER_BYTES_MAX;
use crate::blob::download::{download, verified};
use crate::cluster::ClusterStore;
use crate::record::object::{Layout, ListedObject};
use crate::row::read::Depth;
use find::{FoundObject, find, shown};
use keeper::Keeper;
use place::{Leaving, Removed, Removing};
use remove::{RemovingVersion, Then};

#[async_trait]
impl ObjectStore for ClusterStore {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        list::objects(&self.shared, id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        put::put(&self.shared, id, new).await
    }

    async fn get(&self, id: &ObjectId, request: Read) -> Result<Download> {
        let depth = Depth::Body { bytes_max: READ_TOGETHER_BYTES_MAX };
        let FoundObject { info, blobs, body, .. } = find(&self.shared, id, request.version, depth).await?;
        check_read(&info, &request.conditions)?;
        let stored_bytes = info.stored_bytes();
        let span = match (request.range, &info.shape) {
            (None, _) | (_, Shape::SegmentList { .. } | Shape::Link(_)) => Span::whole(stored_bytes),
            (Some(range), Shape::Plain) => {
                range.of(stored_bytes).ok_or_else(|| Error::RangeUnsatisfiable(Box::new(info.clone())))?
            }
        };
        let together = match (&blobs[..], body) {
            ([blob], Some(body)) => verified(blob, body),
            _ => None,
        };
        let body = match (together, usize::try_from(span.start), usize::try_from(span.end)) {
            (Some(body), Ok(start), Ok(end)) => {
                let wanted = body.slice(start..end);
                Box::pin(stream::once(std::future::ready(Ok(wanted))))
            }
            _ => download(&self.shared, &blobs, span),
        };
        Ok(Download { info, span, body })
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let info = find(&self.shared, id, version, Depth::Value).await?.info;
        check_read(&info, conditions)?;
        Ok(info)
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let keeper = Keeper::of(&self.shared, id).await?;
        let conditions = conditions.clone();
        let changing = async move {
            expiry::note(&keeper, metadata.delete_at).await?;
            let info = amend::set_metadata(&keeper, &metadata, &conditions).await?;
            Ok(shown(info, &keeper.container))
        };
        self.shared.background.carry_through(changing).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        let keeper = Keeper::of(&self.shared, id).await?;
        let changing = async move {
            let info = amend::annotate(&keeper, version, &change).await?;
            Ok(shown(info, &keeper.container))
        };
        self.shared.background.carry_through(changing).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.remove(id, version, conditions, Manner { leaving: Leaving::Marker, then: Then::Promote }).await
    }

    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.remove(id, version, conditions, Manner { leaving: Leaving::NoTrace, then: Then::Withdraw }).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        list::versions(&self.shared, id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        let found = find(&self.shared, id, version, Depth::Value).await?;
        let layout: Option<Layout> = found.origin.map(|origin| origin.layout);
        Ok(layout.map(|layout| layout.parts()).transpose()?.unwrap_or_default())
    }
}

/// How something is removed where there are versions.
struct Manner {
    /// In the place of the object, where no version is named.
    leaving: Leaving,
    /// In the place of the version that is named, if it is the current one.
    then: Then,
}

impl ClusterStore {
    /// The removal goes on when the caller leaves.
    async fn remove(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
        Manner { leaving, then }: Manner,
    ) -> Result<Deleted> {
        let keeper = Keeper::of(&self.shared, id).await?;
        let conditions = conditions.clone();
        let removing = async move {
            match version {
                None => Removing { keeper, conditions, what: Removed::Object, leaving }.run().await,
                Some(id) => RemovingVersion { keeper, id, conditions, then }.run().await,
            }
        };
        self.shared.background.carry_through(removing).await
    }
}

fn check_read(info: &ObjectInfo, conditions: &Conditions) -> Result<()> {
    if info.shape.link().is_some() {
        return Err(Error::Link(Box::new(info.clone())));
    }
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())),
        Unmet::NothingToMatch | Unmet::PreconditionFailed => Error::PreconditionFailed,
    })
}

/// Whether the present object may be replaced or removed. Conditions look at its content and date alone: an entry is enough.
fn check_write(present: Option<&ListedObject>, conditions: &Conditions) -> Result<()> {
    if conditions.is_none() {
        return Ok(());
    }
    check_write_of(present.map(ObjectInfo::from).as_ref(), conditions)
}

fn check_write_of(present: Option<&ObjectInfo>, conditions: &Conditions) -> Result<()> {
    conditions.check_write(present).map_err(|unmet| match unmet {
        Unmet::NothingToMatch => Error::NothingToMatch,
        Unmet::PreconditionFailed | Unmet::NotModified => Error::PreconditionFailed,
    })
}
