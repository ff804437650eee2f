//! What a cluster is made of, and what one proxy knows of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use martlet_model::{Clock, Timestamp};
use martlet_protocol::{BlobId, Replica, RowAddress, RowKey, SealToken, TableId, TableKind};
use martlet_register::{Ballot, BallotClock, ProposerId, Quorum};
use martlet_ring::{DeviceId, PlacementHash, PlacementKey, Ring};
use tokio::sync::Semaphore;

use crate::background::Background;
use crate::blob::receive::CarriedRoom;
use crate::container::cache::ContainerCache;
use crate::counters::Levelings;
use crate::device::Device;
use crate::figures::{ClusterFigures, DeviceHealth};
use crate::options::{LAGGARDS_MAX, Options};
use crate::placement::LiveRing;
use crate::random::{RandomSource, bytes};
use crate::repair::mend::Mending;
use crate::row::turn::Turns;

/// The store made of many devices. A clone is another handle to the same store.
///
/// It must be used within a tokio runtime.
#[derive(Clone)]
pub struct ClusterStore {
    pub(crate) shared: Arc<Shared>,
}

/// What a [`ClusterStore`] is made of.
#[derive(Debug)]
pub struct ClusterParts {
    pub ring: Arc<Ring>,
    pub placement: PlacementKey,
    /// Every device of the ring. One that is known to be dead needs a replica that says so.
    pub replicas: BTreeMap<DeviceId, Arc<dyn Replica>>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn RandomSource>,
    pub options: Options,
}

/// A device of the ring has no replica to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody was given who speaks for {0}")]
pub struct MissingReplica(pub DeviceId);

pub(crate) struct Shared {
    pub(crate) ring: LiveRing,
    placement: PlacementKey,
    clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn RandomSource>,
    ballots: Mutex<BallotClock>,
    pub(crate) options: Options,
    pub(crate) background: Background,
    /// Changes that still go on for a slow minority.
    pub(crate) laggards: Arc<Semaphore>,
    pub(crate) containers: ContainerCache,
    pub(crate) turns: Turns,
    pub(crate) levelings: Levelings,
    /// Blobs that readers found damaged.
    pub(crate) mending: Mending,
    pub(crate) figures: Arc<ClusterFigures>,
    pub(crate) carried: CarriedRoom,
}

/// The accounts; see `record::account`.
pub(crate) const ACCOUNTS: TableId = TableId::system(1);
/// The global bucket directory; see `record::directory`.
pub(crate) const DIRECTORY: TableId = TableId::system(2);
/// Tables to be cleared away; see `record::dropped`.
pub(crate) const DROPPED: TableId = TableId::system(3);
/// When objects end; see `record::expiry`.
pub(crate) const EXPIRIES: TableId = TableId::system(4);
/// Documents of the cluster itself; see `record::document`.
pub(crate) const DOCUMENTS: TableId = TableId::system(5);
/// Blobs that one of their devices missed; see `repair::missed`.
pub(crate) const MISSED: TableId = TableId::system(6);

impl ClusterStore {
    pub fn new(parts: ClusterParts) -> Result<Self, MissingReplica> {
        let ClusterParts { ring, placement, replicas, clock, random, options } = parts;
        // Drawn anew at every start, so that no two runs ever make the same ballot.
        let proposer = ProposerId(u64::from_le_bytes(bytes(&*random)));
        let shared = Shared {
            ring: LiveRing::new(ring, replicas)?,
            placement,
            clock,
            random,
            ballots: Mutex::new(BallotClock::new(proposer)),
            options,
            background: Background::default(),
            laggards: Arc::new(Semaphore::new(LAGGARDS_MAX)),
            containers: ContainerCache::new(options.container_age_max),
            turns: Turns::default(),
            levelings: Levelings::default(),
            mending: Mending::default(),
            figures: Arc::default(),
            carried: CarriedRoom::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The ring by which things are found.
    pub fn ring(&self) -> Arc<Ring> {
        self.shared.ring.clone()
    }

    /// Takes a newer ring, and whoever speaks for its devices. Requests that have begun go on by the former one.
    pub fn take_ring(
        &self,
        ring: &Arc<Ring>,
        replicas: &BTreeMap<DeviceId, Arc<dyn Replica>>,
    ) -> Result<(), MissingReplica> {
        self.shared.ring.replace(ring, replicas)?;
        // What a container is like has to be asked of those who hold it now.
        self.shared.containers.forget_all();
        Ok(())
    }

    /// What has gone wrong and what was put right since the start.
    pub fn figures(&self) -> &Arc<ClusterFigures> {
        &self.shared.figures
    }

    /// How the devices of the ring answer, as far as is known.
    pub fn device_health(&self) -> Vec<DeviceHealth> {
        let devices = self.shared.all_devices();
        devices.iter().map(|device| device.health()).collect()
    }

    /// Waits until nothing goes on in the background any more: commits whose callers have left, and slow replicas.
    pub async fn idle(&self) {
        self.shared.background.idle().await;
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A ballot above `above` and above all former ones.
    pub(crate) fn next_ballot(&self, above: Ballot) -> Ballot {
        let now = self.clock.now().as_micros();
        self.ballots.lock().unwrap_or_else(PoisonError::into_inner).next(now, above)
    }

    pub(crate) fn address(&self, table: TableId, key: Bytes) -> RowAddress {
        RowKey { table, key }.address(&self.placement)
    }

    /// Where a blob with a placement of its own lies.
    pub(crate) fn hash_blob(&self, blob: BlobId) -> PlacementHash {
        self.placement.hash_blob(&blob.0)
    }

    /// The devices where `hash` lies, in the order of the ring: their index is their number in a quorum.
    pub(crate) fn devices_of(&self, hash: PlacementHash) -> Vec<Arc<Device>> {
        let placement = self.ring.newest();
        let devices = placement.ring().devices_of_hash(hash).iter();
        devices.filter_map(|id| placement.devices.get(id)).cloned().collect()
    }

    /// All devices that hold partitions, in no order.
    pub(crate) fn all_devices(&self) -> Vec<Arc<Device>> {
        let placement = self.ring.newest();
        let devices = placement.ring().devices().iter();
        devices.filter_map(|device| placement.devices.get(&device.id)).cloned().collect()
    }

    pub(crate) fn device(&self, id: DeviceId) -> Option<&Arc<Device>> {
        self.ring.newest().devices.get(&id)
    }

    /// How many replicas are a majority.
    pub(crate) fn majority(&self) -> usize {
        usize::from(self.ring.replicas()) / 2 + 1
    }

    pub(crate) fn quorum(&self) -> Quorum {
        Quorum::majority(usize::from(self.ring.replicas()))
    }

    pub(crate) fn new_table(&self, kind: TableKind) -> TableId {
        TableId::new(kind, bytes(&*self.random))
    }

    /// A new id: the time in microseconds (8 bytes, big endian), so that a device's index grows at its end,
    /// and 8 random bytes, which alone make it unique.
    pub(crate) fn new_blob(&self) -> BlobId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.clock.now().as_micros().to_be_bytes());
        self.random.fill(&mut id[8..]);
        BlobId(id)
    }

    pub(crate) fn new_seal(&self) -> SealToken {
        SealToken(bytes(&*self.random))
    }
}

impl fmt::Debug for ClusterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterStore")
            .field("ring_version", &self.shared.ring.version())
            .field("devices", &self.shared.ring.devices().len())
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
