//! Removing one version for good. If it was the current one, the one before is current in the same step.

use martlet_model::{Conditions, Deleted, Error, Noun, ObjectInfo, Result, VersionId};
use martlet_protocol::RowValue;

use super::check_write_of;
use super::head::{Head, object_at};
use super::keeper::{Afterwards, Keeper};
use crate::record::object::{ObjectRow, StoredVersion};
use crate::record::version::History;
use crate::row::Verdict;
use crate::row::change::{Decide, Seen, change_by};

/// A removal of this version.
pub(super) struct RemovingVersion {
    pub(super) keeper: Keeper,
    pub(super) id: VersionId,
    pub(super) conditions: Conditions,
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
        self.check(named)?;
        let named = named.ok_or(Error::NotFound(Noun::Version))?;
        let is_delete_marker = matches!(named, StoredVersion::DeleteMarker { .. });
        let deleted = Deleted { version: Some(self.id), is_delete_marker };
        // What stands on a head that may never be chosen must not remove anything.
        if !seen.is_chosen {
            return Ok(Verdict::Again { above: seen.ballot });
        }
        if let Some(above) = self.keeper.settle(&seen, &mut head.history).await? {
            return Ok(Verdict::Again { above });
        }
        let Some(older) = below else { return self.promote(&seen, head, deleted).await };
        head.history.removing.push(older.place);
        if older.place.id == VersionId::Null {
            head.history.null_at = None;
        }
        let value = head.into_row().into_value();
        Ok(Verdict::Write { value, answer: (deleted, Afterwards::Bury(older.place)) })
    }

    /// Removes the current version: the newest older one comes in its place.
    async fn promote(&self, seen: &Seen<'_>, head: Head, deleted: Deleted) -> Result<Verdict<Answer>> {
        let Some(older) = self.keeper.newest_below(&head.history).await? else {
            let answer = (deleted, Afterwards::Nothing);
            return Ok(Verdict::Write { value: RowValue::Tombstone, answer });
        };
        // The shadow that is left of it has to be cleared under this ballot.
        if seen.ballot <= older.change {
            return Ok(Verdict::Again { above: older.change });
        }
        let mut history = History { order: older.place.order, ..head.history.clone() };
        history.removing.push(head.place());
        if older.place.id == VersionId::Null {
            history.null_at = None;
        }
        let value = ObjectRow { version: older.version, history: Some(history) }.into_value();
        let afterwards = Afterwards::ClearShadow { place: older.place, promoted: seen.ballot };
        Ok(Verdict::Write { value, answer: (deleted, afterwards) })
    }

    fn check(&self, named: Option<&StoredVersion>) -> Result<()> {
        let now = self.keeper.shared.now();
        let object = named.and_then(|version| object_at(version, now));
        let info: Option<&ObjectInfo> = object.map(|object| &object.info);
        check_write_of(info, &self.conditions)
    }
}

impl Decide for RemovingVersion {
    type Answer = Answer;

    async fn decide(&mut self, seen: Seen<'_>) -> Verdict<Self::Answer> {
        self.try_decide(seen).await.unwrap_or_else(|error| Verdict::Leave(Err(error)))
    }
}
