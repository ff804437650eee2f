//! A table's rows in order, merged from all devices that hold some of them.
//!
//! Every device answers from what it has. A row is shown as soon as a majority of its replicas say the same;
//! where they differ, the row is read through the register, so that what is listed has been chosen.

mod coverage;
mod lister;
mod merge;
mod prefix;
mod source;

pub(crate) use coverage::Coverage;
pub(crate) use lister::{Found, Lister};

use bytes::Bytes;
use martlet_model::{ListEntry, ListQuery, Page, Result};
use martlet_protocol::{Scope, TableId};
use martlet_ring::Partition;

use crate::container::seal::Sealed;
use crate::row::Guard;

/// What to list, and what it takes to settle a row on which replicas differ.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) table: TableId,
    pub(crate) partition: Option<Partition>,
    pub(crate) prefix: Bytes,
    pub(crate) delimiter: Option<Bytes>,
    pub(crate) after: Option<Bytes>,
    pub(crate) before: Option<Bytes>,
    /// Everything that was ever written to the table, or will be, is wanted: only those who have sealed it are asked.
    pub(crate) sealed: Option<Sealed>,
    pub(crate) guard: Guard,
    /// How many rows the caller thinks it needs.
    pub(crate) expected: usize,
    pub(crate) scope: Scope,
}

impl Question {
    /// Everything in a table.
    pub(crate) fn all(table: TableId, guard: Guard) -> Self {
        Self {
            table,
            partition: None,
            prefix: Bytes::new(),
            delimiter: None,
            after: None,
            before: None,
            sealed: None,
            guard,
            expected: 1000,
            scope: Scope::Counted,
        }
    }

    pub(crate) fn of_query(table: TableId, guard: Guard, query: &ListQuery) -> Self {
        Self {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            after: query.marker.clone(),
            before: query.end_marker.clone(),
            // One more tells whether there is a next page.
            expected: query.limit.saturating_add(1),
            ..Self::all(table, guard)
        }
    }
}

/// One page of a listing; `item` makes an entry of a row's key and entry, or says that it isn't shown.
pub(crate) async fn page<T>(
    mut lister: Lister,
    limit: usize,
    item: impl Fn(Bytes, &Bytes) -> Result<Option<T>>,
) -> Result<Page<T>> {
    let mut entries = Vec::new();
    let mut last = None;
    if limit == 0 {
        return Ok(Page { entries, next: None });
    }
    while let Some(found) = lister.next().await? {
        // Only that of the last one is answered.
        let name = (entries.len() + 1 == limit).then(|| found.name().clone());
        let entry = match found {
            Found::Prefix(prefix) => ListEntry::Prefix(prefix),
            Found::Row { key, entry } => match item(key, &entry)? {
                Some(item) => ListEntry::Item(item),
                None => continue,
            },
        };
        if entries.len() == limit {
            return Ok(Page { entries, next: last });
        }
        last = name.or(last);
        entries.push(entry);
    }
    Ok(Page { entries, next: None })
}
