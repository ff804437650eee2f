//! Conditional requests, evaluated on what is there at commit.

use martlet_model::{
    Conditions, ETagStyle, Error, Match, Md5, NewUpload, Noun, ObjectMetadata, Read, Result, Store,
    Timestamp, limits::PART_BYTES_MIN,
};

use super::steps::{
    assert_missing, chosen, completion, create, delete, get, if_absent, if_unchanged, new_object, noise,
    object, put, put_part, unconditional,
};

pub async fn all(store: &dyn Store) {
    a_conditional_write_happens_only_if_it_holds(store).await;
    a_conditional_delete_happens_only_if_it_holds(store).await;
    a_conditional_change_of_metadata_happens_only_if_it_holds(store).await;
    a_reader_with_a_good_copy_gets_nothing_new(store).await;
    a_reader_of_something_else_is_told(store).await;
    etags_are_those_of_the_dialect(store).await;
}

pub async fn a_conditional_write_happens_only_if_it_holds(store: &dyn Store) {
    let id = create(store, "conditional-put").await;
    for bytes in [10, 1_500_000] {
        let key = object(&id, format!("of-{bytes}"));
        let body = |seed| noise(seed, bytes);
        let first = store.put(&key, new_object(body(1), if_absent())).await.expect("absent");
        let refused = store.put(&key, new_object(body(2), if_absent())).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
        assert_eq!(get(store, &key).await, body(1));
        let second = store.put(&key, new_object(body(3), if_unchanged(&first))).await.expect("unchanged");
        let refused = store.put(&key, new_object(body(4), if_unchanged(&first))).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
        assert_eq!(get(store, &key).await, body(3));
        assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), second);
        delete(store, &key).await;
        let refused = store.put(&key, new_object(body(5), if_unchanged(&second))).await;
        assert!(matches!(refused, Err(Error::NothingToMatch)), "{refused:?}");
        store.put(&key, new_object(body(6), if_absent())).await.expect("absent again");
    }
}

pub async fn a_conditional_delete_happens_only_if_it_holds(store: &dyn Store) {
    let id = create(store, "conditional-delete").await;
    let key = object(&id, "key");
    let info = put(store, &key, "x").await;
    let other = if_match(&Md5::of(b"other").to_string());
    let refused = store.delete(&key, None, &other).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    assert_eq!(get(store, &key).await, "x");
    store.delete(&key, None, &if_unchanged(&info)).await.expect("unchanged");
    let refused = store.delete(&key, None, &if_unchanged(&info)).await;
    assert!(matches!(refused, Err(Error::NothingToMatch)), "{refused:?}");
}

pub async fn a_conditional_change_of_metadata_happens_only_if_it_holds(store: &dyn Store) {
    let id = create(store, "conditional-metadata").await;
    let key = object(&id, "key");
    let info = put(store, &key, "x").await;
    let changed =
        || ObjectMetadata { cache_control: Some("no-store".to_owned()), ..ObjectMetadata::default() };
    for conditions in [if_match(&Md5::of(b"other").to_string()), if_absent()] {
        let refused = store.set_metadata(&key, changed(), &conditions).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
        assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    }
    let after = store.set_metadata(&key, changed(), &if_unchanged(&info)).await.expect("unchanged");
    assert_eq!(after.metadata.cache_control.as_deref(), Some("no-store"));
}

pub async fn a_reader_with_a_good_copy_gets_nothing_new(store: &dyn Store) {
    let id = create(store, "not-modified").await;
    let key = object(&id, "key");
    let info = put(store, &key, "x").await;
    let own = info.content.etag(ETagStyle::S3);
    let good = Conditions { if_none_match: Match::OneOf(vec![own]), ..unconditional() };
    let fresh = Conditions { if_modified_since: Some(info.modified), ..unconditional() };
    for conditions in [good, fresh, if_absent()] {
        let read = Read { version: None, conditions: conditions.clone(), range: None };
        for outcome in
            [store.get(&key, read).await.map(drop), store.head(&key, None, &conditions).await.map(drop)]
        {
            match outcome {
                Err(Error::NotModified(present)) => assert_eq!(*present, info),
                other => panic!("{conditions:?}: {other:?}"),
            }
        }
    }
    let stale = Conditions { if_modified_since: Some(Timestamp::from_micros(0)), ..unconditional() };
    assert_eq!(store.head(&key, None, &stale).await.expect("modified since"), info);
}

pub async fn a_reader_of_something_else_is_told(store: &dyn Store) {
    let id = create(store, "mismatch").await;
    let key = object(&id, "key");
    let other = if_match("other");
    let read = || Read { version: None, conditions: other.clone(), range: None };
    assert_missing(store.get(&key, read()).await, Noun::Object);
    assert_missing(store.head(&key, None, &other).await, Noun::Object);
    put(store, &key, "x").await;
    let outcomes: [Result<()>; 2] =
        [store.get(&key, read()).await.map(drop), store.head(&key, None, &other).await.map(drop)];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::PreconditionFailed)), "{outcome:?}");
    }
    let old = Conditions { if_unmodified_since: Some(Timestamp::from_micros(0)), ..unconditional() };
    let outcome = store.head(&key, None, &old).await;
    assert!(matches!(outcome, Err(Error::PreconditionFailed)), "{outcome:?}");
}

pub async fn etags_are_those_of_the_dialect(store: &dyn Store) {
    let id = create(store, "two-etags").await;
    let key = object(&id, "key");
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let large = usize::try_from(PART_BYTES_MIN).expect("5 MiB");
    let parts = [
        put_part(store, &key, upload, 1, noise(1, large)).await,
        put_part(store, &key, upload, 2, noise(2, 1)).await,
    ];
    let chosen: Vec<_> = parts.iter().map(chosen).collect();
    let info =
        store.complete_upload(&key, upload, completion(&chosen, &unconditional())).await.expect("completed");
    for (style, other) in [(ETagStyle::S3, ETagStyle::Swift), (ETagStyle::Swift, ETagStyle::S3)] {
        let condition = |etag: String| Conditions { style, ..if_match(&etag) };
        store.head(&key, None, &condition(info.content.etag(style))).await.expect("its own ETag");
        let refused = store.head(&key, None, &condition(info.content.etag(other))).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    }
}

fn if_match(etag: &str) -> Conditions {
    Conditions { if_match: Match::OneOf(vec![etag.to_owned()]), ..unconditional() }
}
