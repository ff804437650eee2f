//! Objects that stand for others: Swift's symbolic links.

use crate::content::Md5;
use crate::name::{AccountName, ContainerId, ContainerName, ObjectId, ObjectKey};

/// What a link stands for. Whether there is such an object is nobody's concern until the link is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// `None`: the account that the link is in.
    pub account: Option<AccountName>,
    pub container: ContainerName,
    pub key: ObjectKey,
    /// `Some`: it stands for that very state of the object and for no other (Swift's static link).
    pub pin: Option<Pin>,
}

/// The state of an object that a link was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Of the stored bytes: of a list of segments, the list's own.
    pub md5: Md5,
    /// What a reader of the object gets, in bytes.
    pub bytes: u64,
    /// Swift's ETag of an object that is made of others.
    pub joined: Option<Md5>,
}

impl Link {
    /// What the link `own` stands for.
    pub fn target(&self, own: &ObjectId) -> ObjectId {
        let account = self.account.clone().unwrap_or_else(|| own.container.account.clone());
        ObjectId { container: ContainerId { account, name: self.container.clone() }, key: self.key.clone() }
    }
}
