//! Counters, seals, and what removal leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;

use bytes::Bytes;
use martlet_protocol::{
    BlobFact, BlobId, BlobRef, PartitionCounters, ReplicaError, RowAddress, RowKey, RowValue, SealToken,
    TableCounters, TableId, Tombstone, Weight,
};
use martlet_register::{Accepted, Ballot};
use martlet_ring::Partition;

use super::device::Device;

impl Device {
    pub(super) fn counters(&self, table: TableId) -> TableCounters {
        let mut partitions: BTreeMap<Partition, PartitionCounters> = BTreeMap::new();
        for (address, accepted) in self.accepted().filter(|(address, _)| address.row.table == table) {
            let partition = self.partition_of(address.hash);
            let empty = PartitionCounters { partition, weight: Weight::default(), digest: 0 };
            let counters = partitions.entry(partition).or_insert(empty);
            let weight = accepted.state.value.weight();
            counters.weight.objects += weight.objects;
            counters.weight.bytes += weight.bytes;
            counters.digest = counters.digest.wrapping_add(digest(&address.row.key, accepted.ballot));
        }
        TableCounters { table, partitions: partitions.into_values().collect() }
    }

    pub(super) fn seal(&mut self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        match self.seals.insert(table, token) {
            Some(other) if other != token => {
                self.seals.insert(table, other);
                Err(ReplicaError::Sealed)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn unseal(&mut self, table: TableId, token: SealToken) {
        if self.seals.get(&table) == Some(&token) {
            self.seals.remove(&table);
        }
    }

    pub(super) fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Vec<BlobFact> {
        let blobs_of = |(_, accepted): (RowAddress, &Accepted<RowValue>)| {
            accepted.state.value.blobs().iter().map(|blob: &BlobRef| blob.id).collect::<Vec<_>>()
        };
        let referenced: BTreeSet<BlobId> = self.accepted().flat_map(blobs_of).collect();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.blobs.range((from, Bound::Unbounded)).filter(|(id, _)| !referenced.contains(id));
        let fact = |(_, blob): (&BlobId, &super::device::Blob)| BlobFact {
            blob: blob.reference,
            owner: blob.owner.clone(),
            known_for_seconds: blob.known_since.elapsed().as_secs(),
            predates_opening: blob.run != self.run,
        };
        rest.take(limit).map(fact).collect()
    }

    pub(super) fn tombstones(&self, limit: usize) -> Vec<Tombstone> {
        let dead = self.accepted().filter(|(_, accepted)| !accepted.state.value.is_live());
        let mut dead: Vec<Tombstone> =
            dead.map(|(row, accepted)| Tombstone { row, ballot: accepted.ballot }).collect();
        dead.sort_by_key(|tombstone| tombstone.ballot);
        dead.truncate(limit);
        dead
    }

    pub(super) fn forget(&mut self, tombstone: &Tombstone) {
        let place = (tombstone.row.row.table, tombstone.row.row.key.clone());
        let Some(row) = self.rows.get_mut(&place) else { return };
        let is_meant = |accepted: &Accepted<RowValue>| {
            accepted.ballot == tombstone.ballot && !accepted.state.value.is_live()
        };
        if row.accepted.as_ref().is_some_and(is_meant) {
            row.accepted = None;
            self.floor(tombstone.row.hash).forget_tombstone(tombstone.ballot);
        }
    }

    fn accepted(&self) -> impl Iterator<Item = (RowAddress, &Accepted<RowValue>)> {
        self.rows.iter().filter_map(|((table, key), row)| {
            let row_key = RowKey { table: *table, key: key.clone() };
            let address = RowAddress { row: row_key, hash: row.hash };
            row.accepted.as_ref().map(|accepted| (address, accepted))
        })
    }
}

fn digest(key: &Bytes, ballot: Ballot) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, ballot).hash(&mut hasher);
    hasher.finish()
}
