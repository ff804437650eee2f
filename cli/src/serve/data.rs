//! The folder that `serve` keeps everything in.
//!
//! ```text
//! DIR/cluster.toml      ids, secrets and the first user; made first, and the only file that can't be made again
//! DIR/cluster.ring      the ring
//! DIR/devices/0, 1, 2   the devices
//! DIR/credentials.env   for clients; written anew at every start
//! ```
//!
//! A first start that was interrupted is finished by the next one.
//! Once `cluster.toml` says that the devices have been made, none is ever made again:
//! an empty device in the place of a lost one would count towards majorities that it knows nothing of.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_ring::{Device as RingDevice, DeviceId, NodeId, Ring, ZoneId, build, partition_bits_for};
use martlet_storage_node::disk::publish;
use martlet_storage_node::{
    ClusterId, Device, DeviceIdentity, DeviceOptions, OpenError, SystemFiles, SystemSteadyClock,
};

use super::secrets::{ClusterFile, ClusterFileError};
use crate::clock::SystemClock;

/// Replicas of everything, and the devices of an embedded server.
const REPLICAS: u8 = 3;

/// Why the folder can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("can't {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} can't be used", path.display())]
    Cluster { path: PathBuf, source: ClusterFileError },
    #[error("{} can't be used", path.display())]
    Ring { path: PathBuf, source: martlet_ring::FileError },
    #[error("no ring can be built")]
    Build(#[from] martlet_ring::RingError),
    #[error("no randomness can be had")]
    Random(#[from] getrandom::Error),
    #[error("cluster.toml can't be written")]
    Render(#[from] toml::ser::Error),
    #[error("device {id} can't be made")]
    Device { id: u32, source: OpenError },
    #[error("another process serves this folder")]
    InUse,
    #[error("{opened} of {devices} devices can be opened; a majority is needed")]
    NoMajority { opened: usize, devices: usize },
}

/// The folder, with whatever was missing made.
pub(crate) struct Data {
    pub(crate) cluster: ClusterFile,
    pub(crate) ring: Arc<Ring>,
    /// All devices of the ring; a majority of them could be opened.
    pub(crate) devices: Vec<(DeviceId, OpenedDevice)>,
    root: PathBuf,
}

/// A device of the ring, or why it isn't there.
pub(crate) enum OpenedDevice {
    Present(Device),
    Absent { reason: String },
}

impl Data {
    /// Opens the folder, or makes it.
    pub(crate) fn open(root: &Path) -> Result<Self, DataError> {
        std::fs::create_dir_all(root).map_err(in_vain("make", root))?;
        let mut cluster = cluster_file(root)?;
        let ring = Arc::new(ring_file(root)?);
        let devices = open_devices(root, &cluster, &ring)?;
        if !cluster.devices_made {
            cluster.devices_made = true;
            write(&root.join("cluster.toml"), cluster.render()?.as_bytes())?;
        }
        Ok(Self { cluster, ring, devices, root: root.to_owned() })
    }

    /// Writes what clients read, and gives its path.
    pub(crate) fn write_credentials(&self, content: &str) -> Result<PathBuf, DataError> {
        let path = self.root.join("credentials.env");
        write(&path, content.as_bytes())?;
        Ok(path)
    }
}

fn cluster_file(root: &Path) -> Result<ClusterFile, DataError> {
    let path = root.join("cluster.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => ClusterFile::parse(&text).map_err(|source| DataError::Cluster { path, source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let cluster = ClusterFile::generate()?;
            write(&path, cluster.render()?.as_bytes())?;
            Ok(cluster)
        }
        Err(error) => Err(in_vain("read", &path)(error)),
    }
}

fn ring_file(root: &Path) -> Result<Ring, DataError> {
    let path = root.join("cluster.ring");
    match std::fs::read(&path) {
        Ok(bytes) => Ring::from_bytes(&bytes).map_err(|source| DataError::Ring { path, source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // One folder is one node in one zone. The same devices always give the same ring, so a lost file comes back.
            let devices: Vec<_> = (0..u32::from(REPLICAS)).map(embedded_device).collect();
            let ring = build(partition_bits_for(REPLICAS, &devices)?, REPLICAS, devices)?;
            write(&path, &ring.to_bytes())?;
            Ok(ring)
        }
        Err(error) => Err(in_vain("read", &path)(error)),
    }
}

fn embedded_device(number: u32) -> RingDevice {
    RingDevice {
        id: DeviceId(number),
        node: NodeId(0),
        zone: ZoneId(0),
        weight: 1,
        address: "embedded".to_owned(),
    }
}

fn open_devices(
    root: &Path,
    cluster: &ClusterFile,
    ring: &Ring,
) -> Result<Vec<(DeviceId, OpenedDevice)>, DataError> {
    let folder = root.join("devices");
    std::fs::create_dir_all(&folder).map_err(in_vain("make", &folder))?;
    let mut devices = Vec::new();
    for device in ring.devices() {
        let path = folder.join(device.id.0.to_string());
        let opened = match open_device(&path, device.id, cluster, ring) {
            Ok(opened) => OpenedDevice::Present(opened),
            Err(OpenError::InUse) => return Err(DataError::InUse),
            Err(source) if !cluster.devices_made => {
                return Err(DataError::Device { id: device.id.0, source });
            }
            // The others carry on without it: that is what replicas are for.
            Err(error) => {
                let reason = crate::with_sources(&error);
                tracing::error!(device = device.id.0, "the device is left out: {reason}");
                OpenedDevice::Absent { reason }
            }
        };
        devices.push((device.id, opened));
    }
    let opened = devices.iter().filter(|(_, device)| matches!(device, OpenedDevice::Present(_))).count();
    if opened * 2 <= devices.len() {
        return Err(DataError::NoMajority { opened, devices: devices.len() });
    }
    Ok(devices)
}

fn open_device(path: &Path, id: DeviceId, cluster: &ClusterFile, ring: &Ring) -> Result<Device, OpenError> {
    let identity = DeviceIdentity {
        cluster: ClusterId(cluster.cluster_id.0),
        device: id,
        partition_bits: ring.partition_bits(),
    };
    let options = DeviceOptions {
        identity,
        wall: Arc::new(SystemClock),
        steady: Arc::new(SystemSteadyClock::start()),
        files: Arc::new(SystemFiles),
        vfs: None,
        garbage_grace: martlet_storage_node::GARBAGE_GRACE,
        reserve_bytes: martlet_storage_node::RESERVE_BYTES,
        checkpoint_log_pages: martlet_storage_node::CHECKPOINT_LOG_PAGES,
    };
    let is_fresh = !cluster.devices_made && !path.join("device.toml").exists();
    if is_fresh { Device::create(path, options) } else { Device::open(path, options) }
}

/// Puts a file in place durably. The process's umask keeps it from other users.
fn write(path: &Path, content: &[u8]) -> Result<(), DataError> {
    publish::replace(&SystemFiles, path, content).map_err(in_vain("write", path))
}

fn in_vain(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::File { action, path, source }
}
