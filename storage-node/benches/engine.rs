//! What the engine costs: CPU time (user and system, all threads of the process) per operation, as a table.
//!
//! Run with `cargo bench -p martlet-storage-node`; an argument chooses the measurements whose name has it.
//! CPU time is what noise disturbs least; elapsed time is shown beside it.

#![expect(clippy::print_stdout, reason = "a table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a measurement stops where something is wrong")]
#![expect(clippy::cast_precision_loss, reason = "a few digits are shown")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use martlet_model::{Clock, Timestamp};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Block, CarriedBody, Checksum, ListRows, NewBlob,
    Prepare, ReadBlob, ReadRow, Replica, RowAddress, RowKey, RowValue, Scope, TableId, TableKind, Want,
    Weight,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::{DeviceId, PlacementKey};
use martlet_storage_node::{
    ClusterId, Device, DeviceIdentity, DeviceOptions, GARBAGE_GRACE, SystemFiles, SystemSteadyClock,
};

const PARTITION_BITS: u8 = 10;

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000)
    }
}

type Measurement = fn(&tokio::runtime::Runtime, &Path);

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    println!("{:<56} {:>10} {:>12} {:>12}", "", "count", "CPU µs each", "elapsed µs");
    let directory =
        tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".to_owned())).unwrap();
    let measurements: [(&str, Measurement); 6] = [
        ("rows", rows),
        ("bodies", bodies),
        ("reads", reads),
        ("large", large_blobs),
        ("small-table", |runtime, path| tables(runtime, path, &[10_000])),
        ("big-table", |runtime, path| tables(runtime, path, &[1_000_000, 2_000_000])),
    ];
    for (name, measure) in measurements {
        if name.contains(&only) {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).unwrap();
            measure(&runtime, &path);
            std::fs::remove_dir_all(&path).unwrap();
        }
    }
}

fn rows(runtime: &tokio::runtime::Runtime, path: &Path) {
    let device = create(&path.join("device"));
    runtime.block_on(async {
        measured("row alone", 1000, accepts(&device, 1, (0..1000).map(|number| row_only(&key(number), 10))))
            .await;
        let numbers = 10_000..40_000;
        measured(
            "row, 64 at once",
            30_000,
            accepts(&device, 64, numbers.map(|number| row_only(&key(number), 10))),
        )
        .await;
        let numbers = (50_000..80_000).map(shuffled);
        measured(
            "row, 64 at once, random keys",
            30_000,
            accepts(&device, 64, numbers.map(|number| row_only(&key(number), 10))),
        )
        .await;
        let prepares = stream::iter(0..30_000_u64).map(|number| {
            let device = &device;
            async move { device.prepare(Prepare { row: key(number), ballot: ballot(20) }).await.unwrap() }
        });
        measured("prepare, 64 at once", 30_000, prepares.buffer_unordered(64).for_each(|_| async {})).await;
        device.close().await.unwrap();
    });
}

fn bodies(runtime: &tokio::runtime::Runtime, path: &Path) {
    let device = create(&path.join("device"));
    runtime.block_on(async {
        let mut first = 0;
        for size in [256, 512, 1024, 1536, 2048, 4096, 16_384, 65_536] {
            let body = Bytes::from(vec![7; size]);
            let count = if size > 10_000 { 4000 } else { 20_000 };
            let requests = (first..first + count).map(|number| with_body(&key(number), number, &body));
            let name = format!("row and {size} bytes, 64 at once");
            measured(&name, count, accepts(&device, 64, requests)).await;
            first += count;
        }
        let body = Bytes::from(vec![7; 4096]);
        for ids in ["ascending", "random"] {
            let requests = (first..first + 20_000).map(|number| {
                let row = key(shuffled(number));
                let id = if ids == "random" { row.hash.0 } else { number };
                with_body(&row, id, &body)
            });
            let name = format!("random row and 4096 bytes, {ids} blob ids, 64 at once");
            measured(&name, 20_000, accepts(&device, 64, requests)).await;
            first += 20_000;
        }
        device.close().await.unwrap();
    });
}

fn reads(runtime: &tokio::runtime::Runtime, path: &Path) {
    let device = create(&path.join("device"));
    runtime.block_on(async {
        let body = Bytes::from(vec![7; 4096]);
        accepts(&device, 64, (0..20_000).map(|number| with_body(&key(number), number, &body))).await;
        for (name, want) in [
            ("read of a ballot", Want::Ballot),
            ("read of a value", Want::Value),
            ("read of a value and 4 KiB", Want::ValueAndBody { bytes_max: 1 << 20 }),
        ] {
            for at_once in [1, 16] {
                let reads = stream::iter(0..20_000_u64).map(|number| {
                    let device = &device;
                    let row = key(shuffled(number) % 20_000);
                    async move { device.read(ReadRow { row, want }).await.unwrap() }
                });
                let reads = reads.buffer_unordered(at_once).for_each(|_| async {});
                measured(&format!("{name}, {at_once} at once"), 20_000, reads).await;
            }
        }
        device.close().await.unwrap();
    });
}

fn large_blobs(runtime: &tokio::runtime::Runtime, path: &Path) {
    let device = create(&path.join("device"));
    let block = Block::new(Bytes::from(vec![7; BLOCK_BYTES]));
    let mebibytes = 64_u32;
    runtime.block_on(async {
        let id = BlobId([9; 16]);
        let row = key(0);
        let store = async {
            let owner = BlobOwner::Row(row.clone());
            let mut writer = device.stage(NewBlob { id, hash: row.hash, owner }).await.unwrap();
            for _ in 0..mebibytes * 16 {
                writer.write(block.clone()).await.unwrap();
            }
            writer.finish().await.unwrap();
        };
        measured("store a blob of 64 MiB, per MiB", mebibytes.into(), store).await;
        let read = async {
            let blocks = device.read_blob(ReadBlob { id, first: 0, count: u32::MAX }).await.unwrap();
            blocks.for_each(|block| async { drop(block.unwrap()) }).await;
        };
        measured("read a blob of 64 MiB, per MiB", mebibytes.into(), read).await;
        device.close().await.unwrap();
    });
}

