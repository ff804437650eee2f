//! Rows: digests of whole partitions, then of their tables, then ballots.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use martlet_protocol::{PartitionCounters, Replica, RowAddress, SurveyDepth, SurveyedRow, TableId};
use martlet_register::Ballot;
use martlet_ring::{DeviceId, Partition};
use tokio::time::sleep;

use super::asking::ask_each;
use super::level::{Outcome, level, propose_again};
use super::missed::{Deliveries, deliver};
use super::responsibility::{by_device, led_by};
use super::walk::{Group, Rows, Tables, Walk};
use crate::cluster::Shared;

/// Partitions that are asked about at once.
const PARTITIONS_AT_ONCE: usize = 4096;

/// How often partitions must be seen to differ before their rows are compared. A write that is under way is on one
/// replica sooner than on the next: a single look would send a busy cluster through its rows all the time.
pub(super) const LOOKS: u32 = 3;
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Rows that are looked at more closely, and proposed once more, at once.
const ROWS_AT_ONCE: usize = 16;

/// What one pass over a device's partitions found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairRound {
    /// Partitions whose replicas were compared.
    pub partitions: usize,
    /// Of those: partitions of which not every replica answered.
    pub partitions_unknown: usize,
    /// Of those: partitions whose replicas differed.
    pub partitions_different: usize,
    /// Rows that were proposed once more, so that all replicas accept them.
    pub rows_leveled: usize,
    /// Rows on which replicas differ, left for another pass.
    pub rows_undecided: usize,
    /// Blobs that devices got which had missed them.
    pub blobs_delivered: usize,
    /// Blobs that some device misses, left for another pass.
    pub blobs_waiting: usize,
}

impl RepairRound {
    /// Whether every replica was heard, and all hold the same.
    pub fn is_level(&self) -> bool {
        self.partitions_unknown == 0 && self.partitions_different == 0 && self.blobs_waiting == 0
    }
}

/// Compares the replicas of the partitions that a device leads, and brings their rows level.
pub(crate) async fn repair(shared: &Arc<Shared>, device: DeviceId) -> RepairRound {
    let mut round = RepairRound::default();
    let led = led_by(shared, device);
    for partitions in led.chunks(PARTITIONS_AT_ONCE) {
        let found = compare(shared, partitions, LOOKS).await;
        round.partitions += partitions.len();
        round.partitions_unknown += found.unknown.len();
        round.partitions_different += found.different.len();
        if !found.different.is_empty() {
            level_tables(shared, (&found.different, Way::LookAgain), &mut round).await;
        }
    }
    let is_ours = |hash| led.binary_search(&shared.ring.partition_of(hash)).is_ok();
    match deliver(shared, is_ours).await {
        Ok(Deliveries { delivered, waiting }) => {
            round.blobs_delivered = delivered;
            round.blobs_waiting = waiting;
        }
        Err(error) => tracing::debug!(%error, "what devices missed can't be looked up"),
    }
    round
}

/// How a row is brought level on which replicas differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All replicas are asked once more first: a write that was under way may have ended.
    LookAgain,
    /// It is proposed at once, since one of its replicas doesn't say more than what it told.
    AsTold,
}

/// How the replicas of some partitions compare.
pub(super) struct Comparison {
    pub(super) different: Vec<Partition>,
    /// Not every replica answered; they may be among `different` as well.
    pub(super) unknown: Vec<Partition>,
}

pub(super) async fn compare(shared: &Shared, partitions: &[Partition], looks: u32) -> Comparison {
    let mut found = Comparison { different: partitions.to_vec(), unknown: Vec::new() };
    for look in 0..looks {
        if found.different.is_empty() {
            break;
        }
        if look > 0 {
            sleep(LOOK_PAUSE).await;
        }
        let asked = std::mem::take(&mut found.different);
        let answers = digests(shared, &asked).await;
        found.unknown.clear();
        for partition in asked {
            let replicas = shared.ring.devices_of(partition);
            let known: Vec<u64> =
                replicas.iter().filter_map(|device| answers.get(&(*device, partition)).copied()).collect();
            if known.len() < replicas.len() {
                found.unknown.push(partition);
            }
            if known.windows(2).any(|pair| pair[0] != pair[1]) {
                found.different.push(partition);
            }
        }
    }
    found
}

async fn digests(shared: &Shared, partitions: &[Partition]) -> HashMap<(DeviceId, Partition), u64> {
    let questions: Vec<_> = by_device(shared, partitions);
    let asked: HashMap<DeviceId, Vec<Partition>> =
        questions.iter().map(|(device, partitions)| (device.id, partitions.clone())).collect();
    let ask = |replica: Arc<dyn Replica>, partitions| async move { replica.digests(partitions).await };
    let mut digests = HashMap::new();
    for (device, answer) in ask_each(questions, shared.options.answer_deadline, ask).await {
        let (Ok(answered), Some(partitions)) = (answer, asked.get(&device)) else { continue };
        // An answer of another length is none.
        if answered.len() == partitions.len() {
            digests.extend(partitions.iter().map(|partition| (device, *partition)).zip(answered));
        }
    }
    digests
}

