//! Objects: bytes, metadata, dates, ranges.

use martlet_model::{
    ByteRange, Content, Digest, Error, Md5, NewObject, Noun, ObjectMetadata, Read, Span, Store, Timestamp,
};

use super::steps::{
    assert_missing, chunked, create, delete, get, keys, new_object, noise, object, put, read, unconditional,
    user_metadata,
};

/// Sizes around every limit that a store may have inside: blocks of 64 KiB, bodies that ride along up to 1 MiB.
const TELLING_SIZES: [usize; 12] =
    [0, 1, 4096, 65_535, 65_536, 65_537, 131_072, 1_048_575, 1_048_576, 1_048_577, 1_114_112, 3_000_001];

pub async fn all(store: &dyn Store) {
    what_was_put_is_read_back(store).await;
    chunks_leave_no_trace(store).await;
    keys_are_opaque(store).await;
    an_overwrite_replaces_everything(store).await;
    a_deleted_object_is_gone(store).await;
    metadata_is_kept_to_the_letter(store).await;
    new_metadata_leaves_the_bytes(store).await;
    dates_go_forward(store).await;
    any_range_is_exact(store).await;
    a_range_outside_is_refused(store).await;
    containers_are_apart(store).await;
}

pub async fn what_was_put_is_read_back(store: &dyn Store) {
    let id = create(store, "bytes").await;
    for (seed, bytes) in (0..).zip(TELLING_SIZES) {
        let (key, body) = (object(&id, format!("of-{bytes}")), noise(seed, bytes));
        let put = put(store, &key, body.clone()).await;
        let content = Content { bytes: bytes as u64, digest: Digest::Whole(Md5::of(&body)) };
        assert_eq!(put.content, content);
        assert_eq!(get(store, &key).await, body, "{bytes} bytes");
        let head = store.head(&key, None, &unconditional()).await.expect("there");
        assert_eq!(head, put);
        let unread = store
            .get(&key, Read { version: None, conditions: unconditional(), range: None })
            .await
            .expect("there");
        assert_eq!((unread.info, unread.span), (put, Span::whole(bytes as u64)));
    }
}

pub async fn chunks_leave_no_trace(store: &dyn Store) {
    let id = create(store, "chunks").await;
    for (bytes, chunk_bytes, declared) in
        [(10_000, 7, true), (200_000, 65_537, false), (1_500_000, 8192, false), (2_100_000, 131_071, true)]
    {
        let (key, body) = (object(&id, "key"), noise(bytes as u64, bytes));
        let length = declared.then_some(bytes as u64);
        let new = NewObject {
            body: chunked(&body, chunk_bytes),
            bytes: length,
            md5: Some(Md5::of(&body)),
            ..new_object("", unconditional())
        };
        store.put(&key, new).await.expect("stored");
        assert_eq!(get(store, &key).await, body, "{bytes} bytes in chunks of {chunk_bytes}");
    }
}

pub async fn keys_are_opaque(store: &dyn Store) {
    let id = create(store, "odd-keys").await;
    let longest = "k".repeat(1024);
    let mut odd =
        ["..", ".", "a/../b", "//", "/lead", "trail/", "a//b", "\u{1}", "ü", " ", "a\nb", "%2F", &longest];
    for key in odd {
        put(store, &object(&id, key), key.to_owned()).await;
    }
    for key in odd {
        assert_eq!(get(store, &object(&id, key)).await, key);
    }
    odd.sort_unstable();
    assert_eq!(keys(store, &id).await, odd);
}

pub async fn an_overwrite_replaces_everything(store: &dyn Store) {
    let id = create(store, "overwritten").await;
    let key = object(&id, "key");
    let metadata =
        ObjectMetadata { content_type: Some("text/plain".to_owned()), ..ObjectMetadata::default() };
    store.put(&key, NewObject { metadata, ..new_object("first", unconditional()) }).await.expect("stored");
    put(store, &key, noise(1, 1_200_000)).await;
    put(store, &key, "last").await;
    assert_eq!(get(store, &key).await, "last");
    let info = store.head(&key, None, &unconditional()).await.expect("there");
    assert_eq!(info.metadata, ObjectMetadata::default());
    assert_eq!(keys(store, &id).await, ["key"]);
}

pub async fn a_deleted_object_is_gone(store: &dyn Store) {
    let id = create(store, "deleted").await;
    let key = object(&id, "key");
    assert_missing(store.delete(&key, None, &unconditional()).await, Noun::Object);
    put(store, &key, "x").await;
    put(store, &object(&id, "other"), "y").await;
    delete(store, &key).await;
    assert_missing(store.delete(&key, None, &unconditional()).await, Noun::Object);
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    assert_missing(read(store, &key, None).await, Noun::Object);
    assert_missing(store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await, Noun::Object);
    assert_eq!(keys(store, &id).await, ["other"]);
    put(store, &key, "again").await;
    assert_eq!(get(store, &key).await, "again");
}

