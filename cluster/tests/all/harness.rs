//! A cluster of memory replicas.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_cluster::{ClusterParts, ClusterStore, Options, SeededRandom};
use martlet_protocol::Replica;
use martlet_ring::{Device, DeviceId, NodeId, PlacementKey, Ring, ZoneId, build};
use martlet_testkit::{MemoryReplica, SimulatedClock};

use crate::mortal::{Life, Reached};

/// A cluster, and everything that a test may want to break.
pub(crate) struct Cluster {
    pub(crate) store: ClusterStore,
    pub(crate) replicas: Vec<MemoryReplica>,
    pub(crate) clock: Arc<SimulatedClock>,
    ring: Arc<Ring>,
    options: Options,
}

/// How many devices, and how many partitions as a power of two.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) devices: u32,
    pub(crate) partition_bits: u8,
}

pub(crate) const SMALL: Shape = Shape { devices: 3, partition_bits: 4 };

impl Cluster {
    pub(crate) fn new(shape: Shape) -> Self {
        Self::with_options(shape, Options::STANDARD)
    }

    pub(crate) fn with_options(shape: Shape, options: Options) -> Self {
        let device = |id| Device {
            id: DeviceId(id),
            node: NodeId(id),
            zone: ZoneId(0),
            weight: 1,
            address: String::new(),
        };
        let ring = build(shape.partition_bits, 3, (0..shape.devices).map(device).collect()).unwrap();
        let clock = Arc::new(SimulatedClock::default());
        let replica = |_| MemoryReplica::new(shape.partition_bits, clock.clone());
        let replicas: Vec<MemoryReplica> = (0..shape.devices).map(replica).collect();
        let ring = Arc::new(ring);
        let store = proxy(&ring, &replicas, &clock, options, 1);
        Self { store, replicas, clock, ring, options }
    }

    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    pub(crate) fn device_ids(&self) -> impl Iterator<Item = DeviceId> + use<> {
        (0..u32::try_from(self.replicas.len()).unwrap()).map(DeviceId)
    }

    /// Another proxy of the same cluster.
    pub(crate) fn another_proxy(&self, seed: u64) -> ClusterStore {
        proxy(&self.ring, &self.replicas, &self.clock, self.options, seed)
    }
}

impl Cluster {
    /// A proxy that dies after so many messages.
    pub(crate) fn mortal_proxy(&self, seed: u64, life: &Life) -> ClusterStore {
        let reached = |replica: &MemoryReplica| {
            Arc::new(Reached { replica: replica.clone(), life: life.clone() }) as Arc<dyn Replica>
        };
        let replicas = self.replicas.iter().map(reached);
        proxy_through(&self.ring, replicas, &self.clock, self.options, seed)
    }
}

pub(crate) fn placement() -> PlacementKey {
    PlacementKey::new([5; 16])
}

fn proxy(
    ring: &Arc<Ring>,
    replicas: &[MemoryReplica],
    clock: &Arc<SimulatedClock>,
    options: Options,
    seed: u64,
) -> ClusterStore {
    let replicas = replicas.iter().map(|replica| Arc::new(replica.clone()) as Arc<dyn Replica>);
    proxy_through(ring, replicas, clock, options, seed)
}

fn proxy_through(
    ring: &Arc<Ring>,
    replicas: impl Iterator<Item = Arc<dyn Replica>>,
    clock: &Arc<SimulatedClock>,
    options: Options,
    seed: u64,
) -> ClusterStore {
    let replicas: BTreeMap<DeviceId, Arc<dyn Replica>> = (0..).map(DeviceId).zip(replicas).collect();
    ClusterStore::new(ClusterParts {
        ring: ring.clone(),
        placement: placement(),
        replicas,
        clock: clock.clone(),
        random: Arc::new(SeededRandom::new(seed)),
        options,
    })
    .unwrap()
}
