//! Accounts and containers.

use crate::metadata::UserMetadata;
use crate::name::ContainerName;
use crate::settings::{Settings, SettingsChange};
use crate::time::Timestamp;
use crate::version::Versioning;

/// What a container holds; exact, never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Current objects: older versions and delete markers don't count.
    pub objects: u64,
    /// What current objects and older versions store.
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
    pub settings: SettingsChange,
    /// `None`: as it is, off at first.
    pub versioning: Option<Versioning>,
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
    /// It was there; its metadata has been merged with the new, and its settings changed (Swift's PUT on a container).
    /// Swift's way, with [`Claim::IfFree`], moves its date even where nothing has changed.
    Existing,
}

/// A change of a container; metadata items with an empty value are removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerChange {
    pub metadata: UserMetadata,
    pub settings: SettingsChange,
    /// `None`: as it is. Asking for `Off` is refused once it has been anything else.
    pub versioning: Option<Versioning>,
}

/// A container, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    pub metadata: UserMetadata,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub settings: Settings,
    pub versioning: Versioning,
}

/// A container in the listing of its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEntry {
    pub name: ContainerName,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub usage: Usage,
}
