//! Accounts, containers, and the bucket directory.

use bytes::Bytes;
use martlet_model::{
    AccountName, Claim, ContainerChange, ContainerEntry, ContainerId, Created, Error, ListEntry, ListQuery,
    NewContainer, NewUpload, Noun, ObjectMetadata, Read, Store, UploadId, UploadQuery, Usage,
};

use super::steps::{
    account, assert_missing, chosen, completion, container, container_name, create, delete, get, keys,
    new_container, new_object, new_part, object, put, put_part, unconditional, user_metadata,
};

pub async fn all(store: &dyn Store) {
    a_container_is_there_once_it_was_created(store).await;
    creating_again_merges_the_metadata(store).await;
    a_change_adds_replaces_and_removes_metadata(store).await;
    without_its_container_nothing_is_found(store).await;
    containers_are_listed_in_order(store).await;
    a_container_that_holds_objects_stays(store).await;
    a_container_made_again_is_empty(store).await;
    an_account_is_empty_until_it_is_written_to(store).await;
    account_metadata_is_merged(store).await;
    a_bucket_name_belongs_to_its_first_creator(store).await;
    a_bucket_name_is_free_again_after_its_owner_let_go(store).await;
}

pub async fn a_container_is_there_once_it_was_created(store: &dyn Store) {
    let id = container("created");
    assert_missing(store.container(&id).await, Noun::Container);
    let new =
        NewContainer { metadata: user_metadata(&[("colour", "blue")]), ..new_container(Claim::Required) };
    assert_eq!(store.create_container(&id, new).await.expect("made"), Created::New);
    let info = store.container(&id).await.expect("there");
    assert_eq!(info.metadata, user_metadata(&[("colour", "blue")]));
    assert_eq!(info.created, info.modified);
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
}

pub async fn creating_again_merges_the_metadata(store: &dyn Store) {
    let id = create(store, "created-again").await;
    let before = store.container(&id).await.expect("there");
    put(store, &object(&id, "kept"), "x").await;
    let new = NewContainer { metadata: user_metadata(&[("a", "1")]), ..new_container(Claim::IfFree) };
    assert_eq!(store.create_container(&id, new).await.expect("merged"), Created::Existing);
    let new = NewContainer { metadata: user_metadata(&[("b", "2")]), ..new_container(Claim::Required) };
    assert_eq!(store.create_container(&id, new).await.expect("merged"), Created::Existing);
    let after = store.container(&id).await.expect("there");
    assert_eq!(after.metadata, user_metadata(&[("a", "1"), ("b", "2")]));
    assert_eq!(after.created, before.created);
    assert_eq!(keys(store, &id).await, ["kept"]);
}

pub async fn a_change_adds_replaces_and_removes_metadata(store: &dyn Store) {
    let id = create(store, "changed").await;
    let change = |items: &[(&str, &str)]| ContainerChange {
        metadata: user_metadata(items),
        ..ContainerChange::default()
    };
    store.update_container(&id, change(&[("a", "1"), ("b", "2")])).await.expect("changed");
    let first = store.container(&id).await.expect("there");
    store.update_container(&id, change(&[("a", ""), ("b", "3")])).await.expect("changed");
    let second = store.container(&id).await.expect("there");
    assert_eq!(second.metadata, user_metadata(&[("b", "3")]));
    assert!(first.modified < second.modified, "a change moves the date");
    assert_eq!(first.created, second.created);
}