pub async fn metadata_is_kept_to_the_letter(store: &dyn Store) {
    let id = create(store, "metadata").await;
    let key = object(&id, "key");
    let metadata = every_field();
    let new = NewObject { metadata: metadata.clone(), ..new_object("x", unconditional()) };
    let put = store.put(&key, new).await.expect("stored");
    assert_eq!(put.metadata, metadata);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there").metadata, metadata);
}

pub async fn new_metadata_leaves_the_bytes(store: &dyn Store) {
    let id = create(store, "remetadata").await;
    for (key, bytes) in [("small", 10), ("large", 1_500_000)] {
        let (key, body) = (object(&id, key), noise(3, bytes));
        let new = NewObject { metadata: every_field(), ..new_object(body.clone(), unconditional()) };
        let before = store.put(&key, new).await.expect("stored");
        let changed = ObjectMetadata { user: user_metadata(&[("b", "2")]), ..ObjectMetadata::default() };
        let after = store.set_metadata(&key, changed, &unconditional()).await.expect("changed");
        assert_eq!(after.metadata.content_type, before.metadata.content_type, "kept where none is given");
        assert_eq!(after.metadata.user, user_metadata(&[("b", "2")]));
        assert_eq!(after.metadata.cache_control, None);
        assert_eq!(after.content, before.content);
        assert!(before.modified < after.modified);
        assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), after);
        assert_eq!(get(store, &key).await, body);
        let retyped =
            ObjectMetadata { content_type: Some("image/png".to_owned()), ..ObjectMetadata::default() };
        assert_eq!(
            store.set_metadata(&key, retyped.clone(), &unconditional()).await.expect("changed").metadata,
            retyped
        );
    }
}

pub async fn dates_go_forward(store: &dyn Store) {
    let id = create(store, "dates").await;
    let key = object(&id, "key");
    let mut latest = put(store, &key, "0").await.modified;
    for body in ["1", "2", "3"] {
        let modified = put(store, &key, body).await.modified;
        assert!(latest < modified, "also where the clock stands still");
        latest = modified;
    }
}

pub async fn any_range_is_exact(store: &dyn Store) {
    let id = create(store, "ranges").await;
    for bytes in [10, 65_536, 200_000, 1_048_576, 2_500_000] {
        let (key, body) = (object(&id, format!("of-{bytes}")), noise(4, bytes));
        put(store, &key, body.clone()).await;
        let last = bytes as u64 - 1;
        let middle = bytes as u64 / 2;
        for range in [
            ByteRange::Between { first: 0, last: 0 },
            ByteRange::Between { first: 3, last: 7 },
            ByteRange::Between { first: middle - 1, last: middle + 1 },
            ByteRange::Between { first: last, last: u64::MAX },
            ByteRange::Between { first: middle, last: middle + 65_536 },
            ByteRange::From(0),
            ByteRange::From(last),
            ByteRange::Last(1),
            ByteRange::Last(70_000),
            ByteRange::Last(u64::MAX),
        ] {
            let Some(span) = range.of(bytes as u64) else { continue };
            let (start, end) = (index(span.start), index(span.end));
            let found = read(store, &key, Some(range)).await.expect("read");
            assert_eq!(found, body.slice(start..end), "{range:?} of {bytes}");
        }
    }
}

pub async fn a_range_outside_is_refused(store: &dyn Store) {
    let id = create(store, "outside").await;
    let (key, empty) = (object(&id, "key"), object(&id, "empty"));
    let info = put(store, &key, "0123456789").await;
    put(store, &empty, "").await;
    for (key, range) in [
        (&key, ByteRange::From(10)),
        (&key, ByteRange::Last(0)),
        (&key, ByteRange::Between { first: 11, last: 12 }),
        (&empty, ByteRange::From(0)),
        (&empty, ByteRange::Last(5)),
    ] {
        match read(store, key, Some(range)).await {
            Err(Error::RangeUnsatisfiable(present)) if present.content.bytes == 0 => {}
            Err(Error::RangeUnsatisfiable(present)) => assert_eq!(*present, info),
            other => panic!("{range:?}: {other:?}"),
        }
    }
}

pub async fn containers_are_apart(store: &dyn Store) {
    let (left, right) = (create(store, "apart-left").await, create(store, "apart-right").await);
    put(store, &object(&left, "key"), "left").await;
    assert_missing(store.head(&object(&right, "key"), None, &unconditional()).await, Noun::Object);
    put(store, &object(&right, "key"), "right").await;
    assert_eq!(get(store, &object(&left, "key")).await, "left");
    delete(store, &object(&left, "key")).await;
    assert_eq!(get(store, &object(&right, "key")).await, "right");
}

fn every_field() -> ObjectMetadata {
    ObjectMetadata {
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_disposition: Some("attachment; filename=\"ü\"".to_owned()),
        content_language: Some("de".to_owned()),
        cache_control: Some("no-store".to_owned()),
        expires: Some("never".to_owned()),
        delete_at: Some(Timestamp::from_micros(u64::MAX)),
        dynamic_manifest: Some("container/prefix ü".to_owned()),
        user: user_metadata(&[("a", "ä ö ü"), ("empty", ""), ("mtime", "1700000000.123")]),
    }
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("a small body")
}
