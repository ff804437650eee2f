//! Putting a new version on top of a key: an object, or a delete marker.

use martlet_model::{
    Conditions, Deleted, ETagStyle, Error, Noun, ObjectInfo, ObjectMetadata, Result, Timestamp, UploadId,
    VersionId, Versioning,
};
use martlet_protocol::{BlobRef, CarriedBody, RowValue};

use super::check_write;
use super::head::{Head, Moment, Successor};
use super::keeper::{Afterwards, Keeper};
use crate::blob::stage::Staged;
use crate::random::bytes;
use crate::record::live;
use crate::record::object::{
    ListedKind, ListedObject, ObjectRow, Origin, StoredObject, StoredVersion, listed,
};
use crate::record::version::Place;
use crate::row::Verdict;
use crate::row::change::{Decide, Seen, change_by};

/// An object that is about to be put on top.
pub(crate) struct Placing {
    pub(crate) keeper: Keeper,
    /// Its date and version are found out by placing it.
    pub(crate) info: ObjectInfo,
    pub(crate) origin: Option<Origin>,
    pub(crate) blobs: Vec<BlobRef>,
    pub(crate) conditions: Conditions,
    /// What is lost unless a row comes to refer to it.
    pub(crate) staged: Option<Staged>,
}

/// A removal without a version: of the object, or by a delete marker on top.
pub(super) struct Removing {
    pub(super) keeper: Keeper,
    pub(super) conditions: Conditions,
    pub(super) what: Removed,
    pub(super) leaving: Leaving,
}

/// What is left of a removed object where there are versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// A delete marker, as the container's versioning says.
    Marker,
    /// As little as can be: a delete marker that is the null version, and only where there are other versions.
    NoTrace,
}

/// What is removed where a removal doesn't name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// The object that a reader sees.
    Object,
    /// An object that has ended.
    Ended,
}

/// Removes the object if it has ended; `NotFound` otherwise.
pub(crate) async fn remove_ended(keeper: Keeper) -> Result<Deleted> {
    let conditions = Conditions::none(ETagStyle::Swift);
    Removing { keeper, conditions, what: Removed::Ended, leaving: Leaving::NoTrace }.run().await
}

/// What is on top as far as nearly every change needs to know it.
struct Top {
    listed: Option<ListedObject>,
    now: Timestamp,
    /// As it is to be applied; `Off` where versioning has never been on.
    versioning: Versioning,
}

/// What a change puts on top, and what it does about what was there.
struct Step {
    successor: Successor,
    /// `Some`: decide again.
    again: Option<martlet_register::Ballot>,
}

impl Placing {
    pub(crate) async fn run(mut self, body: Option<CarriedBody>) -> Result<ObjectInfo> {
        let (shared, access) = (self.keeper.shared.clone(), self.keeper.head());
        let (info, afterwards) = change_by(&shared, &access, body, &mut self).await?;
        self.keeper.follow_up(afterwards).await;
        Ok(info)
    }

    async fn try_decide(&mut self, seen: Seen<'_>) -> Result<Verdict<(ObjectInfo, Afterwards)>> {
        if let Some(made) = self.made_before(&seen)? {
            return Ok(Verdict::Leave(Ok((made, Afterwards::Nothing))));
        }
        let top = Top::of(&self.keeper, &seen)?;
        check_write(top.object(), &self.conditions)?;
        let modified = top.date();
        if top.versioning == Versioning::Off {
            self.commit();
            let (value, info) = self.value(modified, None, None);
            return Ok(Verdict::Write { value, answer: (info, Afterwards::Nothing) });
        }
        let step = Step::take(&self.keeper, &seen, top.versioning).await?;
        if let Some(above) = step.again {
            return Ok(Verdict::Again { above });
        }
        self.commit();
        let afterwards = step.afterwards();
        let Successor { id, history, keeps_predecessor, .. } = step.successor;
        let (value, info) = self.value(modified, Some(id), Some(history));
        Ok(verdict(value, (info, afterwards), keeps_predecessor))
    }

