//! How many replicas each device should hold.
//!
//! Weights say how a domain's replicas are divided among its members; failure domains say how uneven that may get:
//! a node can't hold two replicas of a partition that could be on two nodes, however heavy it is. So the division
//! goes down the tree of zones, nodes and devices, and at each step every member gets its weight's part within the
//! bounds that an even spread leaves it.

use crate::topology::{Bounds, Room, Topology, spread};

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
    divide(topology, shape).devices
}

/// Fair shares rounded to whole replicas, hardly any by more than a half. What devices hold now is kept as it is when
/// it is a rounding already: nothing moves for rounding's sake.
pub(crate) fn quotas(topology: &Topology, shape: Shape, loads: &[usize]) -> Quotas {
    let fair = divide(topology, shape);
    let mut quotas = Shares::summed_up(topology, loads.iter().map(|&load| real(load)).collect());
    // Until the quotas are what a later call would keep.
    for _ in 0..ROUNDS_MAX {
        let rounded = rounded(topology, shape, &fair, &quotas);
        if is_possible(topology, shape, &quotas) && quotas.off_max(&fair) <= rounded.off_max(&fair).max(1.0) {
            break;
        }
        quotas = rounded;
    }
    let bounds = |share: &f64| Bounds {
        low: whole((share / real(shape.partitions)).floor()),
        high: whole((share / real(shape.partitions)).ceil()),
    };
    Quotas {
        devices: quotas.devices.iter().map(|share| whole(*share)).collect(),
        zones: quotas.zones.iter().map(bounds).collect(),
        nodes: quotas.nodes.iter().map(bounds).collect(),
    }
}

/// Each round but the first comes closer to the fair shares than the one before; two are enough in practice.
const ROUNDS_MAX: usize = 8;

/// Rounds without a look at the failure domains, then changes what a domain can't hold.
fn rounded(topology: &Topology, shape: Shape, fair: &Shares, loads: &Shares) -> Shares {
    let total = real(shape.partitions * shape.replicas);
    let open = vec![(0.0, f64::INFINITY); fair.devices.len()];
    let floors = fair.devices.iter().map(|share| (share + EPSILON).floor()).collect();
    let wish = Shares::summed_up(topology, round(total, &fair.devices, floors, &open, &loads.devices));
    descend(topology, total, &|total, rooms, of| {
        let limits = limits(total, rooms, shape.partitions);
        let clamped =
            of(&wish).into_iter().zip(&limits).map(|(wish, limits)| wish.max(limits.0).min(limits.1));
        round(total, &of(fair), clamped.collect(), &limits, &of(loads))
    })
}

/// Whether a table can have these loads and spread every partition evenly.
fn is_possible(topology: &Topology, shape: Shape, loads: &Shares) -> bool {
    let total = real(shape.partitions * shape.replicas);
    let within = |total: f64, rooms: &[Room], loads: &mut dyn Iterator<Item = f64>| {
        let mut limits = limits(total, rooms, shape.partitions).into_iter();
        limits.all(|(low, high)| loads.next().is_some_and(|load| low <= load && load <= high))
    };
    let is_total = |sum: f64| (sum - total).abs() < EPSILON;
    is_total(loads.zones.iter().sum())
        && within(total, &topology.zone_rooms(), &mut loads.zones.iter().copied())
        && topology.zones.iter().enumerate().all(|(zone, nodes)| {
            let shares = &mut nodes.iter().map(|&node| loads.nodes[node]);
            within(loads.zones[zone], &topology.node_rooms(zone), shares)
        })
        && topology.nodes.iter().enumerate().all(|(node, devices)| {
            let shares = &mut devices.iter().map(|&device| loads.devices[device]);
            within(loads.nodes[node], &topology.device_rooms(node), shares)
        })
}

/// Replicas of each domain and device.
struct Shares {
    zones: Vec<f64>,
    nodes: Vec<f64>,
    devices: Vec<f64>,
}

impl Shares {
    fn summed_up(topology: &Topology, devices: Vec<f64>) -> Self {
        let sum = |members: &Vec<usize>, of: &[f64]| members.iter().map(|&member| of[member]).sum();
        let nodes: Vec<f64> = topology.nodes.iter().map(|members| sum(members, &devices)).collect();
        let zones = topology.zones.iter().map(|members| sum(members, &nodes)).collect();
        Self { zones, nodes, devices }
    }

    /// The largest difference to `fair` at a device.
    fn off_max(&self, fair: &Self) -> f64 {
        self.devices.iter().zip(&fair.devices).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
    }
}

fn divide(topology: &Topology, shape: Shape) -> Shares {
    let total = real(shape.partitions * shape.replicas);
    descend(topology, total, &|total, rooms, _| {
        let weights: Vec<f64> = rooms.iter().map(|room| weight(room.weight)).collect();
        proportional(total, &weights, &limits(total, rooms, shape.partitions))
    })
}

