//! Who sees to which partitions, and whom it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_ring::{DeviceId, Partition};

use crate::cluster::Shared;
use crate::device::{Device, suspects};

/// The partitions whose first device is this one, or would be if those that can't be reached didn't count.
///
/// Two that feel responsible for the same partition only do the work twice.
pub(super) fn led_by(shared: &Shared, leader: DeviceId) -> Vec<Partition> {
    let devices = shared.all_devices();
    let suspect = suspects(&devices).unwrap_or_else(|| vec![false; devices.len()]);
    let away: Vec<DeviceId> =
        devices.iter().zip(suspect).filter(|(_, suspect)| *suspect).map(|(device, _)| device.id).collect();
    let leads = |partition: &Partition| {
        let replicas = shared.ring.devices_of(*partition);
        replicas.iter().find(|id| **id == leader || !away.contains(id)) == Some(&leader)
    };
    shared.ring.partitions().filter(leads).collect()
}

/// The devices that hold any of these partitions, and which of them each holds, ascending.
pub(super) fn by_device(shared: &Shared, partitions: &[Partition]) -> Vec<(Arc<Device>, Vec<Partition>)> {
    let mut held: BTreeMap<DeviceId, Vec<Partition>> = BTreeMap::new();
    for &partition in partitions {
        for &device in shared.ring.devices_of(partition) {
            held.entry(device).or_default().push(partition);
        }
    }
    let known = |(id, partitions)| Some((shared.device(id)?.clone(), partitions));
    held.into_iter().filter_map(known).collect()
}
