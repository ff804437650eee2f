//! The simulated disk: one file system for all files of a device, which logs what happens to it.
//!
//! The device reaches it through [`SimulatedFiles`], and SQLite through the VFS [`VFS`]; both see the same bytes.
//! It can be told to fail: see [`Failure`].

mod files;
mod vfs;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{DataChange, DataEvent, Event, FileId, NameEvent};
use crate::tree::Tree;

pub(crate) use files::SimulatedFiles;
pub(crate) use vfs::VFS;

/// What the disk says is free while nothing limits it.
const FREE_BYTES: u64 = 1 << 40;

/// One disk. Everything is below its root, which differs from that of every other disk.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// As the operating system shows it: what was written is there, synced or not.
    tree: Tree,
    log: Vec<Event>,
    next_file: u64,
    locked: HashSet<PathBuf>,
    failure: Option<Failure>,
    /// What can fail, counted.
    chances_to_fail: u64,
    failed: bool,
    free_bytes: u64,
}

/// A disk that fails once: the write, sync or change of a name with this number, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) number: u64,
    pub(crate) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Nobody knows what is on disk now.
    Broken,
    /// `ENOSPC`: nothing was done, or only the beginning.
    Full,
}

impl Disk {
    /// A disk with this content, whose root was `root`, and an empty log.
    pub(crate) fn new(content: &Tree, root: &Path) -> Arc<Self> {
        static DISKS: AtomicU64 = AtomicU64::new(0);
        let new_root = vfs::root_of(DISKS.fetch_add(1, Ordering::Relaxed));
        let tree = content.moved(root, &new_root);
        let next_file = tree.paths().map(|(_, file)| file.0 + 1).max().unwrap_or(0);
        let state = State {
            tree,
            log: Vec::new(),
            next_file,
            locked: HashSet::new(),
            failure: None,
            chances_to_fail: 0,
            failed: false,
            free_bytes: FREE_BYTES,
        };
        let disk = Arc::new(Self { root: new_root, state: Mutex::new(state) });
        vfs::mount(&disk);
        disk
    }

    pub(crate) fn empty() -> Arc<Self> {
        let root = Path::new("/");
        Self::new(&Tree::with_root(root), root)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the operating system shows now.
    pub(crate) fn tree(&self) -> Tree {
        self.lock().tree.clone()
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.lock().log.clone()
    }

    /// Notes in the log what happens around the disk.
    pub(crate) fn note(&self, event: Event) {
        self.lock().log.push(event);
    }

    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        state.failure = Some(failure);
        state.chances_to_fail = 0;
        state.failed = false;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// How often it could have failed since [`Disk::fail`].
    pub(crate) fn chances_to_fail(&self) -> u64 {
        self.lock().chances_to_fail
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, path: &Path) -> io::Result<FileId> {
        let mut state = self.lock();
        if state.tree.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = FileId(state.next_file);
        state.next_file += 1;
        state.name(NameEvent::Add { path: path.to_owned(), file })?;
        Ok(file)
    }

    fn find(&self, path: &Path) -> io::Result<FileId> {
        self.lock().tree.find(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let file = state.tree.find(path).ok_or(io::ErrorKind::NotFound)?;
        state.name(NameEvent::Remove { path: path.to_owned(), file })
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if !state.tree.has_directory(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.may_fail().map_err(FailureKind::of_sync)?;
        state.log.push(Event::SyncDirectory(directory.to_owned()));
        Ok(())
    }

    fn bytes(&self, file: FileId) -> u64 {
        self.lock().tree.content(file).len() as u64
    }

    fn change(&self, file: FileId, change: DataChange) -> io::Result<()> {
        self.lock().change(file, change)
    }

    fn sync(&self, file: FileId) -> io::Result<()> {
        let mut state = self.lock();
        if let Err(kind) = state.may_fail() {
            state.log.push(Event::SyncFailed(file));
            return Err(kind.of_sync());
        }
        state.log.push(Event::Sync(file));
        Ok(())
    }

    /// Reads what is there, and answers how much that is.
    fn read(&self, file: FileId, buffer: &mut [u8], offset: u64) -> usize {
        let state = self.lock();
        let content = state.tree.content(file);
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        count
    }
}

impl State {
    fn name(&mut self, event: NameEvent) -> io::Result<()> {
        self.may_fail().map_err(FailureKind::of_write)?;
        self.tree.apply_name(&event);
        self.log.push(Event::Name(event));
        Ok(())
    }

    fn change(&mut self, file: FileId, change: DataChange) -> io::Result<()> {
        let failed = self.may_fail();
        let done = match (failed, change) {
            (Ok(()), change) => Some(change),
            // A part may have been written all the same.
            (Err(_), DataChange::Write { offset, bytes }) if bytes.len() > 1 => {
                Some(DataChange::Write { offset, bytes: bytes.slice(..bytes.len() / 2) })
            }
            (Err(_), _) => None,
        };
        if let Some(change) = done {
            let event = DataEvent { file, change };
            self.tree.apply_data(&event);
            self.log.push(Event::Data(event));
        }
        failed.map_err(FailureKind::of_write)
    }

    fn may_fail(&mut self) -> Result<(), FailureKind> {
        let number = self.chances_to_fail;
        self.chances_to_fail += 1;
        match self.failure {
            Some(failure) if failure.number == number => {
                self.failed = true;
                Err(failure.kind)
            }
            _ => Ok(()),
        }
    }
}

impl FailureKind {
    fn of_write(self) -> io::Error {
        match self {
            Self::Broken => io::Error::other("simulated failure of the disk"),
            Self::Full => io::ErrorKind::StorageFull.into(),
        }
    }

    /// A full disk shows at a sync as well, where space is only allotted then.
    fn of_sync(self) -> io::Error {
        self.of_write()
    }
}
