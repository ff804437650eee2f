//! Planted faults: logs as they would be if the device, SQLite or the disk did something wrong.
//!
//! A harness that doesn't find them shows nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::drive::Recording;
use crate::event::{Event, FileId, NameEvent};

/// Something that is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Files of a kind aren't synced.
    Unsynced(Kind),
    /// Directories of a kind aren't synced.
    UnsyncedNames(Directory),
    /// The index's log is synced before the bodies that its rows refer to.
    CommitBeforeBodies,
    /// The answer is given before the commit is synced.
    AnswerBeforeCommit,
    /// The index's log is emptied before the index is synced.
    LogEmptiedBeforeIndex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    BlobFile,
    IndexLog,
    /// What is renamed to `open` and `device.toml`.
    Draft,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directory {
    Root,
    Segments,
    Staging,
    /// Where blob files have their final names.
    Blobs,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Unsynced(Kind::Segment),
        Self::Unsynced(Kind::BlobFile),
        Self::Unsynced(Kind::IndexLog),
        Self::Unsynced(Kind::Draft),
        Self::UnsyncedNames(Directory::Root),
        Self::UnsyncedNames(Directory::Segments),
        Self::UnsyncedNames(Directory::Staging),
        Self::UnsyncedNames(Directory::Blobs),
        Self::CommitBeforeBodies,
        Self::AnswerBeforeCommit,
        Self::LogEmptiedBeforeIndex,
    ];

    /// The same run, done wrong.
    pub(crate) fn plant(self, recording: &Recording, root: &Path) -> Recording {
        let first_names = first_names(&recording.log);
        let kind = |file: &FileId| first_names.get(file).and_then(|path| Kind::of(path, root));
        let is_of = |file: &FileId, wanted| kind(file) == Some(wanted);
        let (making, using) = recording.log.split_at(self.first_event(recording));
        let log = using.iter().cloned().enumerate().map(|(number, event)| (making.len() + number, event));
        let log: Vec<(usize, Event)> = match self {
            Self::Unsynced(wanted) => {
                log.filter(|(_, event)| !matches!(event, Event::Sync(file) if is_of(file, wanted))).collect()
            }
            Self::UnsyncedNames(wanted) => {
                let is_in = |path: &Path| Directory::of(path, root) == Some(wanted);
                log.filter(|(_, event)| !matches!(event, Event::SyncDirectory(path) if is_in(path))).collect()
            }
            Self::CommitBeforeBodies => delayed(
                log.collect(),
                |event| matches!(event, Event::Sync(file) if is_of(file, Kind::Segment)),
                |event| matches!(event, Event::Sync(file) if is_of(file, Kind::IndexLog)),
            ),
            Self::AnswerBeforeCommit => delayed(
                log.collect(),
                |event| matches!(event, Event::Sync(file) if is_of(file, Kind::IndexLog)),
                |event| matches!(event, Event::Answered(_)),
            ),
            Self::LogEmptiedBeforeIndex => {
                let is_index = |file: &FileId| first_names.get(file) == Some(&root.join("index.db"));
                log.filter(|(_, event)| !matches!(event, Event::Sync(file) if is_index(file))).collect()
            }
        };
        let made = log.iter().take_while(|(number, _)| *number < recording.created).count();
        let created = making.len() + made;
        let log = making.iter().cloned().chain(log.into_iter().map(|(_, event)| event)).collect();
        Recording { plan: recording.plan.clone(), log, created, answers: recording.answers.clone() }
    }
}

impl Fault {
    /// Most are only done wrong once the device has been made: else all would be found by the making alone.
    pub(crate) fn first_event(self, recording: &Recording) -> usize {
        match self {
            Self::Unsynced(Kind::Draft) | Self::UnsyncedNames(Directory::Root) => 0,
            _ => recording.created,
        }
    }
}

impl Kind {
    fn of(path: &Path, root: &Path) -> Option<Self> {
        let (directory, name) = (path.parent()?, path.file_name()?.to_str()?);
        match Directory::of(directory, root)? {
            Directory::Segments => Some(Self::Segment),
            Directory::Staging | Directory::Blobs => Some(Self::BlobFile),
            Directory::Root if name == "index.db-wal" => Some(Self::IndexLog),
            Directory::Root if path.extension().is_some_and(|extension| extension == "draft") => {
                Some(Self::Draft)
            }
            Directory::Root => None,
        }
    }
}

impl Directory {
    fn of(path: &Path, root: &Path) -> Option<Self> {
        let below = path.strip_prefix(root).ok()?.to_str()?;
        match below.split('/').next()? {
            "" => Some(Self::Root),
            "segments" => Some(Self::Segments),
            "staging" => Some(Self::Staging),
            "blobs" => Some(Self::Blobs),
            _ => None,
        }
    }
}

/// Moves each event of one kind behind the next one of the other.
fn delayed(
    log: Vec<(usize, Event)>,
    is_early: impl Fn(&Event) -> bool,
    is_late: impl Fn(&Event) -> bool,
) -> Vec<(usize, Event)> {
    let (mut waiting, mut moved) = (Vec::new(), Vec::with_capacity(log.len()));
    for entry in log {
        if is_early(&entry.1) {
            waiting.push(entry);
            continue;
        }
        let is_late = is_late(&entry.1);
        moved.push(entry);
        if is_late {
            moved.append(&mut waiting);
        }
    }
    moved.append(&mut waiting);
    moved
}

/// The path under which each file was made.
fn first_names(log: &[Event]) -> BTreeMap<FileId, PathBuf> {
    let mut names = BTreeMap::new();
    for event in log {
        if let Event::Name(NameEvent::Add { path, file }) = event {
            names.entry(*file).or_insert_with(|| path.clone());
        }
    }
    names
}
