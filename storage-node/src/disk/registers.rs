//! What a device remembers of its rows in memory: promises, floors, and the accepts under way.
//!
//! # Why a prepare needs no place in the writer's queue
//!
//! A promise of `b` must refuse every accept below `b` from then on, and must be answered with a state that includes
//! every accept below `b` that was let in before. All decisions are made under one lock:
//!
//! - [`Registers::admit`] checks an accept and counts it as *under way* in one step, and hands it to the writer's queue
//!   before it lets go of the lock.
//! - [`Registers::promise`] checks a promise and records it in one step. So an accept below `b` was either let in
//!   before, and then it is on disk or under way; or it comes after, and is refused.
//! - A prepare reads the accepted state only *after* its promise is recorded. If nothing is under way, whatever was let
//!   in is on disk, and a reader sees it: an accept ceases to be under way only after its transaction has been
//!   committed. If something is under way, the read takes its turn in the writer's queue, behind it.
//! - What is let in between the promise and the read has a ballot of `b` or above: the read then sees that one,
//!   and [`Registers::confirm`] refuses the prepare as if it had come later.
//!
//! The state on disk is not known here. An accept below it is let in and refused by the writer; a promise below it
//! is recorded, found to be too low by the read, and refused. Neither does harm: a promise that is too high refuses more.
//!
//! Forgetting a tombstone raises the floor *before* the transaction that drops it is committed, and a prepare reads the
//! height of the floor *after* it has read the row: who doesn't find the tombstone finds the floor.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use martlet_protocol::{RowAddress, RowKey};
use martlet_register::{Ballot, Floor, PromiseBound, Refused, Standing};
use martlet_ring::Partition;

/// Promises that a device remembers. To make room, the lowest are dropped and the floors raised.
const ROWS_MAX: usize = 1 << 16;

/// The share of the rows that making room drops.
const ROWS_DROPPED_SHARE: usize = 4;

/// Shared by everybody who serves the device.
#[derive(Debug)]
pub struct Registers {
    partition_bits: u8,
    rows_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rows: HashMap<RowKey, Row>,
    /// By partition.
    floors: Vec<Floor>,
    bound: PromiseBound,
    /// The writer has been asked for the next bound.
    bound_is_coming: bool,
}

/// Rows without a promise and without an accept under way aren't in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    promised: Option<Ballot>,
    under_way: usize,
    /// The highest accept under way; meaningless when there is none.
    highest_under_way: Ballot,
}

/// How a prepare whose promise is recorded reads the accepted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// At once, like any reader.
    Reader { bound_is_due: bool },
    /// In its turn behind the writer's queue: an accept of the row is under way, or the bound must be raised first.
    Writer,
}

impl Registers {
    /// What a device that starts remembers.
    pub fn start(partition_bits: u8, bound: PromiseBound, forgotten: &[(Partition, Ballot)]) -> Self {
        let mut floors = vec![Floor::after_restart(Ballot::ZERO, bound); 1 << partition_bits];
        for (partition, ballot) in forgotten {
            if let Some(floor) = floors.get_mut(partition.0 as usize) {
                floor.forget_tombstone(*ballot);
            }
        }
        let state = State { rows: HashMap::new(), floors, bound, bound_is_coming: false };
        Self { partition_bits, rows_max: ROWS_MAX, state: Mutex::new(state) }
    }

    /// Records a promise, if it may be made as far as memory knows.
    pub fn promise(&self, row: &RowAddress, ballot: Ballot, now_micros: u64) -> Result<Route, Refused> {
        let mut state = self.lock();
        let known = state.rows.get(&row.row).copied().unwrap_or_default();
        state.standing(&known, self.partition(row)).prepare(ballot)?;
        self.make_room(&mut state);
        state.remembered(&row.row).promised = Some(ballot);
        if known.under_way > 0 || !state.bound.covers(ballot) {
            return Ok(Route::Writer);
        }
        let bound_is_due = state.bound.is_due(now_micros) && !state.bound_is_coming;
        state.bound_is_coming |= bound_is_due;
        Ok(Route::Reader { bound_is_due })
    }

