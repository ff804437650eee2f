//! Which device this is.

use std::fmt;

use martlet_ring::DeviceId;

/// The cluster that a device belongs to; random, made once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClusterId(pub [u8; 16]);

/// What `device.toml` holds. A device without it isn't written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    pub cluster: ClusterId,
    pub device: DeviceId,
    /// 2 to this power is the number of partitions by which the device counts its rows.
    pub partition_bits: u8,
}

/// More than any ring has that this version builds.
pub const PARTITION_BITS_MAX: u8 = 20;

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
