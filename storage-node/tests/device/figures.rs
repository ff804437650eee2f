//! What a device tells of itself.

use martlet_protocol::{Accept, Replica, RowValue};

use crate::support::{Bench, accept, accept_with_body, ballot, bytes, row};

#[tokio::test]
async fn groups_syncs_and_garbage_are_counted() {
    let bench = Bench::new();
    let device = bench.create();
    let figures = device.figures().clone();
    assert_eq!(figures.group_jobs.spread().sum, 0);
    let first = accept_with_body(&row("a"), ballot(10), 1, &bytes(5000));
    let blob = first.body.as_ref().unwrap().blob;
    device.accept(first).await.unwrap();
    let second = Accept { garbage: vec![blob], ..accept(&row("a"), ballot(20), RowValue::Tombstone) };
    device.accept(second).await.unwrap();
    // The figures of a group are complete a moment after its answers.
    let state = device.state().await.unwrap();
    assert!(figures.group_jobs.spread().count() >= 2 && figures.group_jobs.spread().sum >= 2);
    assert!(figures.sync_micros.spread().count() >= 2, "each of them was synced");
    assert!(figures.sync_micros.spread().count() <= figures.group_jobs.spread().count());
    assert_eq!((state.garbage_blobs, state.has_failed), (1, false));
    assert_eq!((state.writes_queued, state.reads_queued, state.blob_writes_queued), (0, 0, 0));
    assert!(state.free_bytes > 0);
    device.settle_garbage(vec![blob.id]).await.unwrap();
    assert_eq!(device.state().await.unwrap().garbage_blobs, 0);
}
