//! The nodes of the ring, as this process reaches them.

use std::collections::BTreeMap;

use martlet_cluster::{ClusterParts, ClusterStore, MissingReplica, Options, SystemRandom};
use martlet_link::NodeLink;
use martlet_ring::{NodeId, Ring};
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::devices::Replicas;
use crate::secrets::ClusterFile;

/// All devices of the ring: `own`, and links to the nodes of the others. Called within a runtime.
pub(crate) fn replicas(cluster: &ClusterFile, ring: &Ring, own: Replicas) -> Replicas {
    let mut replicas = own;
    let mut links: BTreeMap<NodeId, NodeLink> = BTreeMap::new();
    for device in ring.devices() {
        if replicas.contains_key(&device.id) {
            continue;
        }
        let link = links
            .entry(device.node)
            .or_insert_with(|| NodeLink::open(&device.address, &cluster.link_identity()));
        replicas.insert(device.id, link.replica(device.id));
    }
    replicas
}

/// A store over all devices of the ring.
pub(crate) fn store(
    cluster: &ClusterFile,
    ring: &Arc<Ring>,
    replicas: Replicas,
) -> Result<ClusterStore, MissingReplica> {
    ClusterStore::new(ClusterParts {
        ring: ring.clone(),
        placement: cluster.placement(),
        replicas,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        options: Options::STANDARD,
    })
}
