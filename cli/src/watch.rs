//! What those who run a process may ask of it: figures, and whether it is ready to work.

mod collected;
mod exposition;
mod itself;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use martlet_cluster::ClusterStore;
use martlet_proxy::Gateway;
use martlet_ring::DeviceId;

use crate::devices::{OpenedDevice, Replicas, replicas_of};
use crate::network::Network;
use crate::reach;

pub(crate) use exposition::CONTENT_TYPE;

/// A running process, seen from outside. Each kind of process has other parts.
pub(crate) struct Watched {
    pub(crate) store: ClusterStore,
    /// The front, where there is one.
    pub(crate) gateway: Option<Arc<Gateway>>,
    /// Links to nodes, where devices are reached by them.
    pub(crate) network: Option<Arc<Network>>,
    /// The process's own devices.
    pub(crate) devices: Arc<[(DeviceId, OpenedDevice)]>,
    pub(crate) is_stopping: AtomicBool,
}

/// Why a process isn't ready.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("it is stopping")]
    Stopping,
    #[error("{device} doesn't work: {reason}")]
    Device { device: DeviceId, reason: String },
    #[error("{lost} of {partitions} partitions have no majority of their replicas")]
    NoMajority { lost: usize, partitions: usize },
}

impl Watched {
    pub(crate) fn new(store: ClusterStore) -> Self {
        itself::note_start();
        Self {
            store,
            gateway: None,
            network: None,
            devices: Arc::new([]),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Nothing more is to be sent here.
    pub(crate) fn begin_to_stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// A front is ready when it reaches a majority of every partition's replicas; devices are when all are open.
    pub(crate) async fn readiness(&self) -> Result<(), NotReady> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(NotReady::Stopping);
        }
        for (device, opened) in self.devices.iter() {
            check_device(opened).await.map_err(|reason| NotReady::Device { device: *device, reason })?;
        }
        if self.gateway.is_some() {
            let ring = self.store.ring();
            let there = reach::answering(&reach::ask_all(self.replicas()).await);
            let lost = reach::without_majority(&ring, &there);
            if lost > 0 {
                return Err(NotReady::NoMajority { lost, partitions: ring.partition_count() });
            }
        }
        Ok(())
    }

    /// All figures, as text.
    pub(crate) async fn figures(&self) -> String {
        collected::collect(self).await.render()
    }

    fn replicas(&self) -> Replicas {
        match &self.network {
            Some(network) => network.replicas(&self.store.ring()),
            None => replicas_of(&self.devices),
        }
    }
}

/// Fails with what keeps the device from working.
async fn check_device(opened: &OpenedDevice) -> Result<(), String> {
    let state = opened.device()?.state().await.map_err(|error| error.to_string())?;
    match opened {
        _ if state.has_failed => Err("it has failed".to_owned()),
        OpenedDevice::Refilled(refilled) if !refilled.is_full() => Err("it is being refilled".to_owned()),
        _ => Ok(()),
    }
}
