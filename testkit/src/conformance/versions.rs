//! Older versions: kept, listed, read, and removed one by one.

use bytes::Bytes;
use futures_util::future::join_all;
use martlet_model::{
    Annotations, AnnotationsChange, Conditions, ContainerChange, ContainerId, Deleted, Error, ListEntry,
    ListQuery, Match, NewUpload, Noun, ObjectId, ObjectInfo, ObjectMetadata, Store, Timestamp, Usage,
    VersionEntry, VersionId, VersionKind, VersionPage, VersionQuery, Versioning,
};

use super::steps::{
    assert_missing, chosen, completion, create, get, if_absent, if_unchanged, keys, new_object, object,
    patiently, put, put_part, read_version, set_versioning, unconditional, versioned,
};

pub async fn all(store: &dyn Store) {
    every_write_makes_a_version(store).await;
    a_delete_puts_a_marker_on_top(store).await;
    a_version_is_removed_for_good(store).await;
    without_its_current_version_the_one_before_is_current(store).await;
    an_object_is_withdrawn_with_its_versions_kept(store).await;
    a_withdrawn_version_leaves_none_current(store).await;
    a_withdrawal_spares_an_older_null_version(store).await;
    without_versions_a_withdrawal_is_a_removal(store).await;
    what_was_there_before_is_the_null_version(store).await;
    a_suspended_container_has_one_null_version(store).await;
    versioning_is_never_off_again(store).await;
    a_container_with_versions_is_not_empty(store).await;
    versions_are_counted(store).await;
    versions_come_in_pages(store).await;
    versions_are_grouped_by_common_prefixes(store).await;
    conditions_look_at_the_version_that_is_named(store).await;
    markers_are_not_listed_as_objects(store).await;
    an_older_version_can_be_annotated(store).await;
    metadata_is_of_the_current_version(store).await;
    an_upload_makes_a_version(store).await;
    a_key_begins_anew(store).await;
    no_version_gets_lost_between_writers(store).await;
    a_version_is_removed_once(store).await;
}

pub async fn every_write_makes_a_version(store: &dyn Store) {
    let id = versioned(store, "versions-kept").await;
    let key = object(&id, "key");
    let mut made = Vec::new();
    for body in ["one", "two", "three"] {
        let info = put(store, &key, body).await;
        assert!(matches!(info.version, Some(VersionId::Id(_))), "{info:?}");
        made.push((info, body));
    }
    assert_eq!(get(store, &key).await, "three");
    for (info, body) in &made {
        assert_eq!(read_version(store, &key, info.version).await.expect("kept"), *body);
        assert_eq!(store.head(&key, info.version, &unconditional()).await.expect("kept"), *info);
    }
    let listed = all_versions(store, &id).await;
    let expected: Vec<_> = made.iter().rev().map(|(info, _)| (info.version, info.modified)).collect();
    let shown: Vec<_> = listed.iter().map(|entry| (Some(entry.version), entry.modified)).collect();
    assert_eq!(shown, expected);
    assert_eq!(listed.iter().map(|entry| entry.is_latest).collect::<Vec<_>>(), [true, false, false]);
}

pub async fn a_delete_puts_a_marker_on_top(store: &dyn Store) {
    let id = versioned(store, "versions-marker").await;
    let key = object(&id, "key");
    let info = put(store, &key, "x").await;
    let Deleted { version, is_delete_marker, was_there } =
        store.delete(&key, None, &unconditional()).await.expect("deleted");
    assert!(is_delete_marker && was_there && version.is_some() && version != info.version);
    let again = store.delete(&key, None, &unconditional()).await.expect("another marker");
    assert!(again.is_delete_marker && !again.was_there && again.version != version);
    store.delete(&key, again.version, &unconditional()).await.expect("the marker is removed");
    let gone = store.head(&key, None, &unconditional()).await;
    assert!(matches!(gone, Err(Error::DeleteMarker { is_current: true, .. })), "{gone:?}");
    let gone = store.head(&key, version, &unconditional()).await;
    assert!(matches!(gone, Err(Error::DeleteMarker { is_current: false, .. })), "{gone:?}");
    assert_eq!(read_version(store, &key, info.version).await.expect("kept"), "x");
    // Where there is nothing, and on top of another marker too.
    for name in ["key", "absent"] {
        let again = store.delete(&object(&id, name), None, &unconditional()).await.expect("marked");
        assert!(again.is_delete_marker && again.version.is_some());
    }
    assert_eq!(all_versions(store, &id).await.len(), 4);
    // Without the markers, the object is back.
    for entry in all_versions(store, &id).await {
        if entry.kind == VersionKind::DeleteMarker {
            let key = ObjectId { container: id.clone(), key: entry.key };
            let removed = store.delete(&key, Some(entry.version), &unconditional()).await.expect("removed");
            assert_eq!(
                removed,
                Deleted { version: Some(entry.version), is_delete_marker: true, was_there: true }
            );
        }
    }
    assert_eq!(get(store, &key).await, "x");
    assert_missing(store.head(&object(&id, "absent"), None, &unconditional()).await, Noun::Object);
}

