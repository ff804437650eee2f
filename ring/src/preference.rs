//! Who comes first: reads and workers go to the first device of a partition, so everybody should be first for its
//! part of what it holds, and second, and so on.

use std::collections::VecDeque;

/// Reorders each row so that at every position each device stands for its part of the partitions it holds, to within
/// one. Changes as few rows as it can; no replica moves.
///
/// `table` has `replicas` entries a partition, each the index of one of `device_count` devices.
pub(crate) fn balance_preference(table: &mut [usize], replicas: usize, device_count: usize) {
    for position in 0..replicas.saturating_sub(1) {
        let mut standing = Standing::new(table, replicas, device_count, position);
        standing.even_out(
            &|standing, device| standing.count(device) > standing.high[device],
            &|standing, device| standing.count(device) < standing.high[device],
        );
        standing.even_out(
            &|standing, device| standing.count(device) > standing.low[device],
            &|standing, device| standing.count(device) < standing.low[device],
        );
    }
}

type Test = dyn Fn(&Standing<'_>, usize) -> bool;

/// Who stands at one position; positions before it are settled.
struct Standing<'a> {
    table: &'a mut [usize],
    replicas: usize,
    position: usize,
    /// The partitions where each device stands at the position.
    at: Vec<Vec<usize>>,
    /// A fair number of them, rounded down and up. A row's later positions hold all devices that could stand here
    /// with equal right, so a device's fair number is its replicas from here on divided by the positions from here on.
    low: Vec<usize>,
    high: Vec<usize>,
}

impl<'a> Standing<'a> {
    fn new(table: &'a mut [usize], replicas: usize, device_count: usize, position: usize) -> Self {
        let mut at = vec![Vec::new(); device_count];
        let mut rest = vec![0_usize; device_count];
        for (partition, row) in table.chunks_exact(replicas).enumerate() {
            at[row[position]].push(partition);
            row[position..].iter().for_each(|&device| rest[device] += 1);
        }
        let positions = replicas - position;
        let low = rest.iter().map(|count| count / positions).collect();
        let high = rest.iter().map(|count| count.div_ceil(positions)).collect();
        Self { table, replicas, position, at, low, high }
    }

    fn count(&self, device: usize) -> usize {
        self.at[device].len()
    }

    /// Passes standings from devices that have too many to devices that lack some until one of the two is no more.
    fn even_out(&mut self, has_too_many: &Test, lacks: &Test) {
        while let Some(swaps) = self.shortest_chain(has_too_many, lacks) {
            for (partition, slot) in swaps {
                self.swap(partition, slot);
            }
        }
    }

    fn swap(&mut self, partition: usize, slot: usize) {
        let start = partition * self.replicas;
        let (source, target) = (self.table[start + self.position], self.table[start + slot]);
        self.table.swap(start + self.position, start + slot);
        self.at[source].retain(|&other| other != partition);
        self.at[target].push(partition);
    }

    /// Breadth first over devices, as (partition, slot that comes forward).
    fn shortest_chain(&self, has_too_many: &Test, lacks: &Test) -> Option<Vec<(usize, usize)>> {
        // How each device was reached: from which device, in which partition, in which slot of it.
        let mut arrived: Vec<Option<(usize, usize, usize)>> = vec![None; self.at.len()];
        let is_start: Vec<bool> = (0..self.at.len()).map(|device| has_too_many(self, device)).collect();
        let mut waiting: VecDeque<usize> = (0..self.at.len()).filter(|&device| is_start[device]).collect();
        while let Some(source) = waiting.pop_front() {
            for &partition in &self.at[source] {
                let row = &self.table[partition * self.replicas..][..self.replicas];
                for (slot, &target) in row.iter().enumerate().skip(self.position + 1) {
                    if is_start[target] || arrived[target].is_some() {
                        continue;
                    }
                    arrived[target] = Some((source, partition, slot));
                    if lacks(self, target) {
                        let links = std::iter::successors(arrived[target], |link| arrived[link.0]);
                        return Some(links.map(|(_, partition, slot)| (partition, slot)).collect());
                    }
                    waiting.push_back(target);
                }
            }
        }
        None
    }
}
