//! Giving space back, after the index has forgotten what was there.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::error::DiskError;
use super::files::Files;
use super::index::garbage::{Freed, FreedSpace};
use super::layout::Layout;
use super::segment::Segments;

/// Punches holes and removes files, durably, and answers the numbers of what is given back.
///
/// What couldn't be given back stays noted. Only a failed sync is an error: after it nothing is known.
pub fn give_back(
    files: &dyn Files,
    layout: &Layout,
    segments: &Segments,
    freed: &[Freed],
) -> Result<Vec<i64>, DiskError> {
    let (mut given, mut directories, mut holed) = (Vec::new(), BTreeSet::<PathBuf>::new(), BTreeSet::new());
    for Freed { number, space } in freed {
        let outcome = match space {
            FreedSpace::File(id) => {
                directories.insert(layout.blob_directory(id.0[15]));
                files.unlink(&layout.blob(*id))
            }
            FreedSpace::Extent(extent) => {
                holed.insert(extent.segment);
                segments.punch(*extent)
            }
            FreedSpace::Segment(segment) => {
                directories.insert(layout.segments());
                segments.unlink(*segment)
            }
        };
        match outcome {
            Ok(()) => given.push(*number),
            // A file system without holes keeps the space until the whole segment is dead.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Unsupported) => {
                given.push(*number);
            }
            Err(error) => tracing::warn!(?space, %error, "space can't be given back yet"),
        }
    }
    let synced = directories.iter().try_for_each(|directory| files.sync_dir(directory));
    synced.map_err(|error| DiskError::of_sync("sync a directory", error))?;
    for segment in holed {
        match segments.file(segment) {
            Ok(file) => file.sync().map_err(|error| DiskError::of_sync("sync a segment", error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DiskError::of_sync("open a segment", error)),
        }
    }
    Ok(given)
}