pub async fn a_version_is_removed_for_good(store: &dyn Store) {
    let id = versioned(store, "versions-removed").await;
    let key = object(&id, "key");
    let one = put(store, &key, "one").await;
    let two = put(store, &key, "two").await;
    let three = put(store, &key, "three").await;
    let removed = store.delete(&key, two.version, &unconditional()).await.expect("removed");
    assert_eq!(removed, Deleted { version: two.version, is_delete_marker: false, was_there: true });
    assert_missing(read_version(store, &key, two.version).await, Noun::Version);
    assert_missing(store.delete(&key, two.version, &unconditional()).await, Noun::Version);
    assert_eq!(ids(&all_versions(store, &id).await), [three.version, one.version]);
    assert_eq!(get(store, &key).await, "three");
    assert_missing(store.delete(&key, Some(VersionId::Null), &unconditional()).await, Noun::Version);
    let never = Some(VersionId::Id([7; 16]));
    assert_missing(store.delete(&key, never, &unconditional()).await, Noun::Version);
    assert_missing(read_version(store, &key, never).await, Noun::Version);
    assert_missing(store.delete(&object(&id, "other"), never, &unconditional()).await, Noun::Version);
}

pub async fn without_its_current_version_the_one_before_is_current(store: &dyn Store) {
    let id = versioned(store, "versions-promoted").await;
    let key = object(&id, "key");
    let mut made = Vec::new();
    for round in 0..4 {
        made.push(put(store, &key, format!("body {round}")).await);
    }
    while let Some(info) = made.pop() {
        assert_eq!(get(store, &key).await, format!("body {}", made.len()));
        assert_eq!(store.head(&key, None, &unconditional()).await.expect("current"), info);
        store.delete(&key, info.version, &unconditional()).await.expect("removed");
        let left: Vec<_> = made.iter().rev().map(|info| info.version).collect();
        assert_eq!(ids(&all_versions(store, &id).await), left);
    }
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    assert_eq!(store.usage(&id).await.expect("counted"), Usage::default());
}

pub async fn an_object_is_withdrawn_with_its_versions_kept(store: &dyn Store) {
    let id = versioned(store, "versions-withdrawn").await;
    let key = object(&id, "key");
    let one = put(store, &key, "one").await;
    let marker = Deleted { version: Some(VersionId::Null), is_delete_marker: true, was_there: true };
    assert_eq!(store.withdraw(&key, None, &unconditional()).await.expect("withdrawn"), marker);
    let gone = store.head(&key, None, &unconditional()).await;
    assert!(matches!(gone, Err(Error::DeleteMarker { is_current: true, .. })), "{gone:?}");
    assert_eq!(read_version(store, &key, one.version).await.expect("kept"), "one");
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), one.version]);
    assert_missing(store.withdraw(&key, None, &unconditional()).await, Noun::Object);
    // The null version goes for good, and the marker that comes for it isn't left alone.
    set_versioning(store, &id, Versioning::Suspended).await;
    put(store, &key, "null").await;
    assert_eq!(store.withdraw(&key, None, &unconditional()).await.expect("withdrawn"), marker);
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), one.version]);
    store.withdraw(&key, one.version, &unconditional()).await.expect("removed");
    assert_eq!(all_versions(store, &id).await, []);
    put(store, &key, "alone").await;
    let removed = Deleted { version: Some(VersionId::Null), is_delete_marker: false, was_there: true };
    assert_eq!(store.withdraw(&key, None, &unconditional()).await.expect("withdrawn"), removed);
    assert_eq!(all_versions(store, &id).await, []);
    assert_eq!(store.usage(&id).await.expect("counted"), Usage::default());
    store.delete_container(&id).await.expect("nothing is left");
}

