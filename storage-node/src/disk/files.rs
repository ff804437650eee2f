//! The one way to segments and blob files: what the disk code asks of a file system.
//!
//! The index is SQLite's own business; it meets the same file system through a VFS,
//! which [`crate::DeviceOptions`] can name.

mod system;

use std::fmt;
use std::io;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

pub use system::SystemFiles;

/// A file system. Implemented by the operating system's and by simulated ones.
///
/// What is written is durable after [`DiskFile::sync`]; a name that was made, linked, renamed or removed is durable
/// after [`Files::sync_dir`] of its directory. Until then a crash may keep either state.
pub trait Files: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory, unless there is one.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a file that must not exist.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that must exist, to read and to write.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// The names in a directory, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Gives a file a second name, which must be free.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file another name, and takes that name from whatever had it. Only [`super::publish`] calls it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name; the space is free when the last name is gone.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
    /// How many bytes can still be written.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
    /// Takes a lock on a file, which is made if it isn't there; it lasts until the answer is dropped or the process
    /// dies. `WouldBlock`: somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// A file. All positions are given, so it can be shared between threads.
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    fn bytes(&self) -> io::Result<u64>;
    /// Writes all pieces one after the other from `offset` on, and lengthens the file where needed.
    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// The same, for many bytes that nobody is expected to read soon: they needn't be kept in memory.
    fn write_bulk(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.write_at(pieces, offset)
    }
    /// Fills the buffer. `UnexpectedEof`: the file is shorter.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Gives the space of a range back; it reads as zeros, and the file keeps its length.
    fn punch_hole(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Data and length are durable after `Ok`. After an error nothing is known, and asking again would lie.
    fn sync(&self) -> io::Result<()>;
}

/// Held until dropped.
pub trait FileLock: fmt::Debug + Send + Sync {}

/// A small file, whole.
pub fn read_whole(files: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    let file = files.open(path)?;
    let bytes = usize::try_from(file.bytes()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut content = vec![0; bytes];
    file.read_at(&mut content, 0)?;
    Ok(content)
}
