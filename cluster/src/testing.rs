//! A cluster for the tests inside this crate.

use std::sync::Arc;

use martlet_protocol::Replica;
use martlet_ring::{Device, DeviceId, NodeId, PlacementKey, ZoneId, build};
use martlet_testkit::{MemoryReplica, SimulatedClock};

use crate::{ClusterParts, ClusterStore, Options, SeededRandom};

const PARTITION_BITS: u8 = 4;

/// A healthy cluster of three devices.
pub(crate) fn cluster() -> ClusterStore {
    cluster_of_replicas().0
}

/// The same, and its devices, to break them or to ask them by hand.
pub(crate) fn cluster_of_replicas() -> (ClusterStore, Vec<MemoryReplica>) {
    let device = |id| Device {
        id: DeviceId(id),
        node: NodeId(id),
        zone: ZoneId(0),
        weight: 1,
        address: String::new(),
    };
    let ring = build(PARTITION_BITS, 3, (0..3).map(device).collect()).unwrap();
    let clock = Arc::new(SimulatedClock::default());
    let replicas: Vec<_> = (0..3).map(|_| MemoryReplica::new(PARTITION_BITS, clock.clone())).collect();
    let spoken_for = replicas.iter().map(|replica| Arc::new(replica.clone()) as Arc<dyn Replica>);
    let store = ClusterStore::new(ClusterParts {
        ring: Arc::new(ring),
        placement: PlacementKey::new([5; 16]),
        replicas: (0..).map(DeviceId).zip(spoken_for).collect(),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        options: Options::STANDARD,
    });
    (store.unwrap(), replicas)
}
