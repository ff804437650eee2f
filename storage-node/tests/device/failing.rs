//! Disks that fail, and disks that are full.

use std::io::ErrorKind;
use std::sync::Arc;

use martlet_protocol::{BLOCK_BYTES, Block, Replica, ReplicaError, RowValue, SealToken};
use martlet_storage_node::{Device, OpenError};

use crate::faults::FaultyFiles;
use crate::support::{
    Bench, accept, accept_with_body, accepted, ballot, blob_id, body, bytes, live, new_blob, prepare,
    read_blob, row, stage, table,
};

fn faulty() -> (FaultyFiles, Bench, Device) {
    let files = FaultyFiles::default();
    let bench = Bench::with_files(Arc::new(files.clone()));
    let device = bench.create();
    (files, bench, device)
}

fn is_failed<T>(outcome: &Result<T, ReplicaError>) -> bool {
    matches!(outcome, Err(ReplicaError::Failed(_)))
}

#[tokio::test]
async fn a_failed_sync_stops_the_device_for_good() {
    let (files, bench, device) = faulty();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    files.fail_syncs();
    assert!(is_failed(&device.accept(accept_with_body(&row("b"), ballot(10), 2, &bytes(5000))).await));
    assert!(is_failed(&device.accept(accept(&row("c"), ballot(10), live("c", vec![]))).await));
    assert!(is_failed(&prepare(&device, &row("d"), ballot(10)).await));
    assert!(is_failed(&device.stage(new_blob(3, &row("d"))).await.map(drop)));
    assert!(is_failed(&device.seal(table(1), SealToken([1; 16])).await));
    assert!(is_failed(&device.reclaim(vec![blob_id(1)]).await));
    // What was committed before is certain.
    assert_eq!(body(&device, &row("a")).await, Ok(Some(bytes(5000))));
    assert_eq!(accepted(&device, &row("b")).await, None);
    device.close().await.unwrap();
    drop(device);
    let Err(error) = bench.open() else { panic!("a failed device is not opened") };
    assert!(
        matches!(&error, OpenError::FailedBefore(reason) if reason.contains("the cable is out")),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_write_of_a_blob_file_stops_the_device() {
    let (files, _bench, device) = faulty();
    let mut writer = device.stage(new_blob(1, &row("a"))).await.unwrap();
    files.fail_writes(Some(ErrorKind::BrokenPipe));
    let mut outcome = Ok(());
    for _ in 0..64 {
        outcome = writer.write(Block::new(bytes(BLOCK_BYTES))).await;
        if outcome.is_err() {
            break;
        }
    }
    assert!(is_failed(&outcome));
    drop(writer);
    assert!(is_failed(&device.accept(accept(&row("c"), ballot(10), live("c", vec![]))).await));
}

#[tokio::test]
async fn a_full_disk_refuses_new_data_and_goes_on() {
    let (files, bench, device) = faulty();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    files.fail_writes(Some(ErrorKind::StorageFull));
    let request = accept_with_body(&row("b"), ballot(10), 2, &bytes(5000));
    assert_eq!(device.accept(request.clone()).await, Err(ReplicaError::Full));
    assert_eq!(accepted(&device, &row("b")).await, None);
    device.accept(accept(&row("a"), ballot(20), RowValue::Tombstone)).await.unwrap();
    let upload = stage(&device, new_blob(4, &row("d")), &bytes(3_000_000)).await;
    assert_eq!(upload, Err(ReplicaError::Full));

    files.fail_writes(None);
    device.accept(request).await.unwrap();
    assert_eq!(body(&device, &row("b")).await, Ok(Some(bytes(5000))));
    let device = bench.reopen(device).await;
    assert_eq!(body(&device, &row("b")).await, Ok(Some(bytes(5000))));
    assert_eq!(std::fs::read_dir(bench.path().join("staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_reserve_is_kept_for_removals() {
    let (files, mut bench, device) = faulty();
    device.accept(accept_with_body(&row("a"), ballot(10), 1, &bytes(5000))).await.unwrap();
    bench.options.reserve_bytes = 1 << 20;
    let device = bench.reopen(device).await;
    let time = 10_000_000_000;
    files.set_free_bytes((1 << 20) - 1);
    let value = accept(&row("b"), ballot(time), live("b", vec![]));
    assert_eq!(device.accept(value.clone()).await, Err(ReplicaError::Full));
    assert_eq!(device.stage(new_blob(3, &row("c"))).await.map(drop), Err(ReplicaError::Full));
    device.accept(accept(&row("a"), ballot(time), RowValue::Tombstone)).await.unwrap();
    device.seal(table(2), SealToken([1; 16])).await.unwrap();
    assert_eq!(read_blob(&device, 1).await, Ok(bytes(5000)));
    device.reclaim(vec![blob_id(1)]).await.unwrap();
    files.set_free_bytes(1 << 20);
    device.accept(value).await.unwrap();
}
