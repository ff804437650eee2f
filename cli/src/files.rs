//! Small files that must be whole.

use std::io;
use std::path::{Path, PathBuf};

use martlet_ring::Ring;
use martlet_storage_node::SystemFiles;
use martlet_storage_node::disk::publish;

use crate::secrets::{ClusterFile, ClusterFileError};

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("can't {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} can't be used", path.display())]
    Cluster { path: PathBuf, source: ClusterFileError },
    #[error("{} can't be used", path.display())]
    Ring { path: PathBuf, source: martlet_ring::FileError },
    #[error("{} can't be written", path.display())]
    Render { path: PathBuf, source: toml::ser::Error },
}

/// Puts a file in place durably, whole or not at all. The process's umask keeps it from other users.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    // Of a bare name, the folder is the one that the process is in.
    let is_bare = path.parent().is_some_and(|folder| folder.as_os_str().is_empty());
    let target = if is_bare { &Path::new(".").join(path) } else { path };
    publish::replace(&SystemFiles, target, content).map_err(in_vain("write", path))
}

/// Makes a folder, and those above it that are missing.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(in_vain("make", path))
}

pub(crate) fn read_cluster(path: &Path) -> Result<ClusterFile, FileError> {
    let text = std::fs::read_to_string(path).map_err(in_vain("read", path))?;
    ClusterFile::parse(&text).map_err(|source| FileError::Cluster { path: path.to_owned(), source })
}

pub(crate) fn write_cluster(path: &Path, cluster: &ClusterFile) -> Result<(), FileError> {
    let text = cluster.render().map_err(|source| FileError::Render { path: path.to_owned(), source })?;
    write(path, text.as_bytes())
}

pub(crate) fn read_ring(path: &Path) -> Result<Ring, FileError> {
    let bytes = std::fs::read(path).map_err(in_vain("read", path))?;
    Ring::from_bytes(&bytes).map_err(|source| FileError::Ring { path: path.to_owned(), source })
}

pub(crate) fn write_ring(path: &Path, ring: &Ring) -> Result<(), FileError> {
    write(path, &ring.to_bytes())
}

impl FileError {
    /// Is it just that there is no such file?
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

pub(crate) fn in_vain(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::File { action, path, source }
}