pub async fn a_withdrawn_version_leaves_none_current(store: &dyn Store) {
    let id = versioned(store, "versions-none-current").await;
    let key = object(&id, "key");
    let mut made = Vec::new();
    for body in ["one", "two", "three"] {
        made.push(put(store, &key, body).await.version);
    }
    let refused = store.withdraw(&key, made[2], &if_absent()).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    let removed = store.withdraw(&key, made[2], &unconditional()).await.expect("removed");
    assert_eq!(removed, Deleted { version: made[2], is_delete_marker: false, was_there: true });
    let gone = store.head(&key, None, &unconditional()).await;
    assert!(matches!(gone, Err(Error::DeleteMarker { is_current: true, .. })), "{gone:?}");
    assert_missing(read_version(store, &key, made[2]).await, Noun::Version);
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), made[1], made[0]]);
    let four = put(store, &key, "four").await;
    store.withdraw(&key, made[1], &unconditional()).await.expect("removed");
    assert_eq!(get(store, &key).await, "four");
    assert_missing(store.withdraw(&key, made[1], &unconditional()).await, Noun::Version);
    // What is below is not current already, so no other marker is needed.
    store.withdraw(&key, four.version, &unconditional()).await.expect("removed");
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), made[0]]);
    store.withdraw(&key, made[0], &unconditional()).await.expect("removed");
    assert_eq!(all_versions(store, &id).await, []);
    let last = put(store, &key, "last").await;
    store.withdraw(&key, last.version, &unconditional()).await.expect("removed");
    assert_eq!(all_versions(store, &id).await, []);
    assert_eq!(store.usage(&id).await.expect("counted"), Usage::default());
}

pub async fn a_withdrawal_spares_an_older_null_version(store: &dyn Store) {
    let id = create(store, "versions-null-spared").await;
    let key = object(&id, "key");
    put(store, &key, "before").await;
    set_versioning(store, &id, Versioning::Enabled).await;
    let one = put(store, &key, "one").await;
    let two = put(store, &key, "two").await;
    for withdrawn in [two.version, None] {
        store.withdraw(&key, withdrawn, &unconditional()).await.expect("withdrawn");
        assert_eq!(read_version(store, &key, Some(VersionId::Null)).await.expect("spared"), "before");
        let listed = all_versions(store, &id).await;
        assert_eq!(listed[0].kind, VersionKind::DeleteMarker);
        assert_eq!(ids(&listed)[1..], [one.version, Some(VersionId::Null)]);
        store.delete(&key, Some(listed[0].version), &unconditional()).await.expect("removed");
        assert_eq!(get(store, &key).await, "one");
    }
}

pub async fn without_versions_a_withdrawal_is_a_removal(store: &dyn Store) {
    let id = create(store, "versions-never").await;
    let key = object(&id, "key");
    assert_missing(store.withdraw(&key, None, &unconditional()).await, Noun::Object);
    put(store, &key, "x").await;
    let removed = Deleted { version: None, is_delete_marker: false, was_there: true };
    assert_eq!(store.withdraw(&key, None, &unconditional()).await.expect("removed"), removed);
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
}

pub async fn what_was_there_before_is_the_null_version(store: &dyn Store) {
    let id = create(store, "versions-before").await;
    let (key, other) = (object(&id, "key"), object(&id, "other"));
    assert_eq!(put(store, &key, "before").await.version, None);
    put(store, &other, "other").await;
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null); 2]);
    set_versioning(store, &id, Versioning::Enabled).await;
    let null = store.head(&key, None, &unconditional()).await.expect("there");
    assert_eq!(null.version, Some(VersionId::Null));
    let after = put(store, &key, "after").await;
    assert_eq!(read_version(store, &key, Some(VersionId::Null)).await.expect("kept"), "before");
    let kept = store.head(&key, Some(VersionId::Null), &unconditional()).await.expect("kept");
    assert_eq!(kept, null);
    store.delete(&key, after.version, &unconditional()).await.expect("removed");
    assert_eq!(get(store, &key).await, "before");
    store.delete(&key, Some(VersionId::Null), &unconditional()).await.expect("removed");
    store.delete(&other, Some(VersionId::Null), &unconditional()).await.expect("removed");
    assert_eq!(all_versions(store, &id).await, []);
}

