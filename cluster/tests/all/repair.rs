//! What repair brings level, and what it must not change.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use martlet_cluster::workers::{
    BlobRound, RepairRound, ScrubBudget, ScrubRound, clear_dropped, collect_garbage, remove_tombstones,
    repair, repair_blobs, scrub,
};
use martlet_cluster::{ClusterStore, FsckDepth, FsckOptions, KindCount, fsck};
use martlet_model::{
    ContainerId, ContainerStore, Error, NewUpload, Noun, ObjectId, ObjectMetadata, ObjectStore, UploadStore,
};
use martlet_protocol::{Accept, Replica, RowKey, RowValue, SealToken, TableId, TableKind, Weight};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::{DeviceId, Partition};
use martlet_testkit::conformance::steps::{
    assert_missing, chosen, completion, create, delete, get, keys, new_object, noise, object, put, put_part,
    read, unconditional,
};
use martlet_testkit::{Faults, MemoryReplica, Reach, Seeded};
use tokio::time::sleep;

use crate::conformance::{IMPATIENT, seeds, trouble};
use crate::harness::{Cluster, SMALL, Shape, placement};

/// More devices than replicas, so that partitions have different homes.
const WIDE: Shape = Shape { devices: 5, partition_bits: 4 };

const CLOSELY: FsckOptions = FsckOptions { depth: FsckDepth::Bytes, findings_max: 20 };
const QUICKLY: FsckOptions = FsckOptions { depth: FsckDepth::Index, ..CLOSELY };

/// One pass for every device; the sum of what was done.
pub(crate) async fn pass(cluster: &Cluster) -> RepairRound {
    let mut sum = RepairRound::default();
    for device in cluster.device_ids() {
        let round = repair(&cluster.store, device).await.unwrap();
        sum = RepairRound {
            partitions: sum.partitions + round.partitions,
            partitions_unknown: sum.partitions_unknown + round.partitions_unknown,
            partitions_different: sum.partitions_different + round.partitions_different,
            rows_leveled: sum.rows_leveled + round.rows_leveled,
            rows_undecided: sum.rows_undecided + round.rows_undecided,
            blobs_delivered: sum.blobs_delivered + round.blobs_delivered,
            blobs_waiting: sum.blobs_waiting + round.blobs_waiting,
        };
    }
    cluster.store.idle().await;
    sum
}

/// Passes until nothing is left to do; panics if that takes too many.
pub(crate) async fn level(cluster: &Cluster) {
    cluster.store.idle().await;
    for _ in 0..5 {
        if pass(cluster).await.is_level() {
            assert_eq!(differing(cluster).await, [], "a level cluster has equal digests");
            let report = fsck(&cluster.store, CLOSELY).await;
            assert!(report.is_sound(), "{report:?}");
            return;
        }
    }
    panic!("the replicas don't come level: {:?}", pass(cluster).await);
}

/// The partitions on whose digests the replicas differ.
async fn differing(cluster: &Cluster) -> Vec<Partition> {
    let mut differing = Vec::new();
    for partition in cluster.ring().partitions() {
        let mut digests = Vec::new();
        for device in cluster.ring().devices_of(partition) {
            let replica = &cluster.replicas[usize::try_from(device.0).unwrap()];
            digests.push(replica.digests(vec![partition]).await.unwrap());
        }
        if digests.iter().any(|digest| *digest != digests[0]) {
            differing.push(partition);
        }
    }
    differing
}

