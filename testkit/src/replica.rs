//! A storage device in memory.
//!
//! It decides with the register crate's own pieces, and counts and searches by going through everything it has:
//! slow, and easy to believe.
//!
//! Faults that a cluster must survive on a minority of a row's replicas:
//!
//! - a device that is down, silent, or slow ([`Reach`]);
//! - an answer that is lost after the work was done ([`Faults::answers_lost_one_in`]);
//! - a restart, which forgets every promise and every unfinished blob ([`MemoryReplica::restart`]);
//! - a blob that is lost, or damaged with or without the device noticing
//!   ([`MemoryReplica::lose_blob`], [`MemoryReplica::damage_blob`], [`MemoryReplica::forge_blob`]);
//! - a disk that is full ([`Faults::is_full`]);
//! - a disk that can be read, while writing to it hangs ([`Faults::writes_hang`]).

mod blobs;
mod device;
mod faults;
mod rows;
mod survey;
mod upkeep;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use martlet_model::Clock;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowPage,
    RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_ring::Partition;
use tokio::time::sleep;

use device::Device;
pub use faults::{Faults, Reach};

/// One device of a cluster, in memory. A clone is another handle to the same device.
#[derive(Clone)]
pub struct MemoryReplica {
    device: Arc<Mutex<Device>>,
    clock: Arc<dyn Clock>,
}

impl MemoryReplica {
    /// An empty device of a ring with 2^`partition_bits` partitions.
    pub fn new(partition_bits: u8, clock: Arc<dyn Clock>) -> Self {
        Self { device: Arc::new(Mutex::new(Device::new(partition_bits))), clock }
    }

    /// From now on, it fails like this.
    pub fn set_faults(&self, faults: Faults) {
        self.device().faults = faults;
    }

    /// Forgets what isn't durable: promises, and blobs that aren't finished.
    pub fn restart(&self) {
        self.device().restart();
    }

    /// The ids of all blobs that it holds, in order.
    pub fn blob_ids(&self) -> Vec<BlobId> {
        self.device().blobs.keys().copied().collect()
    }

    /// How many rows it holds, tombstones included.
    pub fn row_count(&self) -> usize {
        self.device().rows.values().filter(|row| row.accepted.is_some()).count()
    }

    /// How many blobs wait in the garbage queue.
    pub fn garbage_count(&self) -> usize {
        self.device().garbage.len()
    }

    /// The blob is gone without a trace.
    pub fn lose_blob(&self, blob: BlobId) {
        self.device().blobs.remove(&blob);
    }

    /// A bit flips; the device notices when it reads.
    pub fn damage_blob(&self, blob: BlobId) {
        self.device().damage_blob(blob);
    }

    /// The bytes are others than were stored, and the block checksums fit them: only the blob's own checksum tells.
    pub fn forge_blob(&self, blob: BlobId) {
        self.device().forge_blob(blob);
    }

    fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` as the present faults let it.
    async fn serve<T>(
        &self,
        work: impl FnOnce(&mut Device) -> Result<T, ReplicaError> + Send,
    ) -> Result<T, ReplicaError> {
        self.arrive().await?;
        let mut device = self.device();
        let outcome = work(&mut device);
        if device.loses_the_answer() {
            return Err(ReplicaError::Unreachable("the answer was lost".to_owned()));
        }
        outcome
    }

    /// The same for work that is durable when it is done.
    async fn store<T>(
        &self,
        work: impl FnOnce(&mut Device) -> Result<T, ReplicaError> + Send,
    ) -> Result<T, ReplicaError> {
        if self.device().faults.writes_hang {
            std::future::pending::<()>().await;
        }
        self.serve(work).await
    }

    /// The same for work that can't be refused.
    async fn change(&self, work: impl FnOnce(&mut Device) + Send) -> Result<(), ReplicaError> {
        self.store(|device| {
            work(device);
            Ok(())
        })
        .await
    }

    async fn arrive(&self) -> Result<(), ReplicaError> {
        let reach = self.device().faults.reach;
        match reach {
            Reach::Prompt => {}
            Reach::Slow(delay) => sleep(delay).await,
            Reach::Silent => std::future::pending().await,
            Reach::Down => return Err(ReplicaError::Unreachable("the device is down".to_owned())),
        }
        Ok(())
    }
}

#[async_trait]
impl Replica for MemoryReplica {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        let now = self.clock.now();
        self.serve(|device| device.prepare(&request, now)).await
    }

    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        self.store(|device| device.accept(request)).await
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        self.serve(|device| device.read(&request)).await
    }

    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        self.serve(|device| Ok(device.list(&request))).await
    }

    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.serve(|device| Ok(tables.into_iter().map(|table| device.counters(table)).collect())).await
    }

    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        let replica = self.clone();
        self.serve(|device| device.stage(blob, replica)).await
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        self.serve(|device| device.read_blob(&request)).await
    }

    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.store(|device| device.seal(table, token)).await
    }

    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.change(|device| device.unseal(table, token)).await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        self.serve(|device| Ok(device.garbage.iter().take(limit).cloned().collect())).await
    }

    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.change(|device| device.garbage.retain(|entry| !blobs.contains(&entry.blob.id))).await
    }

    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.change(|device| device.blobs.retain(|id, _| !blobs.contains(id))).await
    }

    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        self.serve(|device| Ok(device.unreferenced(after, limit))).await
    }

    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        self.serve(|device| Ok(device.tombstones(limit))).await
    }

    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.change(|device| tombstones.iter().for_each(|tombstone| device.forget(tombstone))).await
    }

    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.serve(|device| Ok(device.digests(&partitions))).await
    }

    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError> {
        self.serve(|device| Ok(device.tables(&request))).await
    }

    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError> {
        self.serve(|device| Ok(device.survey(&request))).await
    }

    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        self.serve(|device| Ok(device.inspect(&request))).await
    }

    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        self.serve(|device| Ok(device.held(after, limit))).await
    }

    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        let replica = self.clone();
        self.serve(|device| device.restage(blob, replica)).await
    }
}

impl fmt::Debug for MemoryReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplica").finish_non_exhaustive()
    }
}
