//! Failure domains as a tree: zones of nodes of devices, by index.

use crate::device::{Device, NodeId, ZoneId};
use std::collections::BTreeMap;

/// The devices and the domains they are in. Indexes are positions in these vectors.
pub(crate) struct Topology {
    /// Ascending by id.
    pub(crate) devices: Vec<Device>,
    pub(crate) zone_of: Vec<usize>,
    pub(crate) node_of: Vec<usize>,
    /// Nodes of each zone.
    pub(crate) zones: Vec<Vec<usize>>,
    /// Devices of each node.
    pub(crate) nodes: Vec<Vec<usize>>,
}

impl Topology {
    pub(crate) fn new(mut devices: Vec<Device>) -> Self {
        devices.sort_by_key(|device| device.id);
        let mut tree: BTreeMap<ZoneId, BTreeMap<NodeId, Vec<usize>>> = BTreeMap::new();
        for (index, device) in devices.iter().enumerate() {
            tree.entry(device.zone).or_default().entry(device.node).or_default().push(index);
        }
        let (mut zones, mut nodes) = (Vec::new(), Vec::new());
        let (mut zone_of, mut node_of) = (vec![0; devices.len()], vec![0; devices.len()]);
        for nodes_of_zone in tree.into_values() {
            let mut members = Vec::new();
            for devices_of_node in nodes_of_zone.into_values() {
                for &device in &devices_of_node {
                    zone_of[device] = zones.len();
                    node_of[device] = nodes.len();
                }
                members.push(nodes.len());
                nodes.push(devices_of_node);
            }
            zones.push(members);
        }
        Self { devices, zone_of, node_of, zones, nodes }
    }

    /// Devices that may receive replicas.
    pub(crate) fn usable_count(&self) -> usize {
        self.devices.iter().filter(|device| !device.is_draining()).count()
    }

    /// How many replicas of one partition each zone could hold: one a usable device.
    pub(crate) fn zone_rooms(&self) -> Vec<Room> {
        self.zones.iter().map(|nodes| nodes.iter().map(|&node| self.node_room(node)).sum()).collect()
    }

    /// The same of each node of a zone.
    pub(crate) fn node_rooms(&self, zone: usize) -> Vec<Room> {
        self.zones[zone].iter().map(|&node| self.node_room(node)).collect()
    }

    /// The same of each device of a node.
    pub(crate) fn device_rooms(&self, node: usize) -> Vec<Room> {
        self.nodes[node].iter().map(|&device| self.device_room(device)).collect()
    }

    fn node_room(&self, node: usize) -> Room {
        self.nodes[node].iter().map(|&device| self.device_room(device)).sum()
    }

    fn device_room(&self, device: usize) -> Room {
        let weight = self.devices[device].weight;
        Room { weight: u64::from(weight), replicas: usize::from(weight > 0) }
    }
}

/// What a domain offers: its weight, and how many replicas of one partition fit.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) weight: u64,
    pub(crate) replicas: usize,
}

impl std::iter::Sum for Room {
    fn sum<I: Iterator<Item = Self>>(rooms: I) -> Self {
        rooms.fold(Self { weight: 0, replicas: 0 }, |sum, room| Self {
            weight: sum.weight + room.weight,
            replicas: sum.replicas + room.replicas,
        })
    }
}

/// How many replicas of one partition a domain should hold, at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: usize,
    pub(crate) high: usize,
}

impl Bounds {
    pub(crate) fn contain(self, count: usize) -> bool {
        self.low <= count && count <= self.high
    }
}

/// Spreads `count` replicas as evenly as the rooms allow: the bounds of each room in every such spread.
///
/// Water poured into vessels: all rooms fill to a common level, and what is left puts some of those that aren't full
/// one above it.
pub(crate) fn spread(count: usize, rooms: &[Room]) -> Vec<Bounds> {
    let filled = |level: usize| rooms.iter().map(|room| room.replicas.min(level)).sum::<usize>();
    let level = (0..count).take_while(|level| filled(level + 1) <= count).count();
    let is_left = filled(level) < count;
    let bounds = |room: &Room| Bounds {
        low: room.replicas.min(level),
        high: room.replicas.min(level + usize::from(is_left)),
    };
    rooms.iter().map(bounds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, rooms: &[usize], expected: &[(usize, usize)]) {
        let rooms: Vec<Room> = rooms.iter().map(|&replicas| Room { weight: 1, replicas }).collect();
        let bounds: Vec<_> = spread(count, &rooms).iter().map(|b| (b.low, b.high)).collect();
        assert_eq!(bounds, expected);
    }

    #[test]
    fn replicas_spread_over_as_many_domains_as_there_are() {
        check(3, &[9, 9, 9], &[(1, 1), (1, 1), (1, 1)]);
        check(3, &[9, 9, 9, 9], &[(0, 1), (0, 1), (0, 1), (0, 1)]);
        check(3, &[9, 9], &[(1, 2), (1, 2)]);
        check(4, &[9, 9, 9], &[(1, 2), (1, 2), (1, 2)]);
        check(3, &[9], &[(3, 3)]);
    }

    #[test]
    fn a_small_domain_is_filled_and_the_rest_goes_elsewhere() {
        check(3, &[1, 9], &[(1, 1), (2, 2)]);
        check(5, &[1, 2, 9], &[(1, 1), (2, 2), (2, 2)]);
        check(6, &[1, 9, 9], &[(1, 1), (2, 3), (2, 3)]);
        check(3, &[0, 2, 2], &[(0, 0), (1, 2), (1, 2)]);
        check(0, &[1, 1], &[(0, 0), (0, 0)]);
    }
}
