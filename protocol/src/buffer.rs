//! Memory for blocks, which the process keeps and lends.
//!
//! Blocks come and go by the thousand, on many threads. An allocator keeps about as much again as they take:
//! a size between two of its classes, and one block in a region holds the whole region.
//! Here a block takes 68 KiB, what one gives back the next one takes, and memory that isn't needed goes back in large
//! regions. It is also not cleared again for every block, and begins where devices can write it from.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::blob::BLOCK_BYTES;

/// Where a block begins in memory, by multiples: what devices ask of writes past the page cache.
pub const BLOCK_ALIGNMENT_BYTES: usize = 4096;

/// What may lie before a block, of a message that it arrives in.
const LEAD_BYTES: usize = 512;

/// A buffer's length. The next one begins behind it, and its block is aligned too.
const BUFFER_BYTES: usize = BLOCK_BYTES + BLOCK_ALIGNMENT_BYTES;
const _: () = assert!(LEAD_BYTES < BLOCK_ALIGNMENT_BYTES);

/// Buffers that are allocated together: about 1 MiB.
const BUFFERS_PER_REGION: usize = 15;

/// Buffers that are kept for the next ones, beyond which whole regions are given back.
const IDLE_BUFFERS_MAX: usize = 4 * BUFFERS_PER_REGION;

static RESERVE: Mutex<Reserve> = Mutex::new(Reserve { regions: Vec::new(), next: 0, idle: 0 });

/// Room for a block and a little around it, given back when it is dropped. What is in it at first is anything.
pub struct BlockBuffer {
    region: u64,
    memory: BytesMut,
}

struct Reserve {
    /// Ascending. The first that has something is taken from, so that the last are free the soonest.
    regions: Vec<Region>,
    /// The number of the next region.
    next: u64,
    /// Buffers that nobody has.
    idle: usize,
}

struct Region {
    number: u64,
    idle: Vec<BytesMut>,
}

impl BlockBuffer {
    /// Where the block begins within the buffer.
    pub const BLOCK_START: usize = LEAD_BYTES;
    /// Where it ends.
    pub const BLOCK_END: usize = LEAD_BYTES + BLOCK_BYTES;
    /// Length of the buffer.
    pub const LENGTH: usize = BUFFER_BYTES;

    pub fn take() -> Self {
        reserve().take()
    }

    /// Room for the block alone.
    pub fn block(&mut self) -> &mut [u8] {
        &mut self.memory[Self::BLOCK_START..Self::BLOCK_END]
    }

    /// The first bytes of the block, without a copy.
    ///
    /// # Panics
    /// If a block isn't as long.
    pub fn into_block(self, bytes: usize) -> Bytes {
        assert!(bytes <= BLOCK_BYTES, "a block has its limit");
        self.freeze(Self::BLOCK_START..Self::BLOCK_START + bytes)
    }

    /// A part of the buffer, without a copy.
    ///
    /// # Panics
    /// If the buffer isn't as long.
    pub fn freeze(self, part: Range<usize>) -> Bytes {
        Bytes::from_owner(self).slice(part)
    }
}

impl AsRef<[u8]> for BlockBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl AsMut<[u8]> for BlockBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

impl fmt::Debug for BlockBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockBuffer").finish_non_exhaustive()
    }
}

impl Drop for BlockBuffer {
    fn drop(&mut self) {
        let given_up = reserve().give_back(self.region, mem::take(&mut self.memory));
        // Outside of the lock.
        drop(given_up);
    }
}

