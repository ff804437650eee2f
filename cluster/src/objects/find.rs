//! Finding a version.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{Error, Noun, ObjectId, ObjectInfo, Result, Timestamp, VersionId, Versioning};
use martlet_protocol::BlobRef;
use martlet_register::Ballot;

use super::head::Head;
use super::keeper::Keeper;
use crate::cluster::Shared;
use crate::container::cache::Container;
use crate::container::find as find_container;
use crate::record::object::{Origin, StoredObject, StoredVersion};
use crate::record::version::Place;
use crate::row::read::{Depth, read, read_value};

/// How often a version that is just being moved is looked for.
const LOOKS_MAX: u32 = 16;

/// An object as a reader sees it.
pub(super) struct FoundObject {
    pub(super) info: ObjectInfo,
    pub(super) origin: Option<Origin>,
    pub(super) blobs: Vec<BlobRef>,
    /// Its bytes, where they came along. Not checked yet.
    pub(super) body: Option<Bytes>,
}

impl Keeper {
    pub(super) async fn of(shared: &Arc<Shared>, id: &ObjectId) -> Result<Self> {
        let container = find_container(shared, &id.container).await?;
        Ok(Self { shared: shared.clone(), container, key: id.key.as_bytes().clone() })
    }
}

/// The object, if a reader sees one; `version` of `None` is the current one.
pub(super) async fn find(
    shared: &Arc<Shared>,
    id: &ObjectId,
    version: Option<VersionId>,
    depth: Depth,
) -> Result<FoundObject> {
    let keeper = Keeper::of(shared, id).await?;
    let mut seen = None;
    for _ in 0..LOOKS_MAX {
        let found = read(shared, &keeper.head(), depth).await?;
        let head = Head::read(found.state.as_ref())?.ok_or(Error::NotFound(Noun::Object))?;
        if version.is_none_or(|version| version == head.id()) {
            let asked = if version.is_none() { Asked::Current } else { Asked::CurrentById };
            return keeper.found(head.version, found.body, asked);
        }
        let place = version.and_then(|id| head.history.place(id)).ok_or(Error::NotFound(Noun::Version))?;
        if let Some((older, body)) = keeper.find_with(place, depth).await? {
            return keeper.found(older.version, body, Asked::Older);
        }
        // It was removed or became the current version between the two looks, or it never was.
        let change = found.state.map(|state| state.change);
        if seen == change {
            return Err(Error::NotFound(Noun::Version));
        }
        seen = change;
    }
    Err(Error::Unavailable("an object changes too fast to find a version of it"))
}

/// Looks for a version's place until it stands still.
#[derive(Default)]
pub(super) struct Seeker {
    looks: u32,
    seen: Option<Ballot>,
}

impl Seeker {
    /// `Some(None)`: it is the current version. `None`: it isn't there, or was looked for in vain under the same head.
    pub(super) async fn place_of(&mut self, keeper: &Keeper, id: VersionId) -> Result<Option<Option<Place>>> {
        self.looks += 1;
        if LOOKS_MAX < self.looks {
            return Err(Error::Unavailable("an object changes too fast to find a version of it"));
        }
        let state = read_value(&keeper.shared, &keeper.head()).await?;
        let head = Head::read(state.as_ref())?.ok_or(Error::NotFound(Noun::Object))?;
        let change = state.map(|state| state.change);
        if self.seen == change {
            return Ok(None);
        }
        self.seen = change;
        if head.id() == id {
            return Ok(Some(None));
        }
        Ok(head.history.place(id).map(Some))
    }
}

/// As what a version is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// As the object.
    Current,
    /// By its id, which is the current version's.
    CurrentById,
    Older,
}

/// The object that this version is, if a reader sees one.
pub(super) fn readable(version: StoredVersion, now: Timestamp, asked: Asked) -> Result<StoredObject> {
    let ends = match asked {
        Asked::Current => true,
        Asked::CurrentById => version.id() == VersionId::Null,
        Asked::Older => false,
    };
    match version {
        StoredVersion::Object(object) if ends && object.info.metadata.has_ended(now) => {
            Err(Error::NotFound(Noun::Object))
        }
        StoredVersion::Object(object) => Ok(object),
        StoredVersion::DeleteMarker { id, modified } => {
            Err(Error::DeleteMarker { version: id, modified, is_current: asked == Asked::Current })
        }
    }
}

impl Keeper {
    fn found(&self, version: StoredVersion, body: Option<Bytes>, asked: Asked) -> Result<FoundObject> {
        let StoredObject { info, origin, blobs } = readable(version, self.shared.now(), asked)?;
        Ok(FoundObject { info: shown(info, &self.container), origin, blobs, body })
    }
}

/// What was written before versioning was on is the null version since.
pub(super) fn shown(mut info: ObjectInfo, container: &Container) -> ObjectInfo {
    if container.row.info.versioning != Versioning::Off {
        info.version = info.version.or(Some(VersionId::Null));
    }
    info
}
