//! The folder that `serve` keeps everything in.
//!
//! ```text
//! DIR/cluster.toml      ids, secrets and the first user; made first, and the only file that can't be made again
//! DIR/cluster.ring      the ring
//! DIR/devices/0, 1, 2   the devices
//! DIR/credentials.env   for clients; written anew at every start
//! DIR/link.address      where commands reach the server; only there while it runs
//! ```
//!
//! A first start that was interrupted is finished by the next one.
//! Once `cluster.toml` says that the devices have been made, none is ever made again:
//! an empty device in the place of a lost one would count towards majorities that it knows nothing of.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_ring::{Device as RingDevice, DeviceId, NodeId, Ring, ZoneId, build, partition_bits_for};
use martlet_storage_node::OpenError;

use crate::devices::{Habits, OpenedDevice};
use crate::files::{self, FileError};
use crate::refill::{self, RefillError};
use crate::secrets::ClusterFile;

/// Where a running server says at which address commands reach it.
pub(crate) const LINK_ADDRESS: &str = "link.address";

/// Replicas of everything, and the devices of an embedded server.
const REPLICAS: u8 = 3;

/// Why the folder can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("no ring can be built")]
    Build(#[from] martlet_ring::RingError),
    #[error("no randomness can be had")]
    Random(#[from] getrandom::Error),
    #[error("device {id} can't be made")]
    Device { id: u32, source: OpenError },
    #[error("{0} isn't a device of this server")]
    NotOurs(DeviceId),
    #[error("{id} can't be replaced")]
    Replace { id: DeviceId, source: Box<RefillError> },
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
    pub(crate) devices: Arc<[(DeviceId, OpenedDevice)]>,
    root: PathBuf,
}

impl Data {
    /// Opens the folder, or makes it.
    pub(crate) fn open(root: &Path) -> Result<Self, DataError> {
        files::make_folder(root)?;
        let mut cluster = cluster_file(root)?;
        let ring = Arc::new(ring_file(root)?);
        let devices = open_devices(root, &cluster, &ring)?;
        if !cluster.devices_made {
            cluster.devices_made = true;
            files::write_cluster(&root.join("cluster.toml"), &cluster)?;
        }
        Ok(Self { cluster, ring, devices: devices.into(), root: root.to_owned() })
    }

    /// Says where commands reach this server.
    pub(crate) fn write_link_address(&self, address: SocketAddr) -> Result<(), DataError> {
        Ok(files::write(&self.root.join(LINK_ADDRESS), format!("{address}\n").as_bytes())?)
    }

    /// Nobody is reached any more.
    pub(crate) fn remove_link_address(&self) {
        let path = self.root.join(LINK_ADDRESS);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, "{} can't be removed", path.display());
        }
    }

    /// Writes what clients read, and gives its path.
    pub(crate) fn write_credentials(&self, content: &str) -> Result<PathBuf, DataError> {
        let path = self.root.join("credentials.env");
        files::write(&path, content.as_bytes())?;
        Ok(path)
    }
}

fn cluster_file(root: &Path) -> Result<ClusterFile, DataError> {
    let path = root.join("cluster.toml");
    match files::read_cluster(&path) {
        Err(error) if error.is_absent() => {
            let cluster = ClusterFile::generate()?;
            files::write_cluster(&path, &cluster)?;
            Ok(cluster)
        }
        outcome => Ok(outcome?),
    }
}

fn ring_file(root: &Path) -> Result<Ring, DataError> {
    let path = root.join("cluster.ring");
    match files::read_ring(&path) {
        Err(error) if error.is_absent() => {
            // One folder is one node in one zone. The same devices always give the same ring, so a lost file comes back.
            let devices: Vec<_> = (0..u32::from(REPLICAS)).map(embedded_device).collect();
            let ring = build(partition_bits_for(REPLICAS, &devices)?, REPLICAS, devices)?;
            files::write_ring(&path, &ring)?;
            Ok(ring)
        }
        outcome => Ok(outcome?),
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
    files::make_folder(&folder)?;
    let habits = Habits::standard(cluster.cluster_id.0, ring.partition_bits());
    let mut devices = Vec::new();
    for device in ring.devices() {
        let path = folder.join(device.id.0.to_string());
        let opened = match open_device(&path, device.id, cluster, &habits) {
            Ok(opened) => opened,
            Err(OpenError::InUse) => return Err(DataError::InUse),
            Err(source) if !cluster.devices_made => {
                return Err(DataError::Device { id: device.id.0, source });
            }
            Err(error) => OpenedDevice::left_out(device.id, &error),
        };
        devices.push((device.id, opened));
    }
    let opened = devices.iter().filter(|(_, device)| matches!(device, OpenedDevice::Present(_))).count();
    if opened * 2 <= devices.len() {
        return Err(DataError::NoMajority { opened, devices: devices.len() });
    }
    Ok(devices)
}

fn open_device(
    path: &Path,
    id: DeviceId,
    cluster: &ClusterFile,
    habits: &Habits,
) -> Result<OpenedDevice, OpenError> {
    let is_fresh = !cluster.devices_made && !path.join("device.toml").exists();
    if is_fresh { habits.create(path, id).map(OpenedDevice::Present) } else { habits.open(path, id) }
}

/// Makes a device anew in place of one that has been lost, to be filled once the server runs.
pub(crate) async fn replace_device(root: &Path, id: DeviceId) -> Result<(), DataError> {
    let cluster = files::read_cluster(&root.join("cluster.toml"))?;
    let ring = files::read_ring(&root.join("cluster.ring"))?;
    if ring.devices().iter().all(|device| device.id != id) {
        return Err(DataError::NotOurs(id));
    }
    let folder = root.join("devices").join(id.0.to_string());
    let habits = Habits::standard(cluster.cluster_id.0, ring.partition_bits());
    let made = refill::make(&habits, &folder, id).await;
    made.map_err(|source| DataError::Replace { id, source: source.into() })?;
    println!("{id}: made anew in {}; start the server, and it is filled", folder.display());
    Ok(())
}
