//! Objects.

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    AnnotationsChange, Conditions, ContainerId, Content, Deleted, Digest, Download, Error, ListEntry,
    ListQuery, NewObject, Noun, ObjectEntry, ObjectId, ObjectInfo, ObjectKey, ObjectMetadata, ObjectStore,
    Page, PartLayout, Read, Result, Shape, Span, Timestamp, Unmet, VersionId, VersionPage, VersionQuery,
    Versioning,
};

use super::MemoryStore;
use super::body::{receive, send};
use super::history::{History, Moment, Object, check_write};
use super::listing::page;
use super::state::{Container, State};
use super::versions;

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        let now = self.now();
        let state = self.state();
        let container = state.container(id)?;
        let shown = |history: &History| history.live(now).is_some();
        let info = |history: &History| history.object().map(|object| shown_info(container, object));
        let keyed = page(&container.objects, query, shown, |key, history| (key.clone(), info(history)));
        entries(keyed)
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        self.state().container(&id.container)?;
        let received = receive(new.body, new.bytes, new.md5).await?;
        let now = self.now();
        let stored = Content { bytes: received.bytes, digest: Digest::Whole(received.md5) };
        let (content, shape) = new.shape.settled(stored);
        let info = ObjectInfo {
            annotations: new.annotations,
            checksum: new.checksum.get(),
            shape,
            ..ObjectInfo::new(content, new.metadata, now)
        };
        let mut state = self.state();
        let moment = moment(&mut state, &id.container, now)?;
        let container = state.container_mut(&id.container)?;
        let present = container.objects.get(id.key.as_bytes()).and_then(|history| history.live(now));
        check_write(present, &new.conditions)?;
        let history = container.objects.entry(id.key.as_bytes().clone()).or_default();
        Ok(history.put(Object::new(info, received.chunks), moment))
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        let now = self.now();
        let state = self.state();
        let object = state.history(id)?.find(read.version, now)?;
        let info = shown_info(state.container(&id.container)?, object);
        check_read(&info, &read.conditions)?;
        let stored_bytes = info.stored_bytes();
        let span = match (read.range, &info.shape) {
            (None, _) | (_, Shape::SegmentList { .. } | Shape::Link(_)) => Span::whole(stored_bytes),
            (Some(range), Shape::Plain) => {
                range.of(stored_bytes).ok_or_else(|| Error::RangeUnsatisfiable(Box::new(info.clone())))?
            }
        };
        Ok(Download { info, span, body: send(&object.body, span) })
    }

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let now = self.now();
        let state = self.state();
        let object = state.history(id)?.find(version, now)?;
        let info = shown_info(state.container(&id.container)?, object);
        check_read(&info, conditions)?;
        Ok(info)
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        mut metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let now = self.now();
        let mut state = self.state();
        check_write(Some(state.history(id)?.find(None, now)?), conditions)?;
        let info = &mut state.history_mut(id)?.find_mut(None, now)?.info;
        metadata.content_type = metadata.content_type.or_else(|| info.metadata.content_type.clone());
        info.metadata = metadata;
        info.modified = now.not_before(Some(info.modified));
        let info = info.clone();
        state.history_mut(id)?.redate(info.modified);
        Ok(shown(state.container(&id.container)?, info))
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        let now = self.now();
        let mut state = self.state();
        let info = &mut state.history_mut(id)?.find_mut(version, now)?.info;
        info.annotations = std::mem::take(&mut info.annotations).changed(&change);
        let info = info.clone();
        Ok(shown(state.container(&id.container)?, info))
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        let now = self.now();
        let mut state = self.state();
        let moment = moment(&mut state, &id.container, now)?;
        let container = state.container_mut(&id.container)?;
        let history = container.objects.entry(id.key.as_bytes().clone()).or_default();
        let named = match version {
            None => history.live(now),
            Some(_) => history.find(version, now).ok(),
        };
        let deleted = check_write(named, conditions).and_then(|()| match version {
            None => history.delete(moment),
            Some(id) => history.remove(id),
        });
        if history.is_empty() {
            container.objects.remove(id.key.as_bytes());
        }
        deleted
    }

    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        let now = self.now();
        let mut state = self.state();
        let mut moment = moment(&mut state, &id.container, now)?;
        if moment.versioning == Versioning::Suspended {
            moment.fresh = fresh(&mut state);
        }
        let container = state.container_mut(&id.container)?;
        let Some(history) = container.objects.get_mut(id.key.as_bytes()) else {
            check_write(None, conditions)?;
            return Err(Error::NotFound(version.map_or(Noun::Object, |_| Noun::Version)));
        };
        let named = match version {
            None => history.live(now),
            Some(_) => history.find(version, now).ok(),
        };
        check_write(named, conditions)?;
        let deleted = history.withdraw(version, moment);
        if history.is_empty() {
            container.objects.remove(id.key.as_bytes());
        }
        deleted
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        let now = self.now();
        let state = self.state();
        versions::page(&state.container(id)?.objects, query, now)
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        let now = self.now();
        Ok(self.state().history(id)?.find(version, now)?.parts.clone())
    }
}

/// What a change of this container is made under.
pub(super) fn moment(state: &mut State, container: &ContainerId, now: Timestamp) -> Result<Moment> {
    let versioning = state.container(container)?.info.versioning;
    let fresh = match versioning {
        Versioning::Enabled => fresh(state),
        Versioning::Off | Versioning::Suspended => VersionId::Null,
    };
    Ok(Moment { now, versioning, fresh })
}

fn fresh(state: &mut State) -> VersionId {
    let mut id = [0; 16];
    state.random.fill(&mut id);
    VersionId::Id(id)
}

fn shown_info(container: &Container, object: &Object) -> ObjectInfo {
    shown(container, object.info.clone())
}

/// The info as a reader sees it: what was written before versioning was on is the null version since.
fn shown(container: &Container, mut info: ObjectInfo) -> ObjectInfo {
    if container.info.versioning != Versioning::Off {
        info.version = info.version.or(Some(VersionId::Null));
    }
    info
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

fn entries(keyed: Page<(Bytes, Option<ObjectInfo>)>) -> Result<Page<ObjectEntry>> {
    let entry = |listed: ListEntry<(Bytes, Option<ObjectInfo>)>| match listed {
        ListEntry::Prefix(prefix) => Some(Ok(ListEntry::Prefix(prefix))),
        ListEntry::Item((key, info)) => Some(entry_of(key, info?)),
    };
    let entries = keyed.entries.into_iter().filter_map(entry).collect::<Result<_>>()?;
    Ok(Page { entries, next: keyed.next })
}

fn entry_of(key: Bytes, info: ObjectInfo) -> Result<ListEntry<ObjectEntry>> {
    Ok(ListEntry::Item(ObjectEntry {
        key: ObjectKey::parse(key)?,
        content: info.content,
        content_type: info.metadata.content_type,
        modified: info.modified,
        version: info.version,
        shape: info.shape,
    }))
}
