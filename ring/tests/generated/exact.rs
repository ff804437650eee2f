//! Movement against the true optimum, which a minimum-cost flow finds.

use crate::clusters::{any_change, any_cluster, changed};
use martlet_ring::{DeviceId, Ring, build, edit};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, VecDeque};

/// Small: the reference takes its time.
const PARTITION_BITS: u8 = 5;
const CASES: usize = 400;

/// The optimum here may even move several replicas of a partition at once and ignore nodes, which an edit may not.
#[test]
fn an_edit_moves_hardly_more_than_any_table_with_the_same_loads_must() {
    let mut runner = TestRunner::deterministic();
    let (mut moves_sum, mut optimum_sum) = (0, 0);
    for _ in 0..CASES {
        let (cluster, change) = (any_cluster(), any_change()).new_tree(&mut runner).unwrap().current();
        let Some(devices) = changed(&cluster, &change) else { continue };
        let previous = build(PARTITION_BITS, cluster.replicas, cluster.devices.clone()).unwrap();
        let (next, movement) = edit(&previous, devices).unwrap();
        if movement.unsettled > 0 {
            continue;
        }
        let (moves, optimum) = (movement.moves.len(), fewest_moves(&previous, &next));
        assert!(optimum <= moves, "the reference is no optimum: {cluster:?}, {change:?}");
        assert!(moves <= optimum + optimum / 10 + 6, "{moves} for {optimum}: {cluster:?}, {change:?}");
        moves_sum += moves;
        optimum_sum += optimum;
    }
    assert!(optimum_sum > 1000, "the changes make something move");
    assert!(moves_sum * 100 <= optimum_sum * 103, "{moves_sum} moves where {optimum_sum} would do");
}

/// The fewest replicas that must move from `previous` to any table that has `next`'s loads and is spread over zones as
/// well as `next` is (nodes are left free, so this is a lower bound).
fn fewest_moves(previous: &Ring, next: &Ring) -> usize {
    let mut flow = Flow::default();
    let (source, sink) = (flow.vertex(), flow.vertex());
    let devices: BTreeMap<DeviceId, usize> =
        next.devices().iter().map(|device| (device.id, flow.vertex())).collect();
    for (&device, &vertex) in &devices {
        flow.edge(vertex, sink, next.partitions_of(device).count(), 0);
    }
    let bounds = zone_bounds(next);
    for partition in next.partitions() {
        let vertex = flow.vertex();
        let low_sum: usize = bounds.values().map(|bounds| bounds.0).sum();
        // What each zone must have, and what it may have above that, as two ways into the zone.
        let free = flow.vertex();
        flow.edge(source, vertex, low_sum, 0);
        flow.edge(source, free, usize::from(next.replicas()) - low_sum, 0);
        for (&zone, &(low, high)) in &bounds {
            let entry = flow.vertex();
            flow.edge(vertex, entry, low, 0);
            flow.edge(free, entry, high - low, 0);
            for device in next.devices().iter().filter(|device| device.zone.0 == zone) {
                let stays = previous.devices_of(partition).contains(&device.id);
                flow.edge(entry, devices[&device.id], 1, i64::from(!stays));
            }
        }
    }
    flow.cheapest(source, sink, next.partition_count() * usize::from(next.replicas()))
}

/// Fewest and most replicas of a partition in each zone.
fn zone_bounds(ring: &Ring) -> BTreeMap<u32, (usize, usize)> {
    let mut bounds = BTreeMap::new();
    for device in ring.devices() {
        let zone = device.zone;
        let in_zone = |id: &&DeviceId| ring.device(**id).expect("the ring has it").zone == zone;
        let counts = || ring.partitions().map(|p| ring.devices_of(p).iter().filter(in_zone).count());
        bounds.insert(zone.0, (counts().min().unwrap_or(0), counts().max().unwrap_or(0)));
    }
    bounds
}

/// Minimum-cost flow by successive shortest paths (Bellman-Ford with a queue): slow and plain.
#[derive(Default)]
struct Flow {
    /// Edges from each vertex; an edge and its reverse are neighbours in `edges`.
    from: Vec<Vec<usize>>,
    edges: Vec<Edge>,
}

struct Edge {
    to: usize,
    room: usize,
    cost: i64,
}

impl Flow {
    fn vertex(&mut self) -> usize {
        self.from.push(Vec::new());
        self.from.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, room: usize, cost: i64) {
        for (from, edge) in [(from, Edge { to, room, cost }), (to, Edge { to: from, room: 0, cost: -cost })] {
            self.from[from].push(self.edges.len());
            self.edges.push(edge);
        }
    }

    fn cheapest(&mut self, source: usize, sink: usize, amount: usize) -> usize {
        let mut sum = 0;
        for _ in 0..amount {
            let (cost, path) = self.shortest_path(source, sink);
            for edge in path {
                self.edges[edge].room -= 1;
                self.edges[edge ^ 1].room += 1;
            }
            sum += cost;
        }
        usize::try_from(sum).expect("no path costs less than nothing")
    }

    fn shortest_path(&self, source: usize, sink: usize) -> (i64, Vec<usize>) {
        let mut cost = vec![i64::MAX; self.from.len()];
        let mut by = vec![usize::MAX; self.from.len()];
        let mut waiting = VecDeque::from([source]);
        cost[source] = 0;
        while let Some(vertex) = waiting.pop_front() {
            for &index in &self.from[vertex] {
                let edge = &self.edges[index];
                if edge.room > 0 && cost[vertex] + edge.cost < cost[edge.to] {
                    cost[edge.to] = cost[vertex] + edge.cost;
                    by[edge.to] = index;
                    waiting.push_back(edge.to);
                }
            }
        }
        let mut path = Vec::new();
        let mut vertex = sink;
        while vertex != source {
            path.push(by[vertex]);
            vertex = self.edges[by[vertex] ^ 1].to;
        }
        (cost[sink], path)
    }
}
