//! The shared memory that connections keep the index of a write-ahead log in.

#![expect(unsafe_code, reason = "SQLite reads and writes this memory by raw pointers")]

use std::fmt;
use std::ptr::NonNull;

/// SQLite asks for regions of 32 KiB, used as 32-bit words, some of them atomically.
type Word = u64;

/// Regions of memory that stay where they are until all connections are gone.
#[derive(Default)]
pub(crate) struct SharedMemory {
    regions: Vec<NonNull<[Word]>>,
}

// SAFETY: the regions belong to this value, which never looks into them; who gets a pointer coordinates by `LogLocks`.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// The region with this number, filled with zeros when it is new. `None`: there is none, and it isn't to be made.
    pub(crate) fn region(&mut self, number: usize, bytes: usize, extend: bool) -> Option<NonNull<u8>> {
        while extend && self.regions.len() <= number {
            let region = vec![0; bytes.div_ceil(size_of::<Word>())].into_boxed_slice();
            self.regions.push(NonNull::from(Box::leak(region)));
        }
        self.regions.get(number).map(|region| region.cast())
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        for region in self.regions.drain(..) {
            // SAFETY: `region` leaked this box, and the last connection has unmapped it.
            drop(unsafe { Box::from_raw(region.as_ptr()) });
        }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("regions", &self.regions.len()).finish()
    }
}
