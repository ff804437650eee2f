//! One page of a listing: one scan of the primary key, which jumps over what a common prefix hides.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;
use martlet_protocol::{ListRows, ListedItem, ListedPrefix, ListedRow, RowPage, Scope};
use martlet_register::Ballot;
use martlet_ring::PlacementHash;
use rusqlite::{Connection, params};

use super::rows::{RowHead, head_of};
use crate::disk::error::DiskError;

/// The most items of a page.
pub const PAGE_ITEMS_MAX: usize = 10_000;

/// Rows that a page looks at beyond those that it answers: what is not shown below a prefix, rows of other partitions.
const STEPS_WITHOUT_ITEM_MAX: usize = 4096;

/// After a prefix that many rows are stepped over before the scan seeks: seeking costs about as much as these steps.
const STEPS_BEFORE_SEEK: usize = 16;

/// The next rows of a table.
pub fn list(connection: &Connection, request: &ListRows, partition_bits: u8) -> Result<RowPage, DiskError> {
    let mut scan = Scan::of(request, partition_bits);
    let end = scan.end();
    let Some(mut start) = scan.start() else { return Ok(RowPage { items: Vec::new(), through: None }) };
    let mut statement = connection.prepare_cached(match end {
        Some(_) => {
            "SELECT key, hash, ballot, checks, objects, bytes, entry FROM rows \
             WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY key"
        }
        None => {
            "SELECT key, hash, ballot, checks, objects, bytes, entry FROM rows \
             WHERE tbl = ?1 AND key >= ?2 ORDER BY key"
        }
    })?;
    loop {
        let table = request.table.as_bytes();
        let mut rows = match &end {
            Some(end) => statement.query(params![table, start, end])?,
            None => statement.query(params![table, start])?,
        };
        let next = loop {
            let Some(row) = rows.next()? else { break Next::End };
            let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if scan.steps_over(key) {
                continue;
            }
            if let Some(past) = scan.seeks(key) {
                break past;
            }
            if scan.is_full() {
                break Next::Full;
            }
            let (head, entry) = head_of(row, 1, request.table, key)?;
            scan.take(key, &head, entry);
        };
        match next {
            Next::Seek(key) => start = key,
            Next::Full => return Ok(scan.page(true)),
            Next::End => return Ok(scan.page(false)),
        }
    }
}

enum Next {
    Seek(Vec<u8>),
    Full,
    End,
}

/// The state of one page.
struct Scan<'a> {
    request: &'a ListRows,
    partition_bits: u8,
    limit: usize,
    items: Vec<Found>,
    /// Keys and entries of the items, one after the other: one allocation for all of them.
    content: Vec<u8>,
    /// The last key that was looked at, if it isn't that of the last item.
    last_passed: Option<Vec<u8>>,
    steps_without_item: usize,
    /// The keys below the last prefix are being stepped over.
    hidden: Option<Hidden>,
}

struct Found {
    key: Range<usize>,
    kind: Kind,
    hash: PlacementHash,
    ballot: Ballot,
}

enum Kind {
    Row { entry: Option<Range<usize>> },
    Prefix { length: usize },
}

struct Hidden {
    prefix: Vec<u8>,
    steps: usize,
}

impl<'a> Scan<'a> {
    fn of(request: &'a ListRows, partition_bits: u8) -> Self {
        Self {
            request,
            partition_bits,
            limit: request.limit.min(PAGE_ITEMS_MAX),
            items: Vec::new(),
            content: Vec::new(),
            last_passed: None,
            steps_without_item: 0,
            hidden: None,
        }
    }

    /// The first key that can be answered; `None`: there is none.
    fn start(&self) -> Option<Vec<u8>> {
        let prefix = self.request.prefix.to_vec();
        let Some(after) = &self.request.after else { return Some(prefix) };
        let start = if self.common_prefix(after) == Some(after.len()) {
            successor(after)?
        } else {
            [after.as_ref(), &[0]].concat()
        };
        Some(start.max(prefix))
    }

    /// The first key that can't be answered any more; `None`: all can.
    fn end(&self) -> Option<Vec<u8>> {
        let before = self.request.before.as_ref().map(|before| before.to_vec());
        match (before, successor(&self.request.prefix)) {
            (Some(before), Some(end)) => Some(before.min(end)),
            (before, end) => before.or(end),
        }
    }

