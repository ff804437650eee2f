//! A seeded workload: what a device is asked for, round by round.

use std::collections::BTreeSet;

use bytes::Bytes;
use martlet_protocol::{
    Accept, BlobId, BlobOwner, BlobRef, CarriedBody, Checksum, NewBlob, Prepare, RowAddress, RowKey,
    RowState, RowValue, SealToken, TableId, TableKind, Weight,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::PlacementHash;

use crate::chance::Chance;
use crate::model::Model;
use crate::operation::{Operation, StageEnd};

/// Where ballots begin: 2026-01-01, as the simulated clock does.
const START_MICROS: u64 = 1_767_225_600_000_000;

/// After a restart, everything is refused up to a bound that is this far ahead at most.
const BOUND_AHEAD_MICROS: u64 = 60_000_000;

/// Requests of one round, at most.
const ROUND_MAX: usize = 5;

/// Rounds of requests. Those of one round are asked at once, and none of them touches what another does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) operations: Vec<Operation>,
    /// For each round, the number of its first operation.
    pub(crate) rounds: Vec<usize>,
    /// Rounds before which the device is closed and opened again, and goes on with a new segment.
    pub(crate) restarts: Vec<usize>,
}

/// How a workload is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rounds: usize,
    /// How often the device is closed and opened again, evenly spread over the rounds.
    pub(crate) restarts: usize,
    /// The largest staged blob.
    pub(crate) staged_bytes_max: usize,
    /// The largest record of a row; long ones fill the index's log.
    pub(crate) record_bytes_max: usize,
}

/// What a request touches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Row(RowKey),
    Blob(BlobId),
    Everything,
}

/// Makes plans that make sense: it knows what the device holds.
pub(crate) struct Planner {
    chance: Chance,
    shape: Shape,
    model: Model,
    ballot_time: u64,
    tables: [TableId; 2],
    /// What has been asked for with success.
    done: Vec<Operation>,
}

impl Plan {
    /// A workload for a device that holds this already.
    pub(crate) fn continuing(seed: u64, shape: Shape, model: Model) -> Self {
        let mut planner = Planner::new(seed, shape, model);
        let mut plan = Self::default();
        let session_rounds = shape.rounds.div_ceil(shape.restarts + 1).max(1);
        for round in 0..shape.rounds {
            if round > 0 && round.is_multiple_of(session_rounds) {
                plan.restarts.push(round);
                planner.ballot_time += BOUND_AHEAD_MICROS;
            }
            planner.round(&mut plan);
        }
        plan
    }

    pub(crate) fn single(operation: Operation) -> Self {
        Self { operations: vec![operation], rounds: vec![0], restarts: Vec::new() }
    }

    /// The first seeded plan from `seed` on that asks for everything at least once; and its seed.
    pub(crate) fn of_everything(seed: u64, shape: Shape, model: &Model) -> (u64, Self) {
        let plans = (seed..).map(|seed| (seed, Self::continuing(seed, shape, model.clone())));
        plans.into_iter().find(|(_, plan)| plan.asks_for_everything()).expect("chance gets to everything")
    }

    fn asks_for_everything(&self) -> bool {
        let asks_for = |is_it: fn(&Operation) -> bool| self.operations.iter().any(is_it);
        asks_for(|operation| matches!(operation, Operation::Seal(..)))
            && asks_for(|operation| matches!(operation, Operation::Reclaim(_)))
            && asks_for(|operation| matches!(operation, Operation::Settle(_)))
            && asks_for(|operation| matches!(operation, Operation::Prepare(_)))
            && asks_for(|operation| matches!(operation, Operation::Accept(accept) if accept.body.is_some()))
            && asks_for(|operation| operation.stages_file() == Some(StageEnd::Finish))
            && asks_for(
                |operation| matches!(operation.stages_file(), Some(StageEnd::Abandon(blocks)) if blocks > 16),
            )
    }

