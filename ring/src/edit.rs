//! The next table of a cluster: the previous one with as few moves as possible.

use crate::assignment::{Assignment, Step};
use crate::build::Plan;
use crate::device::Device;
use crate::rendezvous::Rendezvous;
use crate::report::Movement;
use crate::ring::{Ring, RingError};
use crate::settle::{settle, unsettled};
use crate::shares::quotas;

/// Makes the ring that follows `previous` when the cluster's devices are `devices`.
///
/// Devices that are gone leave holes, which are refilled in rendezvous order; then replicas move from devices above
/// their quota to devices below it, and where failure domains could be used better. Apart from holes, at most one
/// replica of a partition moves, so that a majority of every partition stays where its data is. When that isn't
/// enough to settle everything ([`Movement::unsettled`]), the next edit with the same devices, after the data has
/// followed, goes on. The result depends on nothing but the arguments.
///
/// # Errors
///
/// [`RingError`] when there are fewer devices with a weight than replicas, or the devices contradict each other.
pub fn edit(previous: &Ring, devices: Vec<Device>) -> Result<(Ring, Movement), RingError> {
    let plan = Plan::new(previous.partition_bits(), previous.replicas(), devices)?;
    let inherited = inherited(previous, &plan);
    let mut loads = vec![0; plan.topology.devices.len()];
    for step in &inherited {
        loads[step.target] += 1;
    }
    let quotas = quotas(&plan.topology, plan.shape, &loads);
    let mut assignment = Assignment::new(&plan.topology, quotas, plan.shape);
    for step in inherited {
        assignment.inherit(step);
    }
    settle(&mut assignment, &Rendezvous::new(&plan.topology.devices));
    let unsettled = unsettled(&assignment);
    let table = assignment.into_table();
    let ring = plan.finish(previous.version() + 1, table)?;
    let movement = Movement::between(previous, &ring, unsettled);
    Ok((ring, movement))
}

/// The replicas whose devices are still there.
fn inherited(previous: &Ring, plan: &Plan) -> Vec<Step> {
    let replicas = plan.shape.replicas;
    let index = |id| plan.topology.devices.binary_search_by_key(&id, |device: &Device| device.id).ok();
    let entries = previous.table().iter().enumerate();
    entries
        .filter_map(|(entry, &id)| {
            let target = index(id)?;
            Some(Step { partition: entry / replicas, slot: entry % replicas, target })
        })
        .collect()
}
