//! What went wrong and what was put right is counted.

use std::num::NonZeroU64;

use martlet_cluster::workers::{ScrubBudget, collect_garbage, expire, refill, scrub};
use martlet_cluster::{FsckDepth, FsckOptions, fsck};
use martlet_model::{Error, ObjectStore, Timestamp};
use martlet_protocol::Replica;
use martlet_ring::DeviceId;
use martlet_testkit::conformance::steps::{
    create, delete, new_object, noise, object, put, read, unconditional,
};
use martlet_testkit::{Faults, MemoryReplica, Reach};

use crate::conformance::IMPATIENT;
use crate::harness::{Cluster, SMALL};
use crate::repair::pass;

const AT_ONCE: ScrubBudget =
    ScrubBudget { bytes_per_second: NonZeroU64::new(1 << 40).unwrap(), bytes_max: 1 << 30 };

fn cut_off(cluster: &Cluster, devices: &[usize]) {
    for device in devices {
        cluster.replicas[*device].set_faults(Faults::reaching(Reach::Down));
    }
}

#[tokio::test(start_paused = true)]
async fn operations_without_a_quorum_are_counted_by_what_they_were_about() {
    let cluster = Cluster::with_options(SMALL, IMPATIENT);
    let (store, figures) = (&cluster.store, cluster.store.figures().clone());
    let id = create(store, "counted").await;
    put(store, &object(&id, "key"), "x").await;
    store.idle().await;
    assert_eq!((figures.rows_without_quorum.get(), figures.listings_without_quorum.get()), (0, 0));
    cut_off(&cluster, &[1, 2]);
    assert!(matches!(read(store, &object(&id, "key"), None).await, Err(Error::Unavailable(_))));
    assert!(figures.rows_without_quorum.get() >= 1);
    let before = figures.listings_without_quorum.get();
    assert!(expire(store, 10).await.is_err(), "it lists what has ended");
    assert!(figures.listings_without_quorum.get() > before);
    let large = new_object(noise(1, 3_000_000), unconditional());
    assert!(store.put(&object(&id, "large"), large).await.is_err());
    assert!(figures.bodies_without_quorum.get() + figures.rows_without_quorum.get() >= 2);
    let health = store.device_health();
    let of = |device| *health.iter().find(|health| health.device == DeviceId(device)).unwrap();
    assert!(of(0).is_trusted && of(0).failures == 0, "{health:?}");
    assert!(!of(1).is_trusted && of(1).failures > 0, "{health:?}");
}

#[tokio::test(start_paused = true)]
async fn repairs_scrubbing_and_removals_are_counted() {
    let cluster = Cluster::new(SMALL);
    let (store, figures) = (&cluster.store, cluster.store.figures().clone());
    let id = create(store, "kept").await;
    put(store, &object(&id, "old"), noise(1, 5000)).await;
    store.idle().await;
    cut_off(&cluster, &[2]);
    put(store, &object(&id, "missed"), noise(2, 5000)).await;
    delete(store, &object(&id, "old")).await;
    store.idle().await;
    cluster.replicas[2].set_faults(Faults::NONE);
    let round = pass(&cluster).await;
    assert!(round.rows_leveled > 0);
    assert_eq!(figures.rows_leveled.get(), round.rows_leveled as u64);

    let [blob, ..] = cluster.replicas[0].blob_ids()[..] else { panic!("there are blobs") };
    cluster.replicas[0].damage_blob(blob);
    let sweep = scrub(store, DeviceId(0), None, AT_ONCE).await.unwrap();
    assert_eq!(figures.scrubbed_bytes.get(), sweep.round.bytes);
    assert!(sweep.round.bytes > 0);
    assert_eq!((figures.scrubbed_damaged.get(), sweep.round.damaged), (1, 1));
    assert!(figures.blobs_mended.get() >= 1);

    cluster.clock.advance(std::time::Duration::from_hours(1));
    let mut removed = 0;
    for device in cluster.device_ids() {
        removed += collect_garbage(store, device, 100).await.unwrap().removed as u64;
    }
    assert_eq!(figures.garbage_removed.get(), removed);
    assert_eq!(expire(store, 10).await.unwrap().removed as u64, figures.expired_removed.get());
}

/// The rows of a device that was lost come from the others; here it answers everything, which a node keeps it from.
#[tokio::test(start_paused = true)]
async fn a_device_that_was_made_anew_gets_every_row_that_it_should_have() {
    let mut cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "refilled").await;
    for number in 0..30 {
        put(&cluster.store, &object(&id, number.to_string()), noise(number, 3000)).await;
    }
    for number in 0..5 {
        delete(&cluster.store, &object(&id, number.to_string())).await;
    }
    cluster.store.idle().await;
    cluster.replicas[1] = MemoryReplica::new(SMALL.partition_bits, cluster.clock.clone());
    let store = cluster.another_proxy(2);
    // Later than whatever was promised before, as a floor has to be.
    let floor = Timestamp::from_micros(1 << 51);
    let first = refill(&store, DeviceId(1), floor).await.unwrap();
    assert!(!first.is_complete() && first.rows_leveled >= 30, "{first:?}");
    assert_eq!(store.figures().rows_leveled.get(), first.rows_leveled as u64);
    store.idle().await;
    let second = refill(&store, DeviceId(1), floor).await.unwrap();
    assert!(second.is_complete(), "{second:?}");
    let report = fsck(&store, FsckOptions { depth: FsckDepth::Bytes, findings_max: 5 }).await;
    assert!(report.is_sound(), "{report:?}");
    // Every ballot is above the floor: the device would have refused any other.
    let table = cluster.replicas[1].tombstones(100).await.unwrap();
    assert!(!table.is_empty() && table.iter().all(|tombstone| tombstone.ballot.time > floor.as_micros()));
}
