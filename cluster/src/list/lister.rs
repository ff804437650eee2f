//! The lazy merge.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use martlet_model::{Error, Result};
use martlet_protocol::{ListedItem, RowState, Scope};
use martlet_ring::DeviceId;

use super::merge::{Judgement, Report, judge};
use super::prefix::is_alive;
use super::source::{Reach, Source, name_of, page_limit};
use super::{Coverage, Question};
use crate::cluster::Shared;
use crate::device::{Answered, Device};
use crate::fanout::{Patience, collect, note_silent};
use crate::row::Access;
use crate::row::change::settle;
use crate::row::read::read_value;

/// How many disputed rows are read at once.
const DISPUTES_AT_ONCE: usize = 16;

/// Gives a table's live rows in order, as few pages at a time as it takes.
pub(crate) struct Lister {
    shared: Arc<Shared>,
    question: Question,
    coverage: Coverage,
    sources: Vec<Source>,
    /// Devices that are asked only if others fail or are slow.
    reserve: Vec<Arc<Device>>,
    page_limit: usize,
    /// Everything up to and including this name has been judged.
    judged: Option<Bytes>,
    ready: VecDeque<Found>,
}

/// A live row, or a prefix with a live row below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Row { key: Bytes, entry: Bytes },
    Prefix(Bytes),
}

impl Found {
    pub(crate) fn name(&self) -> &Bytes {
        match self {
            Self::Row { key, .. } => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl Lister {
    pub(crate) fn new(shared: &Arc<Shared>, question: Question) -> Self {
        let coverage = Coverage::new(&shared.ring, question.partition);
        let mut devices: Vec<_> = match question.partition {
            Some(partition) => {
                let replicas = shared.ring.devices_of(partition).iter();
                replicas.filter_map(|id| shared.device(*id)).cloned().collect()
            }
            None => shared.all_devices(),
        };
        if let Some(sealed) = &question.sealed {
            devices.retain(|device| sealed.devices.contains(&device.id));
        }
        let (chosen, reserve) = coverage.choose(devices, usize::from(question.table.as_bytes()[15]));
        let replicas = usize::from(shared.ring.replicas());
        let page_limit = page_limit(question.expected, replicas, chosen.len() + reserve.len());
        Self {
            shared: shared.clone(),
            question,
            coverage,
            sources: chosen.into_iter().map(|device| Source::new(device, None)).collect(),
            reserve,
            page_limit,
            judged: None,
            ready: VecDeque::new(),
        }
    }

    /// The next live row or prefix; `None`: that was all.
    pub(crate) async fn next(&mut self) -> Result<Option<Found>> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Ok(Some(found));
            }
            if self.sources.iter().all(|source| source.reach == Reach::End && source.buffer.is_empty()) {
                return Ok(None);
            }
            self.refill().await?;
            let judgements = self.merge();
            self.ready = self.settle(judgements).await?;
        }
    }

    /// Asks every device that has nothing left for its next page. A device that fails is done without, if that can be.
    async fn refill(&mut self) -> Result<()> {
        let (waiting, mut settled): (Vec<Source>, Vec<Source>) =
            std::mem::take(&mut self.sources).into_iter().partition(Source::needs_more);
        let mut asked: Vec<_> = waiting.iter().map(|source| source.device.clone()).collect();
        let mut calls: FuturesUnordered<_> =
            waiting.into_iter().map(|source| next_page(source, &self.question, self.page_limit)).collect();
        let options = self.shared.options;
        let patience = |deadline| Patience { straggler_delay: options.hedge_delay, deadline };
        let mut there: Vec<_> = settled.iter().map(|source| source.device.id).collect();
        let coverage = &self.coverage;
        let mut is_covered = |(device, answer): &(DeviceId, Answered<Source>)| {
            there.extend(answer.is_ok().then_some(*device));
            coverage.is_met_by(|id| there.contains(&id))
        };
        // With somebody left to ask, nobody is waited for alone.
        let first = if self.reserve.is_empty() { options.answer_deadline } else { options.hedge_delay };
        let mut is_enough = false;
        let mut answers = collect(&mut calls, patience(first), |answer| {
            is_enough = is_covered(answer);
            is_enough
        })
        .await;
        if !is_enough && !self.reserve.is_empty() {
            for device in self.reserve.drain(..) {
                asked.push(device.clone());
                let source = Source::new(device, self.judged.clone());
                calls.push(next_page(source, &self.question, self.page_limit));
            }
            // Who was slow is still listened to: of those who were held back, some may be lost.
            answers.extend(collect(&mut calls, patience(options.answer_deadline), is_covered).await);
        }
        let heard: Vec<_> = answers.iter().map(|(device, _)| *device).collect();
        note_silent(&asked, &heard);
        settled.extend(answers.into_iter().filter_map(|(_, answer)| answer.ok()));
        self.sources = settled;
        if self.coverage.is_met_by(|id| self.sources.iter().any(|source| source.device.id == id)) {
            Ok(())
        } else {
            self.shared.figures.listings_without_quorum.increment();
            Err(Error::Unavailable("too few devices answered a listing"))
        }
    }

