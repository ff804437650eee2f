//! The reference: what a device holds, without a disk.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobOwner, BlobRef, Checksum, Garbage, NewBlob, PartitionCounters, Prepare,
    ReplicaError, RowAddress, RowKey, RowValue, SealToken, TableCounters, TableId, Tombstone, Weight,
};
use martlet_register::{Accepted, Ballot};
use martlet_ring::Partition;
use martlet_storage_node::disk::digest::row_digest;

use crate::operation::{Operation, StageEnd};

/// Few, so that many rows share one.
pub(crate) const PARTITION_BITS: u8 = 2;

/// What a device holds, or held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<RowKey, Row>,
    pub(crate) promises: BTreeMap<RowKey, (RowAddress, Ballot)>,
    pub(crate) blobs: BTreeMap<BlobId, StoredBlob>,
    pub(crate) garbage: BTreeMap<BlobId, Garbage>,
    pub(crate) seals: BTreeMap<TableId, SealToken>,
    pub(crate) forgotten: BTreeMap<Partition, Ballot>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) address: RowAddress,
    pub(crate) accepted: Accepted<RowValue>,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredBlob {
    pub(crate) blob: BlobRef,
    pub(crate) owner: BlobOwner,
    pub(crate) bytes: Bytes,
}

impl Model {
    /// What a device with this content answers; `Ok`: it does it.
    pub(crate) fn verdict(&self, operation: &Operation) -> Result<(), ReplicaError> {
        match operation {
            Operation::Prepare(Prepare { row, ballot }) => {
                let seen = self.highest(row);
                if seen < *ballot { Ok(()) } else { Err(ReplicaError::Refused { seen }) }
            }
            Operation::Accept(accept) => self.accept_verdict(accept),
            Operation::Seal(table, token) => match self.seals.get(table) {
                Some(held) if held != token => Err(ReplicaError::Sealed),
                _ => Ok(()),
            },
            Operation::Stage { .. }
            | Operation::Unseal(..)
            | Operation::Settle(_)
            | Operation::Reclaim(_)
            | Operation::Forget(_) => Ok(()),
        }
    }

