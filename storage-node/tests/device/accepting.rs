//! Promises, accepts and reads of rows.

use martlet_protocol::{CarriedBody, ReadRow, Replica, ReplicaError, RowReply, RowValue, Want};
use martlet_register::{Ballot, State};

use crate::support::{
    Bench, accept, accept_with_body, accepted, ballot, blob_id, blob_ref, body, bytes, live, new_blob,
    prepare, row, stage,
};

#[tokio::test]
async fn what_was_accepted_is_read_also_after_a_restart() {
    let bench = Bench::new();
    let device = bench.create();
    let first = accept(&row("a"), ballot(10), live("one", vec![]));
    device.accept(first.clone()).await.unwrap();
    let second = martlet_protocol::Accept {
        state: first.state.successor(ballot(20), live("two", vec![])),
        ballot: ballot(20),
        ..first
    };
    device.accept(second.clone()).await.unwrap();

    let device = bench.reopen(device).await;
    let found = accepted(&device, &row("a")).await.unwrap();
    assert_eq!((found.ballot, found.state), (second.ballot, second.state));
    assert_eq!(accepted(&device, &row("b")).await, None);
    let ballot_only = device.read(ReadRow { row: row("a"), want: Want::Ballot }).await;
    assert_eq!(ballot_only, Ok(RowReply::Ballot(Some(ballot(20)))));
}

