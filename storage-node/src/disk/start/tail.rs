//! Where the newest segment ends.

use std::io;
use std::sync::Arc;

use super::OpenError;
use crate::disk::files::{DiskFile, Files};
use crate::disk::index::state::DeviceState;
use crate::disk::layout::Layout;
use crate::disk::segment::{ALIGNMENT_BYTES, Segments, Tail, surviving_record};

/// Read at once of what lies behind the end: mostly zeros that were written ahead.
const READ_AT_ONCE_BYTES: usize = 64 * RECORD_STEP_BYTES;

/// Records begin at multiples of this.
const RECORD_STEP_BYTES: usize = 4096;
const _: () = assert!(RECORD_STEP_BYTES as u64 == ALIGNMENT_BYTES);

/// Cuts off what was written after the last transaction, and says where the next record goes.
///
/// The index alone says where a segment ends; a damaged record is never taken for its end.
/// What lies behind that end was being written when the device stopped, or shows that the index has lost transactions.
pub(super) fn recover(
    files: &dyn Files,
    layout: &Layout,
    segments: &Segments,
    state: &DeviceState,
) -> Result<(Tail, Option<Arc<dyn DiskFile>>), OpenError> {
    let in_vain = |source| OpenError::File { action: "look through the segments", source };
    let tail = state.tail;
    remove_newer(files, layout, segments, state)?;
    let file = match segments.file(tail.segment) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if tail.end > 0 {
                tracing::error!(segment = tail.segment, "a segment is missing; what was in it can't be read");
            }
            return Ok((tail, None));
        }
        Err(error) => return Err(in_vain(error)),
    };
    let bytes = file.bytes().map_err(in_vain)?;
    if bytes < tail.end {
        tracing::error!(
            segment = tail.segment,
            bytes,
            expected = tail.end,
            "a segment is cut off; it isn't continued"
        );
        return Ok((tail, None));
    }
    check_survivors(file.as_ref(), tail.end, state.commits)?;
    if bytes > tail.end {
        file.truncate(tail.end).map_err(in_vain)?;
    }
    Ok((tail, Some(file)))
}

/// A segment that no transaction has mentioned yet.
fn remove_newer(
    files: &dyn Files,
    layout: &Layout,
    segments: &Segments,
    state: &DeviceState,
) -> Result<(), OpenError> {
    let in_vain = |source| OpenError::File { action: "look through the segments", source };
    for name in files.list(&layout.segments()).map_err(in_vain)? {
        let Ok(number) = u32::from_str_radix(&name, 16) else { continue };
        if number > state.tail.segment {
            check_survivors(segments.file(number).map_err(in_vain)?.as_ref(), 0, state.commits)?;
            segments.unlink(number).map_err(in_vain)?;
        }
    }
    Ok(())
}

fn check_survivors(file: &dyn DiskFile, from: u64, commits: u64) -> Result<(), OpenError> {
    let in_vain = |source| OpenError::File { action: "look through the segments", source };
    let end = file.bytes().map_err(in_vain)?;
    let mut at = from;
    while at < end {
        let mut piece = vec![0; READ_AT_ONCE_BYTES.min(usize::try_from(end - at).unwrap_or(usize::MAX))];
        file.read_at(&mut piece, at).map_err(in_vain)?;
        let mut records = piece.chunks(RECORD_STEP_BYTES).filter_map(surviving_record);
        if records.any(|commits_before| commits_before > commits) {
            return Err(OpenError::ChangesLost("a segment has seen more transactions than the index"));
        }
        at += piece.len() as u64;
    }
    Ok(())
}
