//! Damaged and missing files: what is affected is told, and everything else goes on.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use martlet_protocol::{BLOCK_BYTES, ListRows, Replica, ReplicaError, RowValue, Scope};
use martlet_ring::DeviceId;
use martlet_storage_node::disk::identity_file::IdentityError;
use martlet_storage_node::{ClusterId, Device, OpenError};

use crate::support::{
    Bench, accept, accept_with_body, accepted, ballot, blob_id, body, bytes, live, new_blob, prepare,
    read_blob, read_blocks, row, row_in, stage, table,
};

fn is_damaged<T>(outcome: &Result<T, ReplicaError>) -> bool {
    matches!(outcome, Err(ReplicaError::Damaged(_)))
}

fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

fn find(path: &Path, needle: &[u8]) -> u64 {
    let content = fs::read(path).unwrap();
    content.windows(needle.len()).position(|window| window == needle).unwrap() as u64
}

fn only_file_of(directory: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn refused(outcome: Result<Device, OpenError>) -> OpenError {
    outcome.expect_err("this device must not be opened")
}

/// Three bodies in one segment.
async fn three_bodies(bench: &Bench) -> Device {
    let device = bench.create();
    for (number, key) in [(1, "a"), (2, "b"), (3, "c")] {
        let body = bytes(200_000 + usize::try_from(number).unwrap());
        device.accept(accept_with_body(&row(key), ballot(10), number, &body)).await.unwrap();
    }
    device
}

#[tokio::test]
async fn a_flipped_bit_in_a_segment_makes_one_block_unreadable_and_nothing_else() {
    let bench = Bench::new();
    let device = three_bodies(&bench).await;
    device.close().await.unwrap();
    let segment = only_file_of(&bench.path().join("segments"));
    flip(&segment, find(&segment, &bytes(200_002)[..64]) + 70_000);

    let device = bench.open().unwrap();
    assert!(is_damaged(&body(&device, &row("b")).await));
    assert_eq!(body(&device, &row("a")).await, Ok(Some(bytes(200_001))));
    assert_eq!(body(&device, &row("c")).await, Ok(Some(bytes(200_003))));
    let first = bytes(200_002).slice(..BLOCK_BYTES);
    assert_eq!(read_blocks(&device, 2, 0, 1).await, Ok(first));
    assert!(is_damaged(&read_blocks(&device, 2, 1, 1).await));
    assert!(accepted(&device, &row("b")).await.is_some(), "the row itself is sound");
}

#[tokio::test]
async fn a_damaged_record_header_hides_nothing_behind_it() {
    let bench = Bench::new();
    let device = three_bodies(&bench).await;
    drop(device);
    let segment = only_file_of(&bench.path().join("segments"));
    // The headers of the first and the last record.
    flip(&segment, 3);
    flip(&segment, find(&segment, &blob_id(3).0));
    let device = opened_after_drop(&bench).await;
    for (key, size) in [("a", 200_001), ("b", 200_002), ("c", 200_003)] {
        assert_eq!(body(&device, &row(key)).await, Ok(Some(bytes(size))));
    }
    device.accept(accept_with_body(&row("d"), ballot(10_000_000_000), 4, &bytes(5000))).await.unwrap();
    assert_eq!(body(&device, &row("c")).await, Ok(Some(bytes(200_003))), "it wasn't written over");
}

#[tokio::test]
async fn a_segment_that_was_cut_off_loses_only_what_was_behind_the_cut() {
    let bench = Bench::new();
    let device = three_bodies(&bench).await;
    device.close().await.unwrap();
    let segment = only_file_of(&bench.path().join("segments"));
    let cut = find(&segment, &bytes(200_002)[..64]) + 100;
    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(cut).unwrap();

    let device = bench.open().unwrap();
    assert_eq!(body(&device, &row("a")).await, Ok(Some(bytes(200_001))));
    assert!(is_damaged(&body(&device, &row("b")).await));
    assert!(is_damaged(&body(&device, &row("c")).await));
    // The damaged segment isn't continued.
    device.accept(accept_with_body(&row("d"), ballot(10_000_000_000), 4, &bytes(5000))).await.unwrap();
    let device = bench.reopen(device).await;
    assert_eq!(body(&device, &row("d")).await, Ok(Some(bytes(5000))));
    assert!(is_damaged(&body(&device, &row("b")).await));
}

#[tokio::test]
async fn a_missing_segment_is_damage_and_the_device_goes_on() {
    let bench = Bench::new();
    let device = three_bodies(&bench).await;
    device.close().await.unwrap();
    fs::remove_file(only_file_of(&bench.path().join("segments"))).unwrap();
    let device = bench.open().unwrap();
    assert!(is_damaged(&body(&device, &row("a")).await));
    assert!(is_damaged(&read_blob(&device, 2).await));
    device.accept(accept_with_body(&row("d"), ballot(10_000_000_000), 4, &bytes(5000))).await.unwrap();
    assert_eq!(body(&device, &row("d")).await, Ok(Some(bytes(5000))));
    device.reclaim(vec![blob_id(1), blob_id(2), blob_id(3)]).await.unwrap();
}

#[tokio::test]
async fn flipped_bits_in_a_blob_file_are_never_served() {
    let bench = Bench::new();
    let device = bench.create();
    let whole = bytes(2_000_000);
    stage(&device, new_blob(1, &row("a")), &whole).await.unwrap();
    let file = bench.path().join("blobs/01").join(hex::encode(blob_id(1).0));
    let length = file.metadata().unwrap().len();
    for at in [0, 70_000, 1_999_999, 2_000_000, 2_000_000 + 8 * 30] {
        flip(&file, at);
        assert!(is_damaged(&read_blob(&device, 1).await), "byte {at}");
        flip(&file, at);
    }
    assert_eq!(read_blob(&device, 1).await, Ok(whole.clone()));
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length / 2).unwrap();
    assert!(is_damaged(&read_blocks(&device, 1, 0, 1).await));
}

