//! One device, as its clients see it.

use std::fmt;

use async_trait::async_trait;
use martlet_register::{Ballot, Refused};
use martlet_ring::Partition;

use crate::blob::{BlobId, BlobWriter, BlockStream, NewBlob, ReadBlob};
use crate::change::{Accept, Prepare, Promise};
use crate::list::{ListRows, RowPage};
use crate::read::{ReadRow, RowReply};
use crate::row::TableId;
use crate::survey::{BlobStanding, HeldBlob, InspectBlobs, ListTables, Survey, SurveyPage, TablePage};
use crate::upkeep::{BlobFact, Garbage, SealToken, TableCounters, Tombstone};

/// One device of one storage node.
///
/// - An accept, a finished blob, a seal: `Ok` means that it survives a power cut.
/// - `Err` of an accept that isn't `Refused`, `MissingBlobs`, `Sealed` or `Full` leaves open whether it was stored.
/// - Dropping a future gives up waiting for the answer; what was asked may still happen.
#[async_trait]
pub trait Replica: fmt::Debug + Send + Sync + 'static {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError>;
    async fn accept(&self, request: Accept) -> Result<(), ReplicaError>;
    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError>;
    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError>;
    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError>;

    /// Begins to store a blob that is too large to ride in an accept.
    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError>;
    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError>;

    /// Makes the table refuse accepts of live values without the token. A table that another token seals answers `Sealed`.
    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError>;
    /// Lifts the seal if the token holds it.
    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError>;

    /// The oldest entries of the garbage queue that are past the grace period, at most `limit`.
    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError>;
    /// Takes entries off the garbage queue, once their blobs have been reclaimed or found to be in use.
    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError>;
    /// Gives the space of blobs back. The caller has made sure at the owners' majorities that nothing refers to them.
    /// Blobs that aren't here are passed over.
    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError>;
    /// Blobs after `after`, in the order of their ids, that no row on this device refers to; at most `limit`.
    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError>;

    /// Some tombstones, oldest ballots first, at most `limit`.
    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError>;
    /// Drops tombstones, each if it still is the accepted state with this ballot, and raises the floor of its
    /// partition to that ballot. The caller has made sure that every replica of the row has accepted it.
    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError>;

    /// The digest of each of these partitions over all of its tables, in the same order: the wrapping sum of the
    /// tables' digests. Replicas with the same digest hold the same rows.
    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError>;
    /// The next tables that have rows in some partitions, and what they count there.
    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError>;
    /// The next rows of one table in some partitions, with their ballots. Damaged rows are among them.
    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError>;
    /// How the device holds each of these blobs, in the same order.
    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError>;
    /// Blobs after `after`, in the order of their ids, at most `limit`; fewer only at the end.
    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError>;
    /// Begins to store a blob once more, in the place of what the device has of it.
    ///
    /// Nothing of the old is given up before the new bytes are durable. They must be those that the index's entry,
    /// where it is sound, says; its owner then stays.
    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError>;
}

/// Why a device didn't do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaError {
    /// A higher ballot was promised or accepted, or the floor is higher.
    #[error("refused: ballots up to {seen:?} are taken")]
    Refused { seen: Ballot },
    /// The value places blobs here that aren't here.
    #[error("the device doesn't hold {0:?}")]
    MissingBlobs(Vec<BlobId>),
    #[error("the table is sealed")]
    Sealed,
    /// No room for new data.
    #[error("the device is full")]
    Full,
    /// A stored record doesn't match its checksum. It isn't served.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The device has stopped after a failed write or sync.
    #[error("the device has failed: {0}")]
    Failed(String),
    /// It didn't answer in time, or can't be reached.
    #[error("the device can't be reached: {0}")]
    Unreachable(String),
    /// The request was made by another ring than version `version`, which the device has, and the two differ
    /// in where the row lies. Nothing was done.
    #[error("the request was made by another ring than version {version}")]
    OtherRing { version: u64 },
    /// The request makes no sense to the device, e.g. a block in the wrong order.
    #[error("the device refused a request that it can't serve: {0}")]
    Invalid(&'static str),
}

impl From<Refused> for ReplicaError {
    fn from(refused: Refused) -> Self {
        Self::Refused { seen: refused.seen }
    }
}