fn reserve() -> MutexGuard<'static, Reserve> {
    RESERVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reserve {
    fn take(&mut self) -> BlockBuffer {
        if self.idle == 0 {
            self.regions.push(Region { number: self.next, idle: allocate() });
            self.next += 1;
            self.idle += BUFFERS_PER_REGION;
        }
        let taken = self.regions.iter_mut().find_map(|region| {
            let memory = region.idle.pop()?;
            Some(BlockBuffer { region: region.number, memory })
        });
        self.idle -= 1;
        taken.expect("a region has what is counted as idle")
    }

    /// What it returns isn't needed any more.
    fn give_back(&mut self, number: u64, memory: BytesMut) -> Option<Region> {
        let index = self.regions.binary_search_by_key(&number, |region| region.number).ok()?;
        self.regions[index].idle.push(memory);
        self.idle += 1;
        if self.idle <= IDLE_BUFFERS_MAX || self.regions[index].idle.len() < BUFFERS_PER_REGION {
            return None;
        }
        self.idle -= BUFFERS_PER_REGION;
        Some(self.regions.remove(index))
    }
}

/// Buffers of one region of memory, whose blocks are aligned.
fn allocate() -> Vec<BytesMut> {
    let mut region = BytesMut::zeroed(BUFFERS_PER_REGION * BUFFER_BYTES + BLOCK_ALIGNMENT_BYTES);
    let misplaced = (region.as_ptr().addr() + LEAD_BYTES) % BLOCK_ALIGNMENT_BYTES;
    if misplaced > 0 {
        region.advance(BLOCK_ALIGNMENT_BYTES - misplaced);
    }
    (0..BUFFERS_PER_REGION).map(|_| region.split_to(BUFFER_BYTES)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Reserve {
        Reserve { regions: Vec::new(), next: 0, idle: 0 }
    }

    fn give_back(reserve: &mut Reserve, mut buffer: BlockBuffer) -> bool {
        let given_up = reserve.give_back(buffer.region, mem::take(&mut buffer.memory));
        // Its memory has gone back already.
        mem::forget(buffer);
        given_up.is_some()
    }

    #[test]
    fn blocks_are_aligned_and_apart_from_one_another() {
        let mut reserve = none();
        let mut buffers: Vec<_> = (0..3 * BUFFERS_PER_REGION).map(|_| reserve.take()).collect();
        for (number, buffer) in buffers.iter_mut().enumerate() {
            assert_eq!(buffer.as_ref().len(), BlockBuffer::LENGTH);
            assert!(buffer.block().as_ptr().addr().is_multiple_of(BLOCK_ALIGNMENT_BYTES));
            buffer.as_mut().fill(u8::try_from(number).unwrap());
        }
        for (number, buffer) in buffers.iter().enumerate() {
            assert!(buffer.as_ref().iter().all(|byte| usize::from(*byte) == number));
        }
        buffers.into_iter().for_each(mem::forget);
    }

    #[test]
    fn what_is_given_back_is_taken_again_and_a_burst_leaves_little() {
        let mut reserve = none();
        let mut high = 0;
        for _ in 0..3 {
            let burst: Vec<_> = (0..20 * BUFFERS_PER_REGION).map(|_| reserve.take()).collect();
            high = high.max(reserve.regions.len());
            assert_eq!(reserve.idle, 0);
            let given_up = burst.into_iter().map(|buffer| give_back(&mut reserve, buffer));
            assert!(given_up.filter(|given_up| *given_up).count() > 0);
            assert!(reserve.idle <= IDLE_BUFFERS_MAX);
            let listed: usize = reserve.regions.iter().map(|region| region.idle.len()).sum();
            assert_eq!(listed, reserve.idle);
        }
        assert_eq!(high, 20);
    }

    #[test]
    fn a_slice_keeps_its_buffer_for_as_long_as_it_lives() {
        let mut buffer = BlockBuffer::take();
        buffer.block()[..5].copy_from_slice(b"hello");
        let block = buffer.into_block(5);
        let part = block.slice(1..);
        drop(block);
        let mut others: Vec<_> = (0..100).map(|_| BlockBuffer::take()).collect();
        for other in &mut others {
            other.as_mut().fill(0);
        }
        assert_eq!(part, &b"ello"[..]);
    }
}
