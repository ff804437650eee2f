//! One page of a sorted map.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use martlet_model::{ListEntry, ListQuery, Page};

/// Lists `rows` as `query` asks, and skips over everything below a common prefix.
pub(super) fn page<V, T>(
    rows: &BTreeMap<Bytes, V>,
    query: &ListQuery,
    is_shown: impl Fn(&V) -> bool,
    item: impl Fn(&Bytes, &V) -> T,
) -> Page<T> {
    let mut entries: Vec<ListEntry<T>> = Vec::new();
    let mut last = None;
    let mut from = Some(beginning(query));
    while let Some((name, value)) = from.take().and_then(|from| next(rows, from, query, &is_shown)) {
        let prefix = query.common_prefix(name).map(Bytes::copy_from_slice);
        let shown = prefix.clone().unwrap_or_else(|| name.clone());
        // Where the marker is a common prefix, the listing has already gone past it.
        if query.marker.as_ref() != Some(&shown) {
            if entries.len() >= query.limit {
                return Page { entries, next: last };
            }
            last = Some(shown);
            entries.push(match &prefix {
                Some(prefix) => ListEntry::Prefix(prefix.clone()),
                None => ListEntry::Item(item(name, value)),
            });
        }
        from = match prefix {
            Some(prefix) => end_of(&prefix).map(Bound::Included),
            None => Some(Bound::Excluded(name.clone())),
        };
    }
    Page { entries, next: None }
}

fn beginning(query: &ListQuery) -> Bound<Bytes> {
    match &query.marker {
        Some(marker) if marker >= &query.prefix => Bound::Excluded(marker.clone()),
        _ => Bound::Included(query.prefix.clone()),
    }
}

fn next<'a, V>(
    rows: &'a BTreeMap<Bytes, V>,
    from: Bound<Bytes>,
    query: &ListQuery,
    is_shown: impl Fn(&V) -> bool,
) -> Option<(&'a Bytes, &'a V)> {
    let (name, value) = rows.range((from, Bound::Unbounded)).find(|(_, value)| is_shown(value))?;
    let is_before_end = query.end_marker.as_ref().is_none_or(|end| name < end);
    (name.starts_with(&query.prefix) && is_before_end).then_some((name, value))
}

/// The first name after all that begin with `prefix`; `None`: there is none.
fn end_of(prefix: &[u8]) -> Option<Bytes> {
    let kept = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end.into())
}
