//! A device that was made anew in place of a lost one, while it is filled from its peers.
//!
//! ```text
//! made ──start──► quarantined ──[`QUARANTINE`]──► filling ──holds what all others hold──► open
//! ```
//!
//! It says of itself, in a file in its folder, that it isn't full yet: a restart begins where it was.
//! `docs/operations.md` says what is to be done when a disk is lost, and `martlet_cluster::workers::refill` why an empty
//! device mustn't answer like any other.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use martlet_cluster::ClusterStore;
use martlet_cluster::workers::{refill, repair_blobs};
use martlet_model::{Clock as _, Timestamp};
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowAddress,
    RowKey, RowPage, RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_register::{Ballot, ProposerId};
use martlet_ring::{DeviceId, Partition, PlacementHash};
use martlet_storage_node::{Device, OpenError};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock::SystemClock;
use crate::devices::{Habits, OpenedDevice};
use crate::files::{self, FileError};

/// The file that says that a device isn't full yet. It holds the time up to which the device refuses ballots.
const MARK: &str = "refilling";
/// How far clocks may be apart: the lost device may have promised ballots of a clock that is fast by as much.
const CLOCKS_APART: Duration = Duration::from_mins(10);
/// For so long after its start the device takes no part in anything. Whatever was under way when the former one was lost
/// is over then: it is longer than a change of a row and a stale container may last.
const QUARANTINE: Duration = Duration::from_secs(20);
/// The pause before the next pass, when the last one wasn't complete.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows that one round of looking for blobs takes.
const ROUND_COUNT: usize = 200;

/// A device that isn't full yet, or has become so since the process was started.
#[derive(Debug)]
pub(crate) struct RefilledDevice {
    pub(crate) device: Device,
    mark: PathBuf,
    floor: Timestamp,
    phase: AtomicU8,
}

const QUARANTINED: u8 = 0;
const FILLING: u8 = 1;
const OPEN: u8 = 2;