    /// The object that this very upload has made, if it is the current one. Made of other parts, the upload is over.
    fn made_before(&self, seen: &Seen<'_>) -> Result<Option<ObjectInfo>> {
        let Some(origin) = &self.origin else { return Ok(None) };
        let present = live(seen.predecessor).map(ObjectRow::read).transpose()?;
        let Some(made) = present.and_then(|row| made_by(row.version, origin.upload)) else { return Ok(None) };
        if made.origin.as_ref() == Some(origin) && made.info.content == self.info.content {
            Ok(Some(made.info))
        } else {
            Err(Error::NotFound(Noun::Upload))
        }
    }

    fn commit(&mut self) {
        if let Some(staged) = &mut self.staged {
            staged.commit();
        }
    }

    fn value(
        &self,
        modified: Timestamp,
        version: Option<VersionId>,
        history: Option<crate::record::version::History>,
    ) -> (RowValue, ObjectInfo) {
        let info = ObjectInfo { modified, version, ..self.info.clone() };
        let object =
            StoredObject { info: info.clone(), origin: self.origin.clone(), blobs: self.blobs.clone() };
        (ObjectRow { version: StoredVersion::Object(object), history }.into_value(), info)
    }
}

impl Decide for Placing {
    type Answer = (ObjectInfo, Afterwards);

    async fn decide(&mut self, seen: Seen<'_>) -> Verdict<Self::Answer> {
        self.try_decide(seen).await.unwrap_or_else(|error| Verdict::Leave(Err(error)))
    }
}

impl Removing {
    pub(super) async fn run(mut self) -> Result<Deleted> {
        let (shared, access) = (self.keeper.shared.clone(), self.keeper.head());
        let (deleted, afterwards) = change_by(&shared, &access, None, &mut self).await?;
        self.keeper.follow_up(afterwards).await;
        Ok(deleted)
    }

    async fn try_decide(&mut self, seen: Seen<'_>) -> Result<Verdict<(Deleted, Afterwards)>> {
        let top = Top::of(&self.keeper, &seen)?;
        check_write(top.object(), &self.conditions)?;
        let is_there = match self.what {
            Removed::Object if self.leaving == Leaving::Marker && top.versioning != Versioning::Off => true,
            Removed::Object => top.object().is_some(),
            Removed::Ended => top.has_ended(),
        };
        if !is_there {
            return Err(Error::NotFound(Noun::Object));
        }
        if top.versioning == Versioning::Off {
            let deleted = Deleted { version: None, is_delete_marker: false, was_there: true };
            let answer = (deleted, Afterwards::Nothing);
            return Ok(Verdict::Write { value: RowValue::Tombstone, answer });
        }
        let versioning = match self.leaving {
            Leaving::Marker => top.versioning,
            Leaving::NoTrace => {
                let head = Head::read(seen.predecessor)?.ok_or(Error::NotFound(Noun::Object))?;
                let versioning = quiet(&self.keeper, &head).await?;
                if head.id() == VersionId::Null
                    && let Some(verdict) = self.end(&seen, head).await?
                {
                    return Ok(verdict);
                }
                versioning
            }
        };
        let step = Step::take(&self.keeper, &seen, versioning).await?;
        if let Some(above) = step.again {
            return Ok(Verdict::Again { above });
        }
        let afterwards = step.afterwards();
        let Successor { id, history, keeps_predecessor, .. } = step.successor;
        let version = StoredVersion::DeleteMarker { id, modified: top.date() };
        let value = ObjectRow { version, history: Some(history) }.into_value();
        let was_there = top.object().is_some();
        let deleted = Deleted { version: Some(id), is_delete_marker: true, was_there };
        Ok(verdict(value, (deleted, afterwards), keeps_predecessor))
    }

    /// Removes the null version without a marker, if it is the only version; `None`: it isn't.
    async fn end(&self, seen: &Seen<'_>, mut head: Head) -> Result<Option<Verdict<(Deleted, Afterwards)>>> {
        // What is below a head that may never be chosen says nothing.
        if !seen.is_chosen {
            return Ok(Some(Verdict::Again { above: seen.ballot }));
        }
        if self.keeper.newest_below(&head.history).await?.is_some() {
            return Ok(None);
        }
        if let Some(above) = self.keeper.settle(seen, &mut head.history).await? {
            return Ok(Some(Verdict::Again { above }));
        }
        let deleted = Deleted { version: Some(VersionId::Null), is_delete_marker: false, was_there: true };
        let answer = (deleted, Afterwards::Nothing);
        Ok(Some(Verdict::Write { value: RowValue::Tombstone, answer }))
    }
}

