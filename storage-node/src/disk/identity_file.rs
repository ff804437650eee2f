//! `device.toml`: written once, durably, before anything else.

use std::io;

use martlet_ring::DeviceId;
use serde::{Deserialize, Serialize};

use super::files::{Files, read_whole};
use super::layout::Layout;
use super::publish;
use crate::identity::{ClusterId, DeviceIdentity, PARTITION_BITS_MAX};

/// The version of everything in a device's directory.
pub const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    format: u32,
    cluster: String,
    device: u32,
    partition_bits: u8,
}

/// Only what every version of the file has.
#[derive(Debug, Deserialize)]
struct Version {
    format: u32,
}

/// Why a device's identity couldn't be read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("there is no device.toml")]
    Absent,
    #[error("device.toml can't be read")]
    Unreadable(#[source] io::Error),
    #[error("device.toml is damaged: {0}")]
    Damaged(String),
    #[error("the device has format {0}, and this version knows formats up to {FORMAT_VERSION}")]
    Newer(u32),
}

pub fn read(files: &dyn Files, layout: &Layout) -> Result<DeviceIdentity, IdentityError> {
    let bytes = read_whole(files, &layout.identity()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => IdentityError::Absent,
        _ => IdentityError::Unreadable(error),
    })?;
    let damaged = |why: &dyn ToString| IdentityError::Damaged(why.to_string());
    let text = std::str::from_utf8(&bytes).map_err(|error| damaged(&error))?;
    let version: Version = toml::from_str(text).map_err(|error| damaged(&error.message()))?;
    if version.format > FORMAT_VERSION {
        return Err(IdentityError::Newer(version.format));
    }
    let content: Content = toml::from_str(text).map_err(|error| damaged(&error.message()))?;
    let mut cluster = [0; 16];
    hex::decode_to_slice(&content.cluster, &mut cluster).map_err(|error| damaged(&error))?;
    if content.partition_bits > PARTITION_BITS_MAX {
        return Err(damaged(&"too many partition bits"));
    }
    Ok(DeviceIdentity {
        cluster: ClusterId(cluster),
        device: DeviceId(content.device),
        partition_bits: content.partition_bits,
    })
}

/// Only for a device that has none.
pub fn write(files: &dyn Files, layout: &Layout, identity: &DeviceIdentity) -> io::Result<()> {
    let content = Content {
        format: FORMAT_VERSION,
        cluster: hex::encode(identity.cluster.0),
        device: identity.device.0,
        partition_bits: identity.partition_bits,
    };
    let text =
        toml::to_string(&content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let comment = "# Which device of a Martlet cluster this directory is. Never edit or copy it.\n";
    publish::replace(files, &layout.identity(), format!("{comment}{text}").as_bytes())
}
