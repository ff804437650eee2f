//! The writer: the one who changes a device.
//!
//! It takes whatever was queued while the last group was being synced as the next group, and for each group
//!
//! 1. decides on every job in one SQLite transaction, and gathers the bodies that go into the segment,
//! 2. writes and syncs the segment once,
//! 3. commits the transaction, which syncs the index's log,
//! 4. answers everybody.
//!
//! The commit is what makes a job done. A segment record without it is garbage.

mod accept;
mod job;
mod noting;
mod order;
mod replace;
mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use martlet_protocol::{Promise, ReplicaError, SealToken, TableId};
use martlet_register::Ballot;
use rusqlite::Connection;

use super::counted::Counted;
use super::error::DiskError;
use super::files::{FileLock, Files};
use super::health::Health;
use super::index::changes::Unfolded;
use super::index::counters::Tally;
use super::index::state::DeviceState;
use super::index::{rows, seals};
use super::layout::Layout;
use super::registers::Registers;
use super::segment::{Appender, Segments};
use super::sums::Sums;
use crate::clock::Clocks;
use crate::figures::DeviceFigures;

pub use job::{Answer, Job, Reply, Work};
use noting::Noted;

/// Jobs of one group, at most.
pub const GROUP_JOBS_MAX: usize = 256;

/// Bodies of one group, at most; one job more may go beyond it.
pub const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The log's length, in pages, from which the writer itself copies it into the index between two groups,
/// if the upkeep thread can't keep up: 64 MiB.
const LOG_PAGES_MAX: u32 = 16 * 1024;

/// How much longer than at the last attempt the log has to be for the next one.
const LOG_PAGES_STEP: u32 = 1024;

/// What the writer has to do with.
#[derive(Debug)]
pub struct WriterParts {
    pub connection: Connection,
    pub files: Arc<dyn Files>,
    pub layout: Layout,
    pub registers: Arc<Registers>,
    pub segments: Arc<Segments>,
    pub appender: Appender,
    pub state: DeviceState,
    pub seals: HashMap<TableId, SealToken>,
    pub sums: Arc<Sums>,
    pub counted: Arc<Counted>,
    pub health: Arc<Health>,
    pub clocks: Clocks,
    pub partition_bits: u8,
    pub reserve_bytes: u64,
    pub figures: Arc<DeviceFigures>,
    pub unfolded: Unfolded,
    pub unfolded_bytes_max: usize,
    /// Nobody else opens the device as long as the writer lives.
    pub lock: Box<dyn FileLock>,
}

#[derive(Debug)]
pub struct Writer {
    parts: WriterParts,
    /// Of the index's log, as the last commit told.
    log_pages: Arc<AtomicU32>,
    log_pages_tried: u32,
}

/// What a group changes besides rows and blobs.
struct Changes {
    tally: Tally,
    /// Bytes of records that are alive, by segment.
    segments: BTreeMap<u32, i64>,
    highest_promise: Option<Ballot>,
    nearly_full: bool,
    written: bool,
}

/// Why a job isn't done.
enum Undone {
    /// The others of its group aren't concerned.
    Job(ReplicaError),
    /// The whole group is rolled back.
    Group(DiskError),
}

type Outcome = Result<Reply, ReplicaError>;