pub async fn a_suspended_container_has_one_null_version(store: &dyn Store) {
    let id = versioned(store, "versions-suspended").await;
    let key = object(&id, "key");
    let kept = put(store, &key, "kept").await;
    set_versioning(store, &id, Versioning::Suspended).await;
    for body in ["null", "null again"] {
        assert_eq!(put(store, &key, body).await.version, Some(VersionId::Null));
        assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), kept.version]);
    }
    let deleted = store.delete(&key, None, &unconditional()).await.expect("deleted");
    assert_eq!(deleted, Deleted { version: Some(VersionId::Null), is_delete_marker: true, was_there: true });
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), kept.version]);
    set_versioning(store, &id, Versioning::Enabled).await;
    let top = put(store, &key, "top").await;
    assert_eq!(ids(&all_versions(store, &id).await), [top.version, Some(VersionId::Null), kept.version]);
    set_versioning(store, &id, Versioning::Suspended).await;
    put(store, &key, "null on top").await;
    assert_eq!(ids(&all_versions(store, &id).await), [Some(VersionId::Null), top.version, kept.version]);
    store.delete(&key, Some(VersionId::Null), &unconditional()).await.expect("removed");
    assert_eq!(get(store, &key).await, "top");
    assert_eq!(read_version(store, &key, kept.version).await.expect("kept"), "kept");
}

pub async fn versioning_is_never_off_again(store: &dyn Store) {
    let id = create(store, "versions-stay").await;
    set_versioning(store, &id, Versioning::Off).await;
    for versioning in [Versioning::Enabled, Versioning::Suspended, Versioning::Enabled] {
        set_versioning(store, &id, versioning).await;
        assert_eq!(store.container(&id).await.expect("there").versioning, versioning);
        assert_eq!(store.recent_container(&id).await.expect("there").versioning, versioning);
    }
    let off = ContainerChange { versioning: Some(Versioning::Off), ..ContainerChange::default() };
    let refused = store.update_container(&id, off).await;
    assert!(matches!(refused, Err(Error::VersioningStays)), "{refused:?}");
}

pub async fn a_container_with_versions_is_not_empty(store: &dyn Store) {
    let id = versioned(store, "versions-inhabit").await;
    let key = object(&id, "key");
    let info = put(store, &key, "x").await;
    let marker = store.delete(&key, None, &unconditional()).await.expect("deleted").version;
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
    let refused = store.delete_container(&id).await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    store.delete(&key, info.version, &unconditional()).await.expect("removed");
    let refused = store.delete_container(&id).await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    store.delete(&key, marker, &unconditional()).await.expect("removed");
    store.delete_container(&id).await.expect("empty");
}

pub async fn versions_are_counted(store: &dyn Store) {
    let id = versioned(store, "versions-counted").await;
    let key = object(&id, "key");
    let counted = async |objects, bytes| {
        let usage = store.usage(&id).await.expect("counted");
        assert_eq!(usage, Usage { objects, bytes });
        let account = store.account(&id.account).await.expect("summed");
        assert_eq!((account.containers, account.usage), (1, usage));
        let page = store.containers(&id.account, &ListQuery::all(10)).await.expect("listed");
        let [ListEntry::Item(entry)] = &page.entries[..] else { panic!("{page:?}") };
        assert_eq!(entry.usage, usage);
    };
    put(store, &key, "four").await;
    let second = put(store, &key, "twelve bytes").await;
    counted(1, 16).await;
    let marker = store.delete(&key, None, &unconditional()).await.expect("deleted").version;
    counted(0, 16).await;
    store.delete(&key, second.version, &unconditional()).await.expect("removed");
    counted(0, 4).await;
    store.delete(&key, marker, &unconditional()).await.expect("removed");
    counted(1, 4).await;
}