pub async fn without_its_container_nothing_is_found(store: &dyn Store) {
    let id = container("absent");
    let (key, upload) = (object(&id, "key"), UploadId([1; 16]));
    let read = Read { version: None, conditions: unconditional(), range: None };
    let uploads = UploadQuery { prefix: Bytes::new(), after: None, limit: 1 };
    let change = ContainerChange { metadata: user_metadata(&[]), ..ContainerChange::default() };
    assert_missing(store.container(&id).await, Noun::Container);
    assert_missing(store.usage(&id).await, Noun::Container);
    assert_missing(store.update_container(&id, change).await, Noun::Container);
    assert_missing(store.delete_container(&id).await, Noun::Container);
    assert_missing(store.list(&id, &ListQuery::all(1)).await, Noun::Container);
    assert_missing(store.put(&key, new_object("x", unconditional())).await, Noun::Container);
    assert_missing(store.get(&key, read).await, Noun::Container);
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Container);
    assert_missing(
        store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await,
        Noun::Container,
    );
    assert_missing(store.delete(&key, None, &unconditional()).await, Noun::Container);
    assert_missing(store.begin_upload(&key, NewUpload::default()).await, Noun::Container);
    assert_missing(store.put_part(&key, upload, new_part(1, "x")).await, Noun::Container);
    assert_missing(store.parts(&key, upload, None, 1).await, Noun::Container);
    assert_missing(store.uploads(&id, &uploads).await, Noun::Container);
    assert_missing(
        store.complete_upload(&key, upload, completion(&[], &unconditional())).await,
        Noun::Container,
    );
    assert_missing(store.abort_upload(&key, upload).await, Noun::Container);
}

pub async fn containers_are_listed_in_order(store: &dyn Store) {
    let owner = account("lister");
    for name in ["lister-b", "lister-a", "lister-c.1", "lister-c.2"] {
        let id = ContainerId { account: owner.clone(), name: container_name(name) };
        store.create_container(&id, new_container(Claim::IfFree)).await.expect("made");
    }
    put(store, &object(&in_account(&owner, "lister-b"), "key"), "four").await;
    let all = list(store, &owner, &ListQuery::all(10)).await;
    assert_eq!(all.0, ["lister-a", "lister-b", "lister-c.1", "lister-c.2"]);
    assert_eq!(all.1, None);
    let (names, next) = list(store, &owner, &ListQuery::all(2)).await;
    assert_eq!(names, ["lister-a", "lister-b"]);
    let rest = ListQuery { marker: next, ..ListQuery::all(2) };
    assert_eq!(
        list(store, &owner, &rest).await,
        (vec!["lister-c.1".to_owned(), "lister-c.2".to_owned()], None)
    );
    let grouped = ListQuery { prefix: "lister-c".into(), delimiter: Some(".".into()), ..ListQuery::all(10) };
    assert_eq!(list(store, &owner, &grouped).await.0, ["lister-c."]);
    let page = store.containers(&owner, &ListQuery::all(10)).await.expect("listed");
    let usages: Vec<Usage> = page.entries.iter().filter_map(item).map(|entry| entry.usage).collect();
    assert_eq!(usages[1], Usage { objects: 1, bytes: 4 });
    assert_eq!(usages[0], Usage::default());
}

pub async fn a_container_that_holds_objects_stays(store: &dyn Store) {
    let id = create(store, "full").await;
    let key = object(&id, "key");
    put(store, &key, "x").await;
    let refused = store.delete_container(&id).await;
    assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    assert_eq!(get(store, &key).await, "x");
    put(store, &object(&id, "another"), "still writable").await;
    delete(store, &key).await;
    delete(store, &object(&id, "another")).await;
    store.delete_container(&id).await.expect("empty, so deleted");
    assert_missing(store.container(&id).await, Noun::Container);
    assert_missing(store.put(&key, new_object("x", unconditional())).await, Noun::Container);
    let listed = list(store, &id.account, &ListQuery::all(10)).await;
    assert_eq!(listed.0, Vec::<String>::new());
}

pub async fn a_container_made_again_is_empty(store: &dyn Store) {
    let id = create(store, "phoenix").await;
    let key = object(&id, "key");
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let part = put_part(store, &key, upload, 1, "part").await;
    store.delete_container(&id).await.expect("uploads don't hold it");
    create(store, "phoenix").await;
    assert_missing(store.parts(&key, upload, None, 1).await, Noun::Upload);
    assert_missing(store.put_part(&key, upload, new_part(2, "x")).await, Noun::Upload);
    let completed = store.complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional())).await;
    assert_missing(completed, Noun::Upload);
    let query = UploadQuery { prefix: Bytes::new(), after: None, limit: 10 };
    assert_eq!(store.uploads(&id, &query).await.expect("listed"), (vec![], false));
    assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
    assert_eq!(keys(store, &id).await, Vec::<Bytes>::new());
}

