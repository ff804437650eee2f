//! The operating system's file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::FallocateFlags;

use super::{DiskFile, FileLock, Files};

/// The pieces that the kernel takes in one call (`IOV_MAX`).
const PIECES_MAX: usize = 1024;

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFiles;

/// What the kernel asks of a write past the page cache, at most: of the position, of each piece's place in memory, and
/// of its length.
const DIRECT_ALIGNMENT_BYTES: usize = 4096;

/// Below this a write past the page cache isn't worth its while.
const DIRECT_BYTES_MIN: usize = 256 * 1024;

/// The most bytes that are copied to where they are aligned, at once.
const ALIGNED_COPY_BYTES_MAX: usize = 2 * 1024 * 1024;

#[derive(Debug)]
struct SystemFile {
    file: File,
    path: PathBuf,
    /// The same file past the page cache; `None` where the file system can't do that.
    direct: OnceLock<Option<File>>,
}

/// The kernel keeps the lock for as long as the file is open.
#[derive(Debug)]
struct SystemLock {
    _file: File,
}

impl Files for SystemFiles {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(SystemFile::new(file, path)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SystemFile::new(OpenOptions::new().read(true).write(true).open(path)?, path)))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        // Names that aren't UTF-8 aren't ours.
        let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    #[expect(clippy::disallowed_methods, reason = "the file system below the durable publish")]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let state = rustix::fs::statvfs(directory)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(SystemLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl SystemFile {
    fn new(file: File, path: &Path) -> Self {
        Self { file, path: path.to_owned(), direct: OnceLock::new() }
    }

    fn direct(&self) -> Option<&File> {
        let open = || {
            let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
            OpenOptions::new().write(true).custom_flags(flags).open(&self.path).ok()
        };
        self.direct.get_or_init(open).as_ref()
    }

    /// Past the page cache, if that can be done at all. Else nothing of it, or only the beginning, is written.
    fn write_direct(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<bool> {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        if bytes < DIRECT_BYTES_MIN || !is_aligned(bytes) || !is_aligned(usize::try_from(offset).unwrap_or(1))
        {
            return Ok(false);
        }
        let Some(direct) = self.direct() else { return Ok(false) };
        if pieces.iter().any(|piece| !is_aligned(piece.len())) {
            return Ok(false);
        }
        let is_misplaced = |piece: &&IoSlice<'_>| !is_aligned(piece.as_ptr().addr());
        let misplaced: usize = pieces.iter().filter(is_misplaced).map(|piece| piece.len()).sum();
        if misplaced > ALIGNED_COPY_BYTES_MAX {
            return Ok(false);
        }
        let copy = aligned_copy(pieces.iter().filter(is_misplaced), misplaced);
        match write_all(direct, &in_place(pieces, copy.as_slice()), offset) {
            Ok(()) => Ok(true),
            // Not with this alignment, or not here.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl DiskFile for SystemFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn write_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        write_all(&self.file, pieces, offset)
    }

    fn write_bulk(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        if self.write_direct(pieces, offset)? { Ok(()) } else { self.write_at(pieces, offset) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn punch_hole(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.file, how, offset, bytes)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl FileLock for SystemLock {}

fn write_all(file: &File, pieces: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    let mut pieces = pieces.to_vec();
    let mut left = pieces.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let now = &left[..left.len().min(PIECES_MAX)];
        match rustix::io::pwritev(file, now, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_aligned(number: usize) -> bool {
    number.is_multiple_of(DIRECT_ALIGNMENT_BYTES)
}

/// Bytes that begin at a multiple of [`DIRECT_ALIGNMENT_BYTES`].
struct AlignedCopy {
    memory: Vec<u8>,
    start: usize,
}

impl AlignedCopy {
    fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

/// What isn't aligned, so many bytes, one piece behind the other.
fn aligned_copy<'a>(misplaced: impl Iterator<Item = &'a IoSlice<'a>>, bytes: usize) -> AlignedCopy {
    if bytes == 0 {
        return AlignedCopy { memory: Vec::new(), start: 0 };
    }
    let mut memory: Vec<u8> = Vec::with_capacity(bytes + DIRECT_ALIGNMENT_BYTES);
    let start = memory.as_ptr().align_offset(DIRECT_ALIGNMENT_BYTES).min(DIRECT_ALIGNMENT_BYTES);
    memory.resize(start, 0);
    misplaced.for_each(|piece| memory.extend_from_slice(piece));
    AlignedCopy { memory, start }
}

/// The pieces, with those that aren't aligned taken from their copy.
fn in_place<'a>(pieces: &'a [IoSlice<'a>], mut copy: &'a [u8]) -> Vec<IoSlice<'a>> {
    let place = |piece: &'a IoSlice<'a>| {
        if is_aligned(piece.as_ptr().addr()) {
            return IoSlice::new(piece);
        }
        let (copied, rest) = copy.split_at(piece.len());
        copy = rest;
        IoSlice::new(copied)
    };
    pieces.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8], pieces_bytes: usize, offset: u64) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = SystemFiles.create(&path).unwrap();
        file.write_at(&[IoSlice::new(&vec![0xa5; usize::try_from(offset).unwrap()])], 0).unwrap();
        let pieces: Vec<_> = bytes.chunks(pieces_bytes).map(IoSlice::new).collect();
        file.write_bulk(&pieces, offset).unwrap();
        file.sync().unwrap();
        let mut read = vec![0; bytes.len()];
        file.read_at(&mut read, offset).unwrap();
        assert_eq!(fs::read(&path).unwrap().len() as u64, offset + bytes.len() as u64);
        read
    }

    #[test]
    fn what_is_written_past_the_page_cache_reads_back_however_it_is_aligned() {
        let bytes: Vec<u8> =
            (0..3 * 1024 * 1024_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let unaligned = bytes.as_ptr().align_offset(DIRECT_ALIGNMENT_BYTES);
        for start in [unaligned, unaligned + 1] {
            for length in [DIRECT_BYTES_MIN, DIRECT_BYTES_MIN + 1, 64 * 1024, 1024 * 1024, 2_500_000] {
                for (piece_bytes, offset) in
                    [(64 * 1024, 0), (64 * 1024, 8192), (10_000, 4096), (64 * 1024, 5)]
                {
                    let bytes = &bytes[start..start + length];
                    assert!(written(bytes, piece_bytes, offset) == bytes, "{length} bytes at {offset}");
                }
            }
        }
    }
}