#[tokio::test]
async fn a_missing_blob_file_is_damage() {
    let bench = Bench::new();
    let device = bench.create();
    stage(&device, new_blob(1, &row("a")), &bytes(2_000_000)).await.unwrap();
    fs::remove_file(bench.path().join("blobs/01").join(hex::encode(blob_id(1).0))).unwrap();
    assert!(is_damaged(&read_blob(&device, 1).await));
}

#[tokio::test]
async fn a_flipped_bit_in_a_row_is_never_served() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept(&row("a"), ballot(10), live("entry of this row", vec![]))).await.unwrap();
    device.accept(accept(&row("b"), ballot(10), live("another", vec![]))).await.unwrap();
    device.close().await.unwrap();
    let index = bench.path().join("index.db");
    flip(&index, find(&index, b"record of entry of this row"));

    let device = bench.open().unwrap();
    let read = martlet_protocol::ReadRow { row: row("a"), want: martlet_protocol::Want::Value };
    assert!(is_damaged(&device.read(read).await));
    assert!(is_damaged(&prepare(&device, &row("a"), ballot(10_000_000_000)).await));
    assert!(accepted(&device, &row("b")).await.is_some());
    device.close().await.unwrap();
    drop(device);

    flip(&index, find(&index, b"entry of this row"));
    let device = bench.open().unwrap();
    let list = ListRows {
        table: table(1),
        partition: None,
        prefix: "a".into(),
        delimiter: None,
        after: None,
        before: None,
        limit: 10,
        scope: Scope::All,
    };
    assert!(is_damaged(&device.list(list.clone()).await));
    assert_eq!(device.list(ListRows { prefix: "b".into(), ..list }).await.unwrap().items.len(), 1);
    let repair = accept(&row("a"), ballot(20_000_000_000), RowValue::Tombstone);
    assert!(is_damaged(&device.accept(repair).await), "its counters can't be kept");
}

#[tokio::test]
async fn a_damaged_tombstone_does_not_keep_others_from_being_found() {
    let bench = Bench::new();
    let device = bench.create();
    let time = 0x0011_2233_4455_6677;
    device.accept(accept(&row("a"), ballot(time), RowValue::Tombstone)).await.unwrap();
    device.accept(accept(&row("b"), ballot(time + 0x1_0000_0000), RowValue::Tombstone)).await.unwrap();
    device.close().await.unwrap();
    let index = bench.path().join("index.db");
    // It stands in the row and in the index of tombstones.
    let content = fs::read(&index).unwrap();
    let needle = time.to_be_bytes();
    let places = content.windows(8).enumerate().filter(|(_, window)| **window == needle);
    let places: Vec<u64> = places.map(|(at, _)| at as u64).collect();
    assert!(!places.is_empty());
    for at in places {
        flip(&index, at + 7);
    }

    let device = bench.open().unwrap();
    assert!(is_damaged(&prepare(&device, &row("a"), ballot(time + 1)).await));
    let found = device.tombstones(10).await.unwrap();
    assert_eq!(found.iter().map(|tombstone| &tombstone.row).collect::<Vec<_>>(), [&row("b")]);
}

