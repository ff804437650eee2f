//! What can go wrong on a disk.

use std::io;

use martlet_protocol::ReplicaError;

/// Why the disk didn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Stored bytes don't match their checksum, or can't be read.
    #[error("{what}: {why}")]
    Damaged { what: String, why: String },
    /// The space ran out, and everything that was begun has been undone.
    #[error("no space is left")]
    Full,
    /// A file couldn't be written, synced or named.
    #[error("can't {action}")]
    File { action: &'static str, source: io::Error },
    #[error("the index can't be read or written")]
    Index(#[from] rusqlite::Error),
}

impl DiskError {
    pub fn damaged(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), why: why.into() }
    }

    /// `NoSpace` isn't a fault of the disk, unless a sync says so.
    pub fn of_write(action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::File { action, source },
        }
    }

    pub fn of_sync(action: &'static str, source: io::Error) -> Self {
        Self::File { action, source }
    }

    /// An index that is full can be used again once the transaction is rolled back.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Index(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Damaged { .. } | Self::File { .. } => false,
        }
    }

    /// What a read that failed so tells its client: what can't be read is damaged.
    pub fn of_read(&self) -> ReplicaError {
        match self {
            Self::Damaged { .. } | Self::Index(_) | Self::File { .. } => {
                ReplicaError::Damaged(self.with_sources())
            }
            Self::Full => ReplicaError::Full,
        }
    }

    /// The error and what caused it, in one line.
    pub fn with_sources(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
