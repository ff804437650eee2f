//! From holes and overfull devices to a table that meets its quotas.

use crate::assignment::{Assignment, Cost, Step, Strain};
use crate::placement::Partition;
use crate::rendezvous::{Rendezvous, shuffled};
use std::cmp::Reverse;
use std::collections::VecDeque;

/// Fills all holes, spreads what shares a failure domain needlessly, then moves replicas from overfull devices to
/// those with room: as far as one move a partition goes.
pub(crate) fn settle(assignment: &mut Assignment<'_>, rendezvous: &Rendezvous) {
    let partitions = shuffled(assignment.shape.partitions);
    for &partition in &partitions {
        fill_holes(assignment, rendezvous, partition);
    }
    for &partition in &partitions {
        spread_out(assignment, rendezvous, partition);
    }
    // What has to be copied anyway first goes where it helps most.
    even_out(assignment, Cost::Nothing);
    for &partition in &partitions {
        hand_over(assignment, rendezvous, partition);
    }
    even_out(assignment, Cost::Move);
}

/// What a further computation with the same devices would still want to move: replicas above the quotas, and
/// partitions whose replicas could be spread better.
pub(crate) fn unsettled(assignment: &Assignment<'_>) -> usize {
    let excess: usize = (0..assignment.topology.devices.len()).map(|device| assignment.excess(device)).sum();
    let is_strained = |partition: &usize| assignment.strain(*partition) > Strain::default();
    excess + (0..assignment.shape.partitions).filter(is_strained).count()
}

/// A hole goes where it strains the failure domains least, then to a device with room, then in rendezvous order.
fn fill_holes(assignment: &mut Assignment<'_>, rendezvous: &Rendezvous, partition: usize) {
    if !assignment.row(partition).contains(&None) {
        return;
    }
    let order = rendezvous.order(named(partition));
    for slot in 0..assignment.shape.replicas {
        let row = assignment.row(partition);
        if row[slot].is_some() {
            continue;
        }
        let best = order
            .iter()
            .filter(|target| !row.contains(&Some(**target)))
            .map(|&target| Step { partition, slot, target })
            .min_by_key(|&step| (assignment.strain_after(step), !assignment.wants_more(step.target)));
        let step = best.expect("there are at least as many usable devices as replicas");
        assignment.apply(step);
    }
}

/// Moves one replica if that makes the partition's spread better, or empties a draining device.
fn spread_out(assignment: &mut Assignment<'_>, rendezvous: &Rendezvous, partition: usize) {
    let before = assignment.strain(partition);
    let drains = |device: usize| assignment.is_draining(device);
    let row = assignment.row(partition);
    let is_fine = before == Strain::default() && !row.iter().flatten().any(|&d| drains(d));
    if is_fine {
        return;
    }
    let order = rendezvous.order(named(partition));
    let best = steps(assignment, partition, &order)
        .filter(|(source, step)| drains(*source) || assignment.strain_after(*step) < before)
        .min_by_key(|&(source, step)| {
            let target = step.target;
            let strain = assignment.strain_after(step);
            (!drains(source), strain, !assignment.wants_more(target), assignment.excess(source) == 0)
        });
    if let Some((_, step)) = best {
        assignment.apply(step);
    }
}

/// Moves one replica from an overfull device to one with room, if the spread doesn't suffer.
fn hand_over(assignment: &mut Assignment<'_>, rendezvous: &Rendezvous, partition: usize) {
    let is_overfull = |device: &usize| assignment.excess(*device) > 0;
    if !assignment.row(partition).iter().flatten().any(is_overfull) {
        return;
    }
    let before = assignment.strain(partition);
    let mut order = rendezvous.order(named(partition));
    order.retain(|&target| assignment.wants_more(target));
    let best = steps(assignment, partition, &order)
        .filter(|(source, step)| is_overfull(source) && assignment.strain_after(*step) <= before)
        .min_by_key(|&(source, step)| (assignment.strain_after(step), Reverse(assignment.excess(source))));
    if let Some((_, step)) = best {
        assignment.apply(step);
    }
}

