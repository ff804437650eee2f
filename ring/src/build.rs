//! The first table of a cluster.

use crate::assignment::Assignment;
use crate::device::{Device, DeviceId};
use crate::preference::balance_preference;
use crate::rendezvous::Rendezvous;
use crate::ring::{PARTITION_BITS_MAX, Parts, Ring, RingError, check_devices, check_shape};
use crate::settle::{settle, unsettled};
use crate::shares::{Shape, quotas};
use crate::topology::Topology;

/// Partitions of a small cluster, as a power of two.
pub const PARTITION_BITS_MIN: u8 = 10;

/// With fewer replicas of partitions on a device, whole replicas are too coarse to balance.
pub const REPLICAS_PER_DEVICE_MIN: u64 = 100;

/// What a new ring aims at on average: the cluster can double before it reaches the minimum, and rounding to whole
/// replicas puts a device of mean weight about 0.5 / 200 = 0.25 % off.
pub const REPLICAS_PER_DEVICE_AIM: u64 = 2 * REPLICAS_PER_DEVICE_MIN;

/// A device lighter than the mean by more than this factor has no say in how many partitions there are.
pub const LIGHTNESS_MAX: u64 = 8;

/// How often building starts over with what it has. One round nearly always does; the limit is there so that there
/// is one.
const ROUNDS_MAX: usize = 8;

/// How many partitions, as a power of two, a ring of these devices should have: [`PARTITION_BITS_MIN`] for a small
/// cluster, and on a large one enough for [`REPLICAS_PER_DEVICE_AIM`] on average and [`REPLICAS_PER_DEVICE_MIN`] on
/// every device that isn't lighter than the mean by more than [`LIGHTNESS_MAX`].
///
/// # Errors
///
/// [`RingError::PartitionBits`] when that is more than [`PARTITION_BITS_MAX`].
pub fn partition_bits_for(replicas: u8, devices: &[Device]) -> Result<u8, RingError> {
    check_shape(PARTITION_BITS_MIN, replicas)?;
    let weights = || devices.iter().map(|device| u64::from(device.weight)).filter(|weight| *weight > 0);
    let (count, sum) = (weights().count() as u64, weights().sum::<u64>());
    let lightest = weights().filter(|weight| weight * count * LIGHTNESS_MAX >= sum).min().unwrap_or(1);
    let needed = (REPLICAS_PER_DEVICE_AIM * count).max((REPLICAS_PER_DEVICE_MIN * sum).div_ceil(lightest));
    let bits = (PARTITION_BITS_MIN..32).find(|&bits| u64::from(replicas) << bits >= needed).unwrap_or(32);
    check_shape(bits, replicas)?;
    Ok(bits)
}

/// Builds version 1 of a ring.
///
/// Each partition takes devices in weighted rendezvous order, under quotas: first so that its replicas are spread
/// over as many zones as can be, then nodes, then devices; within that, in proportion to the weights.
///
/// # Errors
///
/// [`RingError`] when there are fewer devices with a weight than replicas, a number is beyond its limit, or the
/// devices contradict each other.
pub fn build(partition_bits: u8, replicas: u8, devices: Vec<Device>) -> Result<Ring, RingError> {
    let plan = Plan::new(partition_bits, replicas, devices)?;
    let rendezvous = Rendezvous::new(&plan.topology.devices);
    let loads = vec![0; plan.topology.devices.len()];
    let quotas = quotas(&plan.topology, plan.shape, &loads);
    let mut assignment = Assignment::new(&plan.topology, quotas, plan.shape);
    let mut left = usize::MAX;
    for _ in 0..ROUNDS_MAX {
        settle(&mut assignment, &rendezvous);
        let now = unsettled(&assignment);
        if now == 0 || now >= left {
            break;
        }
        left = now;
    }
    let table = assignment.into_table();
    plan.finish(1, table)
}

/// A table to be computed: checked input.
pub(crate) struct Plan {
    pub(crate) partition_bits: u8,
    pub(crate) replicas: u8,
    pub(crate) shape: Shape,
    pub(crate) topology: Topology,
}

impl Plan {
    pub(crate) fn new(partition_bits: u8, replicas: u8, devices: Vec<Device>) -> Result<Self, RingError> {
        check_shape(partition_bits, replicas)?;
        check_devices(&devices)?;
        let topology = Topology::new(devices);
        let devices = topology.usable_count();
        if devices < usize::from(replicas) {
            return Err(RingError::TooFewDevices { replicas, devices });
        }
        let shape = Shape { partitions: 1 << partition_bits, replicas: usize::from(replicas) };
        Ok(Self { partition_bits, replicas, shape, topology })
    }

    /// Orders the preferences and makes a ring of the table.
    pub(crate) fn finish(&self, version: u64, mut table: Vec<usize>) -> Result<Ring, RingError> {
        balance_preference(&mut table, self.shape.replicas, self.topology.devices.len());
        let id = |index: usize| -> DeviceId { self.topology.devices[index].id };
        Ring::checked(Parts {
            version,
            partition_bits: self.partition_bits,
            replicas: self.replicas,
            devices: self.topology.devices.clone(),
            table: table.into_iter().map(id).collect(),
        })
    }
}

const _: () = assert!(PARTITION_BITS_MIN <= PARTITION_BITS_MAX);
