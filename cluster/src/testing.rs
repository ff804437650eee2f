//! A cluster for the tests inside this crate.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_protocol::Replica;
use martlet_ring::{Device, DeviceId, NodeId, PlacementKey, ZoneId, build};
use martlet_testkit::{MemoryReplica, SimulatedClock};

use crate::{ClusterParts, ClusterStore, Options, SeededRandom};

const PARTITION_BITS: u8 = 4;

/// A healthy cluster of three devices.
pub(crate) fn cluster() -> ClusterStore {
    let device = |id| Device {
        id: DeviceId(id),
        node: NodeId(id),
        zone: ZoneId(0),
        weight: 1,
        address: String::new(),
    };
    let ring = build(PARTITION_BITS, 3, (0..3).map(device).collect()).unwrap();
    let clock = Arc::new(SimulatedClock::default());
    let replica = |id| {
        let replica = MemoryReplica::new(PARTITION_BITS, clock.clone());
        (DeviceId(id), Arc::new(replica) as Arc<dyn Replica>)
    };
    let replicas: BTreeMap<_, _> = (0..3).map(replica).collect();
    ClusterStore::new(ClusterParts {
        ring: Arc::new(ring),
        placement: PlacementKey::new([5; 16]),
        replicas,
        clock,
        random: Arc::new(SeededRandom::new(1)),
        options: Options::STANDARD,
    })
    .unwrap()
}
