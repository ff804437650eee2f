//! A table in the making: who holds what, what it costs the failure domains, and what may still be changed.

use crate::ring::REPLICAS_MAX;
use crate::shares::{Quotas, Shape};
use crate::topology::{Bounds, Topology};

/// How far a partition's replicas are from an even spread, zones before nodes. Nothing is better than the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strain {
    zones: usize,
    nodes: usize,
}

/// A change of one replica of a partition.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) partition: usize,
    pub(crate) slot: usize,
    pub(crate) target: usize,
}

/// What it costs to change a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Nothing,
    Move,
    Forbidden,
}

/// Partitions and devices are indexes here. A slot is a position in a partition's row; it may be a hole.
pub(crate) struct Assignment<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) quotas: Quotas,
    pub(crate) shape: Shape,
    slots: Vec<Option<usize>>,
    /// What the slots were in the table before this one. A first table follows one of holes only.
    inherited: Vec<Option<usize>>,
    /// The partitions of each device, in no particular order.
    held: Vec<Vec<usize>>,
    low_sum: Strain,
}

impl<'a> Assignment<'a> {
    pub(crate) fn new(topology: &'a Topology, quotas: Quotas, shape: Shape) -> Self {
        let sum = |bounds: &[Bounds]| bounds.iter().map(|bounds| bounds.low).sum();
        let low_sum = Strain { zones: sum(&quotas.zones), nodes: sum(&quotas.nodes) };
        Self {
            topology,
            quotas,
            shape,
            slots: vec![None; shape.partitions * shape.replicas],
            inherited: vec![None; shape.partitions * shape.replicas],
            held: vec![Vec::new(); topology.devices.len()],
            low_sum,
        }
    }

    /// Takes over what the earlier table says.
    pub(crate) fn inherit(&mut self, step: Step) {
        let slot = self.index(step.partition, step.slot);
        self.slots[slot] = Some(step.target);
        self.inherited[slot] = Some(step.target);
        self.held[step.target].push(step.partition);
    }

    /// Puts a replica on `step.target`, away from where it was, if it was anywhere.
    pub(crate) fn apply(&mut self, step: Step) {
        debug_assert!(!self.row(step.partition).contains(&Some(step.target)), "one replica a device");
        let slot = self.index(step.partition, step.slot);
        if let Some(source) = self.slots[slot].replace(step.target) {
            self.held[source].retain(|&partition| partition != step.partition);
        }
        self.held[step.target].push(step.partition);
    }

    /// What changing this slot costs: a replica that was to be copied anyway may as well be copied elsewhere.
    /// At most one replica of a partition moves, holes apart, so that a majority stays where the data is.
    pub(crate) fn cost(&self, partition: usize, slot: usize) -> Cost {
        let has_changed = |slot: usize| {
            let slot = self.index(partition, slot);
            self.slots[slot] != self.inherited[slot]
        };
        match (has_changed(slot), (0..self.shape.replicas).any(has_changed)) {
            (true, _) => Cost::Nothing,
            (false, false) => Cost::Move,
            (false, true) => Cost::Forbidden,
        }
    }

    fn index(&self, partition: usize, slot: usize) -> usize {
        partition * self.shape.replicas + slot
    }

    pub(crate) fn row(&self, partition: usize) -> &[Option<usize>] {
        let start = self.index(partition, 0);
        &self.slots[start..start + self.shape.replicas]
    }

    /// The finished table.
    ///
    /// # Panics
    ///
    /// If a hole is left.
    pub(crate) fn into_table(self) -> Vec<usize> {
        self.slots.into_iter().map(|slot| slot.expect("every hole was filled")).collect()
    }

    pub(crate) fn partitions_held(&self, device: usize) -> &[usize] {
        &self.held[device]
    }

    pub(crate) fn is_draining(&self, device: usize) -> bool {
        self.topology.devices[device].is_draining()
    }

    /// Replicas above the quota.
    pub(crate) fn excess(&self, device: usize) -> usize {
        self.held[device].len().saturating_sub(self.quotas.devices[device])
    }

    /// Whether there is room for one more within the quota.
    pub(crate) fn wants_more(&self, device: usize) -> bool {
        self.held[device].len() < self.quotas.devices[device]
    }

    pub(crate) fn strain(&self, partition: usize) -> Strain {
        self.strain_of(self.row(partition))
    }

    /// The strain of the partition after `step`.
    pub(crate) fn strain_after(&self, step: Step) -> Strain {
        let mut members = [None; REPLICAS_MAX as usize];
        let members = &mut members[..self.shape.replicas];
        members.copy_from_slice(self.row(step.partition));
        members[step.slot] = Some(step.target);
        self.strain_of(members)
    }

    fn strain_of(&self, members: &[Option<usize>]) -> Strain {
        let Topology { zone_of, node_of, .. } = self.topology;
        Strain {
            zones: misfit(members, zone_of, &self.quotas.zones, self.low_sum.zones),
            nodes: misfit(members, node_of, &self.quotas.nodes, self.low_sum.nodes),
        }
    }
}

/// Replicas that domains miss, plus those that they have too many. `low_sum` is the sum of all lower bounds.
fn misfit(members: &[Option<usize>], domain_of: &[usize], bounds: &[Bounds], low_sum: usize) -> usize {
    let domains = || members.iter().flatten().map(|&device| domain_of[device]);
    let mut met = 0;
    let mut above = 0;
    for (position, domain) in domains().enumerate() {
        if domains().take(position).any(|earlier| earlier == domain) {
            continue;
        }
        let count = domains().filter(|&other| other == domain).count();
        met += count.min(bounds[domain].low);
        above += count.saturating_sub(bounds[domain].high);
    }
    low_sum - met + above
}
