//! A device that is asked again when the ring changes under a request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowPage,
    RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_ring::Partition;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a ring may take to pass on, or a push to end, before a request is refused for good.
const RENEWAL_DURATION_MAX: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// How the device is asked by the newest ring that this process has.
pub(super) type Newest = watch::Sender<Asked>;

/// A device, and the version of the ring by which it is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) version: u64,
    pub(super) replica: Arc<dyn Replica>,
}

/// Asks about a row by one version of the ring; a device that refuses that is asked once more by the newest.
///
/// Whoever asks goes on counting replicas of the former version. That is safe: a device only answers if the row lies
/// on it by the newest version too, and as many of those as are a majority are one by either version.
/// Whole tables aren't asked about again, for the devices that answer needn't be a majority everywhere.
#[derive(Debug)]
pub(super) struct Renewing {
    pub(super) asked: Asked,
    pub(super) newest: watch::Receiver<Asked>,
}

impl Renewing {
    async fn ask<T, F>(&self, question: impl Fn(Arc<dyn Replica>) -> F) -> Result<T, ReplicaError>
    where
        F: Future<Output = Result<T, ReplicaError>>,
    {
        let mut until = None;
        let mut asked = self.asked.clone();
        loop {
            let refused = match question(asked.replica.clone()).await {
                Err(ReplicaError::OtherRing { version }) => version,
                outcome => return outcome,
            };
            let until = *until.get_or_insert_with(|| Instant::now() + RENEWAL_DURATION_MAX);
            let mut newest = self.newest.clone();
            if refused <= asked.version {
                // The device is behind, or a change is being agreed on.
                sleep(PAUSE).await;
            } else if let Ok(Ok(newer)) =
                timeout_at(until, newest.wait_for(|newest| refused <= newest.version)).await
            {
                asked = newer.clone();
            }
            if until <= Instant::now() {
                return Err(ReplicaError::OtherRing { version: refused });
            }
        }
    }

    fn once(&self) -> &Arc<dyn Replica> {
        &self.asked.replica
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "what isn't passed on is missing")]
impl Replica for Renewing {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        self.ask(|replica| {
            let request = request.clone();
            async move { replica.prepare(request).await }
        })
        .await
    }

    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        self.ask(|replica| {
            let request = request.clone();
            async move { replica.accept(request).await }
        })
        .await
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        self.ask(|replica| {
            let request = request.clone();
            async move { replica.read(request).await }
        })
        .await
    }

    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        self.once().list(request).await
    }

    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.once().counters(tables).await
    }

    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.once().stage(blob).await
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        self.once().read_blob(request).await
    }

    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.once().seal(table, token).await
    }

    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.once().unseal(table, token).await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        self.once().garbage(limit).await
    }

    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.once().settle_garbage(blobs).await
    }

    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.once().reclaim(blobs).await
    }

    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        self.once().unreferenced(after, limit).await
    }

    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        self.once().tombstones(limit).await
    }

    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.once().forget(tombstones).await
    }

    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.once().digests(partitions).await
    }

    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError> {
        self.once().tables(request).await
    }

    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError> {
        self.once().survey(request).await
    }

    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        self.once().inspect(request).await
    }

    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        self.once().held(after, limit).await
    }

    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.once().restage(blob).await
    }
}
