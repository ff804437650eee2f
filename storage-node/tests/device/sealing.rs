//! Sealed tables, and forgotten tombstones.

use martlet_protocol::{Accept, Replica, ReplicaError, RowValue, SealToken, Tombstone};

use crate::support::{Bench, accept, accepted, ballot, live, prepare, row, row_in, table};

const TOKEN: SealToken = SealToken([1; 16]);

#[tokio::test]
async fn a_sealed_table_takes_only_removals_and_what_carries_the_token() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept(&row("before"), ballot(10), live("one", vec![]))).await.unwrap();
    device.seal(table(1), TOKEN).await.unwrap();
    device.seal(table(1), TOKEN).await.unwrap();
    assert_eq!(device.seal(table(1), SealToken([2; 16])).await, Err(ReplicaError::Sealed));

    let device = bench.reopen(device).await;
    let time = 10_000_000_000;
    let plain = accept(&row("a"), ballot(time), live("one", vec![]));
    assert_eq!(device.accept(plain.clone()).await, Err(ReplicaError::Sealed));
    let other = Accept { seal: Some(SealToken([2; 16])), ..plain.clone() };
    assert_eq!(device.accept(other).await, Err(ReplicaError::Sealed));
    device.accept(Accept { seal: Some(TOKEN), ..plain }).await.unwrap();
    let repeated = accept(&row("missed"), ballot(time), live("one", vec![]));
    device.accept(Accept { seal: Some(SealToken::CHOSEN), ..repeated }).await.unwrap();
    device.accept(accept(&row_in(table(2), "a"), ballot(time), live("one", vec![]))).await.unwrap();

    device.accept(accept(&row("a"), ballot(2 * time), RowValue::Tombstone)).await.unwrap();
    device.unseal(table(1), SealToken([2; 16])).await.unwrap();
    let next = accept(&row("b"), ballot(time), live("one", vec![]));
    assert_eq!(device.accept(next.clone()).await, Err(ReplicaError::Sealed));
    device.unseal(table(1), TOKEN).await.unwrap();
    device.accept(next).await.unwrap();
}

#[tokio::test]
async fn an_accept_that_was_answered_before_the_seal_is_answered_so_again() {
    let bench = Bench::new();
    let device = bench.create();
    let request = accept(&row("a"), ballot(10), live("one", vec![]));
    device.accept(request.clone()).await.unwrap();
    device.seal(table(1), TOKEN).await.unwrap();
    device.accept(request).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_tombstone_leaves_a_floor_that_survives_a_restart() {
    let bench = Bench::new();
    let mut device = bench.create();
    let row = row("a");
    device.accept(accept(&row, ballot(10), live("one", vec![]))).await.unwrap();
    device.accept(accept(&row, ballot(20), RowValue::Tombstone)).await.unwrap();
    let tombstone = Tombstone { row: row.clone(), ballot: ballot(20) };
    assert_eq!(device.tombstones(10).await.unwrap(), std::slice::from_ref(&tombstone));
    device.forget(vec![tombstone]).await.unwrap();
    assert_eq!(device.tombstones(10).await.unwrap(), []);
    assert_eq!(accepted(&device, &row).await, None);
    for _ in 0..2 {
        let late = accept(&row, ballot(15), live("late", vec![]));
        assert!(
            matches!(device.accept(late).await, Err(ReplicaError::Refused { seen }) if seen >= ballot(20))
        );
        device = bench.reopen(device).await;
    }
    let promise = prepare(&device, &row, ballot(10_000_000_000)).await.unwrap();
    assert_eq!((promise.accepted, promise.forgotten), (None, ballot(20)));
}

#[tokio::test]
async fn only_the_tombstone_that_was_meant_is_forgotten() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept(&row("a"), ballot(20), RowValue::Tombstone)).await.unwrap();
    device.accept(accept(&row("b"), ballot(20), live("one", vec![]))).await.unwrap();
    let forgotten = [("a", 10), ("a", 30), ("b", 20), ("c", 20)]
        .map(|(key, time)| Tombstone { row: row(key), ballot: ballot(time) });
    device.forget(forgotten.to_vec()).await.unwrap();
    assert!(accepted(&device, &row("a")).await.is_some());
    assert!(accepted(&device, &row("b")).await.is_some());
    prepare(&device, &row("c"), ballot(5)).await.unwrap();
}

#[tokio::test]
async fn the_oldest_tombstones_come_first() {
    let bench = Bench::new();
    let device = bench.create();
    for (key, time) in [("a", 30), ("b", 10), ("c", 20)] {
        device.accept(accept(&row(key), ballot(time), RowValue::Tombstone)).await.unwrap();
    }
    let found = device.tombstones(2).await.unwrap();
    assert_eq!(found.iter().map(|tombstone| tombstone.ballot.time).collect::<Vec<_>>(), [10, 20]);
}
