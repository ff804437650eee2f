//! What happens at the same time.

use futures_util::future::join_all;
use futures_util::join;
use martlet_model::{Claim, ContainerId, Created, Error, NewUpload, Noun, Result, Store, Usage};

use super::steps::{
    account, assert_missing, chosen, completion, container_name, create, get, if_absent, if_unchanged, keys,
    new_container, new_object, object, patiently, put, put_part, unconditional,
};

const RIVALS: usize = 8;

pub async fn all(store: &dyn Store) {
    of_many_creators_one_wins(store).await;
    no_update_is_lost(store).await;
    the_last_of_many_writers_is_everywhere(store).await;
    a_bucket_name_has_one_owner(store).await;
    one_creator_makes_the_container(store).await;
    a_write_is_refused_or_keeps_the_container(store).await;
    an_upload_ends_once(store).await;
    readers_see_one_version_whole(store).await;
}

pub async fn of_many_creators_one_wins(store: &dyn Store) {
    let id = create(store, "creators").await;
    for round in 0..5 {
        let key = object(&id, format!("key-{round}"));
        let attempts = (0..RIVALS).map(|rival| {
            let key = &key;
            patiently(move || store.put(key, new_object(format!("by {rival}"), if_absent())))
        });
        let outcomes = join_all(attempts).await;
        let winners: Vec<usize> = (0..RIVALS).filter(|&rival| outcomes[rival].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        for outcome in outcomes.iter().filter(|outcome| outcome.is_err()) {
            assert!(matches!(outcome, Err(Error::PreconditionFailed)), "{outcome:?}");
        }
        assert_eq!(get(store, &key).await, format!("by {}", winners[0]));
    }
}

pub async fn no_update_is_lost(store: &dyn Store) {
    let id = create(store, "updates").await;
    let key = object(&id, "counter");
    put(store, &key, "0").await;
    join_all((0..4).map(|_| async {
        for _ in 0..5 {
            increment(store, &key).await;
        }
    }))
    .await;
    assert_eq!(get(store, &key).await, "20");
}

pub async fn the_last_of_many_writers_is_everywhere(store: &dyn Store) {
    let id = create(store, "writers").await;
    let key = object(&id, "key");
    let attempts = (0..RIVALS).map(|rival| {
        let key = &key;
        let body = "x".repeat(rival + 1);
        patiently(move || store.put(key, new_object(body.clone(), unconditional())))
    });
    for outcome in join_all(attempts).await {
        outcome.expect("an unconditional write is stored");
    }
    let bytes = get(store, &key).await.len() as u64;
    assert_eq!(store.usage(&id).await.expect("counted"), Usage { objects: 1, bytes });
    assert_eq!(store.head(&key, None, &unconditional()).await.expect("there").content.bytes, bytes);
    assert_eq!(keys(store, &id).await, ["key"]);
}

pub async fn a_bucket_name_has_one_owner(store: &dyn Store) {
    let name = container_name("contested");
    let ids: Vec<ContainerId> = (0..RIVALS)
        .map(|rival| ContainerId { account: account(&format!("contender-{rival}")), name: name.clone() })
        .collect();
    let outcomes = join_all(
        ids.iter().map(|id| patiently(move || store.create_container(id, new_container(Claim::Required)))),
    )
    .await;
    let owner = store.bucket_owner(&name).await.expect("asked").expect("somebody has it");
    for (id, outcome) in ids.iter().zip(outcomes) {
        match outcome {
            Ok(_) => assert_eq!(id.account, owner),
            Err(Error::NameTaken) => assert_ne!(id.account, owner),
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub async fn one_creator_makes_the_container(store: &dyn Store) {
    let id = super::steps::container("made-once");
    let outcomes = join_all(
        (0..RIVALS).map(|_| patiently(|| store.create_container(&id, new_container(Claim::Required)))),
    )
    .await;
    let made = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Created::New))).count();
    let found = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Created::Existing))).count();
    assert_eq!((made, found), (1, RIVALS - 1), "{outcomes:?}");
}

pub async fn a_write_is_refused_or_keeps_the_container(store: &dyn Store) {
    for round in 0..8 {
        let id = create(store, &format!("going-{round}")).await;
        let key = object(&id, "key");
        let (deleted, written) = join!(
            patiently(|| store.delete_container(&id)),
            patiently(|| store.put(&key, new_object("x", unconditional()))),
        );
        match (deleted, written) {
            (Ok(()), written) => {
                assert_missing(written, Noun::Container);
                assert_missing(store.container(&id).await, Noun::Container);
            }
            (Err(Error::NotEmpty), Ok(_)) => assert_eq!(get(store, &key).await, "x"),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn an_upload_ends_once(store: &dyn Store) {
    let id = create(store, "endings").await;
    for round in 0..5 {
        let key = object(&id, format!("key-{round}"));
        let upload = store.begin_upload(&key, NewUpload::default()).await.expect("begun");
        let parts = [chosen(&put_part(store, &key, upload, 1, "x").await)];
        let always = unconditional();
        let (completed, again, aborted) = join!(
            patiently(|| store.complete_upload(&key, upload, completion(&parts, &always))),
            patiently(|| store.complete_upload(&key, upload, completion(&parts, &always))),
            patiently(|| store.abort_upload(&key, upload)),
        );
        match aborted {
            Ok(()) => {
                assert_missing(completed, Noun::Upload);
                assert_missing(again, Noun::Upload);
                assert_missing(store.head(&key, None, &unconditional()).await, Noun::Object);
            }
            aborted => {
                assert_missing(aborted, Noun::Upload);
                let completed = completed.expect("one ending holds");
                assert_eq!(again.expect("the same answer"), completed);
                assert_eq!(get(store, &key).await, "x");
            }
        }
    }
}

pub async fn readers_see_one_version_whole(store: &dyn Store) {
    let id = create(store, "whole").await;
    let key = object(&id, "key");
    let body = |version: usize| vec![u8::try_from(version).unwrap_or_default(); 1_100_000 + version];
    put(store, &key, body(0)).await;
    let write = async {
        for version in 1..5 {
            put(store, &key, body(version)).await;
        }
    };
    let read = async {
        for _ in 0..8 {
            let seen = get(store, &key).await;
            let version = usize::from(seen[0]);
            assert_eq!(seen, body(version), "a mixture of versions");
        }
    };
    join!(write, read);
    assert_eq!(get(store, &key).await, body(4));
}

async fn increment(store: &dyn Store, key: &martlet_model::ObjectId) {
    loop {
        let present = store.head(key, None, &unconditional()).await.expect("there");
        let count: u64 = String::from_utf8_lossy(&get(store, key).await).parse().expect("a number");
        // The head and the body may be of two versions: then the condition fails.
        let next = (count + 1).to_string();
        let written: Result<_> =
            patiently(|| store.put(key, new_object(next.clone(), if_unchanged(&present)))).await;
        match written {
            Ok(_) => return,
            Err(Error::PreconditionFailed) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}
