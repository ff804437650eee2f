//! Removing one version for good. If it was the current one, the one before is current in the same step, or none is.

use martlet_model::{Conditions, Deleted, Error, Noun, ObjectInfo, Result, VersionId};
use martlet_protocol::RowValue;

use super::check_write_of;
use super::head::{Head, Moment, Successor, object_at};
use super::keeper::{Afterwards, Keeper, Older};
use super::place::quiet;
use crate::random::bytes;
use crate::record::object::{ObjectRow, StoredVersion};
use crate::record::version::History;
use crate::row::Verdict;
use crate::row::change::{Decide, Seen, change_by};

/// A removal of this version.
pub(super) struct RemovingVersion {
    pub(super) keeper: Keeper,
    pub(super) id: VersionId,
    pub(super) conditions: Conditions,
    pub(super) then: Then,
}

/// What comes of the older versions when the current one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The newest of them is the current one.
    Promote,
    /// None of them is: a delete marker is on top. One that is left alone, and is the null version, goes too.
    Withdraw,
}

type Answer = (Deleted, Afterwards);

impl RemovingVersion {
    pub(super) async fn run(mut self) -> Result<Deleted> {
        let (shared, access) = (self.keeper.shared.clone(), self.keeper.head());
        let (deleted, afterwards) = change_by(&shared, &access, None, &mut self).await?;
        self.keeper.follow_up(afterwards).await;
        Ok(deleted)
    }

    async fn try_decide(&mut self, seen: Seen<'_>) -> Result<Verdict<Answer>> {
        let Some(mut head) = Head::read(seen.predecessor)? else {
            self.check(None)?;
            return Err(Error::NotFound(Noun::Version));
        };
        let is_current = head.id() == self.id;
        let below = match head.history.place(self.id).filter(|_| !is_current) {
            Some(place) => self.keeper.find(place).await?,
            None => None,
        };
        let named = if is_current { Some(&head.version) } else { below.as_ref().map(|older| &older.version) };
        self.check(named.filter(|version| !is_current || self.is_kept(version)))?;
        let named = named.ok_or(Error::NotFound(Noun::Version))?;
        let is_delete_marker = matches!(named, StoredVersion::DeleteMarker { .. });
        let deleted = Deleted { version: Some(self.id), is_delete_marker, was_there: true };
        // What stands on a head that may never be chosen must not remove anything.
        if !seen.is_chosen {
            return Ok(Verdict::Again { above: seen.ballot });
        }
        if let Some(above) = self.keeper.settle(&seen, &mut head.history).await? {
            return Ok(Verdict::Again { above });
        }
        let Some(older) = below else { return self.replace(&seen, head, deleted).await };
        head.history.removing.push(older.place);
        if older.place.id == VersionId::Null {
            head.history.null_at = None;
        }
        let answer = (deleted, Afterwards::Bury(older.place));
        if self.then == Then::Withdraw
            && is_null_marker(&head.version)
            && self.keeper.newest_below(&head.history).await?.is_none()
        {
            return Ok(Verdict::Write { value: RowValue::Tombstone, answer });
        }
        Ok(Verdict::Write { value: head.into_row().into_value(), answer })
    }

    /// Removes the current version.
    async fn replace(&self, seen: &Seen<'_>, head: Head, deleted: Deleted) -> Result<Verdict<Answer>> {
        let older = self.keeper.newest_below(&head.history).await?;
        let Some(older) = older else { return Ok(gone(deleted)) };
        if self.then == Then::Promote {
            return Ok(Self::promote(seen, &head, older, deleted));
        }
        if older.version.object().is_some() {
            return self.cover(seen, &head, deleted).await;
        }
        let below = History { order: older.place.order, null_at: None, ..head.history.clone() };
        if is_null_marker(&older.version) && self.keeper.newest_below(&below).await?.is_none() {
            return Ok(gone(deleted));
        }
        Ok(Self::promote(seen, &head, older, deleted))
    }

    /// A delete marker comes in the place of the current version.
    async fn cover(&self, seen: &Seen<'_>, head: &Head, deleted: Deleted) -> Result<Verdict<Answer>> {
        let random = bytes(&*self.keeper.shared.random);
        let versioning = quiet(&self.keeper, head).await?;
        let moment = Moment { versioning, ballot: seen.ballot, random };
        let Successor { id, mut history, .. } = Successor::of(Some(head), seen.predecessor, moment);
        history.removing.push(head.place());
        let modified = self.keeper.shared.now().not_before(Some(head.version.modified()));
        let version = StoredVersion::DeleteMarker { id, modified };
        let value = ObjectRow { version, history: Some(history) }.into_value();
        Ok(Verdict::Write { value, answer: (deleted, Afterwards::Bury(head.place())) })
    }

    /// The newest older version comes in the place of the current one.
    fn promote(seen: &Seen<'_>, head: &Head, older: Older, deleted: Deleted) -> Verdict<Answer> {
        // The shadow that is left of it has to be cleared under this ballot.
        if seen.ballot <= older.change {
            return Verdict::Again { above: older.change };
        }
        let mut history = History { order: older.place.order, ..head.history.clone() };
        history.removing.push(head.place());
        if older.place.id == VersionId::Null {
            history.null_at = None;
        }
        let value = ObjectRow { version: older.version, history: Some(history) }.into_value();
        let afterwards = Afterwards::ClearShadow { place: older.place, promoted: seen.ballot };
        Verdict::Write { value, answer: (deleted, afterwards) }
    }

    fn check(&self, named: Option<&StoredVersion>) -> Result<()> {
        let info: Option<&ObjectInfo> = named.and_then(StoredVersion::object).map(|object| &object.info);
        check_write_of(info, &self.conditions)
    }

    /// Whether a reader finds the current version by its id.
    fn is_kept(&self, current: &StoredVersion) -> bool {
        current.id() != VersionId::Null || object_at(current, self.keeper.shared.now()).is_some()
    }
}

/// Nothing is left of the key.
fn gone(deleted: Deleted) -> Verdict<Answer> {
    Verdict::Write { value: RowValue::Tombstone, answer: (deleted, Afterwards::Nothing) }
}

fn is_null_marker(version: &StoredVersion) -> bool {
    matches!(version, StoredVersion::DeleteMarker { id: VersionId::Null, .. })
}

impl Decide for RemovingVersion {
    type Answer = Answer;

    async fn decide(&mut self, seen: Seen<'_>) -> Verdict<Self::Answer> {
        self.try_decide(seen).await.unwrap_or_else(|error| Verdict::Leave(Err(error)))
    }
}
