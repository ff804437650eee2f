//! Clusters to try things on, and changes that operators make.

use martlet_ring::{Device, DeviceId, NodeId, ZoneId};
use proptest::prelude::*;
use std::fmt;

/// Weights of real clusters: generations of disks that differ by a factor of up to eight.
const WEIGHT_MAX: u32 = 8;

#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) replicas: u8,
    pub(crate) devices: Vec<Device>,
}

/// Short enough to read when a case fails: `3 replicas, zone.node:weight …`.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas,", self.replicas)?;
        let mut devices = self.devices.iter();
        devices.try_for_each(|device| write!(f, " {}.{}:{}", device.zone.0, device.node.0, device.weight))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A device more on the node of an existing one.
    AddDevice {
        beside: prop::sample::Index,
        weight: u32,
    },
    /// A node more with one device, in an existing zone or a new one.
    AddNode {
        zone: u32,
        weight: u32,
    },
    RemoveDevice(prop::sample::Index),
    RemoveNode(prop::sample::Index),
    /// 0 drains.
    Reweight {
        device: prop::sample::Index,
        weight: u32,
    },
}

/// 1 to 5 zones of 1 to 4 nodes of 1 to 4 devices, equal, weighted or absurdly weighted, some of them draining; mostly
/// with 3 replicas, now and then with others.
pub(crate) fn any_cluster() -> impl Strategy<Value = Cluster> {
    let weight = prop_oneof![8 => Just(4_u32), 8 => 1..=WEIGHT_MAX, 1 => 0..=1000 * WEIGHT_MAX];
    let node = prop::collection::vec(weight, 1..=4);
    let zone = prop::collection::vec(node, 1..=4);
    let zones = prop::collection::vec(zone, 1..=5);
    (prop_oneof![3 => Just(3_u8), 1 => 1..=5_u8], zones)
        .prop_map(|(replicas, zones)| Cluster { replicas, devices: devices(&zones) })
        .prop_filter("as many devices as replicas", |c| usable_count(&c.devices) >= usize::from(c.replicas))
}

pub(crate) fn any_change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1..=WEIGHT_MAX).prop_map(|(beside, weight)| Change::AddDevice { beside, weight }),
        (0..6_u32, 1..=WEIGHT_MAX).prop_map(|(zone, weight)| Change::AddNode { zone, weight }),
        index().prop_map(Change::RemoveDevice),
        index().prop_map(Change::RemoveNode),
        (index(), 0..=WEIGHT_MAX).prop_map(|(device, weight)| Change::Reweight { device, weight }),
    ]
}

/// The devices after the change, or `None` where it leaves too few.
pub(crate) fn changed(cluster: &Cluster, change: &Change) -> Option<Vec<Device>> {
    let mut devices = cluster.devices.clone();
    let next_id = devices.iter().map(|device| device.id.0).max().unwrap_or(0) + 1;
    let next_node = devices.iter().map(|device| device.node.0).max().unwrap_or(0) + 1;
    match change {
        Change::AddDevice { beside, weight } => {
            let Device { node, zone, .. } = devices[beside.index(devices.len())];
            devices.push(device(next_id, node.0, zone.0, *weight));
        }
        Change::AddNode { zone, weight } => devices.push(device(next_id, next_node, *zone, *weight)),
        Change::RemoveDevice(gone) => drop(devices.remove(gone.index(devices.len()))),
        Change::RemoveNode(gone) => {
            let node = devices[gone.index(devices.len())].node;
            devices.retain(|device| device.node != node);
        }
        Change::Reweight { device, weight } => {
            let index = device.index(devices.len());
            devices[index].weight = *weight;
        }
    }
    (usable_count(&devices) >= usize::from(cluster.replicas)).then_some(devices)
}

fn usable_count(devices: &[Device]) -> usize {
    devices.iter().filter(|device| device.weight > 0).count()
}

fn devices(zones: &[Vec<Vec<u32>>]) -> Vec<Device> {
    let mut devices = Vec::new();
    let mut node = 0;
    for (zone, nodes) in (0..).zip(zones) {
        for weights in nodes {
            for &weight in weights {
                let id = u32::try_from(devices.len()).expect("few devices");
                devices.push(device(id, node, zone, weight));
            }
            node += 1;
        }
    }
    devices
}

fn device(id: u32, node: u32, zone: u32, weight: u32) -> Device {
    let address = format!("10.0.0.{node}:6200");
    Device { id: DeviceId(id), node: NodeId(node), zone: ZoneId(zone), weight, address }
}
