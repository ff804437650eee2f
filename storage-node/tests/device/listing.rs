//! Listings.

use bytes::Bytes;
use martlet_protocol::{ListRows, ListedItem, Replica, RowValue, Scope};
use martlet_ring::Partition;
use martlet_storage_node::Device;

use crate::support::{Bench, PARTITION_BITS, accept, ballot, live, row, row_in, table};

fn all() -> ListRows {
    ListRows {
        table: table(1),
        partition: None,
        prefix: Bytes::new(),
        delimiter: None,
        after: None,
        before: None,
        limit: 1000,
        scope: Scope::All,
    }
}

fn by_slash() -> ListRows {
    ListRows { delimiter: Some(Bytes::from_static(b"/")), ..all() }
}

fn text(bytes: &'static str) -> Bytes {
    Bytes::from_static(bytes.as_bytes())
}

/// `key`, `key†` for a tombstone, `prefix*` for a prefix; and how far the page goes.
async fn page(device: &Device, request: ListRows) -> (Vec<String>, Option<String>) {
    let shown = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let page = device.list(request).await.unwrap();
    let items = page.items.iter().map(|item| match item {
        ListedItem::Row(row) if row.entry.is_none() => format!("{}†", shown(&row.key)),
        ListedItem::Row(row) => shown(&row.key),
        ListedItem::Prefix(prefix) => format!("{}*", shown(&prefix.prefix)),
    });
    (items.collect(), page.through.map(|through| shown(&through)))
}

async fn check(device: &Device, request: ListRows, items: &[&str], through: Option<&str>) {
    assert_eq!(
        page(device, request).await,
        (items.iter().map(ToString::to_string).collect(), through.map(str::to_owned))
    );
}

async fn device_with(bench: &Bench, keys: &[&str]) -> Device {
    let device = bench.create();
    for key in keys {
        let (key, value) = match key.strip_suffix('†') {
            Some(key) => (key, RowValue::Tombstone),
            None => (*key, live(key, vec![])),
        };
        device.accept(accept(&row(key), ballot(10), value)).await.unwrap();
    }
    device.accept(accept(&row_in(table(0), "y"), ballot(10), live("other", vec![]))).await.unwrap();
    device.accept(accept(&row_in(table(2), "b"), ballot(10), live("other", vec![]))).await.unwrap();
    device
}

#[tokio::test]
async fn a_listing_has_the_rows_of_its_table_in_order() {
    let bench = Bench::new();
    let device = device_with(&bench, &["b", "a", "c†", "\u{7f}"]).await;
    check(&device, all(), &["a", "b", "c†", "\u{7f}"], None).await;
    check(&device, ListRows { after: Some(text("a")), ..all() }, &["b", "c†", "\u{7f}"], None).await;
    check(&device, ListRows { before: Some(text("c")), ..all() }, &["a", "b"], None).await;
    check(&device, ListRows { limit: 2, ..all() }, &["a", "b"], Some("b")).await;
    check(&device, ListRows { limit: 4, ..all() }, &["a", "b", "c†", "\u{7f}"], None).await;
    check(&device, ListRows { table: table(9), ..all() }, &[], None).await;
}

#[tokio::test]
async fn a_listed_row_says_what_it_is() {
    let bench = Bench::new();
    let device = device_with(&bench, &["a"]).await;
    let page = device.list(all()).await.unwrap();
    let ListedItem::Row(listed) = &page.items[0] else { panic!("a row") };
    assert_eq!((listed.hash, listed.ballot, &listed.entry), (row("a").hash, ballot(10), &Some(text("a"))));
}

#[tokio::test]
async fn a_prefix_limits_the_listing() {
    let bench = Bench::new();
    let device = device_with(&bench, &["a", "ab", "ab/c", "abc", "ac"]).await;
    check(&device, ListRows { prefix: text("ab"), ..all() }, &["ab", "ab/c", "abc"], None).await;
    let after = ListRows { prefix: text("ab"), after: Some(text("ab/c")), ..all() };
    check(&device, after, &["abc"], None).await;
    let before = ListRows { prefix: text("ab"), after: Some(text("a")), before: Some(text("abc")), ..all() };
    check(&device, before, &["ab", "ab/c"], None).await;
    check(&device, ListRows { prefix: text("ab"), after: Some(text("b")), ..all() }, &[], None).await;
}

#[tokio::test]
async fn keys_behind_a_delimiter_are_one_prefix() {
    let bench = Bench::new();
    let device = device_with(&bench, &["a", "b/1", "b/2", "b/c/3", "c/†", "c/1", "d/1†", "e/", "f"]).await;
    check(&device, by_slash(), &["a", "b/*", "c/*", "e/*", "f"], None).await;
    check(&device, ListRows { limit: 2, ..by_slash() }, &["a", "b/*"], Some("b/")).await;
    check(&device, ListRows { after: Some(text("b/")), ..by_slash() }, &["c/*", "e/*", "f"], None).await;
    check(&device, ListRows { after: Some(text("b/1")), limit: 1, ..by_slash() }, &["b/*"], Some("b/")).await;
    check(&device, ListRows { prefix: text("b/"), ..by_slash() }, &["b/1", "b/2", "b/c/*"], None).await;
    let inner = ListRows { prefix: text("b/"), after: Some(text("b/c/")), ..by_slash() };
    check(&device, inner, &[], None).await;
}

#[tokio::test]
async fn a_prefix_brings_its_first_live_row_as_evidence() {
    let bench = Bench::new();
    let device = device_with(&bench, &["p/1†", "p/2", "p/3"]).await;
    let page = device.list(by_slash()).await.unwrap();
    let ListedItem::Prefix(prefix) = &page.items[0] else { panic!("a prefix") };
    assert_eq!((&prefix.prefix, &prefix.key, prefix.hash), (&text("p/"), &text("p/2"), row("p/2").hash));
}

#[tokio::test]
async fn a_partition_has_only_its_own_rows() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    let device = device_with(&bench, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut listed = Vec::new();
    for partition in (0..1 << PARTITION_BITS).map(Partition) {
        let (items, _) = page(&device, ListRows { partition: Some(partition), ..all() }).await;
        assert!(items.iter().all(|key| row(key).hash.partition(PARTITION_BITS) == partition));
        listed.extend(items);
    }
    listed.sort_unstable();
    assert_eq!(listed, keys);
}

#[tokio::test]
async fn pages_of_a_listing_full_of_removed_keys_are_bounded_and_lose_nothing() {
    let bench = Bench::new();
    let device = bench.create();
    // `p/` is itself a key, and the page's end must not fall on it.
    let mut removed: Vec<String> = (0..4095).map(|number| format!("a/{number:05}")).collect();
    removed.push("p/".to_owned());
    removed.extend((0..5000).map(|number| format!("p/{number:05}")));
    let writes: Vec<_> = removed
        .into_iter()
        .map(|key| {
            let device = device.clone();
            tokio::spawn(
                async move { device.accept(accept(&row(&key), ballot(10), RowValue::Tombstone)).await },
            )
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    device.accept(accept(&row("p/x"), ballot(10), live("x", vec![]))).await.unwrap();
    let (mut after, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let (items, through) = page(&device, ListRows { after, ..by_slash() }).await;
        found.extend(items);
        pages += 1;
        let Some(through) = through else { break };
        after = Some(Bytes::from(through.into_bytes()));
    }
    assert_eq!(found, ["p/*"]);
    assert!(pages > 2, "{pages} pages");
}
