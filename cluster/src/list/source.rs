//! One device's part in a listing.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use martlet_protocol::{ListRows, ListedItem, ReplicaError, RowPage};

use super::Question;
use crate::device::Device;

/// The most items that a device is asked for at once.
const PAGE_ITEMS_MAX: usize = 2048;
const PAGE_ITEMS_MIN: usize = 8;

/// A device, and what it has answered that isn't merged yet.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) device: Arc<Device>,
    pub(super) buffer: VecDeque<ListedItem>,
    pub(super) reach: Reach,
}

/// How far a device has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Nothing,
    /// Everything up to and including this name.
    Through(Bytes),
    End,
}

impl Source {
    /// A device that is asked for what comes after `judged`.
    pub(super) fn new(device: Arc<Device>, judged: Option<Bytes>) -> Self {
        Self { device, buffer: VecDeque::new(), reach: judged.map_or(Reach::Nothing, Reach::Through) }
    }

    pub(super) fn needs_more(&self) -> bool {
        self.buffer.is_empty() && self.reach != Reach::End
    }

    pub(super) fn request(&self, question: &Question, limit: usize) -> ListRows {
        let after = match &self.reach {
            Reach::Through(through) => Some(through.clone()),
            Reach::Nothing | Reach::End => question.after.clone(),
        };
        ListRows {
            table: question.table,
            partition: question.partition,
            prefix: question.prefix.clone(),
            delimiter: question.delimiter.clone(),
            after,
            before: question.before.clone(),
            limit,
            scope: question.scope,
        }
    }

    pub(super) fn take(&mut self, page: RowPage) -> Result<(), ReplicaError> {
        let reach = page.through.map_or(Reach::End, Reach::Through);
        if page.items.is_empty() && reach == self.reach {
            return Err(ReplicaError::Invalid("a page that goes nowhere"));
        }
        self.reach = reach;
        self.buffer.extend(page.items);
        Ok(())
    }
}

/// How many items to ask each of `devices` for, so that together they give about `expected` rows of `replicas`.
pub(super) fn page_limit(expected: usize, replicas: usize, devices: usize) -> usize {
    let share = expected.saturating_mul(replicas).div_ceil(devices.max(1));
    let limit = if devices > replicas { share.saturating_add(share / 3) } else { share };
    limit.clamp(PAGE_ITEMS_MIN, PAGE_ITEMS_MAX)
}

pub(super) fn name_of(item: &ListedItem) -> &Bytes {
    match item {
        ListedItem::Row(row) => &row.key,
        ListedItem::Prefix(prefix) => &prefix.prefix,
    }
}