#[tokio::test]
async fn a_flipped_bit_in_a_body_within_the_index_is_never_served() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(600))).await.unwrap();
    device.close().await.unwrap();
    let index = bench.path().join("index.db");
    flip(&index, find(&index, &bytes(600)[..32]) + 300);
    let device = bench.open().unwrap();
    assert!(is_damaged(&body(&device, &row("a")).await));
}

/// Opens a device that was dropped and not closed, as after a kill.
async fn opened_after_drop(bench: &Bench) -> Device {
    loop {
        match bench.open() {
            Err(OpenError::InUse) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
}

/// A device that was killed while its log held what the index didn't: a copy of its files at that moment.
async fn killed(bench: &Bench) -> Bench {
    let device = three_bodies(bench).await;
    let copy = Bench::new();
    copy_all(&bench.path(), &copy.path());
    device.close().await.unwrap();
    copy
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_all(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_killed_device_comes_back_with_everything() {
    let copy = killed(&Bench::new()).await;
    let device = copy.open().unwrap();
    for (key, size) in [("a", 200_001), ("b", 200_002), ("c", 200_003)] {
        assert_eq!(body(&device, &row(key)).await, Ok(Some(bytes(size))));
    }
}

#[tokio::test]
async fn a_missing_log_is_not_taken_for_an_empty_one() {
    let copy = killed(&Bench::new()).await;
    let log = copy.path().join("index.db-wal");
    fs::remove_file(&log).unwrap();
    assert!(matches!(refused(copy.open()), OpenError::ChangesLost(_)));
    fs::write(&log, b"").unwrap();
    assert!(matches!(refused(copy.open()), OpenError::ChangesLost(_)));
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_is_not_taken_for_its_end() {
    let copy = killed(&Bench::new()).await;
    let log = copy.path().join("index.db-wal");
    flip(&log, find(&log, &blob_id(1).0));
    assert!(matches!(refused(copy.open()), OpenError::ChangesLost(_)));
}

#[tokio::test]
async fn an_index_of_yesterday_is_noticed_by_the_segments() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    device.close().await.unwrap();
    let index = bench.path().join("index.db");
    let old = fs::read(&index).unwrap();
    let device = bench.open().unwrap();
    let time = 10_000_000_000;
    for number in 2..5 {
        let row = row(&format!("{number}"));
        device.accept(accept_with_body(&row, ballot(time), number, &bytes(5000))).await.unwrap();
    }
    device.close().await.unwrap();
    fs::write(&index, old).unwrap();
    assert!(matches!(refused(bench.open()), OpenError::ChangesLost(_)));
}

#[tokio::test]
async fn a_damaged_index_is_a_clear_error() {
    let bench = Bench::new();
    three_bodies(&bench).await.close().await.unwrap();
    let index = bench.path().join("index.db");
    let sound = fs::read(&index).unwrap();
    for damage in [b"nonsense".to_vec(), sound[..1000].to_vec(), vec![0; 8192], Vec::new()] {
        fs::write(&index, damage).unwrap();
        assert!(matches!(refused(bench.open()), OpenError::IndexDamaged(_)));
    }
    fs::remove_file(&index).unwrap();
    assert!(matches!(refused(bench.open()), OpenError::IndexMissing));
    fs::write(&index, sound).unwrap();
    assert_eq!(body(&bench.open().unwrap(), &row("a")).await, Ok(Some(bytes(200_001))));
}

#[tokio::test]
async fn an_index_with_a_destroyed_page_never_panics() {
    let bench = Bench::new();
    let device = bench.create();
    for number in 0..500 {
        device
            .accept(accept(&row(&format!("{number:04}")), ballot(10), live("entry", vec![])))
            .await
            .unwrap();
    }
    device.close().await.unwrap();
    let index = bench.path().join("index.db");
    let sound = fs::read(&index).unwrap();
    for page in 1..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&index, damaged).unwrap();
        let Ok(device) = bench.open() else { continue };
        let list = ListRows {
            table: table(1),
            partition: None,
            prefix: "".into(),
            delimiter: None,
            after: None,
            before: None,
            limit: 1000,
            scope: Scope::All,
        };
        let listed = device.list(list).await;
        assert!(is_damaged(&listed) || listed.is_ok_and(|page| page.items.len() == 500), "page {page}");
        let row = row_in(table(2), "new");
        let _ = device.accept(accept(&row, ballot(10_000_000_000), live("entry", vec![]))).await;
        // What was counted is put where it belongs now, and may meet the page.
        let closed = device.close().await;
        assert!(matches!(closed, Ok(()) | Err(ReplicaError::Failed(_))), "page {page}: {closed:?}");
        drop(device);
        let _ = fs::remove_file(bench.path().join("failed"));
        let _ = fs::remove_file(bench.path().join("open"));
        let _ = fs::remove_file(bench.path().join("index.db-wal"));
    }
}

#[tokio::test]
async fn a_foreign_device_is_not_opened() {
    let bench = Bench::new();
    bench.create().close().await.unwrap();
    let mut other = bench.options.clone();
    other.identity.cluster = ClusterId([8; 16]);
    assert!(matches!(refused(Device::open(&bench.path(), other)), OpenError::Foreign { .. }));
    let mut other = bench.options.clone();
    other.identity.device = DeviceId(4);
    assert!(matches!(refused(Device::open(&bench.path(), other)), OpenError::Foreign { .. }));
    bench.open().unwrap().close().await.unwrap();
}

type Expected = fn(&IdentityError) -> bool;

#[tokio::test]
async fn an_identity_from_the_future_or_none_is_a_clear_error() {
    let bench = Bench::new();
    bench.create().close().await.unwrap();
    let path = bench.path().join("device.toml");
    let text = fs::read_to_string(&path).unwrap();
    let cases: [(&str, Expected); 3] = [
        (&text.replace("format = 1", "format = 2\nwings = 2"), |error| {
            matches!(error, IdentityError::Newer(2))
        }),
        ("format = 1", |error| matches!(error, IdentityError::Damaged(_))),
        ("\u{0}\u{0}", |error| matches!(error, IdentityError::Damaged(_))),
    ];
    for (content, expected) in cases {
        fs::write(&path, content).unwrap();
        let OpenError::Identity(error) = refused(bench.open()) else { panic!("an identity error") };
        assert!(expected(&error), "{error}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(refused(bench.open()), OpenError::Identity(IdentityError::Absent)));
    let made_anew = Device::create(&bench.path(), bench.options.clone());
    assert!(
        matches!(refused(made_anew), OpenError::Unidentified(_)),
        "data without an identity isn't touched"
    );
}

#[tokio::test]
async fn a_device_is_opened_once() {
    let bench = Bench::new();
    let device = bench.create();
    assert!(matches!(refused(bench.open()), OpenError::InUse));
    device.close().await.unwrap();
    drop(device);
    assert!(matches!(refused(Device::create(&bench.path(), bench.options.clone())), OpenError::Exists(_)));
    bench.open().unwrap();
}

#[tokio::test]
async fn what_an_interrupted_upload_left_is_removed_at_the_next_start() {
    let bench = Bench::new();
    let device = bench.create();
    stage(&device, new_blob(1, &row("a")), &bytes(2_000_000)).await.unwrap();
    device.close().await.unwrap();
    drop(device);
    let (staging, blobs) = (bench.path().join("staging"), bench.path().join("blobs"));
    let name = |number| hex::encode(blob_id(number).0);
    // One that was being written, one that was published without a row, and one whose row was committed.
    fs::write(staging.join(format!("{}-0", name(2))), b"half").unwrap();
    fs::write(staging.join(format!("{}-1", name(3))), b"whole").unwrap();
    fs::write(blobs.join("03").join(name(3)), b"whole").unwrap();
    fs::hard_link(blobs.join("01").join(name(1)), staging.join(format!("{}-2", name(1)))).unwrap();
    let device = bench.open().unwrap();
    assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
    assert_eq!(fs::read_dir(blobs.join("03")).unwrap().count(), 0);
    assert_eq!(read_blob(&device, 1).await, Ok(bytes(2_000_000)));
}
