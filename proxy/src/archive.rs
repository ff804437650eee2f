//! Swift's older way to keep what is overwritten: a container names another (`X-Versions-Location`),
//! where the object goes under its name and date before it is replaced.
//!
//! An archived object is called `<length of the name in bytes, three hexadecimal digits><name>/<date>`.
//! Removing an object brings the newest archived one back; with `X-History-Location` it is archived instead,
//! and a marker tells that it was removed.
//!
//! It holds for writes through both dialects. A container may name itself.

use bytes::Bytes;
use martlet_model::limits::LISTING_ENTRIES_MAX;
use martlet_model::store::whole_body;
use martlet_model::{
    Conditions, ContainerId, ContainerInfo, ContainerName, Deleted, ETagStyle, Error, ListEntry, ListQuery,
    Match, NewObject, Noun, ObjectEntry, ObjectId, ObjectInfo, ObjectKey, ObjectMetadata, Result, Setting,
    Store, Timestamp, Unmet,
};
use percent_encoding::percent_decode;

use crate::duplicate::duplicate;

/// What a marker of a removal is said to be, in an archive and where Swift lists versions.
pub(crate) const DELETE_MARKER: &str = "application/x-deleted;swift_versions_deleted=1";

/// Where a container's overwritten objects go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    container: ContainerId,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A removal brings back what was there before.
    Stack,
    /// A removal is kept as well.
    History,
}

/// The container that a location names; it stands there percent-encoded.
pub(crate) fn archive_name(raw: &[u8]) -> Option<ContainerName> {
    let decoded: Vec<u8> = percent_decode(raw).collect();
    ContainerName::parse(&decoded).ok()
}

impl Archive {
    /// `None`: the container keeps nothing in this way.
    pub(crate) fn of(id: &ContainerId, info: &ContainerInfo) -> Option<Self> {
        let stack = info.settings.get(Setting::VersionsLocation).map(|raw| (raw, Mode::Stack));
        let history = info.settings.get(Setting::HistoryLocation).map(|raw| (raw, Mode::History));
        let (raw, mode) = stack.or(history)?;
        let container = ContainerId { account: id.account.clone(), name: archive_name(raw)? };
        Some(Self { container, mode })
    }

