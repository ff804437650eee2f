//! Prepares and accepts that meet while a group is being synced.
//!
//! The file system holds the sync of a segment up, so everything that is asked meanwhile comes exactly between
//! the moment when an accept was let in and the moment when it is on disk.

use std::sync::Arc;
use std::time::Duration;

use martlet_protocol::{Replica, ReplicaError};
use martlet_register::Ballot;
use martlet_storage_node::Device;

use crate::faults::FaultyFiles;
use crate::support::{Bench, accept, accept_with_body, accepted, ballot, bytes, live, prepare, row};

/// Long enough for whoever doesn't have to wait.
const MOMENT: Duration = Duration::from_millis(200);

/// A bound that covers all ballots of a test, so that no promise has to wait for one.
async fn raise_bound(device: &Device) {
    prepare(device, &row("bound"), ballot(2_000_000_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_waits_for_an_accept_of_its_own_row_and_for_no_other() {
    let files = FaultyFiles::default();
    let bench = Bench::with_files(Arc::new(files.clone()));
    let device = bench.create();
    raise_bound(&device).await;
    files.hold_syncs();
    let writer = device.clone();
    let write =
        tokio::spawn(
            async move { writer.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await },
        );
    files.wait_for_held_sync();

    // Another row's promise doesn't wait, and the row is read as it was.
    prepare(&device, &row("b"), ballot(20)).await.unwrap();
    assert_eq!(accepted(&device, &row("a")).await, None);

    let preparer = device.clone();
    let mut waiting = tokio::spawn(async move { prepare(&preparer, &row("a"), ballot(20)).await });
    assert!(
        tokio::time::timeout(MOMENT, &mut waiting).await.is_err(),
        "the promise must not be answered yet"
    );
    // But it holds already.
    let late = device.accept(accept(&row("a"), ballot(15), live("late", vec![]))).await;
    assert_eq!(late, Err(ReplicaError::Refused { seen: ballot(20) }));

    files.release_syncs();
    write.await.unwrap().unwrap();
    let promise = waiting.await.unwrap().unwrap();
    assert_eq!(promise.accepted.map(|accepted| accepted.ballot), Some(ballot(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_below_an_accept_under_way_is_refused_at_once() {
    let files = FaultyFiles::default();
    let bench = Bench::with_files(Arc::new(files.clone()));
    let device = bench.create();
    raise_bound(&device).await;
    files.hold_syncs();
    let writer = device.clone();
    let write =
        tokio::spawn(
            async move { writer.accept(accept_with_body(&row("a"), ballot(30), 1, &bytes(5000))).await },
        );
    files.wait_for_held_sync();
    let refused = ReplicaError::Refused { seen: ballot(30) };
    assert_eq!(prepare(&device, &row("a"), ballot(20)).await, Err(refused.clone()));
    assert_eq!(device.accept(accept(&row("a"), ballot(20), live("low", vec![]))).await, Err(refused));
    files.release_syncs();
    write.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_of_one_row_under_way_at_once_end_with_the_highest() {
    let files = FaultyFiles::default();
    let bench = Bench::with_files(Arc::new(files.clone()));
    let device = bench.create();
    raise_bound(&device).await;
    files.hold_syncs();
    let mut accepts = Vec::new();
    for (number, time) in [(1, 10), (2, 20), (3, 30)] {
        let writer = device.clone();
        let request = accept_with_body(&row("a"), ballot(time), number, &bytes(5000));
        accepts.push(tokio::spawn(async move { writer.accept(request).await }));
        files.wait_for_held_sync();
        tokio::time::sleep(MOMENT / 4).await;
    }
    files.release_syncs();
    for write in accepts {
        write.await.unwrap().unwrap();
    }
    assert_eq!(accepted(&device, &row("a")).await.map(|accepted| accepted.ballot), Some(ballot(30)));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_above_the_bound_is_answered_before_the_bound_is_durable() {
    let files = FaultyFiles::default();
    let bench = Bench::with_files(Arc::new(files.clone()));
    let device = bench.create();
    raise_bound(&device).await;
    files.hold_syncs();
    let writer = device.clone();
    let write =
        tokio::spawn(
            async move { writer.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await },
        );
    files.wait_for_held_sync();
    let preparer = device.clone();
    let beyond = Ballot { time: 1 << 40, ..ballot(0) };
    let mut waiting = tokio::spawn(async move { prepare(&preparer, &row("b"), beyond).await });
    assert!(
        tokio::time::timeout(MOMENT, &mut waiting).await.is_err(),
        "the writer hasn't raised the bound yet"
    );
    files.release_syncs();
    write.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    let device = bench.reopen(device).await;
    assert!(
        matches!(prepare(&device, &row("c"), beyond).await, Err(ReplicaError::Refused { seen }) if seen >= beyond)
    );
}
