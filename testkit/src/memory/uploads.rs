//! Multipart uploads.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::limits::OBJECT_BYTES_MAX;
use martlet_model::{
    Completion, ContainerId, Error, NewPart, NewUpload, Noun, ObjectId, ObjectInfo, ObjectKey, PartInfo,
    PartNumber, Result, UploadEntry, UploadId, UploadInfo, UploadQuery, UploadStore, upload,
};

use super::MemoryStore;
use super::body::receive;
use super::history::{History, Object, check_write};
use super::objects::moment;
use super::state::{Container, Part, Upload};

#[async_trait]
impl UploadStore for MemoryStore {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        let initiated = self.now();
        let mut state = self.state();
        let mut upload = UploadId([0; 16]);
        state.random.fill(&mut upload.0);
        let container = state.container_mut(&id.container)?;
        let place = (id.key.as_bytes().clone(), upload);
        container.uploads.insert(place, Upload { new, initiated, parts: BTreeMap::new() });
        Ok(upload)
    }

    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        let mut state = self.state();
        let open = state.container_mut(&id.container)?.upload_mut(id.key.as_bytes(), upload)?;
        Ok(UploadInfo { new: open.new.clone(), initiated: open.initiated })
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
            checksum: part.checksum.get(),
        };
        open.parts.insert(part.number, Part { info: info.clone(), body: received.chunks });
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
        let rest = open.parts.range((from, Bound::Unbounded)).map(|(_, part)| part.info.clone());
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
        completion: Completion,
    ) -> Result<ObjectInfo> {
        let now = self.now();
        let mut state = self.state();
        let moment = moment(&mut state, &id.container, now)?;
        let container = state.container_mut(&id.container)?;
        let place = (id.key.as_bytes().clone(), upload);
        let Some(open) = container.uploads.get(&place) else {
            return completed_before(container, id, upload, &completion);
        };
        let stored = |number| open.parts.get(&number).map(|part| part.info.clone());
        let joined = upload::join(&completion, open.new.checksum, stored)?;
        if joined.content.bytes > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let chosen = joined.parts.iter().filter_map(|part| open.parts.get(&part.number));
        let body = chosen.flat_map(|part| part.body.iter().cloned()).collect();
        let info = ObjectInfo {
            annotations: open.new.annotations.clone(),
            checksum: joined.checksum,
            ..ObjectInfo::new(joined.content, open.new.metadata.clone(), now)
        };
        let parts = joined.parts.iter().map(PartInfo::layout).collect();
        let object = Object { upload: Some(upload), parts, ..Object::new(info, body) };
        let present = container.objects.get(id.key.as_bytes()).and_then(|history| history.live(now));
        check_write(present, &completion.conditions)?;
        container.uploads.remove(&place);
        Ok(container.objects.entry(id.key.as_bytes().clone()).or_default().put(object, moment))
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

fn completed_before(
    container: &Container,
    id: &ObjectId,
    upload: UploadId,
    completion: &Completion,
) -> Result<ObjectInfo> {
    let current = container.objects.get(id.key.as_bytes()).and_then(History::object);
    current
        .filter(|object| object.upload == Some(upload))
        .filter(|object| completion.has_made(&object.info.content, &object.parts))
        .map(|object| object.info.clone())
        .ok_or(Error::NotFound(Noun::Upload))
}
