//! How many replicas each device should hold.
//!
//! Weights say how a domain's replicas are divided among its members; failure domains say how uneven that may get:
//! a node can't hold two replicas of a partition that could be on two nodes, however heavy it is. So the division
//! goes down the tree of zones, nodes and devices, and at each step every member gets its weight's part within the
//! bounds that an even spread leaves it.

use crate::topology::{Bounds, Room, Topology, spread};
use std::cmp::Reverse;

/// Slack for sums of floating-point numbers of replicas.
const EPSILON: f64 = 1e-6;

/// Whole numbers of replicas to aim for, and what follows from them for every single partition.
pub(crate) struct Quotas {
    /// Replicas by device; the sum is that of all replicas.
    pub(crate) devices: Vec<usize>,
    /// Replicas of one partition in a zone. Wherever all quotas are met, all partitions are within them.
    pub(crate) zones: Vec<Bounds>,
    /// Replicas of one partition on a node.
    pub(crate) nodes: Vec<Bounds>,
}

/// The table's dimensions.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) partitions: usize,
    pub(crate) replicas: usize,
}

/// The fair share of each device, in replicas, not rounded.
pub(crate) fn fair_shares(topology: &Topology, shape: Shape) -> Vec<f64> {
    divide(topology, shape, &Rounding::None).devices
}

/// Fair shares rounded to whole replicas. Between equals, those that hold more than their part now are rounded up.
pub(crate) fn quotas(topology: &Topology, shape: Shape, loads: &[usize]) -> Quotas {
    let shares = divide(topology, shape, &Rounding::Whole { loads });
    let bounds = |share: &f64| Bounds {
        low: whole((share / real(shape.partitions)).floor()),
        high: whole((share / real(shape.partitions)).ceil()),
    };
    Quotas {
        devices: shares.devices.iter().map(|share| whole(*share)).collect(),
        zones: shares.zones.iter().map(bounds).collect(),
        nodes: shares.nodes.iter().map(bounds).collect(),
    }
}

struct Shares {
    zones: Vec<f64>,
    nodes: Vec<f64>,
    devices: Vec<f64>,
}

enum Rounding<'a> {
    None,
    /// To whole replicas, given what each device holds now.
    Whole {
        loads: &'a [usize],
    },
}

fn divide(topology: &Topology, shape: Shape, rounding: &Rounding<'_>) -> Shares {
    let load = |devices: &[usize]| match rounding {
        Rounding::None => 0,
        Rounding::Whole { loads } => devices.iter().map(|&device| loads[device]).sum::<usize>(),
    };
    let level = |total: f64, rooms: &[Room], loads: Vec<usize>| {
        let shares = within_bounds(total, rooms, shape.partitions);
        match rounding {
            Rounding::None => shares,
            Rounding::Whole { .. } => round(total, &shares, &loads),
        }
    };
    let node_loads: Vec<usize> = topology.nodes.iter().map(|devices| load(devices)).collect();
    let zone_loads =
        topology.zones.iter().map(|nodes| nodes.iter().map(|&node| node_loads[node]).sum()).collect();
    let total = real(shape.partitions * shape.replicas);
    let zones = level(total, &topology.zone_rooms(), zone_loads);
    let mut nodes = vec![0.0; topology.nodes.len()];
    let mut devices = vec![0.0; topology.devices.len()];
    for (zone, members) in topology.zones.iter().enumerate() {
        let loads = members.iter().map(|&node| node_loads[node]).collect();
        let shares = level(zones[zone], &topology.node_rooms(zone), loads);
        for (&node, share) in members.iter().zip(shares) {
            nodes[node] = share;
            let members = &topology.nodes[node];
            let loads = members.iter().map(|&device| load(&[device])).collect();
            let shares = level(share, &topology.device_rooms(node), loads);
            for (&device, share) in members.iter().zip(shares) {
                devices[device] = share;
            }
        }
    }
    Shares { zones, nodes, devices }
}

/// Divides `total` replicas of a domain among its members by weight, within what an even spread of each partition's
/// replicas leaves to each of them.
fn within_bounds(total: f64, rooms: &[Room], partitions: usize) -> Vec<f64> {
    // Some partitions have `count` replicas in this domain, `rich` of them one more.
    let partitions = real(partitions);
    let count = (total / partitions + EPSILON).floor();
    let rich = (total - count * partitions).max(0.0);
    let poor = partitions - rich;
    let count = whole(count);
    let limit = |poor_count: usize, rich_count: usize| poor * real(poor_count) + rich * real(rich_count);
    let limits: Vec<(f64, f64)> = spread(count, rooms)
        .into_iter()
        .zip(spread(count + 1, rooms))
        .map(|(base, more)| (limit(base.low, more.low), limit(base.high, more.high)))
        .collect();
    let weights: Vec<f64> = rooms.iter().map(|room| weight(room.weight)).collect();
    proportional(total, &weights, &limits)
}

