//! What the link costs: CPU time of both ends together, over loopback, with a device that does nothing.
//!
//! `cargo bench -p martlet-link`

use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use martlet_link::server::Devices;
use martlet_link::{LinkIdentity, LinkSecret, NodeLink, serve};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobFact, BlobId, BlobOwner, BlobRef, BlobStanding, BlobWriter, Block, BlockStream,
    CarriedBody, Checksum, Garbage, HeldBlob, InspectBlobs, ListRows, ListTables, NewBlob, Prepare, Promise,
    ReadBlob, ReadRow, Replica, ReplicaError, RowAddress, RowKey, RowPage, RowReply, RowState, RowValue,
    SealToken, Survey, SurveyPage, TableCounters, TableId, TableKind, TablePage, Tombstone, Want, Weight,
};
use martlet_register::{Accepted, Ballot, ProposerId, State};
use martlet_ring::{DeviceId, Partition, PlacementHash};
use tokio::net::TcpListener;

const DEVICE: DeviceId = DeviceId(1);
const CALLS: u32 = 60_000;
const BLOCKS: u32 = 16 * 1024;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let identity = LinkIdentity { cluster: [1; 16], secret: LinkSecret::new([2; 32]), tls: None };
    let devices = Devices::from([(DEVICE, Arc::new(Idle::new()) as Arc<dyn Replica>)]);
    tokio::spawn(serve(listener, devices, identity.clone(), std::future::pending()));
    let link = NodeLink::open(&address, &identity);
    let replica = link.replica(DEVICE);
    report("| call | at once | CPU µs per call | calls/s |\n| --- | --- | --- | --- |")?;
    for at_once in [1, 16, 64, 256] {
        calls(
            "prepare",
            at_once,
            &replica,
            |replica| async move { replica.prepare(prepare()).await.is_ok() },
        )
        .await?;
        calls("read ballot", at_once, &replica, |replica| async move {
            replica.read(ReadRow { row: row(), want: Want::Ballot }).await.is_ok()
        })
        .await?;
        let four = Bytes::from(vec![5; 4096]);
        calls("accept 4 KiB", at_once, &replica, move |replica| {
            let change = accept(four.clone());
            async move { replica.accept(change).await.is_ok() }
        })
        .await?;
        calls("read 4 KiB", at_once, &replica, |replica| async move {
            let want = Want::ValueAndBody { bytes_max: 256 * 1024 };
            replica.read(ReadRow { row: row(), want }).await.is_ok()
        })
        .await?;
    }
    report("\n| stream | at once | CPU ms per MiB | MiB/s |\n| --- | --- | --- | --- |")?;
    for at_once in [1, 4, 16] {
        streams("stage", at_once, &replica, write_blob).await?;
        streams("read blob", at_once, &replica, read_blob).await?;
    }
    Ok(())
}

