//! SQLite on a file system of ours: lets a test put a database on a simulated disk.
//!
//! A test implements [`DatabaseFiles`] in safe code and registers it under a name, which `rusqlite` can open
//! databases by. Locks and the shared memory of write-ahead logging are kept here, for connections of one process.
//!
//! It behaves as SQLite's own VFS for Unix does where that matters for crashes: it promises powersafe overwrites,
//! syncs the directory with the first sync of a new log, and syncs it after a removal when SQLite asks for it.
//!
//! **Invariant:** nothing here is linked into the server; it is a dev-dependency only.

mod callbacks;
mod locks;
mod memory;
mod store;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use rsqlite_vfs::RegisterVfsError;

/// The file system that SQLite is to use. Paths are what the database was opened by, and companions of it.
pub trait DatabaseFiles: fmt::Debug + Send + Sync + 'static {
    fn exists(&self, path: &str) -> io::Result<bool>;
    /// Makes a file that must not exist.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>>;
    /// Opens a file. `NotFound`: there is none.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>>;
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes names in the directory of a file durable.
    fn sync_directory_of(&self, path: &str) -> io::Result<()>;
}

/// A file. `StorageFull` is told to SQLite as such, any other error as a failure of the disk.
pub trait DatabaseFile: fmt::Debug + Send + Sync {
    fn bytes(&self) -> io::Result<u64>;
    /// Fills as much of the buffer as there is, and answers how much that is.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

/// Makes `files` known to SQLite under `name`, for as long as the process lives.
pub fn register(name: &str, files: Arc<dyn DatabaseFiles>) -> Result<(), RegisterVfsError> {
    callbacks::register(name, store::Volume::new(files))
}