pub async fn an_account_is_empty_until_it_is_written_to(store: &dyn Store) {
    let owner = account("untouched");
    let info = store.account(&owner).await.expect("never missing");
    assert_eq!((info.created, info.containers, info.usage), (None, 0, Usage::default()));
    assert_eq!(list(store, &owner, &ListQuery::all(10)).await, (vec![], None));
    create(store, "untouched").await;
    let info = store.account(&owner).await.expect("there");
    assert!(info.created.is_some(), "making a container makes the account");
    assert_eq!(info.containers, 1);
}

pub async fn account_metadata_is_merged(store: &dyn Store) {
    let owner = account("described");
    store.update_account(&owner, &user_metadata(&[("a", "1"), ("b", "2")])).await.expect("changed");
    store.update_account(&owner, &user_metadata(&[("a", ""), ("c", "3")])).await.expect("changed");
    let info = store.account(&owner).await.expect("there");
    assert_eq!(info.metadata, user_metadata(&[("b", "2"), ("c", "3")]));
    assert_eq!(store.account_metadata(&owner).await.expect("there"), info.metadata);
    assert!(info.created.is_some(), "writing makes the account");
    assert_eq!(info.containers, 0);
}

pub async fn a_bucket_name_belongs_to_its_first_creator(store: &dyn Store) {
    let (first, second) = (account("claim-first"), account("claim-second"));
    let name = container_name("claimed");
    assert_eq!(store.bucket_owner(&name).await.expect("asked"), None);
    let (id, rival) = (in_account(&first, "claimed"), in_account(&second, "claimed"));
    store.create_container(&id, new_container(Claim::IfFree)).await.expect("made");
    assert_eq!(store.bucket_owner(&name).await.expect("asked"), Some(first.clone()));
    let refused = store.create_container(&rival, new_container(Claim::Required)).await;
    assert!(matches!(refused, Err(Error::NameTaken)), "{refused:?}");
    assert_missing(store.container(&rival).await, Noun::Container);
    // Swift's containers need no global name.
    store.create_container(&rival, new_container(Claim::IfFree)).await.expect("made");
    assert_eq!(store.bucket_owner(&name).await.expect("asked"), Some(first));
    put(store, &object(&rival, "key"), "theirs").await;
    assert_missing(store.head(&object(&id, "key"), None, &unconditional()).await, Noun::Object);
}

pub async fn a_bucket_name_is_free_again_after_its_owner_let_go(store: &dyn Store) {
    let (first, second) = (account("release-first"), account("release-second"));
    let (id, rival) = (in_account(&first, "released"), in_account(&second, "released"));
    store.create_container(&id, new_container(Claim::Required)).await.expect("made");
    store.create_container(&rival, new_container(Claim::IfFree)).await.expect("made");
    store.delete_container(&rival).await.expect("deleted");
    assert_eq!(store.bucket_owner(&id.name).await.expect("asked"), Some(first), "it wasn't the owner's");
    store.delete_container(&id).await.expect("deleted");
    assert_eq!(store.bucket_owner(&id.name).await.expect("asked"), None);
    store.create_container(&rival, new_container(Claim::Required)).await.expect("free again");
    assert_eq!(store.bucket_owner(&id.name).await.expect("asked"), Some(second));
}

fn in_account(account: &AccountName, name: &str) -> ContainerId {
    ContainerId { account: account.clone(), name: container_name(name) }
}

async fn list(store: &dyn Store, owner: &AccountName, query: &ListQuery) -> (Vec<String>, Option<Bytes>) {
    let page = store.containers(owner, query).await.expect("the account is listed");
    let name = |entry: &ListEntry<ContainerEntry>| match entry {
        ListEntry::Item(entry) => entry.name.as_str().to_owned(),
        ListEntry::Prefix(prefix) => String::from_utf8_lossy(prefix).into_owned(),
    };
    (page.entries.iter().map(name).collect(), page.next)
}

fn item(entry: &ListEntry<ContainerEntry>) -> Option<&ContainerEntry> {
    match entry {
        ListEntry::Item(entry) => Some(entry),
        ListEntry::Prefix(_) => None,
    }
}
