//! Pages of several devices, merged by name, as few pages at a time as it takes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use martlet_protocol::{
    ListTables, Replica, ReplicaError, Survey, SurveyDepth, SurveyedRow, TableCounters, TableId,
};
use martlet_ring::{DeviceId, Partition};

use super::asking::answer_of;
use super::responsibility::by_device;
use crate::cluster::Shared;
use crate::device::{Answered, Device};

/// Rows and tables that a device is asked for at once.
const PAGE_ITEMS: usize = 1000;

/// What is gone through.
#[async_trait]
pub(super) trait Pages: Send + Sync {
    type Name: Clone + Ord + Send + Sync;
    type Item: Send;

    /// The next items after a name, and how far they go; `None`: to the end.
    async fn page(
        &self,
        replica: &dyn Replica,
        partitions: &[Partition],
        after: Option<Self::Name>,
    ) -> Answered<(Vec<Self::Item>, Option<Self::Name>)>;

    fn name(item: &Self::Item) -> Self::Name;
}

/// A walk through the same pages of several devices.
pub(super) struct Walk<P: Pages> {
    pages: P,
    deadline: Duration,
    sources: Vec<Source<P>>,
    failed: Vec<DeviceId>,
}

struct Source<P: Pages> {
    device: Arc<Device>,
    partitions: Vec<Partition>,
    buffer: VecDeque<P::Item>,
    after: Option<P::Name>,
    is_at_end: bool,
}

/// What is said of one name.
pub(super) struct Group<P: Pages> {
    pub(super) name: P::Name,
    pub(super) reports: Vec<(DeviceId, P::Item)>,
}

impl<P: Pages> Walk<P> {
    /// Through what all replicas of these partitions hold of them.
    pub(super) fn new(shared: &Shared, pages: P, partitions: &[Partition], after: Option<&P::Name>) -> Self {
        let source = |(device, partitions)| Source {
            device,
            partitions,
            buffer: VecDeque::new(),
            after: after.cloned(),
            is_at_end: false,
        };
        Self {
            pages,
            deadline: shared.options.answer_deadline,
            sources: by_device(shared, partitions).into_iter().map(source).collect(),
            failed: Vec::new(),
        }
    }

    /// The next name, and what each device says of it. Who isn't among the reports and hasn't failed has nothing.
    pub(super) async fn next(&mut self) -> Option<Group<P>> {
        self.refill().await;
        let first = |source: &Source<P>| source.buffer.front().map(P::name);
        let name = self.sources.iter().filter_map(first).min()?;
        let mut reports = Vec::new();
        for source in &mut self.sources {
            if let Some(item) = source.buffer.pop_front_if(|item| P::name(item) == name) {
                reports.push((source.device.id, item));
            }
        }
        Some(Group { name, reports })
    }

    /// Devices that didn't answer: from there on nothing is known of what they hold.
    pub(super) fn failed(&self) -> &[DeviceId] {
        &self.failed
    }

    /// Sees to it that every device's next item is known.
    async fn refill(&mut self) {
        if self.sources.iter().all(|source| !source.buffer.is_empty() || source.is_at_end) {
            return;
        }
        let (pages, deadline) = (&self.pages, self.deadline);
        let refilling = std::mem::take(&mut self.sources).into_iter().map(|mut source| async move {
            let id = source.device.id;
            source.refill(pages, deadline).await.map(|()| source).map_err(|error| (id, error))
        });
        for outcome in join_all(refilling).await {
            match outcome {
                Ok(source) => self.sources.push(source),
                Err((device, error)) => {
                    tracing::debug!(%device, %error, "a device can't be compared");
                    self.failed.push(device);
                }
            }
        }
    }
}

impl<P: Pages> Source<P> {
    async fn refill(&mut self, pages: &P, deadline: Duration) -> Result<(), ReplicaError> {
        while self.buffer.is_empty() && !self.is_at_end {
            let call = pages.page(&*self.device.replica, &self.partitions, self.after.clone());
            let (items, through) = answer_of(&self.device, deadline, call).await?;
            if through.is_some() && through <= self.after {
                return Err(ReplicaError::Invalid("a page that goes nowhere"));
            }
            self.is_at_end = through.is_none();
            self.after = through;
            self.buffer.extend(items);
        }
        Ok(())
    }
}

/// The tables of some partitions.
pub(super) struct Tables;

#[async_trait]
impl Pages for Tables {
    type Name = TableId;
    type Item = TableCounters;

    async fn page(
        &self,
        replica: &dyn Replica,
        partitions: &[Partition],
        after: Option<TableId>,
    ) -> Answered<(Vec<TableCounters>, Option<TableId>)> {
        let request = ListTables { partitions: partitions.to_vec(), after, limit: PAGE_ITEMS };
        let page = replica.tables(request).await?;
        Ok((page.tables, page.through))
    }

    fn name(item: &TableCounters) -> TableId {
        item.table
    }
}

/// The rows of one table in some partitions.
pub(super) struct Rows {
    pub(super) table: TableId,
    pub(super) depth: SurveyDepth,
}

#[async_trait]
impl Pages for Rows {
    type Name = Bytes;
    type Item = SurveyedRow;

    async fn page(
        &self,
        replica: &dyn Replica,
        partitions: &[Partition],
        after: Option<Bytes>,
    ) -> Answered<(Vec<SurveyedRow>, Option<Bytes>)> {
        let (table, depth) = (self.table, self.depth);
        let request = Survey { table, partitions: partitions.to_vec(), after, limit: PAGE_ITEMS, depth };
        let page = replica.survey(request).await?;
        Ok((page.rows, page.through))
    }

    fn name(item: &SurveyedRow) -> Bytes {
        item.key.clone()
    }
}
