//! Multipart uploads.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::limits::OBJECT_BYTES_MAX;
use martlet_model::upload::choose;
use martlet_model::{
    ChosenPart, Conditions, ContainerId, Content, Error, NewPart, Noun, ObjectId, ObjectInfo, ObjectKey,
    ObjectMetadata, PartInfo, PartNumber, Result, UploadEntry, UploadId, UploadQuery, UploadStore,
};

use super::MemoryStore;
use super::body::receive;
use super::objects::check_write;
use super::state::{Container, Object, Part, Upload};

#[async_trait]
impl UploadStore for MemoryStore {
    async fn begin_upload(&self, id: &ObjectId, metadata: ObjectMetadata) -> Result<UploadId> {
        let initiated = self.now();
        let mut state = self.state();
        let mut upload = UploadId([0; 16]);
        state.random.fill(&mut upload.0);
        let container = state.container_mut(&id.container)?;
        let place = (id.key.as_bytes().clone(), upload);
        container.uploads.insert(place, Upload { metadata, initiated, parts: BTreeMap::new() });
        Ok(upload)
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.state().container_mut(&id.container)?.upload_mut(id.key.as_bytes(), upload)?;
        let received = receive(part.body, part.bytes, part.md5).await?;
        let now = self.now();
        let mut state = self.state();
        let open = state.container_mut(&id.container)?.upload_mut(id.key.as_bytes(), upload)?;
        let previous = open.parts.get(&part.number).map(|part| part.info.modified);
        let info = PartInfo {
            number: part.number,
            bytes: received.bytes,
            md5: received.md5,
            modified: now.not_before(previous),
        };
        open.parts.insert(part.number, Part { info, body: received.chunks });
        Ok(info)
    }

    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        let mut state = self.state();
        let open = state.container_mut(&id.container)?.upload_mut(id.key.as_bytes(), upload)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = open.parts.range((from, Bound::Unbounded)).map(|(_, part)| part.info);
        Ok(first(rest, limit))
    }

    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        let state = self.state();
        let after = |key: &Bytes, id: UploadId| match &query.after {
            None => true,
            Some((after, None)) => key > after,
            Some((after, Some(after_id))) => (key, id) > (after, *after_id),
        };
        let uploads = state.container(id)?.uploads.iter();
        let chosen = uploads.filter(|((key, id), _)| key.starts_with(&query.prefix) && after(key, *id));
        let (found, more) = first(chosen, query.limit);
        let entry = |((key, id), upload): (&(Bytes, UploadId), &Upload)| {
            Ok(UploadEntry { key: ObjectKey::parse(key.clone())?, id: *id, initiated: upload.initiated })
        };
        Ok((found.into_iter().map(entry).collect::<Result<_>>()?, more))
    }

    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        parts: &[ChosenPart],
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let now = self.now();
        let mut state = self.state();
        let container = state.container_mut(&id.container)?;
        let place = (id.key.as_bytes().clone(), upload);
        let Some(open) = container.uploads.get(&place) else {
            return completed_before(container, id, upload);
        };
        let chosen = choose(parts, |number| open.parts.get(&number).map(|part| part.info))?;
        let content = Content::joined(&chosen.iter().map(|part| (part.bytes, part.md5)).collect::<Vec<_>>());
        if content.bytes > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let chosen = chosen.iter().filter_map(|part| open.parts.get(&part.number));
        let body = chosen.flat_map(|part| part.body.iter().cloned()).collect();
        let object = Object::new(content, open.metadata.clone(), body, now);
        check_write(container, id, conditions)?;
        container.uploads.remove(&place);
        Ok(container.replace(id.key.as_bytes(), Object { upload: Some(upload), ..object }, now))
    }

    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        let mut state = self.state();
        let container = state.container_mut(&id.container)?;
        let place = (id.key.as_bytes().clone(), upload);
        container.uploads.remove(&place).map(drop).ok_or(Error::NotFound(Noun::Upload))
    }
}

/// The first `limit`, and whether there are more. Of nothing there is no more.
fn first<T>(mut items: impl Iterator<Item = T>, limit: usize) -> (Vec<T>, bool) {
    let found: Vec<T> = items.by_ref().take(limit).collect();
    let more = limit > 0 && items.next().is_some();
    (found, more)
}

fn completed_before(container: &Container, id: &ObjectId, upload: UploadId) -> Result<ObjectInfo> {
    let made = container.objects.get(id.key.as_bytes()).filter(|object| object.upload == Some(upload));
    made.map(|object| object.info.clone()).ok_or(Error::NotFound(Noun::Upload))
}
