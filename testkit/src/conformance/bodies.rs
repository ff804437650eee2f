//! Bodies that aren't what they should be: nothing is stored, and what was there stays.

use bytes::Bytes;
use martlet_model::{BodyError, ByteStream, Error, Md5, NewObject, NewPart, NewUpload, Result, Store, Usage};

use super::steps::{
    assert_missing, broken, chunked, create, get, keys, new_object, new_part, noise, object, put,
    unconditional,
};
use martlet_model::Noun;

/// Small enough to be sent at once, and too large for that.
const SIZES: [usize; 3] = [100, 300_000, 1_500_000];

pub async fn all(store: &dyn Store) {
    a_broken_body_stores_nothing(store).await;
    a_broken_body_leaves_the_old_version(store).await;
    a_wrong_md5_stores_nothing(store).await;
    a_body_of_another_length_stores_nothing(store).await;
    a_broken_part_is_no_part(store).await;
}

pub async fn a_broken_body_stores_nothing(store: &dyn Store) {
    let id = create(store, "broken").await;
    for bytes in SIZES {
        let key = object(&id, "key");
        let body = broken(&noise(1, bytes), BodyError::Sha256Mismatch { computed: [0; 32] });
        let refused = store.put(&key, NewObject { body, ..new_object("", unconditional()) }).await;
        assert!(matches!(refused, Err(Error::Body(_))), "{refused:?}");
        assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    }
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
    assert_eq!(store.usage(&id).await.expect("there"), Usage::default());
}

pub async fn a_broken_body_leaves_the_old_version(store: &dyn Store) {
    let id = create(store, "unbroken").await;
    let key = object(&id, "key");
    let before = put(store, &key, "old").await;
    for bytes in SIZES {
        let new = NewObject {
            body: broken(&noise(1, bytes), BodyError::Disconnected),
            bytes: None,
            ..new_object("", unconditional())
        };
        let refused = store.put(&key, new).await;
        assert!(matches!(refused, Err(Error::Body(BodyError::Disconnected))), "{refused:?}");
    }
    assert_eq!(get(store, &key).await, "old");
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), before);
    assert_eq!(store.usage(&id).await.expect("there"), Usage { objects: 1, bytes: 3 });
}

pub async fn a_wrong_md5_stores_nothing(store: &dyn Store) {
    let id = create(store, "wrong-md5").await;
    let expected = Md5::of(b"something else");
    for bytes in SIZES {
        let (key, body) = (object(&id, "key"), noise(2, bytes));
        let computed = Md5::of(&body);
        let refused =
            store.put(&key, NewObject { md5: Some(expected), ..new_object(body, unconditional()) }).await;
        match refused {
            Err(Error::Md5Mismatch { expected: e, computed: c }) => {
                assert_eq!((e, c), (expected, computed));
            }
            other => panic!("{other:?}"),
        }
        assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    }
}

pub async fn a_body_of_another_length_stores_nothing(store: &dyn Store) {
    let id = create(store, "wrong-length").await;
    let key = object(&id, "key");
    for bytes in SIZES {
        for declared in [bytes as u64 - 1, bytes as u64 + 1, 2_000_000] {
            let body = chunked(&noise(3, bytes), 50_000);
            let new = NewObject { body, bytes: Some(declared), ..new_object("", unconditional()) };
            let refused = store.put(&key, new).await;
            assert!(matches!(refused, Err(Error::Body(_))), "{bytes} for {declared}: {refused:?}");
            assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
        }
    }
}

pub async fn a_broken_part_is_no_part(store: &dyn Store) {
    let id = create(store, "broken-part").await;
    let key = object(&id, "key");
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    for bytes in SIZES {
        let body: ByteStream = broken(&noise(1, bytes), BodyError::Disconnected);
        let refused = store.put_part(&key, upload, NewPart { body, ..new_part(1, "") }).await;
        assert!(matches!(refused, Err(Error::Body(_))), "{refused:?}");
        let wrong = NewPart { md5: Some(Md5::of(b"else")), ..new_part(1, noise(1, bytes)) };
        let refused: Result<_> = store.put_part(&key, upload, wrong).await;
        assert!(matches!(refused, Err(Error::Md5Mismatch { .. })), "{refused:?}");
    }
    assert_eq!(store.parts(&key, upload, None, 10).await.expect("open"), (vec![], false));
}
