//! Whether a history is one that a correct store can have.

use std::collections::BTreeMap;
use std::ops::Bound;

use martlet_testkit::linearizability::{Call, check};

use crate::history::{History, How, Page, Record, Told};

/// So many violations are shown.
const SHOWN_COUNT_MAX: usize = 5;
/// So many calls before a violation are shown with it.
const SHOWN_CALLS: usize = 40;

/// What is wrong with a history, in words. Empty: nothing.
pub(crate) fn violations(history: &History) -> Vec<String> {
    let mut of_paths: BTreeMap<&str, Vec<Seen<'_>>> = BTreeMap::new();
    for record in &history.records {
        of_paths.entry(&record.path).or_default().push(Seen::of(record));
    }
    let mut violations = history.oddities.clone();
    for page in &history.pages {
        violations.extend(take_page(&mut of_paths, page));
    }
    for (path, seen) in &of_paths {
        let calls: Vec<_> = seen.iter().map(|seen| seen.call).collect();
        if let Err(violation) = check(None, &calls) {
            violations.push(format!("{path}: {violation:x?}\n{}", context(seen, violation.call)));
        }
    }
    let more = violations.len().saturating_sub(SHOWN_COUNT_MAX);
    violations.truncate(SHOWN_COUNT_MAX);
    violations.extend((0 < more).then(|| format!("and {more} more")));
    violations
}

/// One call, and how it came about.
struct Seen<'a> {
    call: Call<Told>,
    how: &'a How,
}

impl<'a> Seen<'a> {
    fn of(record: &'a Record) -> Self {
        let Record { told, invoked, returned, how, .. } = record;
        Self { call: Call { step: *told, invoked: *invoked, returned: *returned }, how }
    }
}

/// A page is a read of every object that it shows, and of every one that it would have to show.
fn take_page<'a>(of_paths: &mut BTreeMap<&str, Vec<Seen<'a>>>, page: &'a Page) -> Vec<String> {
    let through = page.through.as_deref().map_or(Bound::Unbounded, Bound::Included);
    let is_within = page.prefix <= page.after;
    let from =
        if is_within { Bound::Excluded(page.after.as_str()) } else { Bound::Included(page.prefix.as_str()) };
    let shown: BTreeMap<_, _> = page.entries.iter().map(|(path, tag)| (path.as_str(), *tag)).collect();
    let unheard = shown.keys().filter(|path| !of_paths.contains_key(**path));
    let mut violations: Vec<_> =
        unheard.map(|path| format!("a listing shows {path}, which nobody wrote: {page}")).collect();
    if shown.len() < page.entries.len() {
        violations.push(format!("a listing shows something twice: {page}"));
    }
    for (path, seen) in of_paths.range_mut::<str, _>((from, through)) {
        if !path.starts_with(&page.prefix) {
            break;
        }
        let step = Told::Found(shown.get(path).copied());
        let call = Call { step, invoked: page.invoked, returned: Some(page.returned) };
        seen.push(Seen { call, how: &page.how });
    }
    violations
}

fn context(seen: &[Seen<'_>], call: usize) -> String {
    let until = seen[call].call.returned.unwrap_or(u64::MAX);
    let mut before: Vec<_> = seen.iter().filter(|seen| seen.call.invoked <= until).collect();
    before.sort_by_key(|seen| seen.call.returned.unwrap_or(u64::MAX).min(until));
    let skipped = before.len().saturating_sub(SHOWN_CALLS);
    let mut text = String::new();
    for Seen { call, how } in &before[skipped..] {
        let line = format!("  {:?}-{:?} {:x?}, {how}\n", call.invoked, call.returned, call.step);
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: How = How { what: "test", proxy: 0, status: 200 };

    fn record(path: &str, told: Told, invoked: u64, returned: u64) -> Record {
        Record { path: path.to_owned(), told, invoked, returned: Some(returned), how: HOW, ended: returned }
    }

    fn page(after: &str, through: Option<&str>, entries: &[(&str, u64)]) -> Page {
        Page {
            prefix: "box/".to_owned(),
            after: after.to_owned(),
            through: through.map(str::to_owned),
            entries: entries.iter().map(|(path, tag)| ((*path).to_owned(), *tag)).collect(),
            invoked: 10,
            returned: 20,
            how: HOW,
        }
    }

    fn written() -> Vec<Record> {
        vec![
            record("box/a", Told::Written(1), 0, 1),
            record("box/b", Told::Written(2), 0, 1),
            record("box/c", Told::Written(3), 0, 1),
            record("cox/a", Told::Written(4), 0, 1),
        ]
    }

    #[track_caller]
    fn check(is_right: bool, page: Page) {
        let history = History { records: written(), pages: vec![page], ..History::default() };
        let violations = violations(&history);
        assert_eq!(violations.is_empty(), is_right, "{violations:?}");
    }

    #[test]
    fn a_listing_shows_what_was_written_before() {
        check(true, page("", None, &[("box/a", 1), ("box/b", 2), ("box/c", 3)]));
        check(false, page("", None, &[("box/a", 1), ("box/c", 3)]));
        check(false, page("", None, &[("box/a", 1), ("box/b", 1), ("box/c", 3)]));
        check(false, page("", None, &[("box/a", 1), ("box/b", 2), ("box/c", 3), ("box/d", 5)]));
        check(false, page("", None, &[("box/a", 1), ("box/b", 2), ("box/b", 2), ("box/c", 3)]));
    }

    #[test]
    fn a_page_says_nothing_about_what_is_before_and_behind_it() {
        check(true, page("box/a", Some("box/b"), &[("box/b", 2)]));
        check(true, page("box/b", None, &[("box/c", 3)]));
        check(false, page("box/a", None, &[("box/c", 3)]));
        check(false, page("", Some("box/b"), &[("box/a", 1)]));
    }

    #[test]
    fn a_listing_beside_a_write_may_show_either() {
        for entries in [&[("box/new", 9)][..], &[]] {
            let records = vec![record("box/new", Told::Written(9), 15, 17)];
            let history = History { records, pages: vec![page("", None, entries)], ..History::default() };
            assert_eq!(violations(&history), Vec::<String>::new());
        }
    }
}
