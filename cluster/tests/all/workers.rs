//! What the workers remove, and what they must not.

use std::time::Duration;

use martlet_cluster::workers::{
    OrphanRule, Round, Stagers, clear_dropped, collect_garbage, expire, remove_tombstones, sweep_orphans,
};
use martlet_cluster::{ClusterStore, ORPHAN_AGE_MIN};
use martlet_model::{
    Clock, ContainerStore, Error, NewObject, NewUpload, Noun, ObjectId, ObjectMetadata, ObjectStore,
    Timestamp, UploadStore,
};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Block, NewBlob, ReadRow, Replica, RowKey, RowReply,
    RowValue, TableId, TableKind, Want,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::DeviceId;
use martlet_testkit::conformance::steps::{
    chosen, completion, create, delete, get, keys, new_object, noise, object, put, put_part, read,
    unconditional, versioned,
};
use martlet_testkit::{Faults, MemoryReplica, Reach};
use tokio::time::sleep;

use crate::harness::{Cluster, SMALL, Shape, placement};

/// One round of everything on every device that can be reached; the sum of what was done.
async fn rounds(cluster: &Cluster) -> Round {
    let store = &cluster.store;
    let mut sum = add(Round::default(), clear_dropped(store, 100).await.unwrap());
    for device in devices(cluster) {
        let Ok(garbage) = collect_garbage(store, device, 1000).await else { continue };
        let orphans = sweep_orphans(store, device, None, 1000, OrphanRule::standard(Stagers::Anywhere))
            .await
            .unwrap()
            .round;
        let tombstones = remove_tombstones(store, device, 1000).await.unwrap();
        sum = [garbage, orphans, tombstones].into_iter().fold(sum, add);
    }
    sum
}

fn add(one: Round, other: Round) -> Round {
    Round {
        removed: one.removed + other.removed,
        kept: one.kept + other.kept,
        undecided: one.undecided + other.undecided,
    }
}

fn devices(cluster: &Cluster) -> impl Iterator<Item = DeviceId> + use<> {
    (0..u32::try_from(cluster.replicas.len()).unwrap()).map(DeviceId)
}

async fn settled(store: &ClusterStore) {
    store.idle().await;
}

fn blobs(cluster: &Cluster) -> Vec<usize> {
    cluster.replicas.iter().map(|replica| replica.blob_ids().len()).collect()
}

#[tokio::test]
async fn an_overwritten_body_gives_its_space_back() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "overwritten").await;
    for bytes in [100, 2_000_000] {
        let key = object(&id, "key");
        put(&cluster.store, &key, noise(1, bytes)).await;
        put(&cluster.store, &key, noise(2, bytes)).await;
        settled(&cluster.store).await;
        rounds(&cluster).await;
        assert_eq!(blobs(&cluster), [1, 1, 1]);
        assert_eq!(get(&cluster.store, &key).await, noise(2, bytes));
    }
    delete(&cluster.store, &object(&id, "key")).await;
    settled(&cluster.store).await;
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [0, 0, 0]);
    assert!(cluster.replicas.iter().all(|replica| replica.garbage_count() == 0));
}

#[tokio::test]
async fn new_metadata_does_not_make_garbage_of_the_bytes() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "kept").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, "body").await;
    cluster.store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await.unwrap();
    settled(&cluster.store).await;
    rounds(&cluster).await;
    assert_eq!(get(&cluster.store, &key).await, "body");
}

