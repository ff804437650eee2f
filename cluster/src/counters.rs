//! How much a table holds, without going through its rows.
//!
//! Where a majority of a partition's replicas have the same digest, what they count is right. Where none does, a write
//! is under way, or a replica has missed something: it is looked at again, and then the rows that differ are brought
//! level in the background, so that nobody who asks goes through a table's rows himself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use martlet_model::{Error, Result};
use martlet_protocol::{PartitionCounters, TableCounters, TableId, Weight};
use martlet_ring::{DeviceId, Partition};
use tokio::time::{Instant, sleep};

use crate::cluster::Shared;
use crate::device::{Answered, Device};
use crate::fanout::{Patience, ask};
use crate::list::Coverage;
use crate::repair::rows::level_table;

/// The most tables that are asked about at once.
const TABLES_AT_ONCE: usize = 256;

/// How long a figure is waited for on which replicas agree. After that one of them is believed.
const AGREEMENT_MAX: Duration = Duration::from_secs(1);

/// Between two looks; the pause doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(160);

/// What is disputed in so many looks is no write that is under way.
const LOOKS_BEFORE_LEVELING: u32 = 3;

/// How long nobody waits for a table again whose rows couldn't be brought level.
const IN_VAIN: Duration = Duration::from_secs(5);

/// The digest of no rows.
const NOTHING: u64 = 0;

/// What these tables hold, in the same order.
///
/// It is exact, unless rows on which replicas differ can't be brought level in time: [`AGREEMENT_MAX`].
pub(crate) async fn weights(shared: &Arc<Shared>, tables: &[TableId]) -> Result<Vec<Weight>> {
    let mut weights = Vec::with_capacity(tables.len());
    for tables in tables.chunks(TABLES_AT_ONCE) {
        let mut tallies: Vec<Tally> = tables.iter().map(|&table| Tally::new(table)).collect();
        fill(shared, &mut tallies).await?;
        weights.extend(tallies.iter().map(Tally::weight));
    }
    Ok(weights)
}

/// Looks until nothing is disputed any more, or for as long as it may take.
async fn fill(shared: &Arc<Shared>, tallies: &mut [Tally]) -> Result<()> {
    let until = Instant::now() + AGREEMENT_MAX;
    let mut pause = PAUSE_MIN;
    for look in 1.. {
        let mut open: Vec<&mut Tally> = tallies.iter_mut().filter(|tally| tally.is_open()).collect();
        if open.is_empty() {
            return Ok(());
        }
        gather(shared, &mut open).await?;
        open.retain(|tally| tally.is_open());
        if LOOKS_BEFORE_LEVELING <= look {
            for tally in &open {
                begin_to_level(shared, tally);
            }
        }
        let is_hopeless = |tally: &&mut Tally| shared.levelings.is_hopeless(tally.table);
        if until < Instant::now() + pause || (!open.is_empty() && open.iter().all(is_hopeless)) {
            shared.figures.counts_estimated.add(open.len() as u64);
            return Ok(());
        }
        if !open.is_empty() {
            sleep(pause).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }
    Ok(())
}

/// Asks once, and notes on what a majority agrees.
async fn gather(shared: &Shared, tallies: &mut [&mut Tally]) -> Result<()> {
    let coverage = Coverage::new(&shared.ring, None);
    let (mut devices, suspects) = coverage.prefer_healthy(shared.all_devices());
    let options = &shared.options;
    let patience = Patience { straggler_delay: options.hedge_delay, deadline: options.answer_deadline };
    let is_covered = |devices: &[Arc<Device>], answered: &[bool]| {
        let is_there = |id| devices.iter().zip(answered).any(|(device, there)| *there && device.id == id);
        coverage.is_met_by(is_there)
    };
    let tables: Vec<TableId> = tallies.iter().map(|tally| tally.table).collect();
    let question = |replica: Arc<dyn martlet_protocol::Replica>| {
        let tables = tables.clone();
        async move { replica.counters(tables).await }
    };
    let mut outcomes = ask(&devices, patience, question, |answered| is_covered(&devices, answered)).await;
    let is_good = |outcomes: &[Option<Answered<_>>]| -> Vec<bool> {
        outcomes.iter().map(|outcome| matches!(outcome, Some(Ok(_)))).collect()
    };
    if !is_covered(&devices, &is_good(&outcomes)) && !suspects.is_empty() {
        // Of those who were trusted, some are lost; and who isn't may be back.
        outcomes.extend(ask(&suspects, patience, question, |answered| answered.contains(&true)).await);
        devices.extend(suspects);
    }
    if !is_covered(&devices, &is_good(&outcomes)) {
        shared.figures.listings_without_quorum.increment();
        return Err(Error::Unavailable("too few devices answered how much they hold"));
    }
    let answers: Vec<_> = devices
        .iter()
        .zip(outcomes)
        .filter_map(|(device, outcome)| Some((device.id, outcome?.ok()?)))
        .collect();
    for (index, tally) in tallies.iter_mut().enumerate() {
        let of_table = answers.iter().filter_map(|(device, tables)| Some((*device, tables.get(index)?)));
        tally.note(compare(shared, of_table));
    }
    Ok(())
}

/// What is known of a table.
struct Tally {
    table: TableId,
    agreed: Weight,
    /// What one replica says of the partitions on which no majority agrees; `None`: nobody has been asked yet.
    disputed: Option<HashMap<Partition, Weight>>,
}

/// What the replicas of a partition say that holds something.
struct Count {
    partition: Partition,
    weight: Weight,
    is_disputed: bool,
}

impl Tally {
    fn new(table: TableId) -> Self {
        Self { table, agreed: Weight::default(), disputed: None }
    }

    fn is_open(&self) -> bool {
        self.disputed.as_ref().is_none_or(|disputed| !disputed.is_empty())
    }

    /// Takes what hasn't been agreed upon before: a partition's figure is right at one moment of the request.
    fn note(&mut self, counts: Vec<Count>) {
        let before = self.disputed.take();
        let mut disputed = HashMap::new();
        for count in counts {
            if before.as_ref().is_some_and(|before| !before.contains_key(&count.partition)) {
                continue;
            }
            if count.is_disputed {
                disputed.insert(count.partition, count.weight);
            } else {
                self.agreed = sum(self.agreed, count.weight);
            }
        }
        self.disputed = Some(disputed);
    }

    fn weight(&self) -> Weight {
        self.disputed.iter().flat_map(HashMap::values).fold(self.agreed, |all, more| sum(all, *more))
    }

    fn disputed_partitions(&self) -> Vec<Partition> {
        let mut partitions: Vec<_> = self.disputed.iter().flat_map(HashMap::keys).copied().collect();
        partitions.sort_unstable();
        partitions
    }
}

/// What the answers say of each partition that any of them mentions, in no order.
fn compare<'a>(shared: &Shared, answers: impl Iterator<Item = (DeviceId, &'a TableCounters)>) -> Vec<Count> {
    let mut reports: Vec<(DeviceId, PartitionCounters)> = Vec::new();
    let mut answered = Vec::new();
    for (device, counters) in answers {
        answered.push(device);
        reports.extend(counters.partitions.iter().map(|counters| (device, *counters)));
    }
    // A few ascending runs, which a merge sort joins in one pass.
    reports.sort_by_key(|(_, said)| said.partition);
    let mut counts = Vec::new();
    for reports in reports.chunk_by(|(_, one), (_, other)| one.partition == other.partition) {
        let Some((_, first)) = reports.first() else { continue };
        let replicas = shared.ring.devices_of(first.partition);
        let said_by = |id: &DeviceId| reports.iter().find(|(device, _)| device == id).map(|(_, said)| said);
        let agree = |digest| {
            // Who answered without mentioning the partition has nothing in it.
            let digest_of = |id| said_by(id).map_or(NOTHING, |said| said.digest);
            let who = replicas.iter().filter(|id| answered.contains(id));
            shared.majority() <= who.filter(|id| digest_of(id) == digest).count()
        };
        // In the order of the replicas: each that hasn't all rows believes the same one.
        let told: Vec<_> = replicas.iter().filter_map(said_by).collect();
        let count = |weight, is_disputed| Count { partition: first.partition, weight, is_disputed };
        match told.iter().find(|said| agree(said.digest)) {
            Some(agreed) => counts.push(count(agreed.weight, false)),
            None if agree(NOTHING) => {}
            None => counts.extend(told.first().map(|said| count(said.weight, true))),
        }
    }
    counts
}