/// Divides `total` in proportion to `weights`, none below or above its limits. The limits allow it.
///
/// Too much below: fix those at their lower limit; too much above: fix those at their upper one; again with the rest.
fn proportional(total: f64, weights: &[f64], limits: &[(f64, f64)]) -> Vec<f64> {
    let mut fixed: Vec<Option<f64>> = vec![None; weights.len()];
    loop {
        let is_free = |member: &usize| fixed[*member].is_none();
        let free: Vec<usize> = (0..weights.len()).filter(is_free).collect();
        let free_total = total - fixed.iter().flatten().sum::<f64>();
        let free_weight: f64 = free.iter().map(|&member| weights[member]).sum();
        let wish = |member: usize| {
            if free_weight > 0.0 { free_total * weights[member] / free_weight } else { 0.0 }
        };
        let clamped = |member: usize| wish(member).max(limits[member].0).min(limits[member].1);
        let excess: f64 = free.iter().map(|&member| clamped(member) - wish(member)).sum();
        let must_fix = |member: usize| {
            let (low, high) = limits[member];
            (excess >= -EPSILON && wish(member) < low) || (excess <= EPSILON && wish(member) > high)
        };
        let fixing: Vec<usize> = free.iter().copied().filter(|&member| must_fix(member)).collect();
        let values: Vec<f64> = fixing.iter().map(|&member| clamped(member)).collect();
        if fixing.is_empty() {
            return (0..weights.len())
                .map(|member| fixed[member].unwrap_or_else(|| clamped(member)))
                .collect();
        }
        for (member, value) in fixing.into_iter().zip(values) {
            fixed[member] = Some(value);
        }
    }
}

/// Rounds shares to whole numbers with the whole sum `total`: the largest remainders up.
fn round(total: f64, shares: &[f64], loads: &[usize]) -> Vec<f64> {
    let mut rounded: Vec<f64> = shares.iter().map(|share| (share + EPSILON).floor()).collect();
    let missing = whole((total - rounded.iter().sum::<f64>()).round().max(0.0));
    // In steps of epsilon, so that equals are equal in spite of floating point.
    let remainder = |member: usize| whole(((shares[member] - rounded[member]).max(0.0) / EPSILON).round());
    // Between equals, whoever has been rounded up before stays so, and nothing moves for rounding's sake.
    let surplus = |member: usize| loads[member].saturating_sub(whole(rounded[member]));
    let mut ranking: Vec<usize> = (0..shares.len()).collect();
    ranking.sort_by_cached_key(|&member| (Reverse((remainder(member), surplus(member))), member));
    for member in ranking.into_iter().take(missing) {
        rounded[member] += 1.0;
    }
    rounded
}

/// Exact: numbers of replicas are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "numbers of replicas and partitions are below 2^53")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "2^16 devices of 32-bit weight add up to less than 2^53")]
fn weight(sum: u64) -> f64 {
    sum as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "called with whole, positive numbers"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(total: f64, weights: &[f64], limits: &[(f64, f64)], expected: &[f64]) {
        let shares = proportional(total, weights, limits);
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-9, "{shares:?}");
        }
    }

    #[test]
    fn weights_divide_what_limits_leave() {
        let open = (0.0, 100.0);
        check(100.0, &[1.0, 3.0], &[open, open], &[25.0, 75.0]);
        check(100.0, &[1.0, 9.0], &[open, (0.0, 50.0)], &[50.0, 50.0]);
        check(90.0, &[1.0, 1.0, 7.0], &[open, open, (0.0, 60.0)], &[15.0, 15.0, 60.0]);
        check(90.0, &[0.0, 1.0, 8.0], &[(10.0, 100.0), open, open], &[10.0, 80.0 / 9.0, 640.0 / 9.0]);
    }

    #[test]
    fn rounding_keeps_the_sum_and_prefers_who_holds_more() {
        assert_eq!(round(4.0, &[4.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0], &[1, 2, 1]), [1.0, 2.0, 1.0]);
        assert_eq!(round(5.0, &[1.7, 1.6, 1.7], &[9, 9, 9]), [2.0, 1.0, 2.0]);
        assert_eq!(round(7.0, &[5.5, 1.5], &[5, 2]), [5.0, 2.0]);
    }
}