pub async fn versions_come_in_pages(store: &dyn Store) {
    let id = versioned(store, "versions-paged").await;
    for (key, count) in [("a", 1), ("a!", 3), ("b", 2), ("c/1", 4), ("d", 1)] {
        for round in 0..count {
            put(store, &object(&id, key), format!("{round}")).await;
        }
    }
    store.delete(&object(&id, "b"), None, &unconditional()).await.expect("marked");
    let whole = all_versions(store, &id).await;
    assert_eq!(whole.len(), 12);
    let at_once = page(store, &id, &VersionQuery { limit: 12, ..query() }).await;
    assert_eq!(items(&at_once.entries), whole);
    assert!(!at_once.is_truncated);
    for limit in [1, 2, 3, 5, 11] {
        let mut gathered = Vec::new();
        let mut after = None;
        loop {
            let page = page(store, &id, &VersionQuery { limit, after, ..query() }).await;
            gathered.extend(items(&page.entries));
            assert_eq!(page.is_truncated, gathered.len() < whole.len(), "in pages of {limit}");
            if !page.is_truncated {
                break;
            }
            assert_eq!(page.entries.len(), limit);
            after = gathered.last().map(|entry| (entry.key.as_bytes().clone(), Some(entry.version)));
        }
        assert_eq!(gathered, whole, "in pages of {limit}");
    }
    let none = page(store, &id, &VersionQuery { limit: 0, ..query() }).await;
    assert_eq!((none.entries.len(), none.is_truncated), (0, false));
    let after_key = page(store, &id, &VersionQuery { after: Some(("a!".into(), None)), ..query() }).await;
    assert_eq!(items(&after_key.entries), whole[4..]);
    let prefixed = page(store, &id, &VersionQuery { prefix: "a".into(), ..query() }).await;
    assert_eq!(items(&prefixed.entries), whole[..4]);
}

pub async fn versions_are_grouped_by_common_prefixes(store: &dyn Store) {
    let id = versioned(store, "versions-grouped").await;
    for key in ["a", "b/1", "b/1", "b/2", "c", "c", "d/x"] {
        put(store, &object(&id, key), "x").await;
    }
    store.delete(&object(&id, "d/x"), None, &unconditional()).await.expect("marked");
    let grouped = VersionQuery { delimiter: Some("/".into()), ..query() };
    let name = |entry: &ListEntry<VersionEntry>| match entry {
        ListEntry::Item(item) => item.key.as_bytes().clone(),
        ListEntry::Prefix(prefix) => prefix.clone(),
    };
    let names: Vec<Bytes> = page(store, &id, &grouped).await.entries.iter().map(name).collect();
    // Also where there is nothing but a delete marker on top.
    assert_eq!(names, ["a", "b/", "c", "c", "d/"]);
    let after = Some((Bytes::from("b/"), None));
    let rest: Vec<Bytes> =
        page(store, &id, &VersionQuery { after, ..grouped }).await.entries.iter().map(name).collect();
    assert_eq!(rest, ["c", "c", "d/"]);
}

pub async fn conditions_look_at_the_version_that_is_named(store: &dyn Store) {
    let id = versioned(store, "versions-conditions").await;
    let key = object(&id, "key");
    let one = put(store, &key, "one").await;
    let two = put(store, &key, "two").await;
    let refused = store.put(&key, new_object("x", if_absent())).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    let refused = store.delete(&key, one.version, &if_unchanged(&two)).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    let other_size = Conditions { if_bytes: Some(4), ..unconditional() };
    let other_date = Conditions { if_modified_at: Some(Timestamp::from_micros(0)), ..unconditional() };
    for conditions in [other_size, other_date] {
        for version in [one.version, two.version, None] {
            let refused = store.delete(&key, version, &conditions).await;
            assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
        }
    }
    assert_eq!(all_versions(store, &id).await.len(), 2);
    let size = Conditions { if_bytes: Some(3), ..unconditional() };
    store.delete(&key, one.version, &size).await.expect("so large");
    let date = Conditions { if_modified_at: Some(two.modified), ..unconditional() };
    store.delete(&key, None, &date).await.expect("of that date");
    // The current version is a delete marker: there is nothing to match, and nothing in the way.
    let refused = store.put(&key, new_object("x", if_unchanged(&two))).await;
    assert!(matches!(refused, Err(Error::NothingToMatch)), "{refused:?}");
    store.put(&key, new_object("x", if_absent())).await.expect("absent");
    let gone = Conditions { if_match: Match::Any, ..unconditional() };
    let refused = store.delete(&key, one.version, &gone).await;
    assert!(matches!(refused, Err(Error::NothingToMatch)), "{refused:?}");
}