#[tokio::test]
async fn a_device_that_is_dropped_without_being_closed_loses_nothing() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    drop(device);
    // Its threads need a moment to let go of the lock.
    let device = loop {
        if let Ok(device) = bench.open() {
            break device;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(body(&device, &row("a")).await, Ok(Some(bytes(5000))));
}

#[tokio::test]
async fn a_promise_refuses_what_is_below_it() {
    let bench = Bench::new();
    let device = bench.create();
    prepare(&device, &row("a"), ballot(20)).await.unwrap();
    let refused = Err(ReplicaError::Refused { seen: ballot(20) });
    assert_eq!(device.accept(accept(&row("a"), ballot(10), live("one", vec![]))).await, refused);
    assert_eq!(
        prepare(&device, &row("a"), ballot(10)).await,
        Err(ReplicaError::Refused { seen: ballot(20) })
    );
    device.accept(accept(&row("a"), ballot(20), live("two", vec![]))).await.unwrap();
    assert_eq!(
        prepare(&device, &row("a"), ballot(20)).await,
        Err(ReplicaError::Refused { seen: ballot(20) })
    );
}

#[tokio::test]
async fn a_promise_tells_what_was_accepted() {
    let bench = Bench::new();
    let device = bench.create();
    assert_eq!(prepare(&device, &row("a"), ballot(5)).await.unwrap().accepted, None);
    device.accept(accept(&row("a"), ballot(10), live("one", vec![]))).await.unwrap();
    let promise = prepare(&device, &row("a"), ballot(20)).await.unwrap();
    assert_eq!(promise.accepted.map(|accepted| accepted.ballot), Some(ballot(10)));
    assert_eq!(promise.forgotten, Ballot::ZERO);
}

#[tokio::test]
async fn after_a_restart_no_promise_is_forgotten() {
    let bench = Bench::new();
    let device = bench.create();
    prepare(&device, &row("a"), ballot(2_000_000_000)).await.unwrap();
    let device = bench.reopen(device).await;
    let late = accept(&row("a"), ballot(1_999_999_999), live("late", vec![]));
    assert!(
        matches!(device.accept(late).await, Err(ReplicaError::Refused { seen }) if seen >= ballot(2_000_000_000))
    );
    // Above the bound all goes on.
    prepare(&device, &row("a"), ballot(3_000_000_000)).await.unwrap();
}

#[tokio::test]
async fn the_same_accept_again_changes_nothing_even_after_a_higher_promise() {
    let bench = Bench::new();
    let device = bench.create();
    let request = accept_with_body(&row("a"), ballot(10), 1, &bytes(5000));
    device.accept(request.clone()).await.unwrap();
    let before = device.counters(vec![row("a").row.table]).await.unwrap();
    prepare(&device, &row("a"), ballot(20)).await.unwrap();
    device.accept(request.clone()).await.unwrap();
    let device = bench.reopen(device).await;
    device.accept(request).await.unwrap();
    assert_eq!(device.counters(vec![row("a").row.table]).await.unwrap(), before);
}

#[tokio::test]
async fn bodies_of_every_size_come_back() {
    let bench = Bench::new();
    let mut device = bench.create();
    let sizes = [0, 1, 768, 769, 4096, 65_536, 65_537, 1024 * 1024];
    for (number, size) in sizes.into_iter().enumerate() {
        let request = accept_with_body(&row(&format!("{size}")), ballot(10), number as u64, &bytes(size));
        device.accept(request).await.unwrap();
    }
    for _ in 0..2 {
        for size in sizes {
            assert_eq!(body(&device, &row(&format!("{size}"))).await, Ok(Some(bytes(size))), "{size} bytes");
        }
        device = bench.reopen(device).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_for_the_question_stays_away() {
    let bench = Bench::new();
    let device = bench.create();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    let want = Want::ValueAndBody { bytes_max: 4999 };
    let reply = device.read(ReadRow { row: row("a"), want }).await.unwrap();
    assert!(matches!(reply, RowReply::Value { accepted: Some(_), body: None }));
}

#[tokio::test]
async fn a_value_is_refused_where_its_blob_is_missing() {
    let bench = Bench::new();
    let device = bench.create();
    let blob = blob_ref(1, row("a").hash, &bytes(3_000_000));
    let request = accept(&row("a"), ballot(10), live("one", vec![blob]));
    assert_eq!(device.accept(request.clone()).await, Err(ReplicaError::MissingBlobs(vec![blob_id(1)])));
    assert_eq!(accepted(&device, &row("a")).await, None);
    stage(&device, new_blob(1, &row("a")), &bytes(3_000_000)).await.unwrap();
    device.accept(request).await.unwrap();
    assert_eq!(body(&device, &row("a")).await, Ok(Some(bytes(3_000_000))));
}

#[tokio::test]
async fn a_blob_that_lives_elsewhere_is_not_asked_for() {
    let bench = Bench::new();
    let device = bench.create();
    let blob = blob_ref(1, row("elsewhere").hash, &bytes(10));
    device.accept(accept(&row("a"), ballot(10), live("one", vec![blob]))).await.unwrap();
    assert_eq!(accepted(&device, &row("a")).await.unwrap().state.value.blobs(), [blob]);
}

#[tokio::test]
async fn a_carried_body_must_be_what_the_value_says() {
    let bench = Bench::new();
    let device = bench.create();
    let right = accept_with_body(&row("a"), ballot(10), 1, &bytes(5000));
    let blob = right.body.as_ref().unwrap().blob;
    for wrong in [bytes(4999), vec![0; 5000].into()] {
        let request =
            martlet_protocol::Accept { body: Some(CarriedBody { blob, bytes: wrong }), ..right.clone() };
        assert!(matches!(device.accept(request).await, Err(ReplicaError::Invalid(_))));
    }
    let without = martlet_protocol::Accept {
        state: State::first(ballot(10), Ballot::ZERO, RowValue::Tombstone),
        ..right
    };
    assert!(matches!(device.accept(without).await, Err(ReplicaError::Invalid(_))));
    assert_eq!(accepted(&device, &row("a")).await, None);
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered() {
    let bench = Bench::new();
    let device = bench.create();
    let writes = (0..500_usize).map(|number| {
        let device = device.clone();
        tokio::spawn(async move {
            let row = row(&format!("key {number}"));
            prepare(&device, &row, ballot(10)).await?;
            device.accept(accept_with_body(&row, ballot(10), number as u64, &bytes(number * 10))).await
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    for number in 0..500_usize {
        assert_eq!(body(&device, &row(&format!("key {number}"))).await, Ok(Some(bytes(number * 10))));
    }
}
