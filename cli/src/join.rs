//! How a command gets at the rows of a cluster: as one more proxy beside those that run, or alone.
//!
//! - `--config FILE`: over links to the nodes of a cluster.
//! - `--data DIR`: over a link to the server that runs over that folder, or, if none does, over its devices.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use martlet_cluster::{ClusterStore, MissingReplica};
use martlet_link::NodeLink;
use martlet_ring::DeviceId;
use tokio::time::{sleep, timeout};

use crate::config::{ConfigError, Membership};
use crate::devices::{OpenedDevice, Replicas, replicas_of};
use crate::files::{self, FileError};
use crate::keeper::{RingKeeper, Role};
use crate::network::{self, LiveStore, Network};
use crate::serve::data::{Data, DataError, LINK_ADDRESS};

/// How long the server that runs over a folder may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(2);
/// How often a folder is tried that is neither served nor free, as while a server starts or stops.
const ATTEMPTS_COUNT: u32 = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

/// Which cluster a command is about.
#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// The folder of `martlet serve`; the server may run.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The file of a proxy or node of the cluster, which must run.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why nobody can be joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Cluster(#[from] MissingReplica),
    #[error("{} holds no cluster", .0.display())]
    NoCluster(PathBuf),
    #[error("say where the cluster is: --data or --config")]
    Nowhere,
}

/// A store over the rows of a cluster.
pub(crate) struct Joined {
    pub(crate) store: ClusterStore,
    way: Way,
}

/// How the devices are reached.
enum Way {
    /// Over links, by whatever ring is the newest.
    Links { network: Arc<Network>, _live: LiveStore },
    /// Through a server whose ring never changes.
    Server { replicas: Replicas },
    /// By this process itself, which has opened them.
    Alone { devices: Arc<[(DeviceId, OpenedDevice)]> },
}

/// Joins the cluster. Called within a runtime.
pub(crate) async fn join(place: &Place) -> Result<Joined, JoinError> {
    match place {
        Place { config: Some(config), .. } => {
            let Membership { ring, cluster, identity, .. } = Membership::of(config)?;
            let network = Network::new(&identity, RingKeeper::start(ring, Role::Guest)?);
            let live = network.store(&cluster)?;
            Ok(Joined { store: live.store.clone(), way: Way::Links { network, _live: live } })
        }
        Place { data: Some(folder), .. } => join_folder(folder).await,
        Place { data: None, config: None } => Err(JoinError::Nowhere),
    }
}

impl Joined {
    /// Every device of the ring, by which the store goes at the moment.
    pub(crate) fn replicas(&self) -> Replicas {
        match &self.way {
            Way::Links { network, .. } => network.replicas(&self.store.ring()),
            Way::Server { replicas } => replicas.clone(),
            Way::Alone { devices } => replicas_of(devices),
        }
    }

    /// Waits for what goes on in the background, and closes what was opened.
    pub(crate) async fn leave(self) {
        self.store.idle().await;
        if let Way::Alone { devices } = &self.way {
            for (_, device) in devices.iter() {
                device.close().await;
            }
        }
    }
}

async fn join_folder(folder: &Path) -> Result<Joined, JoinError> {
    if !folder.join("cluster.toml").exists() {
        return Err(JoinError::NoCluster(folder.to_owned()));
    }
    let mut attempts = 0;
    loop {
        if let Some(joined) = join_server(folder).await? {
            return Ok(joined);
        }
        attempts += 1;
        match Data::open(folder) {
            Err(DataError::InUse) if attempts < ATTEMPTS_COUNT => sleep(ATTEMPT_PAUSE).await,
            opened => return alone(opened?),
        }
    }
}

/// Over the devices themselves, which nobody else has open.
fn alone(data: Data) -> Result<Joined, JoinError> {
    let Data { cluster, ring, devices, .. } = data;
    let store = network::store(&cluster, &ring, replicas_of(&devices))?;
    Ok(Joined { store, way: Way::Alone { devices } })
}

/// Through the server that runs over the folder; `None`: none does.
async fn join_server(folder: &Path) -> Result<Option<Joined>, JoinError> {
    let Ok(address) = std::fs::read_to_string(folder.join(LINK_ADDRESS)) else { return Ok(None) };
    let cluster = files::read_cluster(&folder.join("cluster.toml")).map_err(DataError::from)?;
    let ring = Arc::new(files::read_ring(&folder.join("cluster.ring")).map_err(DataError::from)?);
    let link = NodeLink::open(address.trim(), &cluster.link_identity());
    let replicas: Replicas =
        ring.devices().iter().map(|device| (device.id, link.replica(device.id))).collect();
    // A server that was killed leaves its address behind. Only one that knows the cluster's secret answers.
    let Some(first) = replicas.values().next() else { return Ok(None) };
    let answered = timeout(ANSWER_DURATION_MAX, first.counters(Vec::new())).await;
    if !link.is_connected() || answered.is_err() {
        return Ok(None);
    }
    let store = network::store(&cluster, &ring, replicas.clone())?;
    Ok(Some(Joined { store, way: Way::Server { replicas } }))
}
