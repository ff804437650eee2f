//! Devices of this process: opening them, and doing without those that can't be opened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use martlet_protocol::Replica;
use martlet_ring::DeviceId;
use martlet_storage_node::{
    CHECKPOINT_LOG_PAGES, ClusterId, Device, DeviceIdentity, DeviceOptions, GARBAGE_GRACE, OpenError,
    RESERVE_BYTES, SystemFiles, SystemSteadyClock, UNFOLDED_BYTES_MAX,
};

use crate::absent::AbsentDevice;
use crate::clock::SystemClock;
use crate::refill::{self, RefilledDevice};

/// Devices by their ids, as the cluster sees them.
pub(crate) type Replicas = BTreeMap<DeviceId, Arc<dyn Replica>>;

/// A device of the ring, or why it isn't there.
pub(crate) enum OpenedDevice {
    Present(Device),
    /// Made anew in place of a lost one, and filled from its peers.
    Refilled(Arc<RefilledDevice>),
    Absent {
        reason: String,
    },
}

/// How the devices of a process are opened.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) cluster: ClusterId,
    /// 2 to this power is the number of partitions.
    pub(crate) partition_bits: u8,
    pub(crate) garbage_grace: Duration,
    pub(crate) reserve_bytes: u64,
}

impl Habits {
    pub(crate) fn standard(cluster: [u8; 16], partition_bits: u8) -> Self {
        Self {
            cluster: ClusterId(cluster),
            partition_bits,
            garbage_grace: GARBAGE_GRACE,
            reserve_bytes: RESERVE_BYTES,
        }
    }

    /// Makes a device where there is none.
    pub(crate) fn create(&self, path: &Path, id: DeviceId) -> Result<Device, OpenError> {
        Device::create(path, self.options(id))
    }

    /// Opens a device, which may have been made anew in place of a lost one.
    pub(crate) fn open(&self, path: &Path, id: DeviceId) -> Result<OpenedDevice, OpenError> {
        let floor = match refill::floor_of(path) {
            Ok(floor) => floor,
            Err(error) => return Ok(OpenedDevice::left_out(id, &error)),
        };
        let device = Device::open(path, self.options(id))?;
        Ok(match floor {
            Some(floor) => OpenedDevice::Refilled(RefilledDevice::new(device, path, floor)),
            None => OpenedDevice::Present(device),
        })
    }

    fn options(&self, device: DeviceId) -> DeviceOptions {
        let Self { cluster, partition_bits, garbage_grace, reserve_bytes } = *self;
        DeviceOptions {
            identity: DeviceIdentity { cluster, device, partition_bits },
            wall: Arc::new(SystemClock),
            steady: Arc::new(SystemSteadyClock::start()),
            files: Arc::new(SystemFiles),
            vfs: None,
            garbage_grace,
            reserve_bytes,
            checkpoint_log_pages: CHECKPOINT_LOG_PAGES,
            unfolded_bytes_max: UNFOLDED_BYTES_MAX,
        }
    }
}

impl OpenedDevice {
    /// The others carry on without a device that can't be opened: that is what replicas are for.
    pub(crate) fn left_out(id: DeviceId, error: &dyn std::error::Error) -> Self {
        let reason = crate::with_sources(error);
        tracing::error!(device = id.0, "the device is left out: {reason}");
        Self::Absent { reason }
    }

    pub(crate) fn replica(&self) -> Arc<dyn Replica> {
        match self {
            Self::Present(device) => Arc::new(device.clone()),
            Self::Refilled(device) => device.clone(),
            Self::Absent { reason } => Arc::new(AbsentDevice { reason: reason.clone() }),
        }
    }

    /// The device itself, however much it holds.
    pub(crate) fn device(&self) -> Result<&Device, &str> {
        match self {
            Self::Present(device) => Ok(device),
            Self::Refilled(refilled) => Ok(&refilled.device),
            Self::Absent { reason } => Err(reason),
        }
    }

    pub(crate) fn refilled(&self) -> Option<Arc<RefilledDevice>> {
        match self {
            Self::Refilled(device) if !device.is_full() => Some(device.clone()),
            _ => None,
        }
    }

    /// Leaves the device so that the next start is quick.
    pub(crate) async fn close(&self) {
        if let Ok(device) = self.device()
            && let Err(error) = device.close().await
        {
            tracing::error!("a device didn't close well: {error}");
        }
    }
}

/// The devices as the cluster sees them.
pub(crate) fn replicas_of(devices: &[(DeviceId, OpenedDevice)]) -> Replicas {
    devices.iter().map(|(id, device)| (*id, device.replica())).collect()
}
