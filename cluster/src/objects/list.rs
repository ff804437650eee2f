//! Listing a container: its objects, and their versions.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use martlet_model::{
    ContainerId, ListEntry, ListQuery, ObjectEntry, ObjectKey, Page, Result, Timestamp, VersionEntry,
    VersionId, VersionKind, VersionPage, VersionQuery, Versioning,
};
use martlet_protocol::Scope;

use super::head::Head;
use super::keeper::Keeper;
use crate::cluster::Shared;
use crate::container::cache::Container;
use crate::container::find;
use crate::list::{Found, Lister, Question, page};
use crate::record::object::{ListedKind, ListedObject, StoredVersion, listed};
use crate::record::version::Place;
use crate::row::read::read_value;

/// How many keys are looked into at once.
const KEYS_AT_ONCE: usize = 16;

/// One page of what a reader sees. A common prefix below which everything has ended is still shown
/// until the ended objects are removed.
pub(super) async fn objects(
    shared: &Arc<Shared>,
    id: &ContainerId,
    query: &ListQuery,
) -> Result<Page<ObjectEntry>> {
    let container = find(shared, id).await?;
    let now = shared.now();
    let question = Question::of_query(container.row.objects, container.guard(), query);
    let is_versioned = container.row.info.versioning != Versioning::Off;
    page(Lister::new(shared, question), query.limit, |key, entry| {
        let listed = listed(entry)?;
        if !listed.is_object_at(now) {
            return Ok(None);
        }
        let version = listed.version.or(is_versioned.then_some(VersionId::Null));
        let ListedObject { kind: ListedKind::Object(shape), content, content_type, modified, .. } = listed
        else {
            return Ok(None);
        };
        Ok(Some(ObjectEntry { key: ObjectKey::parse(key)?, content, content_type, modified, version, shape }))
    })
    .await
}

/// One page of all versions.
pub(super) async fn versions(
    shared: &Arc<Shared>,
    id: &ContainerId,
    query: &VersionQuery,
) -> Result<VersionPage> {
    let mut versions = Versions {
        shared: shared.clone(),
        container: find(shared, id).await?,
        now: shared.now(),
        query: query.clone(),
        entries: Vec::new(),
    };
    let is_truncated = versions.fill().await?;
    Ok(VersionPage { entries: versions.entries, is_truncated })
}

/// A page of versions that is being filled.
struct Versions {
    shared: Arc<Shared>,
    container: Arc<Container>,
    now: Timestamp,
    query: VersionQuery,
    entries: Vec<ListEntry<VersionEntry>>,
}

impl Versions {
    /// Whether there is more than fits.
    async fn fill(&mut self) -> Result<bool> {
        // No key has a zero byte.
        if self.query.limit == 0 || self.query.prefix.contains(&0) {
            return Ok(false);
        }
        if let Some((key, version)) = self.begun() {
            let rest = self.of_key(key, Some(version)).await?;
            if self.add(rest) {
                return Ok(true);
            }
        }
        let mut lister = Lister::new(&self.shared, self.question());
        loop {
            let mut found = Vec::with_capacity(KEYS_AT_ONCE);
            while found.len() < KEYS_AT_ONCE.min(self.room() + 1) {
                match lister.next().await? {
                    Some(next) => found.push(next),
                    None => break,
                }
            }
            if found.is_empty() {
                return Ok(false);
            }
            let shown = try_join_all(found.into_iter().map(|found| self.shown(found))).await?;
            for shown in shown {
                if self.add(shown) {
                    return Ok(true);
                }
            }
        }
    }

    /// The key that the page before has ended in, and its version.
    fn begun(&self) -> Option<(Bytes, VersionId)> {
        let (key, version) = self.query.after.clone()?;
        let is_shown = key.starts_with(&self.query.prefix) && self.grouping().common_prefix(&key).is_none();
        version.filter(|_| is_shown).map(|version| (key, version))
    }

    fn room(&self) -> usize {
        self.query.limit - self.entries.len()
    }

    /// Whether these are more than fit.
    fn add(&mut self, mut more: Vec<ListEntry<VersionEntry>>) -> bool {
        let is_too_much = self.room() < more.len();
        more.truncate(self.room());
        self.entries.append(&mut more);
        is_too_much
    }

    /// Every key that has a version has a head: heads tell the keys and the common prefixes.
    fn question(&self) -> Question {
        let query = ListQuery {
            marker: self.query.after.as_ref().map(|(key, _)| key.clone()),
            limit: self.query.limit,
            ..self.grouping()
        };
        let question = Question::of_query(self.container.row.objects, self.container.guard(), &query);
        Question { scope: Scope::All, ..question }
    }

    fn grouping(&self) -> ListQuery {
        let (prefix, delimiter) = (self.query.prefix.clone(), self.query.delimiter.clone());
        ListQuery { prefix, delimiter, ..ListQuery::all(0) }
    }