#[tokio::test]
async fn garbage_is_collected_while_a_device_is_away_and_found_by_it_later() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "away").await;
    for number in 0..10 {
        let key = object(&id, format!("key-{number}"));
        put(&cluster.store, &key, noise(1, 1000)).await;
        put(&cluster.store, &key, noise(2, 1000)).await;
    }
    let large = object(&id, "large");
    put(&cluster.store, &large, noise(1, 2_000_000)).await;
    put(&cluster.store, &large, "small").await;
    settled(&cluster.store).await;
    let all = blobs(&cluster)[2];
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    for device in [DeviceId(0), DeviceId(1)] {
        // Little by little: what has to wait mustn't stand in the way of what comes after it.
        for _ in 0..10 {
            collect_garbage(&cluster.store, device, 3).await.unwrap();
        }
    }
    assert_eq!(blobs(&cluster), [11, 11, all]);
    assert_eq!(cluster.replicas.iter().map(MemoryReplica::garbage_count).take(2).collect::<Vec<_>>(), [0, 0]);
    cluster.replicas[2].set_faults(Faults::NONE);
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [11, 11, 11]);
}

#[tokio::test]
async fn tombstones_are_removed_behind_those_that_wait_for_a_lost_device() {
    let cluster = Cluster::new(Shape { devices: 6, partition_bits: 4 });
    let id = create(&cluster.store, "behind").await;
    for number in 0..60 {
        let key = object(&id, format!("key-{number}"));
        put(&cluster.store, &key, "body").await;
        delete(&cluster.store, &key).await;
    }
    settled(&cluster.store).await;
    cluster.replicas[5].set_faults(Faults::reaching(Reach::Down));
    for _ in 0..60 {
        remove_tombstones(&cluster.store, DeviceId(0), 2).await.unwrap();
    }
    let left = cluster.replicas[0].tombstones(1000).await.unwrap();
    let waits =
        |row: &martlet_protocol::RowAddress| cluster.ring().devices_of_hash(row.hash).contains(&DeviceId(5));
    assert!(!left.is_empty() && left.iter().all(|tombstone| waits(&tombstone.row)), "{left:?}");
}

#[tokio::test]
async fn nothing_goes_while_a_majority_cannot_be_asked() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "unreachable").await;
    let key = object(&id, "key");
    put(&cluster.store, &key, "old").await;
    put(&cluster.store, &key, "new").await;
    settled(&cluster.store).await;
    for replica in &cluster.replicas[1..] {
        replica.set_faults(Faults::reaching(Reach::Down));
    }
    let round = collect_garbage(&cluster.store, DeviceId(0), 1000).await.unwrap();
    assert_eq!((round.removed, round.undecided), (0, 1));
    for replica in &cluster.replicas[1..] {
        replica.set_faults(Faults::NONE);
    }
    assert_eq!(blobs(&cluster), [2, 2, 2]);
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [1, 1, 1]);
    assert_eq!(get(&cluster.store, &key).await, "new");
}

#[tokio::test(start_paused = true)]
async fn tombstones_go_once_everybody_has_them() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "deleted").await;
    settled(&cluster.store).await;
    let rows_before = rows(&cluster);
    put(&cluster.store, &object(&id, "key"), "x").await;
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    delete(&cluster.store, &object(&id, "key")).await;
    settled(&cluster.store).await;
    rounds(&cluster).await;
    assert!(rows_before[0] < rows(&cluster)[0], "the third still has what was deleted");
    cluster.replicas[2].set_faults(Faults::NONE);
    // First the third has to be found to be back; then a round brings it up to date, and the next one removes.
    for _ in 0..4 {
        sleep(Duration::from_secs(1)).await;
        rounds(&cluster).await;
        settled(&cluster.store).await;
    }
    assert_eq!(rows(&cluster), rows_before);
    put(&cluster.store, &object(&id, "key"), "again").await;
    assert_eq!(get(&cluster.store, &object(&id, "key")).await, "again");
}

