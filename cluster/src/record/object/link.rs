//! What a link stands for, in the entry of its row: listings show it.

use martlet_model::{AccountName, ContainerName, Link, Md5, NameError, ObjectKey, Pin};
use serde::{Deserialize, Serialize};

use crate::record::RecordError;

#[derive(Serialize, Deserialize)]
pub(super) struct LinkTwin<'a> {
    account: Option<&'a str>,
    container: &'a str,
    key: &'a [u8],
    pin: Option<PinTwin>,
}

#[derive(Serialize, Deserialize)]
struct PinTwin {
    md5: [u8; 16],
    bytes: u64,
    joined: Option<[u8; 16]>,
}

impl<'a> LinkTwin<'a> {
    pub(super) fn of(link: &'a Link) -> Self {
        let pin = link.pin.as_ref();
        Self {
            account: link.account.as_ref().map(AccountName::as_str),
            container: link.container.as_str(),
            key: link.key.as_bytes(),
            pin: pin.map(|Pin { md5, bytes, joined }| PinTwin {
                md5: md5.0,
                bytes: *bytes,
                joined: joined.map(|md5| md5.0),
            }),
        }
    }

    pub(super) fn link(&self) -> Result<Link, RecordError> {
        let broken = |_: NameError| RecordError::Broken("link");
        Ok(Link {
            account: self
                .account
                .map(|name| AccountName::parse(name.as_bytes()))
                .transpose()
                .map_err(broken)?,
            container: ContainerName::parse(self.container.as_bytes()).map_err(broken)?,
            key: ObjectKey::parse(self.key.to_vec()).map_err(broken)?,
            pin: self.pin.as_ref().map(|pin| Pin {
                md5: Md5(pin.md5),
                bytes: pin.bytes,
                joined: pin.joined.map(Md5),
            }),
        })
    }
}
