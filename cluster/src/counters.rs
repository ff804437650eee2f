//! How much a table holds, exactly, without going through its rows.

use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{PartitionCounters, Scope, TableCounters, TableId, TableKind, Weight};
use martlet_ring::{DeviceId, Partition};

use crate::cluster::Shared;
use crate::fanout::{Patience, ask};
use crate::list::{Coverage, Found, Lister, Question};
use crate::record::{object, part};
use crate::row::Guard;

/// The most tables that are asked about at once.
const TABLES_AT_ONCE: usize = 256;

/// What these tables hold, in the same order. `guard` tells what to look at where a table turns out to be sealed.
pub(crate) async fn weights(shared: &Arc<Shared>, tables: &[TableId], guard: &Guard) -> Result<Vec<Weight>> {
    let mut weights = Vec::with_capacity(tables.len());
    for tables in tables.chunks(TABLES_AT_ONCE) {
        let answers = gather(shared, tables).await?;
        for (index, &table) in tables.iter().enumerate() {
            let of_table = answers.iter().filter_map(|(device, tables)| Some((*device, tables.get(index)?)));
            let (mut weight, disputed) = compare(shared, of_table);
            for partition in disputed {
                weight = sum(weight, count(shared, table, partition, guard).await?);
            }
            weights.push(weight);
        }
    }
    Ok(weights)
}

async fn gather(shared: &Arc<Shared>, tables: &[TableId]) -> Result<Vec<(DeviceId, Vec<TableCounters>)>> {
    let coverage = Coverage::new(&shared.ring, None);
    let devices = coverage.prefer_healthy(shared.all_devices());
    let options = &shared.options;
    let patience = Patience { straggler_delay: options.hedge_delay, deadline: options.answer_deadline };
    let is_covered = |answered: &[bool]| {
        let is_there = |id| devices.iter().zip(answered).any(|(device, there)| *there && device.id == id);
        coverage.is_met_by(is_there)
    };
    let question = |replica: Arc<dyn martlet_protocol::Replica>| {
        let tables = tables.to_vec();
        async move { replica.counters(tables).await }
    };
    let outcomes = ask(&devices, patience, question, is_covered).await;
    let is_good: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Some(Ok(_)))).collect();
    if !is_covered(&is_good) {
        shared.figures.listings_without_quorum.increment();
        return Err(Error::Unavailable("too few devices answered how much they hold"));
    }
    let good = devices.iter().zip(outcomes);
    Ok(good.filter_map(|(device, outcome)| Some((device.id, outcome?.ok()?))).collect())
}

/// Adds up the partitions on which a majority agrees, and names those on which none does.
fn compare<'a>(
    shared: &Shared,
    answers: impl Iterator<Item = (DeviceId, &'a TableCounters)>,
) -> (Weight, Vec<Partition>) {
    let mut reports: Vec<(DeviceId, PartitionCounters)> = Vec::new();
    let mut answered = Vec::new();
    for (device, counters) in answers {
        answered.push(device);
        reports.extend(counters.partitions.iter().map(|counters| (device, *counters)));
    }
    // A few ascending runs, which a merge sort joins in one pass.
    reports.sort_by_key(|(_, said)| said.partition);
    let (mut weight, mut disputed) = (Weight::default(), Vec::new());
    for reports in reports.chunk_by(|(_, one), (_, other)| one.partition == other.partition) {
        let Some((_, first)) = reports.first() else { continue };
        let replicas = shared.ring.devices_of(first.partition);
        let is_replica = |(device, _): &&(DeviceId, PartitionCounters)| replicas.contains(device);
        let agree = |digest| {
            let said = reports.iter().filter(is_replica).filter(|(_, said)| said.digest == digest).count();
            // Who answered without mentioning the partition has nothing in it.
            let is_mute = |id: &&DeviceId| !reports.iter().any(|(device, _)| device == *id);
            let mute = replicas.iter().filter(|id| answered.contains(id)).filter(is_mute).count();
            said + if digest == NOTHING { mute } else { 0 } >= shared.majority()
        };
        match reports.iter().filter(is_replica).find(|(_, said)| agree(said.digest)) {
            Some((_, agreed)) => weight = sum(weight, agreed.weight),
            None if agree(NOTHING) => {}
            None => disputed.push(first.partition),
        }
    }
    (weight, disputed)
}

/// The digest of no rows.
const NOTHING: u64 = 0;

/// Counts one partition row by row.
async fn count(shared: &Arc<Shared>, table: TableId, partition: Partition, guard: &Guard) -> Result<Weight> {
    let whole = Question { scope: Scope::All, ..Question::all(table, guard.clone()) };
    let question = Question { partition: Some(partition), ..whole };
    let mut lister = Lister::new(shared, question);
    let mut weight = Weight::default();
    while let Some(found) = lister.next().await? {
        if let Found::Row { key, entry } = found {
            let own = match table.kind() {
                TableKind::Objects | TableKind::Versions => object::listed(&entry)?.weight(table.kind()),
                TableKind::Parts => {
                    Weight { objects: 1, bytes: part::PartRow::read(&key, &entry)?.info.bytes }
                }
                TableKind::System | TableKind::Containers | TableKind::Uploads => {
                    Weight { objects: 1, bytes: 0 }
                }
            };
            weight = sum(weight, own);
        }
    }
    Ok(weight)
}

fn sum(one: Weight, other: Weight) -> Weight {
    Weight { objects: one.objects + other.objects, bytes: one.bytes + other.bytes }
}