pub async fn markers_are_not_listed_as_objects(store: &dyn Store) {
    let id = versioned(store, "versions-listed").await;
    for key in ["a", "b/1", "c/1", "c/2", "d"] {
        put(store, &object(&id, key), key).await;
    }
    for key in ["a", "b/1", "c/1", "never"] {
        store.delete(&object(&id, key), None, &unconditional()).await.expect("marked");
    }
    assert_eq!(keys(store, &id).await, ["c/2", "d"]);
    let grouped = ListQuery { delimiter: Some("/".into()), ..ListQuery::all(10) };
    let page = store.list(&id, &grouped).await.expect("listed");
    assert_eq!(super::steps::shown(&page), ["c/", "d"]);
    assert_eq!(store.usage(&id).await.expect("counted").objects, 2);
    let one = store.list(&id, &ListQuery::all(1)).await.expect("listed");
    assert_eq!((super::steps::shown(&one), one.next), (vec![Bytes::from("c/2")], Some("c/2".into())));
}

pub async fn an_older_version_can_be_annotated(store: &dyn Store) {
    let id = versioned(store, "versions-annotated").await;
    let key = object(&id, "key");
    let old = put(store, &key, "old").await;
    let new = put(store, &key, "new").await;
    let acl = |text: &'static str| AnnotationsChange { acl: Some(text.into()), tags: None };
    let changed = store.annotate(&key, old.version, acl("of the old")).await.expect("there");
    let annotations = Annotations { acl: Some("of the old".into()), ..Annotations::default() };
    assert_eq!(changed, ObjectInfo { annotations, ..old.clone() });
    assert_eq!(store.head(&key, old.version, &unconditional()).await.expect("kept"), changed);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("current"), new);
    store.annotate(&key, new.version, acl("of the new")).await.expect("there");
    // What was said of it is still said when it is current again.
    store.delete(&key, new.version, &unconditional()).await.expect("removed");
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("current"), changed);
    assert_missing(store.annotate(&key, new.version, acl("x")).await, Noun::Version);
    let marker = store.delete(&key, None, &unconditional()).await.expect("marked").version;
    for (version, is_current) in [(None, true), (marker, false)] {
        match store.annotate(&key, version, acl("x")).await {
            Err(Error::DeleteMarker { is_current: told, .. }) => assert_eq!(told, is_current),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn metadata_is_of_the_current_version(store: &dyn Store) {
    let id = versioned(store, "versions-metadata").await;
    let key = object(&id, "key");
    let old = put(store, &key, "old").await;
    let new = put(store, &key, "new").await;
    let metadata = ObjectMetadata { expires: Some("0".to_owned()), ..ObjectMetadata::default() };
    let changed = store.set_metadata(&key, metadata.clone(), &unconditional()).await.expect("there");
    assert_eq!((changed.version, &changed.metadata), (new.version, &metadata));
    assert!(new.modified < changed.modified);
    assert_eq!(store.head(&key, old.version, &unconditional()).await.expect("kept"), old);
    assert_eq!(ids(&all_versions(store, &id).await), [new.version, old.version]);
    put(store, &key, "newest").await;
    assert_eq!(store.head(&key, new.version, &unconditional()).await.expect("kept"), changed);
    store.delete(&key, None, &unconditional()).await.expect("marked");
    let refused = store.set_metadata(&key, metadata, &unconditional()).await;
    assert!(matches!(refused, Err(Error::DeleteMarker { is_current: true, .. })), "{refused:?}");
}

pub async fn an_upload_makes_a_version(store: &dyn Store) {
    let id = versioned(store, "versions-upload").await;
    let key = object(&id, "key");
    let before = put(store, &key, "before").await;
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let part = chosen(&put_part(store, &key, upload, 1, "joined").await);
    let complete =
        || store.complete_upload(&key, upload, completion(std::slice::from_ref(&part), &unconditional()));
    let info = complete().await.expect("completed");
    assert_eq!(complete().await.expect("the same answer"), info);
    assert_eq!(ids(&all_versions(store, &id).await), [info.version, before.version]);
    assert_eq!(store.layout(&key, None).await.expect("joined").len(), 1);
    put(store, &key, "after").await;
    assert_eq!(read_version(store, &key, info.version).await.expect("kept"), "joined");
    assert_eq!(store.layout(&key, info.version).await.expect("joined").len(), 1);
    assert_eq!(store.layout(&key, None).await.expect("one body"), []);
    assert_missing(complete().await, Noun::Upload);
}

pub async fn a_key_begins_anew(store: &dyn Store) {
    let id = versioned(store, "versions-anew").await;
    let key = object(&id, "key");
    for _ in 0..3 {
        let one = put(store, &key, "one").await;
        let two = put(store, &key, "two").await;
        assert_eq!(ids(&all_versions(store, &id).await), [two.version, one.version]);
        store.delete(&key, one.version, &unconditional()).await.expect("removed");
        store.delete(&key, two.version, &unconditional()).await.expect("removed");
        assert_eq!(all_versions(store, &id).await, []);
        assert_missing(read_version(store, &key, one.version).await, Noun::Object);
    }
    store.delete_container(&id).await.expect("empty");
}

pub async fn no_version_gets_lost_between_writers(store: &dyn Store) {
    let id = versioned(store, "versions-writers").await;
    let key = object(&id, "key");
    let writing = (0..6).map(|writer| {
        let key = &key;
        patiently(move || store.put(key, new_object(format!("by {writer}"), unconditional())))
    });
    let mut made: Vec<_> =
        join_all(writing).await.into_iter().map(|info| info.expect("stored").version).collect();
    let mut listed = ids(&all_versions(store, &id).await);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there").version, listed[0]);
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
}

pub async fn a_version_is_removed_once(store: &dyn Store) {
    let id = versioned(store, "versions-once").await;
    let key = object(&id, "key");
    for round in 0..4 {
        let bottom = put(store, &key, "bottom").await;
        let middle = put(store, &key, "middle").await;
        let top = put(store, &key, "top").await;
        let always = unconditional();
        let removing = [middle.version, top.version, middle.version, top.version].map(|version| {
            let (key, always) = (&key, &always);
            patiently(move || store.delete(key, version, always))
        });
        let outcomes = join_all(removing).await;
        let removed = |version| {
            outcomes
                .iter()
                .filter(|outcome| matches!(outcome, Ok(deleted) if deleted.version == version))
                .count()
        };
        assert_eq!((removed(middle.version), removed(top.version)), (1, 1), "round {round}: {outcomes:?}");
        assert_eq!(get(store, &key).await, "bottom");
        assert_eq!(ids(&all_versions(store, &id).await), [bottom.version]);
        store.delete(&key, bottom.version, &unconditional()).await.expect("removed");
    }
}

fn query() -> VersionQuery {
    VersionQuery { prefix: Bytes::new(), delimiter: None, after: None, limit: 1000 }
}

async fn page(store: &dyn Store, id: &ContainerId, query: &VersionQuery) -> VersionPage {
    store.versions(id, query).await.expect("the versions are listed")
}

async fn all_versions(store: &dyn Store, id: &ContainerId) -> Vec<VersionEntry> {
    items(&page(store, id, &query()).await.entries)
}

fn items(entries: &[ListEntry<VersionEntry>]) -> Vec<VersionEntry> {
    let item = |entry: &ListEntry<VersionEntry>| match entry {
        ListEntry::Item(item) => item.clone(),
        ListEntry::Prefix(prefix) => panic!("no prefix was asked for: {prefix:?}"),
    };
    entries.iter().map(item).collect()
}

fn ids(entries: &[VersionEntry]) -> Vec<Option<VersionId>> {
    entries.iter().map(|entry| Some(entry.version)).collect()
}