    /// Whether the promise of `ballot` stands, now that the accepted ballot is known. Answers the forgotten height.
    pub fn confirm(
        &self,
        row: &RowAddress,
        ballot: Ballot,
        accepted: Option<Ballot>,
    ) -> Result<Ballot, Refused> {
        let mut state = self.lock();
        let floor = state.floors[self.partition(row)];
        // Higher promises made since don't matter: this one was made before them.
        let standing = Standing { floor: floor.height(), promised: None, accepted };
        if let Err(refused) = standing.prepare(ballot) {
            if accepted >= Some(ballot) {
                // The state on disk refuses whatever this promise would.
                state.release(&row.row, |known| {
                    known.promised = known.promised.filter(|promised| *promised != ballot);
                });
            }
            return Err(refused);
        }
        Ok(floor.forgotten())
    }

    /// Lets an accept in as far as memory knows, and has it queued before anybody else decides on the row.
    pub fn admit(&self, row: &RowAddress, ballot: Ballot, queue: impl FnOnce()) -> Result<(), Refused> {
        let mut state = self.lock();
        let known = state.rows.get(&row.row).copied().unwrap_or_default();
        state.standing(&known, self.partition(row)).accept(ballot)?;
        let known = state.remembered(&row.row);
        known.highest_under_way =
            if known.under_way == 0 { ballot } else { known.highest_under_way.max(ballot) };
        known.under_way += 1;
        queue();
        Ok(())
    }

    /// An accept is no longer under way. `stored`: it is on disk, and refuses whatever promises up to it refused.
    pub fn settle(&self, row: &RowKey, ballot: Ballot, stored: bool) {
        self.lock().release(row, |known| {
            known.under_way = known.under_way.saturating_sub(1);
            if stored {
                known.promised = known.promised.filter(|promised| *promised > ballot);
            }
        });
    }

    /// A tombstone is about to be dropped from disk.
    pub fn raise_forgotten(&self, row: &RowAddress, ballot: Ballot) -> Ballot {
        let mut state = self.lock();
        let floor = &mut state.floors[self.partition(row)];
        floor.forget_tombstone(ballot);
        floor.forgotten()
    }

    pub fn forgotten(&self, row: &RowAddress) -> Ballot {
        self.lock().floors[self.partition(row)].forgotten()
    }

    /// The bound is durable as it is now; whoever needs a higher one asks for it.
    pub fn raise_bound(&self, bound: PromiseBound) {
        let mut state = self.lock();
        state.bound = bound;
        state.bound_is_coming = false;
    }

    fn partition(&self, row: &RowAddress) -> usize {
        row.hash.partition(self.partition_bits).0 as usize
    }

    /// Drops the lowest promises, which are the oldest, and raises their floors.
    fn make_room(&self, state: &mut State) {
        if state.rows.len() < self.rows_max {
            return;
        }
        let mut promises: Vec<Ballot> = state.rows.values().filter_map(Row::droppable).collect();
        promises.sort_unstable();
        let Some(up_to) = promises.get(promises.len() / ROWS_DROPPED_SHARE).copied() else { return };
        // The partition of a row isn't remembered with it: its floor and all others are raised.
        state.floors.iter_mut().for_each(|floor| floor.evict_promise(up_to));
        state.rows.retain(|_, row| row.droppable().is_none_or(|promised| promised > up_to));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, row: &Row, partition: usize) -> Standing {
        let under_way = (row.under_way > 0).then_some(row.highest_under_way);
        Standing { floor: self.floors[partition].height(), promised: row.promised, accepted: under_way }
    }

    fn remembered(&mut self, row: &RowKey) -> &mut Row {
        // Copied: a key may be a slice of a large network buffer.
        self.rows.entry(RowKey { table: row.table, key: Bytes::copy_from_slice(&row.key) }).or_default()
    }

    fn release(&mut self, row: &RowKey, change: impl FnOnce(&mut Row)) {
        let Some(known) = self.rows.get_mut(row) else { return };
        change(known);
        if known.promised.is_none() && known.under_way == 0 {
            self.rows.remove(row);
        }
    }
}

impl Row {
    /// The promise, if nothing else keeps the row in memory.
    fn droppable(&self) -> Option<Ballot> {
        self.promised.filter(|_| self.under_way == 0)
    }
}

