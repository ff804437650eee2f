//! A device, as it is written on the command line.

use std::num::ParseIntError;
use std::str::FromStr;

use martlet_ring::{Device, DeviceId, NodeId, ZoneId};

/// `id=4,node=4,zone=2,weight=100,address=10.0.0.4:8400`, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceArgument(pub(crate) Device);

/// Why it is no device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeviceArgumentError {
    #[error("\"{0}\" isn't of the form name=value")]
    Form(String),
    #[error("\"{0}\" isn't one of id, node, zone, weight, address")]
    Name(String),
    #[error("\"{0}\" is said twice")]
    Twice(String),
    #[error("\"{name}\" isn't a number")]
    Number { name: &'static str, source: ParseIntError },
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
}

impl FromStr for DeviceArgument {
    type Err = DeviceArgumentError;

    fn from_str(text: &str) -> Result<Self, DeviceArgumentError> {
        let mut fields: [(&str, Option<&str>); 5] =
            [("id", None), ("node", None), ("zone", None), ("weight", None), ("address", None)];
        for part in text.split(',') {
            let form = || DeviceArgumentError::Form(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(form)?;
            let field = fields.iter_mut().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or_else(|| DeviceArgumentError::Name(name.to_owned()))?;
            if field.replace(value).is_some() {
                return Err(DeviceArgumentError::Twice(name.to_owned()));
            }
        }
        let [id, node, zone, weight, address] = fields.map(|(_, value)| value);
        Ok(Self(Device {
            id: DeviceId(number("id", id)?),
            node: NodeId(number("node", node)?),
            zone: ZoneId(number("zone", zone)?),
            weight: number("weight", weight)?,
            address: address.ok_or(DeviceArgumentError::Missing("address"))?.to_owned(),
        }))
    }
}

fn number(name: &'static str, value: Option<&str>) -> Result<u32, DeviceArgumentError> {
    let value = value.ok_or(DeviceArgumentError::Missing(name))?;
    value.parse().map_err(|source| DeviceArgumentError::Number { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_what_its_five_fields_say() {
        let device: DeviceArgument = "weight=5,id=1,node=2,zone=3,address=host:1".parse().unwrap();
        let expected = Device {
            id: DeviceId(1),
            node: NodeId(2),
            zone: ZoneId(3),
            weight: 5,
            address: "host:1".to_owned(),
        };
        assert_eq!(device.0, expected);
    }

    #[test]
    fn what_is_missing_unknown_or_said_twice_is_refused() {
        let error = |text: &str| text.parse::<DeviceArgument>().unwrap_err();
        assert_eq!(error("id=1,node=2,zone=3,weight=5"), DeviceArgumentError::Missing("address"));
        assert_eq!(error("id=1,id=2"), DeviceArgumentError::Twice("id".to_owned()));
        assert_eq!(error("id=1,rack=2"), DeviceArgumentError::Name("rack".to_owned()));
        assert_eq!(error("id"), DeviceArgumentError::Form("id".to_owned()));
        assert!(matches!(
            error("id=x"),
            DeviceArgumentError::Missing(_) | DeviceArgumentError::Number { .. }
        ));
    }
}
