//! Looks through SQLite's write-ahead log before SQLite does.
//!
//! SQLite takes the first frame whose checksum is wrong for the end of the log. After a crash it is; after a flipped bit
//! it isn't, and whole transactions that were confirmed would silently be gone.
//! The difference can be told: a transaction is only begun when the one before is synced. So if a whole intact transaction
//! follows on the end of one with a broken frame, that one had been synced, and the frame has been damaged.
//! A part of one shows nothing: it may be what was rolled back, or cut off by an earlier crash, and then half overwritten.
//!
//! What can't be told is damage within the very last whole transaction: it looks like one that was being written.
//!
//! The format is SQLite's, <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::io;

use crate::disk::fields::Fields;
use crate::disk::files::DiskFile;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC: u32 = 0x377f_0682;

/// What is to be thought of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    Empty,
    /// Perhaps with an unfinished transaction at its end.
    Intact,
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sums(u32, u32);

#[derive(Clone, Copy, Debug)]
struct Header {
    big_endian: bool,
    page_bytes: usize,
    salt: [u8; 8],
    sums: Sums,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    page: u32,
    ends_transaction: bool,
    /// It was written since the log last began anew.
    is_current: bool,
    /// What it says of itself.
    sums: Sums,
    /// Whether this is so, given what the frame before says.
    follows: bool,
}

/// Reads the whole log once.
pub fn check(log: &dyn DiskFile) -> io::Result<Log> {
    let log_bytes = log.bytes()?;
    if log_bytes == 0 {
        return Ok(Log::Empty);
    }
    let mut header = [0; HEADER_BYTES];
    if log_bytes < HEADER_BYTES as u64 {
        return Ok(Log::Damaged);
    }
    log.read_at(&mut header, 0)?;
    let Some(header) = Header::decode(&header) else { return Ok(Log::Damaged) };
    let frame_bytes = FRAME_HEADER_BYTES + header.page_bytes;
    let (mut at, mut before, mut broken, mut suspected) = (HEADER_BYTES as u64, header.sums, false, false);
    let mut last: Option<Frame> = None;
    let mut buffer = vec![0; frame_bytes];
    while at + frame_bytes as u64 <= log_bytes {
        log.read_at(&mut buffer, at)?;
        let frame = header.frame(&buffer, before);
        let begins = broken && last.is_some_and(|last| begins_transaction(&last, &frame));
        suspected = frame.follows && (suspected || begins);
        if suspected && frame.ends_transaction {
            return Ok(Log::Damaged);
        }
        broken |= !frame.follows;
        before = frame.sums;
        last = Some(frame);
        at += frame_bytes as u64;
    }
    Ok(Log::Intact)
}

/// Whether `next` begins another transaction, which is only done when the one that `last` ends is synced.
fn begins_transaction(last: &Frame, next: &Frame) -> bool {
    // On some disks the last frame is repeated up to the end of a sector.
    let is_padding = next.page == last.page && next.ends_transaction;
    last.is_current && last.ends_transaction && next.follows && !is_padding
}

impl Header {
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let magic = fields.u32()?;
        let big_endian = magic == MAGIC | 1;
        if magic & !1 != MAGIC {
            return None;
        }
        let _version = fields.u32()?;
        let page_bytes = usize::try_from(fields.u32()?).ok()?;
        let _checkpoints = fields.u32()?;
        let salt = fields.array()?;
        let sums = Sums(fields.u32()?, fields.u32()?);
        let sound = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        let intact = Sums(0, 0).over(&bytes[..24], big_endian) == sums;
        (sound && intact).then_some(Self { big_endian, page_bytes, salt, sums })
    }

    fn frame(&self, bytes: &[u8], before: Sums) -> Frame {
        let (head, page) = bytes.split_at(FRAME_HEADER_BYTES);
        let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let sums = Sums(number(16), number(20));
        let is_current = head[8..16] == self.salt;
        let sound = before.over(&head[..8], self.big_endian).over(page, self.big_endian) == sums;
        Frame {
            page: number(0),
            ends_transaction: number(4) != 0,
            is_current,
            sums,
            follows: is_current && sound,
        }
    }
}

