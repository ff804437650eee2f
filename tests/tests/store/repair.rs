//! Real devices whose bytes are harmed behind their backs, and that missed what happened.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_cluster::workers::{ScrubBudget, repair, repair_blobs, scrub};
use martlet_cluster::{ClusterStore, FsckDepth, FsckOptions, fsck};
use martlet_model::ContainerId;
use martlet_protocol::Replica;
use martlet_ring::DeviceId;
use martlet_testkit::conformance::steps::{create, delete, get, noise, object, put};
use martlet_testkit::{Faults, MemoryReplica, Reach, SimulatedClock};

use crate::disks::{Disks, PARTITION_BITS, store};

const CLOSELY: FsckOptions = FsckOptions { depth: FsckDepth::Bytes, findings_max: 10 };
const UNHURRIED: ScrubBudget =
    ScrubBudget { bytes_per_second: NonZeroU64::new(1 << 30).unwrap(), bytes_max: 1 << 40 };

/// In the index, in a segment, and in a file.
const SIZES: [usize; 3] = [500, 50_000, 2_000_000];

async fn filled(store: &ClusterStore, name: &str) -> ContainerId {
    let id = create(store, name).await;
    for bytes in SIZES {
        put(store, &object(&id, bytes.to_string()), noise(bytes as u64, bytes)).await;
    }
    store.idle().await;
    id
}

async fn assert_whole(store: &ClusterStore, id: &ContainerId) {
    for bytes in SIZES {
        assert_eq!(get(store, &object(id, bytes.to_string())).await, noise(bytes as u64, bytes));
    }
    store.idle().await;
}

async fn scrub_all(disks: &Disks, store: &ClusterStore) {
    for device in disks.ids() {
        let sweep = scrub(store, device, None, UNHURRIED).await.unwrap();
        assert_eq!(sweep.next, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_blob_file_is_never_served_and_is_put_right() {
    let disks = Disks::make();
    let store = store(disks.replicas());
    let id = filled(&store, "flipped-file").await;
    for device in disks.ids() {
        let [file] = &files_below(&disks.path(device).join("blobs"))[..] else { panic!("one blob file") };
        flip(file, 1_000_000);
        assert_eq!(fsck(&store, CLOSELY).await.not_redundant(), 1);
        assert_whole(&store, &id).await;
        scrub_all(&disks, &store).await;
        let report = fsck(&store, CLOSELY).await;
        assert!(report.is_sound(), "{report:?}");
        assert_whole(&store, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_file_that_was_deleted_comes_back() {
    let disks = Disks::make();
    let store = store(disks.replicas());
    let id = filled(&store, "deleted-file").await;
    for device in disks.ids() {
        let [file] = &files_below(&disks.path(device).join("blobs"))[..] else { panic!("one blob file") };
        fs::remove_file(file).unwrap();
        assert_eq!(fsck(&store, CLOSELY).await.not_redundant(), 1);
        assert_whole(&store, &id).await;
        scrub_all(&disks, &store).await;
        let report = fsck(&store, CLOSELY).await;
        assert!(report.is_sound(), "{report:?}");
        assert!(file.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_segment_is_never_served_and_is_put_right() {
    let disks = Disks::make();
    let store = store(disks.replicas());
    let id = filled(&store, "flipped-segment").await;
    let body = noise(50_000, 50_000);
    for device in disks.ids() {
        let segments = files_below(&disks.path(device).join("segments"));
        let place = segments.iter().find_map(|file| Some((file, find(&fs::read(file).unwrap(), &body)?)));
        let (file, position) = place.expect("the body is in a segment");
        flip(file, position + 40_000);
        assert_eq!(fsck(&store, CLOSELY).await.not_redundant(), 1);
        assert_whole(&store, &id).await;
        scrub_all(&disks, &store).await;
        let report = fsck(&store, CLOSELY).await;
        assert!(report.is_sound(), "{report:?}");
    }
    assert_whole(&store, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_comes_level() {
    let disks = Disks::make();
    let whole = store(disks.replicas());
    let id = filled(&whole, "away").await;
    // The same cluster as seen while the third device is away.
    let dead = MemoryReplica::new(PARTITION_BITS, Arc::new(SimulatedClock::default()));
    dead.set_faults(Faults::reaching(Reach::Down));
    let mut replicas: BTreeMap<DeviceId, Arc<dyn Replica>> = disks.replicas();
    replicas.insert(DeviceId(2), Arc::new(dead));
    let partial = store(replicas);
    for number in 0..200_u64 {
        put(&partial, &object(&id, format!("new-{number}")), noise(number, 2000)).await;
    }
    delete(&partial, &object(&id, "500")).await;
    put(&partial, &object(&id, "500"), noise(500, 500)).await;
    partial.idle().await;
    assert!(fsck(&whole, CLOSELY).await.not_redundant() >= 200);
    for _ in 0..2 {
        for device in disks.ids() {
            repair(&whole, device).await.unwrap();
        }
        whole.idle().await;
    }
    for device in disks.ids() {
        assert!(repair(&whole, device).await.unwrap().is_level());
        let round = repair_blobs(&whole, device, None, usize::MAX).await.unwrap().round;
        assert_eq!((round.copied, round.undecided, round.lost), (0, 0, 0));
    }
    let report = fsck(&whole, CLOSELY).await;
    assert!(report.is_sound(), "{report:?}");
    assert_whole(&whole, &id).await;
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn flip(file: &Path, position: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[position] ^= 1;
    // In place: the device may have the file open.
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(position as u64)).unwrap();
    file.write_all(&bytes[position..=position]).unwrap();
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let head = &needle[..64];
    haystack.windows(head.len()).position(|window| window == head)
}
