//! The ring: devices and the table from partition to devices.

use crate::device::{ADDRESS_BYTES_MAX, Device, DeviceId, NodeId, ZoneId};
use crate::placement::{Partition, PlacementHash};
use std::collections::{BTreeMap, BTreeSet};

/// Most partitions a ring can have, as a power of two: a table of a million partitions, 12 MiB with three replicas.
pub const PARTITION_BITS_MAX: u8 = 20;

/// Most replicas of a partition.
pub const REPLICAS_MAX: u8 = 16;

/// Most devices of a ring.
pub const DEVICES_MAX: usize = 65_536;

/// An explicit, versioned placement table.
///
/// Invariants, held by every way to get one: the table names only devices of the ring, each at most once a partition;
/// device ids are unique and ascending; a node is in one zone and has one address; the version is at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    version: u64,
    partition_bits: u8,
    replicas: u8,
    devices: Vec<Device>,
    table: Vec<DeviceId>,
}

/// Why a ring can't be: the wish can't be met, or the table contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    #[error("a ring needs 1 to {max} replicas, not {replicas}")]
    Replicas { replicas: u8, max: u8 },
    #[error("a ring has at most 2^{max} partitions, not 2^{bits}")]
    PartitionBits { bits: u8, max: u8 },
    #[error("{replicas} replicas need as many devices with a weight above 0, but there are {devices}")]
    TooFewDevices { replicas: u8, devices: usize },
    #[error("a ring has at most {max} devices, not {devices}")]
    TooManyDevices { devices: usize, max: usize },
    #[error("{0} is listed twice")]
    DuplicateDevice(DeviceId),
    #[error("{node} is in both {first} and {second}")]
    NodeInTwoZones { node: NodeId, first: ZoneId, second: ZoneId },
    #[error("{0} has two addresses")]
    NodeWithTwoAddresses(NodeId),
    #[error("the address of {device} has {bytes} bytes, at most {max} are allowed")]
    AddressTooLong { device: DeviceId, bytes: usize, max: usize },
    #[error("ring version {0} is reserved")]
    Version(u64),
    #[error("the table should have {expected} entries, it has {found}")]
    TableSize { expected: usize, found: usize },
    #[error("{partition} is placed on {device}, which the ring doesn't have")]
    UnknownDevice { partition: Partition, device: DeviceId },
    #[error("{partition} is placed twice on {device}")]
    RepeatedDevice { partition: Partition, device: DeviceId },
}

/// What a ring is made of, before it has been checked.
pub(crate) struct Parts {
    pub(crate) version: u64,
    pub(crate) partition_bits: u8,
    pub(crate) replicas: u8,
    pub(crate) devices: Vec<Device>,
    pub(crate) table: Vec<DeviceId>,
}

impl Ring {
    /// The only door to a ring: whatever is in `parts`, what comes out keeps the invariants.
    pub(crate) fn checked(mut parts: Parts) -> Result<Self, RingError> {
        if parts.version == 0 || parts.version == u64::MAX {
            return Err(RingError::Version(parts.version));
        }
        check_shape(parts.partition_bits, parts.replicas)?;
        parts.devices.sort_by_key(|device| device.id);
        check_devices(&parts.devices)?;
        check_table(&parts)?;
        let Parts { version, partition_bits, replicas, devices, table } = parts;
        Ok(Self { version, partition_bits, replicas, devices, table })
    }

    /// Counts up with every edit; the higher one is the newer ring of a cluster.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// There are 2^`partition_bits` partitions.
    pub fn partition_bits(&self) -> u8 {
        self.partition_bits
    }

    /// Replicas of each partition.
    pub fn replicas(&self) -> u8 {
        self.replicas
    }

