//! Links: they stand for other objects, and have nothing of their own to read.

use martlet_model::{
    Error, Link, ListEntry, ListQuery, Match, Md5, NewObject, NewShape, ObjectId, ObjectInfo, ObjectMetadata,
    Pin, Read, Result, Shape, Store, Usage, VersionKind, VersionQuery,
};

use super::steps::{
    account, container_name, create, delete, if_absent, if_unchanged, new_object, object, put, unconditional,
    versioned,
};

pub async fn all(store: &dyn Store) {
    a_link_says_what_it_stands_for(store).await;
    no_condition_and_no_range_hides_a_link(store).await;
    a_link_is_listed_with_what_it_stands_for(store).await;
    a_link_is_written_and_removed_as_any_object(store).await;
    a_link_stays_one_when_its_metadata_is_replaced(store).await;
    a_link_is_kept_as_a_version(store).await;
}

fn plain() -> Link {
    Link {
        account: None,
        container: container_name("elsewhere"),
        key: object(&super::steps::container("any"), "ü/target").key,
        pin: None,
    }
}

fn pinned() -> Link {
    let pin = Pin { md5: Md5::of(b"target"), bytes: 6, joined: Some(Md5::of(b"joined")) };
    Link { account: Some(account("other")), pin: Some(pin), ..plain() }
}

fn new_link(link: Link) -> NewObject {
    NewObject { shape: NewShape::Link(Box::new(link)), ..new_object("", unconditional()) }
}

/// What is known of a link, which is all that can be had of it.
async fn look(store: &dyn Store, id: &ObjectId) -> ObjectInfo {
    link_of(store.head(id, None, &unconditional()).await)
}

#[track_caller]
fn link_of<T>(outcome: Result<T>) -> ObjectInfo {
    match outcome {
        Err(Error::Link(info)) => *info,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a link was read as an object"),
    }
}

pub async fn a_link_says_what_it_stands_for(store: &dyn Store) {
    let id = create(store, "links").await;
    for (name, link) in [("plain", plain()), ("pinned", pinned())] {
        let key = object(&id, name);
        let stored = store.put(&key, new_link(link.clone())).await.expect("stored");
        assert_eq!(stored.shape, Shape::Link(Box::new(link)));
        assert_eq!((stored.content.bytes, stored.stored_bytes()), (0, 0));
        assert_eq!(look(store, &key).await, stored);
    }
    let target = plain().target(&object(&id, "plain"));
    assert_eq!(target.container.account, account("links"));
    assert_eq!(pinned().target(&object(&id, "pinned")).container.account, account("other"));
}

pub async fn no_condition_and_no_range_hides_a_link(store: &dyn Store) {
    let id = create(store, "links-conditions").await;
    let key = object(&id, "key");
    let stored = store.put(&key, new_link(plain())).await.expect("stored");
    let range = Some(martlet_model::ByteRange::Between { first: 5, last: 9 });
    let other = Match::OneOf(vec!["other".to_owned()]);
    for conditions in [
        unconditional(),
        if_absent(),
        if_unchanged(&stored),
        martlet_model::Conditions { if_match: other, ..unconditional() },
    ] {
        assert_eq!(link_of(store.head(&key, None, &conditions).await), stored);
        assert_eq!(link_of(store.get(&key, Read { version: None, conditions, range }).await), stored);
    }
}

pub async fn a_link_is_listed_with_what_it_stands_for(store: &dyn Store) {
    let id = create(store, "links-listed").await;
    store.put(&object(&id, "a"), new_link(pinned())).await.expect("stored");
    put(store, &object(&id, "b"), "plain").await;
    let page = store.list(&id, &ListQuery::all(10)).await.expect("listed");
    let links: Vec<_> = page
        .entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Item(item) => (item.content.bytes, item.shape.link().cloned()),
            ListEntry::Prefix(_) => panic!("{entry:?}"),
        })
        .collect();
    assert_eq!(links, [(0, Some(pinned())), (5, None)]);
    assert_eq!(store.usage(&id).await.expect("counted"), Usage { objects: 2, bytes: 5 });
}

pub async fn a_link_is_written_and_removed_as_any_object(store: &dyn Store) {
    let id = create(store, "links-written").await;
    let key = object(&id, "key");
    let first = store.put(&key, new_link(plain())).await.expect("stored");
    let only_new = NewObject { conditions: if_absent(), ..new_link(pinned()) };
    let refused = store.put(&key, only_new).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    let same = NewObject { conditions: if_unchanged(&first), ..new_link(pinned()) };
    store.put(&key, same).await.expect("its own ETag is that of no bytes");
    assert_eq!(look(store, &key).await.shape, Shape::Link(Box::new(pinned())));
    put(store, &key, "plain").await;
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("no link any more").shape, Shape::Plain);
    store.put(&key, new_link(plain())).await.expect("stored");
    delete(store, &key).await;
    assert!(matches!(store.head(&key, None, &unconditional()).await, Err(Error::NotFound(_))));
}

pub async fn a_link_stays_one_when_its_metadata_is_replaced(store: &dyn Store) {
    let id = create(store, "links-metadata").await;
    let key = object(&id, "key");
    store.put(&key, new_link(pinned())).await.expect("stored");
    let metadata =
        ObjectMetadata { content_type: Some("application/other".to_owned()), ..ObjectMetadata::default() };
    let changed = store.set_metadata(&key, metadata.clone(), &unconditional()).await.expect("changed");
    assert_eq!(changed.shape, Shape::Link(Box::new(pinned())));
    let found = look(store, &key).await;
    assert_eq!((found.shape, found.metadata), (changed.shape, metadata));
}

pub async fn a_link_is_kept_as_a_version(store: &dyn Store) {
    let id = versioned(store, "links-version").await;
    let key = object(&id, "key");
    let link = store.put(&key, new_link(pinned())).await.expect("stored");
    put(store, &key, "plain").await;
    assert_eq!(link_of(store.head(&key, link.version, &unconditional()).await), link);
    let query = VersionQuery { prefix: "".into(), delimiter: None, after: None, limit: 10 };
    let page = store.versions(&id, &query).await.expect("listed");
    let links: Vec<_> = page
        .entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Item(martlet_model::VersionEntry {
                kind: VersionKind::Object { shape, .. }, ..
            }) => shape.link().cloned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(links, [None, Some(pinned())]);
    // With the version above it gone, it is the current one again.
    let current = store.versions(&id, &query).await.expect("listed").entries;
    let ListEntry::Item(newest) = &current[0] else { panic!("{current:?}") };
    store.delete(&key, Some(newest.version), &unconditional()).await.expect("removed");
    assert_eq!(look(store, &key).await, link);
}
