//! Objects.

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    Conditions, ContainerId, Content, Digest, Download, Error, ListEntry, ListQuery, NewObject, Noun,
    ObjectEntry, ObjectId, ObjectInfo, ObjectKey, ObjectMetadata, ObjectStore, Page, Read, Result, Span,
    Unmet,
};

use super::MemoryStore;
use super::body::{receive, send};
use super::listing::page;
use super::state::{Container, Object};

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        let state = self.state();
        let objects = &state.container(id)?.objects;
        let keyed = page(objects, query, |key, object| (key.clone(), object.info.clone()));
        entries(keyed)
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        self.state().container(&id.container)?;
        let received = receive(new.body, new.bytes, new.md5).await?;
        let now = self.now();
        let content = Content { bytes: received.bytes, digest: Digest::Whole(received.md5) };
        let mut state = self.state();
        let container = state.container_mut(&id.container)?;
        check_write(container, id, &new.conditions)?;
        Ok(container.replace(
            id.key.as_bytes(),
            Object::new(content, new.metadata, received.chunks, now),
            now,
        ))
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        let state = self.state();
        let object = state.object(id)?;
        check_read(&object.info, &read.conditions)?;
        let span = match read.range {
            None => Span::whole(object.info.content.bytes),
            Some(range) => range
                .of(object.info.content.bytes)
                .ok_or_else(|| Error::RangeUnsatisfiable(Box::new(object.info.clone())))?,
        };
        Ok(Download { info: object.info.clone(), span, body: send(&object.body, span) })
    }

    async fn head(&self, id: &ObjectId, conditions: &Conditions) -> Result<ObjectInfo> {
        let state = self.state();
        let info = &state.object(id)?.info;
        check_read(info, conditions)?;
        Ok(info.clone())
    }

    async fn set_metadata(&self, id: &ObjectId, mut metadata: ObjectMetadata) -> Result<ObjectInfo> {
        let now = self.now();
        let mut state = self.state();
        let objects = &mut state.container_mut(&id.container)?.objects;
        let info = &mut objects.get_mut(id.key.as_bytes()).ok_or(Error::NotFound(Noun::Object))?.info;
        metadata.content_type = metadata.content_type.or_else(|| info.metadata.content_type.clone());
        info.metadata = metadata;
        info.modified = now.not_before(Some(info.modified));
        Ok(info.clone())
    }

    async fn delete(&self, id: &ObjectId, conditions: &Conditions) -> Result<()> {
        let mut state = self.state();
        let container = state.container_mut(&id.container)?;
        check_write(container, id, conditions)?;
        container.objects.remove(id.key.as_bytes()).map(drop).ok_or(Error::NotFound(Noun::Object))
    }
}

pub(super) fn check_write(container: &Container, id: &ObjectId, conditions: &Conditions) -> Result<()> {
    let present = container.objects.get(id.key.as_bytes()).map(|object| &object.info);
    conditions.check_write(present).map_err(|unmet| match unmet {
        Unmet::NothingToMatch => Error::NothingToMatch,
        Unmet::PreconditionFailed | Unmet::NotModified => Error::PreconditionFailed,
    })
}

fn check_read(info: &ObjectInfo, conditions: &Conditions) -> Result<()> {
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())),
        Unmet::NothingToMatch | Unmet::PreconditionFailed => Error::PreconditionFailed,
    })
}

fn entries(keyed: Page<(Bytes, ObjectInfo)>) -> Result<Page<ObjectEntry>> {
    let entry = |listed: ListEntry<(Bytes, ObjectInfo)>| match listed {
        ListEntry::Prefix(prefix) => Ok(ListEntry::Prefix(prefix)),
        ListEntry::Item((key, info)) => Ok(ListEntry::Item(ObjectEntry {
            key: ObjectKey::parse(key)?,
            content: info.content,
            content_type: info.metadata.content_type,
            modified: info.modified,
        })),
    };
    let entries = keyed.entries.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(Page { entries, next: keyed.next })
}