    /// All devices, ascending by id.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The device with this id, if the ring has it.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        let index = self.devices.binary_search_by_key(&id, |device| device.id).ok()?;
        self.devices.get(index)
    }

    pub fn partition_count(&self) -> usize {
        1 << self.partition_bits
    }

    /// All partitions, ascending.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..1_u32 << self.partition_bits).map(Partition)
    }

    /// The partition in which `hash` lies.
    pub fn partition_of(&self, hash: PlacementHash) -> Partition {
        hash.partition(self.partition_bits)
    }

    /// The devices of a partition, most preferred first. Always as many as there are replicas.
    ///
    /// # Panics
    ///
    /// If the ring doesn't have this partition: it was computed for a ring with another number of partitions.
    pub fn devices_of(&self, partition: Partition) -> &[DeviceId] {
        let start = partition.0 as usize * usize::from(self.replicas);
        &self.table[start..start + usize::from(self.replicas)]
    }

    /// The devices where `hash` lies, most preferred first.
    pub fn devices_of_hash(&self, hash: PlacementHash) -> &[DeviceId] {
        self.devices_of(self.partition_of(hash))
    }

    /// The partitions of which `device` holds a replica, ascending. Walks the whole table.
    pub fn partitions_of(&self, device: DeviceId) -> impl Iterator<Item = Partition> {
        self.partitions().filter(move |partition| self.devices_of(*partition).contains(&device))
    }

    /// The same placement with twice as many partitions: each is cut in two, and no replica moves.
    ///
    /// # Errors
    ///
    /// [`RingError::PartitionBits`] when there are as many as there can be.
    pub fn doubled(&self) -> Result<Self, RingError> {
        let replicas = usize::from(self.replicas);
        Self::checked(Parts {
            version: self.version + 1,
            partition_bits: self.partition_bits + 1,
            replicas: self.replicas,
            devices: self.devices.clone(),
            table: self.table.chunks_exact(replicas).flat_map(|row| [row, row]).flatten().copied().collect(),
        })
    }

    /// The whole table, partition after partition.
    pub(crate) fn table(&self) -> &[DeviceId] {
        &self.table
    }
}

/// Refuses numbers of partitions and replicas beyond the limits.
pub(crate) fn check_shape(partition_bits: u8, replicas: u8) -> Result<(), RingError> {
    if partition_bits > PARTITION_BITS_MAX {
        return Err(RingError::PartitionBits { bits: partition_bits, max: PARTITION_BITS_MAX });
    }
    if replicas == 0 || replicas > REPLICAS_MAX {
        return Err(RingError::Replicas { replicas, max: REPLICAS_MAX });
    }
    Ok(())
}

/// Refuses devices that contradict each other. They are sorted by id.
pub(crate) fn check_devices(devices: &[Device]) -> Result<(), RingError> {
    if devices.len() > DEVICES_MAX {
        return Err(RingError::TooManyDevices { devices: devices.len(), max: DEVICES_MAX });
    }
    let mut nodes: BTreeMap<NodeId, &Device> = BTreeMap::new();
    let mut ids: BTreeSet<DeviceId> = BTreeSet::new();
    for device in devices {
        if !ids.insert(device.id) {
            return Err(RingError::DuplicateDevice(device.id));
        }
        let bytes = device.address.len();
        if bytes > ADDRESS_BYTES_MAX {
            return Err(RingError::AddressTooLong { device: device.id, bytes, max: ADDRESS_BYTES_MAX });
        }
        let first = nodes.entry(device.node).or_insert(device);
        if first.zone != device.zone {
            let (first, second) = (first.zone, device.zone);
            return Err(RingError::NodeInTwoZones { node: device.node, first, second });
        }
        if first.address != device.address {
            return Err(RingError::NodeWithTwoAddresses(device.node));
        }
    }
    Ok(())
}

fn check_table(parts: &Parts) -> Result<(), RingError> {
    let replicas = usize::from(parts.replicas);
    let expected = replicas << parts.partition_bits;
    if parts.table.len() != expected {
        return Err(RingError::TableSize { expected, found: parts.table.len() });
    }
    for (partition, row) in (0..).map(Partition).zip(parts.table.chunks_exact(replicas)) {
        for (position, &device) in row.iter().enumerate() {
            if parts.devices.binary_search_by_key(&device, |known| known.id).is_err() {
                return Err(RingError::UnknownDevice { partition, device });
            }
            if row[..position].contains(&device) {
                return Err(RingError::RepeatedDevice { partition, device });
            }
        }
    }
    Ok(())
}
