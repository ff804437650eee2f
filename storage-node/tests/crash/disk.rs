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

use bytes::Bytes;

use crate::crash::SECTOR_BYTES;
use crate::event::{DataChange, DataEvent, Event, FileId, NameEvent};
use crate::tree::{Tree, position};

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
    victim: Option<Victim>,
    free_bytes: u64,
}

/// A disk that fails at the write, sync or change of a name with this number, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) number: u64,
    /// How many fail from there on.
    pub(crate) count: u64,
    pub(crate) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Nobody knows what is on disk now.
    Broken,
    /// `ENOSPC`: nothing was done, or only the beginning.
    Full,
    /// Syncs say that all is well, and what was written is lost all the same.
    Lying,
}

/// What it was that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Write,
    Hole,
    Sync,
    Name,
    SyncDirectory,
}

impl Disk {
    /// A disk with this content, whose root was `root`, and an empty log.
    pub(crate) fn new(content: &Tree, root: &Path) -> Arc<Self> {
        static DISKS: AtomicU64 = AtomicU64::new(0);
        let new_root = vfs::root_of(DISKS.fetch_add(1, Ordering::Relaxed));
        let mut tree = content.moved(root, &new_root);
        tree.drop_nameless();
        let next_file = tree.paths().map(|(_, file)| file.0 + 1).max().unwrap_or(0);
        let state = State {
            tree,
            log: Vec::new(),
            next_file,
            locked: HashSet::new(),
            failure: None,
            chances_to_fail: 0,
            victim: None,
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
        state.victim = None;
    }

    /// Whether the workload has come to the failure.
    pub(crate) fn is_past_failure(&self) -> bool {
        let state = self.lock();
        state.failure.is_some_and(|failure| state.chances_to_fail > failure.number)
    }

    /// What has failed first; `None`: nothing yet.
    pub(crate) fn victim(&self) -> Option<Victim> {
        self.lock().victim
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
        state.may_fail(Victim::SyncDirectory).map_err(FailureKind::error)?;
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
        let synced = state.may_fail(Victim::Sync);
        state.log.push(if synced.is_ok() { Event::Sync(file) } else { Event::SyncFailed(file) });
        match synced {
            Ok(()) | Err(FailureKind::Lying) => Ok(()),
            Err(kind) => Err(kind.error()),
        }
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
        self.may_fail(Victim::Name).map_err(FailureKind::error)?;
        self.tree.apply_name(&event);
        self.log.push(Event::Name(event));
        Ok(())
    }

    fn change(&mut self, file: FileId, change: DataChange) -> io::Result<()> {
        let failed = self.may_fail(match change {
            DataChange::Write { .. } | DataChange::Truncate { .. } => Victim::Write,
            DataChange::PunchHole { .. } => Victim::Hole,
        });
        let done = match (failed, change) {
            (Ok(()), change) => Some(change),
            (Err(_), DataChange::Write { offset, bytes }) => beginning_of(offset, &bytes),
            (Err(_), _) => None,
        };
        if let Some(change) = done {
            let event = DataEvent { file, change };
            self.tree.apply_data(&event);
            self.log.push(Event::Data(event));
        }
        failed.map_err(FailureKind::error)
    }

    fn may_fail(&mut self, victim: Victim) -> Result<(), FailureKind> {
        let number = self.chances_to_fail;
        self.chances_to_fail += 1;
        match self.failure {
            Some(failure) if failure.strikes(number, victim) => {
                self.victim.get_or_insert(victim);
                Err(failure.kind)
            }
            _ => Ok(()),
        }
    }
}

impl Failure {
    fn strikes(self, number: u64, victim: Victim) -> bool {
        let is_concerned = self.kind != FailureKind::Lying || victim == Victim::Sync;
        is_concerned && (self.number..self.number.saturating_add(self.count)).contains(&number)
    }
}

impl FailureKind {
    fn error(self) -> io::Error {
        match self {
            Self::Broken | Self::Lying => io::Error::other("simulated failure of the disk"),
            Self::Full => io::ErrorKind::StorageFull.into(),
        }
    }
}

impl Victim {
    /// Whether a device that this happened to can't be trusted any more.
    pub(crate) fn is_fatal(self, kind: FailureKind) -> bool {
        match (self, kind) {
            (Self::Write, FailureKind::Full) | (Self::Name | Self::Hole, _) | (_, FailureKind::Lying) => {
                false
            }
            // A full disk may show only at a sync, where space is allotted then.
            (Self::Sync | Self::SyncDirectory, _) | (Self::Write, FailureKind::Broken) => true,
        }
    }
}

/// The part of a failed write that may have been done all the same: whole sectors, about half of them.
fn beginning_of(offset: u64, bytes: &Bytes) -> Option<DataChange> {
    let middle = offset + bytes.len() as u64 / 2;
    let whole_sectors = position((middle - middle % SECTOR_BYTES as u64).saturating_sub(offset));
    (whole_sectors > 0).then(|| DataChange::Write { offset, bytes: bytes.slice(..whole_sectors) })
}
