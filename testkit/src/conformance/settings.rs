//! What a container says of itself, and documents of the cluster.

use bytes::Bytes;
use martlet_model::{
    Claim, ContainerChange, Created, DocumentKind, Error, Expect, NewContainer, Noun, Setting,
    SettingsChange, Store, Versioning,
};

use super::steps::{assert_missing, container, create, new_container, user_metadata};

pub async fn all(store: &dyn Store) {
    settings_are_set_and_removed_one_by_one(store).await;
    a_container_is_made_with_its_settings(store).await;
    making_it_again_changes_it(store).await;
    documents_are_stored_and_removed(store).await;
    a_document_changes_only_as_expected(store).await;
    documents_come_in_order(store).await;
}

pub async fn settings_are_set_and_removed_one_by_one(store: &dyn Store) {
    let id = create(store, "settings").await;
    let change = |settings| ContainerChange { settings, ..ContainerChange::default() };
    let both = SettingsChange::default().set(Setting::Cors, "cors").set(Setting::Tagging, "tags");
    store.update_container(&id, change(both)).await.expect("changed");
    let one = SettingsChange::default().set(Setting::Cors, "other").remove(Setting::Tagging);
    store.update_container(&id, change(one)).await.expect("changed");
    let info = store.container(&id).await.expect("there");
    assert_eq!(*store.recent_container(&id).await.expect("there"), info);
    let settings: Vec<_> = info.settings.iter().collect();
    assert_eq!(settings, [(Setting::Cors, &Bytes::from("other"))]);
    // Metadata is another matter.
    let metadata = ContainerChange { metadata: user_metadata(&[("a", "1")]), ..ContainerChange::default() };
    store.update_container(&id, metadata).await.expect("changed");
    let after = store.container(&id).await.expect("there");
    assert_eq!(after.settings, info.settings);
    assert_eq!(after.metadata.text("a"), Some("1"));
    let absent = container("settings-absent");
    assert_missing(store.recent_container(&absent).await, Noun::Container);
}

pub async fn a_container_is_made_with_its_settings(store: &dyn Store) {
    let id = container("settings-made");
    let new = NewContainer {
        settings: SettingsChange::default().set(Setting::Acl, "acl"),
        versioning: Some(Versioning::Enabled),
        ..new_container(Claim::Required)
    };
    assert_eq!(store.create_container(&id, new).await.expect("made"), Created::New);
    let info = store.container(&id).await.expect("there");
    assert_eq!(info.settings.get(Setting::Acl), Some(&Bytes::from("acl")));
    assert_eq!(info.versioning, Versioning::Enabled);
}

pub async fn making_it_again_changes_it(store: &dyn Store) {
    let id = create(store, "settings-again").await;
    let new = |settings, versioning| NewContainer { settings, versioning, ..new_container(Claim::IfFree) };
    let set = SettingsChange::default().set(Setting::SwiftRead, ".r:*").set(Setting::SwiftWrite, "a");
    let made = store.create_container(&id, new(set, Some(Versioning::Suspended))).await;
    assert_eq!(made.expect("there"), Created::Existing);
    let unset = SettingsChange::default().remove(Setting::SwiftWrite);
    store.create_container(&id, new(unset, None)).await.expect("there");
    let info = store.container(&id).await.expect("there");
    assert_eq!(info.settings.iter().collect::<Vec<_>>(), [(Setting::SwiftRead, &Bytes::from(".r:*"))]);
    assert_eq!(info.versioning, Versioning::Suspended);
    let off = store.create_container(&id, new(SettingsChange::default(), Some(Versioning::Off))).await;
    assert!(matches!(off, Err(Error::VersioningStays)), "{off:?}");
}

const KIND: DocumentKind = DocumentKind::User;

pub async fn documents_are_stored_and_removed(store: &dyn Store) {
    let key = b"stored";
    assert_eq!(store.document(KIND, key).await.expect("asked"), None);
    store.put_document(KIND, key, "one".into(), Expect::Anything).await.expect("stored");
    store.put_document(KIND, key, "two".into(), Expect::Anything).await.expect("stored");
    assert_eq!(store.document(KIND, key).await.expect("asked"), Some("two".into()));
    store.put_document(KIND, key, Bytes::new(), Expect::Anything).await.expect("stored");
    assert_eq!(store.document(KIND, key).await.expect("asked"), Some(Bytes::new()));
    store.remove_document(KIND, key, Expect::Anything).await.expect("removed");
    store.remove_document(KIND, key, Expect::Anything).await.expect("nothing to remove");
    assert_eq!(store.document(KIND, key).await.expect("asked"), None);
}

pub async fn a_document_changes_only_as_expected(store: &dyn Store) {
    let key = b"expected";
    let put = |document: &'static str, expect| store.put_document(KIND, key, document.into(), expect);
    let is_refused = |outcome: Result<(), Error>| matches!(outcome, Err(Error::PreconditionFailed));
    assert!(is_refused(put("x", Expect::Document("y".into())).await));
    assert!(is_refused(store.remove_document(KIND, key, Expect::Document("y".into())).await));
    store.remove_document(KIND, key, Expect::Nothing).await.expect("nothing there, as expected");
    put("one", Expect::Nothing).await.expect("nothing there");
    assert!(is_refused(put("x", Expect::Nothing).await));
    assert!(is_refused(put("x", Expect::Document("two".into())).await));
    assert!(is_refused(store.remove_document(KIND, key, Expect::Nothing).await));
    put("two", Expect::Document("one".into())).await.expect("as expected");
    assert_eq!(store.document(KIND, key).await.expect("asked"), Some("two".into()));
    store.remove_document(KIND, key, Expect::Document("two".into())).await.expect("as expected");
}

pub async fn documents_come_in_order(store: &dyn Store) {
    for key in ["list/b", "list/a", "list/c", "list/\u{ff}"] {
        let stored = store.put_document(KIND, key.as_bytes(), Bytes::from(key), Expect::Anything).await;
        stored.expect("stored");
    }
    let keys = |found: Vec<(Bytes, Bytes)>| -> Vec<Bytes> {
        assert!(found.iter().all(|(key, document)| key == document), "{found:?}");
        found.into_iter().map(|(key, _)| key).collect()
    };
    let (found, more) = store.documents(KIND, Some("list/".into()), 2).await.expect("listed");
    assert_eq!((keys(found), more), (vec!["list/a".into(), "list/b".into()], true));
    let (found, more) = store.documents(KIND, Some("list/b".into()), 2).await.expect("listed");
    assert_eq!((keys(found), more), (vec!["list/c".into(), "list/\u{ff}".into()], false));
    let (found, more) = store.documents(KIND, None, 0).await.expect("listed");
    assert_eq!((found.len(), more), (0, false));
    for key in ["list/b", "list/a", "list/c", "list/\u{ff}"] {
        store.remove_document(KIND, key.as_bytes(), Expect::Anything).await.expect("removed");
    }
}
