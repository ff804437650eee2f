//! The nodes of the ring, as this process reaches them, and the store over them.

mod renewing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use martlet_cluster::{ClusterParts, ClusterStore, MissingReplica, Options, SystemRandom};
use martlet_link::{LinkIdentity, NodeLink, RingHolder};
use martlet_protocol::Replica;
use martlet_ring::{DeviceId, Ring};
use tokio::task::AbortHandle;

use self::renewing::{Asked, Newest, Renewing};
use crate::clock::SystemClock;
use crate::devices::Replicas;
use crate::secrets::ClusterFile;

/// Links to nodes, one an address, whatever ring they are asked by.
#[derive(Debug)]
pub(crate) struct Network {
    identity: LinkIdentity,
    holder: Arc<dyn RingHolder>,
    links: Mutex<BTreeMap<String, NodeLink>>,
    newest: Mutex<BTreeMap<DeviceId, Newest>>,
}

/// A store that goes by the newest ring that this process has.
pub(crate) struct LiveStore {
    pub(crate) store: ClusterStore,
    following: AbortHandle,
}

impl Network {
    /// Every link passes rings on between `holder` and its node.
    pub(crate) fn new(identity: &LinkIdentity, holder: Arc<dyn RingHolder>) -> Arc<Self> {
        let identity = identity.clone();
        Arc::new(Self { identity, holder, links: Mutex::default(), newest: Mutex::default() })
    }

    /// All devices of the ring, to be asked by it. Called within a runtime.
    pub(crate) fn replicas(&self, ring: &Ring) -> Replicas {
        ring.devices().iter().map(|device| (device.id, self.replica(ring.version(), device))).collect()
    }

    fn replica(&self, version: u64, device: &martlet_ring::Device) -> Arc<dyn Replica> {
        let asked = Asked { version, replica: self.link(&device.address).replica_by(version, device.id) };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(device.id).or_insert_with(|| Newest::new(asked.clone()));
        newest.send_if_modified(|newest| {
            let is_newer = newest.version < version;
            if is_newer {
                *newest = asked.clone();
            }
            is_newer
        });
        Arc::new(Renewing { asked, newest: newest.subscribe() })
    }

    /// The link to a node, opened if there is none yet.
    pub(crate) fn link(&self, address: &str) -> NodeLink {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || NodeLink::open_with_ring(address, &self.identity, self.holder.clone());
        links.entry(address.to_owned()).or_insert_with(open).clone()
    }

    /// All links, by the addresses of their nodes.
    pub(crate) fn links(&self) -> Vec<(String, NodeLink)> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().map(|(address, link)| (address.clone(), link.clone())).collect()
    }

    /// Ends the links to nodes that the ring doesn't name any more.
    fn leave_all_but(&self, ring: &Ring) {
        let named: BTreeSet<&str> = ring.devices().iter().map(|device| device.address.as_str()).collect();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|address, link| {
            let is_named = named.contains(address.as_str());
            if !is_named {
                link.close();
            }
            is_named
        });
    }

    /// A store over the ring's devices, and whatever ring takes its place. Called within a runtime.
    pub(crate) fn store(self: &Arc<Self>, cluster: &ClusterFile) -> Result<LiveStore, MissingReplica> {
        let mut current = self.holder.current();
        let ring = current.borrow_and_update().clone();
        let store = store(cluster, &ring, self.replicas(&ring))?;
        let (network, followed) = (self.clone(), store.clone());
        let following = tokio::spawn(async move {
            while current.changed().await.is_ok() {
                let ring = current.borrow_and_update().clone();
                match followed.take_ring(&ring, &network.replicas(&ring)) {
                    Ok(()) => network.leave_all_but(&ring),
                    Err(error) => tracing::error!(%error, "a ring can't be used"),
                }
            }
        });
        Ok(LiveStore { store, following: following.abort_handle() })
    }
}

impl Drop for LiveStore {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// A store over these devices alone.
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