/// Divides a domain's replicas among its members: the total, the members' rooms, and a way to take the members' values
/// out of some [`Shares`].
type Level<'a> = dyn Fn(f64, &[Room], &dyn Fn(&Shares) -> Vec<f64>) -> Vec<f64> + 'a;

/// Goes down the tree of failure domains and divides at each step.
fn descend(topology: &Topology, total: f64, level: &Level<'_>) -> Shares {
    let pick = |members: &[usize], of: &[f64]| members.iter().map(|&member| of[member]).collect::<Vec<_>>();
    let zones = level(total, &topology.zone_rooms(), &|shares| shares.zones.clone());
    let mut nodes = vec![0.0; topology.nodes.len()];
    let mut devices = vec![0.0; topology.devices.len()];
    for (zone, members) in topology.zones.iter().enumerate() {
        let shares = level(zones[zone], &topology.node_rooms(zone), &|shares| pick(members, &shares.nodes));
        for (&node, share) in members.iter().zip(shares) {
            nodes[node] = share;
            let members = &topology.nodes[node];
            let shares = level(share, &topology.device_rooms(node), &|shares| pick(members, &shares.devices));
            for (&device, share) in members.iter().zip(shares) {
                devices[device] = share;
            }
        }
    }
    Shares { zones, nodes, devices }
}

/// The fewest and the most replicas that each member of a domain holds when the domain holds `total` and the replicas
/// of each single partition are spread evenly. Whole when `total` is.
fn limits(total: f64, rooms: &[Room], partitions: usize) -> Vec<(f64, f64)> {
    // Some partitions have `count` replicas in this domain, `rich` of them one more.
    let partitions = real(partitions);
    let count = (total / partitions + EPSILON).floor();
    let rich = (total - count * partitions).max(0.0);
    let poor = partitions - rich;
    let count = whole(count);
    let limit = |poor_count: usize, rich_count: usize| poor * real(poor_count) + rich * real(rich_count);
    spread(count, rooms)
        .into_iter()
        .zip(spread(count + 1, rooms))
        .map(|(base, more)| (limit(base.low, more.low), limit(base.high, more.high)))
        .collect()
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

/// Whole numbers near `shares`, within `limits`, that add up to `total`: `start`, plus and minus one where that comes
/// closest, until the sum is right. Between equals, those whose loads are higher are rounded up.
fn round(total: f64, shares: &[f64], start: Vec<f64>, limits: &[(f64, f64)], loads: &[f64]) -> Vec<f64> {
    let mut rounded = start;
    let mut missing = (total - rounded.iter().sum::<f64>()).round();
    while missing != 0.0 {
        let sign = missing.signum();
        let has_room = |member: &usize| {
            let (low, high) = limits[*member];
            let next = rounded[*member] + sign;
            low <= next && next <= high
        };
        // In steps of epsilon, so that equals are equal in spite of floating point.
        let lack = |member: usize| (sign * (shares[member] - rounded[member]) / EPSILON).round();
        let surplus = |member: usize| sign * (loads[member] - rounded[member]);
        let rank = |one: &usize, other: &usize| {
            let by_lack = lack(*one).total_cmp(&lack(*other));
            by_lack.then(surplus(*one).total_cmp(&surplus(*other))).then(other.cmp(one))
        };
        let Some(best) = (0..shares.len()).filter(has_room).max_by(rank) else { break };
        rounded[best] += sign;
        missing -= sign;
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

    #[track_caller]
    fn check_round(total: f64, shares: &[f64], loads: &[f64], expected: &[f64]) {
        let floors = shares.iter().map(|share| share.floor()).collect();
        let limits = vec![(0.0, f64::INFINITY); shares.len()];
        assert_eq!(round(total, shares, floors, &limits, loads), expected);
    }

    #[test]
    fn rounding_keeps_the_sum_and_prefers_who_holds_more() {
        let third = 4.0 / 3.0;
        check_round(4.0, &[third, third, third], &[1.0, 2.0, 1.0], &[1.0, 2.0, 1.0]);
        check_round(5.0, &[1.7, 1.6, 1.7], &[9.0, 9.0, 9.0], &[2.0, 1.0, 2.0]);
        check_round(7.0, &[5.5, 1.5], &[5.0, 2.0], &[5.0, 2.0]);
    }

    #[test]
    fn rounding_keeps_within_limits() {
        let limits = [(0.0, 3.0), (2.0, 9.0), (0.0, 9.0)];
        assert_eq!(round(9.0, &[3.0, 2.4, 3.6], vec![3.0, 2.0, 3.0], &limits, &[0.0; 3]), [3.0, 2.0, 4.0]);
        assert_eq!(round(8.0, &[3.0, 2.0, 3.0], vec![3.0, 2.0, 4.0], &limits, &[0.0; 3]), [3.0, 2.0, 3.0]);
    }
}
