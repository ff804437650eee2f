//! Multipart uploads.

use bytes::Bytes;
use martlet_model::limits::PART_BYTES_MIN;
use martlet_model::{
    ByteRange, ChosenPart, Content, Error, Md5, NewUpload, Noun, ObjectId, ObjectMetadata, PartInfo, Store,
    UploadError, UploadId, UploadQuery, Usage,
};

use super::steps::{
    assert_missing, chosen, completion, create, delete, get, if_absent, keys, new_part, noise, object,
    part_number, put, put_part, read, unconditional, user_metadata,
};

pub async fn all(store: &dyn Store) {
    parts_become_the_object_in_one_step(store).await;
    parts_are_joined_by_number_as_chosen(store).await;
    parts_are_listed_in_pages(store).await;
    uploads_are_listed_by_key_and_id(store).await;
    a_part_sent_again_replaces_the_earlier_one(store).await;
    a_wrong_completion_leaves_the_upload_open(store).await;
    a_completion_said_again_answers_the_same(store).await;
    another_completion_of_a_completed_upload_is_refused(store).await;
    a_conditional_completion_happens_only_if_it_holds(store).await;
    an_aborted_upload_is_gone(store).await;
    an_upload_belongs_to_its_key(store).await;
    uploads_of_one_key_do_not_meet(store).await;
}

pub async fn parts_become_the_object_in_one_step(store: &dyn Store) {
    let id = create(store, "joined").await;
    let key = object(&id, "key");
    put(store, &key, "old").await;
    let metadata = ObjectMetadata {
        content_type: Some("video/mp4".to_owned()),
        user: user_metadata(&[("a", "1")]),
        ..ObjectMetadata::default()
    };
    let new = NewUpload { metadata: metadata.clone(), ..NewUpload::default() };
    let upload = store.begin_upload(&key, new).await.expect("begun");
    let bodies = [noise(1, large()), noise(2, large() + 1), noise(3, 10)];
    let mut parts = Vec::new();
    for (number, body) in (1..).zip(&bodies) {
        parts.push(put_part(store, &key, upload, number, body.clone()).await);
        assert_eq!(get(store, &key).await, "old", "nothing shows before the end");
    }
    assert_eq!(keys(store, &id).await, ["key"]);
    assert_eq!(store.usage(&id).await.expect("there"), Usage { objects: 1, bytes: 3 });
    let info = complete(store, &key, upload, &parts).await;
    let pieces: Vec<_> = bodies.iter().map(|body| (body.len() as u64, Md5::of(body))).collect();
    assert_eq!(info.content, Content::joined(&pieces));
    assert_eq!(info.metadata, metadata);
    let whole = Bytes::from(bodies.concat());
    assert_eq!(get(store, &key).await, whole);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    let seam = large() as u64;
    let across = ByteRange::Between { first: seam - 2, last: 2 * seam + 3 };
    assert_eq!(
        read(store, &key, Some(across)).await.expect("read"),
        whole.slice(large() - 2..2 * large() + 4)
    );
    assert_missing(store.parts(&key, upload, None, 1).await, Noun::Upload);
    delete(store, &key).await;
    assert_eq!(store.usage(&id).await.expect("there"), Usage::default());
}

pub async fn parts_are_joined_by_number_as_chosen(store: &dyn Store) {
    let id = create(store, "chosen").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let last = put_part(store, &key, upload, 10_000, "end").await;
    let unused = put_part(store, &key, upload, 7, noise(7, 100)).await;
    let first = put_part(store, &key, upload, 3, noise(3, large())).await;
    assert_eq!(unused.bytes, 100);
    let info = complete(store, &key, upload, &[first, last]).await;
    assert_eq!(info.content.bytes, PART_BYTES_MIN + 3);
    let body = get(store, &key).await;
    assert_eq!(body.slice(..large()), noise(3, large()));
    assert_eq!(body.slice(large()..), "end");
}

pub async fn parts_are_listed_in_pages(store: &dyn Store) {
    let id = create(store, "part-pages").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let mut parts = Vec::new();
    for number in [2, 4, 256, 257, 9999] {
        parts.push(put_part(store, &key, upload, number, noise(1, usize::from(number))).await);
    }
    let list = async |after: Option<u16>, limit| {
        store.parts(&key, upload, after.map(part_number), limit).await.expect("listed")
    };
    assert_eq!(list(None, 10).await, (parts.clone(), false));
    assert_eq!(list(None, 5).await, (parts.clone(), false));
    assert_eq!(list(None, 2).await, (parts[..2].to_vec(), true));
    assert_eq!(list(Some(4), 2).await, (parts[2..4].to_vec(), true));
    assert_eq!(list(Some(3), 10).await, (parts[1..].to_vec(), false));
    assert_eq!(list(Some(9999), 10).await, (vec![], false));
    assert_eq!(list(None, 0).await, (vec![], false));
}