impl Decide for Removing {
    type Answer = (Deleted, Afterwards);

    async fn decide(&mut self, seen: Seen<'_>) -> Verdict<Self::Answer> {
        self.try_decide(seen).await.unwrap_or_else(|error| Verdict::Leave(Err(error)))
    }
}

impl Top {
    fn of(keeper: &Keeper, seen: &Seen<'_>) -> Result<Self> {
        let listed = live(seen.predecessor).map(|live| listed(live.entry)).transpose()?;
        let has_history = listed.as_ref().is_some_and(|listed| listed.version.is_some());
        let versioning = match keeper.container.row.info.versioning {
            // Somebody else knows better: versions are kept once they have been.
            Versioning::Off if has_history => Versioning::Suspended,
            versioning => versioning,
        };
        Ok(Self { listed, now: keeper.shared.now(), versioning })
    }

    /// The object that a reader sees.
    fn object(&self) -> Option<&ListedObject> {
        self.listed.as_ref().filter(|listed| listed.is_object_at(self.now))
    }

    fn has_ended(&self) -> bool {
        self.listed
            .as_ref()
            .is_some_and(|listed| listed.kind != ListedKind::DeleteMarker && !listed.is_object_at(self.now))
    }

    fn date(&self) -> Timestamp {
        self.now.not_before(self.listed.as_ref().map(|listed| listed.modified))
    }
}

impl Step {
    async fn take(keeper: &Keeper, seen: &Seen<'_>, versioning: Versioning) -> Result<Self> {
        let head = Head::read(seen.predecessor)?;
        let moment = Moment { versioning, ballot: seen.ballot, random: bytes(&*keeper.shared.random) };
        let mut successor = Successor::of(head.as_ref(), seen.predecessor, moment);
        let replaced = successor.history.removing.pop_if(|place| Some(*place) == successor.replaced);
        let mut again = keeper.settle(seen, &mut successor.history).await?;
        successor.history.removing.extend(replaced);
        if let (None, Some(head), true) = (again, &head, successor.keeps_predecessor) {
            again = keeper.archive(seen, head).await?;
        }
        Ok(Self { successor, again })
    }

    fn afterwards(&self) -> Afterwards {
        self.successor.replaced.map_or(Afterwards::Nothing, Afterwards::Bury)
    }
}

/// As which versioning would have it a marker is made that replaces no object but the head:
/// with an id of its own where an older version is the null version, unless that is known to be a marker too.
pub(super) async fn quiet(keeper: &Keeper, head: &Head) -> Result<Versioning> {
    let Some(order) = head.history.null_at else { return Ok(Versioning::Suspended) };
    let null = keeper.find(Place { order, id: VersionId::Null }).await?;
    let is_marker = null.is_some_and(|null| null.version.object().is_none());
    Ok(if is_marker { Versioning::Suspended } else { Versioning::Enabled })
}

fn verdict<T>(value: RowValue, answer: T, keeps_predecessor: bool) -> Verdict<T> {
    if keeps_predecessor { Verdict::Supersede { value, answer } } else { Verdict::Write { value, answer } }
}

/// The object, if this upload has made it.
pub(crate) fn made_by(version: StoredVersion, upload: UploadId) -> Option<StoredObject> {
    match version {
        StoredVersion::Object(object)
            if object.origin.as_ref().is_some_and(|origin| origin.upload == upload) =>
        {
            Some(object)
        }
        StoredVersion::Object(_) | StoredVersion::DeleteMarker { .. } => None,
    }
}

impl From<&ListedObject> for ObjectInfo {
    fn from(listed: &ListedObject) -> Self {
        Self::new(listed.content, ObjectMetadata::default(), listed.modified)
    }
}