fn tables(runtime: &tokio::runtime::Runtime, path: &Path, sizes: &[u64]) {
    let device = create(&path.join("device"));
    let mut filled = 0;
    runtime.block_on(async {
        for size in sizes.iter().copied() {
            let fill = accepts(&device, 256, (filled..size).map(|number| row_only(&key(number), 10)));
            measured(&format!("row in ascending order, 256 at once, to {size}"), size - filled, fill).await;
            filled = size;
            listings(&device, size).await;
            let updates = (0..20_000).map(|number| row_only(&key(shuffled(number) % size), 20 + size));
            measured(&format!("random row of {size}, 64 at once"), 20_000, accepts(&device, 64, updates))
                .await;
        }
        let started = Instant::now();
        device.close().await.unwrap();
        println!("close: {:?}", started.elapsed());
    });
    let index = path.join("device/index.db").metadata().unwrap().len();
    println!("index: {} bytes a row", index / filled);
    let started = Instant::now();
    drop(open(&path.join("device")));
    println!("open: {:?}", started.elapsed());
}

async fn listings(device: &Device, size: u64) {
    let list = ListRows {
        table: table(),
        partition: None,
        prefix: Bytes::new(),
        delimiter: None,
        after: None,
        before: None,
        limit: 1000,
        scope: Scope::All,
    };
    let pages = async {
        for number in 0..200 {
            let after = Some(key(shuffled(number) % (size - 1000)).row.key);
            assert_eq!(device.list(ListRows { after, ..list.clone() }).await.unwrap().items.len(), 1000);
        }
    };
    measured(&format!("list 1000 of {size} keys"), 200, pages).await;
    let pages = async {
        for _ in 0..20 {
            let delimiter = Some(Bytes::from_static(b"/"));
            let page = device.list(ListRows { delimiter, ..list.clone() }).await.unwrap();
            assert_eq!(page.items.len() as u64, (size / 1000).min(1000));
        }
    };
    measured(&format!("common prefix, each hiding 1000 of {size} keys"), 20 * (size / 1000).min(1000), pages)
        .await;
}

async fn accepts(device: &Device, at_once: usize, requests: impl Iterator<Item = Accept>) {
    let accepts = stream::iter(requests).map(|request| async move { device.accept(request).await.unwrap() });
    accepts.buffer_unordered(at_once).for_each(|()| async {}).await;
}

async fn measured(name: &str, count: u64, work: impl Future<Output = ()>) {
    let (cpu, started) = (cpu_time(), Instant::now());
    work.await;
    let (cpu, elapsed) = (cpu_time().saturating_sub(cpu), started.elapsed());
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    println!("{name:<56} {count:>10} {:>12.2} {:>12.2}", each(cpu), each(elapsed));
}

/// Of all threads, user and system.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

fn create(path: &Path) -> Device {
    Device::create(path, options()).unwrap()
}

fn open(path: &Path) -> Device {
    Device::open(path, options()).unwrap()
}

fn options() -> DeviceOptions {
    DeviceOptions {
        identity: DeviceIdentity {
            cluster: ClusterId([1; 16]),
            device: DeviceId(1),
            partition_bits: PARTITION_BITS,
        },
        wall: Arc::new(StoppedClock),
        steady: Arc::new(SystemSteadyClock::start()),
        files: Arc::new(SystemFiles),
        vfs: None,
        garbage_grace: GARBAGE_GRACE,
        reserve_bytes: 0,
        checkpoint_log_pages: martlet_storage_node::CHECKPOINT_LOG_PAGES,
        unfolded_bytes_max: martlet_storage_node::UNFOLDED_BYTES_MAX,
    }
}

fn table() -> TableId {
    TableId::new(TableKind::Objects, [1; 15])
}

fn key(number: u64) -> RowAddress {
    let key = format!("photos-{:05}/{:03}.jpg", number / 1000, number % 1000);
    RowKey { table: table(), key: key.into() }.address(&PlacementKey::new([5; 16]))
}

/// The same for the same number; far from its neighbours.
fn shuffled(number: u64) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % 100_000_000
}

fn ballot(time: u64) -> Ballot {
    Ballot { time: 1_000_000_000 + time, proposer: ProposerId(0x1234_5678_9abc_def0) }
}

fn value(blobs: Vec<BlobRef>) -> RowValue {
    let bytes = blobs.iter().map(|blob| blob.bytes).sum();
    RowValue::Live {
        entry: Bytes::from_static(&[1; 48]),
        record: Bytes::from_static(&[2; 96]),
        weight: Weight { objects: 1, bytes },
        blobs,
    }
}

fn row_only(row: &RowAddress, time: u64) -> Accept {
    let ballot = ballot(time);
    let state = State::first(ballot, Ballot::ZERO, value(vec![]));
    Accept { row: row.clone(), ballot, state, body: None, garbage: vec![], seal: None }
}

/// With `first` at the beginning of its blob's id: ids that ascend are cheaper to store.
fn with_body(row: &RowAddress, first: u64, body: &Bytes) -> Accept {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&first.to_be_bytes());
    let blob =
        BlobRef { id: BlobId(id), hash: row.hash, bytes: body.len() as u64, checksum: Checksum::of(body) };
    let state = State::first(ballot(10), Ballot::ZERO, value(vec![blob]));
    Accept { state, body: Some(CarriedBody { blob, bytes: body.clone() }), ..row_only(row, 10) }
}
