//! A file system that does as it is told: holds up syncs, or fails.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use martlet_storage_node::{DiskFile, FileLock, Files, SystemFiles};

/// The system's file system, behind switches.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyFiles(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    hold_syncs: bool,
    syncs_held: usize,
    fail_syncs: bool,
    fail_writes: Option<io::ErrorKind>,
    free_bytes: Option<u64>,
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    switches: Arc<Switches>,
}

impl FaultyFiles {
    /// Syncs of files don't come back until they are released.
    pub(crate) fn hold_syncs(&self) {
        self.0.state.lock().unwrap().hold_syncs = true;
    }

    pub(crate) fn release_syncs(&self) {
        self.0.state.lock().unwrap().hold_syncs = false;
        self.0.changed.notify_all();
    }

    pub(crate) fn wait_for_held_sync(&self) {
        let state = self.0.state.lock().unwrap();
        drop(self.0.changed.wait_while(state, |state| state.syncs_held == 0).unwrap());
    }

    pub(crate) fn fail_syncs(&self) {
        self.0.state.lock().unwrap().fail_syncs = true;
    }

    pub(crate) fn fail_writes(&self, kind: Option<io::ErrorKind>) {
        self.0.state.lock().unwrap().fail_writes = kind;
    }

    pub(crate) fn set_free_bytes(&self, bytes: u64) {
        self.0.state.lock().unwrap().free_bytes = Some(bytes);
    }

    fn wrapped(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { file, switches: self.0.clone() })
    }
}

impl Switches {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.syncs_held += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.hold_syncs).unwrap();
        state.syncs_held -= 1;
        if state.fail_syncs { Err(io::Error::other("the cable is out")) } else { Ok(()) }
    }
}

impl Files for FaultyFiles {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        SystemFiles.create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrapped(SystemFiles.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrapped(SystemFiles.open(path)?))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        SystemFiles.list(directory)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        SystemFiles.unlink(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        SystemFiles.sync_dir(directory)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let free_bytes = self.0.state.lock().unwrap().free_bytes;
        free_bytes.map_or_else(|| SystemFiles.free_bytes(directory), Ok)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        SystemFiles.lock(path)
    }
}

impl DiskFile for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let fail_writes = self.switches.state.lock().unwrap().fail_writes;
        fail_writes.map_or_else(|| self.file.write_at(pieces, offset), |kind| Err(kind.into()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }

    fn punch_hole(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.punch_hole(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.switches.sync()?;
        self.file.sync()
    }
}
