//! A device that couldn't be opened, as the cluster sees it.

use async_trait::async_trait;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowPage,
    RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_ring::Partition;

/// Answers everything with the reason why it isn't there.
#[derive(Debug)]
pub(crate) struct AbsentDevice {
    pub(crate) reason: String,
}

impl AbsentDevice {
    fn refuse<T>(&self) -> Result<T, ReplicaError> {
        Err(ReplicaError::Failed(self.reason.clone()))
    }
}

#[async_trait]
impl Replica for AbsentDevice {
    async fn prepare(&self, _: Prepare) -> Result<Promise, ReplicaError> {
        self.refuse()
    }

    async fn accept(&self, _: Accept) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn read(&self, _: ReadRow) -> Result<RowReply, ReplicaError> {
        self.refuse()
    }

    async fn list(&self, _: ListRows) -> Result<RowPage, ReplicaError> {
        self.refuse()
    }

    async fn counters(&self, _: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.refuse()
    }

    async fn stage(&self, _: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.refuse()
    }

    async fn read_blob(&self, _: ReadBlob) -> Result<BlockStream, ReplicaError> {
        self.refuse()
    }

    async fn seal(&self, _: TableId, _: SealToken) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn unseal(&self, _: TableId, _: SealToken) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn garbage(&self, _: usize) -> Result<Vec<Garbage>, ReplicaError> {
        self.refuse()
    }

    async fn settle_garbage(&self, _: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn reclaim(&self, _: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn unreferenced(&self, _: Option<BlobId>, _: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        self.refuse()
    }

    async fn tombstones(&self, _: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        self.refuse()
    }

    async fn forget(&self, _: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.refuse()
    }

    async fn digests(&self, _: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.refuse()
    }

    async fn tables(&self, _: ListTables) -> Result<TablePage, ReplicaError> {
        self.refuse()
    }

    async fn survey(&self, _: Survey) -> Result<SurveyPage, ReplicaError> {
        self.refuse()
    }

    async fn inspect(&self, _: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        self.refuse()
    }

    async fn held(&self, _: Option<BlobId>, _: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        self.refuse()
    }

    async fn restage(&self, _: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.refuse()
    }
}
