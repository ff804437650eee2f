//! What a caller sees when replicas fail: never a wrong answer, and as few failures as can be.

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use martlet_model::{
    ContainerStore, Error, ListQuery, NewUpload, Noun, ObjectMetadata, ObjectStore, Read, Timestamp,
    UploadStore, Usage,
};
use martlet_testkit::conformance::steps::{
    assert_missing, create, delete, get, if_absent, keys, new_object, noise, object, put, read, shown,
    unconditional,
};
use martlet_testkit::{Faults, MemoryReplica, Reach};
use tokio::time::{Instant, timeout};

use crate::harness::{Cluster, SMALL};

fn all_down(replicas: &[MemoryReplica]) {
    for replica in replicas {
        replica.set_faults(Faults::reaching(Reach::Down));
    }
}

fn all_up(replicas: &[MemoryReplica]) {
    for replica in replicas {
        replica.set_faults(Faults::NONE);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_nothing_is_promised() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "minority").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, "old").await;
    all_down(&cluster.replicas[1..]);
    for bytes in [10, 2_000_000] {
        let refused = cluster.store.put(&key, new_object(noise(1, bytes), if_absent())).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    assert!(matches!(read(&cluster.store, &key, None).await, Err(Error::Unavailable(_))));
    let listed = cluster.store.list(&id, &ListQuery::all(10)).await;
    assert!(matches!(listed, Err(Error::Unavailable(_))), "{listed:?}");
    let counted = cluster.store.usage(&id).await;
    assert!(matches!(counted, Err(Error::Unavailable(_))), "{counted:?}");
    let deleted = cluster.store.delete_container(&id).await;
    assert!(matches!(deleted, Err(Error::Unavailable(_))), "{deleted:?}");
    all_up(&cluster.replicas);
    assert_eq!(get(&cluster.store, &key).await, "old");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_never_a_failed_condition() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "lost-answers").await;
    for round in 0..20 {
        let key = object(&id, format!("key-{round}"));
        for replica in &cluster.replicas {
            replica.set_faults(Faults { answers_lost_one_in: Some(2), ..Faults::NONE });
        }
        let outcome = cluster.store.put(&key, new_object("mine", if_absent())).await;
        all_up(&cluster.replicas);
        match outcome {
            Ok(_) => assert_eq!(get(&cluster.store, &key).await, "mine"),
            Err(Error::Unavailable(_)) => {
                assert_missing(read(&cluster.store, &key, None).await, Noun::Object);
            }
            Err(Error::OutcomeUnknown) => {}
            Err(other) => panic!("nobody else was there: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_stop_the_commit() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "left").await;
    let key = object(&id, "key");
    for replica in &cluster.replicas {
        replica.set_faults(Faults::reaching(Reach::Slow(Duration::from_millis(20))));
    }
    let left = timeout(Duration::from_millis(30), cluster.store.put(&key, new_object("x", unconditional())));
    assert!(left.await.is_err());
    cluster.store.idle().await;
    assert_eq!(get(&cluster.store, &key).await, "x");
}

#[tokio::test]
async fn a_damaged_copy_is_replaced_in_the_middle_of_a_read() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "damaged").await;
    for (seed, bytes) in [(1, 1000), (2, 300_000), (3, 3_000_000)] {
        for damage in [MemoryReplica::damage_blob, MemoryReplica::lose_blob] {
            let key = object(&id, format!("of-{bytes}"));
            put(&cluster.store, &key, noise(seed, bytes)).await;
            cluster.store.idle().await;
            for replica in &cluster.replicas[..2] {
                replica.blob_ids().into_iter().for_each(|blob| damage(replica, blob));
            }
            assert_eq!(get(&cluster.store, &key).await, noise(seed, bytes), "{bytes} bytes");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_the_rows_are_never_sent_to_the_end() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "forged").await;
    for (seed, bytes) in [(1, 1000), (2, 300_000)] {
        let key = object(&id, "key");
        put(&cluster.store, &key, noise(seed, bytes)).await;
        cluster.store.idle().await;
        for replica in &cluster.replicas {
            replica.blob_ids().into_iter().for_each(|blob| replica.forge_blob(blob));
        }
        let download =
            cluster.store.get(&key, Read { version: None, conditions: unconditional(), range: None }).await;
        let body: Result<Vec<Bytes>, _> = download.unwrap().body.try_collect().await;
        assert!(matches!(body, Err(Error::Damaged(_))), "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_forged_copy_of_a_small_body_is_replaced() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "forged-small").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, noise(1, 1000)).await;
    cluster.store.idle().await;
    for replica in &cluster.replicas[..2] {
        replica.blob_ids().into_iter().for_each(|blob| replica.forge_blob(blob));
    }
    assert_eq!(get(&cluster.store, &key).await, noise(1, 1000));
}

#[tokio::test]
async fn a_replica_that_missed_the_bytes_gets_them_with_the_next_change() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "missed").await;
    let key = object(&id, "key");
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    put(&cluster.store, &key, noise(1, 2_000_000)).await;
    cluster.replicas[0].set_faults(Faults::NONE);
    assert_eq!(cluster.replicas[0].blob_ids(), []);
    cluster.store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await.unwrap();
    cluster.store.idle().await;
    assert_eq!(cluster.replicas[0].blob_ids().len(), 1);
    all_down(&cluster.replicas[1..2]);
    assert_eq!(get(&cluster.store, &key).await, noise(1, 2_000_000));
}

#[tokio::test]
async fn what_a_stale_replica_still_has_is_neither_read_nor_listed_nor_counted() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "stale").await;
    for key in ["a", "b/1", "b/2", "c"] {
        put(&cluster.store, &object(&id, key), "x").await;
    }
    cluster.store.idle().await;
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    for key in ["a", "b/1", "b/2"] {
        delete(&cluster.store, &object(&id, key)).await;
    }
    put(&cluster.store, &object(&id, "d"), "new").await;
    cluster.store.idle().await;
    cluster.replicas[2].set_faults(Faults::NONE);
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    let another = cluster.another_proxy(7);
    let grouped = ListQuery { delimiter: Some("/".into()), ..ListQuery::all(10) };
    assert_eq!(another.usage(&id).await.unwrap(), Usage { objects: 2, bytes: 4 });
    assert_eq!(shown(&another.list(&id, &grouped).await.unwrap()), ["c", "d"]);
    assert_eq!(keys(&another, &id).await, ["c", "d"]);
    assert_missing(read(&another, &object(&id, "a"), None).await, Noun::Object);
    assert_eq!(get(&another, &object(&id, "d")).await, "new");
}