#[tokio::test(start_paused = true)]
async fn orphans_go_only_when_they_are_old_and_nobody_refers_to_them() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "orphans").await;
    let kept = object(&id, "kept");
    put(&cluster.store, &kept, noise(1, 1_500_000)).await;
    orphan(&cluster).await;
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [2, 2, 2], "too young");
    tokio::time::advance(ORPHAN_AGE_MIN + Duration::from_secs(1)).await;
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    let sweep =
        sweep_orphans(&cluster.store, DeviceId(0), None, 1000, OrphanRule::standard(Stagers::Anywhere))
            .await
            .unwrap();
    assert_eq!((sweep.round.removed, sweep.round.undecided), (0, 1), "its owner can't be asked");
    cluster.replicas[1].set_faults(Faults::NONE);
    cluster.replicas[2].set_faults(Faults::NONE);
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [1, 1, 1]);
    assert_eq!(get(&cluster.store, &kept).await, noise(1, 1_500_000));
}

#[tokio::test]
async fn what_was_staged_before_the_devices_were_opened_goes_at_once_where_nobody_else_stages() {
    let cluster = Cluster::new(SMALL);
    orphan(&cluster).await;
    let sweep = async |stagers| {
        let rule = OrphanRule::standard(stagers);
        let mut removed = 0;
        for device in devices(&cluster) {
            removed += sweep_orphans(&cluster.store, device, None, 1000, rule).await.unwrap().round.removed;
        }
        removed
    };
    assert_eq!(sweep(Stagers::ThisProcess).await, 0, "it may be in use");
    cluster.replicas.iter().for_each(martlet_testkit::MemoryReplica::restart);
    assert_eq!(sweep(Stagers::Anywhere).await, 0, "a proxy elsewhere may be about to refer to it");
    assert_ne!(sweep(Stagers::ThisProcess).await, 0);
    assert_eq!(blobs(&cluster), [0, 0, 0]);
}

/// A value that only one replica has accepted may be taken up by a later reader: its blob is no orphan before that
/// has been ruled out.
#[tokio::test(start_paused = true)]
async fn the_blob_of_a_value_that_a_minority_accepted_is_not_taken_from_it() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "pending").await;
    put(&cluster.store, &object(&id, "gone"), "x").await;
    delete(&cluster.store, &object(&id, "gone")).await;
    put(&cluster.store, &object(&id, "model"), noise(1, 1_500_000)).await;
    settled(&cluster.store).await;
    let table = cluster.replicas[0].tombstones(1).await.unwrap()[0].row.row.table;
    for holder in 0..3 {
        accept_at(&cluster, table, holder).await;
    }
    tokio::time::advance(ORPHAN_AGE_MIN + Duration::from_secs(1)).await;
    rounds(&cluster).await;
    settled(&cluster.store).await;
    for holder in 0..3 {
        for dead in 0..3 {
            cluster.replicas[dead].set_faults(Faults::reaching(Reach::Down));
            let key = object(&id, format!("pending-{holder}"));
            match read(&cluster.store, &key, None).await {
                Ok(body) => assert_eq!(body, noise(1, 1_500_000)),
                Err(error) => assert!(matches!(error, Error::NotFound(Noun::Object)), "{key:?}: {error}"),
            }
            cluster.replicas[dead].set_faults(Faults::NONE);
        }
    }
}

/// Lets one replica accept an object like `model` under another name; all have its blob.
async fn accept_at(cluster: &Cluster, table: TableId, holder: usize) {
    let model = RowKey { table, key: "model".into() }.address(&placement());
    let request = ReadRow { row: model, want: Want::Value };
    let Ok(RowReply::Value { accepted: Some(accepted), .. }) = cluster.replicas[0].read(request).await else {
        panic!("the model is there");
    };
    let RowValue::Live { entry, record, weight, blobs } = accepted.state.value else { panic!("it is alive") };
    let row = RowKey { table, key: format!("pending-{holder}").into() }.address(&placement());
    let marker = u8::try_from(holder).unwrap() + 1;
    let blob = BlobRef { id: BlobId([marker; 16]), hash: row.hash, ..blobs[0] };
    let new = NewBlob { id: blob.id, hash: blob.hash, owner: BlobOwner::Row(row.clone()) };
    for replica in &cluster.replicas {
        let mut writer = replica.stage(new.clone()).await.unwrap();
        for block in noise(1, 1_500_000).chunks(BLOCK_BYTES) {
            writer.write(Block::new(block.to_vec().into())).await.unwrap();
        }
        writer.finish().await.unwrap();
    }
    let ballot = Ballot { time: accepted.ballot.time, proposer: ProposerId(99) };
    let value = RowValue::Live { entry, record, weight, blobs: vec![blob] };
    let state = State::first(ballot, Ballot::ZERO, value);
    let accept = Accept { row, ballot, state, body: None, garbage: Vec::new(), seal: None };
    cluster.replicas[holder].accept(accept).await.unwrap();
}

