//! The locks on one database file, among the connections of this process.

use rsqlite_vfs::LockLevel;

/// Somebody else has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// One connection's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HandleId(pub(crate) u64);

/// Who may read and write the file; see <https://www.sqlite.org/lockingv3.html>.
#[derive(Debug, Default)]
pub(crate) struct FileLocks {
    held: Vec<(HandleId, LockLevel)>,
}

impl FileLocks {
    pub(crate) fn level(&self, handle: HandleId) -> LockLevel {
        self.held.iter().find(|(holder, _)| *holder == handle).map_or(LockLevel::None, |(_, level)| *level)
    }

    /// Raises a handle's lock. A refused exclusive lock leaves a pending one, which keeps new readers out.
    pub(crate) fn raise(&mut self, handle: HandleId, level: LockLevel) -> Result<(), Busy> {
        if self.level(handle) >= level {
            return Ok(());
        }
        let others = self.others(handle);
        match level {
            LockLevel::Shared if others >= LockLevel::Pending => return Err(Busy),
            LockLevel::Reserved | LockLevel::Pending | LockLevel::Exclusive
                if others >= LockLevel::Reserved =>
            {
                return Err(Busy);
            }
            LockLevel::Exclusive if others >= LockLevel::Shared => {
                self.set(handle, LockLevel::Pending);
                return Err(Busy);
            }
            _ => {}
        }
        self.set(handle, level);
        Ok(())
    }

    pub(crate) fn lower(&mut self, handle: HandleId, level: LockLevel) {
        if self.level(handle) > level {
            self.set(handle, level);
        }
    }

    pub(crate) fn is_reserved(&self) -> bool {
        self.held.iter().any(|(_, level)| *level >= LockLevel::Reserved)
    }

    fn others(&self, handle: HandleId) -> LockLevel {
        let others = self.held.iter().filter(|(holder, _)| *holder != handle);
        others.map(|(_, level)| *level).max().unwrap_or(LockLevel::None)
    }

    fn set(&mut self, handle: HandleId, level: LockLevel) {
        self.held.retain(|(holder, _)| *holder != handle);
        if level != LockLevel::None {
            self.held.push((handle, level));
        }
    }
}

/// The locks that connections take on each other while they use a write-ahead log.
pub(crate) const SLOTS: usize = 8;

/// See `WAL_NLOCKS` in <https://www.sqlite.org/walformat.html>.
#[derive(Debug, Default)]
pub(crate) struct LogLocks {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    shared: Vec<HandleId>,
    exclusive: Option<HandleId>,
}

impl LogLocks {
    pub(crate) fn share(&mut self, handle: HandleId, slots: std::ops::Range<usize>) -> Result<(), Busy> {
        if self.slots[slots.clone()].iter().any(|slot| slot.exclusive.is_some_and(|holder| holder != handle))
        {
            return Err(Busy);
        }
        for slot in &mut self.slots[slots] {
            if !slot.shared.contains(&handle) {
                slot.shared.push(handle);
            }
        }
        Ok(())
    }

    pub(crate) fn exclude(&mut self, handle: HandleId, slots: std::ops::Range<usize>) -> Result<(), Busy> {
        let taken = |slot: &Slot| {
            slot.exclusive.is_some_and(|holder| holder != handle)
                || slot.shared.iter().any(|holder| *holder != handle)
        };
        if self.slots[slots.clone()].iter().any(taken) {
            return Err(Busy);
        }
        for slot in &mut self.slots[slots] {
            slot.exclusive = Some(handle);
        }
        Ok(())
    }

    pub(crate) fn release(&mut self, handle: HandleId, slots: std::ops::Range<usize>) {
        for slot in &mut self.slots[slots] {
            slot.shared.retain(|holder| *holder != handle);
            if slot.exclusive == Some(handle) {
                slot.exclusive = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: HandleId = HandleId(1);
    const TWO: HandleId = HandleId(2);

    #[test]
    fn readers_share_and_a_writer_waits_for_them() {
        let mut locks = FileLocks::default();
        assert_eq!(locks.raise(ONE, LockLevel::Shared), Ok(()));
        assert_eq!(locks.raise(TWO, LockLevel::Shared), Ok(()));
        assert_eq!(locks.raise(ONE, LockLevel::Reserved), Ok(()));
        assert_eq!(locks.raise(TWO, LockLevel::Reserved), Err(Busy));
        assert_eq!(locks.raise(ONE, LockLevel::Exclusive), Err(Busy));
        locks.lower(TWO, LockLevel::None);
        assert_eq!(locks.raise(TWO, LockLevel::Shared), Err(Busy), "the pending writer goes first");
        assert_eq!(locks.raise(ONE, LockLevel::Exclusive), Ok(()));
        locks.lower(ONE, LockLevel::None);
        assert_eq!(locks.raise(TWO, LockLevel::Shared), Ok(()));
    }

    #[test]
    fn log_locks_exclude_each_other_slot_by_slot() {
        let mut locks = LogLocks::default();
        assert_eq!(locks.share(ONE, 3..4), Ok(()));
        assert_eq!(locks.share(TWO, 3..4), Ok(()));
        assert_eq!(locks.exclude(ONE, 0..2), Ok(()));
        assert_eq!(locks.exclude(TWO, 1..4), Err(Busy));
        assert_eq!(locks.share(TWO, 1..2), Err(Busy));
        locks.release(ONE, 0..SLOTS);
        assert_eq!(locks.exclude(TWO, 1..4), Ok(()));
    }
}
