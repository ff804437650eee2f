//! Three devices in a folder, and the store over whatever speaks for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use martlet_cluster::{ClusterParts, ClusterStore, Options, SystemRandom};
use martlet_protocol::Replica;
use martlet_ring::{DeviceId, NodeId, PlacementKey, Ring, ZoneId, build};
use martlet_storage_node::{
    CHECKPOINT_LOG_PAGES, ClusterId, Device, DeviceIdentity, DeviceOptions, SystemFiles, SystemSteadyClock,
    UNFOLDED_BYTES_MAX,
};
use martlet_testkit::SimulatedClock;
use tempfile::TempDir;

const REPLICAS: u8 = 3;
pub(crate) const PARTITION_BITS: u8 = 4;

pub(crate) struct Disks {
    devices: BTreeMap<DeviceId, Device>,
    folder: TempDir,
}

impl Disks {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let devices = (0..u32::from(REPLICAS)).map(DeviceId).map(|id| {
            let path = folder.path().join(id.0.to_string());
            (id, Device::create(&path, options(id)).unwrap())
        });
        Self { devices: devices.collect(), folder }
    }

    pub(crate) fn ids(&self) -> Vec<DeviceId> {
        self.devices.keys().copied().collect()
    }

    /// The directory of a device.
    pub(crate) fn path(&self, id: DeviceId) -> PathBuf {
        self.folder.path().join(id.0.to_string())
    }

    pub(crate) fn replicas(&self) -> BTreeMap<DeviceId, Arc<dyn Replica>> {
        self.devices.iter().map(|(id, device)| (*id, Arc::new(device.clone()) as Arc<dyn Replica>)).collect()
    }
}

pub(crate) fn store(replicas: BTreeMap<DeviceId, Arc<dyn Replica>>) -> ClusterStore {
    ClusterStore::new(ClusterParts {
        ring: Arc::new(ring()),
        placement: PlacementKey::new([7; 16]),
        replicas,
        clock: Arc::new(SimulatedClock::default()),
        random: Arc::new(SystemRandom),
        options: Options::STANDARD,
    })
    .unwrap()
}

fn ring() -> Ring {
    let device = |number: u32| martlet_ring::Device {
        id: DeviceId(number),
        node: NodeId(number),
        zone: ZoneId(0),
        weight: 1,
        address: format!("node-{number}"),
    };
    build(PARTITION_BITS, REPLICAS, (0..u32::from(REPLICAS)).map(device).collect()).unwrap()
}

fn options(id: DeviceId) -> DeviceOptions {
    DeviceOptions {
        identity: DeviceIdentity { cluster: ClusterId([1; 16]), device: id, partition_bits: PARTITION_BITS },
        wall: Arc::new(SimulatedClock::default()),
        steady: Arc::new(SystemSteadyClock::start()),
        files: Arc::new(SystemFiles),
        vfs: None,
        garbage_grace: Duration::ZERO,
        reserve_bytes: 0,
        checkpoint_log_pages: CHECKPOINT_LOG_PAGES,
        unfolded_bytes_max: UNFOLDED_BYTES_MAX,
    }
}