    /// Does what the device has done.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Prepare(Prepare { row, ballot }) => {
                let (_, promised) = self.promises.entry(row.row.clone()).or_insert((row.clone(), *ballot));
                *promised = (*promised).max(*ballot);
            }
            Operation::Accept(accept) => self.accept(accept),
            Operation::Stage { new, bytes, end: StageEnd::Finish } => self.store(new, bytes),
            Operation::Stage { end: StageEnd::Abandon(_), .. } => {}
            Operation::Seal(table, token) => {
                self.seals.insert(*table, *token);
            }
            Operation::Unseal(table, token) => {
                if self.seals.get(table) == Some(token) {
                    self.seals.remove(table);
                }
            }
            Operation::Settle(blobs) => self.garbage.retain(|id, _| !blobs.contains(id)),
            Operation::Reclaim(blobs) => self.blobs.retain(|id, _| !blobs.contains(id)),
            Operation::Forget(tombstones) => tombstones.iter().for_each(|tombstone| self.forget(tombstone)),
        }
    }

    pub(crate) fn tables(&self) -> BTreeSet<TableId> {
        self.rows.keys().map(|row| row.table).collect()
    }

    /// Recomputed from the rows.
    pub(crate) fn counters(&self, table: TableId) -> TableCounters {
        let mut partitions = BTreeMap::<Partition, PartitionCounters>::new();
        for (key, row) in self.rows.iter().filter(|(key, _)| key.table == table) {
            let partition = row.address.hash.partition(PARTITION_BITS);
            let empty = PartitionCounters { partition, weight: Weight::default(), digest: 0 };
            let counters = partitions.entry(partition).or_insert(empty);
            let weight = row.accepted.state.value.weight();
            counters.weight.objects += weight.objects;
            counters.weight.bytes += weight.bytes;
            counters.digest = counters.digest.wrapping_add(row_digest(&key.key, row.accepted.ballot));
        }
        TableCounters { table, partitions: partitions.into_values().collect() }
    }

    pub(crate) fn tombstones(&self) -> Vec<Tombstone> {
        let removed = self.rows.values().filter(|row| !row.accepted.state.value.is_live());
        let mut tombstones: Vec<_> =
            removed.map(|row| Tombstone { row: row.address.clone(), ballot: row.accepted.ballot }).collect();
        tombstones.sort_by_key(|tombstone| tombstone.ballot);
        tombstones
    }

    /// Blobs whose owners don't refer to them, in the order of their ids; without how long they have been known.
    pub(crate) fn unreferenced(&self) -> Vec<BlobFact> {
        let lonely = self.blobs.values().filter(|stored| !self.is_referenced(stored));
        lonely
            .map(|stored| BlobFact {
                blob: stored.blob,
                owner: stored.owner.clone(),
                known_for_seconds: 0,
                predates_opening: false,
            })
            .collect()
    }

    pub(crate) fn is_referenced(&self, stored: &StoredBlob) -> bool {
        let refers = |address: &RowAddress| {
            self.rows.get(&address.row).is_some_and(|row| {
                row.accepted.state.value.blobs().iter().any(|blob| blob.id == stored.blob.id)
            })
        };
        match &stored.owner {
            BlobOwner::Row(row) => refers(row),
            BlobOwner::PartOf { part, object } => refers(part) || refers(object),
        }
    }

    /// The highest ballot at which anything is known to be taken.
    pub(crate) fn highest_of_all(&self) -> Ballot {
        let accepted = self.rows.values().map(|row| row.accepted.ballot);
        let promised = self.promises.values().map(|(_, ballot)| *ballot);
        accepted.chain(promised).chain(self.forgotten.values().copied()).max().unwrap_or_default()
    }

    /// The highest ballot at which the row is known to be taken.
    fn highest(&self, row: &RowAddress) -> Ballot {
        let accepted = self.rows.get(&row.row).map(|row| row.accepted.ballot);
        let promised = self.promises.get(&row.row).map(|(_, ballot)| *ballot);
        let forgotten = self.forgotten.get(&row.hash.partition(PARTITION_BITS)).copied();
        accepted.max(promised).max(forgotten).unwrap_or_default()
    }

    fn accept_verdict(&self, accept: &Accept) -> Result<(), ReplicaError> {
        if self.is_accepted(accept) {
            return Ok(());
        }
        let seen = self.highest(&accept.row);
        if seen > accept.ballot {
            return Err(ReplicaError::Refused { seen });
        }
        let is_write = accept.state.value.is_live();
        if is_write && self.seals.get(&accept.row.row.table).is_some_and(|held| Some(*held) != accept.seal) {
            return Err(ReplicaError::Sealed);
        }
        let carried = accept.body.as_ref().map(|body| body.blob.id);
        let is_missing = |blob: &&BlobRef| {
            blob.hash == accept.row.hash && carried != Some(blob.id) && !self.blobs.contains_key(&blob.id)
        };
        let missing: Vec<_> =
            accept.state.value.blobs().iter().filter(is_missing).map(|blob| blob.id).collect();
        if missing.is_empty() { Ok(()) } else { Err(ReplicaError::MissingBlobs(missing)) }
    }

    fn is_accepted(&self, accept: &Accept) -> bool {
        self.rows.get(&accept.row.row).is_some_and(|row| row.accepted.ballot == accept.ballot)
    }

    fn accept(&mut self, accept: &Accept) {
        if self.is_accepted(accept) {
            return;
        }
        if let Some(body) = &accept.body {
            let new =
                NewBlob { id: body.blob.id, hash: body.blob.hash, owner: BlobOwner::Row(accept.row.clone()) };
            self.store(&new, &body.bytes);
        }
        for blob in &accept.garbage {
            let garbage = Garbage { blob: *blob, row: accept.row.clone(), ballot: accept.ballot };
            self.garbage.insert(blob.id, garbage);
        }
        let accepted = Accepted { ballot: accept.ballot, state: accept.state.clone() };
        self.rows.insert(accept.row.row.clone(), Row { address: accept.row.clone(), accepted });
    }

    fn store(&mut self, new: &NewBlob, bytes: &Bytes) {
        let checksum = Checksum::of(bytes);
        let blob = BlobRef { id: new.id, hash: new.hash, bytes: bytes.len() as u64, checksum };
        self.blobs.entry(new.id).or_insert(StoredBlob {
            blob,
            owner: new.owner.clone(),
            bytes: bytes.clone(),
        });
    }

    fn forget(&mut self, tombstone: &Tombstone) {
        let found = self.rows.get(&tombstone.row.row).map(|row| &row.accepted);
        if found.is_some_and(|found| found.ballot == tombstone.ballot && !found.state.value.is_live()) {
            self.rows.remove(&tombstone.row.row);
            let partition = tombstone.row.hash.partition(PARTITION_BITS);
            let forgotten = self.forgotten.entry(partition).or_default();
            *forgotten = (*forgotten).max(tombstone.ballot);
        }
    }
}
