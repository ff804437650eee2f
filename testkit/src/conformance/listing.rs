//! Listings of objects: order, pages, prefixes, and a comparison with the most naive lister there is.

use std::collections::BTreeSet;

use bytes::Bytes;
use martlet_model::{
    ContainerId, ETagStyle, ListEntry, ListQuery, NewObject, ObjectEntry, ObjectMetadata, Shape, Store,
};

use super::steps::{create, delete, keys, new_object, object, put, shown, unconditional};
use crate::seeded::Seeded;

/// How many generated questions are compared with the naive lister.
const QUESTIONS: u64 = 400;
/// More pages than any listing here has.
const PAGES_MAX: usize = 200;

pub async fn all(store: &dyn Store) {
    entries_say_what_the_objects_are(store).await;
    a_write_is_listed_as_soon_as_it_is_acknowledged(store).await;
    pages_join_to_the_whole(store).await;
    common_prefixes_are_shown_once(store).await;
    a_prefix_vanishes_with_its_last_object(store).await;
    an_empty_page_is_an_empty_page(store).await;
    a_listing_is_what_a_naive_lister_says(store).await;
    a_listing_by_pages_is_what_a_naive_lister_says(store).await;
}

pub async fn entries_say_what_the_objects_are(store: &dyn Store) {
    let id = create(store, "entries").await;
    let key = object(&id, "key");
    let metadata = ObjectMetadata { content_type: Some("text/css".to_owned()), ..ObjectMetadata::default() };
    let info =
        store.put(&key, NewObject { metadata, ..new_object("body", unconditional()) }).await.expect("stored");
    let page = store.list(&id, &ListQuery::all(10)).await.expect("listed");
    let expected = ObjectEntry {
        key: key.key.clone(),
        content: info.content,
        content_type: Some("text/css".to_owned()),
        modified: info.modified,
        version: None,
        shape: Shape::Plain,
    };
    assert_eq!(page.entries, [ListEntry::Item(expected)]);
    assert_eq!(page.next, None);
    let info = store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await.expect("changed");
    let page = store.list(&id, &ListQuery::all(10)).await.expect("listed");
    match &page.entries[..] {
        [ListEntry::Item(entry)] => {
            assert_eq!(entry.modified, info.modified);
            assert_eq!(entry.content.etag(ETagStyle::Swift), info.content.etag(ETagStyle::Swift));
        }
        other => panic!("{other:?}"),
    }
}