fn sum(one: Weight, other: Weight) -> Weight {
    Weight { objects: one.objects + other.objects, bytes: one.bytes + other.bytes }
}

/// Tables whose rows are brought level because somebody wanted to know how much they hold.
#[derive(Debug, Default)]
pub(crate) struct Levelings {
    tables: Mutex<HashMap<TableId, Leveling>>,
}

#[derive(Clone, Copy, Debug)]
enum Leveling {
    UnderWay {
        since: Instant,
    },
    /// Some rows still differ.
    InVain {
        ended: Instant,
    },
}

/// One that is under way. However it ends, the next one may begin.
struct Turn {
    shared: Arc<Shared>,
    table: TableId,
}

/// Brings the rows level on which the tally's partitions differ, unless somebody is at it.
fn begin_to_level(shared: &Arc<Shared>, tally: &Tally) {
    let table = tally.table;
    if !shared.levelings.begin(table) {
        return;
    }
    let turn = Turn { shared: shared.clone(), table };
    let partitions = tally.disputed_partitions();
    // A process that stops needn't wait for it.
    tokio::spawn(async move {
        let round = level_table(&turn.shared, table, &partitions).await;
        turn.shared.figures.rows_leveled.add(round.rows_leveled as u64);
        turn.end(0 < round.rows_undecided);
    });
}

impl Levelings {
    fn begin(&self, table: TableId) -> bool {
        let mut tables = self.tables();
        tables.retain(|_, leveling| match leveling {
            Leveling::UnderWay { .. } => true,
            Leveling::InVain { ended } => ended.elapsed() < IN_VAIN,
        });
        let is_free = !tables.contains_key(&table);
        if is_free {
            tables.insert(table, Leveling::UnderWay { since: Instant::now() });
        }
        is_free
    }

    /// Whether there is no sense in waiting for a table: it has been tried, or it takes too long.
    fn is_hopeless(&self, table: TableId) -> bool {
        match self.tables().get(&table) {
            None => false,
            Some(Leveling::UnderWay { since }) => AGREEMENT_MAX < since.elapsed(),
            Some(Leveling::InVain { ended }) => ended.elapsed() < IN_VAIN,
        }
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<TableId, Leveling>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn end(&self, is_in_vain: bool) {
        if is_in_vain {
            let ended = Instant::now();
            self.shared.levelings.tables().insert(self.table, Leveling::InVain { ended });
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut tables = self.shared.levelings.tables();
        if let Some(Leveling::UnderWay { .. }) = tables.get(&self.table) {
            tables.remove(&self.table);
        }
    }
}
