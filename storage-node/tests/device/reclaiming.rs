//! Garbage, and giving space back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use martlet_protocol::{
    Accept, Replica, ReplicaError, RowAddress, RowKey, RowValue, TableKind, VERSION_SUFFIX_BYTES,
};

use crate::support::{
    Bench, accept, accept_with_body, ballot, blob_id, blob_ref, bytes, live, new_blob, read_blob, row, stage,
};

fn space_taken(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { space_taken(&entry.path()) } else { metadata.blocks() * 512 }
        })
        .sum()
}

#[tokio::test]
async fn garbage_is_told_after_the_grace_period_and_not_after_a_restart() {
    let bench = Bench::new();
    let device = bench.create();
    let first = accept_with_body(&row("a"), ballot(10), 1, &bytes(5000));
    let blob = first.body.as_ref().unwrap().blob;
    device.accept(first).await.unwrap();
    let second = Accept { garbage: vec![blob], ..accept(&row("a"), ballot(20), RowValue::Tombstone) };
    device.accept(second).await.unwrap();
    assert_eq!(device.garbage(10).await.unwrap(), []);
    bench.clock.forward(59);
    assert_eq!(device.garbage(10).await.unwrap(), []);
    bench.clock.forward(2);
    let garbage = device.garbage(10).await.unwrap();
    assert_eq!((garbage.len(), garbage[0].blob, garbage[0].ballot), (1, blob, ballot(20)));
    assert_eq!(garbage[0].row, row("a"));

    let device = bench.reopen(device).await;
    assert_eq!(device.garbage(10).await.unwrap(), []);
    bench.clock.forward(61);
    assert_eq!(device.garbage(10).await.unwrap(), garbage);
    device.settle_garbage(vec![blob.id]).await.unwrap();
    assert_eq!(device.garbage(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_blob_that_the_new_value_keeps_is_not_garbage() {
    let bench = Bench::new();
    let device = bench.create();
    let first = accept_with_body(&row("a"), ballot(10), 1, &bytes(5000));
    let blob = first.body.as_ref().unwrap().blob;
    device.accept(first).await.unwrap();
    let kept = Accept { garbage: vec![blob], ..accept(&row("a"), ballot(20), live("two", vec![blob])) };
    device.accept(kept).await.unwrap();
    bench.clock.forward(61);
    assert_eq!(device.garbage(10).await.unwrap(), []);
}

#[tokio::test]
async fn reclaimed_blobs_give_their_space_back() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(1_000_000))).await.unwrap();
    device.accept(accept_with_body(&row("b"), ballot(10), 2, &bytes(1_000_000))).await.unwrap();
    stage(&device, new_blob(3, &row("c")), &bytes(3_000_000)).await.unwrap();
    let (segments, blobs) = (bench.path().join("segments"), bench.path().join("blobs"));
    let before = (space_taken(&segments), space_taken(&blobs));
    device.reclaim(vec![blob_id(1), blob_id(3), blob_id(99)]).await.unwrap();
    let after = (space_taken(&segments), space_taken(&blobs));
    assert!(before.0 - after.0 >= 1_000_000, "{before:?} {after:?}");
    assert!(before.1 - after.1 >= 3_000_000, "{before:?} {after:?}");
    for number in [1, 3] {
        assert_eq!(read_blob(&device, number).await, Err(ReplicaError::MissingBlobs(vec![blob_id(number)])));
    }
    assert_eq!(read_blob(&device, 2).await, Ok(bytes(1_000_000)));
}

#[tokio::test]
async fn a_reader_that_has_opened_a_blob_file_reads_it_to_its_end() {
    use futures_util::StreamExt;
    let bench = Bench::new();
    let device = bench.create();
    stage(&device, new_blob(3, &row("c")), &bytes(3_000_000)).await.unwrap();
    let whole = martlet_protocol::ReadBlob { id: blob_id(3), first: 0, count: u32::MAX };
    let stream = device.read_blob(whole).await.unwrap();
    device.reclaim(vec![blob_id(3)]).await.unwrap();
    let blocks: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(blocks.iter().map(|block| block.bytes.len()).sum::<usize>(), 3_000_000);
}

#[tokio::test]
async fn a_dead_segment_is_removed() {
    let bench = Bench::new();
    let device = bench.create();
    let segments = || std::fs::read_dir(bench.path().join("segments")).unwrap().count();
    // More than one segment holds.
    let count = 260;
    for number in 0..count {
        let request = accept_with_body(&row(&format!("{number}")), ballot(10), number, &bytes(1024 * 1024));
        device.accept(request).await.unwrap();
    }
    assert_eq!(segments(), 2);
    device.reclaim((0..count).map(blob_id).collect()).await.unwrap();
    assert_eq!(segments(), 1);
    // The newest stays in use.
    device.accept(accept_with_body(&row("new"), ballot(10), 1000, &bytes(5000))).await.unwrap();
    let device = bench.reopen(device).await;
    assert_eq!(read_blob(&device, 1000).await, Ok(bytes(5000)));
}

#[tokio::test]
async fn blobs_that_no_row_refers_to_are_found_with_their_age() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(2000))).await.unwrap();
    stage(&device, new_blob(2, &row("b")), &bytes(10)).await.unwrap();
    bench.clock.forward(100);
    stage(&device, new_blob(3, &row("c")), &bytes(20)).await.unwrap();
    device.accept(accept(&row("a"), ballot(20), RowValue::Tombstone)).await.unwrap();

    let found = device.unreferenced(None, 10).await.unwrap();
    let facts: Vec<_> =
        found.iter().map(|fact| (fact.blob.id, fact.known_for_seconds, fact.predates_opening)).collect();
    assert_eq!(facts, [(blob_id(1), 100, false), (blob_id(2), 100, false), (blob_id(3), 0, false)]);
    assert_eq!(found[1].blob, blob_ref(2, row("b").hash, &bytes(10)));
    assert_eq!(found[1].owner, new_blob(2, &row("b")).owner);
    assert_eq!(device.unreferenced(Some(blob_id(1)), 1).await.unwrap(), found[1..2]);

    device.accept(accept(&row("b"), ballot(20), live("b", vec![found[1].blob]))).await.unwrap();
    let device = bench.reopen(device).await;
    let found = device.unreferenced(None, 10).await.unwrap();
    let facts: Vec<_> =
        found.iter().map(|fact| (fact.blob.id, fact.known_for_seconds, fact.predates_opening)).collect();
    assert_eq!(facts, [(blob_id(1), 0, true), (blob_id(3), 0, true)]);
}

#[tokio::test]
async fn the_bytes_of_an_older_version_are_its_objects() {
    let bench = Bench::new();
    let device = bench.create();
    let head = row("a");
    device.accept(accept_with_body(&head, ballot(10), 1, &bytes(2000))).await.unwrap();
    let blob = blob_ref(1, head.hash, &bytes(2000));
    // A key of the table of versions: the object's, a zero byte, and what places it.
    let key = [&head.row.key, &[0; VERSION_SUFFIX_BYTES][..]].concat().into();
    let older = RowKey { table: head.row.table.sibling(TableKind::Versions), key };
    let older = RowAddress { row: older, hash: head.hash };
    device.accept(accept(&older, ballot(20), live("older", vec![blob]))).await.unwrap();
    device.accept(accept(&head, ballot(20), live("head", vec![]))).await.unwrap();
    assert_eq!(device.unreferenced(None, 10).await.unwrap(), []);
    device.accept(accept(&older, ballot(30), RowValue::Tombstone)).await.unwrap();
    assert_eq!(device.unreferenced(None, 10).await.unwrap().len(), 1);
}
