//! `martlet serve`: a proxy and three devices in one process.

mod absent;
mod credentials;
mod data;
mod secrets;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use martlet_auth::token::TokenKey;
use martlet_auth::{Identity, Role, Secret, UserTable};
use martlet_cluster::{ClusterParts, ClusterStore, RandomSource, SystemRandom};
use martlet_model::{AccountName, NameError};
use martlet_protocol::Replica;
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Gateway, serve};
use martlet_ring::{DeviceId, PlacementKey};
use martlet_storage_node::Device;
use rustix::fs::Mode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::absent::AbsentDevice;
use self::data::{Data, DataError, OpenedDevice};
use self::secrets::UserFile;
use self::workers::Workers;
use crate::clock::SystemClock;

/// What belongs to the server is for its owner alone: no rights for the group and for others.
const UMASK: Mode = Mode::from_bits_retain(0o077);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder that holds everything; made at the first start.
    #[arg(long, value_name = "DIR", default_value = "martlet-data")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Why the server ended, or didn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the runtime can't be started")]
    Runtime(#[source] std::io::Error),
    #[error("signals can't be received")]
    Signals(#[source] std::io::Error),
    #[error("the first user's account has no valid name")]
    Account(#[from] NameError),
    #[error(transparent)]
    Cluster(#[from] martlet_cluster::MissingReplica),
}

/// Serves until SIGTERM or SIGINT, and then finishes what is in flight.
pub(crate) fn run(options: &Options) -> Result<(), ServeError> {
    rustix::process::umask(UMASK);
    let data = Data::open(&options.data)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    runtime.block_on(run_over(data, options.listen))
}

async fn run_over(data: Data, address: SocketAddr) -> Result<(), ServeError> {
    // Before anything is announced, so that whoever has read the announcement can stop the server.
    let stop = stop_signal().map_err(ServeError::Signals)?;
    let (replicas, devices) = replicas(&data);
    let cluster = ClusterStore::new(ClusterParts {
        ring: data.ring.clone(),
        placement: PlacementKey::new(data.cluster.placement_key.0),
        replicas,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        options: martlet_cluster::Options::STANDARD,
    })?;
    let gateway = gateway(&data, cluster.clone())?;
    let listen = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let endpoint = format!("http://{}", listener.local_addr().map_err(listen)?);
    let workers = Workers::start(&cluster, &data.ring);
    announce(&data, &endpoint)?;
    serve(listener, Arc::new(gateway), stop).await;
    workers.stop().await;
    cluster.idle().await;
    for device in devices {
        if let Err(error) = device.close().await {
            tracing::error!("a device didn't close well: {error}");
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Every device as the cluster sees it, and those that have to be closed in the end.
fn replicas(data: &Data) -> (BTreeMap<DeviceId, Arc<dyn Replica>>, Vec<Device>) {
    let mut replicas = BTreeMap::<DeviceId, Arc<dyn Replica>>::new();
    let mut devices = Vec::new();
    for (id, device) in &data.devices {
        match device {
            OpenedDevice::Present(device) => {
                devices.push(device.clone());
                replicas.insert(*id, Arc::new(device.clone()));
            }
            OpenedDevice::Absent { reason } => {
                replicas.insert(*id, Arc::new(AbsentDevice { reason: reason.clone() }));
            }
        }
    }
    (replicas, devices)
}

fn gateway(data: &Data, cluster: ClusterStore) -> Result<Gateway, ServeError> {
    let mut seed = [0; 8];
    SystemRandom.fill(&mut seed);
    let options = martlet_proxy::Options {
        region: credentials::REGION.to_owned(),
        virtual_host_suffixes: Vec::new(),
        request_id_seed: u64::from_le_bytes(seed),
        token_key: TokenKey::derive(&data.cluster.token_secret.0),
        storage_url_scheme: Scheme::Http,
    };
    let users = Arc::new(users(&data.cluster.user)?);
    Ok(Gateway::new(Arc::new(cluster), users, Arc::new(SystemClock), options))
}

fn users(user: &UserFile) -> Result<UserTable, NameError> {
    let identity =
        Identity::user(AccountName::parse(user.account.as_bytes())?, user.name.as_str(), Role::Owner);
    Ok(UserTable::default()
        .with_access_key(user.access_key.as_str(), Secret::new(user.secret_key.as_str()), identity.clone())
        .with_swift_name(user.name.as_str(), Secret::new(user.swift_key.as_str()), identity))
}

/// Writes the clients' file, and tells the person who started the server how to get in.
fn announce(data: &Data, endpoint: &str) -> Result<(), ServeError> {
    let user = &data.cluster.user;
    let path = data.write_credentials(&credentials::environment(user, endpoint))?;
    println!("{}", credentials::greeting(user, endpoint, &path.display().to_string()));
    println!("ready");
    Ok(())
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}