    /// The same, and at last the smallest thing that a device can be asked to store.
    pub(crate) fn then_put_one_row(&self) -> Self {
        let row = RowAddress {
            row: RowKey { table: TableId::system(200), key: Bytes::from_static(b"at last") },
            hash: PlacementHash(0),
        };
        let ballot = Ballot { time: START_MICROS * 2, proposer: ProposerId(1) };
        let state = State::first(ballot, Ballot::ZERO, RowValue::Tombstone);
        let accept = Accept { row, ballot, state, body: None, garbage: Vec::new(), seal: None };
        let mut plan = self.clone();
        plan.rounds.push(plan.operations.len());
        plan.operations.push(Operation::Accept(Box::new(accept)));
        plan
    }

    /// Has a round reclaim nothing that a row refers to: some of what was planned before may have been refused.
    pub(crate) fn spare_what_is_referred_to(&mut self, round: usize, model: &Model) {
        for number in self.round(round) {
            if let Operation::Reclaim(ids) = &mut self.operations[number] {
                ids.retain(|id| model.blobs.get(id).is_none_or(|stored| !model.is_referenced(stored)));
            }
        }
    }

    pub(crate) fn round(&self, number: usize) -> std::ops::Range<usize> {
        let end = self.rounds.get(number + 1).copied().unwrap_or(self.operations.len());
        self.rounds[number]..end
    }
}

impl Planner {
    fn new(seed: u64, shape: Shape, model: Model) -> Self {
        let tables = [TableId::new(TableKind::Objects, [1; 15]), TableId::new(TableKind::Objects, [2; 15])];
        let mut planner = Self {
            chance: Chance::of(seed),
            shape,
            model,
            ballot_time: START_MICROS,
            tables,
            done: Vec::new(),
        };
        let taken = planner.model.highest_of_all().time;
        planner.ballot_time = planner.ballot_time.max(taken + BOUND_AHEAD_MICROS);
        planner
    }

    fn round(&mut self, plan: &mut Plan) {
        plan.rounds.push(plan.operations.len());
        let wanted = 1 + self.chance.below(ROUND_MAX);
        let mut touched = BTreeSet::new();
        let mut done = Vec::new();
        for _ in 0..wanted {
            let Some(operation) = self.operation() else { continue };
            let units = units(&operation);
            let is_apart = !units.iter().any(|unit| touched.contains(unit))
                && !touched.contains(&Unit::Everything)
                && (touched.is_empty() || !units.contains(&Unit::Everything));
            if is_apart {
                touched.extend(units);
                done.push(operation);
            }
        }
        for operation in done {
            if self.model.verdict(&operation).is_ok() {
                self.model.apply(&operation);
                self.done.push(operation.clone());
            }
            plan.operations.push(operation);
        }
    }

    fn operation(&mut self) -> Option<Operation> {
        match self.chance.below(100) {
            0..=29 => Some(self.put_with_body()),
            30..=36 => self.change_record(),
            37..=46 => self.remove(),
            47..=56 => Some(self.stage()),
            57..=68 => self.refer_to_staged(),
            69..=72 => Some(self.seal()),
            73..=76 => self.unseal(),
            77..=81 => self.settle(),
            82..=87 => self.reclaim(),
            88..=90 => self.forget(),
            91..=95 => Some(self.prepare()),
            96 => self.ask_again(),
            97 => self.refer_to_missing(),
            98 => self.put_too_late(),
            _ => self.put_under_seal(),
        }
    }

    fn put_with_body(&mut self) -> Operation {
        let row = self.row();
        let bytes_count = match self.chance.below(10) {
            0 => 0,
            1..=3 => self.chance.below(1024),
            4..=8 => 1024 + self.chance.below(12_000),
            _ => 60_000 + self.chance.below(80_000),
        };
        let bytes = Bytes::from(self.chance.bytes(bytes_count));
        let id = BlobId(self.chance.array());
        let blob = BlobRef { id, hash: row.hash, bytes: bytes.len() as u64, checksum: Checksum::of(&bytes) };
        let body = Some(CarriedBody { blob, bytes });
        let value = self.live(vec![blob]);
        Operation::Accept(Box::new(self.accept(row, value, body)))
    }

    /// As a change of metadata does: the bytes stay.
    fn change_record(&mut self) -> Option<Operation> {
        let row = self.known_row()?;
        let blobs = self.model.rows.get(&row.row)?.accepted.state.value.blobs().to_vec();
        let value = self.live(blobs);
        Some(Operation::Accept(Box::new(self.accept(row, value, None))))
    }

