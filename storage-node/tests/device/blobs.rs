//! Blobs that are staged, and read by block.

use futures_util::StreamExt as _;
use martlet_protocol::{BLOCK_BYTES, Block, ReadBlob, Replica, ReplicaError};

use crate::support::{Bench, blob_id, bytes, new_blob, read_blob, read_blocks, row, stage};

#[tokio::test]
async fn blobs_of_every_size_come_back_also_after_a_restart() {
    let bench = Bench::new();
    let mut device = bench.create();
    let sizes = [0, 1, 5000, BLOCK_BYTES, 1024 * 1024, 1024 * 1024 + 1, 5_000_000];
    for (number, size) in sizes.into_iter().enumerate() {
        stage(&device, new_blob(number as u64, &row("a")), &bytes(size)).await.unwrap();
    }
    for _ in 0..2 {
        for (number, size) in sizes.into_iter().enumerate() {
            assert_eq!(read_blob(&device, number as u64).await, Ok(bytes(size)), "{size} bytes");
        }
        device = bench.reopen(device).await;
    }
}

#[tokio::test]
async fn blocks_are_read_from_the_middle() {
    let bench = Bench::new();
    let device = bench.create();
    for (number, size) in [(1, 700_000), (2, 5_000_000)] {
        let whole = bytes(size);
        stage(&device, new_blob(number, &row("a")), &whole).await.unwrap();
        let middle = whole.slice(3 * BLOCK_BYTES..5 * BLOCK_BYTES);
        assert_eq!(read_blocks(&device, number, 3, 2).await, Ok(middle));
        assert_eq!(read_blocks(&device, number, 10, 1000).await, Ok(whole.slice(10 * BLOCK_BYTES..)));
        assert_eq!(read_blocks(&device, number, 1000, 1).await, Ok(bytes(0)));
        assert_eq!(read_blocks(&device, number, 0, 0).await, Ok(bytes(0)));
    }
}

#[tokio::test]
async fn uploads_and_downloads_beyond_the_memory_bound_go_block_by_block() {
    let bench = Bench::new();
    let mut device = bench.create();
    // More blocks than may be gathered by all uploads together.
    let (uploads, whole) = (150, bytes(3 * BLOCK_BYTES + 5));
    let mut writers = Vec::new();
    for number in 0..uploads {
        writers.push(device.stage(new_blob(number, &row("a"))).await.unwrap());
    }
    for start in (0..whole.len()).step_by(BLOCK_BYTES) {
        for writer in &mut writers {
            let block = whole.slice(start..whole.len().min(start + BLOCK_BYTES));
            writer.write(Block::new(block)).await.unwrap();
        }
    }
    for writer in writers {
        writer.finish().await.unwrap();
    }
    for _ in 0..2 {
        let mut streams = Vec::new();
        for number in 0..uploads {
            let request = ReadBlob { id: blob_id(number), first: 0, count: 4 };
            streams.push(device.read_blob(request).await.unwrap());
        }
        for stream in streams {
            let blocks: Vec<_> = stream.map(|block| block.unwrap().bytes).collect().await;
            assert_eq!(blocks.concat(), whole);
        }
        device = bench.reopen(device).await;
    }
}

#[tokio::test]
async fn a_blob_that_is_not_here_is_missing() {
    let bench = Bench::new();
    let device = bench.create();
    assert_eq!(read_blob(&device, 9).await, Err(ReplicaError::MissingBlobs(vec![blob_id(9)])));
}

#[tokio::test]
async fn an_abandoned_upload_leaves_nothing_behind() {
    let bench = Bench::new();
    let device = bench.create();
    let mut writer = device.stage(new_blob(1, &row("a"))).await.unwrap();
    for _ in 0..100 {
        writer.write(Block::new(bytes(BLOCK_BYTES))).await.unwrap();
    }
    drop(writer);
    device.close().await.unwrap();
    assert_eq!(std::fs::read_dir(bench.path().join("staging")).unwrap().count(), 0);
    let device = bench.open().unwrap();
    assert_eq!(read_blob(&device, 1).await, Err(ReplicaError::MissingBlobs(vec![blob_id(1)])));
}

#[tokio::test]
async fn blocks_out_of_order_are_refused() {
    let bench = Bench::new();
    let device = bench.create();
    let mut writer = device.stage(new_blob(1, &row("a"))).await.unwrap();
    writer.write(Block::new(bytes(10))).await.unwrap();
    assert!(matches!(writer.write(Block::new(bytes(10))).await, Err(ReplicaError::Invalid(_))));
    let mut writer = device.stage(new_blob(1, &row("a"))).await.unwrap();
    let damaged = Block { bytes: bytes(11), ..Block::new(bytes(10)) };
    assert!(matches!(writer.write(damaged).await, Err(ReplicaError::Invalid(_))));
}

#[tokio::test]
async fn the_same_blob_from_two_clients_at_once_is_stored_once() {
    let bench = Bench::new();
    let device = bench.create();
    let whole = bytes(3_000_000);
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            let (device, whole) = (device.clone(), whole.clone());
            tokio::spawn(async move { stage(&device, new_blob(1, &row("a")), &whole).await })
        })
        .collect();
    for upload in uploads {
        upload.await.unwrap().unwrap();
    }
    assert_eq!(read_blob(&device, 1).await, Ok(whole));
    device.close().await.unwrap();
    assert_eq!(std::fs::read_dir(bench.path().join("staging")).unwrap().count(), 0);
}