pub async fn a_write_is_listed_as_soon_as_it_is_acknowledged(store: &dyn Store) {
    let id = create(store, "at-once").await;
    let mut expected = BTreeSet::new();
    let mut random = Seeded::new(7);
    for _ in 0..60 {
        let key = format!("{:02}", random.below(20));
        if expected.remove(&key) {
            delete(store, &object(&id, &key)).await;
        } else {
            put(store, &object(&id, &key), "x").await;
            expected.insert(key);
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(keys(store, &id).await, expected);
    }
}

pub async fn pages_join_to_the_whole(store: &dyn Store) {
    let id = create(store, "pages").await;
    let mut expected: Vec<String> = (0..25).map(|number| format!("key-{number:02}")).collect();
    for key in &expected {
        put(store, &object(&id, key), "x").await;
    }
    for limit in [1, 4, 5, 24, 25, 26] {
        let (found, pages) = list_in_pages(store, &id, &ListQuery::all(limit)).await;
        assert_eq!(found, expected);
        // Exact: a full last page doesn't promise another one.
        assert_eq!(pages, expected.len().div_ceil(limit), "pages of {limit}");
    }
    let between =
        ListQuery { marker: Some("key-03".into()), end_marker: Some("key-07".into()), ..ListQuery::all(2) };
    expected.truncate(7);
    assert_eq!(list_in_pages(store, &id, &between).await.0, expected.split_off(4));
}

pub async fn common_prefixes_are_shown_once(store: &dyn Store) {
    let id = create(store, "prefixes").await;
    for key in ["a", "b/1", "b/2", "b/c/3", "b0", "c/", "d//e", "f"] {
        put(store, &object(&id, key), "x").await;
    }
    let query = |prefix: &str, marker: Option<&str>| ListQuery {
        prefix: Bytes::copy_from_slice(prefix.as_bytes()),
        delimiter: Some("/".into()),
        marker: marker.map(|marker| Bytes::copy_from_slice(marker.as_bytes())),
        ..ListQuery::all(100)
    };
    let list = async |query: ListQuery| shown(&store.list(&id, &query).await.expect("listed"));
    assert_eq!(list(query("", None)).await, ["a", "b/", "b0", "c/", "d/", "f"]);
    assert_eq!(list(query("b/", None)).await, ["b/1", "b/2", "b/c/"]);
    assert_eq!(list(query("b", None)).await, ["b/", "b0"]);
    assert_eq!(list(query("d/", None)).await, ["d//"]);
    assert_eq!(list(query("", Some("b/"))).await, ["b0", "c/", "d/", "f"], "the prefix was the last name");
    assert_eq!(list(query("", Some("b/1"))).await, ["b/", "b0", "c/", "d/", "f"], "b/2 is still to come");
    assert_eq!(list(query("", Some("b/c/3"))).await, ["b0", "c/", "d/", "f"]);
    assert_eq!(list(ListQuery { delimiter: Some("".into()), ..query("b/", None) }).await.len(), 3);
    let page = store.list(&id, &ListQuery { limit: 2, ..query("", None) }).await.expect("listed");
    assert_eq!(page.next, Some("b/".into()));
    assert_eq!(page.entries[1], ListEntry::Prefix("b/".into()));
}

pub async fn a_prefix_vanishes_with_its_last_object(store: &dyn Store) {
    let id = create(store, "vanishing").await;
    let query = ListQuery { delimiter: Some("/".into()), ..ListQuery::all(10) };
    for key in ["a/1", "a/2", "b"] {
        put(store, &object(&id, key), "x").await;
    }
    delete(store, &object(&id, "a/1")).await;
    assert_eq!(shown(&store.list(&id, &query).await.expect("listed")), ["a/", "b"]);
    delete(store, &object(&id, "a/2")).await;
    assert_eq!(shown(&store.list(&id, &query).await.expect("listed")), ["b"]);
    put(store, &object(&id, "a/3"), "x").await;
    let first = ListQuery { limit: 1, ..query };
    let page = store.list(&id, &first).await.expect("listed");
    assert_eq!((shown(&page), page.next), (vec!["a/".into()], Some("a/".into())));
}

pub async fn an_empty_page_is_an_empty_page(store: &dyn Store) {
    let id = create(store, "nothing").await;
    put(store, &object(&id, "key"), "x").await;
    for query in [
        ListQuery::all(0),
        ListQuery { prefix: "kez".into(), ..ListQuery::all(10) },
        ListQuery { marker: Some("key".into()), ..ListQuery::all(10) },
        ListQuery { end_marker: Some("key".into()), ..ListQuery::all(10) },
        ListQuery { marker: Some("z".into()), end_marker: Some("a".into()), ..ListQuery::all(10) },
    ] {
        let page = store.list(&id, &query).await.expect("listed");
        assert_eq!((page.entries.len(), &page.next), (0, &None), "{query:?}");
    }
}

pub async fn a_listing_is_what_a_naive_lister_says(store: &dyn Store) {
    let (id, present) = generated(store, "naive").await;
    for seed in 0..QUESTIONS {
        let query = question(&mut Seeded::new(seed));
        let page = store.list(&id, &query).await.expect("listed");
        let (expected, next) = naive(&present, &query);
        assert_eq!((shown(&page), page.next.clone()), (expected, next), "seed {seed}, {query:?}");
        let entry_kinds = page.entries.iter().zip(shown(&page));
        for (entry, name) in entry_kinds {
            let is_prefix = matches!(entry, ListEntry::Prefix(_));
            assert_eq!(is_prefix, query.common_prefix(&name).is_some(), "seed {seed}, {query:?}, {name:?}");
        }
    }
}

pub async fn a_listing_by_pages_is_what_a_naive_lister_says(store: &dyn Store) {
    let (id, present) = generated(store, "naive-pages").await;
    for seed in 0..QUESTIONS / 10 {
        let query = ListQuery { marker: None, ..question(&mut Seeded::new(seed)) };
        let limit = query.limit.max(1);
        let (expected, _) = naive(&present, &ListQuery { limit: usize::MAX, ..query.clone() });
        let (found, _) = list_in_pages(store, &id, &ListQuery { limit, ..query.clone() }).await;
        assert_eq!(found, expected, "seed {seed}, {query:?}");
    }
}

async fn list_in_pages(store: &dyn Store, id: &ContainerId, query: &ListQuery) -> (Vec<Bytes>, usize) {
    let (mut found, mut query) = (Vec::new(), query.clone());
    for pages in 1..PAGES_MAX {
        let page = store.list(id, &query).await.expect("listed");
        assert!(page.entries.len() <= query.limit, "a page is no longer than was asked");
        let names = shown(&page);
        let last = names.last().cloned();
        found.extend(names);
        if page.next.is_none() {
            return (found, pages);
        }
        assert_eq!(page.next, last, "the marker that continues is the last name");
        query.marker = page.next;
    }
    panic!("the listing doesn't end");
}

/// A container in which keys over a small alphabet were put and partly deleted.
async fn generated(store: &dyn Store, name: &str) -> (ContainerId, BTreeSet<Bytes>) {
    let id = create(store, name).await;
    let mut random = Seeded::new(42);
    let mut present = BTreeSet::new();
    for _ in 0..120 {
        let key = name_like(&mut random, 6);
        put(store, &object(&id, &key), "x").await;
        present.insert(Bytes::from(key));
    }
    for key in present.clone() {
        if random.one_in(4) {
            delete(store, &object(&id, &key)).await;
            present.remove(&key);
        }
    }
    (id, present)
}

/// Short names over `a`, `b`, `/` and a letter of two bytes, so that prefixes meet.
fn name_like(random: &mut Seeded, length_max: usize) -> String {
    let letters = ["a", "b", "/", "ü"];
    (0..=random.below(length_max)).filter_map(|_| random.pick(&letters).copied()).collect()
}

fn question(random: &mut Seeded) -> ListQuery {
    let mut maybe = |length_max| (!random.one_in(2)).then(|| Bytes::from(name_like(random, length_max)));
    let prefix = maybe(2).unwrap_or_default();
    let marker = maybe(4);
    let end_marker = maybe(4);
    let delimiter = match random.below(4) {
        0 => None,
        1 => Some("a/".into()),
        _ => Some("/".into()),
    };
    let limit = random.below(12);
    ListQuery { prefix, delimiter, marker, end_marker, limit }
}

/// Looks at every key for every question.
fn naive(present: &BTreeSet<Bytes>, query: &ListQuery) -> (Vec<Bytes>, Option<Bytes>) {
    let mut names: Vec<Bytes> = Vec::new();
    for key in present {
        let is_after = query.marker.as_ref().is_none_or(|marker| marker < key);
        let is_before = query.end_marker.as_ref().is_none_or(|end| key < end);
        if !(is_after && is_before && key.starts_with(&query.prefix)) {
            continue;
        }
        let rest = &key[query.prefix.len()..];
        let cut = query.delimiter.as_ref().and_then(|delimiter| {
            (0..rest.len()).find(|&at| rest[at..].starts_with(delimiter)).map(|at| at + delimiter.len())
        });
        let name = cut.map_or(key.clone(), |cut| key.slice(..query.prefix.len() + cut));
        if names.last() != Some(&name) && query.marker.as_ref() != Some(&name) {
            names.push(name);
        }
    }
    let is_cut = query.limit < names.len();
    names.truncate(query.limit);
    let next = names.last().filter(|_| is_cut).cloned();
    (names, next)
}
