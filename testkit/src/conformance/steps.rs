//! What the promises are told with.

use std::future::Future;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use martlet_model::store::whole_body;
use martlet_model::{
    AccountName, BodyError, ByteRange, ByteStream, ChecksumCell, ChosenPart, Claim, Completion, Conditions,
    ContainerChange, ContainerId, ContainerName, ETagStyle, Error, ListEntry, ListQuery, Match, NewContainer,
    NewObject, NewPart, Noun, ObjectEntry, ObjectId, ObjectInfo, ObjectKey, ObjectMetadata, Page, PartInfo,
    PartNumber, Read, Result, SettingsChange, Store, UploadId, UserMetadata, VersionId, Versioning,
};

use crate::seeded::Seeded;

/// How often something that was refused for the moment is tried again.
const ATTEMPTS_MAX: u32 = 50;

pub fn account(name: &str) -> AccountName {
    AccountName::parse(name.as_bytes()).expect("an account name")
}

/// A container in the account of the same name.
pub fn container(name: &str) -> ContainerId {
    ContainerId { account: account(name), name: container_name(name) }
}

pub fn container_name(name: &str) -> ContainerName {
    ContainerName::parse(name.as_bytes()).expect("a container name")
}

pub fn object(container: &ContainerId, key: impl AsRef<[u8]>) -> ObjectId {
    let key = ObjectKey::parse(Bytes::copy_from_slice(key.as_ref())).expect("an object key");
    ObjectId { container: container.clone(), key }
}

/// Makes a container in an account of its own.
pub async fn create(store: &dyn Store, name: &str) -> ContainerId {
    let id = container(name);
    store.create_container(&id, new_container(Claim::Required)).await.expect("the container is made");
    id
}

pub fn new_container(claim: Claim) -> NewContainer {
    NewContainer {
        metadata: UserMetadata::default(),
        claim,
        settings: SettingsChange::default(),
        versioning: None,
    }
}

pub fn user_metadata(items: &[(&str, &str)]) -> UserMetadata {
    let owned = items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    UserMetadata::collect(owned).expect("little metadata")
}

pub fn unconditional() -> Conditions {
    Conditions::none(ETagStyle::S3)
}

/// `If-None-Match: *`
pub fn if_absent() -> Conditions {
    Conditions { if_none_match: Match::Any, ..unconditional() }
}

/// `If-Match` with the ETag of this object.
pub fn if_unchanged(present: &ObjectInfo) -> Conditions {
    Conditions { if_match: Match::OneOf(vec![present.content.etag(ETagStyle::S3)]), ..unconditional() }
}

pub fn new_object(body: impl Into<Bytes>, conditions: Conditions) -> NewObject {
    let body = body.into();
    NewObject {
        bytes: Some(body.len() as u64),
        ..NewObject::new(ObjectMetadata::default(), conditions, whole_body(body))
    }
}

pub async fn put(store: &dyn Store, id: &ObjectId, body: impl Into<Bytes>) -> ObjectInfo {
    store.put(id, new_object(body, unconditional())).await.expect("the object is stored")
}

pub async fn get(store: &dyn Store, id: &ObjectId) -> Bytes {
    read(store, id, None).await.expect("the object is read")
}

pub async fn read(store: &dyn Store, id: &ObjectId, range: Option<ByteRange>) -> Result<Bytes> {
    let download = store.get(id, Read { version: None, conditions: unconditional(), range }).await?;
    let span = download.span;
    let chunks: Vec<Bytes> = download.body.try_collect().await?;
    let body = Bytes::from(chunks.concat());
    assert_eq!(body.len() as u64, span.bytes(), "a download has as many bytes as it announced");
    Ok(body)
}

/// Makes a container that keeps versions, in an account of its own.
pub async fn versioned(store: &dyn Store, name: &str) -> ContainerId {
    let id = create(store, name).await;
    set_versioning(store, &id, Versioning::Enabled).await;
    id
}

pub async fn set_versioning(store: &dyn Store, id: &ContainerId, versioning: Versioning) {
    let change = ContainerChange { versioning: Some(versioning), ..ContainerChange::default() };
    store.update_container(id, change).await.expect("the container is changed");
}

/// The whole of one version.
pub async fn read_version(store: &dyn Store, id: &ObjectId, version: Option<VersionId>) -> Result<Bytes> {
    let download = store.get(id, Read { version, conditions: unconditional(), range: None }).await?;
    let chunks: Vec<Bytes> = download.body.try_collect().await?;
    Ok(Bytes::from(chunks.concat()))
}

pub async fn delete(store: &dyn Store, id: &ObjectId) {
    store.delete(id, None, &unconditional()).await.expect("the object is deleted");
}

pub async fn put_part(
    store: &dyn Store,
    id: &ObjectId,
    upload: UploadId,
    number: u16,
    body: impl Into<Bytes>,
) -> PartInfo {
    let part = new_part(number, body);
    store.put_part(id, upload, part).await.expect("the part is stored")
}

pub fn new_part(number: u16, body: impl Into<Bytes>) -> NewPart {
    let body = body.into();
    let bytes = Some(body.len() as u64);
    NewPart {
        number: part_number(number),
        md5: None,
        bytes,
        body: whole_body(body),
        checksum: ChecksumCell::default(),
    }
}

pub fn part_number(number: u16) -> PartNumber {
    PartNumber::new(number).expect("a part number")
}

/// Names a part as it was stored.
pub fn chosen(part: &PartInfo) -> ChosenPart {
    ChosenPart { number: part.number, etag: part.md5.to_string(), checksum: None }
}

/// Completes with these parts and nothing else.
pub fn completion(parts: &[ChosenPart], conditions: &Conditions) -> Completion {
    Completion { parts: parts.to_vec(), conditions: conditions.clone(), bytes: None, checksum: None }
}

/// The names and prefixes of a page.
pub fn shown(page: &Page<ObjectEntry>) -> Vec<Bytes> {
    let name = |entry: &ListEntry<ObjectEntry>| match entry {
        ListEntry::Item(item) => item.key.as_bytes().clone(),
        ListEntry::Prefix(prefix) => prefix.clone(),
    };
    page.entries.iter().map(name).collect()
}

/// Everything that a container lists.
pub async fn keys(store: &dyn Store, id: &ContainerId) -> Vec<Bytes> {
    shown(&store.list(id, &ListQuery::all(10_000)).await.expect("the container is listed"))
}

/// Bytes that look like nothing else.
pub fn noise(seed: u64, bytes: usize) -> Bytes {
    Seeded::new(seed).bytes(bytes).into()
}

/// A body in chunks of this size.
pub fn chunked(body: &Bytes, chunk_bytes: usize) -> ByteStream {
    let chunks: Vec<Bytes> = body.chunks(chunk_bytes).map(|chunk| body.slice_ref(chunk)).collect();
    Box::pin(stream::iter(chunks).map(Ok))
}

/// A body that breaks after these bytes.
pub fn broken(body: &Bytes, error: BodyError) -> ByteStream {
    Box::pin(chunked(body, 10_000).chain(stream::iter([Err(error)])))
}

/// Does it again while the store is too busy to say.
pub async fn patiently<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt().await {
            Err(Error::Unavailable(_)) => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

#[track_caller]
pub fn assert_missing<T: std::fmt::Debug>(outcome: Result<T>, noun: Noun) {
    match outcome {
        Err(Error::NotFound(missing)) if missing == noun => {}
        other => panic!("{noun:?} should be missing, but: {other:?}"),
    }
}