    fn remove(&mut self) -> Option<Operation> {
        let row = self.known_row()?;
        Some(Operation::Accept(Box::new(self.accept(row, RowValue::Tombstone, None))))
    }

    fn stage(&mut self) -> Operation {
        let bytes_count = match self.chance.below(6) {
            // Larger than what fits into a segment.
            0 | 1 if self.shape.staged_bytes_max > 1 << 20 => {
                self.shape.staged_bytes_max - self.chance.below(10_000)
            }
            2 => self.chance.below(1000),
            _ => 1 + self.chance.below(150_000),
        };
        let bytes = Bytes::from(self.chance.bytes(bytes_count));
        let row = self.row();
        let (hash, owner) = match self.chance.below(3) {
            0 => (PlacementHash(self.chance.next()), BlobOwner::Row(row)),
            1 => (row.hash, BlobOwner::PartOf { part: self.row(), object: row }),
            _ => (row.hash, BlobOwner::Row(row)),
        };
        let new = NewBlob { id: BlobId(self.chance.array()), hash, owner };
        let blocks = bytes.len().div_ceil(martlet_protocol::BLOCK_BYTES);
        let end = match self.chance.below(8) {
            0 => StageEnd::Abandon(blocks),
            1 => StageEnd::Abandon(self.chance.below(blocks + 1)),
            _ => StageEnd::Finish,
        };
        Operation::Stage { new, bytes, end }
    }

    fn refer_to_staged(&mut self) -> Option<Operation> {
        let lonely = self.model.unreferenced();
        let fact = self.chance.pick(&lonely)?.clone();
        let row = match fact.owner {
            BlobOwner::Row(row) => row,
            BlobOwner::PartOf { part, object } => {
                if self.chance.percent(50) {
                    part
                } else {
                    object
                }
            }
        };
        // What has been let go of is never referred to again.
        if self.model.garbage.contains_key(&fact.blob.id) {
            return None;
        }
        let value = self.live(vec![fact.blob]);
        Some(Operation::Accept(Box::new(self.accept(row, value, None))))
    }

    fn seal(&mut self) -> Operation {
        let table = self.table();
        Operation::Seal(table, SealToken(self.chance.array()))
    }

    fn unseal(&mut self) -> Option<Operation> {
        let seals: Vec<_> = self.model.seals.iter().map(|(table, token)| (*table, *token)).collect();
        let (table, token) = *self.chance.pick(&seals)?;
        Some(Operation::Unseal(table, token))
    }

    fn settle(&mut self) -> Option<Operation> {
        let queued: Vec<_> = self.model.garbage.keys().copied().collect();
        let some: Vec<_> = queued.into_iter().filter(|_| self.chance.percent(60)).collect();
        (!some.is_empty()).then_some(Operation::Settle(some))
    }

    fn reclaim(&mut self) -> Option<Operation> {
        let lonely = self.model.unreferenced();
        let some: Vec<_> =
            lonely.iter().filter(|_| self.chance.percent(60)).map(|fact| fact.blob.id).collect();
        (!some.is_empty()).then_some(Operation::Reclaim(some))
    }

    fn forget(&mut self) -> Option<Operation> {
        let tombstones = self.model.tombstones();
        let some: Vec<_> = tombstones.into_iter().filter(|_| self.chance.percent(60)).collect();
        (!some.is_empty()).then_some(Operation::Forget(some))
    }

    fn prepare(&mut self) -> Operation {
        let row = self.row();
        Operation::Prepare(Prepare { row, ballot: self.ballot() })
    }

    /// As after an answer that was lost.
    fn ask_again(&mut self) -> Option<Operation> {
        let is_repeated = |operation: &&Operation| {
            matches!(operation, Operation::Accept(_) | Operation::Stage { end: StageEnd::Finish, .. })
        };
        let repeatable: Vec<_> = self.done.iter().filter(is_repeated).cloned().collect();
        self.chance.pick(&repeatable).cloned()
    }

    fn refer_to_missing(&mut self) -> Option<Operation> {
        let row = self.known_row()?;
        let blob =
            BlobRef { id: BlobId(self.chance.array()), hash: row.hash, bytes: 5, checksum: Checksum(0) };
        let value = self.live(vec![blob]);
        let mut accept = self.accept(row, value, None);
        accept.garbage.clear();
        Some(Operation::Accept(Box::new(accept)))
    }

