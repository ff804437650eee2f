//! Accounts and containers.

use crate::metadata::UserMetadata;
use crate::name::ContainerName;
use crate::time::Timestamp;

/// What a container holds; exact, never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub objects: u64,
    pub bytes: u64,
}

/// An account. One that nobody has written to yet is empty, not missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    pub metadata: UserMetadata,
    /// `None`: nobody has written to the account yet.
    pub created: Option<Timestamp>,
    pub containers: u64,
    pub usage: Usage,
}

/// A container to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContainer {
    pub metadata: UserMetadata,
    pub claim: Claim,
}

/// How much the creator needs the name in the global bucket directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// S3: without it the bucket isn't made.
    Required,
    /// Swift: taken if nobody has it.
    IfFree,
}

/// Whether a container was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    New,
    /// It was there; its metadata has been merged with the new (Swift's PUT on a container).
    Existing,
}

/// A change of a container's metadata; items with an empty value are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerChange {
    pub metadata: UserMetadata,
}

/// A container, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    pub metadata: UserMetadata,
    pub created: Timestamp,
    pub modified: Timestamp,
}

/// A container in the listing of its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEntry {
    pub name: ContainerName,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub usage: Usage,
}
