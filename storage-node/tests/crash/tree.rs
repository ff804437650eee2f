//! Directories, names and bytes: a file system without a memory of how it came to be.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::event::{DataChange, DataEvent, FileId, NameEvent};

/// A file system. Cloning it is cheap: files are copied when they change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    directories: BTreeMap<PathBuf, BTreeMap<String, FileId>>,
    files: BTreeMap<FileId, Arc<Vec<u8>>>,
}

impl Tree {
    /// Nothing but an empty directory.
    pub(crate) fn with_root(root: &Path) -> Self {
        let directories = BTreeMap::from([(root.to_owned(), BTreeMap::new())]);
        Self { directories, files: BTreeMap::new() }
    }

    pub(crate) fn has_directory(&self, path: &Path) -> bool {
        self.directories.contains_key(path)
    }

    pub(crate) fn find(&self, path: &Path) -> Option<FileId> {
        let (directory, name) = split(path)?;
        self.directories.get(directory)?.get(name).copied()
    }

    pub(crate) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let names = self.directories.get(directory).ok_or(io::ErrorKind::NotFound)?;
        Ok(names.keys().cloned().collect())
    }

    /// Every file by its path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (PathBuf, FileId)> {
        let names = |(directory, names): (&PathBuf, &BTreeMap<String, FileId>)| {
            names.iter().map(|(name, file)| (directory.join(name), *file)).collect::<Vec<_>>()
        };
        self.directories.iter().flat_map(names)
    }

    /// Empty for a file that nothing was ever written to.
    pub(crate) fn content(&self, file: FileId) -> &[u8] {
        self.files.get(&file).map_or(&[], |content| content)
    }

    pub(crate) fn set_content(&mut self, file: FileId, content: Vec<u8>) {
        self.files.insert(file, Arc::new(content));
    }

    pub(crate) fn apply_data(&mut self, event: &DataEvent) {
        let content = Arc::make_mut(self.files.entry(event.file).or_default());
        match &event.change {
            DataChange::Write { offset, bytes } => {
                let start = position(*offset);
                let end = start + bytes.len();
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(bytes);
            }
            DataChange::Truncate { bytes } => content.resize(position(*bytes), 0),
            DataChange::PunchHole { offset, bytes } => {
                let start = position(*offset).min(content.len());
                let end = position(*offset + *bytes).min(content.len());
                content[start..end].fill(0);
            }
        }
    }

    /// An event in a directory that isn't there, because it was lost in a crash, is lost with it.
    pub(crate) fn apply_name(&mut self, event: &NameEvent) {
        match event {
            NameEvent::MakeDirectory(path) => {
                if path.parent().is_some_and(|parent| self.has_directory(parent)) {
                    self.directories.entry(path.clone()).or_default();
                }
            }
            NameEvent::Add { path, file } => self.add(path, *file),
            NameEvent::Rename { from, to, file } => {
                self.remove(from, *file);
                self.add(to, *file);
            }
            NameEvent::Remove { path, file } => self.remove(path, *file),
        }
    }

    pub(crate) fn remove_name(&mut self, path: &Path) {
        if let Some(file) = self.find(path) {
            self.remove(path, file);
        }
    }

    /// Forgets the bytes of files that have lost all their names.
    pub(crate) fn drop_nameless(&mut self) {
        let named: BTreeSet<FileId> = self.paths().map(|(_, file)| file).collect();
        self.files.retain(|file, _| named.contains(file));
    }

    /// The same files below another root.
    pub(crate) fn moved(&self, from: &Path, to: &Path) -> Self {
        let moved = |path: &PathBuf| to.join(path.strip_prefix(from).expect("everything is below the root"));
        let directories = self.directories.iter().map(|(path, names)| (moved(path), names.clone())).collect();
        Self { directories, files: self.files.clone() }
    }

    fn add(&mut self, path: &Path, file: FileId) {
        let Some((directory, name)) = split(path) else { return };
        if let Some(names) = self.directories.get_mut(directory) {
            names.insert(name.to_owned(), file);
        }
    }

    fn remove(&mut self, path: &Path, file: FileId) {
        let Some((directory, name)) = split(path) else { return };
        if let Some(names) = self.directories.get_mut(directory)
            && names.get(name) == Some(&file)
        {
            names.remove(name);
        }
    }
}

pub(crate) fn position(bytes: u64) -> usize {
    usize::try_from(bytes).expect("simulated files are small")
}

fn split(path: &Path) -> Option<(&Path, &str)> {
    Some((path.parent()?, path.file_name()?.to_str()?))
}
