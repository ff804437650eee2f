//! A device in a temporary directory, and short words for what is asked of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use martlet_model::{Clock, Timestamp};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Block, CarriedBody, Checksum, NewBlob, Prepare, Promise,
    ReadBlob, ReadRow, Replica, ReplicaError, RowAddress, RowKey, RowReply, RowValue, TableId, TableKind,
    Want, Weight,
};
use martlet_register::{Accepted, Ballot, ProposerId, State};
use martlet_ring::{DeviceId, PlacementHash, PlacementKey};
use martlet_storage_node::{
    ClusterId, Device, DeviceIdentity, DeviceOptions, Files, GARBAGE_GRACE, OpenError, SteadyClock,
    SystemFiles,
};
use tempfile::TempDir;

pub(crate) const PARTITION_BITS: u8 = 6;

/// Goes where it is told; both as a date and as an age.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl SteadyClock for HandClock {
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) options: DeviceOptions,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_files(Arc::new(SystemFiles))
    }

    pub(crate) fn with_files(files: Arc<dyn Files>) -> Self {
        let clock = Arc::new(HandClock::default());
        clock.forward(1_000);
        let options = DeviceOptions {
            identity: DeviceIdentity {
                cluster: ClusterId([7; 16]),
                device: DeviceId(3),
                partition_bits: PARTITION_BITS,
            },
            wall: clock.clone(),
            steady: clock.clone(),
            files,
            vfs: None,
            garbage_grace: GARBAGE_GRACE,
            reserve_bytes: 0,
            checkpoint_log_pages: 256,
            unfolded_bytes_max: 2048,
        };
        Self { directory: tempfile::tempdir().unwrap(), clock, options }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("device")
    }

    pub(crate) fn create(&self) -> Device {
        Device::create(&self.path(), self.options.clone()).unwrap()
    }

    pub(crate) fn open(&self) -> Result<Device, OpenError> {
        Device::open(&self.path(), self.options.clone())
    }

    pub(crate) async fn reopen(&self, device: Device) -> Device {
        device.close().await.unwrap();
        drop(device);
        self.open().unwrap()
    }
}

pub(crate) fn table(number: u8) -> TableId {
    TableId::new(TableKind::Objects, [number; 15])
}

pub(crate) fn row(key: &str) -> RowAddress {
    row_in(table(1), key)
}

pub(crate) fn row_in(table: TableId, key: &str) -> RowAddress {
    RowKey { table, key: Bytes::copy_from_slice(key.as_bytes()) }.address(&PlacementKey::new([5; 16]))
}

/// Above what a device may have promised before a restart.
pub(crate) fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(1) }
}

pub(crate) fn blob_id(number: u64) -> BlobId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    BlobId(id)
}

pub(crate) fn bytes(count: usize) -> Bytes {
    let mut state = count as u64 + 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..count).map(next).collect::<Vec<_>>().into()
}

pub(crate) fn blob_ref(number: u64, hash: PlacementHash, body: &[u8]) -> BlobRef {
    BlobRef { id: blob_id(number), hash, bytes: body.len() as u64, checksum: Checksum::of(body) }
}

pub(crate) fn live(entry: &str, blobs: Vec<BlobRef>) -> RowValue {
    let bytes = blobs.iter().map(|blob| blob.bytes).sum();
    RowValue::Live {
        entry: Bytes::copy_from_slice(entry.as_bytes()),
        record: Bytes::copy_from_slice(format!("record of {entry}").as_bytes()),
        weight: Weight { objects: 1, bytes },
        blobs,
    }
}

pub(crate) fn accept(row: &RowAddress, ballot: Ballot, value: RowValue) -> Accept {
    Accept {
        row: row.clone(),
        ballot,
        state: State::first(ballot, Ballot::ZERO, value),
        body: None,
        garbage: Vec::new(),
        seal: None,
    }
}

pub(crate) fn accept_with_body(row: &RowAddress, ballot: Ballot, number: u64, body: &Bytes) -> Accept {
    let blob = blob_ref(number, row.hash, body);
    let value = live("entry", vec![blob]);
    Accept { body: Some(CarriedBody { blob, bytes: body.clone() }), ..accept(row, ballot, value) }
}

pub(crate) async fn prepare(
    device: &Device,
    row: &RowAddress,
    ballot: Ballot,
) -> Result<Promise, ReplicaError> {
    device.prepare(Prepare { row: row.clone(), ballot }).await
}

pub(crate) async fn accepted(device: &Device, row: &RowAddress) -> Option<Accepted<RowValue>> {
    match device.read(ReadRow { row: row.clone(), want: Want::Value }).await.unwrap() {
        RowReply::Value { accepted, body: None } => accepted,
        other => panic!("a value without a body, not {other:?}"),
    }
}

pub(crate) async fn body(device: &Device, row: &RowAddress) -> Result<Option<Bytes>, ReplicaError> {
    let want = Want::ValueAndBody { bytes_max: u64::MAX };
    match device.read(ReadRow { row: row.clone(), want }).await? {
        RowReply::Value { body, .. } => Ok(body),
        other @ RowReply::Ballot(_) => panic!("a value, not {other:?}"),
    }
}

pub(crate) fn new_blob(number: u64, owner: &RowAddress) -> NewBlob {
    NewBlob { id: blob_id(number), hash: owner.hash, owner: BlobOwner::Row(owner.clone()) }
}

pub(crate) async fn stage(device: &Device, new: NewBlob, body: &Bytes) -> Result<(), ReplicaError> {
    let mut writer = device.stage(new).await?;
    for block in body.chunks(BLOCK_BYTES) {
        writer.write(Block::new(body.slice_ref(block))).await?;
    }
    writer.finish().await
}

pub(crate) async fn read_blob(device: &Device, number: u64) -> Result<Bytes, ReplicaError> {
    read_blocks(device, number, 0, u32::MAX).await
}

pub(crate) async fn read_blocks(
    device: &Device,
    number: u64,
    first: u32,
    count: u32,
) -> Result<Bytes, ReplicaError> {
    let mut stream = device.read_blob(ReadBlob { id: blob_id(number), first, count }).await?;
    let mut whole = Vec::new();
    while let Some(block) = stream.next().await {
        let block = block?;
        assert!(block.is_intact());
        whole.extend_from_slice(&block.bytes);
    }
    Ok(whole.into())
}