async fn calls<F: Future<Output = bool> + Send + 'static>(
    name: &str,
    at_once: u32,
    replica: &Arc<dyn Replica>,
    call: impl Fn(Arc<dyn Replica>) -> F + Clone + Send + Sync + 'static,
) -> std::io::Result<()> {
    let count = if at_once == 1 { CALLS / 10 } else { CALLS };
    let (started, cpu) = (Instant::now(), cpu_time());
    let callers = (0..at_once).map(|_| {
        let (replica, call) = (replica.clone(), call.clone());
        tokio::spawn(async move {
            for _ in 0..count / at_once {
                assert!(call(replica.clone()).await, "the device answers");
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await?;
    }
    let (elapsed, spent) = (started.elapsed().as_secs_f64(), cpu_time() - cpu);
    let (micros, rate) = (spent * 1e6 / f64::from(count), f64::from(count) / elapsed);
    report(&format!("| {name} | {at_once} | {micros:.1} | {rate:.0} |"))
}

async fn streams<F: Future<Output = u32> + Send + 'static>(
    name: &str,
    at_once: u32,
    replica: &Arc<dyn Replica>,
    stream: fn(Arc<dyn Replica>, u32) -> F,
) -> std::io::Result<()> {
    let (started, cpu) = (Instant::now(), cpu_time());
    let tasks = (0..at_once).map(|_| tokio::spawn(stream(replica.clone(), BLOCKS / at_once)));
    let mut blocks = 0;
    for task in tasks.collect::<Vec<_>>() {
        blocks += task.await?;
    }
    let mebibytes = f64::from(blocks) / 16.0;
    let (elapsed, spent) = (started.elapsed().as_secs_f64(), cpu_time() - cpu);
    let (millis, rate) = (spent * 1e3 / mebibytes, mebibytes / elapsed);
    report(&format!("| {name} | {at_once} | {millis:.3} | {rate:.0} |"))
}

async fn write_blob(replica: Arc<dyn Replica>, count: u32) -> u32 {
    let new = NewBlob { id: BlobId([1; 16]), hash: PlacementHash(1), owner: BlobOwner::Row(row()) };
    let block = Block::new(vec![5; BLOCK_BYTES].into());
    let mut writer = replica.stage(new).await.expect("the device takes blobs");
    for _ in 0..count {
        writer.write(block.clone()).await.expect("the device takes blocks");
    }
    writer.finish().await.expect("the device takes blobs");
    count
}

async fn read_blob(replica: Arc<dyn Replica>, count: u32) -> u32 {
    let request = ReadBlob { id: BlobId([1; 16]), first: 0, count };
    let mut blocks = replica.read_blob(request).await.expect("the device has the blob");
    let mut read = 0;
    while let Some(block) = blocks.next().await {
        read += u32::from(block.is_ok());
    }
    read
}

fn report(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// User and system time of this process, in seconds.
fn cpu_time() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0)).as_secs_f64()
}

fn row() -> RowAddress {
    let key = Bytes::from_static(b"photos/2024/holiday-0001.jpg");
    RowAddress {
        row: RowKey { table: TableId::new(TableKind::Objects, [1; 15]), key },
        hash: PlacementHash(77),
    }
}

fn ballot() -> Ballot {
    Ballot { time: 1_700_000_000_000_000, proposer: ProposerId(1) }
}

fn prepare() -> Prepare {
    Prepare { row: row(), ballot: ballot() }
}

fn blob(bytes: u64) -> BlobRef {
    BlobRef { id: BlobId([9; 16]), hash: PlacementHash(77), bytes, checksum: Checksum(1) }
}

fn state() -> RowState {
    let value = RowValue::Live {
        entry: Bytes::from_static(&[1; 60]),
        record: Bytes::from_static(&[2; 120]),
        weight: Weight { objects: 1, bytes: 4096 },
        blobs: vec![blob(4096)],
    };
    State::first(ballot(), Ballot::ZERO, value)
}

fn accept(bytes: Bytes) -> Accept {
    let body = Some(CarriedBody { blob: blob(bytes.len() as u64), bytes });
    Accept { row: row(), ballot: ballot(), state: state(), body, garbage: Vec::new(), seal: None }
}

/// Does nothing, and says that it is done.
#[derive(Debug)]
struct Idle {
    block: Block,
    body: Bytes,
}

impl Idle {
    fn new() -> Self {
        Self { block: Block::new(vec![7; BLOCK_BYTES].into()), body: vec![7; 4096].into() }
    }
}

struct Sink;

#[async_trait]
impl BlobWriter for Sink {
    async fn write(&mut self, _: Block) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), ReplicaError> {
        Ok(())
    }
}

#[async_trait]
impl Replica for Idle {
    async fn prepare(&self, _: Prepare) -> Result<Promise, ReplicaError> {
        Ok(Promise { accepted: Some(Accepted { ballot: ballot(), state: state() }), forgotten: Ballot::ZERO })
    }

    async fn accept(&self, _: Accept) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        match request.want {
            Want::Ballot => Ok(RowReply::Ballot(Some(ballot()))),
            Want::Value | Want::ValueAndBody { .. } => {
                let accepted = Some(Accepted { ballot: ballot(), state: state() });
                Ok(RowReply::Value { accepted, body: Some(self.body.clone()) })
            }
        }
    }

    async fn list(&self, _: ListRows) -> Result<RowPage, ReplicaError> {
        Ok(RowPage { items: Vec::new(), through: None })
    }

    async fn counters(&self, _: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn stage(&self, _: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        Ok(Box::new(Sink))
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        let block = self.block.clone();
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        Ok(Box::pin(stream::repeat_with(move || Ok(block.clone())).take(count)))
    }

    async fn seal(&self, _: TableId, _: SealToken) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn unseal(&self, _: TableId, _: SealToken) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn garbage(&self, _: usize) -> Result<Vec<Garbage>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn settle_garbage(&self, _: Vec<BlobId>) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn reclaim(&self, _: Vec<BlobId>) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn unreferenced(&self, _: Option<BlobId>, _: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn tombstones(&self, _: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn forget(&self, _: Vec<Tombstone>) -> Result<(), ReplicaError> {
        Ok(())
    }

    async fn digests(&self, _: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn tables(&self, _: ListTables) -> Result<TablePage, ReplicaError> {
        Ok(TablePage { tables: Vec::new(), through: None })
    }

    async fn survey(&self, _: Survey) -> Result<SurveyPage, ReplicaError> {
        Ok(SurveyPage { rows: Vec::new(), through: None })
    }

    async fn inspect(&self, _: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn held(&self, _: Option<BlobId>, _: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        Ok(Vec::new())
    }

    async fn restage(&self, _: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        Ok(Box::new(Sink))
    }
}