#[cfg(test)]
mod tests {
    use martlet_protocol::TableId;
    use martlet_register::ProposerId;
    use martlet_ring::PlacementHash;

    use super::*;

    const ROWS: usize = 8;

    fn registers() -> Registers {
        let bound = PromiseBound::default();
        let registers = Registers::start(2, bound, &[]);
        registers.raise_bound(bound.next(ballot(1000), 0));
        Registers { rows_max: ROWS, ..registers }
    }

    fn ballot(time: u64) -> Ballot {
        // Above the bound of a device that was never opened.
        Ballot { time, proposer: ProposerId(1) }
    }

    fn row(number: usize) -> RowAddress {
        let row = RowKey { table: TableId::system(1), key: Bytes::from(vec![u8::try_from(number).unwrap()]) };
        RowAddress { row, hash: PlacementHash((number as u64) << 62) }
    }

    #[test]
    fn promises_that_make_room_leave_a_floor() {
        let registers = registers();
        for number in 0..ROWS {
            registers.promise(&row(number), ballot(10 + number as u64), 0).unwrap();
        }
        registers.promise(&row(100), ballot(500), 0).unwrap();
        // The oldest are forgotten, and still refuse what they refused.
        let late = registers.admit(&row(0), ballot(9), || panic!("it must not be queued"));
        assert!(matches!(late, Err(Refused { seen }) if seen >= ballot(10)));
        // The newest are remembered.
        let newest = row(ROWS - 1);
        assert!(registers.admit(&newest, ballot(16), || ()).is_err());
        registers.admit(&newest, ballot(17), || ()).unwrap();
        assert!(registers.state.lock().unwrap().rows.len() <= ROWS);
    }

    #[test]
    fn an_accept_under_way_is_never_dropped_to_make_room() {
        let registers = registers();
        registers.admit(&row(0), ballot(5), || ()).unwrap();
        for number in 1..4 * ROWS {
            registers.promise(&row(number), ballot(10 + number as u64), 0).unwrap();
        }
        registers.settle(&row(1).row, ballot(5), false);
        assert!(registers.state.lock().unwrap().rows.contains_key(&row(0).row));
    }

    #[test]
    fn a_prepare_goes_behind_the_writer_only_when_it_has_to() {
        let registers = registers();
        let reader = Ok(Route::Reader { bound_is_due: false });
        assert_eq!(registers.promise(&row(1), ballot(10), 0), reader);
        registers.admit(&row(1), ballot(10), || ()).unwrap();
        assert_eq!(registers.promise(&row(1), ballot(20), 0), Ok(Route::Writer));
        assert_eq!(registers.promise(&row(2), ballot(20), 0), reader);
        registers.settle(&row(1).row, ballot(10), true);
        assert_eq!(registers.promise(&row(1), ballot(30), 0), reader);
        assert_eq!(registers.promise(&row(1), ballot(1 << 40), 0), Ok(Route::Writer), "beyond the bound");
    }

    #[test]
    fn the_next_bound_is_asked_for_once() {
        let registers = registers();
        let now_micros = 1_900_000;
        assert_eq!(
            registers.promise(&row(1), ballot(10), now_micros),
            Ok(Route::Reader { bound_is_due: true })
        );
        assert_eq!(
            registers.promise(&row(2), ballot(10), now_micros),
            Ok(Route::Reader { bound_is_due: false })
        );
    }

    #[test]
    fn a_promise_that_was_too_low_for_the_disk_is_refused_and_forgotten() {
        let registers = registers();
        registers.promise(&row(1), ballot(10), 0).unwrap();
        assert_eq!(
            registers.confirm(&row(1), ballot(10), Some(ballot(12))),
            Err(Refused { seen: ballot(12) })
        );
        assert!(registers.state.lock().unwrap().rows.is_empty());
        registers.promise(&row(1), ballot(20), 0).unwrap();
        registers.raise_forgotten(&row(1), ballot(30));
        assert_eq!(registers.confirm(&row(1), ballot(20), None), Err(Refused { seen: ballot(30) }));
        registers.promise(&row(1), ballot(40), 0).unwrap();
        assert_eq!(registers.confirm(&row(1), ballot(40), None), Ok(ballot(30)));
    }
}