    /// Judges every name up to which all devices have answered.
    fn merge(&mut self) -> Vec<Judgement> {
        let frontier = self
            .sources
            .iter()
            .filter_map(|source| match &source.reach {
                Reach::Through(through) => Some(through),
                Reach::Nothing | Reach::End => None,
            })
            .min()
            .cloned();
        let mut reports: Vec<Report> = Vec::new();
        for source in &mut self.sources {
            let is_within = |item: &ListedItem| frontier.as_ref().is_none_or(|end| name_of(item) <= end);
            let count = source.buffer.partition_point(is_within);
            let from = source.device.id;
            reports.extend(source.buffer.drain(..count).map(|item| Report { from, item }));
        }
        // A few ascending runs, which a merge sort joins in one pass.
        reports.sort_by(|one, other| name_of(&one.item).cmp(name_of(&other.item)));
        let mut judgements = Vec::with_capacity(reports.len() / self.sources.len().max(1));
        for group in reports.chunk_by_mut(|one, other| name_of(&one.item) == name_of(&other.item)) {
            // A device may cut its page inside of a prefix, and name that prefix again in the next one.
            if self.judged.as_ref().is_none_or(|judged| judged < name_of(&group[0].item)) {
                judgements.push(judge(&self.shared.ring, group));
            }
        }
        self.judged = frontier.max(self.judged.take());
        judgements
    }

    /// Reads what is disputed, and leaves out what isn't alive.
    async fn settle(&self, judgements: Vec<Judgement>) -> Result<VecDeque<Found>> {
        if !judgements.iter().any(Judgement::is_disputed) {
            return Ok(judgements.into_iter().filter_map(undisputed).collect());
        }
        let settling = judgements.into_iter().map(|judgement| self.settle_one(judgement));
        let found = stream::iter(settling).buffered(DISPUTES_AT_ONCE);
        found.try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await
    }

    async fn settle_one(&self, judgement: Judgement) -> Result<Option<Found>> {
        match judgement {
            Judgement::DisputedRow(key) => {
                let entry = entry_of(&self.shared, &self.question, key.clone()).await?;
                Ok(entry.map(|entry| Found::Row { key, entry }))
            }
            Judgement::DisputedPrefix { prefix, evidence } => {
                let alive = is_alive(&self.shared, &self.question, &prefix, evidence).await?;
                Ok(alive.then_some(Found::Prefix(prefix)))
            }
            certain => Ok(undisputed(certain)),
        }
    }
}

fn undisputed(judgement: Judgement) -> Option<Found> {
    match judgement {
        Judgement::Row { key, entry } => entry.map(|entry| Found::Row { key, entry }),
        Judgement::Prefix(prefix) => Some(Found::Prefix(prefix)),
        Judgement::Nothing | Judgement::DisputedRow(_) | Judgement::DisputedPrefix { .. } => None,
    }
}

/// The device's next page, put into its source.
fn next_page(
    mut source: Source,
    question: &Question,
    limit: usize,
) -> impl Future<Output = (DeviceId, Answered<Source>)> + use<> {
    let request = source.request(question, limit);
    async move {
        let page = source.device.replica.list(request).await;
        source.device.note(&page);
        let id = source.device.id;
        (id, page.and_then(|page| source.take(page)).map(|()| source))
    }
}

/// The entry of a row as the register has it; `None`: it isn't alive.
pub(super) async fn entry_of(shared: &Arc<Shared>, question: &Question, key: Bytes) -> Result<Option<Bytes>> {
    let access = Access {
        row: shared.address(question.table, key),
        seal: question.sealed.as_ref().map(|sealed| sealed.token),
        guard: question.guard.clone(),
        spared: None,
    };
    let state = match question.sealed {
        None => read_value(shared, &access).await?,
        // Also what only one replica has may yet be chosen, by others who haven't taken the seal.
        Some(_) => settle(shared, &access).await?,
    };
    let is_shown = |state: &&RowState| question.scope == Scope::All || state.value.weight().objects > 0;
    Ok(state.as_ref().filter(is_shown).and_then(|state| state.value.entry().cloned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use martlet_ring::{NodeId, PlacementKey, ZoneId, build};
    use martlet_testkit::{Faults, MemoryReplica, Reach, SimulatedClock};

    use super::*;
    use crate::cluster::ACCOUNTS;
    use crate::row::Guard;
    use crate::{ClusterParts, ClusterStore, Options, SeededRandom};

    const PARTITION_BITS: u8 = 4;
    /// Longer than anybody is waited for while there is somebody else to ask.
    const SLOW: Duration = Duration::from_millis(500);

    /// A store over three devices that answer like this.
    fn store(reaches: [Reach; 3]) -> ClusterStore {
        let clock = Arc::new(SimulatedClock::default());
        let device = |id| martlet_ring::Device {
            id: DeviceId(id),
            node: NodeId(id),
            zone: ZoneId(0),
            weight: 1,
            address: String::new(),
        };
        let ring = build(PARTITION_BITS, 3, (0..3).map(device).collect()).unwrap();
        let replica = |(id, reach)| {
            let replica = MemoryReplica::new(PARTITION_BITS, clock.clone());
            replica.set_faults(Faults::reaching(reach));
            (DeviceId(id), Arc::new(replica) as _)
        };
        ClusterStore::new(ClusterParts {
            ring: Arc::new(ring),
            placement: PlacementKey::new([5; 16]),
            replicas: (0..3).zip(reaches).map(replica).collect(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::new(1)),
            options: Options::STANDARD,
        })
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_device_lost_a_slow_one_is_still_heard() {
        for lost in [Reach::Silent, Reach::Down] {
            for order in 0..6 {
                let mut reaches = [lost, Reach::Slow(SLOW), Reach::Prompt];
                reaches.rotate_left(order % 3);
                if order >= 3 {
                    reaches.swap(0, 1);
                }
                let store = store(reaches);
                let mut lister = Lister::new(&store.shared, Question::all(ACCOUNTS, Guard::None));
                assert_eq!(lister.next().await.unwrap(), None, "{reaches:?}");
            }
        }
    }
}
