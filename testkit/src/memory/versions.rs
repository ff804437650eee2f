//! One page of versions.

use std::collections::BTreeMap;

use bytes::Bytes;
use martlet_model::{
    ListEntry, ListQuery, ObjectKey, Result, Timestamp, VersionEntry, VersionId, VersionKind, VersionPage,
    VersionQuery,
};

use super::history::{History, Version};

pub(super) fn page(
    objects: &BTreeMap<Bytes, History>,
    query: &VersionQuery,
    now: Timestamp,
) -> Result<VersionPage> {
    let mut entries: Vec<ListEntry<VersionEntry>> = Vec::new();
    let grouping =
        ListQuery { prefix: query.prefix.clone(), delimiter: query.delimiter.clone(), ..ListQuery::all(0) };
    for (key, history) in objects.iter().filter(|(key, _)| key.starts_with(&query.prefix)) {
        let shown = match grouping.common_prefix(key) {
            Some(prefix) => vec![ListEntry::Prefix(Bytes::copy_from_slice(prefix))],
            None => items(key, history, now)?,
        };
        for entry in shown.into_iter().skip(skipped(key, history, query, &grouping)) {
            if entries.last() == Some(&entry) {
                continue;
            }
            if entries.len() >= query.limit {
                return Ok(VersionPage { entries, is_truncated: query.limit > 0 });
            }
            entries.push(entry);
        }
    }
    Ok(VersionPage { entries, is_truncated: false })
}

/// How many of a key's entries lie before where the page begins.
fn skipped(key: &Bytes, history: &History, query: &VersionQuery, grouping: &ListQuery) -> usize {
    let Some((after_key, after_version)) = &query.after else { return 0 };
    let shown = grouping.common_prefix(key).unwrap_or(key);
    match (shown.cmp(after_key), after_version) {
        (std::cmp::Ordering::Less, _) | (std::cmp::Ordering::Equal, None) => usize::MAX,
        (std::cmp::Ordering::Greater, _) => 0,
        (std::cmp::Ordering::Equal, Some(id)) => place(history, *id).map_or(0, |place| place + 1),
    }
}

fn place(history: &History, id: VersionId) -> Option<usize> {
    history.newest_first().position(|version| version.id == id)
}

fn items(key: &Bytes, history: &History, now: Timestamp) -> Result<Vec<ListEntry<VersionEntry>>> {
    let key = ObjectKey::parse(key.clone())?;
    let item = |(index, version): (usize, &Version)| {
        let has_ended = index == 0 && version.has_ended(now);
        if has_ended && version.id == VersionId::Null {
            return None;
        }
        let kind = match &version.object {
            None => VersionKind::DeleteMarker,
            Some(object) => VersionKind::Object {
                content: object.info.content,
                content_type: object.info.metadata.content_type.clone(),
                shape: object.info.shape.clone(),
            },
        };
        Some(ListEntry::Item(VersionEntry {
            key: key.clone(),
            version: version.id,
            is_latest: index == 0 && !has_ended,
            modified: version.modified,
            kind,
        }))
    };
    Ok(history.newest_first().enumerate().filter_map(item).collect())
}
