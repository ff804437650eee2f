//! Lists of segments: stored as they are, shown as what they stand for.

use martlet_model::{
    ByteRange, Content, Digest, ETagStyle, ListEntry, ListQuery, Md5, NewObject, NewShape, Read, Shape,
    Store, Usage,
};

use super::steps::{
    create, get, if_unchanged, new_object, object, put, read_version, unconditional, versioned,
};

pub async fn all(store: &dyn Store) {
    a_list_of_segments_shows_what_it_stands_for(store).await;
    a_list_of_segments_is_given_whole(store).await;
    a_list_of_segments_is_kept_as_a_version(store).await;
}

const LIST: &str = "[the list]";

/// What the segments give together.
fn content() -> Content {
    let digest = Digest::Parts { of_binary: Md5::of(b"1"), of_hex: Md5::of(b"2"), count: 3 };
    Content { bytes: 5_000_000_000_000, digest }
}

fn new_list() -> NewObject {
    NewObject { shape: NewShape::SegmentList(content()), ..new_object(LIST, unconditional()) }
}

pub async fn a_list_of_segments_shows_what_it_stands_for(store: &dyn Store) {
    let id = create(store, "segments").await;
    let key = object(&id, "key");
    let info = store.put(&key, new_list()).await.expect("stored");
    assert_eq!(info.content, content());
    let list_md5 = Some(Md5::of(LIST.as_bytes()));
    assert_eq!(info.shape, Shape::SegmentList { list_bytes: LIST.len() as u64, list_md5 });
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there"), info);
    store.head(&key, None, &if_unchanged(&info)).await.expect("the ETag of what it stands for");
    let page = store.list(&id, &ListQuery::all(10)).await.expect("listed");
    let [ListEntry::Item(entry)] = &page.entries[..] else { panic!("{page:?}") };
    assert_eq!((entry.content, &entry.shape), (content(), &info.shape));
    assert_eq!(entry.content.etag(ETagStyle::Swift), Md5::of(b"2").to_string());
    let stored = Usage { objects: 1, bytes: LIST.len() as u64 };
    assert_eq!(store.usage(&id).await.expect("counted"), stored);
}

pub async fn a_list_of_segments_is_given_whole(store: &dyn Store) {
    let id = create(store, "segments-whole").await;
    let key = object(&id, "key");
    store.put(&key, new_list()).await.expect("stored");
    assert_eq!(get(store, &key).await, LIST);
    // A range is of what it stands for: that is put together above the store.
    let range = Some(ByteRange::Between { first: 4_000_000_000_000, last: 4_000_000_000_001 });
    let read = Read { version: None, conditions: unconditional(), range };
    let download = store.get(&key, read).await.expect("given");
    assert_eq!(download.span.bytes(), LIST.len() as u64);
}

pub async fn a_list_of_segments_is_kept_as_a_version(store: &dyn Store) {
    let id = versioned(store, "segments-version").await;
    let key = object(&id, "key");
    let list = store.put(&key, new_list()).await.expect("stored");
    put(store, &key, "plain").await;
    assert_eq!(store.head(&key, list.version, &unconditional()).await.expect("kept"), list);
    assert_eq!(read_version(store, &key, list.version).await.expect("kept"), LIST);
    let stored = Usage { objects: 1, bytes: LIST.len() as u64 + 5 };
    assert_eq!(store.usage(&id).await.expect("counted"), stored);
}
