//! What repair asks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use martlet_protocol::{
    BlobId, BlobStanding, HeldBlob, InspectBlobs, InspectDepth, ListTables, RowStanding, RowValue, Survey,
    SurveyDepth, SurveyPage, SurveyedRow, TableCounters, TableId, TablePage,
};
use martlet_ring::Partition;

use super::device::{Blob, Device};

impl Device {
    pub(super) fn digests(&self, partitions: &[Partition]) -> Vec<u64> {
        let mut sums: BTreeMap<Partition, u64> = BTreeMap::new();
        for table in self.tables_with_rows() {
            for counted in self.counters(table).partitions {
                let sum = sums.entry(counted.partition).or_default();
                *sum = sum.wrapping_add(counted.digest);
            }
        }
        partitions.iter().map(|partition| sums.get(partition).copied().unwrap_or_default()).collect()
    }

    pub(super) fn tables(&self, request: &ListTables) -> TablePage {
        let mut tables = Vec::new();
        for table in self.tables_with_rows() {
            if Some(table) <= request.after {
                continue;
            }
            let mut counted = self.counters(table);
            counted.partitions.retain(|counters| request.partitions.contains(&counters.partition));
            if counted.partitions.is_empty() {
                continue;
            }
            if tables.len() >= request.limit {
                let through = tables.last().map(|counted: &TableCounters| counted.table).or(request.after);
                return TablePage { tables, through };
            }
            tables.push(counted);
        }
        TablePage { tables, through: None }
    }

    pub(super) fn survey(&self, request: &Survey) -> SurveyPage {
        let after = request.after.clone().map_or(Bound::Included(Bytes::new()), Bound::Excluded);
        let from = match after {
            Bound::Included(key) => Bound::Included((request.table, key)),
            Bound::Excluded(key) => Bound::Excluded((request.table, key)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut rows: Vec<SurveyedRow> = Vec::new();
        let of_table = self.rows.range((from, Bound::Unbounded));
        for ((_, key), row) in of_table.take_while(|((table, _), _)| *table == request.table) {
            let Some(accepted) = &row.accepted else { continue };
            if !request.partitions.contains(&self.partition_of(row.hash)) {
                continue;
            }
            if rows.len() >= request.limit {
                let through = rows.last().map(|row| row.key.clone());
                return SurveyPage { rows, through };
            }
            let standing = match &accepted.state.value {
                RowValue::Live { blobs, .. } => {
                    let blobs = match request.depth {
                        SurveyDepth::Ballots => Vec::new(),
                        SurveyDepth::Blobs => blobs.clone(),
                    };
                    RowStanding::Live { ballot: accepted.ballot, blobs }
                }
                RowValue::Tombstone => RowStanding::Tombstone { ballot: accepted.ballot },
            };
            rows.push(SurveyedRow { key: key.clone(), hash: row.hash, standing });
        }
        SurveyPage { rows, through: None }
    }

    pub(super) fn inspect(&self, request: &InspectBlobs) -> Vec<BlobStanding> {
        let inspect = |id: &BlobId| match self.blobs.get(id) {
            None => BlobStanding::Absent,
            Some(blob) => {
                let held = held(blob);
                match request.depth {
                    InspectDepth::Bytes if !blob.is_sound() => BlobStanding::Damaged(held),
                    InspectDepth::Bytes | InspectDepth::Index => BlobStanding::Held(held),
                }
            }
        };
        request.blobs.iter().map(inspect).collect()
    }

    pub(super) fn held(&self, after: Option<BlobId>, limit: usize) -> Vec<HeldBlob> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.blobs.range((from, Bound::Unbounded)).take(limit).map(|(_, blob)| held(blob)).collect()
    }

    fn tables_with_rows(&self) -> BTreeSet<TableId> {
        let accepted = self.rows.iter().filter(|(_, row)| row.accepted.is_some());
        accepted.map(|((table, _), _)| *table).collect()
    }
}

fn held(blob: &Blob) -> HeldBlob {
    HeldBlob { blob: blob.reference, owner: blob.owner.clone() }
}