    async fn shown(&self, found: Found) -> Result<Vec<ListEntry<VersionEntry>>> {
        match found {
            // The page before has gone past it.
            Found::Prefix(prefix) if self.query.after.as_ref().is_some_and(|(key, _)| prefix <= *key) => {
                Ok(Vec::new())
            }
            Found::Prefix(prefix) => Ok(vec![ListEntry::Prefix(prefix)]),
            Found::Row { key, entry } => {
                let listed = listed(&entry)?;
                if listed.version.is_some() {
                    return self.of_key(key, None).await;
                }
                let kind = kind_of(&listed);
                let item = self.current(key, VersionId::Null, (listed.modified, kind), listed.delete_at)?;
                Ok(item.map(ListEntry::Item).into_iter().collect())
            }
        }
    }

    /// The versions of one key after this one, the newest first, as they were at one moment; not many more than fit.
    async fn of_key(&self, key: Bytes, after: Option<VersionId>) -> Result<Vec<ListEntry<VersionEntry>>> {
        let keeper = Keeper { shared: self.shared.clone(), container: self.container.clone(), key };
        let mut state = read_value(&self.shared, &keeper.head()).await?;
        loop {
            let Some(head) = Head::read(state.as_ref())? else { return Ok(Vec::new()) };
            let mut items = Vec::new();
            let after = match after {
                None => None,
                Some(id) if id == head.id() => Some(head.place()),
                Some(VersionId::Null) => {
                    head.history.null_at.map(|order| Place { order, id: VersionId::Null })
                }
                Some(id) => Place::of_id(id),
            };
            if after.is_none() {
                let (described, end) = (described(&head.version), ends(&head.version));
                items.extend(self.current(keeper.key.clone(), head.id(), described, end)?);
            }
            if !head.history.may_have_older() {
                return Ok(items.into_iter().map(ListEntry::Item).collect());
            }
            self.add_older(&keeper, &head, after, &mut items).await?;
            // A version that was made current meanwhile was neither there nor here.
            let again = read_value(&self.shared, &keeper.head()).await?;
            let change =
                |state: &Option<martlet_protocol::RowState>| state.as_ref().map(|state| state.change);
            if change(&again) == change(&state) {
                return Ok(items.into_iter().map(ListEntry::Item).collect());
            }
            state = again;
        }
    }

    async fn add_older(
        &self,
        keeper: &Keeper,
        head: &Head,
        after: Option<Place>,
        items: &mut Vec<VersionEntry>,
    ) -> Result<()> {
        let from = after.unwrap_or(head.place());
        let mut lister = keeper.lister(from, self.room().saturating_add(1));
        while items.len() <= self.room() {
            let Some(Found::Row { key, entry }) = lister.next().await? else { break };
            let (_, place) = Place::of_row_key(&key)?;
            if head.history.has(place) {
                let older = listed(&entry)?;
                let described = (older.modified, kind_of(&older));
                items.push(version_entry(keeper.key.clone(), place.id, described)?);
            }
        }
        Ok(())
    }

    /// `None`: it has ended, and isn't kept. What has ended and is kept is nobody's latest version any more.
    fn current(
        &self,
        key: Bytes,
        version: VersionId,
        described: (Timestamp, VersionKind),
        delete_at: Option<Timestamp>,
    ) -> Result<Option<VersionEntry>> {
        let has_ended = delete_at.is_some_and(|end| end <= self.now);
        if has_ended && version == VersionId::Null {
            return Ok(None);
        }
        Ok(Some(VersionEntry { is_latest: !has_ended, ..version_entry(key, version, described)? }))
    }
}

fn version_entry(
    key: Bytes,
    version: VersionId,
    (modified, kind): (Timestamp, VersionKind),
) -> Result<VersionEntry> {
    Ok(VersionEntry { key: ObjectKey::parse(key)?, version, is_latest: false, modified, kind })
}

fn kind_of(listed: &ListedObject) -> VersionKind {
    match &listed.kind {
        ListedKind::DeleteMarker => VersionKind::DeleteMarker,
        ListedKind::Object(shape) => {
            let (content, content_type) = (listed.content, listed.content_type.clone());
            VersionKind::Object { content, content_type, shape: shape.clone() }
        }
    }
}

fn described(version: &StoredVersion) -> (Timestamp, VersionKind) {
    let kind = match version.object() {
        None => VersionKind::DeleteMarker,
        Some(object) => VersionKind::Object {
            content: object.info.content,
            content_type: object.info.metadata.content_type.clone(),
            shape: object.info.shape.clone(),
        },
    };
    (version.modified(), kind)
}

fn ends(version: &StoredVersion) -> Option<Timestamp> {
    version.object().and_then(|object| object.info.metadata.delete_at)
}
