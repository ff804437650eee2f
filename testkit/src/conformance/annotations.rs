//! What is said of an object by others than its writer, and what its writer's client said of its bytes.

use martlet_model::{
    Annotations, AnnotationsChange, ChecksumAlgorithm, ChecksumCell, ChecksumKind, ChecksumPlan, Completion,
    Error, NewObject, NewPart, NewUpload, Noun, ObjectInfo, PartInfo, PartLayout, Store, StoredChecksum,
    Tags, UploadError, UploadInfo, checksum::ChecksumHasher, limits::PART_BYTES_MIN,
};

use super::steps::{
    assert_missing, chosen, completion, create, get, new_object, new_part, noise, object, put, unconditional,
};

pub async fn all(store: &dyn Store) {
    annotations_are_stored_with_the_object(store).await;
    annotations_change_without_a_new_date(store).await;
    a_checksum_is_shown_as_it_was_verified(store).await;
    an_upload_keeps_what_its_object_will_be(store).await;
    parts_keep_their_checksums(store).await;
    an_object_of_parts_shows_its_layout(store).await;
    a_completion_is_held_to_size_and_checksum(store).await;
}

pub async fn annotations_are_stored_with_the_object(store: &dyn Store) {
    let id = create(store, "annotated").await;
    let key = object(&id, "key");
    let annotations = Annotations { acl: Some("an acl".into()), tags: tags(&[("a", "1"), ("b", "ü")]) };
    let new = NewObject { annotations: annotations.clone(), ..new_object("x", unconditional()) };
    let info = store.put(&key, new).await.expect("stored");
    assert_eq!(info.annotations, annotations);
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    assert_eq!(put(store, &key, "another").await.annotations, Annotations::default());
}

pub async fn annotations_change_without_a_new_date(store: &dyn Store) {
    let id = create(store, "annotate").await;
    let key = object(&id, "key");
    let change = AnnotationsChange { acl: Some("an acl".into()), tags: Some(tags(&[("a", "1")])) };
    assert_missing(store.annotate(&key, None, change.clone()).await, Noun::Object);
    let before = put(store, &key, "x").await;
    let after = store.annotate(&key, None, change).await.expect("changed");
    let annotations = Annotations { acl: Some("an acl".into()), tags: tags(&[("a", "1")]) };
    assert_eq!(after, ObjectInfo { annotations, ..before });
    // What isn't mentioned stays.
    let change = AnnotationsChange { acl: None, tags: Some(Tags::default()) };
    let last = store.annotate(&key, None, change).await.expect("changed");
    let annotations = Annotations { acl: Some("an acl".into()), tags: Tags::default() };
    assert_eq!(last, ObjectInfo { annotations, ..after });
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), last);
    assert_eq!(get(store, &key).await, "x");
}

pub async fn a_checksum_is_shown_as_it_was_verified(store: &dyn Store) {
    let id = create(store, "checksums").await;
    for algorithm in ChecksumAlgorithm::ALL {
        let key = object(&id, format!("{algorithm:?}"));
        let checksum = ChecksumCell::default();
        checksum.fill(of(algorithm, b"x"));
        let new = NewObject { checksum, ..new_object("x", unconditional()) };
        let info = store.put(&key, new).await.expect("stored");
        assert_eq!(info.checksum, Some(of(algorithm, b"x")));
        assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    }
}

pub async fn an_upload_keeps_what_its_object_will_be(store: &dyn Store) {
    let id = create(store, "upload-kept").await;
    let key = object(&id, "key");
    let new = NewUpload {
        annotations: Annotations { acl: Some("an acl".into()), tags: tags(&[("a", "1")]) },
        checksum: Some(CRC),
        ..NewUpload::default()
    };
    let upload = store.begin_upload(&key, new.clone()).await.expect("begun");
    let UploadInfo { new: kept, initiated: _ } = store.upload(&key, upload).await.expect("open");
    assert_eq!(kept, new);
    let part = checked_part(store, &key, upload, 1, b"x").await;
    let info = store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional()))
        .await
        .expect("joined");
    assert_eq!((&info.annotations, &info.checksum), (&new.annotations, &Some(of(CRC.algorithm, b"x"))));
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    assert_missing(store.upload(&key, upload).await, Noun::Upload);
}

pub async fn parts_keep_their_checksums(store: &dyn Store) {
    let id = create(store, "part-checksums").await;
    let key = object(&id, "key");
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let part = checked_part(store, &key, upload, 3, b"x").await;
    assert_eq!(part.checksum, Some(of(CRC.algorithm, b"x")));
    let (parts, _) = store.parts(&key, upload, None, 10).await.expect("listed");
    assert_eq!(parts, [part]);
}

pub async fn an_object_of_parts_shows_its_layout(store: &dyn Store) {
    let id = create(store, "layout").await;
    let key = object(&id, "key");
    assert_missing(store.layout(&key, None).await, Noun::Object);
    put(store, &key, "x").await;
    assert_eq!(store.layout(&key, None).await.expect("one body"), []);
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let large = noise(1, usize::try_from(PART_BYTES_MIN).unwrap_or_default());
    let first = checked_part(store, &key, upload, 2, &large).await;
    let second = store.put_part(&key, upload, new_part(7, "end")).await.expect("stored");
    let chosen = [chosen(&first), chosen(&second)];
    store.complete_upload(&key, upload, completion(&chosen, &unconditional())).await.expect("joined");
    let layout: Vec<PartLayout> = [&first, &second].map(PartInfo::layout).into();
    assert_eq!(store.layout(&key, None).await.expect("joined"), layout);
}

pub async fn a_completion_is_held_to_size_and_checksum(store: &dyn Store) {
    let id = create(store, "completion-held").await;
    let key = object(&id, "key");
    let new = NewUpload { checksum: Some(CRC), ..NewUpload::default() };
    let upload = store.begin_upload(&key, new).await.expect("begun");
    let part = chosen(&checked_part(store, &key, upload, 1, b"x").await);
    let plain = || completion(std::slice::from_ref(&part), &unconditional());
    let other = Some(of(CRC.algorithm, b"y"));
    let refused = [
        (Completion { bytes: Some(2), ..plain() }, UploadError::WrongSize { bytes: 1, expected: 2 }),
        (Completion { checksum: other, ..plain() }, UploadError::WrongChecksum),
    ];
    for (completion, expected) in refused {
        match store.complete_upload(&key, upload, completion).await {
            Err(Error::Upload(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    let right = Completion { bytes: Some(1), checksum: Some(of(CRC.algorithm, b"x")), ..plain() };
    store.complete_upload(&key, upload, right).await.expect("as it is");
}

const CRC: ChecksumPlan =
    ChecksumPlan { algorithm: ChecksumAlgorithm::Crc64Nvme, kind: ChecksumKind::FullObject };

fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> StoredChecksum {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn tags(items: &[(&str, &str)]) -> Tags {
    items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn checked_part(
    store: &dyn Store,
    key: &martlet_model::ObjectId,
    upload: martlet_model::UploadId,
    number: u16,
    body: &[u8],
) -> PartInfo {
    let checksum = ChecksumCell::default();
    checksum.fill(of(CRC.algorithm, body));
    let part = NewPart { checksum, ..new_part(number, body.to_vec()) };
    store.put_part(key, upload, part).await.expect("the part is stored")
}
