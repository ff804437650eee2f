//! Devices and the failure domains they stand in.

use std::fmt;

/// Longest address of a node, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 1024;

/// One disk directory of one node. Never used again for another device, also after removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// One storage process: its devices fail together when the machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// The widest failure domain: a rack, a room, a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u32);

/// A device as the ring knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    /// The node that serves the device. All devices of a node are in one zone and have one address.
    pub node: NodeId,
    pub zone: ZoneId,
    /// How much the device should hold relative to the others, for example its capacity in GiB.
    /// 0 drains it: it keeps what it has until edits have moved that away.
    pub weight: u32,
    /// Where the node is reached. Free text here; at most [`ADDRESS_BYTES_MAX`].
    pub address: String,
}

impl Device {
    /// Whether the device is to give away all that it holds.
    pub fn is_draining(&self) -> bool {
        self.weight == 0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {}", self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone {}", self.0)
    }
}