#[tokio::test]
async fn what_one_proxy_wrote_another_reads_at_once() {
    let cluster = Cluster::new(SMALL);
    let (one, other) = (&cluster.store, cluster.another_proxy(2));
    let id = create(one, "two-proxies").await;
    let key = object(&id, "key");
    put(&other, &key, "by the other").await;
    assert_eq!(get(one, &key).await, "by the other");
    let refused = one.put(&key, new_object("x", if_absent())).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    delete(one, &key).await;
    assert_missing(read(&other, &key, None).await, Noun::Object);
    assert_eq!(keys(&other, &id).await, Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_proxy_that_missed_a_containers_end_loses_no_write() {
    let cluster = Cluster::new(SMALL);
    let (one, other) = (&cluster.store, cluster.another_proxy(2));
    let id = create(one, "ended").await;
    let key = object(&id, "key");
    // The other proxy remembers the container.
    assert_missing(read(&other, &key, None).await, Noun::Object);
    one.delete_container(&id).await.unwrap();
    assert_missing(other.put(&key, new_object("x", unconditional())).await, Noun::Container);
    let upload = other.begin_upload(&key, NewUpload::default()).await;
    assert_missing(upload, Noun::Container);
    create(one, "ended").await;
    put(&other, &key, "in the new one").await;
    assert_eq!(get(one, &key).await, "in the new one");
}

#[tokio::test(start_paused = true)]
async fn full_devices_take_nothing_new_and_give_everything_they_have() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "full").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, "old").await;
    for replica in &cluster.replicas {
        replica.set_faults(Faults { is_full: true, ..Faults::NONE });
    }
    for bytes in [10, 2_000_000] {
        let refused = cluster.store.put(&key, new_object(noise(1, bytes), unconditional())).await;
        assert!(matches!(refused, Err(Error::OutOfSpace)), "{refused:?}");
    }
    assert_eq!(get(&cluster.store, &key).await, "old");
    delete(&cluster.store, &key).await;
    assert_eq!(keys(&cluster.store, &id).await, Vec::<Bytes>::new());
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_slows_a_few_requests_and_not_all() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "silent").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, "x").await;
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Silent));
    let started = Instant::now();
    for _ in 0..200 {
        put(&cluster.store, &key, "y").await;
        assert_eq!(get(&cluster.store, &key).await, "y");
        cluster.store.list(&id, &ListQuery::all(10)).await.unwrap();
        cluster.store.usage(&id).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn dates_do_not_follow_a_clock_that_goes_back() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "dates-back").await;
    let key = object(&id, "key");
    let first = put(&cluster.store, &key, "1").await.modified;
    cluster.clock.set(Timestamp::from_micros(1));
    let second = put(&cluster.store, &key, "2").await.modified;
    assert!(first < second);
    assert_eq!(get(&cluster.store, &key).await, "2", "the later write stays, whatever the clock said");
}