#[tokio::test]
async fn an_aborted_upload_gives_its_space_back() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "aborted").await;
    let key = object(&id, "key");
    let upload = cluster.store.begin_upload(&key, NewUpload::default()).await.unwrap();
    put_part(&cluster.store, &key, upload, 1, noise(1, 100_000)).await;
    put_part(&cluster.store, &key, upload, 2, noise(2, 100)).await;
    cluster.store.abort_upload(&key, upload).await.unwrap();
    settled(&cluster.store).await;
    rounds(&cluster).await;
    settled(&cluster.store).await;
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [0, 0, 0]);
}

#[tokio::test]
async fn a_completed_upload_keeps_what_its_object_is_made_of() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "completed").await;
    let key = object(&id, "key");
    let upload = cluster.store.begin_upload(&key, NewUpload::default()).await.unwrap();
    put_part(&cluster.store, &key, upload, 1, noise(9, 70_000)).await;
    let part = put_part(&cluster.store, &key, upload, 1, noise(1, 100_000)).await;
    put_part(&cluster.store, &key, upload, 2, noise(2, 100)).await;
    cluster
        .store
        .complete_upload(&key, upload, completion(&[chosen(&part)], &unconditional()))
        .await
        .unwrap();
    settled(&cluster.store).await;
    for _ in 0..3 {
        rounds(&cluster).await;
        settled(&cluster.store).await;
        assert_eq!(get(&cluster.store, &key).await, noise(1, 100_000));
    }
    assert_eq!(blobs(&cluster), [1, 1, 1]);
    delete(&cluster.store, &key).await;
    settled(&cluster.store).await;
    rounds(&cluster).await;
    assert_eq!(blobs(&cluster), [0, 0, 0]);
}

#[tokio::test]
async fn a_deleted_container_takes_its_uploads_along() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "dropped").await;
    let key = object(&id, "key");
    let upload = cluster.store.begin_upload(&key, NewUpload::default()).await.unwrap();
    put_part(&cluster.store, &key, upload, 1, noise(1, 1000)).await;
    cluster.store.delete_container(&id).await.unwrap();
    for _ in 0..3 {
        settled(&cluster.store).await;
        rounds(&cluster).await;
    }
    assert_eq!(blobs(&cluster), [0, 0, 0]);
    // The account's row is all that is left.
    assert_eq!(rows(&cluster), [1, 1, 1]);
}

/// Puts a blob on every device that its owner's row never came to refer to.
async fn orphan(cluster: &Cluster) {
    let row = RowKey { table: TableId::new(TableKind::Objects, [9; 15]), key: "lost".into() };
    let address = row.address(&placement());
    let new = NewBlob { id: BlobId([9; 16]), hash: address.hash, owner: BlobOwner::Row(address) };
    for replica in &cluster.replicas {
        let mut writer = replica.stage(new.clone()).await.unwrap();
        writer.write(Block::new(noise(9, 1000))).await.unwrap();
        writer.finish().await.unwrap();
    }
}

fn rows(cluster: &Cluster) -> Vec<usize> {
    cluster.replicas.iter().map(martlet_testkit::MemoryReplica::row_count).collect()
}