/// Every way to move one replica of the partition to one of `targets`, with the device that it leaves.
fn steps<'a>(
    assignment: &'a Assignment<'_>,
    partition: usize,
    targets: &'a [usize],
) -> impl Iterator<Item = (usize, Step)> + 'a {
    let row = assignment.row(partition);
    let may_move = move |slot: &usize| assignment.cost(partition, *slot) != Cost::Forbidden;
    let slots: Vec<usize> = (0..row.len()).filter(may_move).collect();
    targets.iter().filter(|target| !row.contains(&Some(**target))).flat_map(move |&target| {
        let step = |&slot: &usize| row[slot].map(|source| (source, Step { partition, slot, target }));
        slots.iter().filter_map(step).collect::<Vec<_>>()
    })
}

/// Passes replicas on, along chains, from overfull devices to devices with room, until no chain is left whose steps
/// cost at most `cost_max` each. Each chain makes the total excess smaller by one, so there is an end.
fn even_out(assignment: &mut Assignment<'_>, cost_max: Cost) {
    while let Some(chain) = Search::new(assignment, cost_max).cheapest_chain() {
        for step in chain {
            assignment.apply(step);
        }
    }
}

/// Looks for the cheapest steps, in different partitions, that take one replica off an overfull device and give one
/// to a device with room: a gives to b, b to c. Breadth first over devices, steps that cost nothing before others.
struct Search<'a> {
    assignment: &'a Assignment<'a>,
    cost_max: Cost,
    /// How each device was reached, at what cost in moves. Overfull ones are where it starts.
    arrived: Vec<Option<Arrival>>,
    is_expanded: Vec<bool>,
    waiting: VecDeque<usize>,
}

#[derive(Clone, Copy)]
struct Arrival {
    moves: usize,
    /// From which device, by which step. `None` where the search starts.
    link: Option<(usize, Step)>,
}

impl<'a> Search<'a> {
    fn new(assignment: &'a Assignment<'a>, cost_max: Cost) -> Self {
        let is_start = |device: usize| assignment.excess(device) > 0;
        let devices = 0..assignment.topology.devices.len();
        let start = |device| is_start(device).then_some(Arrival { moves: 0, link: None });
        Self {
            assignment,
            cost_max,
            arrived: devices.clone().map(start).collect(),
            is_expanded: vec![false; devices.len()],
            waiting: devices.filter(|&device| is_start(device)).collect(),
        }
    }

    fn cheapest_chain(mut self) -> Option<Vec<Step>> {
        while let Some(source) = self.waiting.pop_front() {
            if self.assignment.wants_more(source) {
                return Some(self.links_to(source).map(|(_, step)| step).collect());
            }
            if !std::mem::replace(&mut self.is_expanded[source], true) {
                self.expand(source);
            }
        }
        None
    }

    /// Notes all devices to which `source` may give one of its replicas.
    fn expand(&mut self, source: usize) {
        let moves = self.arrived[source].map_or(0, |arrival| arrival.moves);
        for &partition in self.assignment.partitions_held(source) {
            let row = self.assignment.row(partition);
            let slot = row.iter().position(|&holder| holder == Some(source)).expect("it holds the partition");
            let step_moves = match (self.assignment.cost(partition, slot), self.cost_max) {
                (Cost::Nothing, _) => 0,
                (Cost::Move, Cost::Move) => 1,
                _ => continue,
            };
            if self.links_to(source).any(|(_, step)| step.partition == partition) {
                continue;
            }
            let before = self.assignment.strain(partition);
            for target in 0..self.arrived.len() {
                let step = Step { partition, slot, target };
                let is_nearer = self.arrived[target].is_none_or(|known| known.moves > moves + step_moves);
                if is_nearer && !row.contains(&Some(target)) && self.assignment.strain_after(step) <= before {
                    self.arrived[target] =
                        Some(Arrival { moves: moves + step_moves, link: Some((source, step)) });
                    match step_moves {
                        0 => self.waiting.push_front(target),
                        _ => self.waiting.push_back(target),
                    }
                }
            }
        }
    }

    /// The steps that lead to `end`, last first, each with the device that gives.
    fn links_to(&self, end: usize) -> impl Iterator<Item = (usize, Step)> {
        let link = |device: usize| self.arrived[device].and_then(|arrival| arrival.link);
        std::iter::successors(link(end), move |(source, _)| link(*source))
    }
}

fn named(partition: usize) -> Partition {
    Partition(u32::try_from(partition).expect("PARTITION_BITS_MAX is far below 32"))
}