/// Whoever asks is told to come back within this time.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);

async fn assert_given_up<T: std::fmt::Debug>(
    what: &str,
    work: impl Future<Output = martlet_model::Result<T>>,
) {
    let started = Instant::now();
    let outcome = work.await;
    assert!(matches!(outcome, Err(Error::Unavailable(_) | Error::OutcomeUnknown)), "{what}: {outcome:?}");
    assert!(started.elapsed() < GIVEN_UP_AFTER, "{what} took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_silent_devices_are_given_up_in_time() {
    let cluster = Cluster::new(SMALL);
    let store = &cluster.store;
    let id = create(store, "silent").await;
    let key = object(&id, "key");
    put(store, &key, "old").await;
    let upload = store.begin_upload(&key, NewUpload::default()).await.unwrap();
    store.idle().await;
    for replica in &cluster.replicas[1..] {
        replica.set_faults(Faults::reaching(Reach::Silent));
    }
    for bytes in [10, 300_000, 3_000_000] {
        let new = new_object(noise(1, bytes), unconditional());
        assert_given_up("a put", store.put(&key, new)).await;
    }
    assert_given_up("a read", read(store, &key, None)).await;
    assert_given_up("a listing", store.list(&id, &ListQuery::all(10))).await;
    assert_given_up("a count", store.usage(&id)).await;
    assert_given_up("a deletion", store.delete(&key, None, &unconditional())).await;
    assert_given_up("a new upload", store.begin_upload(&key, NewUpload::default())).await;
    assert_given_up("an aborted upload", store.abort_upload(&key, upload)).await;
    assert_given_up("a container's deletion", store.delete_container(&id)).await;
}

#[tokio::test(start_paused = true)]
async fn devices_that_fall_silent_in_the_middle_are_given_up_in_time() {
    for millis in [10, 30, 50, 70, 90, 110] {
        let cluster = Cluster::new(SMALL);
        let key = object(&create(&cluster.store, "falling-silent").await, "key");
        for replica in &cluster.replicas {
            replica.set_faults(Faults::reaching(Reach::Slow(Duration::from_millis(40))));
        }
        let replicas = cluster.replicas.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            for replica in &replicas[1..] {
                replica.set_faults(Faults::reaching(Reach::Silent));
            }
        });
        let started = Instant::now();
        let outcome = cluster.store.put(&key, new_object(noise(1, 3_000_000), unconditional())).await;
        assert!(started.elapsed() < GIVEN_UP_AFTER, "{millis}: {:?}, {outcome:?}", started.elapsed());
    }
}
