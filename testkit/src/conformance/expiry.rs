//! Objects that end: from that moment on there is none.

use bytes::Bytes;
use martlet_model::{
    ContainerId, Error, ListEntry, NewObject, NewUpload, Noun, ObjectId, ObjectMetadata, Store, Timestamp,
    VersionEntry, VersionId, VersionQuery, Versioning,
};

use super::steps::{
    assert_missing, chosen, completion, create, get, if_absent, if_unchanged, keys, new_object, object, put,
    put_part, read, set_versioning, unconditional, versioned,
};

pub async fn all(store: &dyn Store) {
    an_object_that_has_ended_is_none(store).await;
    an_object_that_has_not_ended_is_one(store).await;
    what_has_ended_is_in_nobodys_way(store).await;
    an_end_is_set_and_taken_back(store).await;
    a_version_that_has_ended_is_kept_by_its_id(store).await;
    an_object_of_parts_ends_too(store).await;
    a_null_version_that_has_ended_is_none(store).await;
    what_has_ended_keeps_no_container(store).await;
}

pub async fn an_object_that_has_ended_is_none(store: &dyn Store) {
    let id = create(store, "ended").await;
    let key = object(&id, "key");
    put_until(store, &key, PAST).await;
    assert_missing(read(store, &key, None).await, Noun::Object);
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    assert_missing(store.set_metadata(&key, until(FUTURE), &unconditional()).await, Noun::Object);
    assert_missing(store.layout(&key, None).await, Noun::Object);
    assert_missing(store.delete(&key, None, &unconditional()).await, Noun::Object);
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
}

pub async fn an_object_that_has_not_ended_is_one(store: &dyn Store) {
    let id = create(store, "not-ended").await;
    let key = object(&id, "key");
    put_until(store, &key, FUTURE).await;
    let info = store.head(&key, None, &unconditional()).await.expect("there");
    assert_eq!(info.metadata.delete_at, Some(FUTURE));
    assert_eq!(get(store, &key).await, "x");
    assert_eq!(keys(store, &id).await, ["key"]);
}

pub async fn what_has_ended_is_in_nobodys_way(store: &dyn Store) {
    let id = create(store, "ended-before").await;
    let key = object(&id, "key");
    let ended = put_until(store, &key, PAST).await;
    let refused = store.put(&key, new_object("y", if_unchanged(&ended))).await;
    assert!(matches!(refused, Err(Error::NothingToMatch)), "{refused:?}");
    let next = store.put(&key, new_object("y", if_absent())).await.expect("absent");
    assert!(ended.modified < next.modified);
    assert_eq!(get(store, &key).await, "y");
}

pub async fn an_end_is_set_and_taken_back(store: &dyn Store) {
    let id = create(store, "end-set").await;
    let key = object(&id, "key");
    put(store, &key, "x").await;
    store.set_metadata(&key, until(FUTURE), &unconditional()).await.expect("there");
    let taken_back =
        store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await.expect("there");
    assert_eq!(taken_back.metadata.delete_at, None);
    store.set_metadata(&key, until(PAST), &unconditional()).await.expect("there until now");
    assert_missing(read(store, &key, None).await, Noun::Object);
}

pub async fn a_version_that_has_ended_is_kept_by_its_id(store: &dyn Store) {
    let id = versioned(store, "ended-version").await;
    let key = object(&id, "key");
    let ended = put_until(store, &key, PAST).await;
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    assert_missing(store.withdraw(&key, None, &unconditional()).await, Noun::Object);
    assert_eq!(store.head(&key, ended.version, &unconditional()).await.expect("kept"), ended);
    assert_eq!(latest(store, &id).await, [(ended.version, false)]);
    let refused = store.delete_container(&id).await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    let next = put(store, &key, "y").await;
    assert_eq!(store.head(&key, ended.version, &unconditional()).await.expect("kept"), ended);
    assert_eq!(latest(store, &id).await, [(next.version, true), (ended.version, false)]);
    let removed = store.delete(&key, ended.version, &unconditional()).await.expect("removed");
    assert_eq!(removed.version, ended.version);
    assert_eq!(latest(store, &id).await, [(next.version, true)]);
}

pub async fn a_null_version_that_has_ended_is_none(store: &dyn Store) {
    let id = versioned(store, "ended-null").await;
    let key = object(&id, "key");
    set_versioning(store, &id, Versioning::Suspended).await;
    put_until(store, &key, PAST).await;
    assert_missing(store.head(&key, Some(VersionId::Null), &unconditional()).await, Noun::Object);
    assert_eq!(latest(store, &id).await, []);
    store.delete_container(&id).await.expect("everything has ended");
}

/// The versions that are listed, and which is the latest.
async fn latest(store: &dyn Store, id: &ContainerId) -> Vec<(Option<VersionId>, bool)> {
    let query = VersionQuery { prefix: Bytes::new(), delimiter: None, after: None, limit: 10 };
    let page = store.versions(id, &query).await.expect("listed");
    let item = |entry| match entry {
        ListEntry::Item(VersionEntry { version, is_latest, .. }) => (Some(version), is_latest),
        ListEntry::Prefix(prefix) => panic!("{prefix:?}"),
    };
    page.entries.into_iter().map(item).collect()
}

pub async fn an_object_of_parts_ends_too(store: &dyn Store) {
    let id = create(store, "ended-upload").await;
    let key = object(&id, "key");
    for (end, is_there) in [(FUTURE, true), (PAST, false)] {
        let new = NewUpload { metadata: until(end), ..NewUpload::default() };
        let upload = store.begin_upload(&key, new).await.expect("begun");
        let part = chosen(&put_part(store, &key, upload, 1, "x").await);
        store.complete_upload(&key, upload, completion(&[part], &unconditional())).await.expect("joined");
        assert_eq!(read(store, &key, None).await.is_ok(), is_there);
    }
}

pub async fn what_has_ended_keeps_no_container(store: &dyn Store) {
    let id = create(store, "ended-all").await;
    let key = object(&id, "key");
    put_until(store, &key, PAST).await;
    put(store, &key, "x").await;
    put_until(store, &object(&id, "other"), PAST).await;
    let refused = store.delete_container(&id).await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    let there = store.head(&key, None, &unconditional()).await.expect("there");
    store.set_metadata(&key, until(PAST), &if_unchanged(&there)).await.expect("there until now");
    store.delete_container(&id).await.expect("everything has ended");
    assert_missing(store.container(&id).await, Noun::Container);
}

/// Before any clock, and after any.
const PAST: Timestamp = Timestamp::from_micros(1);
const FUTURE: Timestamp = Timestamp::from_micros(1 << 60);

fn until(end: Timestamp) -> ObjectMetadata {
    ObjectMetadata { delete_at: Some(end), ..ObjectMetadata::default() }
}

async fn put_until(store: &dyn Store, key: &ObjectId, end: Timestamp) -> martlet_model::ObjectInfo {
    let new = NewObject { metadata: until(end), ..new_object("x", unconditional()) };
    store.put(key, new).await.expect("the object is stored")
}