pub async fn uploads_are_listed_by_key_and_id(store: &dyn Store) {
    let id = create(store, "upload-pages").await;
    let mut expected: Vec<(Bytes, UploadId)> = Vec::new();
    for key in ["b", "a", "a/1", "a", "ab", "a"] {
        let upload = begin(store, &object(&id, key)).await;
        expected.push((Bytes::from(key), upload));
    }
    expected.sort();
    let list = async |prefix: &'static str, after: Option<(Bytes, Option<UploadId>)>, limit| {
        let query = UploadQuery { prefix: prefix.into(), after, limit };
        let (entries, more) = store.uploads(&id, &query).await.expect("listed");
        let entries = entries.into_iter().map(|entry| (entry.key.as_bytes().clone(), entry.id));
        (entries.collect::<Vec<_>>(), more)
    };
    assert_eq!(list("", None, 10).await, (expected.clone(), false));
    assert_eq!(list("", None, 2).await, (expected[..2].to_vec(), true));
    let (key, upload) = expected[1].clone();
    assert_eq!(list("", Some((key.clone(), Some(upload))), 2).await, (expected[2..4].to_vec(), true));
    assert_eq!(list("", Some((key, None)), 10).await, (expected[3..].to_vec(), false));
    assert_eq!(list("a", None, 10).await, (expected[..5].to_vec(), false));
    assert_eq!(list("a/", None, 10).await, (expected[3..4].to_vec(), false));
    assert_eq!(list("", Some(("aa".into(), None)), 10).await, (expected[4..].to_vec(), false));
    assert_eq!(list("c", None, 10).await, (vec![], false));
}

pub async fn a_part_sent_again_replaces_the_earlier_one(store: &dyn Store) {
    let id = create(store, "part-again").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let first = put_part(store, &key, upload, 1, noise(1, 1_500_000)).await;
    let second = put_part(store, &key, upload, 1, "second").await;
    assert!(first.modified < second.modified);
    assert_eq!(store.parts(&key, upload, None, 10).await.expect("listed"), (vec![second.clone()], false));
    let stale = store.complete_upload(&key, upload, completion(&[chosen(&first)], &unconditional())).await;
    assert!(matches!(stale, Err(Error::Upload(UploadError::InvalidPart(_)))), "{stale:?}");
    complete(store, &key, upload, &[second]).await;
    assert_eq!(get(store, &key).await, "second");
}

pub async fn a_wrong_completion_leaves_the_upload_open(store: &dyn Store) {
    let id = create(store, "wrong-completion").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let small = put_part(store, &key, upload, 1, "small").await;
    let next = put_part(store, &key, upload, 2, "next").await;
    let attempt = async |parts: &[ChosenPart]| {
        let outcome = store.complete_upload(&key, upload, completion(parts, &unconditional())).await;
        match outcome {
            Err(Error::Upload(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let wrong = ChosenPart { etag: Md5::of(b"else").to_string(), ..chosen(&small) };
    let absent = ChosenPart { number: part_number(3), ..chosen(&small) };
    assert_eq!(attempt(&[]).await, UploadError::NoParts);
    assert_eq!(attempt(&[chosen(&next), chosen(&small)]).await, UploadError::InvalidPartOrder);
    assert_eq!(attempt(&[chosen(&small), chosen(&small)]).await, UploadError::InvalidPartOrder);
    assert_eq!(attempt(&[wrong]).await, UploadError::InvalidPart(small.number));
    assert_eq!(attempt(&[absent]).await, UploadError::InvalidPart(part_number(3)));
    let too_small = UploadError::PartTooSmall { number: small.number, bytes: 5 };
    assert_eq!(attempt(&[chosen(&small), chosen(&next)]).await, too_small);
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    let third = put_part(store, &key, upload, 3, "third").await;
    assert_eq!(
        store.parts(&key, upload, None, 10).await.expect("open"),
        (vec![small, next, third.clone()], false)
    );
    complete(store, &key, upload, &[third]).await;
    assert_eq!(get(store, &key).await, "third");
}

pub async fn a_completion_said_again_answers_the_same(store: &dyn Store) {
    let id = create(store, "completed-twice").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let part = put_part(store, &key, upload, 1, "x").await;
    let first = store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &if_absent()))
        .await
        .expect("completed");
    let again = store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &if_absent()))
        .await
        .expect("the same");
    assert_eq!(first, again);
    assert_missing(store.abort_upload(&key, upload).await, Noun::Upload);
    assert_eq!(get(store, &key).await, "x");
    put(store, &key, "something else").await;
    let late = store.complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional())).await;
    assert_missing(late, Noun::Upload);
    assert_eq!(get(store, &key).await, "something else");
}

