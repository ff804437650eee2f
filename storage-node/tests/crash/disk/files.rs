//! The disk as the device sees it.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_storage_node::{DiskFile, FileLock, Files};

use super::Disk;
use crate::event::{DataChange, FileId, NameEvent};

/// The file system of a disk.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFiles(pub(crate) Arc<Disk>);

#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) disk: Arc<Disk>,
    pub(super) file: FileId,
}

#[derive(Debug)]
struct SimulatedLock {
    disk: Arc<Disk>,
    path: PathBuf,
}

impl SimulatedFiles {
    fn opened(&self, file: FileId) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile { disk: self.0.clone(), file })
    }
}

impl Files for SimulatedFiles {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let missing: Vec<_> = path.ancestors().take_while(|path| !state.tree.has_directory(path)).collect();
        missing.into_iter().rev().try_for_each(|path| state.name(NameEvent::MakeDirectory(path.to_owned())))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.opened(self.0.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.opened(self.0.find(path)?))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.lock().tree.list(directory)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.tree.find(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.tree.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.name(NameEvent::Add { path: to.to_owned(), file })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let file = state.tree.find(from).ok_or(io::ErrorKind::NotFound)?;
        state.name(NameEvent::Rename { from: from.to_owned(), to: to.to_owned(), file })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.0.sync_directory(directory)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.lock().free_bytes)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        if let Err(error) = self.0.create(path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        if !self.0.lock().locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock { disk: self.0.clone(), path: path.to_owned() }))
    }
}

impl DiskFile for SimulatedFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.bytes(self.file))
    }

    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.disk.change(self.file, DataChange::Write { offset, bytes: bytes.into() })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let wanted = buffer.len();
        if self.disk.read(self.file, buffer, offset) < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.disk.change(self.file, DataChange::Truncate { bytes })
    }

    fn punch_hole(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.disk.change(self.file, DataChange::PunchHole { offset, bytes })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync(self.file)
    }
}

impl FileLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.lock().locked.remove(&self.path);
    }
}
