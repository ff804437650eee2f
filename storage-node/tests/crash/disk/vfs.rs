//! The disk as SQLite sees it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use martlet_testkit_vfs::{DatabaseFile, DatabaseFiles, register};

use super::Disk;
use super::files::SimulatedFile;
use crate::event::DataChange;

/// The name of the VFS through which all simulated disks are reached: the path says which.
pub(crate) const VFS: &str = "simulated";

/// Where the disk with this number has its root.
pub(super) fn root_of(number: u64) -> PathBuf {
    PathBuf::from(format!("/simulated/{number}"))
}

/// Lets SQLite find a disk, for as long as there is one.
pub(super) fn mount(disk: &Arc<Disk>) {
    static MOUNTED: LazyLock<Arc<Mounted>> = LazyLock::new(|| {
        let mounted = Arc::new(Mounted::default());
        register(VFS, mounted.clone()).expect("the name is free");
        mounted
    });
    let mut disks = MOUNTED.disks.lock().unwrap_or_else(PoisonError::into_inner);
    disks.retain(|_, disk| disk.strong_count() > 0);
    disks.insert(disk.root.clone(), Arc::downgrade(disk));
}

#[derive(Debug, Default)]
struct Mounted {
    disks: Mutex<HashMap<PathBuf, Weak<Disk>>>,
}

impl Mounted {
    fn disk_of(&self, path: &str) -> io::Result<Arc<Disk>> {
        let root = Path::new(path).ancestors().nth(1).ok_or(io::ErrorKind::NotFound)?;
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        disks.get(root).and_then(Weak::upgrade).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl DatabaseFiles for Mounted {
    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.disk_of(path)?.find(Path::new(path)).is_ok())
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>> {
        let disk = self.disk_of(path)?;
        let file = disk.create(Path::new(path))?;
        Ok(Arc::new(SimulatedFile { disk, file }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>> {
        let disk = self.disk_of(path)?;
        let file = disk.find(Path::new(path))?;
        Ok(Arc::new(SimulatedFile { disk, file }))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk_of(path)?.remove(Path::new(path))
    }

    fn sync_directory_of(&self, path: &str) -> io::Result<()> {
        let directory = Path::new(path).parent().ok_or(io::ErrorKind::NotFound)?;
        self.disk_of(path)?.sync_directory(directory)
    }
}

impl DatabaseFile for SimulatedFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.bytes(self.file))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.disk.read(self.file, buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.change(self.file, DataChange::Write { offset, bytes: bytes.to_vec().into() })
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.disk.change(self.file, DataChange::Truncate { bytes })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync(self.file)
    }
}