    /// Whether the key is below the prefix that was answered last, and only to be stepped over.
    fn steps_over(&mut self, key: &[u8]) -> bool {
        let Some(hidden) = &mut self.hidden else { return false };
        if !key.starts_with(&hidden.prefix) {
            self.hidden = None;
            return false;
        }
        hidden.steps += 1;
        hidden.steps < STEPS_BEFORE_SEEK
    }

    /// Where to go on, if too many keys are below the prefix that was answered last.
    fn seeks(&mut self, key: &[u8]) -> Option<Next> {
        let hidden = self.hidden.take_if(|hidden| key.starts_with(&hidden.prefix))?;
        Some(successor(&hidden.prefix).map_or(Next::End, Next::Seek))
    }

    /// Whether the page ends before the next key.
    fn is_full(&self) -> bool {
        if self.items.len() == self.limit {
            return true;
        }
        let exhausted = self.steps_without_item >= STEPS_WITHOUT_ITEM_MAX;
        // Whoever asks for what comes after a prefix gets nothing below it, so a page can't end at a key
        // that is a prefix, unless the prefix has been answered.
        exhausted && self.last_passed.as_ref().is_some_and(|key| self.common_prefix(key) != Some(key.len()))
    }

    fn take(&mut self, key: &[u8], head: &RowHead, entry: Option<&[u8]>) {
        let partition = self.request.partition;
        let elsewhere =
            partition.is_some_and(|partition| head.hash.partition(self.partition_bits) != partition);
        let common = self.common_prefix(key);
        let is_shown = self.request.scope == Scope::All || head.weight.objects > 0;
        let entry = entry.filter(|_| is_shown);
        if elsewhere || (common.is_some() && entry.is_none()) {
            self.steps_without_item += 1;
            let last = self.last_passed.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            return;
        }
        self.last_passed = None;
        let kind = match common {
            None => Kind::Row { entry: entry.map(|entry| self.keep(entry)) },
            Some(length) => {
                self.hidden = Some(Hidden { prefix: key[..length].to_vec(), steps: 0 });
                Kind::Prefix { length }
            }
        };
        let key = self.keep(key);
        self.items.push(Found { key, kind, hash: head.hash, ballot: head.ballot });
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.content.len();
        self.content.extend_from_slice(bytes);
        start..self.content.len()
    }

    fn page(self, is_full: bool) -> RowPage {
        let content = Bytes::from(self.content);
        let items = self.items.into_iter().map(|Found { key, kind, hash, ballot }| {
            let key = content.slice(key);
            match kind {
                Kind::Row { entry } => ListedItem::Row(ListedRow {
                    key,
                    hash,
                    ballot,
                    entry: entry.map(|entry| content.slice(entry)),
                }),
                Kind::Prefix { length } => {
                    ListedItem::Prefix(ListedPrefix { prefix: key.slice(..length), key, hash, ballot })
                }
            }
        });
        let items: Vec<_> = items.collect();
        let through = is_full.then(|| match (self.last_passed, items.last()) {
            (Some(key), _) => key.into(),
            (None, Some(ListedItem::Row(row))) => row.key.clone(),
            (None, Some(ListedItem::Prefix(prefix))) => prefix.prefix.clone(),
            (None, None) => Bytes::new(),
        });
        RowPage { items, through }
    }

    /// The length of the common prefix that hides the key.
    fn common_prefix(&self, key: &[u8]) -> Option<usize> {
        let delimiter = self.request.delimiter.as_ref()?;
        let rest = key.strip_prefix(self.request.prefix.as_ref())?;
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter.as_ref())?;
        Some(self.request.prefix.len() + at + delimiter.len())
    }
}

/// The first key after all that begin with `prefix`; `None`: there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| byte.cmp(&u8::MAX) == Ordering::Less)?;
    let mut successor = prefix[..=end].to_vec();
    successor[end] += 1;
    Some(successor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_after_all_that_begin_so() {
        assert_eq!(successor(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
        assert_eq!(successor(b""), None);
    }
}
