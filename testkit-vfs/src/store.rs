//! The file system as the VFS sees it: handles, and what the handles of one file share.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsqlite_vfs::{
    AccessMode, DeviceCharacteristics, FileKind, LockLevel, OpenAccess, OpenOptions, OpenRequest, OpenedFile,
    SyncOptions, VfsError, VfsErrorCode, VfsFile, VfsResult, VfsStore,
};

use crate::locks::{Busy, FileLocks, HandleId, LogLocks};
use crate::memory::SharedMemory;
use crate::{DatabaseFile, DatabaseFiles};

/// What belongs to one registered name.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) files: Arc<dyn DatabaseFiles>,
    shared: Mutex<HashMap<String, Arc<Shared>>>,
    handles: AtomicU64,
    /// Feeds SQLite's generator of random numbers.
    pub(crate) drawn: AtomicU64,
}

/// What all handles of one file have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    locks: Mutex<FileLocks>,
    pub(crate) log_locks: Mutex<LogLocks>,
    pub(crate) memory: Mutex<Option<SharedMemory>>,
    /// The handles that have mapped the memory.
    pub(crate) mapped: Mutex<Vec<HandleId>>,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) id: HandleId,
    pub(crate) shared: Arc<Shared>,
    file: Arc<dyn DatabaseFile>,
    /// Where to sync the directory once the file itself has been synced: for a new log.
    unsynced_name: Option<(Arc<dyn DatabaseFiles>, String)>,
    name_synced: AtomicBool,
}

/// The adapter's type level name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Store;

impl Volume {
    pub(crate) fn new(files: Arc<dyn DatabaseFiles>) -> Self {
        Self { files, shared: Mutex::default(), handles: AtomicU64::default(), drawn: AtomicU64::default() }
    }
}

impl VfsStore for Store {
    type File = Handle;
    type AppData = Volume;

    fn open_file(volume: &Volume, request: OpenRequest<'_>) -> VfsResult<OpenedFile<Handle>> {
        let options = request.options;
        let Some(path) = request.filename.map(|name| name.path().to_owned()) else {
            return Err(error(VfsErrorCode::CantOpen, "temporary files belong in memory"));
        };
        let existing = volume.files.open(&path);
        let (file, created) = match existing {
            Ok(_) if options.exclusive() => return Err(error(VfsErrorCode::CantOpen, "the file exists")),
            Ok(file) => (file, false),
            Err(failure) if failure.kind() == io::ErrorKind::NotFound && options.create() => {
                (volume.files.create(&path).map_err(|failure| told(&failure, VfsErrorCode::CantOpen))?, true)
            }
            Err(failure) => return Err(told(&failure, VfsErrorCode::CantOpen)),
        };
        let is_log =
            matches!(options.kind(), Some(FileKind::Wal | FileKind::MainJournal | FileKind::SuperJournal));
        let handle = Handle {
            id: HandleId(volume.handles.fetch_add(1, Ordering::Relaxed)),
            shared: locked(&volume.shared).entry(path.clone()).or_default().clone(),
            file,
            unsynced_name: (created && is_log).then(|| (volume.files.clone(), path)),
            name_synced: AtomicBool::default(),
        };
        Ok(OpenedFile { file: handle, access: OpenAccess::ReadWrite })
    }

    fn close_file(volume: &Volume, name: Option<&str>, file: Handle, _: OpenOptions) -> VfsResult<()> {
        locked(&file.shared.locks).lower(file.id, LockLevel::None);
        drop(file);
        if let Some(name) = name {
            let mut shared = locked(&volume.shared);
            if shared.get(name).is_some_and(|shared| Arc::strong_count(shared) == 1) {
                shared.remove(name);
            }
        }
        Ok(())
    }

    fn access(volume: &Volume, path: &str, _: AccessMode) -> VfsResult<bool> {
        volume.files.exists(path).map_err(|failure| told(&failure, VfsErrorCode::IoAccess))
    }

    fn full_pathname(_: &Volume, path: &str) -> VfsResult<String> {
        Ok(path.to_owned())
    }

    fn delete_file(volume: &Volume, path: &str, sync_dir: bool) -> VfsResult<()> {
        volume.files.remove(path).map_err(|failure| match failure.kind() {
            io::ErrorKind::NotFound => told(&failure, VfsErrorCode::IoDeleteNoEntry),
            _ => told(&failure, VfsErrorCode::IoDelete),
        })?;
        if sync_dir {
            let synced = volume.files.sync_directory_of(path);
            synced.map_err(|failure| told(&failure, VfsErrorCode::IoDirectorySync))?;
        }
        Ok(())
    }
}

impl VfsFile for Handle {
    fn device_characteristics(&self) -> DeviceCharacteristics {
        DeviceCharacteristics::POWERSAFE_OVERWRITE
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        self.file.read_at(buffer, offset).map_err(|failure| told(&failure, VfsErrorCode::IoRead))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        self.file.write_at(bytes, offset).map_err(|failure| told(&failure, VfsErrorCode::IoWrite))
    }

    fn truncate(&mut self, bytes: u64) -> VfsResult<()> {
        self.file.truncate(bytes).map_err(|failure| told(&failure, VfsErrorCode::IoTruncate))
    }

    fn sync(&mut self, _: SyncOptions) -> VfsResult<()> {
        // SQLite's own VFS tells even `ENOSPC` of a sync as a failed sync.
        self.file.sync().map_err(|failure| error(VfsErrorCode::IoSync, failure.to_string()))?;
        if let Some((files, path)) = &self.unsynced_name
            && !self.name_synced.swap(true, Ordering::Relaxed)
        {
            let synced = files.sync_directory_of(path);
            synced.map_err(|failure| told(&failure, VfsErrorCode::IoDirectorySync))?;
        }
        Ok(())
    }

    fn size(&self) -> VfsResult<u64> {
        self.file.bytes().map_err(|failure| told(&failure, VfsErrorCode::IoStat))
    }

    fn lock(&mut self, level: LockLevel) -> VfsResult<()> {
        let raised = locked(&self.shared.locks).raise(self.id, level);
        raised.map_err(|Busy| error(VfsErrorCode::Busy, "another connection has the lock"))
    }

    fn unlock(&mut self, level: LockLevel) -> VfsResult<()> {
        locked(&self.shared.locks).lower(self.id, level);
        Ok(())
    }

    fn check_reserved_lock(&self) -> VfsResult<bool> {
        Ok(locked(&self.shared.locks).is_reserved())
    }
}

/// A panic inside of a callback would end the process, so a poisoned lock is taken all the same.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(code: VfsErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> VfsError {
    VfsError::new(code, message.into())
}

fn told(failure: &io::Error, code: VfsErrorCode) -> VfsError {
    let code = if failure.kind() == io::ErrorKind::StorageFull { VfsErrorCode::Full } else { code };
    error(code, failure.to_string())
}