    fn put_too_late(&mut self) -> Option<Operation> {
        let row = self.known_row()?;
        let value = self.live(Vec::new());
        let mut accept = self.accept(row, value, None);
        accept.ballot = Ballot { time: START_MICROS, proposer: ProposerId(1) };
        Some(Operation::Accept(Box::new(accept)))
    }

    fn put_under_seal(&mut self) -> Option<Operation> {
        let sealed: Vec<_> = self.model.seals.keys().copied().collect();
        let table = *self.chance.pick(&sealed)?;
        let row = self.row_of(table);
        let value = self.live(Vec::new());
        let mut accept = self.accept(row, value, None);
        accept.seal = None;
        Some(Operation::Accept(Box::new(accept)))
    }

    /// An accept as a proposer makes it, who knows what the row holds.
    fn accept(&mut self, row: RowAddress, value: RowValue, body: Option<CarriedBody>) -> Accept {
        let ballot = self.ballot();
        let before = self.model.rows.get(&row.row).map(|row| row.accepted.state.clone());
        let garbage = before.iter().flat_map(|state: &RowState| state.value.blobs()).copied();
        let garbage = garbage.filter(|blob| !value.blobs().contains(blob)).collect();
        let forgotten = self.model.forgotten.get(&row.hash.partition(crate::model::PARTITION_BITS)).copied();
        let state = match before {
            Some(state) => state.successor(ballot, value),
            None => State::first(ballot, forgotten.unwrap_or_default(), value),
        };
        let seal = self.model.seals.get(&row.row.table).copied();
        Accept { row, ballot, state, body, garbage, seal }
    }

    fn live(&mut self, blobs: Vec<BlobRef>) -> RowValue {
        let record_bytes = if self.chance.percent(20) {
            self.chance.below(self.shape.record_bytes_max)
        } else {
            self.chance.below(self.shape.record_bytes_max.min(400))
        };
        let entry_bytes = self.chance.below(80);
        let weight = Weight { objects: 1, bytes: blobs.iter().map(|blob| blob.bytes).sum() };
        RowValue::Live {
            entry: self.chance.bytes(entry_bytes).into(),
            record: self.chance.bytes(record_bytes).into(),
            weight,
            blobs,
        }
    }

    fn ballot(&mut self) -> Ballot {
        // Sometimes so far ahead that the bound of promises has to be raised.
        self.ballot_time += if self.chance.percent(10) { 5_000_000 } else { 1000 };
        Ballot { time: self.ballot_time, proposer: ProposerId(1 + self.chance.next() % 3) }
    }

    fn table(&mut self) -> TableId {
        self.tables[self.chance.below(self.tables.len())]
    }

    fn row(&mut self) -> RowAddress {
        let table = self.table();
        self.row_of(table)
    }

    fn row_of(&mut self, table: TableId) -> RowAddress {
        let key = format!("key-{}", self.chance.below(8));
        let hash = PlacementHash(Chance::of(u64::from(key.as_bytes()[4])).next());
        RowAddress { row: RowKey { table, key: key.into() }, hash }
    }

    fn known_row(&mut self) -> Option<RowAddress> {
        let rows: Vec<_> = self.model.rows.values().map(|row| row.address.clone()).collect();
        self.chance.pick(&rows).cloned()
    }
}

fn units(operation: &Operation) -> Vec<Unit> {
    let blobs = |ids: &[BlobId]| ids.iter().map(|id| Unit::Blob(*id)).collect::<Vec<_>>();
    match operation {
        Operation::Prepare(prepare) => vec![Unit::Row(prepare.row.row.clone())],
        Operation::Accept(accept) => {
            let named = accept.state.value.blobs().iter().chain(&accept.garbage).map(|blob| blob.id);
            let mut units = blobs(&named.collect::<Vec<_>>());
            units.push(Unit::Row(accept.row.row.clone()));
            units
        }
        Operation::Stage { new, .. } => blobs(&[new.id]),
        Operation::Settle(ids) | Operation::Reclaim(ids) => blobs(ids),
        Operation::Seal(..) | Operation::Unseal(..) | Operation::Forget(_) => vec![Unit::Everything],
    }
}
