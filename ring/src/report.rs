//! What a ring is like, in figures: for the operator before a change, and for tests.

use crate::device::DeviceId;
use crate::placement::Partition;
use crate::ring::Ring;
use crate::shares::{Shape, fair_shares, real};
use crate::topology::{Topology, spread};
use std::collections::BTreeMap;

/// How far the load of each device is from its fair share.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// Ascending by id.
    pub devices: Vec<DeviceBalance>,
}

/// The load of one device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceBalance {
    pub device: DeviceId,
    /// Replicas of partitions that it holds.
    pub replicas: usize,
    /// Partitions where it comes first.
    pub first: usize,
    /// Replicas that it should hold: its weight's part, within what the failure domains allow.
    pub fair: f64,
    /// Replicas that its weight alone would give it. Where this is far from `fair`, the weights of zones or nodes are
    /// too uneven for the number of replicas.
    pub by_weight: f64,
}

impl DeviceBalance {
    /// Above the fair share: positive; below: negative; 0.01 is one percent of the fair share.
    /// A device whose fair share is nothing is infinitely above it as long as it holds something.
    pub fn deviation(&self) -> f64 {
        match self.replicas {
            0 if self.fair == 0.0 => 0.0,
            replicas => real(replicas) / self.fair - 1.0,
        }
    }
}

impl Balance {
    pub fn of(ring: &Ring) -> Self {
        let fair = fair_by_device(ring);
        let weight_sum: f64 = ring.devices().iter().map(|device| f64::from(device.weight)).sum();
        let mut loads: BTreeMap<DeviceId, (usize, usize)> = BTreeMap::new();
        for partition in ring.partitions() {
            for (position, &device) in ring.devices_of(partition).iter().enumerate() {
                let (replicas, first) = loads.entry(device).or_default();
                *replicas += 1;
                *first += usize::from(position == 0);
            }
        }
        let device = |device: &crate::device::Device| {
            let (replicas, first) = loads.get(&device.id).copied().unwrap_or_default();
            let by_weight = real(ring.table().len()) * f64::from(device.weight) / weight_sum.max(1.0);
            DeviceBalance { device: device.id, replicas, first, fair: fair[&device.id], by_weight }
        };
        Self { devices: ring.devices().iter().map(device).collect() }
    }

    /// The largest deviation of a device above its fair share, at least 0.
    pub fn above_max(&self) -> f64 {
        self.devices.iter().map(DeviceBalance::deviation).fold(0.0, f64::max)
    }

    /// The largest deviation of a device below its fair share, at most 0.
    pub fn below_max(&self) -> f64 {
        self.devices.iter().map(DeviceBalance::deviation).fold(0.0, f64::min)
    }

    /// The largest deviation either way, as a number of replicas.
    pub fn replicas_off_max(&self) -> f64 {
        self.devices.iter().map(|device| (real(device.replicas) - device.fair).abs()).fold(0.0, f64::max)
    }
}

/// Partitions whose replicas share a failure domain although they need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispersion {
    pub partitions: usize,
    /// More replicas in a zone than an even spread over the zones would put there.
    pub sharing_zone: usize,
    /// More replicas on a node than an even spread of the zone's replicas over its nodes would put there.
    pub sharing_node: usize,
}

impl Dispersion {
    pub fn of(ring: &Ring) -> Self {
        let topology = Topology::new(ring.devices().to_vec());
        let mut dispersion = Self { partitions: ring.partition_count(), sharing_zone: 0, sharing_node: 0 };
        for partition in ring.partitions() {
            let devices = ring.devices_of(partition);
            dispersion.sharing_zone += usize::from(!is_spread_over_zones(&topology, devices));
            dispersion.sharing_node += usize::from(!is_spread_over_nodes(&topology, devices));
        }
        dispersion
    }

    /// Whether the failure domains are used as well as they can be.
    pub fn is_perfect(&self) -> bool {
        self.sharing_zone == 0 && self.sharing_node == 0
    }
}

