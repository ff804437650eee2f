//! A folder to work in: the server's data beside the files that clients send and receive.

use std::path::PathBuf;

use tempfile::TempDir;

/// Removed when dropped.
pub(crate) struct Work(TempDir);

impl Work {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// The server's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A new, empty folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the server logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data().with_extension("log")).expect("the server has a log")
    }
}
