//! What happens to a disk, one event after the other, and what happens around it.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// A file, whatever its names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) u64);

/// One entry of a disk's log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Data(DataEvent),
    Name(NameEvent),
    /// Earlier data events of the file are durable.
    Sync(FileId),
    /// What was written since the last sync may be durable or lost, and later syncs don't cover it.
    SyncFailed(FileId),
    /// Earlier name events in the directory are durable.
    SyncDirectory(PathBuf),
    /// The test asked the device for something.
    Asked(usize),
    /// The device answered.
    Answered(usize),
}

/// A change to a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataEvent {
    pub(crate) file: FileId,
    pub(crate) change: DataChange,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DataChange {
    Write { offset: u64, bytes: Bytes },
    Truncate { bytes: u64 },
    PunchHole { offset: u64, bytes: u64 },
}

/// A change to a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameEvent {
    MakeDirectory(PathBuf),
    /// A file got a name: it was made, or linked.
    Add {
        path: PathBuf,
        file: FileId,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: FileId,
    },
    Remove {
        path: PathBuf,
        file: FileId,
    },
}

impl Event {
    /// Something that a crash can come before or after.
    pub(crate) fn is_on_disk(&self) -> bool {
        !matches!(self, Self::Asked(_) | Self::Answered(_))
    }
}

impl NameEvent {
    /// Whether syncing the directory makes the event durable.
    pub(crate) fn is_in(&self, directory: &Path) -> bool {
        let in_it = |path: &Path| path.parent() == Some(directory);
        match self {
            Self::MakeDirectory(path) | Self::Add { path, .. } | Self::Remove { path, .. } => in_it(path),
            Self::Rename { from, to, .. } => in_it(from) || in_it(to),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(DataEvent { file, change }) => write!(f, "{change:?} in {file:?}"),
            Self::Name(event) => write!(f, "{event:?}"),
            Self::Sync(file) => write!(f, "Sync {file:?}"),
            Self::SyncFailed(file) => write!(f, "SyncFailed {file:?}"),
            Self::SyncDirectory(directory) => write!(f, "SyncDirectory {}", directory.display()),
            Self::Asked(operation) => write!(f, "Asked {operation}"),
            Self::Answered(operation) => write!(f, "Answered {operation}"),
        }
    }
}

impl fmt::Debug for DataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { offset, bytes } => write!(f, "Write {} at {offset}", bytes.len()),
            Self::Truncate { bytes } => write!(f, "Truncate to {bytes}"),
            Self::PunchHole { offset, bytes } => write!(f, "PunchHole {bytes} at {offset}"),
        }
    }
}