/// A replica that has to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub partition: Partition,
    /// Where it was. The device may be gone.
    pub from: DeviceId,
    pub to: DeviceId,
}

/// What a change of the ring moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    /// Ascending by partition.
    pub moves: Vec<Move>,
    /// Replicas of all partitions together.
    pub replicas: usize,
    /// Replicas that any ring would have to move: the sum of what the fair shares of devices grow by.
    /// Failure domains may make that impossible to reach: where the zone that has to grow already holds its replica of
    /// the partitions that lost one, two replicas have to move for one.
    pub ideal: f64,
    /// What the next edit with the same devices would still want to change: replicas above the quotas, and partitions
    /// whose replicas could be spread better. 0: settled.
    pub unsettled: usize,
}

impl Movement {
    /// Moves as a factor of the ideal; 1 is perfect. `None` if nothing had to move.
    pub fn of_ideal(&self) -> Option<f64> {
        (self.ideal > 0.0).then(|| real(self.moves.len()) / self.ideal)
    }

    /// The part of all replicas that moves, 0 to 1.
    pub fn of_all(&self) -> f64 {
        real(self.moves.len()) / real(self.replicas.max(1))
    }

    /// Compares two rings with the same number of partitions and replicas.
    pub(crate) fn between(previous: &Ring, next: &Ring, unsettled: usize) -> Self {
        let (old_fair, new_fair) = (fair_by_device(previous), fair_by_device(next));
        let growth = |(device, fair): (&DeviceId, &f64)| fair - old_fair.get(device).unwrap_or(&0.0);
        Self {
            moves: next.partitions().flat_map(|partition| moves_of(previous, next, partition)).collect(),
            replicas: next.table().len(),
            ideal: new_fair.iter().map(growth).filter(|growth| *growth > 0.0).sum(),
            unsettled,
        }
    }
}

fn moves_of(previous: &Ring, next: &Ring, partition: Partition) -> Vec<Move> {
    let (old, new) = (previous.devices_of(partition), next.devices_of(partition));
    let left = old.iter().filter(|device| !new.contains(device));
    let joined = new.iter().filter(|device| !old.contains(device));
    left.zip(joined).map(|(&from, &to)| Move { partition, from, to }).collect()
}

fn fair_by_device(ring: &Ring) -> BTreeMap<DeviceId, f64> {
    let topology = Topology::new(ring.devices().to_vec());
    let shape = Shape { partitions: ring.partition_count(), replicas: usize::from(ring.replicas()) };
    let fair = fair_shares(&topology, shape);
    topology.devices.iter().map(|device| device.id).zip(fair).collect()
}

fn is_spread_over_zones(topology: &Topology, devices: &[DeviceId]) -> bool {
    let counts = counts(topology, devices, &topology.zone_of, topology.zones.len());
    let bounds = spread(devices.len(), &topology.zone_rooms());
    bounds.iter().zip(&counts).all(|(bounds, &count)| bounds.contain(count))
}

fn is_spread_over_nodes(topology: &Topology, devices: &[DeviceId]) -> bool {
    let zone_counts = counts(topology, devices, &topology.zone_of, topology.zones.len());
    let node_counts = counts(topology, devices, &topology.node_of, topology.nodes.len());
    topology.zones.iter().enumerate().all(|(zone, nodes)| {
        let bounds = spread(zone_counts[zone], &topology.node_rooms(zone));
        nodes.iter().zip(bounds).all(|(&node, bounds)| bounds.contain(node_counts[node]))
    })
}

/// Replicas in each domain.
fn counts(topology: &Topology, devices: &[DeviceId], domain_of: &[usize], domains: usize) -> Vec<usize> {
    let mut counts = vec![0; domains];
    let index = |id: &DeviceId| topology.devices.binary_search_by_key(id, |device| device.id).ok();
    for device in devices.iter().filter_map(index) {
        counts[domain_of[device]] += 1;
    }
    counts
}