#[tokio::test]
async fn what_has_ended_is_removed_and_nothing_else() {
    let cluster = Cluster::new(SMALL);
    let store = &cluster.store;
    let plain = create(store, "ends").await;
    let kept = versioned(store, "ends-versioned").await;
    let soon = cluster.clock.now().as_micros() + 60_000_000;
    let ends_at = |micros| ObjectMetadata {
        delete_at: Some(Timestamp::from_micros(micros)),
        ..ObjectMetadata::default()
    };
    let put_until = async |key: &ObjectId, micros| {
        let new = NewObject { metadata: ends_at(micros), ..new_object("x", unconditional()) };
        store.put(key, new).await.unwrap()
    };
    for key in ["ends", "overwritten", "prolonged", "taken back", "stays"] {
        put_until(&object(&plain, key), if key == "stays" { soon * 2 } else { soon }).await;
    }
    put(store, &object(&plain, "overwritten"), "y").await;
    let [prolonged, taken_back] = ["prolonged", "taken back"].map(|key| object(&plain, key));
    store.set_metadata(&prolonged, ends_at(soon + 10_000_000), &unconditional()).await.unwrap();
    store.set_metadata(&taken_back, ObjectMetadata::default(), &unconditional()).await.unwrap();
    let version = put_until(&object(&kept, "version"), soon).await;
    assert_eq!(expire(store, 100).await.unwrap(), Round::default());
    cluster.clock.advance(Duration::from_secs(61));
    assert_eq!(keys(store, &plain).await, ["overwritten", "prolonged", "stays", "taken back"]);
    assert_eq!(store.usage(&plain).await.unwrap().objects, 5, "seen no more, and not removed yet");
    let first = expire(store, 100).await.unwrap();
    assert_eq!((first.removed, first.undecided), (2, 0));
    assert_eq!(store.usage(&plain).await.unwrap().objects, 4);
    let gone = store.head(&object(&kept, "version"), None, &unconditional()).await;
    assert!(matches!(gone, Err(Error::DeleteMarker { .. })), "{gone:?}");
    let by_its_id = store.head(&object(&kept, "version"), version.version, &unconditional()).await;
    assert_eq!(by_its_id.unwrap(), version, "a version stays until somebody removes it");
    // The notes are gone, but for that of what ends later.
    assert_eq!(expire(store, 100).await.unwrap(), Round::default());
    cluster.clock.advance(Duration::from_secs(10));
    assert_eq!(expire(store, 100).await.unwrap().removed, 1);
    assert_eq!(keys(store, &plain).await, ["overwritten", "stays", "taken back"]);
}

#[tokio::test]
async fn a_note_outlives_who_may_still_be_about_to_write_the_object() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "late").await;
    let ended = Some(Timestamp::from_micros(1));
    let metadata = ObjectMetadata { delete_at: ended, ..ObjectMetadata::default() };
    let new = || NewObject { metadata: metadata.clone(), ..new_object("x", unconditional()) };
    cluster.store.put(&object(&id, "key"), new()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(expire(&cluster.store, 10).await.unwrap().removed, 1);
        assert_eq!(expire(&cluster.store, 10).await.unwrap().kept, 1);
        // As if it had been noted before the round, and only now was stored.
        cluster.store.put(&object(&id, "key"), new()).await.unwrap();
    }
    expire(&cluster.store, 10).await.unwrap();
    cluster.clock.advance(Duration::from_secs(31));
    assert_eq!(expire(&cluster.store, 10).await.unwrap().kept, 1);
    assert_eq!(expire(&cluster.store, 10).await.unwrap(), Round::default());
    // A container that is gone has nothing that ends.
    cluster.store.put(&object(&id, "key"), new()).await.unwrap();
    expire(&cluster.store, 10).await.unwrap();
    cluster.store.delete_container(&id).await.unwrap();
    create(&cluster.store, "late").await;
    cluster.clock.advance(Duration::from_secs(31));
    assert_eq!(expire(&cluster.store, 10).await.unwrap().kept, 1);
    assert_eq!(expire(&cluster.store, 10).await.unwrap(), Round::default());
}
