//! Whether those who answered speak for everything.

use std::sync::Arc;

use martlet_ring::{DeviceId, Partition, Ring};

use crate::device::{Device, healthy_first};

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

    /// The suspect ones apart, if the rest speaks for everything.
    pub(crate) fn prefer_healthy(
        &self,
        mut devices: Vec<Arc<Device>>,
    ) -> (Vec<Arc<Device>>, Vec<Arc<Device>>) {
        let healthy = healthy_first(&mut devices);
        let mut suspects = devices.split_off(healthy);
        if !self.is_met_by(|id| devices.iter().any(|device| device.id == id)) {
            devices.append(&mut suspects);
        }
        (devices, suspects)
    }

    /// Whom to ask first, and whom only if that isn't enough.
    ///
    /// Where every device holds everything, a majority is enough, and `turn` spreads the work;
    /// else all are asked but the suspect ones.
    pub(crate) fn choose(
        &self,
        mut devices: Vec<Arc<Device>>,
        turn: usize,
    ) -> (Vec<Arc<Device>>, Vec<Arc<Device>>) {
        let count = devices.len();
        let enough = if count == usize::from(self.ring.replicas()) { self.majority } else { count };
        devices.rotate_left(turn % count.max(1));
        let healthy = healthy_first(&mut devices);
        let reserve = devices.split_off(enough.min(healthy).max(self.majority).min(count));
        if self.is_met_by(|id| devices.iter().any(|device| device.id == id)) {
            (devices, reserve)
        } else {
            devices.extend(reserve);
            (devices, Vec::new())
        }
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
