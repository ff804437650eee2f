//! The nodes of the ring, as this process reaches them.

use std::collections::BTreeMap;

use martlet_cluster::{ClusterParts, ClusterStore, MissingReplica, Options, SystemRandom};
use martlet_link::NodeLink;
use martlet_ring::{NodeId, Ring};
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::devices::Replicas;
use crate::secrets::ClusterFile;

/// A store over `own` devices and, for all others of the ring, links to their nodes. Called within a runtime.
pub(crate) fn store(
    cluster: &ClusterFile,
    ring: &Arc<Ring>,
    own: Replicas,
) -> Result<ClusterStore, MissingReplica> {
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
    ClusterStore::new(ClusterParts {
        ring: ring.clone(),
        placement: cluster.placement(),
        replicas,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        options: Options::STANDARD,
    })
}