pub async fn another_completion_of_a_completed_upload_is_refused(store: &dyn Store) {
    let id = create(store, "completed-otherwise").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let mut parts = Vec::new();
    for number in 1..=3 {
        let body = noise(u64::from(number), large());
        parts.push(chosen(&put_part(store, &key, upload, number, body).await));
    }
    let complete = async |parts: &[ChosenPart]| {
        store.complete_upload(&key, upload, completion(parts, &if_absent())).await
    };
    let made = complete(&parts[..2]).await.expect("completed");
    let elsewhere = ChosenPart { number: part_number(3), ..parts[1].clone() };
    let changed = ChosenPart { etag: Md5::of(b"else").to_string(), ..parts[1].clone() };
    let first = &parts[0];
    for others in [&parts[..], &parts[..1], &[], &[first.clone(), elsewhere], &[first.clone(), changed]] {
        assert_missing(complete(others).await, Noun::Upload);
    }
    assert_eq!(complete(&parts[..2]).await.expect("the same"), made);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), made);
}

pub async fn a_conditional_completion_happens_only_if_it_holds(store: &dyn Store) {
    let id = create(store, "conditional-completion").await;
    let key = object(&id, "key");
    put(store, &key, "there").await;
    let upload = begin(store, &key).await;
    let part = put_part(store, &key, upload, 1, "part").await;
    let refused = store.complete_upload(&key, upload, completion(&[chosen(&part)], &if_absent())).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    assert_eq!(get(store, &key).await, "there");
    assert_eq!(store.parts(&key, upload, None, 10).await.expect("still open"), (vec![part.clone()], false));
    delete(store, &key).await;
    store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &if_absent()))
        .await
        .expect("absent now");
    assert_eq!(get(store, &key).await, "part");
}

pub async fn an_aborted_upload_is_gone(store: &dyn Store) {
    let id = create(store, "aborted").await;
    let key = object(&id, "key");
    let upload = begin(store, &key).await;
    let part = put_part(store, &key, upload, 1, noise(1, 1_200_000)).await;
    store.abort_upload(&key, upload).await.expect("aborted");
    assert_missing(store.abort_upload(&key, upload).await, Noun::Upload);
    assert_missing(store.parts(&key, upload, None, 1).await, Noun::Upload);
    assert_missing(store.put_part(&key, upload, new_part(2, "x")).await, Noun::Upload);
    let completed = store.complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional())).await;
    assert_missing(completed, Noun::Upload);
    let query = UploadQuery { prefix: Bytes::new(), after: None, limit: 10 };
    assert_eq!(store.uploads(&id, &query).await.expect("listed"), (vec![], false));
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
}

pub async fn an_upload_belongs_to_its_key(store: &dyn Store) {
    let id = create(store, "upload-owner").await;
    let (key, other) = (object(&id, "key"), object(&id, "other"));
    let upload = begin(store, &key).await;
    let part = put_part(store, &key, upload, 1, "x").await;
    assert_missing(store.put_part(&other, upload, new_part(1, "x")).await, Noun::Upload);
    assert_missing(store.parts(&other, upload, None, 1).await, Noun::Upload);
    assert_missing(store.abort_upload(&other, upload).await, Noun::Upload);
    let completed =
        store.complete_upload(&other, upload, completion(&[chosen(&part)], &unconditional())).await;
    assert_missing(completed, Noun::Upload);
    let unknown = UploadId([9; 16]);
    assert_missing(store.parts(&key, unknown, None, 1).await, Noun::Upload);
    complete(store, &key, upload, &[part]).await;
}

pub async fn uploads_of_one_key_do_not_meet(store: &dyn Store) {
    let id = create(store, "two-uploads").await;
    let key = object(&id, "key");
    let (first, second) = (begin(store, &key).await, begin(store, &key).await);
    assert_ne!(first, second);
    let one = put_part(store, &key, first, 1, "first").await;
    let two = put_part(store, &key, second, 1, "second").await;
    complete(store, &key, second, &[two]).await;
    assert_eq!(get(store, &key).await, "second");
    complete(store, &key, first, &[one]).await;
    assert_eq!(get(store, &key).await, "first");
}

async fn begin(store: &dyn Store, key: &ObjectId) -> UploadId {
    store.begin_upload(key, NewUpload::default()).await.expect("the upload is begun")
}

async fn complete(
    store: &dyn Store,
    key: &ObjectId,
    upload: UploadId,
    parts: &[PartInfo],
) -> martlet_model::ObjectInfo {
    let parts: Vec<_> = parts.iter().map(chosen).collect();
    store
        .complete_upload(key, upload, completion(&parts, &unconditional()))
        .await
        .expect("the upload is completed")
}

fn large() -> usize {
    usize::try_from(PART_BYTES_MIN).expect("5 MiB")
}