impl Sums {
    /// Continues over an even number of 32-bit words.
    fn over(self, bytes: &[u8], big_endian: bool) -> Self {
        let Self(mut first, mut second) = self;
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs {
            let words = [[*a, *b, *c, *d], [*e, *f, *g, *h]];
            let number = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
            let [one, other] = words.map(number);
            first = first.wrapping_add(one).wrapping_add(second);
            second = second.wrapping_add(other).wrapping_add(first);
        }
        Self(first, second)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::path::Path;

    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::disk::files::{Files, SystemFiles};
    use crate::disk::index::{self, Role};

    const TRANSACTIONS: usize = 5;

    /// A log of several transactions, and where each of them ends.
    fn written(directory: &Path) -> (Vec<u8>, Vec<usize>) {
        let path = directory.join("index.db");
        let connection: Connection = index::open(&path, None, true).unwrap();
        index::configure(&connection, Role::Writer).unwrap();
        let log = directory.join("index.db-wal");
        let mut ends = Vec::new();
        connection.execute_batch("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)").unwrap();
        for _ in 0..TRANSACTIONS {
            connection.execute("INSERT INTO t (v) VALUES (randomblob(10000))", []).unwrap();
            ends.push(usize::try_from(log.metadata().unwrap().len()).unwrap());
        }
        (std::fs::read(&log).unwrap(), ends)
    }

    fn verdict(directory: &Path, log: &[u8]) -> Log {
        let path = directory.join("log");
        let _ = SystemFiles.unlink(&path);
        let file = SystemFiles.create(&path).unwrap();
        file.write_at(&[IoSlice::new(log)], 0).unwrap();
        check(file.as_ref()).unwrap()
    }

    #[test]
    fn a_log_cut_off_anywhere_is_intact() {
        let directory = TempDir::new().unwrap();
        let (log, _) = written(directory.path());
        assert_eq!(verdict(directory.path(), &[]), Log::Empty);
        for end in (HEADER_BYTES..log.len()).step_by(777) {
            assert_eq!(verdict(directory.path(), &log[..end]), Log::Intact, "cut off at {end}");
        }
    }

    #[test]
    fn lost_sectors_of_the_last_transaction_are_no_damage() {
        let directory = TempDir::new().unwrap();
        let (log, ends) = written(directory.path());
        for sector in (ends[TRANSACTIONS - 2].next_multiple_of(512)..log.len() - 512).step_by(512) {
            let mut torn = log.clone();
            torn[sector..sector + 512].fill(0);
            assert_eq!(verdict(directory.path(), &torn), Log::Intact, "sector at {sector}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_before_the_last_transaction_is_damage() {
        let directory = TempDir::new().unwrap();
        let (log, ends) = written(directory.path());
        for at in (0..ends[TRANSACTIONS - 2]).step_by(97) {
            let mut flipped = log.clone();
            flipped[at] ^= 0x10;
            assert_eq!(verdict(directory.path(), &flipped), Log::Damaged, "byte {at}");
        }
    }

    #[test]
    fn what_a_torn_transaction_left_behind_newer_ones_is_no_damage() {
        let directory = TempDir::new().unwrap();
        let (log, ends) = written(directory.path());
        let frame_bytes = FRAME_HEADER_BYTES + 4096;
        // The last transaction lost its first frame, and then a shorter one was written over its beginning:
        // here by a copy of itself whose frames don't follow on each other.
        let mut overwritten = log.clone();
        let from = ends[TRANSACTIONS - 2] + frame_bytes;
        overwritten[from..from + FRAME_HEADER_BYTES].fill(7);
        let overwritten = [overwritten.as_slice(), &log[from + frame_bytes..]].concat();
        assert_eq!(verdict(directory.path(), &overwritten), Log::Intact);
    }

    #[test]
    fn a_half_overwritten_part_of_a_transaction_is_no_damage() {
        let directory = TempDir::new().unwrap();
        let (log, ends) = written(directory.path());
        // The last transaction was never finished. Then a shorter one was written over its beginning,
        // of whose first frame only the page and the mark of its end have reached the disk.
        let mut overwritten = log.clone();
        overwritten[log.len() - 100..].fill(7);
        overwritten[ends[TRANSACTIONS - 2]..][..8].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 9]);
        assert_eq!(verdict(directory.path(), &overwritten), Log::Intact);
    }
}
