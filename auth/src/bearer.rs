//! What a signed link or form lets its bearer do, whoever that is.

use bytes::Bytes;
use martlet_model::{AccountName, ContainerId, ContainerName, ObjectId};

/// The right that a signature gives to whoever holds it, and nothing beyond that. No user has anything to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// Reading, where the key with which the link was signed reaches: also the segments of what is read.
    Read(Reach),
    /// Storing this object.
    Put(ObjectId),
    /// Changing this object's metadata.
    Post(ObjectId),
    /// Removing this object.
    Delete(ObjectId),
    /// Storing objects whose keys begin so.
    PutBelow { container: ContainerId, prefix: Bytes },
}

/// How far a key reaches: the account or the container that it was set on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Account(AccountName),
    Container(ContainerId),
}

/// Which metadata a key stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOf {
    Account,
    Container,
}

/// A key of an account or of a container: `Temp-URL-Key` or `Temp-URL-Key-2` of its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkKey<'a> {
    pub of: KeyOf,
    pub key: &'a [u8],
}

impl Bearer {
    /// The account that the right is in.
    pub fn account(&self) -> &AccountName {
        match self {
            Self::Read(Reach::Account(account)) => account,
            Self::Read(Reach::Container(container)) | Self::PutBelow { container, .. } => &container.account,
            Self::Put(object) | Self::Post(object) | Self::Delete(object) => &object.container.account,
        }
    }
}

impl Reach {
    /// How far a key reaches that was set on this container or on its account.
    pub fn of(key: KeyOf, container: &ContainerId) -> Self {
        match key {
            KeyOf::Account => Self::Account(container.account.clone()),
            KeyOf::Container => Self::Container(container.clone()),
        }
    }

    pub fn holds(&self, account: &AccountName, container: Option<&ContainerName>) -> bool {
        match self {
            Self::Account(own) => own == account,
            Self::Container(own) => own.account == *account && container == Some(&own.name),
        }
    }
}
