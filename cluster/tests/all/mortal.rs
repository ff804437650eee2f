//! A proxy that may die in the middle of anything: from one message on, nothing that it sends arrives any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowPage,
    RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_ring::Partition;
use martlet_testkit::MemoryReplica;

/// How many messages a proxy still sends.
#[derive(Clone, Debug)]
pub(crate) struct Life(Arc<AtomicI64>);

impl Life {
    pub(crate) fn of(messages: i64) -> Self {
        Self(Arc::new(AtomicI64::new(messages)))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }
}

/// A replica as one proxy reaches it.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) replica: MemoryReplica,
    pub(crate) life: Life,
}

impl Reached {
    fn send(&self) -> Result<&MemoryReplica, ReplicaError> {
        if self.life.0.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(ReplicaError::Unreachable("the proxy is dead".to_owned()));
        }
        Ok(&self.replica)
    }
}

#[async_trait]
impl Replica for Reached {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        self.send()?.prepare(request).await
    }
    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        self.send()?.accept(request).await
    }
    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        self.send()?.read(request).await
    }
    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        self.send()?.list(request).await
    }
    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.send()?.counters(tables).await
    }
    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.send()?.stage(blob).await
    }
    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        self.send()?.read_blob(request).await
    }
    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.send()?.seal(table, token).await
    }
    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.send()?.unseal(table, token).await
    }
    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        self.send()?.garbage(limit).await
    }
    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.send()?.settle_garbage(blobs).await
    }
    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.send()?.reclaim(blobs).await
    }
    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        self.send()?.unreferenced(after, limit).await
    }
    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        self.send()?.tombstones(limit).await
    }
    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.send()?.forget(tombstones).await
    }
    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.send()?.digests(partitions).await
    }
    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError> {
        self.send()?.tables(request).await
    }
    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError> {
        self.send()?.survey(request).await
    }
    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        self.send()?.inspect(request).await
    }
    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        self.send()?.held(after, limit).await
    }
    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.send()?.restage(blob).await
    }
}