impl Writer {
    pub fn new(mut parts: WriterParts) -> rusqlite::Result<Self> {
        let log_pages = Arc::new(AtomicU32::new(0));
        let told = log_pages.clone();
        parts.connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            told.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { parts, log_pages, log_pages_tried: 0 })
    }

    /// Carries a group out and answers it.
    pub fn carry_out(&mut self, group: Vec<Job>) {
        let begun = self.parts.clocks.steady.elapsed();
        self.parts.figures.group_jobs.record(group.len() as u64);
        self.carry_out_in_turn(group);
        let took = self.parts.clocks.steady.elapsed().saturating_sub(begun);
        self.parts.figures.group_micros.record_duration(took);
    }

    fn carry_out_in_turn(&mut self, group: Vec<Job>) {
        let (mut jobs, mut refuse_new_data) = (group, false);
        // A second time without new data, if there was no room for it.
        while !jobs.is_empty() {
            if let Err(failed) = self.parts.health.check() {
                return self.answer(jobs, std::iter::repeat(Err(failed)));
            }
            match self.transact(&jobs, refuse_new_data) {
                Ok(outcomes) => {
                    self.answer(jobs, outcomes.into_iter());
                    return self.keep_log_short();
                }
                Err(error) if error.is_full() => {
                    self.roll_back();
                    let (new_data, others): (Vec<_>, Vec<_>) =
                        jobs.into_iter().partition(|job| refuse_new_data || job.work.is_new_data());
                    self.answer(new_data, std::iter::repeat(Err(ReplicaError::Full)));
                    (jobs, refuse_new_data) = (others, true);
                }
                Err(error) => {
                    self.parts.health.fail(error.with_sources());
                    self.roll_back();
                }
            }
        }
    }

    /// A fault of ours in the middle of a group: what it has left in memory can't be trusted.
    pub fn has_panicked(&mut self) {
        self.parts.health.fail("the writer has panicked".to_owned());
        self.roll_back();
    }

    /// Of the index's log, after the last commit.
    pub fn log_pages(&self) -> u32 {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Leaves a device in peace, once nobody else has the index open: everything is in the index,
    /// and the next start needs no log. A device that has failed is left as it is.
    pub fn finish(mut self) -> Result<(), DiskError> {
        let parts = &mut self.parts;
        if parts.health.has_failed() {
            return Ok(());
        }
        match parts.fold() {
            // It waits for the next start.
            Err(error) if error.is_full() => return Ok(()),
            folded => folded?,
        }
        if !super::index::checkpoint(&parts.connection)? {
            return Ok(());
        }
        let unmarked = parts.files.unlink(&parts.layout.open_marker());
        unmarked.map_err(|error| DiskError::of_sync("remove the marker of an open device", error))?;
        let synced = parts.files.sync_dir(parts.layout.root());
        synced.map_err(|error| DiskError::of_sync("sync the device's directory", error))?;
        Ok(super::index::truncate_log(&parts.connection)?)
    }

    fn transact(&mut self, jobs: &[Job], refuse_new_data: bool) -> Result<Vec<Outcome>, DiskError> {
        let mut changes = self.begin(jobs, refuse_new_data)?;
        let mut outcomes: Vec<Outcome> = jobs.iter().map(|_| Ok(Reply::Done)).collect();
        let order = order::order(jobs);
        for index in &order {
            let Job { work, request, .. } = &jobs[*index];
            let _entered = martlet_request::enter(*request);
            outcomes[*index] = match self.decide(work, &mut changes) {
                Ok(reply) => Ok(reply),
                Err(Undone::Job(error)) => Err(error),
                Err(Undone::Group(error)) => return Err(error),
            };
        }
        self.commit(&changes)?;
        for index in order {
            if let Work::Prepare(prepare) = &jobs[index].work
                && let Ok(Reply::Promise(promise)) = &mut outcomes[index]
            {
                let accepted = promise.accepted.as_ref().map(|accepted| accepted.ballot);
                match self.parts.registers.confirm(&prepare.row, prepare.ballot, accepted) {
                    Ok(forgotten) => promise.forgotten = forgotten,
                    Err(refused) => outcomes[index] = Err(refused.into()),
                }
            }
        }
        Ok(outcomes)
    }

    fn begin(&mut self, jobs: &[Job], refuse_new_data: bool) -> Result<Changes, DiskError> {
        let parts = &mut self.parts;
        let new_data = jobs.iter().any(|job| job.work.is_new_data());
        let nearly_full = refuse_new_data
            || new_data
                && parts
                    .files
                    .free_bytes(parts.layout.root())
                    .map_err(|error| DiskError::of_sync("ask for the free space", error))?
                    < parts.reserve_bytes;
        let mut segments = BTreeMap::new();
        if new_data && !nearly_full && jobs.iter().any(|job| job.work.body_bytes() > 0) {
            // The segment that was the newest may be dead already.
            segments.insert(parts.state.tail.segment, 0);
            parts.appender.roll(&parts.segments)?;
        }
        parts.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Changes {
            tally: Tally::new(parts.partition_bits),
            segments,
            highest_promise: jobs.iter().filter_map(|job| job.work.promises()).max(),
            nearly_full,
            written: false,
        })
    }

    fn decide(&mut self, work: &Work, changes: &mut Changes) -> Result<Reply, Undone> {
        if changes.nearly_full && work.is_new_blob() {
            return Err(Undone::Job(ReplicaError::Full));
        }
        match work {
            Work::Accept(request) => self.accept(request, changes)?,
            Work::Prepare(request) => {
                let accepted = rows::accepted(&self.parts.connection, &request.row.row)?;
                // The rest of the promise is known after the commit.
                let forgotten = Ballot::ZERO;
                return Ok(Reply::Promise(Box::new(Promise { accepted, forgotten })));
            }
            Work::RaiseBound(_) => {}
            Work::StoreBlob { new, blob, blocks } => self.store_blob(new, *blob, blocks, changes)?,
            Work::RecordFile { new, blob } => self.record_file(new, *blob, changes)?,
            Work::ReplaceBlob { new, blob, blocks } => self.replace_blob(new, *blob, blocks, changes)?,
            Work::ReplaceFile { new, blob } => self.replace_file(new, *blob, changes)?,
            Work::WithdrawFile(id) => self.withdraw_file(*id, changes)?,
            Work::Seal(table, token) => self.seal(*table, *token, changes)?,
            Work::Unseal(table, token) => self.unseal(*table, *token, changes)?,
            Work::SettleGarbage(ids) => self.settle_garbage(ids, changes)?,
            Work::Reclaim(ids) => self.reclaim(ids, changes)?,
            Work::GivenBack(numbers) => self.given_back(numbers, changes)?,
            Work::Forget(tombstones) => self.forget(tombstones, changes)?,
        }
        Ok(Reply::Done)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), DiskError> {
        let parts = &mut self.parts;
        let mut next = parts.state;
        let now_micros = parts.clocks.wall_micros();
        if let Some(ballot) = changes.highest_promise
            && (!next.bound.covers(ballot) || next.bound.is_due(now_micros))
        {
            next.bound = next.bound.next(ballot, now_micros);
        }
        if let Some(tail) = parts.appender.advanced() {
            next.tail = tail;
        }
        let mut noted = Noted::Nothing;
        if changes.written || next != parts.state {
            parts.count_segments(&changes.segments, &mut next)?;
            next.commits += 1;
            noted = parts.note(&changes.tally, &mut next)?;
        }
        let begun = parts.clocks.steady.elapsed();
        parts.appender.flush()?;
        parts.connection.prepare_cached("COMMIT")?.execute([])?;
        if !matches!(noted, Noted::Nothing) {
            parts.figures.sync_micros.record_duration(parts.clocks.steady.elapsed().saturating_sub(begun));
        }
        parts.appender.committed();
        match noted {
            Noted::Nothing => {}
            Noted::Entry { bytes } => parts.unfolded.add(changes.tally.changes(), bytes),
            Noted::Folded => parts.unfolded = Unfolded::default(),
        }
        parts.sums.committed(next.commits, changes.tally.digests());
        parts.counted.committed(next.commits, changes.tally.changes());
        parts.state = next;
        // Whoever waits for the bound may ask again, whether it was raised or is high enough.
        parts.registers.raise_bound(next.bound);
        Ok(())
    }

    fn roll_back(&mut self) {
        let parts = &mut self.parts;
        parts.appender.rolled_back();
        parts.registers.raise_bound(parts.state.bound);
        // Some errors have ended the transaction already.
        let undone = if parts.connection.is_autocommit() {
            Ok(())
        } else {
            parts.connection.execute_batch("ROLLBACK").map_err(DiskError::from)
        };
        match undone.and_then(|()| seals::all(&parts.connection)) {
            Ok(seals) => parts.seals = seals,
            Err(error) => parts.health.fail(error.with_sources()),
        }
    }

    fn answer(&self, jobs: Vec<Job>, outcomes: impl Iterator<Item = Outcome>) {
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            if let Work::Accept(accept) = &job.work {
                self.parts.registers.settle(&accept.row.row, accept.ballot, outcome.is_ok());
            }
            job.answer.give(outcome);
        }
    }

    /// Normally the upkeep thread copies the log into the index while the writer goes on.
    fn keep_log_short(&mut self) {
        let pages = self.log_pages();
        if pages < LOG_PAGES_MAX {
            self.log_pages_tried = 0;
        } else if pages > self.log_pages_tried + LOG_PAGES_STEP {
            self.log_pages_tried = pages;
            report_checkpoint(super::index::checkpoint(&self.parts.connection), &self.parts.health);
        }
    }
}

/// A checkpoint that finds no room can be tried later; any other failure is a failed write.
pub fn report_checkpoint(outcome: rusqlite::Result<bool>, health: &Health) {
    let Err(error) = outcome.map_err(DiskError::from) else { return };
    if error.is_full() {
        tracing::warn!("no room to copy the index's log into the index");
    } else {
        health.fail(error.with_sources());
    }
}

impl From<DiskError> for Undone {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Damaged { .. } => Self::Job(error.of_read()),
            error => Self::Group(error),
        }
    }
}

impl From<rusqlite::Error> for Undone {
    fn from(error: rusqlite::Error) -> Self {
        Self::Group(error.into())
    }
}

impl From<ReplicaError> for Undone {
    fn from(error: ReplicaError) -> Self {
        Self::Job(error)
    }
}