    /// Keeps the present object, if there is one and it may be replaced. Gives the date in the name that it has then.
    pub(crate) async fn keep(
        &self,
        store: &dyn Store,
        id: &ObjectId,
        conditions: &Conditions,
    ) -> Result<Option<Timestamp>> {
        let present = present(store, id).await?;
        conditions.check_write(present.as_ref()).map_err(|unmet| match unmet {
            Unmet::NothingToMatch => Error::NothingToMatch,
            Unmet::NotModified | Unmet::PreconditionFailed => Error::PreconditionFailed,
        })?;
        let Some(present) = present else { return Ok(None) };
        let mut at = present.modified;
        loop {
            let kept = self.named(id, at)?;
            match duplicate((store, id, None), (store, &kept), unless_taken()).await {
                Ok(_) | Err(Error::NotFound(Noun::Object)) => return Ok(Some(at)),
                // The same date: it is kept already, or it is another state of the same moment.
                Err(Error::PreconditionFailed) if is_same(store, &kept, &present).await? => {
                    return Ok(Some(at));
                }
                Err(Error::PreconditionFailed) => at = next(at),
                // Without a place to keep it, it isn't overwritten.
                Err(Error::NotFound(_)) => return Err(Error::PreconditionFailed),
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes an object as the mode has it.
    pub(crate) async fn delete(
        &self,
        store: &dyn Store,
        id: &ObjectId,
        conditions: &Conditions,
        now: Timestamp,
    ) -> Result<Deleted> {
        match self.mode {
            Mode::History => {
                let kept = self.keep(store, id, conditions).await?;
                self.mark(store, id, kept.map_or(now, |kept| now.max(next(kept)))).await?;
            }
            Mode::Stack => {
                let present = present(store, id).await?;
                let may_go = conditions.check_write(present.as_ref()).is_ok();
                if may_go && self.restore(store, id, present.is_some()).await? {
                    return Ok(Deleted { version: None, is_delete_marker: false, was_there: true });
                }
            }
        }
        store.delete(id, None, conditions).await
    }

    /// Tells in the archive that the object was removed, at this date or as soon after it as the name is free.
    async fn mark(&self, store: &dyn Store, id: &ObjectId, mut at: Timestamp) -> Result<()> {
        loop {
            let content_type = Some(DELETE_MARKER.to_owned());
            let metadata = ObjectMetadata { content_type, ..ObjectMetadata::default() };
            let marker = NewObject::new(metadata, unless_taken(), whole_body(Bytes::new()));
            match store.put(&self.named(id, at)?, marker).await {
                Ok(_) => return Ok(()),
                Err(Error::PreconditionFailed) => at = next(at),
                Err(Error::NotFound(_)) => return Err(Error::PreconditionFailed),
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the newest archived state back; `false`: there is none, and the object just goes.
    ///
    /// A marker is the state of being removed: an object that is there goes back to it,
    /// and where there is none the marker goes, and what was before it comes back.
    async fn restore(&self, store: &dyn Store, id: &ObjectId, is_present: bool) -> Result<bool> {
        let mut newest_first = self.archived(store, id).await?.into_iter().rev().peekable();
        let marker = match newest_first.peek() {
            None => return Ok(false),
            Some(newest) if is_marker(newest) && is_present => return Ok(false),
            Some(newest) if is_marker(newest) => newest_first.next(),
            Some(_) => None,
        };
        let mut is_restored = false;
        for archived in newest_first.take_while(|archived| !is_marker(archived)) {
            if self.bring_back(store, id, archived.key).await? {
                is_restored = true;
                break;
            }
        }
        if let Some(marker) = marker {
            self.discard(store, marker.key).await?;
            is_restored = true;
        }
        Ok(is_restored)
    }

    /// `false`: the archived object has gone meanwhile.
    async fn bring_back(&self, store: &dyn Store, id: &ObjectId, key: ObjectKey) -> Result<bool> {
        let archived = ObjectId { container: self.container.clone(), key };
        match duplicate((store, &archived, None), (store, id), Conditions::none(ETagStyle::Swift)).await {
            Ok(_) => {}
            Err(Error::NotFound(Noun::Object)) => return Ok(false),
            Err(error) => return Err(error),
        }
        self.discard(store, archived.key).await?;
        Ok(true)
    }

    async fn discard(&self, store: &dyn Store, key: ObjectKey) -> Result<()> {
        let archived = ObjectId { container: self.container.clone(), key };
        match store.delete(&archived, None, &Conditions::none(ETagStyle::Swift)).await {
            Ok(_) | Err(Error::NotFound(Noun::Object)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The archived states of an object, the oldest first: at most as many of the newest as a listing has.
    async fn archived(&self, store: &dyn Store, id: &ObjectId) -> Result<Vec<ObjectEntry>> {
        let mut query = ListQuery { prefix: prefix(id).into(), ..ListQuery::all(LISTING_ENTRIES_MAX) };
        let mut archived = Vec::new();
        loop {
            let page = match store.list(&self.container, &query).await {
                Err(Error::NotFound(_)) => return Ok(archived),
                page => page?,
            };
            archived.extend(page.entries.into_iter().filter_map(|entry| match entry {
                ListEntry::Item(item) => Some(item),
                ListEntry::Prefix(_) => None,
            }));
            archived.drain(..archived.len().saturating_sub(LISTING_ENTRIES_MAX));
            match page.next {
                None => return Ok(archived),
                next => query.marker = next,
            }
        }
    }

    fn named(&self, id: &ObjectId, at: Timestamp) -> Result<ObjectId> {
        let mut name = prefix(id);
        name.extend_from_slice(at.to_string().as_bytes());
        Ok(ObjectId { container: self.container.clone(), key: ObjectKey::parse(name)? })
    }
}

/// The smallest difference between two dates in names.
const TICK_MICROS: u64 = 10;

fn next(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros() + TICK_MICROS)
}

fn prefix(id: &ObjectId) -> Vec<u8> {
    let key = id.key.as_bytes();
    let mut name = format!("{:03x}", key.len()).into_bytes();
    name.extend_from_slice(key);
    name.push(b'/');
    name
}

fn is_marker(entry: &ObjectEntry) -> bool {
    entry.content_type.as_deref() == Some(DELETE_MARKER)
}

fn unless_taken() -> Conditions {
    Conditions { if_none_match: Match::Any, ..Conditions::none(ETagStyle::Swift) }
}

async fn present(store: &dyn Store, id: &ObjectId) -> Result<Option<ObjectInfo>> {
    match store.head(id, None, &Conditions::none(ETagStyle::Swift)).await {
        Ok(info) => Ok(Some(info)),
        Err(Error::Link(info)) => Ok(Some(*info)),
        Err(Error::NotFound(Noun::Object) | Error::DeleteMarker { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether what is kept under a name already is this state of the object.
async fn is_same(store: &dyn Store, kept: &ObjectId, info: &ObjectInfo) -> Result<bool> {
    let there = present(store, kept).await?;
    Ok(there.is_some_and(|there| {
        there.content.bytes == info.content.bytes
            && there.shape == info.shape
            && there.metadata == info.metadata
            && there.content.etag(ETagStyle::Swift) == info.content.etag(ETagStyle::Swift)
    }))
}

#[cfg(test)]
mod tests {
    use martlet_model::AccountName;

    use super::*;

    #[test]
    fn an_archived_object_is_named_after_the_object_and_its_date() {
        let container = ContainerId {
            account: AccountName::parse(b"AUTH_a").unwrap(),
            name: ContainerName::parse(b"box").unwrap(),
        };
        let archive = Archive { container: container.clone(), mode: Mode::Stack };
        let id = ObjectId { container, key: ObjectKey::parse("ü/b").unwrap() };
        let named = archive.named(&id, Timestamp::from_micros(1_700_000_000_123_456)).unwrap();
        assert_eq!(named.key.as_str(), "004ü/b/1700000000.12345");
    }

    #[test]
    fn a_location_is_percent_encoded() {
        assert_eq!(archive_name(b"a%20b").unwrap().as_str(), "a b");
        assert_eq!(archive_name(b"a%2fb"), None);
        assert_eq!(archive_name(b""), None);
    }
}
