//! Whether those who answered speak for everything.

use std::sync::Arc;

use martlet_ring::{DeviceId, Partition, Ring};

use crate::device::Device;

/// Says when a majority of every partition's replicas is there.
#[derive(Clone, Debug)]
pub(crate) struct Coverage {
    ring: Arc<Ring>,
    partition: Option<Partition>,
    majority: usize,
}

impl Coverage {
    /// Of one partition, or of all of them.
    pub(crate) fn new(ring: &Arc<Ring>, partition: Option<Partition>) -> Self {
        let majority = usize::from(ring.replicas()) / 2 + 1;
        Self { ring: ring.clone(), partition, majority }
    }

    /// These devices without the suspect ones, if the rest speaks for everything.
    pub(crate) fn prefer_healthy(&self, devices: Vec<Arc<Device>>) -> Vec<Arc<Device>> {
        let healthy: Vec<_> = devices.iter().filter(|device| !device.is_suspect()).cloned().collect();
        let is_enough = self.is_met_by(|id| healthy.iter().any(|device| device.id == id));
        if is_enough { healthy } else { devices }
    }

    pub(crate) fn is_met_by(&self, is_there: impl Fn(DeviceId) -> bool) -> bool {
        let is_covered = |partition| {
            let replicas = self.ring.devices_of(partition).iter();
            replicas.filter(|device| is_there(**device)).count() >= self.majority
        };
        // Nearly always everybody is there.
        if self.ring.devices().iter().all(|device| is_there(device.id)) {
            return true;
        }
        match self.partition {
            Some(partition) => is_covered(partition),
            None => self.ring.partitions().all(is_covered),
        }
    }
}