/// Goes through the tables of partitions that differ.
pub(super) async fn level_tables(
    shared: &Arc<Shared>,
    (partitions, way): (&[Partition], Way),
    round: &mut RepairRound,
) {
    let mut tables = Walk::new(shared, Tables, partitions, None);
    while let Some(group) = tables.next().await {
        let different = different_partitions(shared, &group, tables.failed());
        if !different.is_empty() {
            level_rows(shared, (group.name, &different), way, round).await;
        }
    }
}

/// The partitions of a table on whose digests those who answered differ. Who doesn't mention one has nothing in it.
fn different_partitions(shared: &Shared, group: &Group<Tables>, failed: &[DeviceId]) -> Vec<Partition> {
    let mut said: HashMap<Partition, Vec<(DeviceId, PartitionCounters)>> = HashMap::new();
    for (device, counters) in &group.reports {
        for counted in &counters.partitions {
            said.entry(counted.partition).or_default().push((*device, *counted));
        }
    }
    let mut different: Vec<Partition> = Vec::new();
    for (partition, said) in said {
        let replicas = shared.ring.devices_of(partition).iter().filter(|device| !failed.contains(device));
        let digest_of = |device: &DeviceId| {
            let own = said.iter().find(|(other, _)| other == device);
            own.map(|(_, counted)| counted.digest)
        };
        let digests: Vec<Option<u64>> = replicas.map(digest_of).collect();
        if digests.windows(2).any(|pair| pair[0] != pair[1]) {
            different.push(partition);
        }
    }
    different.sort_unstable();
    different
}

/// Levels the rows of one table in these partitions, which are in order, on whatever replicas can be reached.
pub(crate) async fn level_table(
    shared: &Arc<Shared>,
    table: TableId,
    partitions: &[Partition],
) -> RepairRound {
    let mut round = RepairRound::default();
    level_rows(shared, (table, partitions), Way::LookAgain, &mut round).await;
    round
}

/// Compares the ballots of a table's rows, and levels those that differ.
async fn level_rows(
    shared: &Arc<Shared>,
    (table, partitions): (TableId, &[Partition]),
    way: Way,
    round: &mut RepairRound,
) {
    let mut rows = Walk::new(shared, Rows { table, depth: SurveyDepth::Ballots }, partitions, None);
    let mut batch: Vec<(RowAddress, Option<DeviceId>)> = Vec::new();
    loop {
        let group = rows.next().await;
        let is_last = group.is_none();
        if let Some(group) = group {
            let row = shared.address(table, group.name.clone());
            if differs(shared, &row, &group.reports, rows.failed()) {
                batch.push((row, holder(&group.reports)));
            }
        }
        if batch.len() >= 16 * ROWS_AT_ONCE || is_last {
            level_batch(shared, (std::mem::take(&mut batch), way), round).await;
        }
        if is_last {
            return;
        }
    }
}

/// Whether those who answered hold a row under different ballots, or one of them can't say.
pub(super) fn differs(
    shared: &Shared,
    row: &RowAddress,
    reports: &[(DeviceId, SurveyedRow)],
    failed: &[DeviceId],
) -> bool {
    let replicas = shared.ring.devices_of_hash(row.hash).iter().filter(|device| !failed.contains(device));
    let ballot_of = |device: &DeviceId| {
        let own = reports.iter().find(|(other, _)| other == device);
        own.map(|(_, row)| row.standing.ballot())
    };
    let ballots: Vec<Option<Option<Ballot>>> = replicas.map(ballot_of).collect();
    ballots.contains(&Some(None)) || ballots.windows(2).any(|pair| pair[0] != pair[1])
}

/// Who told the highest ballot.
fn holder(reports: &[(DeviceId, SurveyedRow)]) -> Option<DeviceId> {
    let ballots = reports.iter().filter_map(|(device, row)| Some((row.standing.ballot()?, *device)));
    ballots.max().map(|(_, device)| device)
}

async fn level_batch(
    shared: &Arc<Shared>,
    (rows, way): (Vec<(RowAddress, Option<DeviceId>)>, Way),
    round: &mut RepairRound,
) {
    let leveling = rows.into_iter().map(|(row, holder)| async move {
        match (way, holder) {
            (Way::LookAgain, _) | (Way::AsTold, None) => level(shared, &row).await,
            (Way::AsTold, Some(holder)) => propose_again(shared, &row, &[holder]).await.map_or_else(
                |error| {
                    tracing::debug!(?row, %error, "a row is left for another pass");
                    Outcome::Undecided
                },
                |()| Outcome::Leveled,
            ),
        }
    });
    let mut outcomes = stream::iter(leveling).buffer_unordered(ROWS_AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Outcome::Agreed => {}
            Outcome::Leveled => round.rows_leveled += 1,
            Outcome::Undecided => round.rows_undecided += 1,
        }
    }
}
