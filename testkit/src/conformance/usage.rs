//! Counters: exact, and exact at once.

use std::collections::BTreeMap;

use martlet_model::{ContainerId, NewUpload, ObjectMetadata, Store, Usage};

use super::steps::{
    chosen, completion, container_name, create, delete, new_container, noise, object, put, put_part,
    unconditional,
};
use crate::seeded::Seeded;

pub async fn all(store: &dyn Store) {
    usage_follows_every_change(store).await;
    an_account_counts_what_its_containers_hold(store).await;
    parts_do_not_count_before_they_are_joined(store).await;
}

pub async fn usage_follows_every_change(store: &dyn Store) {
    let id = create(store, "counted").await;
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let mut random = Seeded::new(11);
    for step in 0..80 {
        let key = format!("key-{}", random.below(12));
        let place = object(&id, &key);
        if random.one_in(3) && sizes.remove(&key).is_some() {
            delete(store, &place).await;
        } else if random.one_in(5) && sizes.contains_key(&key) {
            store.set_metadata(&place, ObjectMetadata::default(), &unconditional()).await.expect("changed");
        } else {
            let bytes = random.below(5000);
            put(store, &place, noise(step, bytes)).await;
            sizes.insert(key, bytes as u64);
        }
        let expected = Usage { objects: sizes.len() as u64, bytes: sizes.values().sum() };
        assert_eq!(store.usage(&id).await.expect("counted"), expected, "after step {step}");
    }
}

pub async fn an_account_counts_what_its_containers_hold(store: &dyn Store) {
    let first = create(store, "sum").await;
    let second = ContainerId { account: first.account.clone(), name: container_name("sum-second") };
    store
        .create_container(&second, new_container(martlet_model::Claim::Required))
        .await
        .expect("the container is made");
    put(store, &object(&first, "a"), "1").await;
    put(store, &object(&first, "b"), "22").await;
    put(store, &object(&second, "a"), "333").await;
    let info = store.account(&first.account).await.expect("there");
    assert_eq!((info.containers, info.usage), (2, Usage { objects: 3, bytes: 6 }));
    delete(store, &object(&second, "a")).await;
    store.delete_container(&second).await.expect("deleted");
    let info = store.account(&first.account).await.expect("there");
    assert_eq!((info.containers, info.usage), (1, Usage { objects: 2, bytes: 3 }));
}

pub async fn parts_do_not_count_before_they_are_joined(store: &dyn Store) {
    let id = create(store, "uncounted").await;
    let key = object(&id, "key");
    let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
    let part = put_part(store, &key, upload, 1, "12345").await;
    assert_eq!(store.usage(&id).await.expect("counted"), Usage::default());
    store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional()))
        .await
        .expect("completed");
    assert_eq!(store.usage(&id).await.expect("counted"), Usage { objects: 1, bytes: 5 });
}
