//! What SQLite calls: the methods for a log's shared memory, and the registration.

#![expect(unsafe_code, reason = "SQLite calls back with raw pointers")]

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use rsqlite_vfs::ffi::{
    SQLITE_BUSY, SQLITE_IOERR_SHMLOCK, SQLITE_IOERR_SHMMAP, SQLITE_OK, SQLITE_SHM_EXCLUSIVE, SQLITE_SHM_LOCK,
    sqlite3_file, sqlite3_io_methods,
};
use rsqlite_vfs::{OsCallback, RegisterVfsError, SQLiteIoMethods, SQLiteVfs, SQLiteVfsFile, VfsResult};

use crate::locks::SLOTS;
use crate::store::{Handle, Store, Volume, locked};

/// Registers a volume for good.
pub(crate) fn register(name: &str, volume: Volume) -> Result<(), RegisterVfsError> {
    // SAFETY: `Vfs` and `Methods` are of one kind: both use `Store`, its handles and `Volume`, all of which may be used
    // from any thread. The registration is never taken back, so what SQLite points to lives as long as the process.
    // The bundled SQLite is built for many threads, and each name is registered once.
    unsafe { rsqlite_vfs::register_vfs::<Methods, Vfs>(name, volume, false)? }.into_raw();
    Ok(())
}

struct Vfs;

impl SQLiteVfs<Methods> for Vfs {
    type Os = Volume;

    fn os(volume: &Volume) -> &Volume {
        volume
    }
}

impl OsCallback for Volume {
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// A counter, spread by `SplitMix64`: the same at each run.
    fn random(&self, buffer: &mut [u8]) -> usize {
        for chunk in buffer.chunks_mut(8) {
            let mut word = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
        buffer.len()
    }

    /// Nobody asks a simulated disk for the date.
    fn epoch_timestamp_in_ms(&self) -> VfsResult<i64> {
        Ok(0)
    }
}

#[derive(Clone, Copy)]
struct Methods;

impl SQLiteIoMethods for Methods {
    type Store = Store;

    const VERSION: c_int = 2;

    const METHODS: sqlite3_io_methods = sqlite3_io_methods {
        iVersion: Self::VERSION,
        xClose: Some(Self::xClose),
        xRead: Some(Self::xRead),
        xWrite: Some(Self::xWrite),
        xTruncate: Some(Self::xTruncate),
        xSync: Some(Self::xSync),
        xFileSize: Some(Self::xFileSize),
        xLock: Some(Self::xLock),
        xUnlock: Some(Self::xUnlock),
        xCheckReservedLock: Some(Self::xCheckReservedLock),
        xFileControl: Some(Self::xFileControl),
        xSectorSize: Some(Self::xSectorSize),
        xDeviceCharacteristics: Some(Self::xDeviceCharacteristics),
        xShmMap: Some(map),
        xShmLock: Some(lock),
        xShmBarrier: Some(barrier),
        xShmUnmap: Some(unmap),
        xFetch: None,
        xUnfetch: None,
    };
}

/// `xShmMap`: <https://www.sqlite.org/c3ref/io_methods.html>.
unsafe extern "C" fn map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes a file that our `xOpen` has opened and that isn't closed.
    let handle = unsafe { handle_of(file) };
    let (Ok(region), Ok(bytes)) = (usize::try_from(region), usize::try_from(bytes)) else {
        return SQLITE_IOERR_SHMMAP;
    };
    let mut mapped = locked(&handle.shared.mapped);
    if !mapped.contains(&handle.id) {
        mapped.push(handle.id);
    }
    let memory = locked(&handle.shared.memory).get_or_insert_default().region(region, bytes, extend != 0);
    // SAFETY: SQLite passes a place for the pointer.
    unsafe { out.write(memory.map_or(ptr::null_mut(), |memory| memory.as_ptr().cast())) };
    SQLITE_OK
}

/// `xShmLock`.
unsafe extern "C" fn lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: SQLite passes a file that our `xOpen` has opened and that isn't closed.
    let handle = unsafe { handle_of(file) };
    let Some(slots) = slots(first, count) else { return SQLITE_IOERR_SHMLOCK };
    let mut locks = locked(&handle.shared.log_locks);
    let taken = match (flags & SQLITE_SHM_LOCK != 0, flags & SQLITE_SHM_EXCLUSIVE != 0) {
        (true, true) => locks.exclude(handle.id, slots),
        (true, false) => locks.share(handle.id, slots),
        (false, _) => {
            locks.release(handle.id, slots);
            Ok(())
        }
    };
    if taken.is_ok() { SQLITE_OK } else { SQLITE_BUSY }
}

/// `xShmBarrier`.
unsafe extern "C" fn barrier(_: *mut sqlite3_file) {
    fence(Ordering::SeqCst);
}

/// `xShmUnmap`. The memory goes with the last connection: the next one builds the log's index anew, as after a crash.
unsafe extern "C" fn unmap(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite passes a file that our `xOpen` has opened and that isn't closed.
    let handle = unsafe { handle_of(file) };
    locked(&handle.shared.log_locks).release(handle.id, 0..SLOTS);
    let mut mapped = locked(&handle.shared.mapped);
    mapped.retain(|holder| *holder != handle.id);
    if mapped.is_empty() {
        *locked(&handle.shared.memory) = None;
    }
    SQLITE_OK
}

/// # Safety
/// `file` was opened by a VFS of [`register`] and isn't closed.
unsafe fn handle_of<'a>(file: *mut sqlite3_file) -> &'a Handle {
    // SAFETY: `xOpen` has made a `SQLiteVfsFile` with a `Handle` of it, and SQLite doesn't use one file from two threads
    // at once.
    unsafe { (*SQLiteVfsFile::from_file(file)).handle() }
}

fn slots(first: c_int, count: c_int) -> Option<Range<usize>> {
    let first = usize::try_from(first).ok()?;
    let end = first.checked_add(usize::try_from(count).ok()?)?;
    (end <= SLOTS).then_some(first..end)
}
