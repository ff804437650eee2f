//! The one door to durable names.

use std::io::{self, IoSlice};
use std::path::Path;

use super::files::{DiskFile, Files};

/// Puts a whole small file in the place of `target`. After `Ok` it survives a power cut;
/// a crash before that leaves the old file or the new one, never a part.
pub fn replace(files: &dyn Files, target: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(target)?;
    let draft = target.with_extension("draft");
    if let Err(error) = files.unlink(&draft)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let file = files.create(&draft)?;
    file.write_at(&[IoSlice::new(content)], 0)?;
    file.sync()?;
    files.rename(&draft, target)?;
    files.sync_dir(directory)
}

/// Makes a staged file known under its final name as well. After `Ok` its bytes and both names survive a power cut.
///
/// The staged name goes only after the file's index row is durable. So whatever a crash leaves behind has its name in
/// the staging directory, and a start finds it there without looking through all blobs.
pub fn link(files: &dyn Files, file: &dyn DiskFile, staged: &Path, target: &Path) -> io::Result<()> {
    file.sync()?;
    files.sync_dir(directory_of(staged)?)?;
    match files.link(staged, target) {
        // Somebody else is storing the same blob. Theirs is synced, but perhaps not yet its name.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    files.sync_dir(directory_of(target)?)
}

/// The same in the place of whatever bears the final name: that is there until the new file is.
///
/// `second` is a name in the staging directory that nobody else uses; the staged name stays, for the same reason.
pub fn link_over(
    files: &dyn Files,
    file: &dyn DiskFile,
    (staged, second): (&Path, &Path),
    target: &Path,
) -> io::Result<()> {
    file.sync()?;
    files.link(staged, second)?;
    files.sync_dir(directory_of(staged)?)?;
    files.rename(second, target)?;
    files.sync_dir(directory_of(target)?)
}

fn directory_of(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