/// Why a device isn't made anew, or can't be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefillError {
    #[error("{} isn't empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} wasn't made to its end: empty it, and replace the device once more", .0.display())]
    Unfinished(PathBuf),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the device can't be made")]
    Make(#[from] OpenError),
    #[error("the device makes no promise")]
    Floor(#[from] ReplicaError),
}

/// Makes a device in an empty folder that isn't to count before it has been filled.
///
/// That it isn't full stands in the folder before there is a device, and from which floor on it can be filled only once
/// the device will hold to that. So whatever interrupts this, nobody takes the device for a full one.
pub(crate) async fn make(habits: &Habits, folder: &Path, id: DeviceId) -> Result<(), RefillError> {
    let is_empty = |mut inside: std::fs::ReadDir| inside.next().is_none();
    if folder.exists() && !std::fs::read_dir(folder).is_ok_and(is_empty) {
        return Err(RefillError::NotEmpty(folder.to_owned()));
    }
    files::make_folder(folder)?;
    let mark = folder.join(MARK);
    files::write(&mark, b"unfinished")?;
    let device = habits.create(folder, id)?;
    let floor = Timestamp::from_micros(SystemClock.now().as_micros() + micros(CLOCKS_APART));
    let raised = raise_floor(&device, floor).await;
    device.close().await?;
    raised?;
    Ok(files::write(&mark, floor.as_micros().to_string().as_bytes())?)
}

/// Has a device refuse all ballots up to a time, from its next start on: by a promise that it gives to nobody.
async fn raise_floor(device: &Device, floor: Timestamp) -> Result<(), ReplicaError> {
    let row = RowKey { table: TableId::system(0), key: MARK.into() };
    let ballot = Ballot { time: floor.as_micros(), proposer: ProposerId(u64::MAX) };
    device.prepare(Prepare { row: RowAddress { row, hash: PlacementHash(0) }, ballot }).await.map(drop)
}

/// The floor of a device that isn't full yet, as its folder says; `None`: it is full.
pub(crate) fn floor_of(folder: &Path) -> Result<Option<Timestamp>, RefillError> {
    let path = folder.join(MARK);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let floor = text.parse().map_err(|_| RefillError::Unfinished(folder.to_owned()))?;
            Ok(Some(Timestamp::from_micros(floor)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(files::in_vain("read", &path)(error).into()),
    }
}

/// Begins to fill the devices of this process that aren't full yet.
pub(crate) fn start(devices: &[(DeviceId, OpenedDevice)], store: &ClusterStore) -> Vec<JoinHandle<()>> {
    let refilled = devices.iter().filter_map(|(id, device)| Some((*id, device.refilled()?)));
    refilled.map(|(id, device)| tokio::spawn(device.fill(store.clone(), id))).collect()
}

impl RefilledDevice {
    pub(crate) fn new(device: Device, folder: &Path, floor: Timestamp) -> Arc<Self> {
        Arc::new(Self { device, mark: folder.join(MARK), floor, phase: AtomicU8::new(QUARANTINED) })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.phase.load(Ordering::Acquire) == OPEN
    }

    /// Fills it, and then lets it answer like any other. Goes on until that is done.
    pub(crate) async fn fill(self: Arc<Self>, store: ClusterStore, id: DeviceId) {
        tracing::info!(device = %id, "the device is refilled");
        sleep(QUARANTINE).await;
        self.phase.store(FILLING, Ordering::Release);
        loop {
            match refill(&store, id, self.floor).await {
                Ok(round) if round.is_complete() => break,
                Ok(round) => tracing::info!(
                    device = %id,
                    partitions = round.partitions,
                    different = round.partitions_different,
                    unknown = round.partitions_unknown,
                    rows = round.rows_leveled,
                    "refilling"
                ),
                Err(error) => tracing::warn!(device = %id, %error, "the device can't be refilled yet"),
            }
            sleep(PAUSE).await;
        }
        while let Err(error) = self.unmark() {
            tracing::error!(device = %id, %error, "the device is full, and can't be told so");
            sleep(PAUSE).await;
        }
        self.phase.store(OPEN, Ordering::Release);
        tracing::info!(device = %id, "the device has all rows again, and answers like any other");
        self.fill_blobs(&store).await;
        tracing::info!(device = %id, "the device was given the bytes that lie apart from their rows");
    }

    /// Bytes that lie apart from their rows: any row of the cluster may have some here.
    async fn fill_blobs(&self, store: &ClusterStore) {
        let ring = store.ring();
        for leader in ring.devices().iter().map(|device| device.id) {
            let mut after = None;
            loop {
                match repair_blobs(store, leader, after, ROUND_COUNT).await {
                    Ok(sweep) => after = sweep.next,
                    Err(error) => {
                        tracing::warn!(%error, "looking for bytes is left to the next full pass");
                        return;
                    }
                }
                if after.is_none() {
                    break;
                }
            }
        }
    }

    fn unmark(&self) -> std::io::Result<()> {
        std::fs::remove_file(&self.mark)?;
        let folder = self.mark.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    }

    /// What a row is, is only told by who knows all rows.
    fn check_full(&self) -> Result<(), ReplicaError> {
        if self.is_full() {
            Ok(())
        } else {
            Err(ReplicaError::Failed("the device is being refilled".to_owned()))
        }
    }

    fn check_open(&self) -> Result<(), ReplicaError> {
        match self.phase.load(Ordering::Acquire) {
            QUARANTINED => Err(ReplicaError::Failed("the device is about to be refilled".to_owned())),
            _ => Ok(()),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "each question is either safe to answer or not")]
impl Replica for RefilledDevice {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        self.check_full()?;
        self.device.prepare(request).await
    }

    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        self.check_open()?;
        self.device.accept(request).await
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        self.check_full()?;
        self.device.read(request).await
    }

    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        self.check_full()?;
        self.device.list(request).await
    }

    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.check_full()?;
        self.device.counters(tables).await
    }

    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.check_open()?;
        self.device.stage(blob).await
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        self.device.read_blob(request).await
    }

    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.check_full()?;
        self.device.seal(table, token).await
    }

    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.check_open()?;
        self.device.unseal(table, token).await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        self.device.garbage(limit).await
    }

    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.device.settle_garbage(blobs).await
    }

    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.device.reclaim(blobs).await
    }

    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        self.device.unreferenced(after, limit).await
    }

    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        // Others look after them until it is full.
        if self.is_full() { self.device.tombstones(limit).await } else { Ok(Vec::new()) }
    }

    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.device.forget(tombstones).await
    }

    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.check_open()?;
        self.device.digests(partitions).await
    }

    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError> {
        self.check_open()?;
        self.device.tables(request).await
    }

    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError> {
        self.check_open()?;
        self.device.survey(request).await
    }

    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        self.device.inspect(request).await
    }

    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        self.device.held(after, limit).await
    }

    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.check_open()?;
        self.device.restage(blob).await
    }
}
