//! What the cluster itself costs: one operation over three replicas in memory, on one thread.
//!
//! CPU time is measured, which noise disturbs least. The replicas' own work is in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::TryStreamExt;
use martlet_cluster::{ClusterParts, ClusterStore, Options, SystemRandom};
use martlet_model::{Clock, ListQuery, ObjectId, ObjectStore, Read, Timestamp};
use martlet_protocol::Replica;
use martlet_ring::{Device, DeviceId, NodeId, PlacementKey, ZoneId, build};
use martlet_testkit::conformance::steps::{create, new_object, noise, object, put, unconditional};
use martlet_testkit::{MemoryReplica, SimulatedClock};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

const PARTITION_BITS: u8 = 10;

fn cluster() -> ClusterStore {
    let device = |id| Device {
        id: DeviceId(id),
        node: NodeId(id),
        zone: ZoneId(0),
        weight: 1,
        address: String::new(),
    };
    let ring = build(PARTITION_BITS, 3, (0..3).map(device).collect()).expect("a ring of three");
    let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::at(Timestamp::from_micros(1)));
    let replica = |id| {
        let replica = MemoryReplica::new(PARTITION_BITS, clock.clone());
        (DeviceId(id), Arc::new(replica) as Arc<dyn Replica>)
    };
    let replicas: BTreeMap<_, _> = (0..3).map(replica).collect();
    let parts = ClusterParts {
        ring: Arc::new(ring),
        placement: PlacementKey::new([5; 16]),
        replicas,
        clock,
        random: Arc::new(SystemRandom),
        options: Options::STANDARD,
    };
    ClusterStore::new(parts).expect("a replica a device")
}

async fn get(store: &ClusterStore, key: &ObjectId) -> Bytes {
    let download =
        store.get(key, Read { version: None, conditions: unconditional(), range: None }).await.expect("read");
    let chunks: Vec<Bytes> = download.body.try_collect().await.expect("undamaged");
    chunks.into_iter().next().unwrap_or_default()
}

fn measure(criterion: &mut Criterion, name: &str, mut operation: impl FnMut()) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let before = cpu_time();
            (0..count).for_each(|_| operation());
            cpu_time().saturating_sub(before)
        });
    });
}

/// What this thread has spent on a core so far.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or_default())
}

fn operations(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = cluster();
    let (small, list) = runtime.block_on(async {
        let id = create(&store, "bench").await;
        let small = object(&id, "small");
        put(&store, &small, noise(1, 4096)).await;
        let list = create(&store, "bench-list").await;
        for number in 0..1000 {
            put(&store, &object(&list, format!("key-{number:06}")), "x").await;
        }
        (small, list)
    });
    let body = noise(1, 4096);
    measure(criterion, "put 4 KiB", || {
        let new = new_object(body.clone(), unconditional());
        drop(runtime.block_on(store.put(&small, new)).expect("stored"));
    });
    measure(criterion, "get 4 KiB", || drop(runtime.block_on(get(&store, &small))));
    measure(criterion, "head", || {
        drop(runtime.block_on(store.head(&small, None, &unconditional())).expect("there"));
    });
    measure(criterion, "list 1000", || {
        drop(runtime.block_on(store.list(&list, &ListQuery::all(1000))).expect("listed"));
    });
}

criterion_group!(benches, operations);
criterion_main!(benches);