/// Everything that a reader sees of a container.
async fn seen(store: &ClusterStore, id: &ContainerId) -> BTreeMap<Bytes, Bytes> {
    let mut seen = BTreeMap::new();
    for key in keys(store, id).await {
        let body = get(store, &object(id, &key)).await;
        seen.insert(key, body);
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn where_everybody_holds_the_same_nothing_is_done() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "healthy").await;
    for number in 0..50 {
        put(&cluster.store, &object(&id, number.to_string()), "x").await;
    }
    cluster.store.idle().await;
    let round = pass(&cluster).await;
    assert_eq!(round, RepairRound { partitions: 16, ..RepairRound::default() });
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_away_gets_what_it_missed() {
    for shape in [SMALL, WIDE] {
        let cluster = Cluster::new(shape);
        let id = create(&cluster.store, "away").await;
        for number in 0..30 {
            put(&cluster.store, &object(&id, number.to_string()), noise(number, 3000)).await;
        }
        cluster.store.idle().await;
        cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
        for number in 0..10 {
            put(&cluster.store, &object(&id, number.to_string()), noise(100 + number, 2_000_000)).await;
        }
        for number in 10..20 {
            delete(&cluster.store, &object(&id, number.to_string())).await;
        }
        put(&cluster.store, &object(&id, "new"), "new").await;
        cluster.store.idle().await;
        assert!(pass(&cluster).await.partitions_unknown > 0, "it is still away");
        let report = fsck(&cluster.store, QUICKLY).await;
        assert!(!report.is_sound() && report.unknown() > 0, "{report:?}");
        cluster.replicas[2].set_faults(Faults::NONE);
        let report = fsck(&cluster.store, QUICKLY).await;
        assert!(report.not_redundant() > 0 && report.unknown() == 0, "{report:?}");
        let before = seen(&cluster.another_proxy(2), &id).await;
        assert_ne!(differing(&cluster).await, []);
        let round = pass(&cluster).await;
        assert!(round.rows_leveled > 0, "{round:?}");
        level(&cluster).await;
        assert_eq!(seen(&cluster.another_proxy(3), &id).await, before);
        // It can stand in for those that had everything.
        for down in [0, 1] {
            cluster.replicas[down].set_faults(Faults::reaching(Reach::Down));
            assert_eq!(seen(&cluster.another_proxy(4 + down as u64), &id).await, before);
            cluster.replicas[down].set_faults(Faults::NONE);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_one_replica_missed_reaches_it_and_is_then_forgotten_by_all() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "deleted").await;
    put(&cluster.store, &object(&id, "key"), "x").await;
    cluster.store.idle().await;
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    delete(&cluster.store, &object(&id, "key")).await;
    cluster.store.idle().await;
    cluster.replicas[1].set_faults(Faults::NONE);
    level(&cluster).await;
    for device in cluster.device_ids() {
        remove_tombstones(&cluster.store, device, 1000).await.unwrap();
    }
    level(&cluster).await;
    for replica in &cluster.replicas {
        assert_eq!(replica.tombstones(10).await, Ok(Vec::new()));
    }
    assert_missing(read(&cluster.store, &object(&id, "key"), None).await, Noun::Object);
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_that_one_replica_did_not_forget_is_forgotten_in_the_end() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "half-forgotten").await;
    put(&cluster.store, &object(&id, "key"), "x").await;
    delete(&cluster.store, &object(&id, "key")).await;
    cluster.store.idle().await;
    let [tombstone] = &cluster.replicas[0].tombstones(10).await.unwrap()[..] else { panic!("one deletion") };
    for replica in &cluster.replicas[..2] {
        replica.forget(vec![tombstone.clone()]).await.unwrap();
    }
    for _ in 0..3 {
        pass(&cluster).await;
        for device in cluster.device_ids() {
            remove_tombstones(&cluster.store, device, 1000).await.unwrap();
        }
    }
    level(&cluster).await;
    assert_eq!(cluster.replicas[2].tombstones(10).await, Ok(Vec::new()));
}

fn lonely() -> TableId {
    TableId::new(TableKind::Objects, [9; 15])
}

/// A write that got no further than these replicas.
async fn accepted_by(replicas: &[MemoryReplica]) {
    let row = RowKey { table: lonely(), key: "lonely".into() }.address(&placement());
    let ballot = Ballot { time: 1, proposer: ProposerId(99) };
    let value = RowValue::Live {
        entry: "entry".into(),
        record: Bytes::new(),
        weight: Weight { objects: 1, bytes: 0 },
        blobs: Vec::new(),
    };
    let state = State::first(ballot, Ballot::ZERO, value);
    let accept = Accept { row, ballot, state, body: None, garbage: Vec::new(), seal: None };
    for replica in replicas {
        replica.accept(accept.clone()).await.unwrap();
    }
}

fn row_counts(cluster: &Cluster) -> Vec<usize> {
    cluster.replicas.iter().map(MemoryReplica::row_count).collect()
}

/// Nobody was told that the write failed: it is taken up.
#[tokio::test(start_paused = true)]
async fn what_only_one_replica_has_is_not_thrown_away() {
    let cluster = Cluster::new(SMALL);
    accepted_by(&cluster.replicas[2..]).await;
    level(&cluster).await;
    assert_eq!(row_counts(&cluster), [1, 1, 1]);
}

/// An upload's completion failed, and a device wasn't there when the seal was lifted: nobody ever writes a part again,
/// and the device would refuse the one that it misses for good.
#[tokio::test(start_paused = true)]
async fn a_seal_that_stayed_keeps_no_replica_from_what_is_chosen() {
    for sealed in [&[2][..], &[0, 1, 2]] {
        let cluster = Cluster::new(SMALL);
        accepted_by(&cluster.replicas[..2]).await;
        for &index in sealed {
            cluster.replicas[index].seal(lonely(), SealToken([7; 16])).await.unwrap();
        }
        level(&cluster).await;
        assert_eq!(row_counts(&cluster), [1, 1, 1]);
    }
}

/// Whoever sealed the table may have listed it without this.
#[tokio::test(start_paused = true)]
async fn what_is_not_chosen_stays_outside_a_sealed_table() {
    let cluster = Cluster::new(SMALL);
    accepted_by(&cluster.replicas[2..]).await;
    for replica in &cluster.replicas {
        replica.seal(lonely(), SealToken([7; 16])).await.unwrap();
    }
    assert_eq!(pass(&cluster).await.rows_leveled, 0);
    assert_eq!(row_counts(&cluster), [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn two_passes_at_once_do_no_harm() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "twice").await;
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    for number in 0..40 {
        put(&cluster.store, &object(&id, number.to_string()), noise(number, 100)).await;
    }
    cluster.store.idle().await;
    cluster.replicas[0].set_faults(Faults::NONE);
    let before = seen(&cluster.store, &id).await;
    let other = cluster.another_proxy(7);
    let at_once = async {
        for device in cluster.device_ids() {
            repair(&other, device).await.unwrap();
        }
    };
    tokio::join!(pass(&cluster), at_once);
    other.idle().await;
    level(&cluster).await;
    assert_eq!(seen(&cluster.store, &id).await, before);
}

/// What writers did while replicas were in trouble: some of it may have come through, and nobody knows.
async fn write_under_trouble(cluster: &Cluster, id: &ContainerId, seed: u64) {
    let troubles = tokio::spawn(trouble(cluster.replicas.clone(), seed));
    let mut random = Seeded::new(seed);
    for number in 0..80 {
        let key = object(id, random.below(12).to_string());
        sleep(Duration::from_millis(random.below(20) as u64)).await;
        let outcome = match random.below(4) {
            0 => cluster.store.delete(&key, None, &unconditional()).await.map(drop),
            1 => {
                cluster.store.set_metadata(&key, ObjectMetadata::default(), &unconditional()).await.map(drop)
            }
            _ => {
                let body = noise(number, random.below(3000));
                let new = new_object(body, unconditional());
                cluster.store.put(&key, new).await.map(drop)
            }
        };
        match outcome {
            Ok(())
            | Err(Error::NotFound(_) | Error::Unavailable(_) | Error::OutcomeUnknown | Error::OutOfSpace) => {
            }
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    troubles.abort();
    cluster.replicas.iter().for_each(|replica| replica.set_faults(Faults::NONE));
    cluster.store.idle().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_happened_the_replicas_come_level_and_readers_see_no_change() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        for shape in [SMALL, WIDE] {
            let cluster = Cluster::with_options(shape, IMPATIENT);
            let id = create(&cluster.store, "troubled").await;
            write_under_trouble(&cluster, &id, seed).await;
            // Reading settles what was under way; from here on nobody may see anything else.
            let before = seen(&cluster.store, &id).await;
            level(&cluster).await;
            assert_eq!(seen(&cluster.another_proxy(seed + 5), &id).await, before, "seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn repair_among_writers_loses_none_of_their_writes() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let cluster = Cluster::with_options(SMALL, IMPATIENT);
        let id = create(&cluster.store, "writers").await;
        let troubles = tokio::spawn(trouble(vec![cluster.replicas[1].clone()], seed));
        let store = cluster.another_proxy(seed + 9);
        let repairing = tokio::spawn({
            let ids: Vec<DeviceId> = cluster.device_ids().collect();
            async move {
                loop {
                    for &device in &ids {
                        repair(&store, device).await.unwrap();
                        sleep(Duration::from_millis(5)).await;
                    }
                }
            }
        });
        let mut expected = BTreeMap::new();
        for number in 0..200_u32 {
            let key = Bytes::from((number % 7).to_string());
            sleep(Duration::from_millis(5)).await;
            let new = new_object(number.to_string(), unconditional());
            match cluster.store.put(&object(&id, &key), new).await {
                Ok(_) => drop(expected.insert(key, Bytes::from(number.to_string()))),
                // It may be there or not: the next one makes it certain.
                Err(Error::Unavailable(_) | Error::OutcomeUnknown) => {
                    let settled = get(&cluster.store, &object(&id, &key)).await;
                    expected.insert(key, settled);
                }
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
        }
        repairing.abort();
        troubles.abort();
        cluster.replicas[1].set_faults(Faults::NONE);
        assert_eq!(seen(&cluster.store, &id).await, expected, "seed {seed}");
        level(&cluster).await;
        assert_eq!(seen(&cluster.another_proxy(seed + 20), &id).await, expected, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn fsck_counts_what_there_is_and_says_where_something_is_missing() {
    let cluster = Cluster::new(WIDE);
    let (id, other) = (create(&cluster.store, "counted").await, create(&cluster.store, "other").await);
    for number in 0..10 {
        put(&cluster.store, &object(&id, number.to_string()), noise(number, 2000)).await;
    }
    put(&cluster.store, &object(&other, "key"), "x").await;
    delete(&cluster.store, &object(&id, "0")).await;
    cluster.store.idle().await;
    let report = fsck(&cluster.store, QUICKLY).await;
    assert!(report.is_sound(), "{report:?}");
    let fine = |rows| KindCount { rows, not_redundant: 0, unknown: 0 };
    assert_eq!((report.objects, report.containers, report.tombstones), (fine(10), fine(2), fine(1)));
    assert_eq!((report.blobs, report.bytes), (10, 9 * 2000 + 1));
    let named: Vec<_> =
        report.by_container.iter().map(|figures| (figures.container.clone(), figures.rows)).collect();
    assert_eq!(named, [(Some(id.clone()), fine(9)), (Some(other), fine(1))]);

    // What the index doesn't know shows at once, what the bytes are only to who reads them.
    let holder = cluster.replicas.iter().find(|replica| !replica.blob_ids().is_empty()).unwrap();
    let blobs = holder.blob_ids();
    holder.forge_blob(blobs[0]);
    assert!(fsck(&cluster.store, QUICKLY).await.is_sound());
    assert_eq!(fsck(&cluster.store, CLOSELY).await.problems, BTreeMap::from([("blob damaged", 1)]));
    holder.lose_blob(blobs[0]);
    let report = fsck(&cluster.store, QUICKLY).await;
    assert_eq!((report.not_redundant(), report.unknown()), (1, 0));
    assert_eq!(report.problems, BTreeMap::from([("blob missing", 1)]));
    assert_eq!(report.findings.len(), 1);
    assert!(report.findings[0].container.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_never_taken_for_fine() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "unheard").await;
    put(&cluster.store, &object(&id, "key"), "x").await;
    cluster.store.idle().await;
    for reach in [Reach::Down, Reach::Silent] {
        cluster.replicas[1].set_faults(Faults::reaching(reach));
        let report = fsck(&cluster.store, QUICKLY).await;
        assert_eq!(report.not_redundant(), 0);
        assert_eq!(report.devices_unheard, [DeviceId(1)].into());
        assert!(!report.is_sound() && report.objects.unknown == 1, "{report:?}");
    }
    cluster.replicas.iter().for_each(|replica| replica.set_faults(Faults::reaching(Reach::Down)));
    assert!(!fsck(&cluster.store, QUICKLY).await.is_sound());
}

/// Goes through all rows and their blobs, `limit` rows at a time.
async fn blob_pass(cluster: &Cluster, limit: usize) -> BlobRound {
    let mut sum = BlobRound::default();
    for device in cluster.device_ids() {
        let mut after = None;
        loop {
            let sweep = repair_blobs(&cluster.store, device, after, limit).await.unwrap();
            sum = BlobRound {
                rows: sum.rows + sweep.round.rows,
                blobs: sum.blobs + sweep.round.blobs,
                copied: sum.copied + sweep.round.copied,
                rows_mended: sum.rows_mended + sweep.round.rows_mended,
                lost: sum.lost + sweep.round.lost,
                undecided: sum.undecided + sweep.round.undecided,
            };
            after = sweep.next;
            if after.is_none() {
                break;
            }
        }
    }
    sum
}

/// Reads everything on all devices, a little at a time.
async fn scrub_all(cluster: &Cluster) -> ScrubRound {
    let budget = ScrubBudget { bytes_per_second: NonZeroU64::new(1_000_000).unwrap(), bytes_max: 100_000 };
    let mut sum = ScrubRound::default();
    for device in cluster.device_ids() {
        let mut after = None;
        loop {
            let sweep = scrub(&cluster.store, device, after, budget).await.unwrap();
            sum.blobs += sweep.round.blobs;
            sum.bytes += sweep.round.bytes;
            sum.damaged += sweep.round.damaged;
            sum.replaced += sweep.round.replaced;
            after = sweep.next;
            if after.is_none() {
                break;
            }
        }
    }
    sum
}

/// An object of three parts, which have places of their own.
async fn joined(cluster: &Cluster, key: &ObjectId) {
    let store = &cluster.store;
    let upload = store.begin_upload(key, NewUpload::default()).await.unwrap();
    let mut parts = Vec::new();
    for number in 1..=3 {
        let body = noise(u64::from(number), 5 * 1024 * 1024);
        parts.push(chosen(&put_part(store, key, upload, number, body).await));
    }
    store.complete_upload(key, upload, completion(&parts, &unconditional())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn parts_that_a_device_missed_are_copied_to_it() {
    for shape in [SMALL, WIDE] {
        let cluster = Cluster::new(shape);
        let key = object(&create(&cluster.store, "parts").await, "key");
        cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
        joined(&cluster, &key).await;
        cluster.store.idle().await;
        cluster.replicas[1].set_faults(Faults::NONE);
        // The parts' own rows are cleared away; their table stays sealed.
        clear_dropped(&cluster.store, 100).await.unwrap();
        for _ in 0..3 {
            pass(&cluster).await;
        }
        let whole = get(&cluster.store, &key).await;
        cluster.store.idle().await;
        for limit in [1000, 1] {
            let round = blob_pass(&cluster, limit).await;
            assert_eq!((round.lost, round.undecided), (0, 0), "{round:?}");
        }
        let report = fsck(&cluster.store, CLOSELY).await;
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(get(&cluster.store, &key).await, whole);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_finds_nothing_missing_copies_nothing() {
    let cluster = Cluster::new(WIDE);
    let id = create(&cluster.store, "whole").await;
    joined(&cluster, &object(&id, "joined")).await;
    for number in 0..20 {
        put(&cluster.store, &object(&id, number.to_string()), noise(number, 2000)).await;
    }
    cluster.store.idle().await;
    for limit in [1, 7, 1000] {
        let round = blob_pass(&cluster, limit).await;
        assert_eq!((round.copied, round.lost, round.undecided, round.rows_mended), (0, 0, 0, 0), "{round:?}");
        assert_eq!(round.blobs, scrubbed_references(&cluster).await, "limit {limit}");
    }
}

async fn scrubbed_references(cluster: &Cluster) -> usize {
    usize::try_from(fsck(&cluster.store, QUICKLY).await.blobs).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_scrubber_replaces_what_is_damaged_at_its_own_pace() {
    for harm in [MemoryReplica::damage_blob, MemoryReplica::forge_blob] {
        let cluster = Cluster::new(SMALL);
        let id = create(&cluster.store, "scrubbed").await;
        for number in 0..10 {
            put(&cluster.store, &object(&id, number.to_string()), noise(number, 200_000)).await;
        }
        cluster.store.idle().await;
        let before = seen(&cluster.store, &id).await;
        let victims = cluster.replicas[1].blob_ids();
        victims.iter().take(3).for_each(|blob| harm(&cluster.replicas[1], *blob));
        assert_eq!(fsck(&cluster.store, CLOSELY).await.not_redundant(), 3);
        let started = tokio::time::Instant::now();
        let round = scrub_all(&cluster).await;
        assert_eq!(round, ScrubRound { blobs: 30, bytes: 6_000_000, damaged: 3, replaced: 3 });
        assert!(started.elapsed() >= Duration::from_secs(6), "{:?}", started.elapsed());
        assert!(fsck(&cluster.store, CLOSELY).await.is_sound());
        assert_eq!(seen(&cluster.store, &id).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_meets_damage_has_it_replaced() {
    for harm in [MemoryReplica::damage_blob, MemoryReplica::forge_blob, MemoryReplica::lose_blob] {
        let cluster = Cluster::new(SMALL);
        let id = create(&cluster.store, "met").await;
        for (seed, bytes) in [(1, 1000), (2, 3_000_000)] {
            let key = object(&id, bytes.to_string());
            put(&cluster.store, &key, noise(seed, bytes)).await;
            cluster.store.idle().await;
            for replica in &cluster.replicas[..2] {
                replica.blob_ids().into_iter().for_each(|blob| harm(replica, blob));
            }
            // Bytes that only their sum gives away can be found out when most of them have been sent.
            for _ in 0..4 {
                drop(read(&cluster.store, &key, None).await);
                cluster.store.idle().await;
            }
            assert_eq!(get(&cluster.store, &key).await, noise(seed, bytes));
        }
        let round = blob_pass(&cluster, 100).await;
        assert_eq!((round.lost, round.undecided), (0, 0));
        scrub_all(&cluster).await;
        let report = fsck(&cluster.store, CLOSELY).await;
        assert!(report.is_sound(), "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_has_any_more_are_said_to_be_lost_and_nothing_is_made_up() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "lost").await;
    put(&cluster.store, &object(&id, "key"), noise(1, 1000)).await;
    cluster.store.idle().await;
    for replica in &cluster.replicas {
        replica.blob_ids().into_iter().for_each(|blob| replica.lose_blob(blob));
    }
    let round = blob_pass(&cluster, 100).await;
    assert_eq!((round.copied, round.lost), (0, 3));
    assert_eq!(fsck(&cluster.store, QUICKLY).await.problems, BTreeMap::from([("blob missing", 3)]));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_stays_sealed_comes_level_as_well() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "sealed").await;
    for number in 0..10 {
        put(&cluster.store, &object(&id, number.to_string()), "x").await;
    }
    cluster.store.idle().await;
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    for number in 0..10 {
        delete(&cluster.store, &object(&id, number.to_string())).await;
    }
    cluster.store.delete_container(&id).await.unwrap();
    cluster.store.idle().await;
    cluster.replicas[0].set_faults(Faults::NONE);
    level(&cluster).await;
    for device in cluster.device_ids() {
        remove_tombstones(&cluster.store, device, 1000).await.unwrap();
    }
    clear_dropped(&cluster.store, 100).await.unwrap();
    level(&cluster).await;
}

/// The devices that hold any of an object's parts.
fn parts_held(cluster: &Cluster) -> Vec<usize> {
    cluster.replicas.iter().map(|replica| replica.blob_ids().len()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_part_that_a_device_missed_is_kept_by_another_and_delivered() {
    let cluster = Cluster::new(WIDE);
    let key = object(&create(&cluster.store, "handed-off").await, "key");
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    joined(&cluster, &key).await;
    cluster.store.idle().await;
    assert_eq!(
        parts_held(&cluster).iter().sum::<usize>(),
        9,
        "three copies of each, though one device is away"
    );
    assert_eq!(parts_held(&cluster)[1], 0);
    let whole = get(&cluster.store, &key).await;
    // While it is away, everything waits.
    assert_eq!(pass(&cluster).await.blobs_delivered, 0);
    cluster.replicas[1].set_faults(Faults::NONE);
    let mut delivered = 0;
    for _ in 0..3 {
        delivered += pass(&cluster).await.blobs_delivered;
    }
    assert!(delivered > 0, "it was to have some of the parts");
    // Each is where it belongs, and nowhere else.
    assert_eq!(parts_held(&cluster).iter().sum::<usize>(), 9);
    clear_dropped(&cluster.store, 100).await.unwrap();
    level(&cluster).await;
    let round = blob_pass(&cluster, 100).await;
    assert_eq!((round.copied, round.lost, round.undecided), (0, 0, 0), "nothing was left to the full pass");
    assert_eq!(get(&cluster.store, &key).await, whole);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_kept_elsewhere_is_read_when_the_others_are_away() {
    let cluster = Cluster::new(WIDE);
    let key = object(&create(&cluster.store, "kept").await, "key");
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    joined(&cluster, &key).await;
    cluster.store.idle().await;
    let whole = get(&cluster.store, &key).await;
    for part in cluster.replicas.iter().flat_map(MemoryReplica::blob_ids).collect::<BTreeSet<_>>() {
        let homes = cluster.ring().devices_of_hash(placement().hash_blob(&part.0));
        let is_home = |index: usize| homes.iter().any(|home| usize::try_from(home.0).unwrap() == index);
        for (index, replica) in cluster.replicas.iter().enumerate() {
            if is_home(index) && homes.contains(&DeviceId(1)) {
                replica.lose_blob(part);
            }
        }
    }
    assert_eq!(get(&cluster.store, &key).await, whole);
}

#[tokio::test(start_paused = true)]
async fn in_the_smallest_cluster_a_missed_part_is_delivered_without_a_pass_over_everything() {
    let cluster = Cluster::new(SMALL);
    let key = object(&create(&cluster.store, "smallest").await, "key");
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    joined(&cluster, &key).await;
    cluster.store.idle().await;
    cluster.replicas[1].set_faults(Faults::NONE);
    let delivered = pass(&cluster).await.blobs_delivered + pass(&cluster).await.blobs_delivered;
    assert_eq!(delivered, 3);
    clear_dropped(&cluster.store, 100).await.unwrap();
    level(&cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_part_of_an_upload_that_was_given_up_is_given_up_everywhere() {
    let cluster = Cluster::new(WIDE);
    let key = object(&create(&cluster.store, "given-up").await, "key");
    let upload = cluster.store.begin_upload(&key, NewUpload::default()).await.unwrap();
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Down));
    for number in 1..=6 {
        put_part(&cluster.store, &key, upload, number, noise(u64::from(number), 100_000)).await;
    }
    cluster.store.idle().await;
    cluster.replicas[1].set_faults(Faults::NONE);
    cluster.store.abort_upload(&key, upload).await.unwrap();
    cluster.store.idle().await;
    for _ in 0..4 {
        clear_dropped(&cluster.store, 100).await.unwrap();
        for device in cluster.device_ids() {
            collect_garbage(&cluster.store, device, 1000).await.unwrap();
        }
        pass(&cluster).await;
    }
    assert_eq!(parts_held(&cluster), [0, 0, 0, 0, 0]);
}
