//! The versions of one key, and what changes do to them: pure.

use bytes::Bytes;
use martlet_model::{
    Conditions, Deleted, Error, Noun, ObjectInfo, PartLayout, Result, Timestamp, Unmet, UploadId, VersionId,
    Versioning,
};

/// The versions of a key, the newest last; never empty in a container.
#[derive(Debug, Default)]
pub(super) struct History(Vec<Version>);

#[derive(Debug)]
pub(super) struct Version {
    pub(super) id: VersionId,
    pub(super) modified: Timestamp,
    /// `None`: a delete marker.
    pub(super) object: Option<Object>,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) info: ObjectInfo,
    pub(super) body: Vec<Bytes>,
    /// The upload that made it, and the parts that it was joined from.
    pub(super) upload: Option<UploadId>,
    pub(super) parts: Vec<PartLayout>,
}

/// What a change is made under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) versioning: Versioning,
    /// The id of a version that is made while versioning is on.
    pub(super) fresh: VersionId,
}

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The versions, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Version> {
        self.0.iter().rev()
    }

    /// The current object, if the current version is one.
    pub(super) fn object(&self) -> Option<&Object> {
        self.0.last()?.object.as_ref()
    }

    /// The current object as seen at `now`: one that has ended is none.
    pub(super) fn live(&self, now: Timestamp) -> Option<&Object> {
        self.object().filter(|object| !object.info.metadata.has_ended(now))
    }

    /// Whether nothing is left of it at `now`: no marker, no older version, and no object that hasn't ended or is kept.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        match &self.0[..] {
            [only] => only.id == VersionId::Null && only.has_ended(now),
            _ => false,
        }
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.0
            .iter()
            .filter_map(|version| version.object.as_ref())
            .map(|object| object.info.stored_bytes())
            .sum()
    }

    /// The version that a reader asks for.
    pub(super) fn find(&self, version: Option<VersionId>, now: Timestamp) -> Result<&Object> {
        let found = match version {
            None => self.0.last().ok_or(Error::NotFound(Noun::Object))?,
            Some(id) => {
                self.0.iter().find(|version| version.id == id).ok_or(Error::NotFound(Noun::Version))?
            }
        };
        let by_own_id = matches!(version, Some(VersionId::Id(_)));
        let is_current = self.0.last().is_some_and(|current| current.id == found.id);
        match &found.object {
            Some(_) if is_current && !by_own_id && found.has_ended(now) => Err(Error::NotFound(Noun::Object)),
            Some(object) => Ok(object),
            None => Err(Error::DeleteMarker {
                version: found.id,
                modified: found.modified,
                is_current: version.is_none(),
            }),
        }
    }

    pub(super) fn find_mut(&mut self, version: Option<VersionId>, now: Timestamp) -> Result<&mut Object> {
        self.find(version, now)?;
        let found = match version {
            None => self.0.last_mut(),
            Some(id) => self.0.iter_mut().find(|version| version.id == id),
        };
        found.and_then(|version| version.object.as_mut()).ok_or(Error::NotFound(Noun::Object))
    }

    /// Puts an object on top; its date is now, or just after its predecessor's.
    pub(super) fn put(&mut self, mut object: Object, moment: Moment) -> ObjectInfo {
        let (id, modified) = self.make_room(moment);
        object.info.modified = modified;
        object.info.version = (moment.versioning != Versioning::Off).then_some(id);
        let info = object.info.clone();
        self.0.push(Version { id, modified, object: Some(object) });
        info
    }

    /// Removes the object, or puts a delete marker on top.
    pub(super) fn delete(&mut self, moment: Moment) -> Result<Deleted> {
        if moment.versioning == Versioning::Off {
            self.find(None, moment.now)?;
            self.0.clear();
            return Ok(Deleted { version: None, is_delete_marker: false, was_there: true });
        }
        let was_there = self.find(None, moment.now).is_ok();
        let (id, modified) = self.make_room(moment);
        self.0.push(Version { id, modified, object: None });
        Ok(Deleted { version: Some(id), is_delete_marker: true, was_there })
    }

    /// Removes one version for good.
    pub(super) fn remove(&mut self, id: VersionId) -> Result<Deleted> {
        let at = self.0.iter().position(|version| version.id == id).ok_or(Error::NotFound(Noun::Version))?;
        let removed = self.0.remove(at);
        Ok(Deleted { version: Some(id), is_delete_marker: removed.object.is_none(), was_there: true })
    }

    /// Takes the current version away, or removes one that is named, and leaves none current.
    pub(super) fn withdraw(&mut self, version: Option<VersionId>, moment: Moment) -> Result<Deleted> {
        if moment.versioning == Versioning::Off {
            return match version {
                None => self.delete(moment),
                Some(id) => self.remove(id),
            };
        }
        let top = self.0.last().map(|version| (version.id, version.modified));
        let mut deleted =
            Deleted { version: Some(VersionId::Null), is_delete_marker: false, was_there: true };
        if let Some(id) = version {
            deleted = self.remove(id)?;
        } else {
            self.live(moment.now).ok_or(Error::NotFound(Noun::Object))?;
            self.0.pop_if(|current| current.id == VersionId::Null);
        }
        let was_current = version == top.map(|(id, _)| id);
        let needs_marker =
            if version.is_none() { !self.0.is_empty() } else { was_current && self.object().is_some() };
        if needs_marker {
            let is_null = |version: &Version| version.id == VersionId::Null && version.object.is_some();
            let id = if self.0.iter().any(is_null) { moment.fresh } else { VersionId::Null };
            self.0.retain(|version| version.id != id);
            let modified = moment.now.not_before(top.map(|(_, modified)| modified));
            self.0.push(Version { id, modified, object: None });
            if version.is_none() {
                deleted = Deleted { version: Some(id), is_delete_marker: true, was_there: true };
            }
        }
        if matches!(&self.0[..], [Version { id: VersionId::Null, object: None, .. }]) {
            self.0.clear();
        }
        Ok(deleted)
    }

    /// The current version has another date.
    pub(super) fn redate(&mut self, modified: Timestamp) {
        if let Some(current) = self.0.last_mut() {
            current.modified = modified;
        }
    }

    /// Takes away what a new version replaces; gives the new version's id and date.
    fn make_room(&mut self, moment: Moment) -> (VersionId, Timestamp) {
        let modified = moment.now.not_before(self.0.last().map(|version| version.modified));
        let id = match moment.versioning {
            Versioning::Enabled => moment.fresh,
            Versioning::Off | Versioning::Suspended => VersionId::Null,
        };
        self.0.retain(|version| version.id != id);
        (id, modified)
    }
}

impl Version {
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.object.as_ref().is_some_and(|object| object.info.metadata.has_ended(now))
    }
}

/// Whether the present object may be replaced or removed.
pub(super) fn check_write(present: Option<&Object>, conditions: &Conditions) -> Result<()> {
    conditions.check_write(present.map(|object| &object.info)).map_err(|unmet| match unmet {
        Unmet::NothingToMatch => Error::NothingToMatch,
        Unmet::PreconditionFailed | Unmet::NotModified => Error::PreconditionFailed,
    })
}

impl Object {
    pub(super) fn new(info: ObjectInfo, body: Vec<Bytes>) -> Self {
        Self { info, body, upload: None, parts: Vec::new() }
    }
}
