//! Pages that the store doesn't give by itself: from the end backwards, and of one directory alone.

use std::collections::VecDeque;
use std::future::Future;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use martlet_auth::Guarded;
use martlet_model::limits::LISTING_ENTRIES_MAX;
use martlet_model::{ContainerId, ListEntry, ListQuery, ObjectEntry, ObjectStore as _, Page, Result};

/// In which order a listing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    /// `reverse`: `marker` is then above what is listed, and `end_marker` below.
    Descending,
}

/// How many directories are looked at together.
const LOOKUPS_AT_ONCE: usize = 16;

/// A page in the order that is asked for, which `fetch` gives in ascending order.
///
/// Backwards everything between the markers is walked through, and the last entries are kept:
/// it costs as much as listing all of that.
pub(super) async fn ordered<T, F>(
    query: ListQuery,
    order: Order,
    mut fetch: impl FnMut(ListQuery) -> F,
) -> Result<Vec<ListEntry<T>>>
where
    F: Future<Output = Result<Page<T>>>,
{
    if order == Order::Ascending {
        return Ok(fetch(query).await?.entries);
    }
    let limit = query.limit;
    let mut ascending = ListQuery {
        marker: query.end_marker,
        end_marker: query.marker,
        limit: if limit == 0 { 0 } else { LISTING_ENTRIES_MAX },
        ..query
    };
    let mut kept = VecDeque::new();
    loop {
        let page = fetch(ascending.clone()).await?;
        kept.extend(page.entries);
        kept.drain(..kept.len().saturating_sub(limit));
        match page.next {
            None => return Ok(kept.into_iter().rev().collect()),
            next => ascending.marker = next,
        }
    }
}

/// A page of what lies directly in a directory (`path`): objects whose names go on without another slash,
/// and those that stand for directories in it, whose names end in one.
pub(super) async fn of_directory(
    store: &Guarded,
    id: &ContainerId,
    query: ListQuery,
) -> Result<Page<ObjectEntry>> {
    let mut query = query;
    let mut entries = Vec::new();
    loop {
        let page = store.list(id, &ListQuery { limit: query.limit - entries.len(), ..query.clone() }).await?;
        let objects = stream::iter(page.entries).map(|entry| object(store, id, &query, entry));
        let objects: Vec<_> = objects.buffered(LOOKUPS_AT_ONCE).try_collect().await?;
        entries.extend(objects.into_iter().flatten());
        if page.next.is_none() || entries.len() >= query.limit {
            return Ok(Page { entries, next: page.next });
        }
        query.marker = page.next;
    }
}

/// The object that an entry of a directory shows; `None`: it shows none, or the directory itself.
async fn object(
    store: &Guarded,
    id: &ContainerId,
    query: &ListQuery,
    entry: ListEntry<ObjectEntry>,
) -> Result<Option<ListEntry<ObjectEntry>>> {
    let name = match &entry {
        ListEntry::Item(item) => {
            return Ok(Some(entry.clone()).filter(|_| *item.key.as_bytes() != query.prefix));
        }
        ListEntry::Prefix(name) => name.clone(),
    };
    // Of the names that begin so, its own is the first.
    let page = store.list(id, &ListQuery { prefix: name.clone(), ..ListQuery::all(1) }).await?;
    let is_its_own = |entry: &ListEntry<ObjectEntry>| match entry {
        ListEntry::Item(item) => *item.key.as_bytes() == name,
        ListEntry::Prefix(_) => false,
    };
    Ok(page.entries.into_iter().next().filter(is_its_own))
}
